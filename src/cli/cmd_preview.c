/* preview: the ruleset that a container would get, without one. */
#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/launch.h"
#include "fw/ruleset.h"

static int policy_make(struct policy *policy, const struct profile_set *set, struct error *error)
{
	int rc = policy ? 0 : -ENOMEM;
	for (size_t i = 0; rc == 0 && i < set->count; i++)
		rc = policy_add(policy, &set->entries[i].rule, POLICY_PROFILE, set->sources[set->entries[i].source], set->entries[i].line);
	if (!rc)
		rc = policy_seal(policy);
	return rc ? error_errno(error, -rc, "cannot put the profiles together") : 0;
}

static int preview_print(
	const struct policy *policy, const struct settings *settings, const struct command_options *options, struct error *error)
{
	cleanup_text struct text text = {0};
	struct ruleset ruleset = {
		.state = options->all    ? SHIELD_DOWN_ALL
			 : options->down ? SHIELD_DOWN
					 : SHIELD_UP,
		.settings = settings,
		.allowed = policy_allowed_nets(policy),
		.denied = policy_denied_nets(policy),
	};
	ruleset_render(&ruleset, &text);
	if (text_failed(&text))
		return error_set(error, ENOMEM, "out of memory");
	printf("# Ruleset preview (%s%s):\n%s", options->down ? "bypass" : "enforce", options->all ? " (all traffic)" : "", text.data);
	return 0;
}

enum command_exit cmd_preview(const struct command_options *options, struct error *error)
{
	if (options->all && !options->down) {
		error_set(error, EINVAL, "--all requires --down");
		return COMMAND_USAGE;
	}
	struct config config;
	cleanup_profile_set struct profile_set set = {0};
	cleanup_policy struct policy *policy = policy_new();
	int rc = launch_config_load(&config, options, error);
	if (!rc)
		rc = launch_profiles_load(&set, &config, options, error);
	if (!rc)
		rc = policy_make(policy, &set, error);
	if (!rc) {
		if (config.settings.via == SETTINGS_VIA_AUTO)
			config.settings.via = SETTINGS_VIA_HOST;
		rc = preview_print(policy, &config.settings, options, error);
	}
	config_free(&config);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
