/* cmd_rm.c: what is removed, and what never */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "state/bundle.h"

static char folder[64], path[160];

static void file_make(const char *name)
{
	char file[320];
	int fd;

	snprintf(file, sizeof(file), "%s/%s", path, name);
	fd = open(file, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static bool is_there(const char *name)
{
	char file[320];
	struct stat status;

	snprintf(file, sizeof(file), "%s/%s", path, name);
	return lstat(file, &status) == 0;
}

static int bundle_make(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_identity identity = {.container = "web", .version = "1"};
	struct settings settings;
	struct error error = {0};

	(void)state;
	strcpy(folder, "/tmp/test_cmd_rm.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	setenv("PATH", "/nonexistent", 1);
	snprintf(path, sizeof(path), "%s/containers/web", folder);
	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	if (bundle_create(&bundle, path, &error) || bundle_settings_write(&bundle, &identity, &settings, &error))
		fail_msg("%s", error.text);
	file_make("deny.list");
	file_make("audit.jsonl.1");
	file_make(".live.allowed.0123456789abcdef");
	file_make("hooks/terok-shield-poststop.json");
	file_make("hooks/.terok-shield-poststop.json.0123456789abcdef");
	return 0;
}

static int bundle_remove_all(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf '%s'", folder);
	return system(command);
}

static enum command_exit rm(const char *name, struct error *error)
{
	struct command_options options = {.state_dir = folder, .container = name};

	*error = (struct error){0};
	return cmd_rm(&options, error);
}

static void a_stopped_containers_folder_goes_whole(void **state)
{
	struct error error;

	(void)state;
	if (rm("web", &error) != COMMAND_DONE)
		fail_msg("%s", error.text);
	assert_false(is_there(""));
	assert_int_equal(rm("web", &error), COMMAND_FAILED);
	assert_int_equal(error.code, ENOENT);
}

static void one_that_runs_is_refused_and_keeps_everything(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_runtime runtime = {.init_pid = getpid(), .proxy_pid = getpid()};
	struct error error = {0};

	(void)state;
	assert_int_equal(bundle_open(&bundle, path, &error), 0);
	assert_int_equal(bundle_process_start(getpid(), &runtime.init_start), 0);
	assert_int_equal(bundle_runtime_write(&bundle, &runtime, &error), 0);
	assert_int_equal(rm("web", &error), COMMAND_FAILED);
	assert_int_equal(error.code, EBUSY);
	assert_true(is_there("settings.json") && is_there("deny.list"));
	/* a forwarder that is left keeps it too */
	runtime.init_start++;
	runtime.proxy_start = runtime.init_start - 1;
	assert_int_equal(bundle_runtime_write(&bundle, &runtime, &error), 0);
	assert_int_equal(rm("web", &error), COMMAND_FAILED);
	assert_int_equal(error.code, EBUSY);
}

static void files_of_others_and_what_links_name_stay(void **state)
{
	char outside[160], inside[200];
	struct stat status;
	struct error error;

	(void)state;
	snprintf(outside, sizeof(outside), "%s/precious", folder);
	close(open(outside, O_WRONLY | O_CREAT, 0600));
	snprintf(inside, sizeof(inside), "%s/live.allowed", path);
	assert_int_equal(symlink(outside, inside), 0);
	file_make("notes.txt");
	file_make(".notes.txt.0123456789abcdef");
	assert_int_equal(rm("web", &error), COMMAND_FAILED);
	assert_int_equal(error.code, ENOTEMPTY);
	assert_true(is_there("notes.txt") && is_there(".notes.txt.0123456789abcdef"));
	assert_false(is_there("live.allowed") || is_there("settings.json") || is_there("deny.list") || is_there("hooks"));
	assert_int_equal(lstat(outside, &status), 0);
}

static void a_hooks_folder_that_is_a_link_is_not_entered(void **state)
{
	char outside[160], file[220], hooks[200];
	struct stat status;
	struct error error;

	(void)state;
	snprintf(outside, sizeof(outside), "%s/elsewhere", folder);
	assert_int_equal(mkdir(outside, 0700), 0);
	snprintf(file, sizeof(file), "%s/terok-shield-poststop.json", outside);
	close(open(file, O_WRONLY | O_CREAT, 0600));
	snprintf(hooks, sizeof(hooks), "/bin/rm -r '%s/hooks'", path);
	assert_int_equal(system(hooks), 0);
	snprintf(hooks, sizeof(hooks), "%s/hooks", path);
	assert_int_equal(symlink(outside, hooks), 0);
	assert_int_equal(rm("web", &error), COMMAND_FAILED);
	assert_int_equal(lstat(file, &status), 0);
	assert_true(is_there("deny.list"));
}

static void what_a_crash_left_without_settings_can_be_removed(void **state)
{
	char file[200];
	struct error error;

	(void)state;
	snprintf(file, sizeof(file), "%s/settings.json", path);
	assert_int_equal(unlink(file), 0);
	if (rm("web", &error) != COMMAND_DONE)
		fail_msg("%s", error.text);
	assert_false(is_there(""));
}

static void a_folder_that_was_named_and_is_no_bundle_stays_as_it_is(void **state)
{
	char other[160], file[200];
	struct command_options options = {.container = "web", .task_state_dir = other};
	struct error error = {0};
	struct stat status;

	(void)state;
	snprintf(other, sizeof(other), "%s/mine", folder);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(cmd_rm(&options, &error), COMMAND_FAILED);
	assert_int_equal(error.code, ENOENT);
	snprintf(file, sizeof(file), "%s/lock", other);
	close(open(file, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(cmd_rm(&options, &error), COMMAND_FAILED);
	assert_int_equal(lstat(file, &status), 0);
	/* the rest of one that an earlier rm left */
	snprintf(file, sizeof(file), "%s/deny.list", other);
	close(open(file, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(cmd_rm(&options, &error), COMMAND_DONE);
	assert_int_equal(lstat(other, &status), -1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bundle_make, bundle_remove_all)
	const struct CMUnitTest tests[] = {
		TEST(a_stopped_containers_folder_goes_whole),
		TEST(one_that_runs_is_refused_and_keeps_everything),
		TEST(files_of_others_and_what_links_name_stay),
		TEST(a_hooks_folder_that_is_a_link_is_not_entered),
		TEST(a_folder_that_was_named_and_is_no_bundle_stays_as_it_is),
		TEST(what_a_crash_left_without_settings_can_be_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
