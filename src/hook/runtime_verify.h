/* The runtime shim verifies a shield before the workload starts.
 *
 * Theory of operation. podman, and who else drives a runtime, creates a container first: its namespaces, mounts and capabilities are
 * made, its network is connected, its hooks have run, and its init waits. `start` then lets it run the workload. So the moment of `start`
 * is the one at which everything is as the workload will find it, and nothing of the workload's has run; and it comes with every start,
 * however podman was asked for it. A shim that is called in the folder verify/ runs `terok-shield verify` then, an own process that
 * believes neither hook nor forwarder. When it does not hold, or cannot be verified, the container is killed, the table is printed to
 * stderr, which is that of `podman run`, and the start fails. */
#ifndef HOOK_RUNTIME_VERIFY_H
#define HOOK_RUNTIME_VERIFY_H

#include "hook/runtime.h"

/* Before `start`: verifies, and kills the container when that fails. real: path of the real runtime. Other commands pass, but `run`,
 * which would create and start in one, is refused (-ENOTSUP). Errors: -EPERM when the shield does not hold. */
int runtime_verify(const struct runtime_call *call, const char *real, int argc, char *const argv[], struct error *error);

#endif
