/* The forwarder as the hook sees it: started, heard to be ready, ended.
 *
 * Theory of operation. The forwarder is a child, the supervisor, with the descriptors of state/forwarder.h. It says "ready" or "error:
 * TEXT" into a pipe and closes it; silence and an end of the pipe mean that it died. It leads a session of its own and outlives the
 * hook; then it belongs to whoever reaps for the container (conmon). What ends it: poststop, the death of the container's init (the
 * pidfd), and the hook itself when anything behind its start fails. Its worker is its own affair: it never outlives it.
 */
#ifndef HOOK_FORWARDER_H
#define HOOK_FORWARDER_H

#include <sys/types.h>

#include "base/error.h"
#include "policy/settings.h"
#include "state/bundle.h"

struct forwarder {
	pid_t pid;    /* 0: not started */
	int pid_fd;   /* -1: not started */
	int ready_fd; /* read end of its pipe */
};
#define FORWARDER_NONE                                                                                                                     \
	{                                                                                                                                  \
		.pid_fd = -1, .ready_fd = -1                                                                                               \
	}

/* What it is started for; all borrowed. */
struct forwarder_order {
	const struct bundle *bundle;
	const char *container;
	int netns_fd, init_fd;
	const struct settings *settings;
	const char *id;	  /* the container's, of which the short one is told to the hub */
	const char *meta; /* the path of its dossier's file, "" for none */
};

/* Starts terok-shield-supervisor; returns at once. -ENOENT and the like when it or its worker is missing. The calling process has one
 * thread. */
int forwarder_start(struct forwarder *forwarder, const struct forwarder_order *order, struct error *error);

/* Waits until it is ready. Errors: what it said; -ETIMEDOUT; -ECHILD when it died without a word. */
int forwarder_wait_ready(struct forwarder *forwarder, unsigned timeout_ms, struct error *error);

/* Ends a forwarder that this process started, and reaps it. Nothing happens when none was started. */
void forwarder_stop(struct forwarder *forwarder);

/* Closes the descriptors and leaves it running. */
void forwarder_release(struct forwarder *forwarder);

/* Ends a process by its pidfd (borrowed): SIGTERM, up to patience_ms, SIGKILL. */
void forwarder_end(int pid_fd, unsigned patience_ms);

#endif
