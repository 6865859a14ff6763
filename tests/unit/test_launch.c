/* cli/launch.h: podman's flags, and what is written into a bundle */
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
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/launch.h"

static char folder[64], state_folder[80], config_folder[80], profiles_folder[80];

static int folders_make(void **state)
{
	char path[128];
	FILE *profile;

	(void)state;
	strcpy(folder, "/tmp/test_launch.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	snprintf(state_folder, sizeof(state_folder), "%s/state", folder);
	snprintf(config_folder, sizeof(config_folder), "%s/config", folder);
	snprintf(profiles_folder, sizeof(profiles_folder), "%s/profiles", folder);
	mkdir(config_folder, 0700);
	mkdir(profiles_folder, 0700);
	setenv("TEROK_SHIELD_CONFIG_DIR", config_folder, 1);
	snprintf(path, sizeof(path), "%s/my.txt", profiles_folder);
	profile = fopen(path, "w");
	if (!profile)
		return 1;
	fputs("allowed.test\n192.0.2.0/24\n", profile);
	return fclose(profile);
}

static int folders_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static struct command_options options_of(const char *container)
{
	static char profile[] = "my";

	return (struct command_options){.state_dir = state_folder,
		.profiles_dir = profiles_folder,
		.container = container,
		.profiles = {profile},
		.profile_count = 1,
		.hooks = true};
}

/* The launch that every test begins with; skips when the hook program was not built beside this test. */
static void prepare_first(struct launch *launch, const struct command_options *options, const struct podman_flags *podman)
{
	struct error error = {0};
	int rc = launch_prepare(launch, options, podman, &error);

	if (rc)
		launch_free(launch);
	if (rc == -ENOENT)
		skip();
	if (rc)
		fail_msg("%s", error.text);
}

static void flags_come_in_the_order_of_the_contract(void **state)
{
	static const struct {
		enum launch_network network;
		const char *runtime;
		const char *flags;
	} cases[] = {
		{LAUNCH_NETWORK_PASTA, "/lib/crun",
			"--network pasta:--map-host-loopback,169.254.1.2 --add-host host.containers.internal:169.254.1.2 "
			"--volume /s/web/resolv.conf:/etc/resolv.conf:ro,Z "
			"--annotation terok.shield.profiles=a:b --annotation terok.shield.name=web "
			"--annotation terok.shield.state_dir=/s/web "
			"--annotation terok.shield.loopback_ports=80:8080 --annotation terok.shield.version=9.9 "
			"--annotation terok.shield.audit_enabled=true "
			"--annotation terok.shield.upstream_dns=9.9.9.9 --annotation terok.shield.dns_tier=proxy "
			"--cap-drop NET_ADMIN --cap-drop NET_RAW --runtime /lib/crun --name web "},
		{LAUNCH_NETWORK_SLIRP, "/lib/crun",
			"--network slirp4netns:allow_host_loopback=true --add-host host.containers.internal:10.0.2.2 --volume "},
		{LAUNCH_NETWORK_ROOTFUL, "/lib/crun", "--volume /s/web/resolv.conf"},
		{LAUNCH_NETWORK_CUSTOM, "/lib/crun", "--volume /s/web/resolv.conf"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static char a[] = "a", b[] = "b";
		struct launch launch = {.bundle = {.fd = -1, .path = "/s/web"},
			.identity = {.container = "web", .version = "9.9", .profiles = {a, b}, .profile_count = 2},
			.settings = {.audit = true, .loopback_ports = {80, 8080}, .loopback_port_count = 2}};
		struct error error = {0};
		char joined[2048] = "";

		assert_int_equal(launch_flags_make(&launch, cases[i].network, "9.9.9.9", cases[i].runtime, &error), 0);
		for (size_t j = 0; j < launch.flags.count; j++)
			snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s ", launch.flags.words[j]);
		assert_memory_equal(joined, cases[i].flags, strlen(cases[i].flags));
		assert_string_equal(launch.flags.words[launch.flags.count - 2], "--name");
		launch_words_free(&launch.flags);
	}
}

static void a_state_folder_that_podmans_flags_cannot_carry_is_refused(void **state)
{
	static const char *const paths[] = {"/s:/web", "/s,x/web", "/s\"/web", "/s\n/web"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct launch launch = LAUNCH_INIT;
		struct error error = {0};

		strcpy(launch.bundle.path, paths[i]);
		assert_int_equal(launch_flags_make(&launch, LAUNCH_NETWORK_ROOTFUL, "", "/lib/crun", &error), -EINVAL);
	}
}

static void the_bundle_has_what_hook_and_forwarder_read(void **state)
{
	struct command_options options = options_of("web");
	struct podman_flags podman = {.networks = {"none"}, .network_count = 1, .published = {{80, 80, 6}}, .published_count = 1};
	struct launch launch = LAUNCH_INIT;
	struct bundle_identity identity = {0};
	struct settings settings;
	struct error error = {0};
	cleanup_policy struct policy *policy = NULL;
	cleanup_free char *hook = NULL;
	cleanup_free char *resolv = NULL;

	(void)state;
	prepare_first(&launch, &options, &podman);
	assert_int_equal(bundle_settings_read(&launch.bundle, &identity, &settings, &error), 0);
	assert_string_equal(identity.container, "web");
	assert_string_equal(identity.version, SHIELD_VERSION);
	assert_string_equal(identity.profiles[0], "my");
	assert_int_equal(settings.via, SETTINGS_VIA_HOST);
	assert_int_equal(settings.published_count, 1);
	assert_int_equal(bundle_policy_load(&launch.bundle, &identity.sums, &policy, &error), 0);
	assert_int_equal(policy_name_count(policy), 1);
	assert_int_equal(bundle_read(&launch.bundle, "hooks/terok-shield-createRuntime.json", 4096, &hook, NULL, &error), 0);
	assert_non_null(strstr(hook, "\"args\": [\"terok-shield-hook\", \"createRuntime\"]"));
	assert_non_null(strstr(hook, "\"^terok\\\\.shield\\\\.profiles$\": \".*\""));
	assert_int_equal(bundle_read(&launch.bundle, BUNDLE_RESOLV_CONF, 4096, &resolv, NULL, &error), 0);
	assert_string_equal(resolv, "nameserver 127.0.0.1\noptions ndots:0\n");
	bundle_identity_free(&identity);
	launch_free(&launch);
}

static void verdicts_survive_a_new_container_and_a_bypass_does_not(void **state)
{
	static const struct {
		enum shield_state before, after;
	} cases[] = {{SHIELD_UP, SHIELD_UP}, {SHIELD_DOWN, SHIELD_UP}, {SHIELD_DOWN_ALL, SHIELD_UP}, {SHIELD_BLOCK, SHIELD_BLOCK}};
	struct command_options options = options_of("kept");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct launch first = LAUNCH_INIT, second = LAUNCH_INIT;
		struct podman_flags podman = {.networks = {"none"}, .network_count = 1};
		struct error error = {0};
		struct rule rule;
		cleanup_policy struct policy *policy = NULL;
		struct bundle_identity identity;
		struct settings settings;
		enum shield_state now;
		bool changed;

		prepare_first(&first, &options, &podman);
		assert_int_equal(rule_parse(&rule, "live.test", 9, &error), 0);
		assert_int_equal(bundle_list_change(&first.bundle, BUNDLE_ALLOW, &rule, &changed, &error), 0);
		assert_int_equal(bundle_state_write(&first.bundle, cases[i].before, &error), 0);
		assert_int_equal(launch_prepare(&second, &options, &podman, &error), 0);
		assert_int_equal(bundle_state_read(&second.bundle, &now, &error), 0);
		assert_int_equal(now, cases[i].after);
		assert_int_equal(bundle_settings_read(&second.bundle, &identity, &settings, &error), 0);
		assert_int_equal(bundle_policy_load(&second.bundle, &identity.sums, &policy, &error), 0);
		bundle_identity_free(&identity);
		assert_int_equal(policy_name_count(policy), 2);
		launch_free(&first);
		launch_free(&second);
	}
}

static void a_new_container_learns_only_when_it_is_told_to(void **state)
{
	static const struct {
		const char *before;
		bool learn, learns;
		enum shield_state after;
		int result;
	} cases[] = {
		{"up\n", true, true, SHIELD_DOWN, 0},
		{"up\n", false, false, SHIELD_UP, 0},
		{"learn\n", false, false, SHIELD_UP, 0},
		{"learn\n", true, true, SHIELD_DOWN, 0},
		{"down_all\n", true, true, SHIELD_DOWN, 0},
		{"block\n", true, false, SHIELD_BLOCK, -EPERM},
		{"block\n", false, false, SHIELD_BLOCK, 0},
	};
	struct command_options options = options_of("learner");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct launch first = LAUNCH_INIT, second = LAUNCH_INIT;
		struct podman_flags podman = {.networks = {"none"}, .network_count = 1};
		struct error error = {0};
		enum shield_state now;

		options.learn = false;
		if (i == 0)
			prepare_first(&first, &options, &podman);
		else
			assert_int_equal(launch_prepare(&first, &options, &podman, &error), 0);
		assert_int_equal(bundle_write(&first.bundle, BUNDLE_STATE, cases[i].before, strlen(cases[i].before), &error), 0);
		options.learn = cases[i].learn;
		assert_int_equal(launch_prepare(&second, &options, &podman, &error), cases[i].result);
		assert_int_equal(bundle_state_read(&first.bundle, &now, NULL), 0);
		assert_int_equal(now, cases[i].after);
		assert_int_equal(bundle_learns(&first.bundle), cases[i].learns);
		launch_free(&first);
		launch_free(&second);
	}
}

/* A folder in the place of settings.json stands for whatever ends the work between two files. */
static void a_failure_halfway_leaves_a_shield_that_does_not_learn(void **state)
{
	struct command_options options = options_of("halfway");
	struct podman_flags podman = {.networks = {"none"}, .network_count = 1};
	struct launch first = LAUNCH_INIT, second = LAUNCH_INIT;
	struct error error = {0};
	enum shield_state now;

	(void)state;
	prepare_first(&first, &options, &podman);
	assert_int_equal(bundle_remove(&first.bundle, BUNDLE_SETTINGS, &error), 0);
	assert_int_equal(mkdirat(first.bundle.fd, BUNDLE_SETTINGS, 0700), 0);
	options.learn = true;
	assert_true(launch_prepare(&second, &options, &podman, &error) < 0);
	assert_false(bundle_learns(&first.bundle));
	assert_int_equal(bundle_state_read(&first.bundle, &now, NULL), 0);
	assert_int_equal(now, SHIELD_UP);
	launch_free(&first);
	launch_free(&second);
}

static void a_running_containers_bundle_is_left_alone(void **state)
{
	struct command_options options = options_of("running");
	struct podman_flags podman = {.networks = {"none"}, .network_count = 1};
	struct launch first = LAUNCH_INIT, second = LAUNCH_INIT, third = LAUNCH_INIT;
	struct bundle_runtime runtime = {.container_id = "0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123",
		.init_pid = getpid(),
		.proxy_pid = getpid()};
	struct error error = {0};

	(void)state;
	prepare_first(&first, &options, &podman);
	assert_int_equal(bundle_process_start(getpid(), &runtime.init_start), 0);
	runtime.proxy_start = runtime.init_start;
	assert_int_equal(bundle_runtime_write(&first.bundle, &runtime, &error), 0);
	assert_int_equal(launch_prepare(&second, &options, &podman, &error), -EBUSY);
	assert_non_null(strstr(error.text, "0123456789ab runs"));
	podman.replace = true;
	assert_int_equal(launch_prepare(&third, &options, &podman, &error), 0);
	launch_free(&first);
	launch_free(&second);
	launch_free(&third);
}

/* Podman says that a container has ended a moment before its forwarder has. */
static void a_forwarder_that_is_about_to_end_is_waited_for(void **state)
{
	struct command_options options = options_of("ending");
	struct podman_flags podman = {.networks = {"none"}, .network_count = 1};
	struct launch first = LAUNCH_INIT, second = LAUNCH_INIT;
	struct bundle_runtime runtime = {
		.container_id = "0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123", .init_pid = getpid()};
	struct error error = {0};
	pid_t forwarder;

	(void)state;
	prepare_first(&first, &options, &podman);
	forwarder = fork();
	assert_true(forwarder >= 0);
	if (forwarder == 0) {
		usleep(300000);
		_exit(0);
	}
	runtime.proxy_pid = forwarder;
	runtime.init_start = 1; /* not this process: it was another with that number */
	assert_int_equal(bundle_process_start(forwarder, &runtime.proxy_start), 0);
	assert_int_equal(bundle_runtime_write(&first.bundle, &runtime, &error), 0);
	assert_int_equal(launch_prepare(&second, &options, &podman, &error), 0);
	assert_int_equal(waitpid(forwarder, NULL, WNOHANG), forwarder);
	launch_free(&first);
	launch_free(&second);
}

/* A podman that has the containers in names; its filter is a regular expression, as podman's is. */
static void podman_make(const char *names)
{
	char path[128], search[256];
	FILE *script;

	snprintf(path, sizeof(path), "%s/podman", folder);
	script = fopen(path, "w");
	assert_non_null(script);
	fprintf(script,
		"#!/bin/sh\n[ \"$1 $4\" = 'ps --filter' ] || exit 1\nfor name in %s; do\n"
		"if echo \"$name\" | grep -qE -- \"${5#name=}\"; then echo 0123456789ab; fi\ndone\n",
		names);
	assert_int_equal(fclose(script), 0);
	assert_int_equal(chmod(path, 0700), 0);
	snprintf(search, sizeof(search), "%s:/usr/bin:/bin", folder);
	setenv("PATH", search, 1);
}

static void a_name_is_taken_by_a_container_of_that_very_name(void **state)
{
	static const struct {
		const char *names;
		int result;
	} cases[] = {{"axb a.bc xa.b a-b", 0}, {"axb a.b", -EBUSY}, {"a.b", -EBUSY}, {"", 0}};
	struct command_options options = options_of("a.b");
	struct podman_flags podman = {.networks = {"none"}, .network_count = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct launch first = LAUNCH_INIT, second = LAUNCH_INIT;
		struct error error = {0};

		podman_make("");
		prepare_first(&first, &options, &podman);
		assert_int_equal(bundle_write(&first.bundle, BUNDLE_CONTAINER_ID, "0123456789ab\n", 13, &error), 0);
		podman_make(cases[i].names);
		if (launch_prepare(&second, &options, &podman, &error) != cases[i].result)
			fail_msg("%s: %s", cases[i].names, error.text);
		assert_int_equal(bundle_remove(&first.bundle, BUNDLE_CONTAINER_ID, &error), 0);
		launch_free(&first);
		launch_free(&second);
	}
}

static void an_unknown_profile_stops_before_anything_is_written(void **state)
{
	static char missing[] = "nosuch";
	struct command_options options = options_of("none");
	struct launch launch = LAUNCH_INIT;
	struct error error = {0};
	char path[160];

	(void)state;
	options.profiles[0] = missing;
	assert_int_equal(launch_prepare(&launch, &options, NULL, &error), -ENOENT);
	assert_non_null(strstr(error.text, "nosuch"));
	snprintf(path, sizeof(path), "%s/containers/none", state_folder);
	assert_int_equal(access(path, F_OK), -1);
	launch_free(&launch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_come_in_the_order_of_the_contract),
		cmocka_unit_test(a_state_folder_that_podmans_flags_cannot_carry_is_refused),
		cmocka_unit_test(the_bundle_has_what_hook_and_forwarder_read),
		cmocka_unit_test(verdicts_survive_a_new_container_and_a_bypass_does_not),
		cmocka_unit_test(a_new_container_learns_only_when_it_is_told_to),
		cmocka_unit_test(a_failure_halfway_leaves_a_shield_that_does_not_learn),
		cmocka_unit_test(a_running_containers_bundle_is_left_alone),
		cmocka_unit_test(a_forwarder_that_is_about_to_end_is_waited_for),
		cmocka_unit_test(a_name_is_taken_by_a_container_of_that_very_name),
		cmocka_unit_test(an_unknown_profile_stops_before_anything_is_written),
	};

	return cmocka_run_group_tests(tests, folders_make, folders_remove);
}
