/* What was asked and reached: one bounded table of rows.
 *
 * Theory of operation. A row stands for a name that was asked for, for a kind of connection (destination, port, protocol, what became of
 * it, the name that had brought the address), for an address that a name has brought, or, where several names have brought one address,
 * for each of them: a connection has the name that brought its address last, and that may not be the one that was meant. Each event is
 * one probe of a hash table. Rows lie in blocks that are made when they are first needed, so that a container which does little costs
 * little. When all LEDGER_ROWS are in use the one that was longest without an event goes, and is counted. Rows of what was refused and
 * rows of what was let through are two lists: a workload that tries ten thousand doors drives out only what else it was refused, as long
 * as that has half of the table.
 *
 * A row also knows what has been told of it (struct fold): the first event is told at once, its repeats are counted and told together.
 */
#ifndef PROXY_LEDGER_H
#define PROXY_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "fw/packet_log.h"
#include "fw/setwriter.h"
#include "policy/name.h"
#include "state/activity.h"

#define LEDGER_ROWS   16384
#define LEDGER_FOLD_S 30 /* repeats are told at most every so many seconds */

/* Repeats of one event to one audience. */
struct fold {
	uint32_t told_s; /* when it was last told, on clock_now_ms(); 0: never */
	uint32_t untold; /* repeats since */
	uint16_t epoch;  /* of the audience that was told */
};

/* Whether an event is to be told now; count: set to the number of events that are told with it, itself included.
 * Otherwise it has been counted. epoch: of those who listen now; an epoch that is new was told nothing. */
bool fold_take(struct fold *fold, uint16_t epoch, uint64_t *count);

struct ledger;

/* What to tell of a row whose repeats were not told when their time was up, or when it had to go. name: NULL when there is none. */
struct ledger_repeats {
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
struct ledger *ledger_new(void (*repeats)(void *context, const struct ledger_repeats *repeats), void *context);
void ledger_free(struct ledger *ledger);

/* A question of the workload's. Returns the fold of its event, good until the next call; NULL without memory for a row. */
struct fold *ledger_query(struct ledger *ledger, const struct name *name, uint16_t type, enum activity_verdict verdict);

/* By which a row is found again, if it is still there. */
struct ledger_ticket {
	uint16_t number;
	uint32_t birth;
};

/* What is known of a connection; good until the next call. */
struct ledger_connection {
	const struct name *name; /* NULL: none is known */
	struct fold *events, *audit, *hub; /* the hub is not told of repeats that nothing came after */
	struct ledger_ticket row;
};

/* A connection. name: whose address it goes to; NULL when that is not known, then it is the last one that brought it. Returns false
 * without memory for a row; then connection is not filled. */
bool ledger_connection(
	struct ledger *ledger, const struct packet_record *record, const struct name *name, struct ledger_connection *connection);
/* It was answered. */
void ledger_made(struct ledger *ledger, struct ledger_ticket ticket);

/* A name has brought an address, for all ports or for one. */
void ledger_address(struct ledger *ledger, const struct setwriter_key *element, const struct name *name);
bool ledger_knows_address(struct ledger *ledger, const struct setwriter_key *element);
/* So much more went through it, both ways. */
void ledger_traffic(struct ledger *ledger, const struct setwriter_key *element, uint64_t packets, uint64_t bytes);

/* Once a second: tells what was not told for LEDGER_FOLD_S; does a part of the table at each call. */
void ledger_sweep(struct ledger *ledger);

/* Rows in use, and how many had to go for others. */
size_t ledger_count(const struct ledger *ledger);
uint64_t ledger_full(const struct ledger *ledger);

/* For ledger_file.c: whether anything has happened since this was asked last; a row, text is where its name goes. */
bool ledger_take_changed(struct ledger *ledger);
int64_t ledger_since(const struct ledger *ledger);
void ledger_row(const struct ledger *ledger, size_t number, struct activity_row *row, char text[NAME_TEXT_MAX]);

/* Goes on from a file: first ledger_begin(), then each row, then ledger_restored(), all before the first event. */
void ledger_begin(struct ledger *ledger, int64_t since, uint64_t full);
int ledger_restore(struct ledger *ledger, const struct activity_row *row);
void ledger_restored(struct ledger *ledger);

#endif
