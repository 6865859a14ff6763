/* The sockets that a container's forwarder works with, held by the supervisor so that they outlive each worker. */
#ifndef SUPERVISOR_SOCKETS_H
#define SUPERVISOR_SOCKETS_H

#include <stdbool.h>

#include "state/bundle.h"
#include "state/worker.h"

/* By enum worker_descriptor; those that are no sockets, those of IPv6 where the namespace has none, and the packet log where it cannot be
 * had, are negative. */
struct sockets {
	int fds[WORKER_DESCRIPTORS_END];
};

/* Opens them: the control socket in the bundle, the others in the namespace. enter: the process itself moves into the namespace and
 * stays, so that upstream sockets belong there too; otherwise a thread goes there and comes to its end. Needs CAP_SYS_ADMIN over the
 * namespace. What was opened is closed when the process ends. */
int sockets_open(struct sockets *sockets, const struct bundle *bundle, int netns_fd, bool enter, struct error *error);

#endif
