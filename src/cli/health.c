/* The health of a container in one word. */
#include "cli/health.h"

#include <string.h>

const char *health_name(enum health health)
{
	static const char *const names[HEALTH_COUNT] = {
		[HEALTH_OK] = "ok",
		[HEALTH_DEGRADED] = "degraded",
		[HEALTH_BYPASSED] = "bypassed",
		[HEALTH_INACTIVE] = "inactive",
		[HEALTH_FAILED] = "failed",
	};
	return names[health];
}

enum health health_of(const struct look *look)
{
	switch (look->state) {
	case SHIELD_UP:
	case SHIELD_BLOCK:
		return look->forwarder.kept ? HEALTH_DEGRADED : HEALTH_OK;
	case SHIELD_DOWN:
	case SHIELD_DOWN_ALL:
		return HEALTH_BYPASSED;
	case SHIELD_INACTIVE:
		return HEALTH_INACTIVE;
	case SHIELD_ERROR:
		return HEALTH_FAILED;
	}
	return HEALTH_FAILED;
}

/* One that cannot be read has failed. */
static enum health container_health(const struct command_options *options, const char *name)
{
	cleanup_container struct container container = CONTAINER_INIT;
	cleanup_policy struct policy *policy = NULL;
	cleanup_look struct look look = {0};
	struct command_options one = *options;
	struct ruleset ruleset;
	one.container = name;
	if (container_open(&container, &one, NULL) || container_ruleset(&container, &ruleset, &policy, NULL) ||
		look_take_parts(&look, &container, 0, NULL))
		return HEALTH_FAILED;
	return health_of(&look);
}

int health_count(size_t counts[HEALTH_COUNT], const struct command_options *options, struct error *error)
{
	char **names;
	size_t count;
	memset(counts, 0, HEALTH_COUNT * sizeof(*counts));
	int rc = container_shields(options, &names, &count, error);
	for (size_t i = 0; !rc && i < count; i++)
		counts[container_health(options, names[i])]++;
	container_names_free(names, count);
	return rc;
}
