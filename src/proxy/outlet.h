/* Outlets: the UDP sockets towards upstream servers, each used for one message and then given another source port.
 *
 * Theory of operation. A fresh source port for each query (RFC 5452 section 9.2) usually means a fresh socket, which costs more than all else that a query needs. An outlet
 * is a socket that stays: after its message it is disconnected (connect(2) to AF_UNSPEC: the kernel takes the port away), emptied of what came too late, and connected again, for which
 * the kernel picks another unpredictable port. That is done when the replies of a turn of the loop are out (outlets_refresh()), so nobody waits for it. Connected as it is,
 * it takes datagrams from its server's address and port only. Its read event stays registered all the time.
 */
#ifndef PROXY_OUTLET_H
#define PROXY_OUTLET_H

#include <event2/event.h>

#include "policy/addr.h"

#define OUTLETS_IDLE_MAX 64 /* kept for later; more than these are closed */

struct outlets;
struct outlet;

/* receive(context, outlet's owner, wire, length) is called for each datagram, and with wire NULL when the kernel reports an error (nobody is there). It returns true to say
 * that the outlet was given back meanwhile. count: how many may be in use at once. mark: SO_MARK for each socket, 0 for none. NULL without memory. */
struct outlets *outlets_new(struct event_base *base, unsigned count, uint32_t mark, bool (*receive)(void *owner, const uint8_t *wire, size_t length));
void outlets_free(struct outlets *outlets);

/* Sends a message to the server from a port that was not used before. outlet: set; owner: handed to receive(). Errors: a negative errno, -ENOBUFS when all are in use. */
int outlet_send(struct outlets *outlets, const struct addr_endpoint *server, void *owner, const uint8_t *wire, size_t length, struct outlet **outlet);

/* Ends the use of an outlet: nothing more comes from it. */
void outlet_give_back(struct outlets *outlets, struct outlet *outlet);

/* Gives those that came back other ports. To be called when there is time. */
void outlets_refresh(struct outlets *outlets);

#endif
