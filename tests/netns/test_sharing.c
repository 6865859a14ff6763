/* Containers that share a network namespace: the hook and the real forwarder, with sleeping processes for containers. Each has a process
 * and a mount namespace of its own, as containers have; the infra container is a program called pause. */
#include <fcntl.h>
#include <ftw.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "fw/netns.h"
#include "fw/nft.h"
#include "fw/verify.h"
#include "hook/create_runtime.h"
#include "hook/poststop.h"
#include "own_netns.h"
#include "state/bundle.h"
#include "state/control.h"
#include "support/crash.h"

#define PATIENCE_MS 8000
#define MEMBERS     3 /* each with an id, a name, a folder: 0 is "one", ... */

static const char *const names[MEMBERS] = {"one", "two", "three"};

static char folder[64];
static struct bundle shield = BUNDLE_INIT;
static pid_t infra, inits[MEMBERS];
static char last_error[1024];

static const char *in_folder(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *in_folder(const char *format, ...)
{
	static char paths[8][256]; /* the last so many results stay good */
	static unsigned next;
	char *path = paths[next++ % 8];
	size_t length = (size_t)snprintf(path, 256, "%s/", folder);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(path + length, 256 - length, format, arguments);
	va_end(arguments);
	return path;
}

static void file_make(const char *path, const char *content, mode_t mode)
{
	assert_int_equal(file_replace(AT_FDCWD, path, mode, content, strlen(content)), 0);
}

/* ---- processes ---- */

/* A process in process and mount namespaces of its own, which executes program, or else is one that has not been started yet: it has the
 * program of the hook's parent, as a runtime's has. In the network namespace of `with`, or in a new one when that is 0. */
static pid_t container_start(pid_t with, const char *program)
{
	int netns_fd = with ? netns_open(with, NULL) : -1;
	uint64_t flags = CLONE_NEWPID | CLONE_NEWNS | (with ? 0 : CLONE_NEWNET);
	int ready[2];
	char octet;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = (pid_t)syscall(SYS_clone3, &(struct clone_args){.flags = flags, .exit_signal = SIGCHLD}, sizeof(struct clone_args));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (with ? netns_enter(netns_fd, NULL) : system("ip link set lo up"))
			_exit(1);
		if (program) {
			execl(program, program, "600", NULL); /* closes the pipe */
			_exit(1);
		}
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), program ? 0 : 1);
	close(ready[0]);
	if (netns_fd >= 0)
		close(netns_fd);
	return pid;
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* It does not end before all in its process namespace are reaped. */
static void process_kill(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		while (waitpid(*pid, NULL, WNOHANG) == 0) {
			reap();
			poll(NULL, 0, 2);
		}
	}
	*pid = 0;
}

/* The supervisor, 0 when it does not live. */
static pid_t forwarder_pid(void)
{
	struct bundle_runtime runtime;
	int fd;

	reap();
	if (bundle_runtime_read(&shield, &runtime, NULL))
		return 0;
	fd = bundle_process_open(runtime.proxy_pid, runtime.proxy_start);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? 0 : runtime.proxy_pid;
}

static bool forwarder_answers(void)
{
	return control_request(&shield, "ping", 3000, NULL, NULL) == 0;
}

static bool is_gone(pid_t pid, unsigned patience_ms)
{
	for (unsigned waited_ms = 0; waited_ms < patience_ms; waited_ms += 10) {
		reap();
		if (kill(pid, 0) != 0)
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

/* ---- the hook ---- */

struct call {
	unsigned member;
	const char *stage;
	int report; /* where the error's text goes, -1: nowhere */
};

static int hook_work(void *context)
{
	const struct call *call = context;
	struct error error = {0};
	static struct oci_state state;
	int rc;

	snprintf(state.id, sizeof(state.id), "%064d", (int)call->member + 1);
	state.pid = strcmp(call->stage, "poststop") == 0 ? 0 : inits[call->member];
	snprintf(state.bundle, sizeof(state.bundle), "%s", in_folder("oci/%s", names[call->member]));
	snprintf(state.annotations.state_dir, sizeof(state.annotations.state_dir), "%s", in_folder("%s", names[call->member]));
	snprintf(state.annotations.name, sizeof(state.annotations.name), "%s", names[call->member]);
	snprintf(state.annotations.version, sizeof(state.annotations.version), "%s", SHIELD_VERSION);
	state.annotations.profiles = true;
	rc = strcmp(call->stage, "poststop") == 0 ? poststop(&state, &error) : create_runtime(&state, &error);
	if (rc && call->report >= 0)
		file_write_all(call->report, error.text, strlen(error.text));
	return rc ? 1 : 0;
}

static int hook_run(const char *stage, unsigned member)
{
	struct call call = {.member = member, .stage = stage};
	char *output = NULL;
	int ends[2], status;
	size_t length;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	call.report = ends[1];
	pid = fork();
	if (pid == 0)
		_exit(hook_work(&call));
	close(ends[1]);
	assert_int_equal(file_read_fd(ends[0], sizeof(last_error) - 1, &output, &length), 0);
	memcpy(last_error, output, length + 1);
	free(output);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void must_start(unsigned member)
{
	if (hook_run("createRuntime", member))
		fail_msg("%s: %s", names[member], last_error);
}

static void must_fail(unsigned member, const char *word)
{
	cleanup_free char *log = NULL;

	assert_int_equal(hook_run("createRuntime", member), 1);
	if (!strstr(last_error, word))
		fail_msg("'%s' is not in: %s", word, last_error);
	assert_int_equal(file_read(AT_FDCWD, in_folder("%s/" BUNDLE_HOOK_ERROR, names[member]), 4096, &log, NULL), 0);
	assert_non_null(strstr(log, word));
}

/* ---- what holds ---- */

static int table_list(void *context, struct error *error)
{
	return nft_list_json(context, error);
}

static enum shield_state state_seen(pid_t pid)
{
	cleanup_policy struct policy *policy = NULL;
	cleanup_fd int netns_fd = netns_open(pid, NULL);
	struct bundle_identity identity = {0};
	struct settings settings;
	cleanup_free char *json = NULL;
	struct ruleset ruleset = {.settings = &settings};
	struct error error = {0};
	enum shield_state state;

	if (netns_run(netns_fd, table_list, &json, NULL))
		return SHIELD_INACTIVE;
	assert_int_equal(bundle_settings_read(&shield, &identity, &settings, &error), 0);
	assert_int_equal(bundle_policy_load(&shield, &identity.sums, &policy, &error), 0);
	bundle_identity_free(&identity);
	ruleset.allowed = policy_allowed_nets(policy);
	ruleset.denied = policy_denied_nets(policy);
	state = verify_state(&ruleset, json, &error);
	if (state == SHIELD_ERROR)
		print_message("%s\n", error.text);
	return state;
}

static void shell_in(pid_t pid, const char *command)
{
	char line[256];

	snprintf(line, sizeof(line), "nsenter --net=/proc/%d/ns/net %s", (int)pid, command);
	assert_int_equal(system(line), 0);
}

static size_t members_count(void)
{
	struct bundle_members members;

	assert_int_equal(bundle_members_read(&shield, &members, NULL), 0);
	return members.count;
}

/* ---- folders ---- */

/* kind: "pod" or "container". owner: whose network namespace the container's configuration names; 0: one of its own. */
static void member_make(unsigned member, const char *kind, pid_t owner)
{
	cleanup_bundle struct bundle own = BUNDLE_INIT;
	struct bundle_shared shared = {.pod = strcmp(kind, "pod") == 0};
	char network[64] = "", config[256];

	strcpy(shared.member, names[member]);
	strcpy(shared.shield, "team");
	strcpy(shared.path, in_folder("team"));
	assert_int_equal(bundle_create(&own, in_folder("%s", names[member]), NULL), 0);
	assert_int_equal(bundle_shared_write(&own, &shared, NULL), 0);
	mkdir(in_folder("oci/%s", names[member]), 0700);
	if (owner)
		snprintf(network, sizeof(network), ",\"path\":\"/proc/%d/ns/net\"", (int)owner);
	snprintf(config, sizeof(config),
		"{\"process\":{\"capabilities\":{}},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"%s}]}}", network);
	file_make(in_folder("oci/%s/config.json", names[member]), config, 0644);
}

static int folder_fill(void **context)
{
	struct bundle_identity identity = {.container = "team", .version = SHIELD_VERSION, .profiles = {"mine"}, .profile_count = 1};
	struct settings settings;
	cleanup_free char *program = NULL;
	size_t length;

	(void)context;
	strcpy(folder, "/tmp/test_sharing.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(mkdir(in_folder("oci"), 0700), 0);
	assert_int_equal(file_read(AT_FDCWD, "/bin/sleep", 64u << 20, &program, &length), 0);
	assert_int_equal(file_replace(AT_FDCWD, in_folder("pause"), 0755, program, length), 0);
	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	assert_int_equal(bundle_create(&shield, in_folder("team"), NULL), 0);
	file_make(in_folder("team/profile.allowed"), "203.0.113.0/24\n", 0600);
	file_make(in_folder("team/profile.domains"), "allowed.test\n", 0600);
	assert_int_equal(bundle_settings_write(&shield, &identity, &settings, NULL), 0);
	infra = container_start(0, in_folder("pause"));
	shell_in(infra, "ip link set lo up");
	for (unsigned i = 0; i < MEMBERS; i++) {
		inits[i] = 0;
		member_make(i, "pod", infra);
	}
	return 0;
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

static int folder_clear(void **context)
{
	pid_t forwarder = forwarder_pid();

	(void)context;
	for (unsigned i = 0; i < MEMBERS; i++)
		process_kill(&inits[i]);
	process_kill(&infra);
	if (forwarder)
		assert_true(is_gone(forwarder, PATIENCE_MS));
	bundle_close(&shield);
	return nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static void member_start(unsigned member)
{
	inits[member] = container_start(infra, "/bin/sleep");
	must_start(member);
}

/* ---- tests ---- */

static void a_pods_members_share_rules_and_forwarder(void **context)
{
	pid_t forwarder;

	(void)context;
	member_start(0);
	forwarder = forwarder_pid();
	assert_int_not_equal(forwarder, 0);
	shell_in(infra, "nft add element inet terok_shield learned_v4 '{ 198.51.100.9 }'");
	member_start(1);
	assert_int_equal(forwarder_pid(), forwarder);
	assert_true(forwarder_answers());
	assert_int_equal(members_count(), 2);
	assert_int_equal(state_seen(inits[1]), SHIELD_UP);
	shell_in(infra, "nft get element inet terok_shield learned_v4 '{ 198.51.100.9 }' >/dev/null"); /* nothing was put in anew */
	/* the hook is called twice */
	must_start(1);
	assert_int_equal(forwarder_pid(), forwarder);
	assert_int_equal(members_count(), 2);
	/* poststop comes before the process is gone */
	assert_int_equal(hook_run("poststop", 1), 0);
	assert_int_equal(forwarder_pid(), forwarder);
	assert_true(forwarder_answers());
	assert_int_equal(members_count(), 1);
}

/* Kills all in this order; the forwarder goes with the last, and before that it answers. */
static void order_try(const unsigned order[MEMBERS], bool orderly)
{
	pid_t forwarder;

	for (unsigned i = 0; i < MEMBERS; i++)
		member_start(i);
	forwarder = forwarder_pid();
	for (unsigned i = 0; i < MEMBERS; i++) {
		process_kill(&inits[order[i]]);
		if (orderly)
			assert_int_equal(hook_run("poststop", order[i]), 0);
		if (i + 1 < MEMBERS) {
			poll(NULL, 0, 60); /* it would be gone by then */
			assert_int_equal(forwarder_pid(), forwarder);
			assert_true(forwarder_answers());
			assert_int_equal(members_count(), MEMBERS - 1 - i);
		}
	}
	assert_true(is_gone(forwarder, PATIENCE_MS));
}

static void the_forwarder_ends_with_the_last_in_every_order(void **context)
{
	static const unsigned orders[][MEMBERS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	(void)context;
	for (unsigned i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		order_try(orders[i], false);
		order_try(orders[i], true);
	}
}

/* Neither with too few descriptors to wait nor with too few to read who else lives is it taken for granted that nobody does. */
static void a_supervisor_without_descriptors_does_not_give_the_others_up(void **context)
{
	static const rlim_t limits[] = {3, 5};

	(void)context;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct rlimit before, few;
		pid_t forwarder;

		member_start(0);
		member_start(1);
		forwarder = forwarder_pid();
		assert_int_equal(prlimit(forwarder, RLIMIT_NOFILE, NULL, &before), 0);
		few = (struct rlimit){limits[i], before.rlim_max};
		assert_int_equal(prlimit(forwarder, RLIMIT_NOFILE, &few, NULL), 0);
		process_kill(&inits[0]);
		assert_false(is_gone(forwarder, 500));
		assert_int_equal(prlimit(forwarder, RLIMIT_NOFILE, &before, NULL), 0);
		assert_false(is_gone(forwarder, 500));
		assert_true(forwarder_answers());
		process_kill(&inits[1]);
		assert_true(is_gone(forwarder, PATIENCE_MS));
	}
}

static void members_come_and_go_one_by_one(void **context)
{
	pid_t forwarder;

	(void)context;
	member_start(0);
	forwarder = forwarder_pid();
	for (unsigned i = 1; i < 20; i++) {
		unsigned next = i % MEMBERS, before = (i - 1) % MEMBERS;

		member_start(next);
		process_kill(&inits[before]);
		if (i % 2)
			assert_int_equal(hook_run("poststop", before), 0);
		assert_int_equal(forwarder_pid(), forwarder);
		assert_true(forwarder_answers());
		assert_int_equal(members_count(), 1);
	}
}

static void a_start_after_the_last_end_begins_anew(void **context)
{
	pid_t forwarder;

	(void)context;
	member_start(0);
	forwarder = forwarder_pid();
	process_kill(&inits[0]);
	member_start(1); /* the supervisor may not even have noticed */
	assert_true(is_gone(forwarder, PATIENCE_MS));
	assert_int_not_equal(forwarder_pid(), 0);
	assert_true(forwarder_answers());
	assert_int_equal(state_seen(infra), SHIELD_UP);
}

static void the_next_to_start_brings_the_forwarder_back(void **context)
{
	pid_t forwarder;

	(void)context;
	member_start(0);
	forwarder = forwarder_pid();
	kill(forwarder, SIGKILL);
	assert_true(is_gone(forwarder, PATIENCE_MS));
	assert_false(forwarder_answers());
	assert_int_equal(state_seen(infra), SHIELD_UP);
	member_start(1);
	assert_true(forwarder_answers());
	process_kill(&inits[1]);
	poll(NULL, 0, 100);
	assert_true(forwarder_answers()); /* for the first, which was there before it */
}

/* As a forwarder does whose hook was killed before it recorded anything. */
static void port_53_is_waited_for_but_not_for_ever(void **context)
{
	static const unsigned held_ms[] = {500, 6000};

	(void)context;
	for (unsigned i = 0; i < 2; i++) {
		pid_t holder = fork();

		if (holder == 0) {
			struct sockaddr_in address = {
				.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (netns_enter(netns_open(infra, NULL), NULL) == 0 &&
				bind(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&address, sizeof(address)) == 0)
				poll(NULL, 0, (int)held_ms[i]);
			_exit(0);
		}
		poll(NULL, 0, 200);
		inits[i] = container_start(infra, "/bin/sleep");
		if (i == 0)
			must_start(i);
		else
			must_fail(i, "port 53");
		process_kill(&holder);
		process_kill(&inits[i]);
		for (unsigned waited_ms = 0; forwarder_pid() && waited_ms < PATIENCE_MS; waited_ms += 10)
			poll(NULL, 0, 10);
	}
}

static void a_stranger_in_the_namespace_is_refused(void **context)
{
	pid_t stranger = container_start(infra, "/bin/sleep");

	(void)context;
	inits[0] = container_start(infra, NULL);
	must_fail(0, "under no shield");
	assert_int_equal(forwarder_pid(), 0);
	assert_int_equal(state_seen(infra), SHIELD_INACTIVE);
	process_kill(&stranger);
	must_start(0);
	/* One that comes later is under the rules; but nobody joins it. */
	stranger = container_start(infra, "/bin/sleep");
	inits[1] = container_start(infra, NULL);
	must_fail(1, "under no shield");
	assert_int_equal(members_count(), 1);
	assert_true(forwarder_answers());
	process_kill(&stranger);
}

static void a_child_namespace_of_a_member_is_no_stranger(void **context)
{
	(void)context;
	inits[0] = container_start(infra, NULL);
	process_kill(&inits[0]);
	/* its init makes another process namespace below its own */
	file_make(in_folder("nest"), "#!/bin/sh\nexec unshare --pid --fork --mount sleep 601\n", 0755);
	inits[0] = container_start(infra, in_folder("nest"));
	must_start(0);
	poll(NULL, 0, 300);
	member_start(1);
}

static void only_an_infra_container_may_have_the_namespace_before(void **context)
{
	pid_t other = container_start(0, "/bin/sleep");

	(void)context;
	shell_in(other, "ip link set lo up");
	member_make(0, "pod", other);
	inits[0] = container_start(other, NULL);
	must_fail(0, "not a pod's infra container");
	process_kill(&inits[0]);
	/* and with --network container: not even that */
	member_make(0, "container", infra);
	inits[0] = container_start(infra, NULL);
	must_fail(0, "is not under the shield of 'team'");
	assert_int_equal(state_seen(infra), SHIELD_INACTIVE);
	process_kill(&other);
}

/* One more process in the namespaces of another. */
static void process_add(pid_t to)
{
	static const char *const kinds[] = {"pid", "net", "mnt"};
	pid_t child = fork();

	if (child == 0) {
		int fds[3];

		for (unsigned i = 0; i < 3; i++)
			fds[i] = open(in_folder("../../proc/%d/ns/%s", (int)to, kinds[i]), O_RDONLY | O_CLOEXEC);
		for (unsigned i = 0; i < 3; i++)
			if (setns(fds[i], 0))
				_exit(1);
		if (fork() == 0) {
			execl("/bin/sleep", "sleep", "602", NULL);
			_exit(1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	poll(NULL, 0, 300); /* until it has executed that */
}

static void an_infra_container_with_a_second_process_is_refused(void **context)
{
	(void)context;
	process_add(infra);
	inits[0] = container_start(infra, NULL);
	must_fail(0, "(sleep) is in the network namespace already and under no shield");
}

static void what_the_configuration_says_has_to_fit(void **context)
{
	(void)context;
	member_make(0, "pod", 0);
	inits[0] = container_start(0, NULL);
	must_fail(0, "would not be in its network namespace");
	process_kill(&inits[0]);
	member_make(0, "pod", infra);
	inits[0] = container_start(infra, NULL);
	file_make(in_folder("one/" BUNDLE_SHARED), "{\"member\":\"one\",\"shield\":\"team\",\"kind\":\"pod\"", 0600);
	must_fail(0, BUNDLE_SHARED);
	file_make(in_folder("one/" BUNDLE_SHARED), "{\"member\":\"two\",\"shield\":\"team\",\"kind\":\"pod\",\"folder\":\"/x\"}", 0600);
	must_fail(0, "belongs to container 'two'");
	member_make(0, "pod", infra);
	rename(in_folder("team"), in_folder("away"));
	must_fail(0, "the shield of 'team'");
	rename(in_folder("away"), in_folder("team"));
	must_start(0);
}

static void shared_process_ids_are_refused(void **context)
{
	char config[256];

	(void)context;
	snprintf(config, sizeof(config),
		"{\"process\":{\"capabilities\":{}},\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"/proc/%d/ns/"
		"pid\"},{\"type\":\"network\",\"path\":\"/proc/%d/ns/net\"}]}}",
		(int)infra, (int)infra);
	file_make(in_folder("oci/one/config.json"), config, 0644);
	inits[0] = container_start(infra, NULL);
	must_fail(0, "share process ids");
}

/* A folder with a shield of its own does not get into the namespace of others. */
static void a_container_that_does_not_share_is_not_let_in(void **context)
{
	(void)context;
	member_start(1);
	unlink(in_folder("one/" BUNDLE_SHARED));
	assert_int_equal(system("true"), 0);
	file_make(in_folder("one/profile.allowed"), "", 0600);
	file_make(in_folder("one/profile.domains"), "", 0600);
	{
		cleanup_bundle struct bundle own = BUNDLE_INIT;
		struct bundle_identity identity = {.container = "one", .version = SHIELD_VERSION};
		struct settings settings;

		settings_init(&settings);
		settings.via = SETTINGS_VIA_HOST;
		assert_int_equal(bundle_open(&own, in_folder("one"), NULL), 0);
		assert_int_equal(bundle_settings_write(&own, &identity, &settings, NULL), 0);
	}
	inits[0] = container_start(infra, NULL);
	must_fail(0, "whose shield it does not share");
	assert_true(forwarder_answers());
}

static void rules_that_were_changed_let_nobody_in(void **context)
{
	(void)context;
	member_start(0);
	shell_in(infra, "nft add rule inet terok_shield output accept");
	inits[1] = container_start(infra, NULL);
	must_fail(1, "terok-shield up team");
	assert_int_equal(members_count(), 1);
	assert_true(forwarder_answers());
}

static void a_new_namespace_takes_the_shield_and_the_old_one_is_blocked(void **context)
{
	pid_t old_forwarder;

	(void)context;
	member_start(0);
	member_start(1);
	old_forwarder = forwarder_pid();
	process_kill(&infra);
	infra = container_start(0, in_folder("pause"));
	shell_in(infra, "ip link set lo up");
	for (unsigned i = 0; i < MEMBERS; i++)
		member_make(i, "pod", infra);
	process_kill(&inits[1]);
	member_start(1);
	assert_true(is_gone(old_forwarder, PATIENCE_MS));
	assert_int_equal(state_seen(inits[0]), SHIELD_BLOCK); /* left behind */
	assert_int_equal(state_seen(inits[1]), SHIELD_UP);
	assert_true(forwarder_answers());
	assert_int_equal(members_count(), 1);
	/* its end is nobody's business, and it comes back by a restart */
	process_kill(&inits[0]);
	assert_int_equal(hook_run("poststop", 0), 0);
	assert_true(forwarder_answers());
	member_start(0);
	assert_int_equal(members_count(), 2);
}

static void lost_records_let_nobody_in(void **context)
{
	static const char *const content[] = {"", "12 x\n", "1 2 0000 one\n"};

	(void)context;
	member_start(0);
	for (size_t i = 0; i < sizeof(content) / sizeof(*content); i++) {
		file_make(in_folder("team/" BUNDLE_MEMBERS), content[i], 0600);
		inits[1] = container_start(infra, NULL);
		must_fail(1, "under no shield"); /* whom the record does not name is a stranger */
		process_kill(&inits[1]);
	}
}

/* Killed before each of its changes to a file, first as the first, then as one who joins. What is left is no member that does not live, and no
 * rules that let more out; and a start after it works. */
static void a_hook_killed_at_any_moment_leaves_what_the_next_can_use(void **context)
{
	unsigned kills = 0;

	(void)context;
	if (crash_missing())
		skip();
	for (unsigned joining = 0; joining < 2; joining++) {
		for (unsigned n = 0, status = 1; status != 0; n++) {
			struct call call = {.member = joining, .stage = "createRuntime", .report = -1};
			pid_t forwarder = joining ? forwarder_pid() : 0;
			int result;

			inits[joining] = container_start(infra, NULL);
			result = crash_run(hook_work, &call, n, NULL);
			status = result != 0;
			assert_true(result == -1 || result == 0);
			kills += result == -1;
			if (joining) {
				assert_int_equal(forwarder_pid(), forwarder);
				assert_true(forwarder_answers());
				assert_int_equal(state_seen(infra), SHIELD_UP);
			}
			process_kill(&inits[joining]); /* the runtime ends the container whose hook has failed */
			poll(NULL, 0, 30);
			inits[joining] = container_start(infra, NULL);
			must_start(joining);
			assert_true(forwarder_answers());
			assert_int_equal(members_count(), joining + 1);
			forwarder = forwarder_pid();
			process_kill(&inits[joining]);
			assert_true(joining || is_gone(forwarder, PATIENCE_MS));
		}
		if (!joining)
			member_start(0);
	}
	print_message("killed %u times\n", kills);
	assert_true(kills > 10);
}

/* All at once, again and again: nobody is refused for another's sake, and the last takes the forwarder along. */
static void many_start_and_end_at_once(void **context)
{
	(void)context;
	for (unsigned round = 0; round < 10; round++) {
		struct call calls[MEMBERS];
		pid_t hooks[MEMBERS], forwarder;
		int status;

		for (unsigned i = 0; i < MEMBERS; i++)
			inits[i] = container_start(infra, NULL);
		for (unsigned i = 0; i < MEMBERS; i++) {
			calls[i] = (struct call){.member = i, .stage = "createRuntime", .report = STDERR_FILENO};
			hooks[i] = fork();
			if (hooks[i] == 0)
				_exit(hook_work(&calls[i]));
		}
		for (unsigned i = 0; i < MEMBERS; i++) {
			assert_int_equal(waitpid(hooks[i], &status, 0), hooks[i]);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		}
		assert_int_equal(members_count(), MEMBERS);
		assert_true(forwarder_answers());
		forwarder = forwarder_pid();
		for (unsigned i = 0; i < MEMBERS; i++)
			process_kill(&inits[i]);
		assert_true(is_gone(forwarder, PATIENCE_MS));
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, folder_fill, folder_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_pods_members_share_rules_and_forwarder),
		TEST(the_forwarder_ends_with_the_last_in_every_order),
		TEST(a_supervisor_without_descriptors_does_not_give_the_others_up),
		TEST(members_come_and_go_one_by_one),
		TEST(a_start_after_the_last_end_begins_anew),
		TEST(the_next_to_start_brings_the_forwarder_back),
		TEST(port_53_is_waited_for_but_not_for_ever),
		TEST(a_stranger_in_the_namespace_is_refused),
		TEST(a_child_namespace_of_a_member_is_no_stranger),
		TEST(only_an_infra_container_may_have_the_namespace_before),
		TEST(an_infra_container_with_a_second_process_is_refused),
		TEST(what_the_configuration_says_has_to_fit),
		TEST(shared_process_ids_are_refused),
		TEST(a_container_that_does_not_share_is_not_let_in),
		TEST(rules_that_were_changed_let_nobody_in),
		TEST(a_new_namespace_takes_the_shield_and_the_old_one_is_blocked),
		TEST(lost_records_let_nobody_in),
		TEST(a_hook_killed_at_any_moment_leaves_what_the_next_can_use),
		TEST(many_start_and_end_at_once),
	};

	if (!own_netns_enter())
		return 77;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
