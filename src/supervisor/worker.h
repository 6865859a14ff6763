/* One worker process of the forwarder: started, listened to, looked at, ended. */
#ifndef SUPERVISOR_WORKER_H
#define SUPERVISOR_WORKER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "state/worker.h"
#include "supervisor/sockets.h"

struct worker {
	pid_t pid;    /* 0: none */
	int pid_fd;   /* -1: none */
	int pipe_fd;  /* what it says, non-blocking; -1: none, or it has closed its end */
	uint64_t cpu; /* what worker_works() saw last */
};
#define WORKER_INIT                                                                                                                        \
	{                                                                                                                                  \
		.pid_fd = -1, .pipe_fd = -1                                                                                                \
	}

/* What a worker is told at its start. */
struct worker_order {
	int program_fd;     /* its file */
	const char *bundle; /* path */
	const struct sockets *sockets;
	unsigned serial;   /* how many were started before */
	unsigned restarts; /* of these, because the one before had died or hung */
	bool kept;         /* the one that is installed did not start: this is the one from before */
};

/* Starts it. It ends when this process does, whatever ends that. Returns 0 or a negative errno; what fails after the fork is said
 * through its pipe. */
int worker_start(struct worker *worker, const struct worker_order *order);

/* The next message, NUL-terminated. Returns its length, 0 when there is none. */
size_t worker_hear(struct worker *worker, char message[WORKER_MESSAGE_MAX + 1]);

/* Whether it has used a processor since this was asked last, or would use one now: slow is not dead. */
bool worker_works(struct worker *worker);

void worker_kill(const struct worker *worker);

/* When its pid_fd is readable: how it ended. The worker is none then. */
void worker_reap(struct worker *worker, siginfo_t *end);

/* Ends and reaps it: SIGTERM, up to patience_ms, SIGKILL. */
void worker_end(struct worker *worker, int patience_ms);

#endif
