/* status: of the installation, or one word for one container. */
#include <cjson/cJSON.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/container.h"
#include "cli/environment.h"
#include "cli/health.h"
#include "cli/launch.h"
#include "cli/look.h"
#include "cli/output.h"

/* Allows with an end. */
struct ends {
	size_t count;
	char next[CLOCK_TEXT_MAX]; /* when the first of them ends, "" for none */
};

static int container_json(const struct container *container, const struct look *look, const struct ends *ends, struct error *error)
{
	cJSON *root = cJSON_CreateObject(), *profiles = cJSON_CreateArray(), *members = cJSON_CreateArray(), *failing = cJSON_CreateArray();
	bool failed = false;
	output_add(root, "container", output_string(container->identity.container), &failed);
	output_add(root, "state", output_string(shield_state_name(look->state)), &failed);
	output_add(root, "health", output_string(health_name(health_of(look))), &failed);
	output_add(root, "difference", look->state == SHIELD_ERROR ? output_string(look->difference.text) : cJSON_CreateNull(), &failed);
	output_add(root, "running", cJSON_CreateBool(look->state != SHIELD_INACTIVE), &failed);
	output_add(root, "id",
		container->running && container->runtime.container_id[0] ? output_string(container->runtime.container_id)
									 : cJSON_CreateNull(),
		&failed);
	for (size_t i = 0; i < container->identity.profile_count; i++)
		output_add(profiles, NULL, output_string(container->identity.profiles[i]), &failed);
	output_add(root, "profiles", profiles, &failed);
	for (size_t i = 0; container->running && i < container->members.count; i++)
		output_add(members, NULL, output_string(container->members.list[i].name), &failed);
	output_add(root, "members", members, &failed);
	output_add(root, "learning", cJSON_CreateBool(bundle_learns(&container->bundle)), &failed);
	output_add(root, "allows_with_an_end", cJSON_CreateNumber((double)ends->count), &failed);
	output_add(root, "next_end", output_string(*ends->next ? ends->next : NULL), &failed);
	output_add(root, "restarts", cJSON_CreateNumber(look->forwarder.restarts), &failed);
	output_add(root, "forwarder", output_string(*look->forwarder.version ? look->forwarder.version : NULL), &failed);
	for (size_t i = 0; i < look->forwarder.failing_count; i++)
		output_add(failing, NULL, output_string(look->forwarder.failing[i]), &failed);
	output_add(root, "failing_servers", failing, &failed);
	return output_json(root, failed, error);
}

/* One that does not run has no rules to compare; its bundle is read as the hook will. */
static int bundle_check(const struct container *container, struct ends *ends, struct error *error)
{
	cleanup_policy struct policy *policy = NULL;
	struct ruleset ruleset;
	int rc = container_ruleset(container, &ruleset, &policy, error);
	int64_t next_s = rc ? 0 : policy_next_end(policy, &ends->count);
	if (next_s)
		clock_wall_text(ends->next, sizeof(ends->next), next_s);
	return rc;
}

static void ends_print(const struct ends *ends)
{
	if (ends->count == 1)
		fprintf(stderr, "note: an allow ends at %s\n", ends->next);
	else if (ends->count)
		fprintf(stderr, "note: %zu allows have an end, the next at %s\n", ends->count, ends->next);
}

static enum command_exit container_status(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	cleanup_look struct look look = {0};
	struct ends ends = {0};
	if (container_open(&container, options, error))
		return COMMAND_FAILED;
	if (bundle_check(&container, &ends, error) || look_take_parts(&look, &container, 0, error)) {
		if (!options->json)
			puts(shield_state_name(SHIELD_ERROR));
		return COMMAND_FAILED;
	}
	if (options->json)
		return container_json(&container, &look, &ends, error) ? COMMAND_FAILED : COMMAND_DONE;
	puts(shield_state_name(look.state));
	if (look.state == SHIELD_ERROR)
		fprintf(stderr, "note: %s\n", look.difference.text);
	ends_print(&ends);
	if (bundle_learns(&container.bundle))
		fprintf(stderr, "note: it learns%s; `terok-shield suggest %s` says what it used, `terok-shield learn %s off` ends it\n",
			look.state == SHIELD_INACTIVE ? " from its next start on" : "", container.identity.container, container.identity.container);
	for (size_t i = 0; i < look.forwarder.failing_count; i++)
		fprintf(stderr, "note: an upstream server fails: %s\n", look.forwarder.failing[i]);
	if (look.forwarder.restarts)
		fprintf(stderr, "note: the forwarder was started again %u time%s, `terok-shield logs --container %s` has the reasons\n",
			look.forwarder.restarts, look.forwarder.restarts == 1 ? "" : "s", container.identity.container);
	return COMMAND_DONE;
}

struct installation {
	struct environment environment;
	struct config config;
	char **profiles;
	size_t profile_count;
	size_t containers[HEALTH_COUNT]; /* for --json */
};

static int profiles_find(struct installation *installation, const struct command_options *options, struct error *error)
{
	struct launch_profile_path path;
	int rc = launch_profile_path_init(&path, options, error);
	return rc ? rc : profile_names(&path.path, &installation->profiles, &installation->profile_count, error);
}

static const char *podman_text(const struct installation *installation)
{
	return installation->environment.podman.text[0] ? installation->environment.podman.text : NULL;
}

static const char *mode_text(const struct installation *installation)
{
	return installation->config.mode[0] ? installation->config.mode : "hook";
}

static void installation_print(const struct installation *installation)
{
	const struct environment *environment = &installation->environment;
	printf("Version:  %s\n", SHIELD_VERSION);
	printf("Podman:   %s\n", podman_text(installation) ? podman_text(installation) : "not found");
	printf("Mode:     %s\n", mode_text(installation));
	printf("Hooks:    %s\n", environment_hooks(environment));
	printf("Health:   %s\n", environment_health(environment));
	printf("Audit:    %s\n", installation->config.settings.audit ? "enabled" : "disabled");
	printf("Profiles: ");
	for (size_t i = 0; i < installation->profile_count; i++)
		printf("%s%s", i > 0 ? ", " : "", installation->profiles[i]);
	putchar('\n');
}

static void issues_print(const struct environment *environment)
{
	for (size_t i = 0; i < environment->issue_count; i++)
		printf("Issue:    %s\n", environment->issues[i]);
	if (environment->issue_count > 0)
		printf("Hint:     `terok-shield check-environment` lists what is missing\n");
}

static cJSON *containers_json(const size_t counts[HEALTH_COUNT], bool *failed)
{
	cJSON *object = cJSON_CreateObject();
	for (int health = 0; health < HEALTH_COUNT; health++)
		output_add(object, health_name((enum health)health), cJSON_CreateNumber((double)counts[health]), failed);
	return object;
}

static int installation_json(const struct installation *installation, struct error *error)
{
	const struct environment *environment = &installation->environment;
	cJSON *root = cJSON_CreateObject(), *profiles = cJSON_CreateArray(), *issues = cJSON_CreateArray();
	bool failed = false;
	output_add(root, "version", output_string(SHIELD_VERSION), &failed);
	output_add(root, "podman", output_string(podman_text(installation)), &failed);
	output_add(root, "mode", output_string(mode_text(installation)), &failed);
	output_add(root, "hooks", output_string(environment_hooks(environment)), &failed);
	output_add(root, "health", output_string(environment_health(environment)), &failed);
	output_add(root, "audit", cJSON_CreateBool(installation->config.settings.audit), &failed);
	for (size_t i = 0; i < installation->profile_count; i++)
		output_add(profiles, NULL, output_string(installation->profiles[i]), &failed);
	output_add(root, "profiles", profiles, &failed);
	for (size_t i = 0; i < environment->issue_count; i++)
		output_add(issues, NULL, output_string(environment->issues[i]), &failed);
	output_add(root, "issues", issues, &failed);
	output_add(root, "containers", containers_json(installation->containers, &failed), &failed);
	return output_json(root, failed, error);
}

enum command_exit cmd_status(const struct command_options *options, struct error *error)
{
	if (options->container)
		return container_status(options, error);
	struct installation installation = {0};
	environment_check(&installation.environment, options);
	int rc = launch_config_load(&installation.config, options, error);
	if (!rc)
		rc = profiles_find(&installation, options, error);
	if (!rc && options->json)
		rc = health_count(installation.containers, options, error);
	if (!rc && options->json)
		rc = installation_json(&installation, error);
	else if (!rc)
		installation_print(&installation);
	if (!options->json)
		issues_print(&installation.environment);
	config_free(&installation.config);
	profile_names_free(installation.profiles, installation.profile_count);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
