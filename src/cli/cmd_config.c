/* config: the configuration that holds, each value with its source, or a look whether config.yml is in order. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/launch.h"
#include "cli/output.h"
#include "cli/paths.h"

#define SHOWN(word) text_escaped((char[PATH_MAX]){0}, PATH_MAX, word)

struct places {
	char file[PATH_MAX], state[PATH_MAX];
	struct launch_profile_path profiles;
};

static int places_find(struct places *places, const struct command_options *options, struct error *error)
{
	char folder[PATH_MAX];
	int rc = paths_config(folder, error);
	if (!rc)
		rc = paths_state_root(options, places->state, error);
	if (!rc)
		rc = launch_profile_path_init(&places->profiles, options, error);
	if (rc)
		return rc;
	int length = snprintf(places->file, sizeof(places->file), "%s/config.yml", folder);
	return length < 0 || (size_t)length >= sizeof(places->file)
		       ? error_set(error, ENAMETOOLONG, "the path of the configuration folder is too long")
		       : 0;
}

/* ---- show ---- */

/* Where the value comes from. One that the file gives and that is the default's equal is shown as the default: it makes no difference. */
struct value {
	const char *key;
	char text[4096]; /* as config.yml has it */
	bool from_file;
};
#define VALUES_MAX 10

static void list_add(char text[4096], size_t *used, const char *word)
{
	if (*used < 4000)
		*used += (size_t)snprintf(text + *used, 4096 - *used, "%s%s", *used > 1 ? ", " : "", word);
}

static void value_add(struct value *values, size_t *count, const char *key, const char *text)
{
	struct value *value = &values[(*count)++];
	value->key = key;
	snprintf(value->text, sizeof(value->text), "%s", text);
}

static size_t values_make(struct value *values, const struct config *config)
{
	const struct settings *settings = &config->settings;
	char profiles[4096] = "[", ports[4096] = "[", upstreams[4096] = "[", budget[64];
	size_t count = 0, used = 1;
	for (size_t i = 0; i < config->default_profile_count; i++)
		list_add(profiles, &used, config->default_profiles[i]);
	strcat(profiles, "]");
	used = 1;
	for (size_t i = 0; i < settings->loopback_port_count; i++) {
		char port[8];
		snprintf(port, sizeof(port), "%u", settings->loopback_ports[i]);
		list_add(ports, &used, port);
	}
	strcat(ports, "]");
	used = 1;
	for (size_t i = 0; i < settings->upstream_count; i++) {
		char upstream[SETTINGS_UPSTREAM_TEXT_MAX], quoted[SETTINGS_UPSTREAM_TEXT_MAX + 2];
		snprintf(quoted, sizeof(quoted), "\"%s\"", settings_upstream_format(&settings->upstreams[i], upstream));
		list_add(upstreams, &used, quoted);
	}
	strcat(upstreams, "]");
	snprintf(budget, sizeof(budget), "{names: %u, octets: %u}", settings->budget_names, settings->budget_octets);
	value_add(values, &count, "mode", config->mode[0] ? config->mode : "hook");
	value_add(values, &count, "default_profiles", profiles);
	value_add(values, &count, "loopback_ports", ports);
	value_add(values, &count, "audit.enabled", settings->audit ? "true" : "false");
	value_add(values, &count, "dns.upstream", upstreams);
	value_add(values, &count, "dns.ca", settings->ca);
	value_add(values, &count, "dns.via", settings_via_name(settings->via));
	value_add(values, &count, "dns.deny", settings_deny_name(settings->deny));
	value_add(values, &count, "dns.budget", budget);
	value_add(values, &count, "reject", settings_reject_name(settings->reject));
	return count;
}

static void values_print(const struct value *values, size_t count, const struct places *places)
{
	const char *faint = output_style(OUTPUT_FAINT), *plain = output_style(OUTPUT_PLAIN);
	char parent[32] = "";
	for (size_t i = 0; i < count; i++) {
		char line[4096 + 64];
		const char *key = values[i].key, *dot = strchr(key, '.');
		if (dot && strncmp(parent, key, (size_t)(dot - key) + 1) != 0) {
			snprintf(parent, sizeof(parent), "%.*s", (int)(dot - key) + 1, key);
			printf("%.*s:\n", (int)(dot - key), key);
		}
		snprintf(line, sizeof(line), "%s%s: %s", dot ? "  " : "", dot ? dot + 1 : key, values[i].text);
		printf("%-44s %s# %s%s\n", line, faint, values[i].from_file ? "config.yml" : "default", plain);
	}
	printf("%s# configuration: %s%s\n", faint, SHOWN(places->file), plain);
	printf("%s# state:         %s%s\n", faint, SHOWN(places->state), plain);
	for (size_t i = 0; i < places->profiles.path.count; i++)
		printf("%s# profiles:      %s%s\n", faint, SHOWN(places->profiles.path.folders[i]), plain);
}

static cJSON *text_json(const struct config *config, const char *key)
{
	const struct settings *settings = &config->settings;
	bool failed = false;
	cJSON *array = cJSON_CreateArray();
	if (strcmp(key, "default_profiles") == 0) {
		for (size_t i = 0; i < config->default_profile_count; i++)
			output_add(array, NULL, output_string(config->default_profiles[i]), &failed);
	} else if (strcmp(key, "loopback_ports") == 0) {
		for (size_t i = 0; i < settings->loopback_port_count; i++)
			output_add(array, NULL, cJSON_CreateNumber(settings->loopback_ports[i]), &failed);
	} else if (strcmp(key, "dns.upstream") == 0) {
		for (size_t i = 0; i < settings->upstream_count; i++) {
			char upstream[SETTINGS_UPSTREAM_TEXT_MAX];
			settings_upstream_format(&settings->upstreams[i], upstream);
			output_add(array, NULL, cJSON_CreateString(upstream), &failed);
		}
	} else if (strcmp(key, "dns.budget") == 0) {
		cJSON_Delete(array);
		array = cJSON_CreateObject();
		output_add(array, "names", cJSON_CreateNumber(settings->budget_names), &failed);
		output_add(array, "octets", cJSON_CreateNumber(settings->budget_octets), &failed);
	} else {
		cJSON_Delete(array);
		return NULL;
	}
	if (!failed)
		return array;
	cJSON_Delete(array);
	return NULL;
}

static int values_json(
	const struct value *values, size_t count, const struct config *config, const struct places *places, struct error *error)
{
	cJSON *object = cJSON_CreateObject(), *settings = cJSON_CreateObject(), *folders = cJSON_CreateArray();
	bool failed = false;
	for (size_t i = 0; i < count; i++) {
		cJSON *entry = cJSON_CreateObject(), *list = text_json(config, values[i].key);
		bool is_bool = strcmp(values[i].key, "audit.enabled") == 0;
		if (!list)
			list = is_bool ? cJSON_CreateBool(config->settings.audit) : output_string(values[i].text);
		output_add(entry, "value", list, &failed);
		output_add(entry, "source", cJSON_CreateString(values[i].from_file ? "config.yml" : "default"), &failed);
		output_add(settings, values[i].key, entry, &failed);
	}
	for (size_t i = 0; i < places->profiles.path.count; i++)
		output_add(folders, NULL, output_string(places->profiles.path.folders[i]), &failed);
	output_add(object, "file", output_string(places->file), &failed);
	output_add(object, "file_exists", cJSON_CreateBool(config->from_file), &failed);
	output_add(object, "state_root", output_string(places->state), &failed);
	output_add(object, "profile_folders", folders, &failed);
	output_add(object, "settings", settings, &failed);
	return output_json(object, failed, error);
}

static int show(const struct places *places, const struct command_options *options, struct error *error)
{
	struct config config, defaults;
	cleanup_free struct value *values = calloc(2 * VALUES_MAX, sizeof(*values));
	int rc = values ? launch_config_load(&config, options, error) : error_set(error, ENOMEM, "out of memory");
	if (!values)
		return rc;
	if (!rc) {
		struct value *usual = values + VALUES_MAX;
		rc = config_parse(&defaults, "defaults", "", 0, error);
		if (!rc) {
			size_t count = values_make(values, &config);
			values_make(usual, &defaults);
			for (size_t i = 0; i < count; i++)
				values[i].from_file = config.from_file && strcmp(values[i].text, usual[i].text) != 0;
			if (options->json)
				rc = values_json(values, count, &config, places, error);
			else
				values_print(values, count, places);
		}
		config_free(&defaults);
	}
	config_free(&config);
	return rc;
}

/* ---- check ---- */

/* The profiles that are used when none are named have to be there. */
static int check(const struct places *places, const struct command_options *options, struct error *error)
{
	struct config config;
	cleanup_profile_set struct profile_set set = {0};
	struct error problem = {0};
	int rc = launch_config_load(&config, options, &problem);
	if (!rc && launch_profiles_load(&set, &config, options, &problem)) {
		rc = -problem.code;
		error_prefix(&problem, "default_profiles");
	}
	if (!rc)
		rc = launch_ca_check(&config.settings, &problem);
	bool from_file = config.from_file;
	config_free(&config);
	if (options->json) {
		bool failed = false;
		cJSON *object = cJSON_CreateObject();
		output_add(object, "file", output_string(places->file), &failed);
		output_add(object, "file_exists", cJSON_CreateBool(from_file), &failed);
		output_add(object, "ok", cJSON_CreateBool(rc == 0), &failed);
		output_add(object, "problem", output_string(rc ? problem.text : NULL), &failed);
		return output_json(object, failed, error) || rc ? -EINVAL : 0;
	}
	if (rc)
		return error_set(error, problem.code, "%s", problem.text);
	printf("%s: %s\n", SHOWN(places->file), from_file ? "in order" : "not there; the defaults hold");
	return 0;
}

enum command_exit cmd_config(const struct command_options *options, struct error *error)
{
	static struct places places;
	bool showing = strcmp(options->operands[0], "show") == 0;
	int rc = places_find(&places, options, error);
	if (!rc)
		rc = showing ? show(&places, options, error) : check(&places, options, error);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
