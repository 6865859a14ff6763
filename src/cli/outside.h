/* The part of `verify` that looks at the container from outside: its forwarder, its sockets, its processes, its files, its next start. */
#ifndef CLI_OUTSIDE_H
#define CLI_OUTSIDE_H

#include "cli/checks.h"
#include "cli/container.h"

/* The forwarder's processes, its control socket, and who is bound to port 53 in the container's namespace. */
void outside_check_forwarder(const struct container *container, struct checks *checks);

/* The capabilities of every process of the container. */
void outside_check_capabilities(const struct container *container, struct checks *checks);

/* resolv.conf as the workload sees it. To be called where the container's user namespace is one's own or below it. */
void outside_check_resolv_conf(const struct container *container, struct checks *checks);

/* Its content: name servers other than the forwarder, or none, are a failure. Pure. */
void outside_judge_resolv_conf(const char *content, struct checks *checks);

/* Whether the next start will have the hook: the runtime that podman has stored, the hook's program. starting: podman holds the
 * container's lock and cannot be asked; then it is the runtime itself that asks. */
void outside_check_next_start(
	const struct container *container, const struct command_options *options, bool starting, struct checks *checks);

#endif
