/* cli/container.h: finding a container's bundle */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/container.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char folder[64];

static void bundle_make(const char *path, const char *name, const char *id)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_identity identity = {.version = "1"};
	struct settings settings;
	struct error error = {0};
	char line[16];

	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	strcpy(identity.container, name);
	if (bundle_create(&bundle, path, &error) || bundle_settings_write(&bundle, &identity, &settings, &error))
		fail_msg("%s", error.text);
	snprintf(line, sizeof(line), "%.12s\n", id);
	assert_int_equal(bundle_write(&bundle, BUNDLE_CONTAINER_ID, line, strlen(line), &error), 0);
}

static int folders_make(void **state)
{
	char path[160];

	(void)state;
	strcpy(folder, "/tmp/test_container.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	setenv("PATH", "/nonexistent", 1); /* no podman is asked */
	snprintf(path, sizeof(path), "%s/containers/web", folder);
	bundle_make(path, "web", ID);
	snprintf(path, sizeof(path), "%s/containers/abcdefabcdef", folder);
	bundle_make(path, "abcdefabcdef", "ffffffffffff");
	snprintf(path, sizeof(path), "%s/task", folder);
	bundle_make(path, "task", "eeeeeeeeeeee");
	return 0;
}

static int folders_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf '%s'", folder);
	return system(command);
}

static void a_container_is_found_by_name_full_id_and_short_id(void **state)
{
	static const struct {
		const char *word, *name;
	} cases[] = {
		{"web", "web"},
		{ID, "web"},
		{"0123456789ab", "web"},
		{"0123456789abcdef", "web"},
		{"abcdefabcdef", "abcdefabcdef"}, /* a name that looks like an id is a name first */
		{"ffffffffffff", "abcdefabcdef"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_container struct container container = CONTAINER_INIT;
		struct command_options options = {.state_dir = folder, .container = cases[i].word};
		struct error error = {0};

		if (container_open(&container, &options, &error))
			fail_msg("%s: %s", cases[i].word, error.text);
		assert_string_equal(container.identity.container, cases[i].name);
		assert_false(container.running);
		assert_int_equal(error.code, 0);
	}
}

static void the_bundle_itself_may_be_named(void **state)
{
	cleanup_container struct container container = CONTAINER_INIT;
	char path[160];
	struct command_options options = {.task_state_dir = path, .container = "task"};
	struct error error = {0};

	(void)state;
	snprintf(path, sizeof(path), "%s/task/", folder);
	assert_int_equal(container_open(&container, &options, &error), 0);
	assert_string_equal(container.identity.container, "task");
}

static void a_container_that_is_not_there_is_an_error_that_says_what_to_do(void **state)
{
	static const struct {
		const char *word;
		int rc;
		const char *text;
	} cases[] = {
		{"other", -ENOENT, "terok-shield run other"},
		{"we", -ENOENT, "no shielded container 'we'"},
		{"0123456789a", -ENOENT, "no shielded container"},
		{"0123456789AB", -ENOENT, "no shielded container"},
		{"999999999999", -ENOENT, "no shielded container"},
		{"../web", -EINVAL, "Unsafe container name: '../web'"},
		{"a\nb", -EINVAL, "Unsafe container name: 'a\\x0ab'"},
		{"", -EINVAL, "Unsafe container name: ''"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_container struct container container = CONTAINER_INIT;
		struct command_options options = {.state_dir = folder, .container = cases[i].word};
		struct error error = {0};

		assert_int_equal(container_open(&container, &options, &error), cases[i].rc);
		if (!strstr(error.text, cases[i].text))
			fail_msg("%s: %s", cases[i].word, error.text);
	}
}

static void a_process_that_only_has_the_number_is_not_the_container(void **state)
{
	cleanup_container struct container first = CONTAINER_INIT, second = CONTAINER_INIT, third = CONTAINER_INIT;
	struct command_options options = {.state_dir = folder, .container = "web"};
	struct bundle_runtime runtime = {.container_id = ID, .init_pid = getpid(), .proxy_pid = getpid()};
	struct error error = {0};

	(void)state;
	assert_int_equal(container_open(&first, &options, &error), 0);
	assert_int_equal(bundle_process_start(getpid(), &runtime.init_start), 0);
	runtime.proxy_start = runtime.init_start;
	assert_int_equal(bundle_runtime_write(&first.bundle, &runtime, &error), 0);
	assert_int_equal(container_open(&second, &options, &error), 0);
	assert_true(second.running);
	runtime.init_start++;
	assert_int_equal(bundle_runtime_write(&first.bundle, &runtime, &error), 0);
	assert_int_equal(container_open(&third, &options, &error), 0);
	assert_false(third.running);
	assert_int_equal(bundle_remove(&first.bundle, BUNDLE_RUNTIME, &error), 0);
}

static void names_come_sorted_and_none_when_the_folder_is_empty_or_not_there(void **state)
{
	struct command_options options = {.state_dir = folder};
	struct error error = {0};
	char **names, path[160], none[128];
	size_t count;

	(void)state;
	assert_int_equal(container_names(&options, &names, &count, &error), 0);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "abcdefabcdef");
	assert_string_equal(names[1], "web");
	container_names_free(names, count);
	options.state_dir = "/nonexistent";
	assert_int_equal(container_names(&options, &names, &count, &error), 0);
	assert_int_equal(count, 0);
	container_names_free(names, count);
	snprintf(path, sizeof(path), "%s/none/containers", folder);
	snprintf(none, sizeof(none), "%s/none", folder);
	assert_true(mkdir(none, 0700) == 0 && mkdir(path, 0700) == 0);
	options.state_dir = none;
	assert_int_equal(container_names(&options, &names, &count, &error), 0);
	assert_int_equal(count, 0);
	container_names_free(names, count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_container_is_found_by_name_full_id_and_short_id),
		cmocka_unit_test(the_bundle_itself_may_be_named),
		cmocka_unit_test(a_container_that_is_not_there_is_an_error_that_says_what_to_do),
		cmocka_unit_test(a_process_that_only_has_the_number_is_not_the_container),
		cmocka_unit_test(names_come_sorted_and_none_when_the_folder_is_empty_or_not_there),
	};

	return cmocka_run_group_tests(tests, folders_make, folders_remove);
}
