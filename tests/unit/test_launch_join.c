/* cli/launch_join.h: who comes under a shield that is there, and who makes the pod's. A script stands for podman. */
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

#include "cli/launch_join.h"

static char folder[64], state_folder[96], profiles_folder[96];

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	assert_int_equal(system(command), 0);
}

/* What `podman pod inspect` prints, and `podman ps` for any name: nothing. */
static void podman_make(const char *containers)
{
	char path[128];
	FILE *script;

	snprintf(path, sizeof(path), "%s/bin/podman", folder);
	script = fopen(path, "w");
	assert_non_null(script);
	fprintf(script,
		"#!/bin/sh\n[ \"$1\" = pod ] || exit 0\ncat <<'END'\n"
		"{\"Name\":\"team\",\"InfraContainerID\":\"i\",\"InfraConfig\":{\"PortBindings\":{\"8000/tcp\":[]},\"HostNetwork\":false},"
		"\"SharedNamespaces\":[\"net\"],\"Containers\":[%s]}\nEND\n",
		containers);
	assert_int_equal(fclose(script), 0);
	assert_int_equal(chmod(path, 0700), 0);
}

static int folders_make(void **state)
{
	char path[PATH_MAX];

	(void)state;
	strcpy(folder, "/tmp/test_launch_join.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	snprintf(state_folder, sizeof(state_folder), "%s/state", folder);
	snprintf(profiles_folder, sizeof(profiles_folder), "%s/profiles", folder);
	shell("mkdir -m 700 %s/config %s %s/bin; echo allowed.test >%s/my.txt; echo other.test >%s/wide.txt", folder, profiles_folder,
		folder, profiles_folder, profiles_folder);
	snprintf(path, sizeof(path), "%s/config", folder);
	setenv("TEROK_SHIELD_CONFIG_DIR", path, 1);
	snprintf(path, sizeof(path), "%s/bin:/usr/bin:/bin", folder);
	setenv("PATH", path, 1);
	podman_make("");
	return 0;
}

static int folders_remove(void **state)
{
	(void)state;
	shell("rm -rf %s", folder);
	return 0;
}

static struct command_options options_of(const char *container, const char *profile)
{
	return (struct command_options){.state_dir = state_folder,
		.profiles_dir = profiles_folder,
		.container = container,
		.profiles = {(char *)profile},
		.profile_count = profile ? 1 : 0,
		.hooks = true};
}

/* Returns the errno of launch_prepare(); skips where the hook program was not built beside this test. */
static int join(struct launch *launch, const struct command_options *options, const char *pod, const char *other, struct error *error)
{
	const struct podman_flags podman = {.pod = pod, .joins = other};
	const struct podman_flags none = {.networks = {"none"}, .network_count = 1};
	int rc = launch_prepare(launch, options, pod || other ? &podman : &none, error);

	if (rc == -ENOENT && strstr(error->text, "terok-shield-hook")) {
		launch_free(launch);
		skip();
	}
	return rc;
}

static void must_join(const char *name, const char *profile, const char *pod, const char *other)
{
	const struct command_options options = options_of(name, profile);
	struct launch launch = LAUNCH_INIT;
	struct error error = {0};

	if (join(&launch, &options, pod, other, &error))
		fail_msg("%s: %s", name, error.text);
	assert_string_equal(launch.identity.container, name);
	launch_free(&launch);
}

static void must_fail(const struct command_options *options, const char *pod, const char *other, const char *word)
{
	struct launch launch = LAUNCH_INIT;
	struct error error = {0};

	assert_true(join(&launch, options, pod, other, &error) < 0);
	if (!strstr(error.text, word))
		fail_msg("'%s' is not in: %s", word, error.text);
	launch_free(&launch);
}

static bool exists(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/containers/%s", state_folder, name);
	return access(path, F_OK) == 0;
}

static void the_first_of_a_pod_makes_its_shield_and_the_others_share_it(void **state)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_identity identity;
	struct bundle_shared shared;
	struct settings settings;
	char path[256];

	(void)state;
	must_join("one", "my", "team", NULL);
	must_join("two", NULL, "team", NULL);
	assert_true(exists("team/settings.json") && exists("one/shared.json") && exists("one/resolv.conf"));
	assert_false(exists("one/settings.json") || exists("one/profile.domains"));
	snprintf(path, sizeof(path), "%s/containers/team", state_folder);
	assert_int_equal(bundle_open(&bundle, path, NULL), 0);
	assert_int_equal(bundle_settings_read(&bundle, &identity, &settings, NULL), 0);
	assert_string_equal(identity.container, "team");
	assert_int_equal(settings.published_count, 1);
	assert_int_equal(settings.published[0].first, 8000);
	bundle_identity_free(&identity);
	bundle_close(&bundle);
	snprintf(path, sizeof(path), "%s/containers/one", state_folder);
	assert_int_equal(bundle_open(&bundle, path, NULL), 0);
	assert_int_equal(bundle_shared_read(&bundle, &shared, NULL), 0);
	assert_true(shared.pod);
	assert_string_equal(shared.member, "one");
	assert_string_equal(shared.shield, "team");
}

static void a_pod_of_the_same_name_without_containers_is_another_one(void **state)
{
	struct command_options wide = options_of("two", "wide");

	(void)state;
	must_join("one", "my", "team", NULL);
	podman_make("{\"Id\":\"a\",\"Name\":\"one\",\"State\":\"exited\"}");
	must_fail(&wide, "team", NULL, "with the profiles my,");
	podman_make("");
	must_join("two", "wide", "team", NULL);
}

static void what_would_change_the_shield_is_refused(void **state)
{
	struct command_options options = options_of("guest", "wide");

	(void)state;
	must_join("owner", "my", NULL, NULL);
	must_fail(&options, NULL, "owner", "with the profiles my,");
	options = options_of("guest", NULL);
	options.loopback_ports[options.loopback_port_count++] = 80;
	must_fail(&options, NULL, "owner", "--loopback-port 80 is refused");
	options.loopback_port_count = 0;
	options.no_audit = true;
	must_fail(&options, NULL, "owner", "--no-audit is refused");
	options.no_audit = false;
	options.learn = true;
	must_fail(&options, NULL, "owner", "--learn is refused with --network container:");
	must_fail(&options, "team", NULL, "--learn is refused with --pod");
	assert_false(exists("team"));
	options.learn = false;
	options.verify = true;
	must_fail(&options, NULL, "owner", "--verify with --hooks is refused");
	options.verify = false;
	shell("echo down >%s/containers/owner/state; chmod 600 %s/containers/owner/state", state_folder, state_folder);
	must_fail(&options, NULL, "owner", "terok-shield up owner");
	shell("echo up >%s/containers/owner/state", state_folder);
	must_join("guest", "my", NULL, "owner");
	must_join("guest2", NULL, NULL, "guest"); /* the same shield */
	assert_false(exists("guest/settings.json"));
}

static void what_has_no_shield_is_not_joined(void **state)
{
	struct command_options options = options_of("guest", "my");

	(void)state;
	must_fail(&options, NULL, "bare", "no shield of it is known");
	podman_make("{\"Id\":\"a\",\"Name\":\"stray\",\"State\":\"running\"}");
	must_fail(&options, "team", NULL, "stray");
	assert_false(exists("guest"));
	assert_false(exists("team"));
}

static void a_folder_with_a_shield_of_its_own_is_not_taken_over_nor_the_reverse(void **state)
{
	struct command_options options = options_of("guest", NULL);

	(void)state;
	must_join("owner", "my", NULL, NULL);
	must_join("guest", "my", NULL, NULL);
	must_fail(&options, NULL, "owner", "terok-shield rm guest");
	options.container = "owner";
	must_fail(&options, NULL, "owner", "choose another name");
	shell("rm -rf %s/containers/guest", state_folder);
	must_join("guest", NULL, NULL, "owner");
	assert_true(exists("guest/shared.json"));
	must_join("guest", "my", NULL, NULL);
	assert_false(exists("guest/shared.json"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, folders_make, folders_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_of_a_pod_makes_its_shield_and_the_others_share_it),
		TEST(a_pod_of_the_same_name_without_containers_is_another_one),
		TEST(what_would_change_the_shield_is_refused),
		TEST(what_has_no_shield_is_not_joined),
		TEST(a_folder_with_a_shield_of_its_own_is_not_taken_over_nor_the_reverse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
