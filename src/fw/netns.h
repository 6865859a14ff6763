/* Entering the network namespace of a container. */
#ifndef FW_NETNS_H
#define FW_NETNS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* Opens /proc/PID/ns/net. Caller closes. -ESRCH when the process is gone. */
int netns_open(pid_t pid, struct error *error);

/* True when the namespace is the one of the calling thread: a container with --network host. Compares device and inode. */
bool netns_is_own(int netns_fd);

/* True when it is the one that the process is in. */
bool netns_is_of(int netns_fd, pid_t pid);

/* Moves the calling thread into the namespace. A rootless process cannot come back. */
int netns_enter(int netns_fd, struct error *error);

/* Runs work(context) in a thread of its own inside the namespace and waits: for opening sockets there while the caller stays outside.
 * Returns what work returned, or the error of entering. */
int netns_run(int netns_fd, int (*work)(void *context, struct error *error), void *context, struct error *error);

/* For the CLI, in a forked child: enters the user namespace that owns the network namespace (when it is not the caller's own) and then the namespace of pid. */
int netns_enter_as_owner(pid_t pid, struct error *error);

#endif
