/* Speaking to the hub for a container, and reading the file of its dossier.
 *
 * Theory of operation. The hub is told of the container's beginning and end by the supervisor itself, and in between of what was refused,
 * in the worker's words. The worker cannot do that: with the right to connect to one unix socket it could reach all of the user's, the
 * session's bus among them, and start programs. Nor can it read the file, whose folder it would have to be given whole. So it asks, by
 * the packets of state/worker.h, and is answered. One connection has everything in its order.
 *
 * The threat. The worker may have been taken over. What it says goes to the hub only when it is one printable line that begins as
 * `pending` of this container does, HERALD_LINES_MAX of them a second at most. What stands behind that beginning is not understood
 * here; the hub has to read it as the words of a stranger. The file's path is the annotation's, so it has to be a regular file of the
 * caller's own; what it says is parsed by the worker, not here. Nothing here waits: whoever does not take or ask in time is passed over. */
#ifndef SUPERVISOR_HERALD_H
#define SUPERVISOR_HERALD_H

#include <stdint.h>

#include "state/hub.h"
#include "supervisor/sockets.h"

#define HERALD_LINES_MAX 50

struct herald {
	struct hub hub;
	const char *container, *id; /* its name, its short id; borrowed */
	const char *meta;           /* the file's path, "" for none; borrowed */
	int fd;                     /* towards the worker; -1: nobody asks */
	int64_t second;             /* in which this many lines were given to the hub */
	unsigned lines;
};

/* Makes the worker's socket, where there is a hub or a file. Returns 0 or a negative errno. */
int herald_open(struct herald *herald, struct sockets *sockets);

/* A packet of the worker's is there. */
void herald_hear(struct herald *herald);

void herald_started(struct herald *herald);
/* Everything that the worker had said is told first. reason: a word. */
void herald_exited(struct herald *herald, const char *reason);

#endif
