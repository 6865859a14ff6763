/* cmd_list.c: all containers, also those that cannot be read; and cmd_why.c for one that does not run */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "state/bundle.h"

static char folder[64];

static void file_write(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(content, file);
	assert_int_equal(fclose(file), 0);
}

static void bundle_make(const char *name)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_identity identity = {.version = "1", .profiles = {(char[]){"a"}, (char[]){"b"}}, .profile_count = 2};
	struct settings settings;
	struct error error = {0};
	char path[160];

	snprintf(path, sizeof(path), "%s/containers/%s", folder, name);
	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	strcpy(identity.container, name);
	if (bundle_create(&bundle, path, &error) ||
		bundle_write(&bundle, "profile.allowed", "192.0.2.0/24 # /p/a.txt:7\n", 26, &error) ||
		bundle_write(&bundle, "profile.domains", "example.com:443 # /p/a.txt:3\n", 29, &error) ||
		bundle_settings_write(&bundle, &identity, &settings, &error) ||
		bundle_write(&bundle, "deny.list", "# by hand\n192.0.2.9\n", 20, &error) ||
		bundle_write(&bundle, BUNDLE_CONTAINER_ID, "0123456789ab\n", 13, &error))
		fail_msg("%s", error.text);
}

static int folders_make(void **state)
{
	char path[160];

	(void)state;
	strcpy(folder, "/tmp/test_cmd_list.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	setenv("PATH", "/nonexistent", 1);
	bundle_make("web");
	bundle_make("api");
	bundle_make("broken");
	snprintf(path, sizeof(path), "%s/containers/broken/settings.json", folder);
	file_write(path, "{");
	return 0;
}

static int folders_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf '%s'", folder);
	return system(command);
}

/* What a command prints, as JSON. */
static cJSON *command_json(const char *name, struct command_options *options, enum command_exit wanted)
{
	struct error error = {0};
	char output[16384];
	FILE *captured = tmpfile();
	int kept = dup(STDOUT_FILENO);

	assert_non_null(captured);
	fflush(stdout);
	dup2(fileno(captured), STDOUT_FILENO);
	options->json = true;
	options->state_dir = folder;
	enum command_exit code = command_find(name)->run(options, &error);
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	close(kept);
	rewind(captured);
	output[fread(output, 1, sizeof(output) - 1, captured)] = '\0';
	fclose(captured);
	if (code != wanted)
		fail_msg("%s: %d %s", name, code, error.text);
	cJSON *value = cJSON_ParseWithOpts(output, NULL, true);
	if (!value)
		fail_msg("%s prints no JSON: %s", name, output);
	return value;
}

static const char *string_at(const cJSON *object, const char *key)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);

	assert_non_null(member);
	return cJSON_IsNull(member) ? "null" : cJSON_GetStringValue(member);
}

static void the_list_is_sorted_and_one_that_cannot_be_read_hides_no_other(void **state)
{
	static const struct {
		const char *name, *state, *id;
		int profiles;
		bool problem;
	} rows[] = {
		{"api", "inactive", "0123456789ab", 2, false},
		{"broken", "error", "null", 0, true},
		{"web", "inactive", "0123456789ab", 2, false},
	};
	struct command_options options = {0};
	cJSON *list = command_json("list", &options, COMMAND_DONE);

	(void)state;
	assert_int_equal(cJSON_GetArraySize(list), 3);
	for (int i = 0; i < 3; i++) {
		const cJSON *row = cJSON_GetArrayItem(list, i);

		assert_string_equal(string_at(row, "name"), rows[i].name);
		assert_string_equal(string_at(row, "state"), rows[i].state);
		assert_string_equal(string_at(row, "id"), rows[i].id);
		assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(row, "profiles")), rows[i].profiles);
		assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(row, "learned_names")), 0);
		assert_int_equal(strcmp(string_at(row, "problem"), "null") != 0, rows[i].problem);
	}
	cJSON_Delete(list);
}

static void why_of_a_stopped_container_names_the_line_in_the_profile_or_list(void **state)
{
	static const struct {
		const char *destination, *verdict, *reason, *rule, *place, *change;
	} cases[] = {
		{"www.example.com", "allowed", "listed", "example.com:443", "/p/a.txt:3", "terok-shield deny web www.example.com"},
		{"example.com:80", "refused", "port", "example.com:443", "/p/a.txt:3", "terok-shield allow web example.com:80"},
		{"192.0.2.1", "allowed", "listed", "192.0.2.0/24", "/p/a.txt:7", "terok-shield deny web 192.0.2.1"},
		{"192.0.2.9", "refused", "denied", "192.0.2.9", "/containers/web/deny.list:2", "terok-shield allow web 192.0.2.9"},
		{"other.test", "refused", "not-listed", "null", "null", "terok-shield allow web other.test"},
		{"[2001:db8::1]:443/tcp", "refused", "not-listed", "null", "null", "terok-shield allow web [2001:db8::1]:443/tcp"},
		{"192.0.2.1:53", "captured", "dns", "192.0.2.0/24", "/p/a.txt:7", "null"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct command_options options = {.container = "web", .operands = {cases[i].destination}, .operand_count = 1};
		cJSON *answer = command_json("why", &options, COMMAND_DONE);
		const char *place = string_at(answer, "place");
		size_t length = strlen(place), wanted = strlen(cases[i].place);

		assert_string_equal(string_at(answer, "verdict"), cases[i].verdict);
		assert_string_equal(string_at(answer, "reason"), cases[i].reason);
		assert_string_equal(string_at(answer, "rule"), cases[i].rule);
		assert_string_equal(length > wanted ? place + length - wanted : place, cases[i].place);
		assert_string_equal(string_at(answer, "change"), cases[i].change);
		assert_string_equal(string_at(answer, "state"), "inactive");
		assert_true(cJSON_IsArray(cJSON_GetObjectItem(answer, "addresses")));
		cJSON_Delete(answer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_is_sorted_and_one_that_cannot_be_read_hides_no_other),
		cmocka_unit_test(why_of_a_stopped_container_names_the_line_in_the_profile_or_list),
	};

	return cmocka_run_group_tests(tests, folders_make, folders_remove);
}
