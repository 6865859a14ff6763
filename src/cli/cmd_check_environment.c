/* check-environment: for scripts, KEY=VALUE lines, then hints. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "cli/environment.h"
#include "cli/output.h"

static int json_print(const struct environment *environment, struct error *error)
{
	cJSON *object = cJSON_CreateObject(), *hints = cJSON_CreateArray();
	bool failed = false;
	for (size_t i = 0; i < environment->issue_count; i++)
		output_add(hints, NULL, output_string(environment->issues[i]), &failed);
	output_add(object, "podman_version", output_string(environment->podman.text[0] ? environment->podman.text : NULL), &failed);
	output_add(object, "hooks", cJSON_CreateString(environment_hooks(environment)), &failed);
	output_add(object, "health", cJSON_CreateString(environment_health(environment)), &failed);
	output_add(object, "hints", hints, &failed);
	return output_json(object, failed, error);
}

enum command_exit cmd_check_environment(const struct command_options *options, struct error *error)
{
	struct environment environment;
	environment_check(&environment, options);
	if (options->json)
		return json_print(&environment, error) || environment.issue_count > 0 ? COMMAND_FAILED : COMMAND_DONE;
	printf("podman_version=%s\n", environment.podman.text);
	printf("hooks=%s\n", environment_hooks(&environment));
	printf("health=%s\n", environment_health(&environment));
	for (size_t i = 0; i < environment.issue_count; i++)
		printf("hint: %s\n", environment.issues[i]);
	return environment.issue_count == 0 ? COMMAND_DONE : COMMAND_FAILED;
}
