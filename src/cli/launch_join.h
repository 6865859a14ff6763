/* `run` with --pod or --network container: a container comes under a shield that others are under too. */
#ifndef CLI_LAUNCH_JOIN_H
#define CLI_LAUNCH_JOIN_H

#include "cli/launch.h"

/* As launch_prepare(), for a container that joins. The pod's first container makes the pod's shield; whoever comes later is under it as it
 * is. -EINVAL with the reason for what asks for another one. */
int launch_join(struct launch *launch, const struct command_options *options, const struct podman_flags *podman, struct error *error);

#endif
