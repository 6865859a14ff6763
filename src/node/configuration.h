/* The node's configuration: /etc/terok/shield, believed only where nobody but its owner can have written it. */
#ifndef NODE_CONFIGURATION_H
#define NODE_CONFIGURATION_H

#include "config/config.h"
#include "config/profile.h"
#include "node/node.h"

/* Reads config.yml, which has to be there. config: free it in either case. -ENOENT, -EPERM, -EINVAL. */
int configuration_load(struct config *config, const struct node_paths *paths, struct error *error);

/* Adds the profile `name`, of the node or else a bundled one. As profile_load(); -EPERM. */
int configuration_profile_load(struct profile_set *set, const struct node_paths *paths, const char *name, struct error *error);

#endif
