/* Keeping a worker alive. */
#ifndef SUPERVISOR_SUPERVISE_H
#define SUPERVISOR_SUPERVISE_H

#include "state/bundle.h"
#include "supervisor/herald.h"
#include "supervisor/sockets.h"

struct supervision {
	const char *program; /* the worker's path: what is installed */
	int program_fd;      /* its file, as it was when the container started; taken */
	const char *container;
	bool audit;
	const struct bundle *bundle;
	const struct sockets *sockets;
	struct herald *herald;
	int init_fd;  /* a pidfd of the container's init, of the first one in the namespace; taken */
	int end_fd;   /* readable when the process is to end */
	int ready_fd; /* "ready" or "error: TEXT" goes there; taken */
};

/* Starts a worker and, from its first readiness on, another one whenever there is none. Returns 0 when the last container's init has
 * ended or end_fd says so, 1 when the first worker did not get ready or nobody wants to know. There is no worker then. */
int supervise(const struct supervision *supervision);

#endif
