/* The packet log: what the ruleset says about packets, read from the kernel (NFLOG, group RULESET_LOG_GROUP).
 *
 * Theory of operation. Each rule that decides about a new flow logs the packet under a prefix that names the decision. The kernel
 * collects records and hands them over in datagrams of several; it gives each a sequence number before it tries to deliver, so that a
 * gap in the numbers is exactly what was lost. One datagram is read at a call: how many calls are made, and when, is the caller's. What
 * is in a record beyond the kernel's own framing was written by the workload: it is believed only as far as it goes, and a packet that
 * is not whole has no ports.
 */
#ifndef FW_PACKET_LOG_H
#define FW_PACKET_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/addr.h"

/* The decision. */
enum packet_fate {
	PACKET_ALLOWED,
	PACKET_BLOCKED,  /* no rule allows it */
	PACKET_DENIED,   /* a rule denies it */
	PACKET_PRIVATE,  /* inside addresses */
	PACKET_BYPASSED, /* let out in down and down_all */
};
#define PACKET_FATES 5

struct packet_record {
	enum packet_fate fate;
	struct addr source, dest;
	uint8_t protocol;           /* IP protocol number, behind IPv6's extension headers */
	bool has_ports;             /* TCP, UDP, SCTP, DCCP, UDP-Lite */
	uint16_t source_port, port; /* host order; for an ICMP echo: its identifier, and 0 */
	uint32_t sequence;
};

struct packet_log;

/* Takes a socket of netlink_open_packets() (owned from then on, also without memory). first: nobody has read from it before, so the
 * first number is 0; otherwise what was lost before the first record that is read is not known. NULL when there is no memory. */
struct packet_log *packet_log_take(int fd, bool first);
void packet_log_close(struct packet_log *log); /* NULL allowed */

int packet_log_fd(const struct packet_log *log);

/* Reads one datagram and calls visit for each record in it, in order. lost: set to how many records were lost before those of this
 * datagram, or between them. Returns how many there were; -EAGAIN when there is nothing to read; another negative errno. */
int packet_log_read(
	struct packet_log *log, void (*visit)(void *context, const struct packet_record *record), void *context, uint64_t *lost);

#endif
