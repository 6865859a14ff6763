/* Replies on their way out: collected during a turn of the loop, sent after the kernel has acknowledged their addresses. */
#ifndef PROXY_OUTBOX_H
#define PROXY_OUTBOX_H

#include "dns/answer.h"
#include "proxy/proxy.h"

struct outbox *outbox_new(void);
void outbox_free(struct outbox *outbox);

/* Room for a reply of at most MESSAGE_MAX octets to client: returns where to write it and its number for lease_ensure() in owner. Flushes first when there is no room.
 * Nothing is sent until outbox_add() said how long it became. */
uint8_t *outbox_reserve(struct proxy *proxy, unsigned *owner);

/* The reply that was written to what outbox_reserve() returned. staged: it waits for the commit; question: to make a SERVFAIL of it. length 0: nothing is sent, but
 * CLIENT_CONTROL is told in the end all the same. */
void outbox_add(struct proxy *proxy, const struct client *client, const struct question *question, size_t length, bool staged);

/* Commits what is staged and sends everything. To be called at the end of each turn of the loop. */
void outbox_flush(struct proxy *proxy);

/* For leases_new(): the reply with this number becomes a SERVFAIL. */
void outbox_lease_failed(void *proxy, unsigned owner, int error);

#endif
