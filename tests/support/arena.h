/* Where faults are tried: containers, one after the other, that attack from their first moment to their last, and a judge outside.
 *
 * The outside is the test program's network namespace. It owns what may be reached and what may not, and counts with a table of its own,
 * `judge`, whatever comes out of a container towards anything that is not allowed, and each name that reaches the upstream resolver and
 * is not allowed. A container is a process in a network namespace of its own, connected by a veth. It waits, as a container's init waits
 * for crun; the real hook is called for it with the real programs; when that succeeded the container is let go, and sends to everything
 * that is forbidden, without a pause worth mentioning and without privileges, until it is ended. Where the hook fails the container is
 * not let go, as crun does; the bed's scripts show that crun does so. */
#ifndef TESTS_SUPPORT_ARENA_H
#define TESTS_SUPPORT_ARENA_H

#include "support/inject.h"
#include "support/rig.h"

#define ARENA_FOLDER_MAX 64
#define ARENA_SAID_MAX   2048

/* Of the programs, as struct inject wants them. */
enum arena_role {
	ARENA_HOOK,
	ARENA_SUPERVISOR,
	ARENA_WORKER,
};

/* In memory that the container shares. */
struct arena_count {
	unsigned tried;     /* packets of the container */
	bool spares_denied; /* the container does not try what only a deny forbids */
};

struct arena {
	struct rig rig;                /* the bundle and the upstream; its inside is the container of the moment */
	char folder[ARENA_FOLDER_MAX]; /* programs/ and oci/ */
	struct arena_count *count;
	struct rig outer; /* the rig's own inside, put back at the end */
	int listener, probe_fd; /* outside, TCP and UDP */
	unsigned number;           /* of containers so far */
	int go_fd;                 /* -1: the container was let go */
	unsigned wrongly_asked;    /* names that are not allowed and were asked upstream */
	char said[ARENA_SAID_MAX]; /* what the last hook said */
	/* limits of the hook and of all that it starts; 0: none */
	unsigned descriptors, memory_mb;
};

/* Ends the test program with a message when something fails. Needs root. */
void arena_make(struct arena *arena);
void arena_free(struct arena *arena);
/* The bundle anew: profiles, live and deny lists, state, settings. */
void arena_bundle_fill(struct arena *arena);

/* A new container, which waits. What it sends gets outside. */
void arena_container_make(struct arena *arena);
/* Lets it go. */
void arena_container_go(struct arena *arena);
/* Waits until it has tried everything once more. */
void arena_round_wait(struct arena *arena);
/* Ends it, whatever it does. */
void arena_container_end(struct arena *arena);

/* Calls the hook for it, "createRuntime" or "poststop". inject: NULL, or what is to fail; it goes on until inject_stop(). Returns the
 * hook's wait(2) status. */
int arena_hook(struct arena *arena, const char *stage, struct inject *inject);

/* Tries, from inside, an allowed name and its addresses until all answer. Returns the milliseconds that took, or -1 after timeout_ms. */
int arena_allowed(struct arena *arena, unsigned timeout_ms);
/* What has left towards forbidden destinations so far. */
unsigned arena_left(struct arena *arena);
/* Reaps what has ended; whether within timeout_ms no process is left that hook, supervisor or worker was. */
bool arena_is_empty(struct arena *arena, unsigned timeout_ms);
/* The supervisor of the container, by runtime.json; 0 when that is not there. */
pid_t arena_supervisor(struct arena *arena);

#endif
