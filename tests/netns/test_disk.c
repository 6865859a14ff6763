/* The commands while the state folder's disk is full, without inodes, read-only or gone, and without file descriptors: an error that
 * names the place and what to do, and lists, settings and kernel as they were. The disk is a tmpfs of the test's own over /run, where the
 * rig has its folder. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "fw/readback.h"
#include "support/rig.h"

#define DISK       "/run"
#define FILLER     DISK "/filler"
#define PAGE       4096
#define OUTPUT_MAX (1u << 20)
#define INODES     160
#define FEW_FDS    24 /* at so many every command works */

static struct rig rig;
static char program[4096], elsewhere[64];

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t address[4] = {198, 51, 100, 10};
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);

	(void)context;
	(void)tcp;
	return message_get16(out + at - 4) == TYPE_A ? rig_record(out, at, 0, NULL, TYPE_A, 300, address, 4) : at;
}

/* ---- running the program ---- */

#define WORDS_MAX 12
#define ON_RIG(command, ...)                                                                                                               \
	{                                                                                                                                  \
		command, "rig", "--task-state-dir", rig.folder, __VA_ARGS__                                                                \
	}
/* `prepare` and `rm` are tried on a bundle that is not running, on the same disk. */
#define PREPARE(profile)                                                                                                                   \
	{                                                                                                                                  \
		"--state-dir", DISK "/other", "prepare", "web", "--hooks", "--profiles", profile, "--profiles-dir", elsewhere              \
	}
#define REMOVE                                                                                                                             \
	{                                                                                                                                  \
		"--state-dir", DISK "/other", "rm", "web"                                                                                  \
	}

/* Its exit status. output: caller frees; may be NULL. descriptors: how many it may have, 0 for as many as this process. */
static int run(const char *const words[WORDS_MAX], unsigned descriptors, char **output)
{
	int fd = memfd_create("output", MFD_CLOEXEC), status;
	char *arguments[WORDS_MAX + 2] = {program};
	pid_t child;

	assert_true(fd >= 0);
	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		arguments[i + 1] = (char *)words[i];
	child = fork();
	if (!child) {
		struct rlimit limit = {descriptors, descriptors};

		setenv("TEROK_SHIELD_CONFIG_DIR", elsewhere, 1);
		if (dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || (descriptors && (close_range(3, ~0u, 0) || setrlimit(RLIMIT_NOFILE, &limit))))
			_exit(126);
		execv(program, arguments);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (output) {
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(file_read_fd(fd, OUTPUT_MAX, output, NULL), 0);
	}
	close(fd);
	return WEXITSTATUS(status);
}

static void run_well(const char *const words[WORDS_MAX])
{
	cleanup_free char *output = NULL;

	if (run(words, 0, &output) != 0)
		fail_msg("%s %s: %s", words[0], words[2], output);
}
#define RUN_WELL(...) run_well((const char *const[WORDS_MAX])__VA_ARGS__)

/* ---- what must stay as it is ---- */

static char *outside_shell(const char *command)
{
	char *content = NULL;
	FILE *stream = popen(command, "r");

	assert_non_null(stream);
	assert_int_equal(file_read_fd(fileno(stream), OUTPUT_MAX, &content, NULL), 0);
	assert_int_equal(pclose(stream), 0);
	return content;
}

struct snapshot {
	char *kernel, *files;
};

static void snapshot_free(struct snapshot *snapshot)
{
	free(snapshot->kernel);
	free(snapshot->files);
}
#define cleanup_snapshot __attribute__((cleanup(snapshot_free)))

/* Rules and the elements that are nobody's to expire; every file of both bundles but logs, activity and lock, temporaries too. */
static struct snapshot snapshot_take(void)
{
	char command[512];

	snprintf(command, sizeof(command),
		"find %s %s -type f ! -name 'audit.jsonl*' ! -name 'activity.json*' ! -name lock -exec cksum {} + 2>/dev/null | sort; true", rig.folder,
		DISK "/other");
	return (struct snapshot){.kernel = rig_shell(&rig, "nft -s list table inet terok_shield"), .files = outside_shell(command)};
}

static void assert_same(const struct snapshot *before, const char *what)
{
	cleanup_snapshot struct snapshot after = snapshot_take();

	if (!*before->kernel || strcmp(before->kernel, after.kernel))
		fail_msg("%s: the kernel's rules have changed", what);
	if (!*before->files || strcmp(before->files, after.files))
		fail_msg("%s: the files have changed:\n%s---\n%s", what, before->files, after.files);
}

static int verify_inside(void *context, struct error *error)
{
	return readback_verify(context, error);
}

/* The kernel holds what lists and wanted state say. */
static void assert_agreement(const char *what)
{
	cleanup_policy struct policy *policy = NULL;
	struct bundle_identity identity;
	struct settings settings;
	struct ruleset ruleset = {.settings = &settings};
	struct error error = {0};

	assert_int_equal(bundle_settings_read(&rig.bundle, &identity, &settings, &error), 0);
	assert_int_equal(bundle_policy_load(&rig.bundle, &identity.sums, &policy, &error), 0);
	assert_int_equal(bundle_state_read(&rig.bundle, &ruleset.state, &error), 0);
	bundle_identity_free(&identity);
	ruleset.allowed = policy_allowed_nets(policy);
	ruleset.denied = policy_denied_nets(policy);
	if (netns_run(rig.inside_fd, verify_inside, &ruleset, &error))
		fail_msg("%s: %s", what, error.text);
}

/* ---- the disk's faults ---- */

/* To the last octet. pages: what is left free. */
static void disk_fill(unsigned pages)
{
	static const char zeros[PAGE];
	cleanup_fd int fd = open(FILLER, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct stat status;
	ssize_t put;

	assert_true(fd >= 0);
	do
		put = write(fd, zeros, sizeof(zeros));
	while (put > 0);
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(ftruncate(fd, status.st_size - pages * PAGE), 0);
}

static void disk_full(void)
{
	disk_fill(0);
}

static void disk_empty(void)
{
	assert_int_equal(unlink(FILLER), 0);
}

static void inodes_take(void)
{
	char path[64];
	int fd = 0;

	for (unsigned i = 0; i < INODES && fd >= 0; i++) {
		snprintf(path, sizeof(path), FILLER ".%u", i);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd >= 0)
			close(fd);
	}
	assert_int_equal(errno, ENOSPC);
}

static void inodes_give(void)
{
	assert_int_equal(system("rm -f " FILLER ".*"), 0);
}

static void disk_lock(void)
{
	assert_int_equal(mount(NULL, DISK, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
}

static void disk_unlock(void)
{
	assert_int_equal(mount(NULL, DISK, NULL, MS_REMOUNT | MS_BIND, NULL), 0);
}

static const struct fault {
	const char *what;
	void (*make)(void), (*mend)(void);
	const char *reason, *remedy;
} faults[] = {
	{"disk full", disk_full, disk_empty, "No space left on device", "make room there"},
	{"no inodes", inodes_take, inodes_give, "No space left on device", "make room there"},
	{"read-only", disk_lock, disk_unlock, "Read-only file system", "make the file system writable"},
};

/* A command that writes, fails for the reason and says so; all stays. Then, mended, it works. */
static void fail_and_mend(const struct fault *fault, const char *const words[WORDS_MAX], const char *place, const char *remedy)
{
	cleanup_snapshot struct snapshot before = snapshot_take();
	cleanup_free char *output = NULL;
	const char *command = strcmp(words[0], "--state-dir") ? words[0] : words[2];
	int code;

	fault->make();
	code = run(words, 0, &output);
	if (code != 1 || !strstr(output, fault->reason) || !strstr(output, place) || !strstr(output, remedy))
		fail_msg("%s, %s: exit %d, said: %s", fault->what, command, code, output);
	fault->mend();
	assert_same(&before, fault->what);
	run_well(words);
	assert_agreement(command);
}
#define FAIL_AND_MEND(fault, place, remedy, ...) fail_and_mend(fault, (const char *const[WORDS_MAX])__VA_ARGS__, place, remedy)

static void a_command_that_cannot_write_keeps_lists_and_kernel_and_says_where_and_what_to_do(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault *fault = &faults[i];

		RUN_WELL(ON_RIG("up", NULL));
		FAIL_AND_MEND(fault, rig.folder, fault->remedy, ON_RIG("allow", "198.18.1.0/24", "198.18.2.2"));
		FAIL_AND_MEND(fault, rig.folder, fault->remedy, ON_RIG("allow", "more.test"));
		FAIL_AND_MEND(fault, rig.folder, fault->remedy, ON_RIG("deny", "198.18.1.0/24", "198.18.2.2", "more.test"));
		FAIL_AND_MEND(fault, rig.folder, fault->remedy, ON_RIG("down", NULL));
		FAIL_AND_MEND(fault, rig.folder, fault->remedy, ON_RIG("down", "--all"));
		FAIL_AND_MEND(fault, rig.folder, fault->remedy, ON_RIG("block", NULL));
		FAIL_AND_MEND(fault, rig.folder, fault->remedy, ON_RIG("up", NULL));
		RUN_WELL(PREPARE("one"));
		FAIL_AND_MEND(fault, DISK "/other/containers/web", fault->remedy, PREPARE("two"));
	}
}

static void a_new_bundle_on_such_a_disk_is_refused(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		RUN_WELL(PREPARE("one"));
		RUN_WELL(REMOVE);
		FAIL_AND_MEND(&faults[i], DISK "/other/containers", "", PREPARE("two"));
	}
}

static void rm_needs_no_room_and_on_a_read_only_disk_keeps_all(void **unused)
{
	(void)unused;
	RUN_WELL(PREPARE("one"));
	disk_full();
	RUN_WELL(REMOVE);
	disk_empty();
	RUN_WELL(PREPARE("one"));
	FAIL_AND_MEND(&faults[2], DISK "/other/containers/web", faults[2].remedy, REMOVE);
}

static void a_folder_that_is_gone_changes_no_rule(void **unused)
{
	static const char *const commands[] = {"allow", "deny", "up", "down", "block", "rm"};
	cleanup_snapshot struct snapshot before = snapshot_take();
	char away[RIG_FOLDER_MAX + 8];

	(void)unused;
	snprintf(away, sizeof(away), "%s.away", rig.folder);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *destination = i < 2 ? "198.18.3.3" : NULL;
		cleanup_free char *output = NULL;

		assert_int_equal(rename(rig.folder, away), 0);
		assert_int_equal(run((const char *const[WORDS_MAX])ON_RIG(commands[i], destination), 0, &output), 1);
		assert_int_equal(rename(away, rig.folder), 0);
		if (!strstr(output, "no shielded container 'rig': start it with `terok-shield run"))
			fail_msg("%s: %s", commands[i], output);
		assert_same(&before, commands[i]);
	}
}

/* With any number of descriptors, each command does its work wholly or not at all. */
static void without_descriptors_a_command_does_all_or_nothing(void **unused)
{
	const char *const commands[][WORDS_MAX] = {ON_RIG("allow", "198.18.4.0/24"), ON_RIG("deny", "198.18.4.0/24"), ON_RIG("block", NULL),
		ON_RIG("up", NULL), ON_RIG("down", NULL), ON_RIG("up", NULL), PREPARE("two"), PREPARE("one"), REMOVE};
	unsigned failed = 0;

	(void)unused;
	RUN_WELL(PREPARE("one"));
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		unsigned descriptors = 3;

		for (; descriptors < FEW_FDS; descriptors++) {
			cleanup_snapshot struct snapshot before = snapshot_take();
			cleanup_free char *output = NULL;
			int code = run(commands[i], descriptors, &output);

			if (code == 0)
				break;
			failed++;
			/* 127: the dynamic linker had none to open a library with. */
			if (code != 1 && code != 127)
				fail_msg("%u descriptors: exit %d, said: %s", descriptors, code, output);
			if (!strstr(output, "Too many open files") && !strstr(output, "error while loading shared libraries"))
				fail_msg("%u descriptors: exit %d, said: %s", descriptors, code, output);
			assert_same(&before, output);
		}
		assert_in_range(descriptors, 4, FEW_FDS - 1);
		assert_agreement(commands[i][0]);
	}
	print_message("%u failures\n", failed);
}

static void a_log_without_room_is_noted_and_the_command_works(void **unused)
{
	cleanup_free char *output = NULL;
	char path[RIG_FOLDER_MAX + 64];
	struct stat status;

	(void)unused;
	/* The log ends with its page, and the new list takes the last one. */
	assert_int_equal(bundle_remove(&rig.bundle, bundle_list_file(BUNDLE_LIVE_ALLOWED), NULL), 0);
	snprintf(path, sizeof(path), "%s/audit.jsonl", rig.folder);
	assert_int_equal(stat(path, &status), 0);
	cleanup_fd int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	for (off_t size = status.st_size; size % PAGE; size++)
		assert_int_equal(write(fd, "\n", 1), 1);
	disk_fill(1);
	assert_int_equal(run((const char *const[WORDS_MAX])ON_RIG("allow", "198.18.5.0/24"), 0, &output), 0);
	disk_empty();
	snprintf(path, sizeof(path), "note: %s/audit.jsonl could not be written: No space left", rig.folder);
	if (!strstr(output, path))
		fail_msg("%s", output);
	assert_agreement("allow");
}

static void the_forwarder_answers_and_refuses_as_before_on_a_full_disk(void **unused)
{
	static uint8_t reply[65535];

	(void)unused;
	disk_full();
	assert_true(rig_ask(&rig, "allowed.test", TYPE_A, 2000, reply) > 12);
	assert_int_equal(reply[3] & 15, RCODE_NOERROR);
	for (unsigned i = 0; i < 100; i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%u.refused.test", i);
		assert_true(rig_ask(&rig, name, TYPE_A, 2000, reply) > 12);
		assert_int_equal(reply[3] & 15, RCODE_NXDOMAIN);
	}
	disk_empty();
	assert_true(rig_ask(&rig, "allowed.test", TYPE_A, 2000, reply) > 12);
	assert_agreement("a full disk");
}

/* ---- set up ---- */

static int group_setup(void **state)
{
	struct bundle_runtime runtime = {.container_id = "0123456789ab"};
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 64);
	char command[256];
	const char *said;

	(void)state;
	assert_in_range(length, 1, sizeof(program) - 64);
	program[length] = '\0';
	strcpy(strrchr(program, '/') + 1, "terok-shield");
	strcpy(elsewhere, "/tmp/test_disk.XXXXXX");
	assert_non_null(mkdtemp(elsewhere));
	snprintf(command, sizeof(command),
		"printf 'one.test\\n192.0.2.0/24\\n' >%s/one.txt; printf 'two.test\\n203.0.113.0/25\\n' >%s/two.txt", elsewhere, elsewhere);
	assert_int_equal(system(command), 0);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("tmpfs", DISK, "tmpfs", 0, "size=256k,nr_inodes=150,mode=755"), 0);
	rig_start(&rig, "allowed.test\n", "203.0.113.0/24\n", upstream, NULL);
	said = rig_forwarder(&rig);
	if (strcmp(said, "ready"))
		fail_msg("%s", said);
	runtime.init_pid = rig.init;
	runtime.proxy_pid = rig.proxy;
	assert_int_equal(bundle_process_start(rig.init, &runtime.init_start), 0);
	assert_int_equal(bundle_process_start(rig.proxy, &runtime.proxy_start), 0);
	assert_int_equal(bundle_runtime_write(&rig.bundle, &runtime, NULL), 0);
	return 0;
}

static int group_teardown(void **state)
{
	char command[128];

	(void)state;
	rig_stop(&rig);
	snprintf(command, sizeof(command), "rm -rf %s", elsewhere);
	return system(command) || umount2(DISK, MNT_DETACH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_that_cannot_write_keeps_lists_and_kernel_and_says_where_and_what_to_do),
		cmocka_unit_test(a_new_bundle_on_such_a_disk_is_refused),
		cmocka_unit_test(rm_needs_no_room_and_on_a_read_only_disk_keeps_all),
		cmocka_unit_test(a_folder_that_is_gone_changes_no_rule),
		cmocka_unit_test(without_descriptors_a_command_does_all_or_nothing),
		cmocka_unit_test(a_log_without_room_is_noted_and_the_command_works),
		cmocka_unit_test(the_forwarder_answers_and_refuses_as_before_on_a_full_disk),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
