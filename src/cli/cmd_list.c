/* list: all shielded containers, those that run and those that have run. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/container.h"
#include "cli/look.h"
#include "cli/output.h"

struct row {
	char name[129];
	enum shield_state state;
	char profiles[BUNDLE_PROFILES_MAX * 65 + 1]; /* joined by ',' */
	size_t names;				     /* learned */
	char id[16];				     /* the first 12 digits, "" when it never started */
	char next_end[CLOCK_TEXT_MAX];               /* of the allows that have an end, "" for none */
	char problem[sizeof(((struct error *)NULL)->text)]; /* why there is nothing to say about it, "" normally */
};

static void row_describe(struct row *row, const struct container *container)
{
	cleanup_bundle struct bundle own = BUNDLE_INIT;
	cleanup_free char *content = NULL;
	size_t used = 0;
	for (size_t i = 0; i < container->identity.profile_count && used < sizeof(row->profiles); i++)
		used += (size_t)snprintf(row->profiles + used, sizeof(row->profiles) - used, "%s%s", i > 0 ? "," : "",
			container->identity.profiles[i]);
	if (bundle_open(&own, container->own, NULL) == 0 && bundle_read(&own, BUNDLE_CONTAINER_ID, 128, &content, NULL, NULL) == 0) {
		size_t length = strspn(content, "0123456789abcdef");
		snprintf(row->id, sizeof(row->id), "%.*s", length > 12 ? 12 : (int)length, content);
	}
}

/* One that cannot be read does not hide the others: it is in state error, with the reason. */
static void row_fill(struct row *row, const struct command_options *options, const char *name)
{
	cleanup_container struct container container = CONTAINER_INIT;
	cleanup_policy struct policy *policy = NULL;
	cleanup_look struct look look = {0};
	struct command_options one = *options;
	struct ruleset ruleset;
	struct error error = {0};
	one.container = name;
	snprintf(row->name, sizeof(row->name), "%s", name);
	row->state = SHIELD_ERROR;
	if (container_open(&container, &one, &error) == 0) {
		row_describe(row, &container);
		if (container_ruleset(&container, &ruleset, &policy, &error) == 0 && look_take(&look, &container, &ruleset, &error) == 0) {
			row->state = look.state;
			row->names = look_name_count(&look);
			if (policy_next_end(policy, NULL))
				clock_wall_text(row->next_end, sizeof(row->next_end), policy_next_end(policy, NULL));
			if (look.state == SHIELD_ERROR)
				error = look.difference;
		}
	}
	snprintf(row->problem, sizeof(row->problem), "%s", error.code ? error.text : "");
}

static int rows_json(const struct row *rows, size_t count, struct error *error)
{
	cJSON *array = cJSON_CreateArray();
	bool failed = false;
	for (size_t i = 0; i < count; i++) {
		cJSON *object = cJSON_CreateObject(), *profiles = cJSON_CreateArray();
		char list[sizeof(rows->profiles)], *save = NULL;
		strcpy(list, rows[i].profiles);
		for (char *word = strtok_r(list, ",", &save); word; word = strtok_r(NULL, ",", &save))
			output_add(profiles, NULL, output_string(word), &failed);
		output_add(object, "name", cJSON_CreateString(rows[i].name), &failed);
		output_add(object, "state", cJSON_CreateString(shield_state_name(rows[i].state)), &failed);
		output_add(object, "profiles", profiles, &failed);
		output_add(object, "learned_names", cJSON_CreateNumber((double)rows[i].names), &failed);
		output_add(object, "id", output_string(rows[i].id[0] ? rows[i].id : NULL), &failed);
		output_add(object, "next_end", output_string(rows[i].next_end[0] ? rows[i].next_end : NULL), &failed);
		output_add(object, "problem", output_string(rows[i].problem[0] ? rows[i].problem : NULL), &failed);
		output_add(array, NULL, object, &failed);
	}
	return output_json(array, failed, error);
}

static const char *state_style(enum shield_state state)
{
	switch (state) {
	case SHIELD_UP:
		return output_style(OUTPUT_GOOD);
	case SHIELD_INACTIVE:
		return output_style(OUTPUT_FAINT);
	case SHIELD_DOWN:
	case SHIELD_DOWN_ALL:
	case SHIELD_BLOCK:
	case SHIELD_ERROR:
		return output_style(OUTPUT_BAD);
	}
	return "";
}

static void rows_print(const struct row *rows, size_t count)
{
	int name_width = 4, profiles_width = 8;
	for (size_t i = 0; i < count; i++) {
		int name = (int)strlen(rows[i].name), profiles = (int)strlen(rows[i].profiles);
		name_width = name > name_width ? name : name_width;
		profiles_width = profiles > profiles_width ? profiles : profiles_width;
	}
	printf("%-*s  %-8s  %-*s  %5s  %s\n", name_width, "NAME", "STATE", profiles_width, "PROFILES", "NAMES", "ID");
	for (size_t i = 0; i < count; i++)
		printf("%-*s  %s%-8s%s  %-*s  %5zu  %s\n", name_width, rows[i].name, state_style(rows[i].state),
			shield_state_name(rows[i].state), output_style(OUTPUT_PLAIN), profiles_width,
			rows[i].profiles[0] ? rows[i].profiles : "-", rows[i].names, rows[i].id[0] ? rows[i].id : "-");
	for (size_t i = 0; i < count; i++) {
		if (rows[i].problem[0])
			fprintf(stderr, "note: %s: %s\n", rows[i].name, rows[i].problem);
		if (rows[i].next_end[0])
			fprintf(stderr, "note: %s: an allow ends at %s\n", rows[i].name, rows[i].next_end);
	}
}

enum command_exit cmd_list(const struct command_options *options, struct error *error)
{
	char **names;
	size_t count;
	if (container_names(options, &names, &count, error))
		return COMMAND_FAILED;
	int rc = 0;
	cleanup_free struct row *rows = calloc(count ? count : 1, sizeof(*rows));
	if (!rows)
		rc = error_set(error, ENOMEM, "out of memory");
	for (size_t i = 0; rc == 0 && i < count; i++)
		row_fill(&rows[i], options, names[i]);
	if (!rc && options->json)
		rc = rows_json(rows, count, error);
	else if (!rc && count > 0)
		rows_print(rows, count);
	else if (!rc)
		puts("No shielded containers.");
	container_names_free(names, count);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
