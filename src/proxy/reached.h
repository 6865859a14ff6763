/* Whether a connection that was let out was made: asked of connection tracking a moment later.
 *
 * Theory of operation. The packet log has the first packet of a flow, which says what somebody wanted. Each is remembered for
 * REACHED_AFTER_MS, and then the kernel is asked for that one flow, a few at the end of each turn of the loop. At most REACHED_MAX wait;
 * what is more is not asked for, and counted.
 */
#ifndef PROXY_REACHED_H
#define PROXY_REACHED_H

#include "fw/packet_log.h"
#include "proxy/ledger.h"

#define REACHED_MAX      2048
#define REACHED_AFTER_MS 1500

struct reached;

/* flows_fd: of netlink_open_flows(); both borrowed. NULL when there is no memory. */
struct reached *reached_new(struct ledger *ledger, int flows_fd);
void reached_free(struct reached *reached); /* NULL allowed */

/* A connection that was let out. Returns false when too many wait. */
bool reached_ask(struct reached *reached, const struct packet_record *record, struct ledger_ticket row);

/* Once a second; then, at the end of each turn: returns true when there is more to ask. */
void reached_second(struct reached *reached);
bool reached_turn(struct reached *reached);

/* Asks for all that wait, however short a time they did: the end. */
void reached_finish(struct reached *reached);

#endif
