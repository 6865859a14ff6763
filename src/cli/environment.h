/* What the shield needs of this machine, looked at without changing anything. */
#ifndef CLI_ENVIRONMENT_H
#define CLI_ENVIRONMENT_H

#include "cli/command.h"
#include "cli/hook_file.h"
#include "cli/podman.h"

#define ENVIRONMENT_ISSUES_MAX 8

struct environment {
	struct podman_version podman; /* text "" when not found */
	bool installed;               /* hook, forwarder and shim are there */
	enum hook_file_state system, user; /* global hooks */
	char issues[ENVIRONMENT_ISSUES_MAX][256];
	size_t issue_count;
};

void environment_check(struct environment *environment, const struct command_options *options);

/* The words of CONTRACT's check-environment: how hooks reach a container, and whether all is well. */
const char *environment_hooks(const struct environment *environment);
const char *environment_health(const struct environment *environment);

#endif
