/* The runtime shim as the runtime of a RuntimeClass, called by containerd's shim or by CRI-O's conmon.
 *
 * Theory of operation. A node's owner names libexec/terok-shield/kubernetes/crun (or runc, youki) as the runtime of a handler, and a pod
 * asks for that handler with runtimeClassName. So the folder decides: whatever is created by the shim in kubernetes/ is shielded,
 * annotations or not, and nothing that a pod says takes it out.
 *
 *	create	of a sandbox: terok-shield-node makes the bundle; its place goes into annotations of config.json, and the hooks with it
 *	create	of another container: terok-shield-node looks for the sandbox's bundle; the hook then lets it in (join.h) or not
 *	exec	the process is judged as the container was: the caller takes it from the pod's manifest, not from what the shim made of that
 *	restore	refused
 *	others	pass
 *
 * Any failure is exit status 1 before the real runtime runs, with its reason where containerd and CRI-O look for one. */
#ifndef HOOK_RUNTIME_KUBERNETES_H
#define HOOK_RUNTIME_KUBERNETES_H

#include "hook/runtime.h"

/* Where the real runtime is looked for: CRI-O's packages bring their own, of the version that CRI-O writes config.json for. */
extern const char *const runtime_kubernetes_folders[];

/* Does what is to be done before the real runtime is executed with the same arguments. */
int runtime_kubernetes(const struct runtime_call *call, int argc, char *const argv[], struct error *error);

/* The file that `exec` takes its process from; NULL in *path when it is called with a command instead. Only what containerd, CRI-O or a
 * person at the node have reason to say is taken: -EINVAL for every other option, since it might give capabilities. Pure. */
int runtime_kubernetes_exec_file(int argc, char *const argv[], int command, const char **path, struct error *error);

#endif
