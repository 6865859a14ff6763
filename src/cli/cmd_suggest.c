/* suggest: a profile out of what a container used, or was refused. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/container.h"
#include "cli/launch.h"
#include "cli/output.h"
#include "cli/suggest.h"

#define PROFILE_OCTETS_MAX (16u << 20)

/* The profile of --profile. */
struct base {
	char *path, *data; /* owned */
	size_t length;
	struct policy *policy;
};

static void base_free(struct base *base)
{
	free(base->path);
	free(base->data);
	policy_free(base->policy);
}
#define cleanup_base __attribute__((cleanup(base_free)))

static int base_policy(struct base *base, const struct profile_set *set, struct error *error)
{
	base->policy = policy_new();
	int rc = base->policy ? 0 : -ENOMEM;
	for (size_t i = 0; rc == 0 && i < set->count; i++)
		rc = policy_add(
			base->policy, &set->entries[i].rule, POLICY_PROFILE, set->sources[set->entries[i].source], set->entries[i].line);
	if (!rc)
		rc = policy_seal(base->policy);
	return rc ? error_errno(error, -rc, "profile %s", base->path) : 0;
}

static int base_load(struct base *base, const struct command_options *options, struct error *error)
{
	cleanup_profile_set struct profile_set set = {0};
	struct launch_profile_path path;
	int rc = launch_profile_path_init(&path, options, error);
	if (!rc)
		rc = profile_load(&set, &path.path, options->profile, error);
	if (rc)
		return rc;
	base->path = strdup(set.sources[0]);
	if (!base->path)
		return error_set(error, ENOMEM, "out of memory");
	cleanup_fd int fd = open(base->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	rc = fd < 0 ? -errno : file_read_fd(fd, PROFILE_OCTETS_MAX, &base->data, &base->length);
	if (rc)
		return error_errno(error, -rc, "%s", text_escaped((char[300]){0}, 300, base->path));
	return base_policy(base, &set, error);
}

/* ---- JSON ---- */

static cJSON *ports_json(const struct suggest_line *line, bool *failed)
{
	cJSON *array = cJSON_CreateArray();
	for (size_t i = 0; i < line->port_count; i++) {
		const struct policy_port *port = &line->ports[i];
		if (!port->port)
			continue;
		cJSON *object = cJSON_CreateObject();
		output_add(object, "port", cJSON_CreateNumber(port->port), failed);
		output_add(object, "protocol", cJSON_CreateString(port->protocol == RULE_TCP ? "tcp" : "udp"), failed);
		output_add(array, NULL, object, failed);
	}
	return array;
}

static cJSON *names_json(const struct suggest *suggest, const struct suggest_line *line, bool *failed)
{
	cJSON *array = cJSON_CreateArray();
	for (size_t i = 0; i < line->member_count; i++) {
		char name[NAME_TEXT_MAX];
		name_to_text(&suggest->members[line->member + i].name, name);
		output_add(array, NULL, cJSON_CreateString(name), failed);
	}
	return array;
}

static cJSON *warnings_json(const struct suggest_line *line, bool *failed)
{
	cJSON *array = cJSON_CreateArray();
	for (unsigned i = 0; i < SUGGEST_WARNINGS; i++) {
		cleanup_text struct text text = {0};
		if (!(line->warnings & 1u << i))
			continue;
		suggest_warning_add(line, i, &text);
		cJSON *object = cJSON_CreateObject();
		output_add(object, "kind", cJSON_CreateString(suggest_warning_name(i)), failed);
		output_add(object, "text", text_failed(&text) ? NULL : cJSON_CreateString(text.data), failed);
		output_add(array, NULL, object, failed);
	}
	return array;
}

static cJSON *line_json(const struct suggest *suggest, const struct suggest_line *line, bool *failed)
{
	static const char *const kinds[] = {[SUGGEST_TREE] = "tree", [SUGGEST_NAME] = "name", [SUGGEST_ADDRESS] = "address"};
	static const char *const standings[] = {[SUGGEST_USED] = "used", [SUGGEST_REFUSED] = "refused", [SUGGEST_COMMENT] = "comment"};
	cleanup_text struct text rule = {0};
	char when[32];
	rule_format(&line->rule, &rule);
	cJSON *object = cJSON_CreateObject();
	output_add(object, "rule", text_failed(&rule) ? NULL : cJSON_CreateString(rule.data), failed);
	output_add(object, "standing", cJSON_CreateString(standings[line->standing]), failed);
	output_add(object, "kind", cJSON_CreateString(kinds[line->kind]), failed);
	output_add(object, "names", names_json(suggest, line, failed), failed);
	output_add(object, "ports", ports_json(line, failed), failed);
	output_add(object, "questions", cJSON_CreateNumber((double)line->questions), failed);
	output_add(object, "attempts", cJSON_CreateNumber((double)line->attempts), failed);
	output_add(object, "made", cJSON_CreateNumber((double)line->made), failed);
	output_add(object, "shares_address", cJSON_CreateBool(line->shares_address), failed);
	output_add(object, "first", cJSON_CreateString(clock_wall_text(when, sizeof(when), line->first)), failed);
	output_add(object, "last", cJSON_CreateString(clock_wall_text(when, sizeof(when), line->last)), failed);
	output_add(object, "warnings", warnings_json(line, failed), failed);
	return object;
}

static int json_print(const struct suggest *suggest, const struct suggest_head *head, struct error *error)
{
	cJSON *root = cJSON_CreateObject(), *lines = cJSON_CreateArray();
	bool failed = false;
	char when[32];
	output_add(root, "container", output_string(head->container), &failed);
	output_add(root, "from", cJSON_CreateString(suggest->learned ? "used" : "refused"), &failed);
	output_add(root, "profile", output_string(head->profile), &failed);
	output_add(root, "since", output_string(head->activity->since ? clock_wall_text(when, sizeof(when), head->activity->since) : NULL),
		&failed);
	for (size_t i = 0; i < suggest->count; i++)
		output_add(lines, NULL, line_json(suggest, &suggest->lines[i], &failed), &failed);
	output_add(root, "lines", lines, &failed);
	output_add(root, "covered", cJSON_CreateNumber((double)suggest->covered), &failed);
	output_add(root, "denied", cJSON_CreateNumber((double)suggest->denied), &failed);
	output_add(root, "unwritable", cJSON_CreateNumber((double)suggest->unwritable), &failed);
	output_add(root, "lost", cJSON_CreateNumber((double)head->activity->full), &failed);
	return output_json(root, failed, error);
}

/* ---- the command ---- */

static int text_print(const struct suggest *suggest, const struct suggest_head *head, const struct base *diff, struct error *error)
{
	cleanup_text struct text body = {0};
	cleanup_text struct text change = {0};
	suggest_render(suggest, head, &body);
	if (diff && suggest->count > 0 && !text_failed(&body))
		suggest_diff(diff->path, diff->data, diff->length, body.data, &change);
	if (text_failed(&body) || text_failed(&change))
		return error_set(error, ENOMEM, "out of memory");
	const struct text *text = diff ? &change : &body;
	fwrite(text->data, 1, text->length, stdout);
	return 0;
}

static int suggest_for(const struct container *container, const struct command_options *options, struct error *error)
{
	cleanup_base struct base base = {0};
	cleanup_activity struct activity activity = {0};
	cleanup_policy struct policy *own = NULL;
	cleanup_suggest struct suggest suggest = {0};
	struct suggest_head head = {.container = container->identity.container, .profile = options->profile, .activity = &activity};
	int rc = options->profile ? base_load(&base, options, error) : 0;
	if (!rc)
		rc = activity_read(&container->bundle, &activity, error);
	if (!rc)
		rc = bundle_policy_load(&container->bundle, &container->identity.sums, &own, error);
	if (rc)
		return rc;
	struct suggest_order order = {
		.activity = &activity, .learns = bundle_learns(&container->bundle), .own = own, .covering = base.policy};
	if (suggest_make(&order, &suggest))
		return error_set(error, ENOMEM, "out of memory");
	if (!activity.since)
		fprintf(stderr, "note: nothing was recorded of %s yet\n", container->identity.container);
	return options->json ? json_print(&suggest, &head, error) : text_print(&suggest, &head, options->diff ? &base : NULL, error);
}

enum command_exit cmd_suggest(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	if (options->diff && (!options->profile || options->json)) {
		error_set(error, EINVAL,
			options->profile ? "--diff is a text: leave out --json" : "--diff needs --profile P: which file is to be changed");
		return COMMAND_USAGE;
	}
	if (container_open(&container, options, error))
		return COMMAND_FAILED;
	return suggest_for(&container, options, error) ? COMMAND_FAILED : COMMAND_DONE;
}
