/* What is worth noticing: of queries, leases, connections and what was done.
 *
 * Each of these goes to the counters, to the activity, to those who read events, and, where it is about what was refused or done, to the
 * audit log and the hub. A workload decides how often, so each way is bounded: the activity is a table, repeats are folded, what is told of
 * connections that were refused is BLOCKED_MAX a second. */
#ifndef PROXY_NOTICE_H
#define PROXY_NOTICE_H

#include "fw/packet_log.h"
#include "proxy/ledger.h"
#include "proxy/proxy.h"

/* A question of the workload's that is answered, whether by a rule or by a bypass. */
void notice_query(struct proxy *proxy, const struct question *question, bool bypassed);
/* One that is refused. verdict: what the rules say of it: refused, denied, or allowed where it is the budget that refuses. */
void notice_query_blocked(struct proxy *proxy, const struct question *question, enum activity_verdict verdict, const char *why);

/* A name has brought an address that a bypass let through: nothing was learned. */
void notice_address(struct proxy *proxy, const struct addr *addr, const struct name *name);

/* For leases_watch(), with the proxy as context. */
extern const struct leases_watcher notice_leases;

void notice_packet(struct proxy *proxy, const struct packet_record *record);
/* Records that the kernel could not deliver. */
void notice_lost(struct proxy *proxy, uint64_t count);
/* When those that were delivered have been read: tells how many were lost. */
void notice_lost_tell(struct proxy *proxy);

/* Something was done or has failed: as in the audit log. dest, detail: NULL for none. */
void notice_done(struct proxy *proxy, const char *action, const char *dest, const char *detail);

/* For ledger_new(). context: the proxy. */
void notice_repeats(void *context, const struct ledger_repeats *repeats);

/* Once a second. */
void notice_second(struct proxy *proxy);

#endif
