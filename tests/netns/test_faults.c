/* The fault matrix (support/matrix.h): the bundle, the programs and processes, and what the machine has. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <linux/netlink.h>

#include "base/cleanup.h"
#include "base/isolate.h"
#include "state/worker.h"
#include "support/matrix.h"

#define FILLER MATRIX_DISK "/filler"

static struct matrix matrix;

static void rows_try(const struct fault *faults, size_t count)
{
	unsigned before = matrix.wrong;

	for (size_t i = 0; i < count; i++)
		matrix_try(&matrix, &faults[i], NULL);
	assert_int_equal(matrix.wrong, before);
}

#define ROWS_TRY(faults) rows_try(faults, sizeof(faults) / sizeof(*(faults)))

/* ---- the judge ---- */

static void without_a_shield_the_judge_sees_what_leaves(void **context)
{
	unsigned left = arena_left(&matrix.arena);
	char came[64];

	(void)context;
	arena_container_make(&matrix.arena);
	arena_container_go(&matrix.arena);
	matrix_pause_ms(200);
	arena_container_end(&matrix.arena);
	left = arena_left(&matrix.arena) - left;
	snprintf(came, sizeof(came), "%u tried", matrix.arena.count->tried);
	matrix_row(&matrix, "no shield at all, as a proof of the judge", came, left, left ? "" : "the judge is blind");
	assert_true(left > 20);
}

/* ---- the files of the bundle ---- */

static const char *file; /* of the row */

static void file_there(void)
{
	if (faccessat(matrix.arena.rig.bundle.fd, file, F_OK, AT_SYMLINK_NOFOLLOW))
		assert_int_equal(bundle_write(&matrix.arena.rig.bundle, file, "something\n", 10, NULL), 0);
}

static void file_missing(void)
{
	file_there();
	assert_int_equal(unlinkat(matrix.arena.rig.bundle.fd, file, 0), 0);
	matrix.arena.count->spares_denied = !strcmp(file, "deny.list") || !strcmp(file, "denied.domains");
}

/* The last line ends too early. */
static void file_cut(void)
{
	cleanup_fd int fd = -1;
	struct stat status;

	file_there();
	fd = openat(matrix.arena.rig.bundle.fd, file, O_WRONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(ftruncate(fd, status.st_size > 2 ? status.st_size - 2 : 0), 0);
}

static void file_of_another(void)
{
	file_there();
	assert_int_equal(fchownat(matrix.arena.rig.bundle.fd, file, 1234, 1234, 0), 0);
}

static void file_is_link(void)
{
	file_there();
	unlinkat(matrix.arena.rig.bundle.fd, "elsewhere", 0);
	assert_int_equal(renameat(matrix.arena.rig.bundle.fd, file, matrix.arena.rig.bundle.fd, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", matrix.arena.rig.bundle.fd, file), 0);
}

static void file_mend(void)
{
	matrix.arena.count->spares_denied = false;
	unlinkat(matrix.arena.rig.bundle.fd, file, 0);
	unlinkat(matrix.arena.rig.bundle.fd, "elsewhere", 0);
	arena_bundle_fill(&matrix.arena);
}

static void each_file_of_the_bundle_missing_cut_short_of_another_owner_or_a_link(void **context)
{
	static const struct {
		const char *name;
		unsigned missing, damaged, foreign; /* how it may come out */
	} files[] = {
		{"settings.json", STOPS, STOPS, STOPS},
		{"profile.allowed", STOPS, STOPS, STOPS},
		{"profile.domains", STOPS, STOPS, STOPS},
		{"live.allowed", HOLDS, STOPS, STOPS}, /* a live list that is not there is empty */
		{"live.domains", HOLDS, STOPS, STOPS},
		{"deny.list", HOLDS, STOPS, STOPS},
		{"denied.domains", HOLDS, STOPS, STOPS},
		{"state", HOLDS, STOPS, STOPS},
		{"lock", HOLDS, HOLDS, STOPS},
		{"runtime.json", HOLDS, HOLDS, STOPS},
		{"members", HOLDS, HOLDS, STOPS},
		{"shared.json", HOLDS, STOPS, STOPS}, /* a folder that has none is a shield's own */
		{"ruleset.nft", HOLDS, HOLDS, HOLDS}, /* these are only written */
		{"container.id", HOLDS, HOLDS, HOLDS},
		{"oci.bundle", HOLDS, HOLDS, HOLDS},
		{"control.sock", HOLDS, HOLDS, HOLDS},
		{"hook-error.log", HOLDS, HOLDS, HOLDS},
		{"audit.jsonl", HOLDS, HOLDS, HOLDS},
	};
	unsigned before = matrix.wrong;

	(void)context;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		const struct fault kinds[] = {
			{"missing", file_missing, NULL, file_mend, files[i].missing},
			{"cut short", file_cut, NULL, file_mend, files[i].damaged},
			{"of another owner", file_of_another, NULL, file_mend, files[i].foreign},
			{"a link", file_is_link, NULL, file_mend, files[i].foreign},
		};

		file = files[i].name;
		for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
			struct fault fault = kinds[k];
			char what[128];

			snprintf(what, sizeof(what), "bundle: %s %s", file, kinds[k].what);
			fault.what = what;
			matrix_try(&matrix, &fault, NULL);
		}
	}
	assert_int_equal(matrix.wrong, before);
}

static void folder_gone(void)
{
	assert_int_equal(rename(matrix.arena.rig.folder, MATRIX_DISK "/away"), 0);
}
static void folder_back(void)
{
	assert_int_equal(rename(MATRIX_DISK "/away", matrix.arena.rig.folder), 0);
}
static void folder_behind_link(void)
{
	folder_gone();
	assert_int_equal(symlink(MATRIX_DISK "/away", matrix.arena.rig.folder), 0);
}
static void folder_unlink(void)
{
	assert_int_equal(unlink(matrix.arena.rig.folder), 0);
	folder_back();
}
static void folder_of_another(void)
{
	assert_int_equal(chown(matrix.arena.rig.folder, 1234, 1234), 0);
}
static void folder_owned(void)
{
	assert_int_equal(chown(matrix.arena.rig.folder, 0, 0), 0);
}
static void folder_open_to_all(void)
{
	assert_int_equal(chmod(matrix.arena.rig.folder, 0777), 0);
}
static void folder_closed(void)
{
	assert_int_equal(chmod(matrix.arena.rig.folder, 0700), 0);
}

static void the_folder_of_the_bundle(void **context)
{
	static const struct fault faults[] = {
		{"bundle: the folder gone", folder_gone, NULL, folder_back, STOPS},
		{"bundle: the folder behind a link", folder_behind_link, NULL, folder_unlink, STOPS},
		{"bundle: the folder of another owner", folder_of_another, NULL, folder_owned, STOPS},
		{"bundle: the folder open to all", folder_open_to_all, NULL, folder_closed, STOPS},
		{"bundle: the folder removed while the container runs", NULL, folder_gone, folder_back, HOLDS},
	};

	(void)context;
	ROWS_TRY(faults);
}

/* ---- programs and processes ---- */

static const char *program; /* of the row */

static void __attribute__((format(printf, 1, 2))) shell(const char *format, ...)
{
	char command[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	assert_int_equal(system(command), 0);
}

static void program_gone(void)
{
	shell("mv %s/programs/%s %s/gone", matrix.arena.folder, program, matrix.arena.folder);
}
static void program_back(void)
{
	shell("mv -f %s/gone %s/programs/%s", matrix.arena.folder, matrix.arena.folder, program);
}
static void program_other(const char *script)
{
	program_gone();
	shell("printf '#!/bin/sh\\n%s\\n' >%s/programs/%s; chmod 755 %s/programs/%s", script, matrix.arena.folder, program,
		matrix.arena.folder, program);
}
static void program_fails(void)
{
	program_other("exit 3");
}
static void program_hangs(void)
{
	program_other("exec sleep 30");
}
static void program_lies(void)
{
	program_other("echo ready >&5; exec 5>&-; exec sleep 30"); /* a supervisor's word without a supervisor's work */
}
static void program_unrunnable(void)
{
	program_other("");
	shell("printf nothing >%s/programs/%s", matrix.arena.folder, program);
}

static void worker_kill(void)
{
	matrix_worker_kill(&matrix, SIGKILL);
}
static void worker_kill_ten_times(void)
{
	for (unsigned i = 0; i < 10; i++) {
		worker_kill();
		matrix_pause_ms(20);
	}
}
static void worker_stop(void)
{
	matrix_worker_kill(&matrix, SIGSTOP);
}
static void worker_retire(void)
{
	matrix_worker_retire(&matrix);
}

static void supervisor_kill(void)
{
	assert_true(matrix.arena.rig.proxy > 0);
	kill(matrix.arena.rig.proxy, SIGKILL);
	matrix_pause_ms(50); /* until the kernel has ended its worker too */
}
static void worker_kill_without_program(void)
{
	program = "terok-shield-proxy";
	program_gone();
	worker_kill();
}
static void worker_retire_without_program(void)
{
	program = "terok-shield-proxy";
	program_gone();
	worker_retire();
}
static void init_kill(void)
{
	kill(matrix.arena.rig.init, SIGKILL);
	matrix_pause_ms(20);
}

static void each_program_gone_or_no_good(void **context)
{
	static const char *const programs[] = {"terok-shield-hook", "terok-shield-supervisor", "terok-shield-proxy"};
	static const struct fault kinds[] = {
		{"gone", program_gone, NULL, program_back, STOPS},
		{"no program", program_unrunnable, NULL, program_back, STOPS},
		{"ends at once", program_fails, NULL, program_back, STOPS},
		{"does nothing", program_hangs, NULL, program_back, STOPS},
		{"lies that it is ready", program_lies, NULL, program_back, MUTE},
	};
	unsigned before = matrix.wrong;

	(void)context;
	for (size_t i = 0; i < 3; i++)
		for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
			struct fault fault = kinds[k];
			char what[128];

			if ((i == 0 && k > 2) || (i == 2 && k == 4)) /* crun's time limit; that is the supervisor's line */
				continue;
			program = programs[i];
			snprintf(what, sizeof(what), "program: %s %s", program, kinds[k].what);
			fault.what = what;
			matrix_try(&matrix, &fault, NULL);
			shell("pkill -x sleep -P %d || true", (int)getpid());
		}
	assert_int_equal(matrix.wrong, before);
}

static void processes_that_die_or_hang_while_the_container_runs(void **context)
{
	static const struct fault faults[] = {
		{"process: the container's init dies before the hook comes", init_kill, NULL, NULL, STOPS},
		{"process: worker killed", NULL, worker_kill, NULL, HOLDS},
		{"process: worker killed ten times in a row", NULL, worker_kill_ten_times, NULL, HOLDS},
		{"process: worker hangs", NULL, worker_stop, NULL, HOLDS},
		{"process: worker told to retire", NULL, worker_retire, NULL, HOLDS},
		{"process: worker killed and its program gone", NULL, worker_kill_without_program, program_back, HOLDS},
		{"process: worker told to retire and its program gone", NULL, worker_retire_without_program, program_back, HOLDS},
		{"process: supervisor killed", NULL, supervisor_kill, NULL, MUTE},
	};

	(void)context;
	ROWS_TRY(faults);
}

/* ---- what the machine has ---- */

static void disk_fill(void)
{
	static char zeros[65536];
	cleanup_fd int fd = open(FILLER, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
}
static void disk_empty(void)
{
	unlink(FILLER);
}
static void disk_fill_and_worker_kill(void)
{
	disk_fill();
	worker_kill();
}
static void disk_freeze(void)
{
	assert_int_equal(mount(NULL, MATRIX_DISK, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
}
static void disk_thaw(void)
{
	assert_int_equal(mount(NULL, MATRIX_DISK, NULL, MS_REMOUNT, NULL), 0);
}

/* A limit of a process that runs, for as long as a worker that is killed would need to come back. */
static void limited(pid_t process, int resource, rlim_t limit, bool worker_dies)
{
	struct rlimit low, high;

	assert_int_equal(prlimit(process, resource, NULL, &high), 0);
	low = (struct rlimit){limit, high.rlim_max};
	assert_int_equal(prlimit(process, resource, &low, NULL), 0);
	if (worker_dies)
		worker_kill();
	free(rig_shell(&matrix.arena.rig, "nft flush set inet terok_shield learned_v4"));
	assert_int_equal(arena_allowed(&matrix.arena, 300), -1);
	assert_int_equal(prlimit(process, resource, &high, NULL), 0);
}
static void supervisor_without_descriptors(void)
{
	limited(matrix.arena.rig.proxy, RLIMIT_NOFILE, 3, true);
}
#if !ISOLATE_SANITIZED
static void supervisor_without_memory(void)
{
	limited(matrix.arena.rig.proxy, RLIMIT_AS, 1 << 20, true);
}
#endif

/* The kernel's answers to the worker's set writer find no room, and some are lost. */
static void netlink_fill(void)
{
	const struct nlmsghdr message = {.nlmsg_len = sizeof(message), .nlmsg_type = NLMSG_NOOP, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
	cleanup_fd int worker_fd = pidfd_open(rig_worker(&matrix.arena.rig), 0);
	cleanup_fd int fd = pidfd_getfd(worker_fd, WORKER_WRITER, 0);
	int small = 1;

	assert_true(fd >= 0);
	matrix_worker_kill(&matrix, SIGSTOP);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	for (unsigned i = 0; i < 200; i++)
		(void)!send(fd, &message, sizeof(message), MSG_DONTWAIT);
	free(rig_shell(&matrix.arena.rig, "nft flush set inet terok_shield learned_v4; nft flush set inet terok_shield learned_v6"));
	matrix_worker_kill(&matrix, SIGCONT);
}

static void a_machine_that_has_not_enough(void **context)
{
	static const struct fault faults[] = {
		{"disk: full at the start", disk_fill, NULL, disk_empty, STOPS},
		{"disk: read-only at the start", disk_freeze, NULL, disk_thaw, STOPS},
		{"disk: full while it runs", NULL, disk_fill, disk_empty, HOLDS},
		{"disk: full while it runs, and the worker killed", NULL, disk_fill_and_worker_kill, disk_empty, HOLDS},
		{"netlink: the set writer's socket is full", NULL, netlink_fill, NULL, HOLDS},
		{"descriptors: none for the supervisor, and the worker killed", NULL, supervisor_without_descriptors, NULL, HOLDS},
#if !ISOLATE_SANITIZED
		{"memory: none for the supervisor, and the worker killed", NULL, supervisor_without_memory, NULL, HOLDS},
#endif
	};

	(void)context;
	ROWS_TRY(faults);
}

/* Limits of the hook and all that it starts. */
static unsigned few;

static void few_descriptors(void)
{
	matrix.arena.descriptors = few;
}
static void little_memory(void)
{
	matrix.arena.memory_mb = few;
}
static void limits_lift(void)
{
	matrix.arena.descriptors = matrix.arena.memory_mb = 0;
}

static void a_hook_with_few_descriptors_or_little_memory(void **context)
{
	unsigned before = matrix.wrong;
	char what[64];

	(void)context;
	for (few = 3; few <= 24; few += few < 12 || matrix.full ? 1 : 4) {
		const struct fault fault = {what, few_descriptors, NULL, limits_lift, STOPS | HOLDS};

		snprintf(what, sizeof(what), "descriptors: %u for hook and forwarder", few);
		matrix_try(&matrix, &fault, NULL);
	}
	for (few = 1; !ISOLATE_SANITIZED && few <= 64; few = matrix.full ? few + 1 : few * 2) {
		const struct fault fault = {what, little_memory, NULL, limits_lift, STOPS | HOLDS};

		snprintf(what, sizeof(what), "memory: %u MiB for hook and forwarder", few);
		matrix_try(&matrix, &fault, NULL);
	}
	assert_int_equal(matrix.wrong, before);
}

static int group_setup(void **context)
{
	(void)context;
	matrix_make(&matrix);
	return 0;
}

static int group_teardown(void **context)
{
	(void)context;
	return !matrix_free(&matrix);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_shield_the_judge_sees_what_leaves),
		cmocka_unit_test(each_file_of_the_bundle_missing_cut_short_of_another_owner_or_a_link),
		cmocka_unit_test(the_folder_of_the_bundle),
		cmocka_unit_test(each_program_gone_or_no_good),
		cmocka_unit_test(processes_that_die_or_hang_while_the_container_runs),
		cmocka_unit_test(a_machine_that_has_not_enough),
		cmocka_unit_test(a_hook_with_few_descriptors_or_little_memory),
	};
	const char *missing = matrix_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
