/* Shows why a shielded container did not start: podman loses what its hooks write to stderr. */
#ifndef CLI_MONITOR_H
#define CLI_MONITOR_H

#include "state/bundle.h"

/* Starts a process that watches the bundle while this process becomes podman. It prints what appears in hook-error.log and ends
 * with that, with the container's start, or with podman. It holds stderr and nothing else of the caller's. Without it the container
 * starts as well, so an error here is not one of the run. */
void monitor_start(const struct bundle *bundle);

#endif
