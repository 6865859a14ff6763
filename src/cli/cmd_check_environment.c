/* check-environment: for scripts, KEY=VALUE lines, then hints. */
#include <stdio.h>

#include "cli/environment.h"

enum command_exit cmd_check_environment(const struct command_options *options, struct error *error)
{
	struct environment environment;
	(void)error;
	environment_check(&environment, options);
	printf("podman_version=%s\n", environment.podman.text);
	printf("hooks=%s\n", environment_hooks(&environment));
	printf("health=%s\n", environment_health(&environment));
	for (size_t i = 0; i < environment.issue_count; i++)
		printf("hint: %s\n", environment.issues[i]);
	return environment.issue_count == 0 ? COMMAND_DONE : COMMAND_FAILED;
}
