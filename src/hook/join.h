/* The createRuntime stage of a container that joins a shield: another container of a Kubernetes pod whose sandbox has one.
 *
 * Theory of operation. The sandbox has the network namespace, the rules, the forwarder and the bundle (create_runtime.h). A container that
 * is created later, or anew after its end, changes nothing of that: it is only let in when it can be seen that it is behind the shield.
 * That is: its process is in the network namespace of the sandbox's init, whatever paths config.json names; the sandbox and its forwarder
 * are alive; the kernel holds the rules that the bundle's lists and state say, read back and compared; and it has nothing by which it
 * could undo them. Nothing is acquired, so a failure leaves nothing behind but its line in the sandbox's hook-error.log and audit log. */
#ifndef HOOK_JOIN_H
#define HOOK_JOIN_H

#include "base/error.h"
#include "hook/oci_state.h"

/* For a state whose annotations name a sandbox. Errors: -EPERM, -ESRCH, -EBADMSG and those of reading the bundle. */
int join(const struct oci_state *state, struct error *error);

#endif
