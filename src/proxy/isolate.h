/* Giving up what the forwarder does not need, in named stages. Each is final and is entered in this order. */
#ifndef PROXY_ISOLATE_H
#define PROXY_ISOLATE_H

#include <stdbool.h>

#include "base/error.h"

/* Before anything is opened: no core dumps, which would hold the names that were asked for; as many descriptors as the hard limit allows. */
int isolate_limits(struct error *error);

/* After everything is open: no_new_privs, not attachable, and of all capabilities only CAP_NET_ADMIN, which the kernel demands of the sender of each set
 * change, whoever opened the socket (netlink_net_capable()). */
int isolate_capabilities(struct error *error);

/* Landlock: files can be read below /etc and beside what /etc/resolv.conf leads to, and changed below the bundle; nothing else. A kernel without
 * Landlock is no error: the stage is skipped, and *held says so. */
int isolate_files(const char *bundle_path, bool *held, struct error *error);

/* seccomp: the system calls of the loop, and death for any other. Not in builds with sanitizers, whose runtime needs more. */
int isolate_syscalls(struct error *error);

#endif
