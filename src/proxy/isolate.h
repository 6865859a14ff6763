/* Giving up what the worker does not need; base/isolate.h has the stages. */
#ifndef PROXY_ISOLATE_H
#define PROXY_ISOLATE_H

#include <stdbool.h>

#include "base/error.h"

/* Before anything is opened: no core dumps, which would hold the names that were asked for; as many descriptors as the hard limit
 * allows. */
int isolate_limits(struct error *error);

/* After everything is open: of all capabilities only CAP_NET_ADMIN, which the kernel demands of the sender of each set change, whoever
 * opened the socket (netlink_net_capable()); files can be read below /etc and beside what /etc/resolv.conf leads to, and changed below
 * the bundle, when the kernel has Landlock (*landlocked); the system calls of the loop, and death for any other. */
int isolate_worker(const char *bundle_path, bool *landlocked, struct error *error);

#endif
