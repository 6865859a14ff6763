/* A pod's bundle out of a node's configuration: what is believed, what is written, what is removed. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "node/node.h"
#include "node/prune.h"
#include "state/bundle.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char folder[64], config[128], state[128], bundled[128], path[PATH_MAX];
static struct node_paths paths = {.config = config, .state = state, .bundled = bundled};
static struct node_order order;
static struct error error;

static const char *in_folder(const char *name)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", folder, name);
	return text;
}

static void file_make(const char *name, const char *content)
{
	assert_int_equal(file_replace(AT_FDCWD, in_folder(name), 0644, content, strlen(content)), 0);
}

static int make(void)
{
	error = (struct error){0};
	return node_make(&paths, &order, path, &error);
}

static void refuses(int rc, const char *text)
{
	assert_int_equal(make(), rc);
	if (!strstr(error.text, text))
		fail_msg("%s", error.text);
	assert_int_not_equal(access(in_folder("state/containers/" ID "/settings.json"), F_OK), 0);
}

static int set_up(void **unused)
{
	(void)unused;
	strcpy(folder, "/tmp/test_node.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	snprintf(config, sizeof(config), "%s/config", folder);
	snprintf(state, sizeof(state), "%s/state", folder);
	snprintf(bundled, sizeof(bundled), "%s/bundled", folder);
	mkdir(config, 0755);
	mkdir(bundled, 0755);
	mkdir(in_folder("config/profiles"), 0755);
	paths.owner = geteuid();
	order = (struct node_order){.sandbox = ID};
	file_make("config/config.yml", "default_profiles: [own]\ndns: {upstream: [10.96.0.10]}\n");
	file_make("config/profiles/own.txt", "own.test\n10.96.0.0/12\n");
	file_make("bundled/own.txt", "bundled.test\n");
	file_make("bundled/other.txt", "other.test\n");
	return 0;
}

static int entry_remove(const char *name, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(name);
}

static int tear_down(void **unused)
{
	(void)unused;
	return nftw(folder, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Names and profiles of the bundle that was made. */
static void bundle_has(const char *profiles, const char *domains)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_identity identity = {0};
	struct settings settings;
	char *names = NULL, joined[256] = "";

	assert_int_equal(bundle_open(&bundle, path, &error), 0);
	if (bundle_settings_read(&bundle, &identity, &settings, &error))
		fail_msg("%s", error.text);
	assert_string_equal(identity.container, ID);
	assert_string_equal(identity.version, SHIELD_VERSION);
	for (size_t i = 0; i < identity.profile_count; i++)
		strcat(strcat(joined, identity.profiles[i]), " ");
	assert_string_equal(joined, profiles);
	assert_int_equal(settings.via, SETTINGS_VIA_HOST);
	assert_int_equal(settings.upstream_count, 1);
	assert_int_equal(bundle_read(&bundle, "profile.domains", 4096, &names, NULL, &error), 0);
	assert_int_equal(strncmp(names, domains, strlen(domains)), 0);
	if (!*domains)
		assert_string_equal(names, "");
	free(names);
	bundle_identity_free(&identity);
}

static void the_nodes_configuration_becomes_a_bundle(void **unused)
{
	(void)unused;
	if (make())
		fail_msg("%s", error.text);
	assert_string_equal(path, in_folder("state/containers/" ID));
	bundle_has("own ", "own.test");
	order.profiles = " other:own,";
	assert_int_equal(make(), 0);
	bundle_has("other own ", "other.test");
	order.profiles = "";
	order.ports = "8080";
	assert_int_equal(make(), 0);
	bundle_has("", "");
}

static void a_pod_that_asks_for_nonsense_gets_nothing(void **unused)
{
	(void)unused;
	order.profiles = "nosuch";
	refuses(-ENOENT, "nosuch");
	order.profiles = "../config";
	refuses(-EINVAL, "is no name of a profile");
	order.profiles = "own";
	order.ports = "all";
	refuses(-EINVAL, "terok.shield.ports");
	order.ports = NULL;
	order.sandbox = "../" ID;
	refuses(-EINVAL, "is not the id of a sandbox");
	order.sandbox = "abc";
	refuses(-EINVAL, "is not the id of a sandbox");
}

static void a_node_without_configuration_starts_nothing(void **unused)
{
	(void)unused;
	unlink(in_folder("config/config.yml"));
	refuses(-ENOENT, "not configured for shielded pods");
	file_make("config/config.yml", "nonsense: 1\n");
	refuses(-EINVAL, "config.yml:1:1");
}

static void a_configuration_that_others_could_have_written_is_refused(void **unused)
{
	static const struct {
		const char *name;
		mode_t good;
	} cases[] = {{"config", 0755}, {"config/config.yml", 0644}, {"config/profiles", 0755}, {"config/profiles/own.txt", 0644}};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		chmod(in_folder(cases[i].name), 0777);
		refuses(-EPERM, "can be written by group or others");
		chmod(in_folder(cases[i].name), cases[i].good);
	}
	paths.owner = geteuid() + 1;
	refuses(-EPERM, "does not belong to root");
}

static void a_sandbox_is_found_only_while_it_runs(void **unused)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_runtime runtime = {.container_id = ID, .init_pid = getpid(), .proxy_pid = getpid()};

	(void)unused;
	assert_int_equal(node_check(&paths, ID, path, &error), -ENOENT);
	assert_non_null(strstr(error.text, "has no shield"));
	assert_int_equal(make(), 0);
	assert_int_equal(node_check(&paths, ID, path, &error), -ENOENT);
	assert_int_equal(bundle_open(&bundle, path, &error), 0);
	assert_int_equal(bundle_process_start(getpid(), &runtime.init_start), 0);
	assert_int_equal(bundle_runtime_write(&bundle, &runtime, &error), 0);
	assert_int_equal(node_check(&paths, ID, path, &error), -ESRCH); /* the forwarder's start is another one's */
	assert_non_null(strstr(error.text, "the forwarder"));
	runtime.proxy_start = runtime.init_start;
	assert_int_equal(bundle_runtime_write(&bundle, &runtime, &error), 0);
	assert_int_equal(node_check(&paths, ID, path, &error), 0);
	assert_string_equal(path, in_folder("state/containers/" ID));
	assert_int_equal(make(), -EBUSY);
}

static bool is_there(unsigned number)
{
	char name[96];

	snprintf(name, sizeof(name), "state/containers/%064x", number);
	return access(in_folder(name), F_OK) == 0;
}

static void old_bundle_make(unsigned number, time_t age_s)
{
	struct timespec times[2] = {{.tv_sec = time(NULL) - age_s}, {.tv_sec = time(NULL) - age_s}};
	char id[65];

	snprintf(id, sizeof(id), "%064x", number);
	order.sandbox = id;
	assert_int_equal(make(), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void the_oldest_of_the_ended_go(void **unused)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_runtime runtime = {.container_id = ID, .init_pid = getpid()};
	struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	(void)unused;
	old_bundle_make(1, 5000);
	old_bundle_make(2, 4000);
	old_bundle_make(3, 3000);
	old_bundle_make(4, 1); /* may wait for its hook */
	/* the oldest runs */
	order.sandbox = ID;
	assert_int_equal(make(), 0);
	assert_int_equal(bundle_open(&bundle, path, &error), 0);
	assert_int_equal(bundle_process_start(getpid(), &runtime.init_start), 0);
	assert_int_equal(bundle_runtime_write(&bundle, &runtime, &error), 0);
	assert_int_equal(futimens(bundle.fd, old), 0);

	prune(in_folder("state/containers"), 2);
	assert_false(is_there(1));
	assert_false(is_there(2));
	assert_true(is_there(3));
	assert_true(is_there(4));
	prune(in_folder("state/containers"), 0);
	assert_false(is_there(3));
	assert_true(is_there(4));
	assert_int_equal(access(path, F_OK), 0);
	prune(in_folder("nosuch"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_nodes_configuration_becomes_a_bundle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_pod_that_asks_for_nonsense_gets_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_node_without_configuration_starts_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_configuration_that_others_could_have_written_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_sandbox_is_found_only_while_it_runs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_oldest_of_the_ended_go, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
