/* The hub: a unix socket of somebody else's, such as a desktop notifier that asks its user about what was refused. We are its client.
 *
 * Theory of operation. Everything goes to it as lines, each one JSON object, and nothing comes back: its verdict is a call of
 * `terok-shield allow` or `deny`. It may be there or not, come, go and come again, and be slow. None of that is to cost anything: nobody
 * waits for it, what it does not take at once is lost to it, and one that is not there is tried once in HUB_RETRY_MS at most.
 *
 * The threat. A socket can lead to anybody: it has to be the caller's own, so that what a container does is not told to others. Being
 * able to reach one socket is being able to reach all of the user's (no Landlock of today tells them apart), the session's bus among
 * them. So only the CLI and the supervisor use this, never the worker, which reads what the network sends. */
#ifndef STATE_HUB_H
#define STATE_HUB_H

#include <stddef.h>
#include <stdint.h>

#define HUB_SOCKET   "terok-shield-events.sock" /* in $XDG_RUNTIME_DIR */
#define HUB_RETRY_MS 1000
#define HUB_ID_MAX   13 /* a container's short id, with its NUL */

struct hub {
	const char *path; /* borrowed; "": there is none */
	int fd;           /* -1: not connected */
	int64_t tried_ms; /* when it was not there; 0: it was never missed */
};

/* Gives it one line, which ends with its newline. Never waits. Returns 0 or a negative errno: then it has not got the line. */
int hub_send(struct hub *hub, const char *line, size_t length);
void hub_close(struct hub *hub);

#endif
