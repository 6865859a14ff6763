/* Mounts and devices that a user asks podman for: may the container see them? */
#ifndef CLI_PODMAN_PATHS_H
#define CLI_PODMAN_PATHS_H

#include "base/text.h"
#include "cli/podman_flags.h"

enum podman_paths_kind {
	PODMAN_PATHS_VOLUME, /* SOURCE:TARGET[:OPTIONS], NAME:TARGET, TARGET */
	PODMAN_PATHS_MOUNT,  /* type=bind,source=...,target=... */
	PODMAN_PATHS_TMPFS,  /* TARGET[:OPTIONS] */
	PODMAN_PATHS_SECRET, /* NAME,type=mount,target=... */
	PODMAN_PATHS_DEVICE, /* SOURCE[:TARGET[:OPTIONS]] or a name of the container device interface */
};

/* Returns 0 when it may, otherwise -EINVAL with the reason and the remedy in why. */
int podman_paths_check(enum podman_paths_kind kind, const char *value, const struct podman_guard *guard, struct text *why);

#endif
