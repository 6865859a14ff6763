/* What was asked and reached: one bounded table of rows.
 *
 * Theory of operation. A row stands for a name that was asked for, for a kind of connection (destination, port, protocol, what became of
 * it, the name that had brought the address), or for an address that a name has brought. Each event is one probe of a hash table. Rows
 * lie in blocks that are made when they are first needed, so that a container which does little costs little. When all ACTIVITY_ROWS are
 * in use the one that was longest without an event goes, and is counted. Rows of what was refused and rows of what was let through are
 * two lists: a workload that tries ten thousand doors drives out only what else it was refused, as long as that has half of the table.
 *
 * A row also knows what has been told of it (struct fold): the first event is told at once, its repeats are counted and told together.
 */
#ifndef PROXY_ACTIVITY_H
#define PROXY_ACTIVITY_H

#include <stdbool.h>
#include <stdint.h>

#include "fw/packet_log.h"
#include "policy/name.h"

#define ACTIVITY_ROWS   16384
#define ACTIVITY_FOLD_S 30 /* repeats are told at most every so many seconds */

/* Repeats of one event to one audience. */
struct fold {
	uint32_t told_s; /* when it was last told, on clock_now_ms(); 0: never */
	uint32_t untold; /* repeats since */
	uint16_t epoch;  /* of the audience that was told */
};

/* Whether an event is to be told now; count: set to the number of events that are told with it, itself included.
 * Otherwise it has been counted. epoch: of those who listen now; an epoch that is new was told nothing. */
bool fold_take(struct fold *fold, uint16_t epoch, uint64_t *count);

enum activity_verdict {
	ACTIVITY_ALLOWED,
	ACTIVITY_BYPASSED,
	ACTIVITY_REFUSED, /* names: no rule allows it */
	ACTIVITY_BLOCKED, /* connections: no rule allows it */
	ACTIVITY_DENIED,
	ACTIVITY_PRIVATE,
};

struct activity;

/* What to tell of a row whose repeats were not told when their time was up, or when it had to go. name: NULL when there is none. */
struct activity_repeats {
	bool is_query; /* else a connection */
	const struct name *name;
	uint16_t query_type;
	enum activity_verdict verdict;
	struct addr dest;
	bool has_port;
	uint16_t port;
	uint8_t protocol;
	bool audit; /* of the audit log; else of the readers of events */
	uint64_t count;
};

/* repeats(context, what) is called for these. NULL when there is no memory. */
struct activity *activity_new(void (*repeats)(void *context, const struct activity_repeats *repeats), void *context);
void activity_free(struct activity *activity);

/* Each returns the fold of the event, or NULL when there was no memory for a row; it is good until the next call. */

/* A question of the workload's. */
struct fold *activity_query(struct activity *activity, const struct name *name, uint16_t type, enum activity_verdict verdict);
/* A connection; name: set to the name that has brought its address, left alone when none has. Returns the fold of the readers' events,
 * audit: that of the audit log. */
struct fold *activity_connection(
	struct activity *activity, const struct packet_record *record, struct name *name, bool *has_name, struct fold **audit);

/* A name has brought an address. */
void activity_address(struct activity *activity, const struct addr *addr, const struct name *name);

/* Once a second: tells what was not told for ACTIVITY_FOLD_S; does a part of the table at each call. */
void activity_sweep(struct activity *activity);

/* Rows in use, and how many had to go for others. */
size_t activity_count(const struct activity *activity);
uint64_t activity_full(const struct activity *activity);

#endif
