/* status: of the installation, or one word for one container. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/container.h"
#include "cli/environment.h"
#include "cli/inside.h"
#include "cli/launch.h"
#include "fw/nft.h"
#include "fw/verify.h"

static int state_work(void *context, struct text *output, struct error *error)
{
	cleanup_free char *json = NULL;
	struct error difference = {0};
	int rc = nft_list_json(&json, error);
	if (rc)
		return rc;
	enum shield_state state = verify_state(context, json, &difference);
	text_add(output, shield_state_name(state));
	if (state == SHIELD_ERROR)
		text_addf(output, "\n%s", difference.text);
	return 0;
}

static enum command_exit container_status(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	cleanup_policy struct policy *policy = NULL;
	cleanup_text struct text output = {0};
	struct ruleset ruleset;
	if (container_open(&container, options, error))
		return COMMAND_FAILED;
	if (!container.running) {
		puts(shield_state_name(SHIELD_INACTIVE));
		return COMMAND_DONE;
	}
	int rc = container_ruleset(&container, &ruleset, &policy, error);
	if (!rc)
		rc = inside_run(&container.runtime, state_work, &ruleset, &output, error);
	if (rc == -ESRCH) { /* it ended meanwhile */
		*error = (struct error){0};
		puts(shield_state_name(SHIELD_INACTIVE));
		return COMMAND_DONE;
	}
	if (rc) {
		puts(shield_state_name(SHIELD_ERROR));
		return COMMAND_FAILED;
	}
	char *reason = strchr(output.data, '\n');
	if (reason)
		*reason++ = '\0';
	puts(output.data);
	if (reason)
		fprintf(stderr, "note: %s\n", reason);
	return COMMAND_DONE;
}

static int profiles_print(const struct command_options *options, struct error *error)
{
	struct launch_profile_path path;
	char **names;
	size_t count;
	int rc = launch_profile_path_init(&path, options, error);
	if (!rc)
		rc = profile_names(&path.path, &names, &count, error);
	if (rc)
		return rc;
	printf("Profiles: ");
	for (size_t i = 0; i < count; i++)
		printf("%s%s", i > 0 ? ", " : "", names[i]);
	putchar('\n');
	profile_names_free(names, count);
	return 0;
}

enum command_exit cmd_status(const struct command_options *options, struct error *error)
{
	if (options->container)
		return container_status(options, error);
	struct environment environment;
	struct config config;
	environment_check(&environment, options);
	int rc = launch_config_load(&config, options, error);
	if (!rc) {
		printf("Version:  %s\n", SHIELD_VERSION);
		printf("Podman:   %s\n", environment.podman.text[0] ? environment.podman.text : "not found");
		printf("Mode:     %s\n", config.mode[0] ? config.mode : "hook");
		printf("Hooks:    %s\n", environment_hooks(&environment));
		printf("Health:   %s\n", environment_health(&environment));
		printf("Audit:    %s\n", config.settings.audit ? "enabled" : "disabled");
		rc = profiles_print(options, error);
	}
	config_free(&config);
	for (size_t i = 0; i < environment.issue_count; i++)
		printf("Issue:    %s\n", environment.issues[i]);
	if (environment.issue_count > 0)
		printf("Hint:     `terok-shield check-environment` lists what is missing\n");
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
