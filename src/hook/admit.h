/* What the shield asks of every container that it is put around, or that joins one. */
#ifndef HOOK_ADMIT_H
#define HOOK_ADMIT_H

#include "base/error.h"

/* folder: the OCI bundle. Refuses (-EPERM) a config.json that gives the container the host's network or what undoes a shield. */
int admit_container(const char *folder, struct error *error);

#endif
