/* The arguments of `podman run`, read as podman reads them, so that the image is found for sure and nothing opens the shield. */
#ifndef CLI_PODMAN_FLAGS_H
#define CLI_PODMAN_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "policy/settings.h"

#define PODMAN_FLAGS_NETWORKS_MAX 16

/* Folders of the shield that a container must not see: absolute, without links. Unused entries are NULL. */
struct podman_guard {
	const char *folders[4];
};

struct podman_flags {
	size_t image;                                    /* index of the image in the arguments */
	const char *networks[PODMAN_FLAGS_NETWORKS_MAX]; /* values of --network, borrowed */
	size_t network_count;
	const char *pod;   /* --pod, borrowed; NULL */
	const char *joins; /* the other container of --network container:, borrowed; NULL */
	bool replace;
	bool restarts; /* a --restart policy other than `no`, or --health-on-failure restart */
	struct settings_published published[SETTINGS_PUBLISHED_MAX];
	size_t published_count;
};

/* args: what stands behind "--" of `run`: flags, image, command. Nothing behind the image is looked at. Errors: -EINVAL with the
 * reason and what to do instead: a flag that the shield sets itself, that would open the shield, or that is not known; no image. */
int podman_flags_parse(struct podman_flags *flags, size_t count, char *const *args, const struct podman_guard *guard, struct error *error);

/* One value of --publish: [[IP:]HOST:]CONTAINER[/PROTOCOL], each port a range FIRST-LAST or not. Errors: -EINVAL. */
int podman_flags_publish_parse(struct settings_published *published, const char *text, size_t length);

#endif
