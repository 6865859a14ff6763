/* The hook itself, with a sleeping process in a network namespace for a container and a shell script for a forwarder.
 *
 * A copy of the hook lies in a folder of the test's, since it looks for the forwarder beside itself. The test program is the
 * subreaper of all that the hook leaves behind, so that nothing can get lost unseen. */
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "fw/netns.h"
#include "fw/nft.h"
#include "fw/verify.h"
#include "hook/program.h"
#include "own_netns.h"
#include "state/audit.h"
#include "state/bundle.h"

#define ID       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER_ID "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define CONFIG                                                                                                                             \
	"{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"]}},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":"          \
	"\"network\"}]}}"
#define READY "printf '%s ' \"$@\" >seen; env >>seen; ls /proc/self/fd >>seen; echo $$ >pid; echo ready >&5; exec 5>&-; exec sleep 60"

static char folder[64];
static struct bundle bundle = BUNDLE_INIT;
static pid_t container; /* its init */
static char last_stderr[4096];

/* What the hook is told; a test changes what it is about. */
static struct {
	const char *id, *name, *version, *extra;
	char state_dir[128];
	pid_t pid;
} told;

static const char *in_folder(const char *name)
{
	static char paths[16][128]; /* the last so many results stay good */
	static unsigned next;
	char *path = paths[next++ % 16];

	snprintf(path, 128, "%s/%s", folder, name);
	return path;
}

static void file_make(const char *name, const char *content, mode_t mode)
{
	assert_int_equal(file_replace(AT_FDCWD, in_folder(name), mode, content, strlen(content)), 0);
}

static bool exists(const char *name)
{
	return access(in_folder(name), F_OK) == 0;
}

static char *file_content(const char *name)
{
	char *content;

	return file_read(AT_FDCWD, in_folder(name), 1 << 20, &content, NULL) ? strdup("") : content;
}

static void forwarder_make(const char *script)
{
	cleanup_text struct text text = {0};

	text_addf(&text, "#!/bin/sh\ncd %s\n%s\n", folder, script);
	file_make("libexec/terok-shield-supervisor", text.data, 0755);
}

/* ---- processes ---- */

static pid_t container_start(bool own_network)
{
	int ready[2];
	char octet;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (own_network && (unshare(CLONE_NEWNET) || system("ip link set lo up")))
			_exit(1);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	return pid;
}

static void process_kill(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* The forwarder that last became ready, 0 when it does not live. */
static pid_t forwarder_pid(void)
{
	cleanup_free char *text = file_content("pid");
	pid_t pid = (pid_t)atoi(text);

	reap();
	return pid > 0 && kill(pid, 0) == 0 ? pid : 0;
}

static char *state_text(void)
{
	struct text text = {0};

	text_addf(&text,
		"{\"ociVersion\":\"1.0\",\"id\":\"%s\",\"pid\":%d,\"bundle\":\"%s\",\"status\":\"created\",\"annotations\":{%s\"terok."
		"shield.name\":\"%s\","
		"\"terok.shield.state_dir\":\"%s\",\"terok.shield.version\":\"%s\"}}",
		told.id, (int)told.pid, in_folder("oci"), told.extra, told.name, told.state_dir, told.version);
	return text_take(&text);
}

static int hook_run_with(const char *stage, const char *state)
{
	int in[2], err[2], status;
	char *output = NULL;
	size_t length = 0;
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(err[1], 2);
		dup2(err[1], 9); /* must not reach the forwarder */
		setenv("LD_SECRET", "x", 1);
		execl(in_folder("libexec/terok-shield-hook"), "terok-shield-hook", stage, NULL);
		_exit(126);
	}
	close(in[0]);
	close(err[1]);
	file_write_all(in[1], state, strlen(state));
	close(in[1]);
	assert_int_equal(file_read_fd(err[0], sizeof(last_stderr) - 1, &output, &length), 0);
	memcpy(last_stderr, output, length + 1);
	free(output);
	close(err[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int hook_run(const char *stage)
{
	cleanup_free char *state = state_text();

	return hook_run_with(stage, state);
}

static void hook_must(const char *stage)
{
	if (hook_run(stage))
		fail_msg("%s: %s", stage, last_stderr);
}

/* ---- what the kernel holds ---- */

static int table_list(void *context, struct error *error)
{
	return nft_list_json(context, error);
}

/* -ENOENT when there is no table. */
static int table_read(char **json)
{
	cleanup_fd int netns_fd = netns_open(container, NULL);

	*json = NULL;
	return netns_run(netns_fd, table_list, json, NULL);
}

static enum shield_state state_seen(void)
{
	cleanup_policy struct policy *policy = NULL;
	struct bundle_identity identity = {0};
	struct settings settings;
	cleanup_free char *json = NULL;
	struct error error = {0};
	struct ruleset ruleset = {.state = SHIELD_UP, .settings = &settings};
	enum shield_state state;

	assert_int_equal(table_read(&json), 0);
	assert_int_equal(bundle_settings_read(&bundle, &identity, &settings, &error), 0);
	bundle_identity_free(&identity);
	assert_int_equal(bundle_policy_load(&bundle, &identity.sums, &policy, &error), 0);
	ruleset.allowed = policy_allowed_nets(policy);
	ruleset.denied = policy_denied_nets(policy);
	state = verify_state(&ruleset, json, &error);
	if (state == SHIELD_ERROR)
		print_message("%s\n", error.text);
	return state;
}

static bool audit_has(const char *word)
{
	cleanup_free char *log = file_content("bundle/" BUNDLE_AUDIT);

	return strstr(log, word) != NULL;
}

/* ---- the tests ---- */

/* upstream: NULL for the host's. */
static void upstream_set(const char *upstream)
{
	struct bundle_identity identity = {.container = "web", .version = SHIELD_VERSION, .profiles = {"base", "mine"}, .profile_count = 2};
	struct settings settings;
	struct error error = {0};

	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	if (upstream)
		assert_int_equal(settings_upstream_parse(&settings.upstreams[settings.upstream_count++], upstream), 0);
	if (bundle_settings_write(&bundle, &identity, &settings, &error))
		fail_msg("%s", error.text);
}

static void servers_by_tls_get_the_worker_for_them(void **context)
{
	cleanup_free char *seen = NULL;

	(void)context;
	upstream_set("tls://192.0.2.1#dns.example");
	assert_int_equal(hook_run("createRuntime"), 1);
	assert_non_null(strstr(last_stderr, "terok-shield-proxy-tls is missing"));
	file_make("libexec/terok-shield-proxy-tls", "a worker that nobody starts here\n", 0755);
	hook_must("createRuntime");
	seen = file_content("seen");
	assert_non_null(strstr(seen, "/libexec/terok-shield-proxy-tls --bundle "));
}

static void a_container_gets_rules_a_forwarder_and_records(void **context)
{
	cleanup_free char *seen = NULL, *id = NULL, *ruleset = NULL;
	struct bundle_runtime runtime;

	(void)context;
	file_make("bundle/" BUNDLE_HOOK_ERROR, "old\n", 0600);
	hook_must("createRuntime");
	assert_string_equal(last_stderr, "");
	assert_int_equal(state_seen(), SHIELD_UP);
	assert_false(exists("bundle/" BUNDLE_HOOK_ERROR));

	assert_int_equal(bundle_runtime_read(&bundle, &runtime, NULL), 0);
	assert_string_equal(runtime.container_id, ID);
	assert_int_equal(runtime.init_pid, container);
	assert_int_equal(runtime.proxy_pid, forwarder_pid());
	assert_int_not_equal(forwarder_pid(), 0);
	id = file_content("bundle/" BUNDLE_CONTAINER_ID);
	assert_string_equal(id, "0123456789ab\n");
	ruleset = file_content("bundle/" BUNDLE_RULESET);
	assert_non_null(strstr(ruleset, "terok_shield"));

	seen = file_content("seen");
	assert_ptr_equal(strstr(seen, "--worker "), seen);
	assert_non_null(strstr(seen, "/libexec/terok-shield-proxy --bundle "));
	assert_non_null(strstr(seen, "/bundle --container web --via host --id 0123456789ab --hub  --meta  --audit "));
	assert_null(strstr(seen, "LD_SECRET"));
	assert_non_null(strstr(seen, "PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"));
	assert_non_null(strstr(seen, "0\n1\n2\n3\n4\n5\n6\n7\n")); /* 7: ls itself, on the folder */
	assert_null(strstr(seen, "\n8\n"));
	assert_null(strstr(seen, "\n9\n"));

	assert_true(audit_has("\"setup\""));
	assert_true(audit_has("base,mine"));
	assert_true(audit_has("10.1.0.0/24"));
	assert_true(audit_has("private network allowed"));
	assert_true(audit_has("198.0.0.0/8"));
	assert_true(audit_has("very large network allowed"));
	assert_false(audit_has("203.0.113.0/24"));
}

static void annotations_of_the_dossier_are_kept_and_its_file_is_named_to_the_forwarder(void **context)
{
	cleanup_free char *seen = NULL, *dossier = NULL, *path = NULL;

	(void)context;
	told.extra = "\"terok.shield.profiles\":\"a\",\"dossier.task\":\"7\\n\",\"dossier.meta_path\":\"/home/tb1/task.json\",";
	hook_must("createRuntime");
	dossier = file_content("bundle/" BUNDLE_DOSSIER);
	assert_string_equal(dossier, "{\"task\":\"7\\\\x0a\"}\n");
	path = file_content("bundle/" BUNDLE_META_PATH);
	assert_string_equal(path, "/home/tb1/task.json\n");
	seen = file_content("seen");
	assert_non_null(strstr(seen, " --meta /home/tb1/task.json "));

	/* The next container of the bundle says nothing of itself. */
	told.extra = "\"terok.shield.profiles\":\"a\",";
	hook_must("createRuntime");
	assert_false(exists("bundle/" BUNDLE_DOSSIER));
	assert_false(exists("bundle/" BUNDLE_META_PATH));
}

static void a_file_of_the_system_is_not_read_for_the_dossier(void **context)
{
	static const char *const paths[] = {"/etc/shadow", "/proc/self/environ", "/home/../etc/shadow", "task.json", "/home/a\\nb"};

	(void)context;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		char extra[256];

		snprintf(extra, sizeof(extra), "\"terok.shield.profiles\":\"a\",\"dossier.meta_path\":\"%s\",", paths[i]);
		told.extra = extra;
		hook_must("createRuntime");
		assert_false(exists("bundle/" BUNDLE_META_PATH));
		assert_true(audit_has("dossier.meta_path is not read"));
	}
}

static void poststop_ends_the_forwarder_of_its_own_container_only(void **context)
{
	(void)context;
	hook_must("createRuntime");
	told.id = OTHER_ID;
	hook_must("poststop");
	assert_int_not_equal(forwarder_pid(), 0);
	assert_true(exists("bundle/" BUNDLE_RUNTIME));

	told.id = ID;
	told.version = "0.1"; /* whatever the version */
	told.pid = 0;
	file_make("bundle/" BUNDLE_CONTROL_SOCKET, "", 0600);
	hook_must("poststop");
	assert_int_equal(forwarder_pid(), 0);
	assert_false(exists("bundle/" BUNDLE_RUNTIME));
	assert_false(exists("bundle/" BUNDLE_CONTROL_SOCKET));
	hook_must("poststop"); /* podman calls plain hooks a second time */
}

static void poststop_kills_a_forwarder_that_does_not_listen(void **context)
{
	int64_t begun_ms;

	(void)context;
	forwarder_make("trap '' TERM; echo $$ >pid; echo ready >&5; exec 5>&-; while :; do sleep 0.2; done");
	hook_must("createRuntime");
	assert_int_not_equal(forwarder_pid(), 0);
	begun_ms = clock_now_ms();
	hook_must("poststop");
	assert_int_equal(forwarder_pid(), 0);
	assert_in_range(clock_now_ms() - begun_ms, 1500, 4000);
}

static void poststop_of_a_bundle_that_is_gone_is_no_error_and_of_a_refused_one_is(void **context)
{
	(void)context;
	assert_int_equal(chmod(in_folder("bundle"), 0770), 0);
	assert_int_equal(hook_run("poststop"), 1);
	assert_int_equal(chmod(in_folder("bundle"), 0700), 0);
	strcpy(told.state_dir, in_folder("nowhere"));
	hook_must("poststop");
}

static void a_second_call_for_the_same_container_ends_as_the_first(void **context)
{
	pid_t first;

	(void)context;
	hook_must("createRuntime");
	first = forwarder_pid();
	hook_must("createRuntime");
	assert_int_equal(state_seen(), SHIELD_UP);
	assert_int_not_equal(forwarder_pid(), 0);
	assert_int_not_equal(forwarder_pid(), first);
	assert_int_equal(kill(first, 0), -1);
}

static void a_container_that_runs_with_the_same_bundle_is_not_disturbed(void **context)
{
	pid_t forwarder, other = container_start(true);
	struct bundle_runtime runtime;

	(void)context;
	hook_must("createRuntime");
	forwarder = forwarder_pid();
	told.pid = other;
	told.id = OTHER_ID;
	assert_int_equal(hook_run("createRuntime"), 1);
	assert_non_null(strstr(last_stderr, "container 0123456789ab runs with this state folder already"));
	assert_int_equal(forwarder_pid(), forwarder);
	assert_int_equal(bundle_runtime_read(&bundle, &runtime, NULL), 0);
	assert_string_equal(runtime.container_id, ID);
	process_kill(other);
}

static void a_start_after_a_death_without_poststop_replaces_the_forwarder(void **context)
{
	pid_t first;

	(void)context;
	hook_must("createRuntime");
	first = forwarder_pid();
	process_kill(container);
	told.pid = container = container_start(true);
	hook_must("createRuntime");
	reap();
	assert_int_equal(kill(first, 0), -1);
	assert_int_not_equal(forwarder_pid(), 0);
	assert_int_equal(state_seen(), SHIELD_UP);
}

static void a_runtime_record_cut_short_by_a_crash_does_not_stop_a_start(void **context)
{
	(void)context;
	file_make("bundle/" BUNDLE_RUNTIME, "{\"con", 0600);
	hook_must("createRuntime");
	assert_int_equal(state_seen(), SHIELD_UP);
}

static void the_state_that_was_asked_for_comes_back(void **context)
{
	static const enum shield_state states[] = {SHIELD_BLOCK, SHIELD_DOWN, SHIELD_DOWN_ALL, SHIELD_UP};

	(void)context;
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		assert_int_equal(bundle_state_write(&bundle, states[i], NULL), 0);
		hook_must("createRuntime");
		assert_int_equal(state_seen(), states[i]);
	}
}

static void settings_make(const char *version);

/* A process in the network namespace of another. */
static pid_t joiner_start(pid_t other)
{
	cleanup_fd int netns_fd = netns_open(other, NULL);
	int ready[2];
	char octet;
	pid_t pid;

	assert_true(netns_fd >= 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (netns_enter(netns_fd, NULL))
			_exit(1);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	return pid;
}

/* What the hook is told of another container of a pod whose sandbox is `web`. */
static void tell_of_joiner(pid_t pid)
{
	told.pid = pid;
	told.id = OTHER_ID;
	told.extra = "\"terok.shield.profiles\":\"\",\"terok.shield.sandbox\":\"web\",";
}

static void join_fails(const char *text)
{
	cleanup_free char *log = NULL;

	assert_int_equal(hook_run("createRuntime"), 1);
	if (!strstr(last_stderr, text))
		fail_msg("%s", last_stderr);
	log = file_content("bundle/" BUNDLE_HOOK_ERROR);
	assert_non_null(strstr(log, text));
	assert_true(audit_has(text));
}

static int accept_all(void *context, struct error *error)
{
	(void)context;
	return nft_apply("insert rule inet terok_shield output accept", error);
}

static void a_container_of_a_sandbox_joins_and_changes_nothing(void **context)
{
	static const enum shield_state states[] = {SHIELD_UP, SHIELD_BLOCK};
	pid_t forwarder, joiner = joiner_start(container);

	(void)context;
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		assert_int_equal(bundle_state_write(&bundle, states[i], NULL), 0);
		told.pid = container;
		told.id = ID;
		told.extra = "\"terok.shield.profiles\":\"\",";
		hook_must("createRuntime");
		forwarder = forwarder_pid();
		tell_of_joiner(joiner);
		hook_must("createRuntime");
		assert_int_equal(state_seen(), states[i]);
		assert_int_equal(forwarder_pid(), forwarder);
	}
	settings_make("0.9.9"); /* an upgrade, to rules that are the same */
	hook_must("createRuntime");
	told.pid = 0;
	hook_must("poststop"); /* of the container that joined */
	assert_int_equal(forwarder_pid(), forwarder);
	assert_true(exists("bundle/" BUNDLE_RUNTIME));
	process_kill(joiner);
}

static void who_is_not_behind_the_shield_does_not_join(void **context)
{
	pid_t joiner = joiner_start(container), stranger = container_start(true), host = container_start(false);
	cleanup_fd int netns_fd = netns_open(container, NULL);

	(void)context;
	tell_of_joiner(joiner);
	join_fails("the sandbox has no shield that runs");
	told.pid = container;
	told.id = ID;
	told.extra = "\"terok.shield.profiles\":\"\",";
	hook_must("createRuntime");

	tell_of_joiner(stranger);
	join_fails("not in the network namespace of its sandbox");
	tell_of_joiner(host);
	join_fails("not in the network namespace of its sandbox");
	tell_of_joiner(joiner);
	told.extra = "\"terok.shield.sandbox\":\"other\",";
	join_fails("belongs to sandbox 'web', not to 'other'");
	tell_of_joiner(joiner);
	file_make("oci/config.json",
		"{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_NET_RAW\"]}},\"linux\":{\"namespaces\":[{\"type\":\"network\"}]}}",
		0644);
	join_fails("CAP_NET_RAW");
	file_make("oci/config.json", CONFIG, 0644);
	hook_must("createRuntime");
	assert_int_equal(netns_run(netns_fd, accept_all, NULL, NULL), 0);
	join_fails("the rules of the sandbox are not what they should be");
	settings_make("0.9.9");
	join_fails("the sandbox was made by terok-shield 0.9.9 and this is");
	settings_make(SHIELD_VERSION);
	process_kill(forwarder_pid());
	join_fails("the sandbox's forwarder is gone");
	process_kill(container);
	container = 0;
	join_fails("the sandbox's process is gone");
	process_kill(joiner);
	process_kill(stranger);
	process_kill(host);
}

static void break_no_forwarder(void)
{
	unlink(in_folder("libexec/terok-shield-supervisor"));
}
static void break_no_worker(void)
{
	unlink(in_folder("libexec/terok-shield-proxy"));
}
static void break_dying_forwarder(void)
{
	forwarder_make("exit 7");
}
static void break_killed_forwarder(void)
{
	forwarder_make("kill -9 $$");
}
static void break_silent_forwarder(void)
{
	forwarder_make("echo $$ >pid; exec 5>&-; exec sleep 60");
}
static void break_failing_forwarder(void)
{
	forwarder_make("echo 'error: no sockets \"\033[1m' >&5");
}
static void break_slow_forwarder(void)
{
	forwarder_make("echo $$ >pid; exec sleep 60");
}
static void break_unrunnable_forwarder(void)
{
	file_make("libexec/terok-shield-supervisor", "#!/nowhere/sh\n", 0755);
}
static void break_version_of_container(void)
{
	told.version = "0.9.9";
}
static void break_name(void)
{
	told.name = "other";
}
static void break_profiles_annotation(void)
{
	told.extra = "";
}
static void break_owner(void)
{
	assert_int_equal(chown(in_folder("bundle"), 1234, 1234), 0);
}
static void break_mode(void)
{
	assert_int_equal(chmod(in_folder("bundle"), 0770), 0);
}
static void break_no_config(void)
{
	unlink(in_folder("oci/config.json"));
}
static void break_config(void)
{
	file_make("oci/config.json", "{", 0600);
}
static void break_no_profile_list(void)
{
	unlink(in_folder("bundle/profile.allowed"));
}
static void break_profile_list(void)
{
	file_make("bundle/profile.allowed", "10.0.0.1/8\n", 0600);
	settings_make(SHIELD_VERSION);
}
static void break_other_allowed(void)
{
	file_make("bundle/profile.allowed", "0.0.0.0/1\n", 0600);
}
static void break_other_domains(void)
{
	file_make("bundle/profile.domains", "example.com # base.txt:4\nexample.org # base.txt:5\n", 0600);
}
/* One octet of the settings, which stay what could be meant. */
static void break_settings_octet(void)
{
	cleanup_free char *content = file_content("bundle/" BUNDLE_SETTINGS);
	char *word = strstr(content, "\"budget_names\"");

	assert_non_null(word);
	word[strcspn(word, "123456789")]++;
	file_make("bundle/" BUNDLE_SETTINGS, content, 0600);
}
static void break_older_format(void)
{
	file_make("bundle/" BUNDLE_SETTINGS, "{\"format\":1,\"version\":\"" SHIELD_VERSION "\",\"container\":\"web\"}", 0600);
}
static void break_newer_format(void)
{
	file_make("bundle/" BUNDLE_SETTINGS, "{\"format\":4,\"version\":\"" SHIELD_VERSION "\",\"container\":\"web\"}", 0600);
}
static void break_list_owner(void)
{
	assert_int_equal(chown(in_folder("bundle/profile.domains"), 1234, 1234), 0);
}
static void break_state_word(void)
{
	file_make("bundle/" BUNDLE_STATE, "open\n", 0600);
}
static void break_settings(void)
{
	unlink(in_folder("bundle/" BUNDLE_SETTINGS));
}
static void break_pid(void)
{
	told.pid = 0;
}
static void break_own_namespace(void)
{
	told.pid = getpid();
}
static void break_records(void)
{
	assert_int_equal(mkdir(in_folder("bundle/" BUNDLE_RULESET), 0700), 0);
}

static void break_dead_pid(void)
{
	pid_t pid = container_start(true);

	process_kill(pid);
	told.pid = pid;
}

static void break_link(void)
{
	assert_int_equal(symlink("bundle", in_folder("link")), 0);
	strcpy(told.state_dir, in_folder("link"));
}

static void break_system_folder(void)
{
	strcpy(told.state_dir, "/etc");
}

static void settings_make(const char *version)
{
	struct bundle_identity identity = {.container = "web"};
	struct settings settings;

	strcpy(identity.version, version);
	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	assert_int_equal(bundle_settings_write(&bundle, &identity, &settings, NULL), 0);
}

static void break_version_of_bundle(void)
{
	settings_make("0.9.9");
}

static void break_newer_version_of_bundle(void)
{
	settings_make("99.0.0");
}

static void break_capability(void)
{
	file_make("oci/config.json",
		"{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_NET_RAW\"]}},\"linux\":{\"namespaces\":[{\"type\":\"network\"}]}}",
		0600);
}

static void break_host_network(void)
{
	file_make("oci/config.json", "{\"process\":{\"capabilities\":{}},\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]}}", 0600);
}

static int port_take(void *context, struct error *error)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	(void)error;
	*(int *)context = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return bind(*(int *)context, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
}

static void break_port(void)
{
	static int fd = -1; /* closed when the process is */
	cleanup_fd int netns_fd = netns_open(container, NULL);

	assert_int_equal(netns_run(netns_fd, port_take, &fd, NULL), 0);
}

static int held_lock = -1;

static void break_lock(void)
{
	held_lock = bundle_lock(&bundle, 0, NULL);
	assert_true(held_lock >= 0);
}

static const struct failure {
	const char *what;
	void (*make)(void);
	const char *word;
	bool unlogged; /* the bundle could not be opened, or is not there to be written to */
} failures[] = {
	{"forwarder missing", break_no_forwarder, "terok-shield-supervisor is missing", false},
	{"its worker missing", break_no_worker, "terok-shield-proxy is missing", false},
	{"forwarder cannot be executed", break_unrunnable_forwarder, "cannot execute the forwarder", false},
	{"forwarder dies before it is ready", break_dying_forwarder, "ended before it was ready, with exit status 7", false},
	{"forwarder is killed before it is ready", break_killed_forwarder, "by signal 9", false},
	{"forwarder closes its pipe and lives on", break_silent_forwarder, "ended before it was ready", false},
	{"forwarder says why it cannot start", break_failing_forwarder, "the forwarder cannot start: no sockets \"\\x1b[1m", false},
	{"forwarder hangs", break_slow_forwarder, "was not ready within 5000 ms", false},
	{"container of another version", break_version_of_container, "made for terok-shield 0.9.9", false},
	{"bundle of another version", break_version_of_bundle, "written by terok-shield 0.9.9", false},
	{"bundle of a newer version", break_newer_version_of_bundle, "written by terok-shield 99.0.0", false},
	{"bundle of an older format", break_older_format, "has format 1, this program reads 3", false},
	{"bundle of a newer format", break_newer_format, "has format 4, this program reads 3", false},
	{"settings with a wrong octet", break_settings_octet, "settings.json: its checksum is not right", false},
	{"the networks of another run", break_other_allowed, "profile.allowed: it is not the one that settings.json was written with",
		false},
	{"the names of another run", break_other_domains, "profile.domains: it is not the one that settings.json was written with", false},
	{"bundle of another name", break_name, "belongs to container 'web', not to 'other'", false},
	{"no profiles annotation", break_profiles_annotation, "called by mistake", true},
	{"bundle of another owner", break_owner, "", true},
	{"bundle that the group may write to", break_mode, "", true},
	{"bundle that is a link", break_link, "link", true},
	{"bundle in a system folder", break_system_folder, "/etc", true},
	{"no settings", break_settings, "settings.json", false},
	{"no config.json", break_no_config, "config.json", false},
	{"config.json that is not JSON", break_config, "config.json is not JSON", false},
	{"a capability that undoes the shield", break_capability, "--cap-drop NET_RAW", false},
	{"no network namespace in config.json", break_host_network, "--network host", false},
	{"the hook's own network namespace", break_own_namespace, "--network host", false},
	{"no pid", break_pid, "no process id", false},
	{"a pid that is gone", break_dead_pid, "container's process", false},
	{"port 53 taken", break_port, "port 53", false},
	{"the bundle's lock held by another process", break_lock, "has been changing it", false},
	{"a profile list missing", break_no_profile_list, "profile.allowed", false},
	{"a profile list with a bad line", break_profile_list, "profile.allowed:1", false},
	{"a profile list of another owner", break_list_owner, "profile.domains", false},
	{"a wanted state that is none", break_state_word, "state", false},
	{"records that cannot be written", break_records, "ruleset.nft", false},
};

static void folder_fill(void);
static int folder_clear(void **context);

static void failure_try(const struct failure *failure)
{
	cleanup_free char *log = NULL;

	print_message("%s: ", failure->what);
	failure->make();
	assert_int_equal(hook_run("createRuntime"), 1);
	print_message("%s", last_stderr);
	assert_non_null(strstr(last_stderr, failure->word));
	assert_ptr_equal(strchr(last_stderr, '\n'), last_stderr + strlen(last_stderr) - 1); /* one line */
	assert_int_equal(forwarder_pid(), 0);
	assert_false(exists("bundle/" BUNDLE_RUNTIME));
	log = file_content("bundle/" BUNDLE_HOOK_ERROR);
	assert_true(failure->unlogged || strstr(last_stderr, log) == last_stderr + strlen("terok-shield-hook: "));
	assert_true(failure->unlogged || (*log && audit_has("\"error\"")));
	assert_true(!failure->unlogged || !*log);
}

static void every_failure_is_told_and_leaves_nothing_behind(void **context)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		failure_try(&failures[i]);
		folder_clear(context);
		folder_fill();
	}
}

static void what_is_no_state_is_refused(void **context)
{
	cleanup_free char *huge = malloc((1 << 20) + 2);

	(void)context;
	assert_int_equal(hook_run_with("createRuntime", ""), 1);
	assert_int_equal(hook_run_with("createRuntime", "{}"), 1);
	assert_int_equal(hook_run_with("poststop", "{"), 1);
	memset(huge, ' ', (1 << 20) + 1);
	huge[(1 << 20) + 1] = '\0';
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(hook_run_with("createRuntime", huge), 1);
	assert_int_equal(hook_run("prestart"), 1);
}

/* ---- set up ---- */

static void bundle_fill(void)
{
	assert_int_equal(bundle_create(&bundle, in_folder("bundle"), NULL), 0);
	file_make("bundle/profile.allowed", "203.0.113.0/24 # base.txt:3\n10.1.0.0/24\n198.0.0.0/8\n2001:db8:1::/48\n", 0600);
	file_make("bundle/profile.domains", "example.com # base.txt:4\n", 0600);
	upstream_set(NULL);
}

static void folder_fill(void)
{
	cleanup_free char *hook = NULL;
	char path[PATH_MAX];
	size_t length;

	strcpy(folder, "/tmp/test_hook.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(mkdir(in_folder("libexec"), 0755), 0);
	assert_int_equal(mkdir(in_folder("oci"), 0700), 0);
	assert_int_equal(program_beside(path, "terok-shield-hook", NULL), 0);
	assert_int_equal(file_read(AT_FDCWD, path, 64u << 20, &hook, &length), 0);
	assert_int_equal(file_replace(AT_FDCWD, in_folder("libexec/terok-shield-hook"), 0755, hook, length), 0);
	forwarder_make(READY);
	file_make("libexec/terok-shield-proxy", "a worker that nobody starts here\n", 0755);
	file_make("oci/config.json", CONFIG, 0644);
	bundle_fill();
	container = container_start(true);
	told.id = ID;
	told.name = "web";
	told.version = SHIELD_VERSION;
	told.extra = "\"terok.shield.profiles\":\"base:mine\",";
	told.pid = container;
	strcpy(told.state_dir, in_folder("bundle"));
}

static int folder_make(void **context)
{
	(void)context;
	folder_fill();
	return 0;
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

static int folder_clear(void **context)
{
	(void)context;
	if (held_lock >= 0)
		close(take_fd(held_lock));
	process_kill(forwarder_pid());
	process_kill(container);
	reap();
	bundle_close(&bundle);
	return nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, folder_make, folder_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_container_gets_rules_a_forwarder_and_records),
		TEST(servers_by_tls_get_the_worker_for_them),
		TEST(annotations_of_the_dossier_are_kept_and_its_file_is_named_to_the_forwarder),
		TEST(a_file_of_the_system_is_not_read_for_the_dossier),
		TEST(poststop_ends_the_forwarder_of_its_own_container_only),
		TEST(poststop_kills_a_forwarder_that_does_not_listen),
		TEST(poststop_of_a_bundle_that_is_gone_is_no_error_and_of_a_refused_one_is),
		TEST(a_second_call_for_the_same_container_ends_as_the_first),
		TEST(a_container_that_runs_with_the_same_bundle_is_not_disturbed),
		TEST(a_start_after_a_death_without_poststop_replaces_the_forwarder),
		TEST(a_runtime_record_cut_short_by_a_crash_does_not_stop_a_start),
		TEST(the_state_that_was_asked_for_comes_back),
		TEST(a_container_of_a_sandbox_joins_and_changes_nothing),
		TEST(who_is_not_behind_the_shield_does_not_join),
		TEST(every_failure_is_told_and_leaves_nothing_behind),
		TEST(what_is_no_state_is_refused),
	};

	if (!own_netns_enter())
		return 77;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
