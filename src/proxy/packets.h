/* The packet log, read so that DNS does not feel it.
 *
 * Theory of operation. A workload may make as many records as it can send packets, so how much is read is not the workload's to say. One
 * datagram is read at the end of a turn of the loop, when the replies of that turn are out, and the next one after queries that came
 * meanwhile: DNS never waits for more than one. What may be read at all is a level that PACKETS_RATE fills up to PACKETS_BURST: when it
 * is empty the socket is left alone, not even waited for, until PACKETS_PAUSE_MS later. Meanwhile its buffer fills, and then the kernel
 * drops records, which costs this process nothing. The sequence numbers say how many.
 */
#ifndef PROXY_PACKETS_H
#define PROXY_PACKETS_H

#include <stdbool.h>

struct packets;
struct proxy;

/* Takes a socket of netlink_open_packets(). NULL when there is no memory. */
struct packets *packets_start(struct proxy *proxy, int fd);
void packets_stop(struct packets *packets); /* NULL allowed */

/* At the end of each turn. Returns true when there is more to read at once. packets: NULL where there is no packet log. */
bool packets_turn(struct packets *packets);

#endif
