/* The life of a query: judged, answered from the cache, or sent upstream; and the answer's way back. */
#ifndef PROXY_QUERY_H
#define PROXY_QUERY_H

#include "dns/answer.h"
#include "proxy/pending.h"
#include "proxy/proxy.h"

/* A message from a client. Its reply comes through the outbox, at once or later. Returns false when there will be none, since it is no query. */
bool query_receive(struct proxy *proxy, const struct client *client, const uint8_t *wire, size_t length);

/* A question of our own (a renewal, or `resolve`): judged like a client's. */
void query_ask(struct proxy *proxy, const struct client *client, const struct name *name, uint16_t type);

/* The upstream's answer to a question in flight: `answer` was parsed and is clean or was rewritten; everybody who waits is served. filtered: inside addresses were removed. */
void query_answered(struct proxy *proxy, struct pending *pending, const uint8_t *wire, const struct answer *answer, bool filtered);

/* No upstream answered (rcode SERVFAIL), or all refused (their rcode). ede: why, or EDE_NONE. */
void query_failed(struct proxy *proxy, struct pending *pending, int rcode, int ede);

/* Whether the policy of now lets `name` keep the element `key` in the learned sets. context: the proxy. For leases_review(). */
bool query_name_may_keep(void *proxy, const struct name *name, const struct setwriter_key *key);

/* Which inside addresses may pass in the state of now. */
struct answer_filter query_filter(const struct proxy *proxy);

#endif
