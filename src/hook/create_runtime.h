/* The createRuntime stage: nothing of the container has run yet; when this returns 0 the shield holds. */
#ifndef HOOK_CREATE_RUNTIME_H
#define HOOK_CREATE_RUNTIME_H

#include "base/error.h"
#include "hook/oci_state.h"

/* Puts the shield around the container. On an error everything that was begun is undone, and the error's line is in the bundle's
 * hook-error.log and audit log when the bundle could be opened. */
int create_runtime(const struct oci_state *state, struct error *error);

#endif
