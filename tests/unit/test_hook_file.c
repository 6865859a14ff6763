/* cli/hook_file.h: global hooks */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/hook_file.h"

#define PROGRAM "/opt/terok-shield/libexec/terok-shield/terok-shield-hook"

static char folder[64];

static int folder_make(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_hook_file.XXXXXX");
	return mkdtemp(folder) ? 0 : 1;
}

static int folder_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void podmans_help_names_the_folders_that_it_reads(void **state)
{
	static const struct {
		const char *help, *folders;
	} cases[] = {
		{"      --hooks-dir strings           Set the OCI hooks directory path (may be set multiple times) (default [/usr/share/containers/oci/hooks.d])\n",
			"/usr/share/containers/oci/hooks.d"},
		{"  -c, --connection string\n      --hooks-dir stringArray       Set (default [/a,/b/c d])\n      --identity string  (default [/x])\n",
			"/a /b/c d"},
		{"      --hooks-dir strings           Set the OCI hooks directory path\n      --identity string (default [/x])\n", ""},
		{"      --hooks-dir strings (default [])\n", ""},
		{"      --hooks-dir strings (default [relative])\n", ""},
		{"", ""},
	};
	static char folders[HOOK_FILE_FOLDERS_MAX][PATH_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t count = hook_file_folders_parse(cases[i].help, folders);
		char joined[512] = "";

		for (size_t j = 0; j < count; j++) {
			strcat(joined, j ? " " : "");
			strcat(joined, folders[j]);
		}
		assert_string_equal(joined, cases[i].folders);
	}
}

static void a_hook_file_is_json_that_names_stage_program_and_annotation(void **state)
{
	(void)state;
	for (size_t i = 0; i < HOOK_FILE_STAGES; i++) {
		cleanup_text struct text text = {0};
		cleanup_text struct text refused = {0};
		cJSON *root;
		const cJSON *hook;

		assert_int_equal(hook_file_render(&text, hook_file_stages[i], "/opt/a \"b\"\\c/hook", NULL), 0);
		root = cJSON_ParseWithOpts(text.data, NULL, true);
		assert_non_null(root);
		hook = cJSON_GetObjectItem(root, "hook");
		assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(hook, "path")), "/opt/a \"b\"\\c/hook");
		assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(hook, "args"), 1)), hook_file_stages[i]);
		assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(hook, "env")), 1); /* else podman hands on the caller's */
		assert_string_equal(cJSON_GetStringValue(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "stages"), 0)), hook_file_stages[i]);
		assert_non_null(cJSON_GetObjectItem(
			cJSON_GetObjectItem(cJSON_GetObjectItem(root, "when"), "annotations"), "^terok\\.shield\\.profiles$"));
		cJSON_Delete(root);
		assert_int_equal(hook_file_render(&refused, hook_file_stages[i], "/a\nb", NULL), -EINVAL);
	}
}

static void installing_twice_changes_nothing_and_what_differs_is_stale(void **state)
{
	char hooks[128], file[200];
	struct stat first, second;
	struct error error = {0};

	(void)state;
	snprintf(hooks, sizeof(hooks), "%s/share/hooks.d", folder);
	snprintf(file, sizeof(file), "%s/terok-shield-createRuntime.json", hooks);
	umask(077);
	assert_int_equal(hook_file_look(hooks, PROGRAM), HOOK_FILE_NONE);
	if (hook_file_install(hooks, PROGRAM, &error))
		fail_msg("%s", error.text);
	assert_int_equal(stat(file, &first), 0);
	assert_int_equal(first.st_mode & 0777, 0644); /* others read it too */
	assert_int_equal(stat(hooks, &second), 0);
	assert_int_equal(second.st_mode & 0777, 0755);
	assert_int_equal(hook_file_look(hooks, PROGRAM), HOOK_FILE_GOOD);
	assert_int_equal(hook_file_install(hooks, PROGRAM, &error), 0);
	assert_int_equal(stat(file, &second), 0);
	assert_int_equal(first.st_ino, second.st_ino);
	assert_int_equal(hook_file_look(hooks, "/elsewhere/terok-shield-hook"), HOOK_FILE_STALE);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(hook_file_look(hooks, PROGRAM), HOOK_FILE_STALE);
}

static void the_drop_in_keeps_the_folders_that_were_read_before(void **state)
{
	static char folders[HOOK_FILE_FOLDERS_MAX][PATH_MAX] = {"/usr/share/containers/oci/hooks.d", "/home/u/hooks.d"};
	cleanup_text struct text text = {0};
	cleanup_text struct text refused = {0};
	struct error error = {0};

	(void)state;
	assert_int_equal(hook_file_dropin_render(&text, folders, 2, &error), 0);
	assert_non_null(strstr(text.data, "[engine]\nhooks_dir = [\"/usr/share/containers/oci/hooks.d\", \"/home/u/hooks.d\"]\n"));
	strcpy(folders[1], "/home/u\"]\n[x]");
	assert_int_equal(hook_file_dropin_render(&refused, folders, 2, &error), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(podmans_help_names_the_folders_that_it_reads),
		cmocka_unit_test(a_hook_file_is_json_that_names_stage_program_and_annotation),
		cmocka_unit_test(installing_twice_changes_nothing_and_what_differs_is_stale),
		cmocka_unit_test(the_drop_in_keeps_the_folders_that_were_read_before),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
