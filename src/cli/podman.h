/* The podman program: where it is, its version, and what it prints. */
#ifndef CLI_PODMAN_H
#define CLI_PODMAN_H

#include <limits.h>
#include <stddef.h>

#include "base/error.h"

struct podman_version {
	unsigned major;
	char text[32]; /* "5.4.2" */
};

/* Finds a program in $PATH. -ENOENT. */
int podman_find_program(const char *program, char path[PATH_MAX]);

/* podman's version. It costs podman some 30 ms to say, so the answer is kept in ROOT/podman-version for as long as the binary stays
 * the same file. root: the state root; where it cannot be written the answer is not kept. */
int podman_version_get(const char *root, struct podman_version *version, struct error *error);

/* Runs a program and reads its standard output, at most 1 MiB, in at most 20 s. arguments: NULL-terminated, the first is the path.
 * output: caller frees. Errors: -EREMOTEIO when it ends with another status than 0, with the last line of its
 * standard error. */
int podman_capture(char *const *arguments, char **output, struct error *error);

#endif
