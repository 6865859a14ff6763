/* What the shield asks of every container that it is put around, or that joins one. */
#ifndef HOOK_ADMIT_H
#define HOOK_ADMIT_H

#include "base/error.h"
#include "hook/oci_state.h"

/* folder: the OCI bundle. Refuses (-EPERM) a config.json that gives the container the host's network or what undoes a shield. config: what
 * it says. */
int admit_container(struct oci_config *config, const char *folder, struct error *error);

#endif
