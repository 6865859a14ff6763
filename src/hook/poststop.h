/* The poststop stage: the container is gone, its forwarder goes too. */
#ifndef HOOK_POSTSTOP_H
#define HOOK_POSTSTOP_H

#include "base/error.h"
#include "hook/oci_state.h"

/* Ends the forwarder of this container and removes runtime.json and control.sock, whatever version wrote them. A bundle that is gone, or
 * that another container uses meanwhile, is none of our business and no error; a bundle that is refused is (-EPERM). */
int poststop(const struct oci_state *state, struct error *error);

#endif
