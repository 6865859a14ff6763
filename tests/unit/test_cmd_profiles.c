/* cmd_profiles.c and cmd_config.c: what they print as JSON, and their exit codes */
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

#include "cli/command.h"

static char folder[64];

static void file_write(const char *name, const char *content)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(content, file);
	assert_int_equal(fclose(file), 0);
}

static int folders_make(void **state)
{
	char path[160];

	(void)state;
	strcpy(folder, "/tmp/test_cmd_profiles.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/profiles", folder);
	mkdir(path, 0700);
	file_write("profiles/good.txt", "# what it is for\nexample.com\t# the example\n192.0.2.0/24\n");
	file_write("profiles/bad.txt", "example.com\ncom\n");
	file_write("config.yml", "default_profiles: [good]\nloopback_ports: [8080]\nreject: icmp\n");
	setenv("TEROK_SHIELD_CONFIG_DIR", folder, 1);
	setenv("TEROK_SHIELD_STATE_DIR", folder, 1);
	return 0;
}

static int folders_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static enum command_exit run(const char *name, const char *words, bool json, char output[32768], struct error *error)
{
	struct command_options options = {.json = json};
	char copy[256], *save = NULL;
	FILE *captured = tmpfile();
	int kept = dup(STDOUT_FILENO);
	enum command_exit code;

	assert_non_null(captured);
	strcpy(copy, words);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		options.operands[options.operand_count++] = word;
	*error = (struct error){0};
	fflush(stdout);
	dup2(fileno(captured), STDOUT_FILENO);
	code = command_find(name)->run(&options, error);
	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	close(kept);
	rewind(captured);
	output[fread(output, 1, 32767, captured)] = '\0';
	fclose(captured);
	return code;
}

static cJSON *run_json(const char *name, const char *words, enum command_exit wanted)
{
	char output[32768];
	struct error error;
	enum command_exit code = run(name, words, true, output, &error);
	cJSON *value = cJSON_ParseWithOpts(output, NULL, true);

	if (code != wanted || !value)
		fail_msg("%s %s: %d %s %s", name, words, code, error.text, output);
	return value;
}

static void exit_codes_are_as_documented(void **state)
{
	static const struct {
		const char *command, *words;
		enum command_exit code;
		const char *text; /* in the output or the error */
	} cases[] = {
		{"profiles", "", COMMAND_DONE, "\ngood\n"},
		{"profiles", "show good", COMMAND_DONE, "# what it is for\nexample.com\t# the example\n"},
		{"profiles", "show", COMMAND_USAGE, "needs the name"},
		{"profiles", "show ../good", COMMAND_USAGE, "Unsafe profile name: '../good'"},
		{"profiles", "show goood", COMMAND_FAILED, "did you mean 'good'"},
		{"profiles", "check good", COMMAND_DONE, "0 errors, 0 warnings"},
		{"profiles", "check bad", COMMAND_FAILED, "bad.txt:2: error: "},
		{"profiles", "check", COMMAND_FAILED, " profiles: 1 error, 0 warnings"},
		{"profiles", "check /nonexistent/x", COMMAND_FAILED, "No such file"},
		{"profiles", "check /", COMMAND_FAILED, "not a regular file"},
		{"config", "show", COMMAND_DONE, "loopback_ports: [8080]"},
		{"config", "check", COMMAND_DONE, "config.yml: in order"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char output[32768];
		struct error error;
		enum command_exit code = run(cases[i].command, cases[i].words, false, output, &error);

		if (code != cases[i].code || (!strstr(output, cases[i].text) && !strstr(error.text, cases[i].text)))
			fail_msg("%s %s: %d %s %s", cases[i].command, cases[i].words, code, output, error.text);
	}
}

static void json_says_what_the_text_says(void **state)
{
	cJSON *shown = run_json("profiles", "show good", COMMAND_DONE), *rules = cJSON_GetObjectItem(shown, "rules");
	cJSON *checked = run_json("profiles", "check bad", COMMAND_FAILED);
	cJSON *finding = cJSON_GetArrayItem(cJSON_GetObjectItem(checked, "findings"), 0);

	(void)state;
	assert_int_equal(cJSON_GetArraySize(rules), 2);
	assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(cJSON_GetArrayItem(rules, 0), "line")), 2);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(rules, 0), "comment")), "the example");
	assert_true(cJSON_IsNull(cJSON_GetObjectItem(cJSON_GetArrayItem(rules, 1), "comment")));
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(rules, 1), "rule")), "192.0.2.0/24");
	assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(checked, "errors")), 1);
	assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(finding, "line")), 2);
	assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(finding, "severity")), "error");
	cJSON_Delete(shown);
	cJSON_Delete(checked);
}

static void a_value_of_the_file_is_told_from_a_default(void **state)
{
	cJSON *shown = run_json("config", "show", COMMAND_DONE), *settings = cJSON_GetObjectItem(shown, "settings");
	static const struct {
		const char *key, *source;
	} cases[] = {
		{"default_profiles", "config.yml"}, {"loopback_ports", "config.yml"}, {"reject", "default"}, {"dns.via", "default"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const cJSON *entry = cJSON_GetObjectItemCaseSensitive(settings, cases[i].key);

		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(entry, "source")), cases[i].source);
	}
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetObjectItemCaseSensitive(settings, "audit.enabled"), "value")));
	cJSON_Delete(shown);
}

static void a_configuration_that_is_wrong_is_named_with_its_line(void **state)
{
	char output[32768];
	struct error error;
	cJSON *checked;

	(void)state;
	file_write("config.yml", "default_profiles: [good]\nnonsense: 1\n");
	assert_int_equal(run("config", "check", false, output, &error), COMMAND_FAILED);
	assert_non_null(strstr(error.text, "config.yml:2:"));
	checked = run_json("config", "check", COMMAND_FAILED);
	assert_true(cJSON_IsFalse(cJSON_GetObjectItem(checked, "ok")));
	cJSON_Delete(checked);
	file_write("config.yml", "default_profiles: [gone]\n");
	assert_int_equal(run("config", "check", false, output, &error), COMMAND_FAILED);
	assert_non_null(strstr(error.text, "default_profiles: there is no profile 'gone'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_codes_are_as_documented),
		cmocka_unit_test(json_says_what_the_text_says),
		cmocka_unit_test(a_value_of_the_file_is_told_from_a_default),
		cmocka_unit_test(a_configuration_that_is_wrong_is_named_with_its_line),
	};

	return cmocka_run_group_tests(tests, folders_make, folders_remove);
}
