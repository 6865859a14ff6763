/* A pod, as podman describes it: what its shield has to know. */
#ifndef CLI_POD_H
#define CLI_POD_H

#include "base/error.h"
#include "cli/podman_flags.h"
#include "state/bundle.h"

struct pod_container {
	char id[65];
	char name[129];
	bool runs;
};

struct pod {
	char name[129];
	char networks[PODMAN_FLAGS_NETWORKS_MAX][256];
	struct podman_flags flags;                           /* its networks and published ports, as if they were a container's */
	struct pod_container containers[BUNDLE_MEMBERS_MAX]; /* without the infra container */
	size_t container_count;
};

/* Asks podman. -EINVAL with the reason for a pod that cannot be under a shield: one whose containers have no network namespace in common, the
 * host's, or process ids in common. flags borrows from pod. */
int pod_find(struct pod *pod, const char *word, struct error *error);

/* The same from what `podman pod inspect` printed. */
int pod_parse(struct pod *pod, const char *json, struct error *error);

#endif
