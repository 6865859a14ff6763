/* The forwarder's worker as a whole: what its parts share.
 *
 * Theory of operation. One thread, one libevent loop, descriptors that never change hands. A turn of the loop has two halves. First every ready event is
 * handled: queries come in (listen.c), are judged, answered from the cache or sent upstream (query.c, pending.c), upstream answers come in and are checked. Whatever is
 * to be sent to a client is put into the outbox, whatever the kernel must hold before that is staged (lease.c). Then outbox_flush() commits
 * all staged elements in one batch, turns the replies whose elements the kernel refused into SERVFAIL, and sends. So no reply can leave before its
 * addresses are in the set, and one batch serves all answers of a turn.
 *
 * A bad packet costs its query. The process ends on SIGTERM, with its supervisor, when it was told to retire and everybody has been answered, or when something it
 * cannot work without fails; the ruleset stays as it is then, and the namespace stays closed. The sockets are the supervisor's: what arrives waits there for the next worker.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include <event2/event.h>
#include <netinet/in.h>

#include "dns/question.h"
#include "fw/setwriter.h"
#include "policy/policy.h"
#include "policy/settings.h"
#include "policy/shield_state.h"
#include "proxy/cache.h"
#include "proxy/latency.h"
#include "proxy/lease.h"
#include "state/bundle.h"

/* What has happened so often; named in the answer to `stats` in this order. */
enum counter {
	COUNT_QUERIES,		 /* messages from clients */
	COUNT_DROPPED,		 /* not answered: too short, or no query */
	COUNT_MALFORMED,	 /* answered with FORMERR, NOTIMP, BADVERS, or REFUSED for their form */
	COUNT_BLOCKED,		 /* refused by the policy */
	COUNT_CACHED,		 /* answered from what is held: the cache, the leases */
	COUNT_MERGED,		 /* joined a question in flight */
	COUNT_UPSTREAM,		 /* queries sent upstream */
	COUNT_UPSTREAM_TCP,
	COUNT_ANSWERED,		 /* upstream answers accepted */
	COUNT_REWRITTEN,	 /* of these, with records removed */
	COUNT_FILTERED,		 /* of these, with inside addresses removed */
	COUNT_MISMATCHED,	 /* upstream messages that did not belong to a question in flight */
	COUNT_BAD_ANSWERS,	 /* that did, and were malformed */
	COUNT_TIMEOUTS,
	COUNT_FAILED,		 /* questions that no upstream answered */
	COUNT_SET_FAILURES,	 /* replies turned into SERVFAIL since the kernel refused */
	COUNT_PENDING_FULL,	 /* bounds that were hit */
	COUNT_CLIENTS_FULL,
	COUNT_TCP_FULL,
	COUNT_LEASES_FULL,
	COUNT_DOUBTS,		 /* somebody else changed the table */
	COUNT_RENEWALS,
	COUNT_BUDGET,		 /* refused since the rule's budget of new names was spent */
	COUNT_CONNECTIONS_ALLOWED, /* records of the packet log */
	COUNT_CONNECTIONS_BLOCKED,
	COUNT_CONNECTIONS_DENIED,
	COUNT_CONNECTIONS_PRIVATE,
	COUNT_CONNECTIONS_BYPASSED,
	COUNT_LOST_KERNEL,	 /* records that the kernel could not deliver */
	COUNT_MADE_UNASKED,	 /* connections of which it was not asked whether they were made: too many at once */
	COUNT_FOLDED,		 /* events that readers are told of as repeats */
	COUNT_UPSTREAM_TLS,
	COUNT_TLS_CONNECTIONS,	 /* that servers were asked by */
	COUNTER_COUNT,
};

/* Who waits for a reply. */
enum client_kind {
	CLIENT_NONE, /* nobody: a renewal */
	CLIENT_UDP,
	CLIENT_TCP,
	CLIENT_CONTROL,
};

struct client {
	enum client_kind kind;
	int64_t asked_ns; /* proxy_turn_ns() of when the question came */
	union {
		struct {
			unsigned listener;
			struct sockaddr_in6 address; /* or sockaddr_in in its first octets */
			socklen_t address_length;
		} udp;
		struct {
			unsigned slot;
			unsigned generation; /* the connection may be gone by then, and its slot used again */
		} tcp;
		struct {
			unsigned slot;
			unsigned generation;
		} control;
	};
};

/* What is measured; named in the answer to `stats`. */
enum duration {
	DURATION_LOCAL,	   /* from a query to its answer, when that needed nobody upstream */
	DURATION_UPSTREAM, /* the same, when it did */
	DURATION_SET,	   /* from an upstream answer to the kernel's acknowledgement of its addresses; from the query where an answer of the cache had to put them back */
	DURATION_COUNT,
};

#define PROXY_WATCHES 3

/* What the supervisor told at the start; for who asks. */
struct proxy_start {
	unsigned serial, restarts;
	bool kept;
};

struct blocked;
struct budget;
struct events;
struct tls;
struct ledger;
struct ledger_file;
struct listen;
struct listen_sockets;
struct outbox;
struct packets;
struct pendings;
struct reached;
struct control;

struct proxy {
	struct event_base *base;
	struct bundle bundle;
	struct bundle_sums sums; /* of the profile lists that a reload must find */
	char container[129];
	struct settings settings;
	struct policy *policy;
	int64_t next_end_s; /* when the first of its rules ends, on clock_lasting_s(); 0: none does */
	int64_t ended_look_s; /* when flows that went by one which has ended are looked for again; 0 */
	enum shield_state state;
	struct proxy_start start;
	struct setwriter *writer;
	int flows_fd;
	struct cache *cache;
	struct budget *budget;
	struct leases *leases;
	struct listen *listen;
	struct outbox *outbox;
	struct tls *tls; /* NULL: the servers are asked in the clear */
	struct pendings *pendings;
	struct control *control;
	struct ledger *ledger;
	struct ledger_file *ledger_file;
	struct reached *reached;
	struct events *events;
	struct packets *packets; /* NULL: there is no packet log */
	struct blocked *blocked;
	uint64_t lost_untold;	 /* records lost that readers were not told of */
	struct event *watches[PROXY_WATCHES]; /* SIGTERM, changes of the table, each second */
	uint64_t counters[COUNTER_COUNT];
	struct latency latencies[DURATION_COUNT];
	int64_t turn_ns; /* when the first query or answer of this turn came up; 0: none has */
	unsigned seconds; /* that have passed */
	bool landlocked; /* the kernel has Landlock, and it is in force */
	int64_t retire_ms; /* when it was told to retire; 0 */
	int64_t fault_noted_ms; /* when an `error` was last written to the audit log */
};

const char *counter_name(enum counter counter);
const char *duration_name(enum duration duration);

/* Makes the worker of what the supervisor has handed over (the descriptors of state/worker.h) and of the bundle, and takes over what the kernel's sets hold. proxy: all 0 but for
 * the bundle, BUNDLE_INIT, and what was told at the start. Giving up privileges is the caller's. On an error the process is of no use. */
int proxy_begin(struct proxy *proxy, const char *bundle_path, const struct listen_sockets *sockets, struct error *error);
/* To be called after each turn of the loop. True when there is more to do at once, for which nobody waits. */
bool proxy_turn_end(struct proxy *proxy);
/* It was told to retire, and nobody waits for anything any more. */
bool proxy_is_done(const struct proxy *proxy);
/* Closes the descriptors too. */
void proxy_end(struct proxy *proxy);

/* The clock as it was when the first query or answer of this turn of the loop came up: read once a turn, however many there are. */
int64_t proxy_turn_ns(struct proxy *proxy);

/* Writes a line to the audit log, if that is wanted, and tells readers of events; the caller bounds how often. */
void proxy_note(struct proxy *proxy, const char *action, const char *dest, const char *detail);

/* Writes an `error` line to the audit log, at most one a second. */
void proxy_fault(struct proxy *proxy, const char *detail);

#endif
