/* The stream of events: what `events` on the control socket gives, a JSON object a line.
 *
 * Theory of operation. Events become lines in one ring that all readers share; each reader has a place in it. The ring is there only while
 * somebody reads: without a reader an event costs an addition. When the ring is full the oldest lines go, and a reader whose
 * place is gone is told how many it missed, exactly, before it goes on with the oldest that there is. So a reader that is slow, or
 * stands still, costs nobody anything but itself. A reader's connection is given a little more only when it has taken what it was given.
 *
 * Every event has a number, whether it becomes a line or not: a gap in `seq` is something that a reader did not see.
 */
#ifndef PROXY_EVENTS_H
#define PROXY_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/addr.h"
#include "policy/name.h"

#define EVENTS_READERS_MAX 8
#define EVENTS_RING_OCTETS (4u << 20)

struct bufferevent;
struct events;

/* What is told. Members that are zero are left out. */
struct events_entry {
	const char *source; /* "dns", "nflog", "audit", "shield" */
	const char *action;
	const struct name *domain;
	uint16_t query_type;
	const struct addr *dest;
	const char *dest_text; /* instead of dest */
	const char *detail;
	bool has_port;
	uint16_t port;
	uint8_t protocol;
	uint64_t count; /* left out when it is 1 */
	uint32_t lifetime_s;
};

/* container: the name that goes into each line; borrowed. NULL when there is no memory. */
struct events *events_new(const char *container);
void events_free(struct events *events); /* gives readers what their sockets still take; NULL allowed */

/* Whether anybody reads: if not, events_count() is all that is wanted of an event. */
bool events_wanted(const struct events *events);
/* Changes with each new reader: what was told before that reader came was not told to it. */
uint16_t events_epoch(const struct events *events);

/* An event that nobody wants to hear of. */
void events_count(struct events *events);
/* An event. */
void events_tell(struct events *events, const struct events_entry *entry);

/* Takes a connection over; what comes in on it is not read. Returns 0; -EBUSY at EVENTS_READERS_MAX, -ENOMEM; then it is still the
 * caller's. */
int events_join(struct events *events, struct bufferevent *stream);

/* At the end of each turn of the loop: gives readers what they are ready for. Returns true when there is more to do at once. */
bool events_turn(struct events *events);

/* Events so far, and how many of them readers were told that they had lost, all readers together. */
uint64_t events_total(const struct events *events);
uint64_t events_lost(const struct events *events);
unsigned events_readers(const struct events *events);

#endif
