/* The fault matrix (support/matrix.h): each system call of the hook and the supervisor fails once, and each process is killed at moments
 * that are drawn. Which calls there are is recorded at first, in a life with a worker that is killed and one that retires. With SHIELD_FULL
 * each of them fails in turn and each process is killed 50 times; otherwise one call of each number, drawn, and fewer kills. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/isolate.h"
#include "support/matrix.h"

#define KILLS (matrix.full ? 50u : 4u)

static struct matrix matrix;
static struct inject_site *sites; /* of a container's life, in the order of time */
static unsigned site_count;
static unsigned draws[INJECT_ROLES_MAX][INJECT_NUMBERS_MAX];
static const char *const role_names[] = {"hook", "supervisor", "worker"};

static void worker_kill_and_retire(void)
{
	matrix_worker_kill(&matrix, SIGKILL);
	matrix_names_wait(&matrix);
	matrix_worker_retire(&matrix);
}

static const struct fault whole_life = {"", NULL, worker_kill_and_retire, NULL, STOPS | HOLDS};

static void sites_take(void)
{
	free(sites);
	site_count = matrix.inject->count;
	sites = calloc(site_count, sizeof(*sites));
	assert_non_null(sites);
	memcpy(sites, matrix.inject->sites, site_count * sizeof(*sites));
	for (size_t i = 0; i < sizeof(draws) / sizeof(draws[0][0]); i++)
		(&draws[0][0])[i] = (unsigned)random();
}

static void a_life_in_which_nothing_fails_is_recorded(void **context)
{
	struct fault fault = whole_life;
	unsigned of_role[3] = {0};

	(void)context;
	fault.what = "nothing, with all system calls recorded";
	fault.may = HOLDS;
	matrix.inject->armed = false;
	matrix_try(&matrix, &fault, matrix.inject);
	assert_int_equal(matrix.wrong, 0);
	sites_take();
	for (unsigned i = 0; i < site_count; i++)
		of_role[sites[i].role]++;
	printf("system calls: hook %u, supervisor %u, worker %u\n", of_role[0], of_role[1], of_role[2]);
	assert_true(of_role[0] > 100 && of_role[1] > 100 && of_role[2] > 100);
}

static void site_arm(const struct inject_site *site, int error)
{
	matrix.inject->armed = true;
	matrix.inject->site = *site;
	matrix.inject->error = error;
}

static void site_try(const struct inject_site *site, int error, unsigned may)
{
	struct fault fault = whole_life;
	char what[128];
	int usual;
	const char *call = inject_name(site->number, &usual);

	if (error == INJECT_KILL)
		snprintf(what, sizeof(what), "%s: killed before %s #%u", role_names[site->role], call, site->ordinal);
	else
		snprintf(what, sizeof(what), "%s: %s #%u fails with %s", role_names[site->role], call, site->ordinal,
			strerrorname_np(error));
	fault.what = what;
	fault.may = may;
	site_arm(site, error);
	matrix_try(&matrix, &fault, matrix.inject);
	if (!matrix.inject->done)
		printf("    (that call did not come)\n");
}

static bool same_call(const struct inject_site *a, const struct inject_site *b)
{
	return a->role == b->role && a->number == b->number;
}

/* Whether this is the one of its number that is to fail: drawn, unless all do. */
static bool is_drawn(unsigned at)
{
	unsigned before = 0, all = 0;

	for (unsigned i = 0; i < site_count; i++)
		if (same_call(&sites[i], &sites[at])) {
			before += i < at;
			all++;
		}
	return matrix.full || draws[sites[at].role][sites[at].number] % all == before;
}

/* With sanitizers some calls are their runtime's own, which then waits for ever, or ends: before it has read its options with status 0, as if the hook had
 * done its work. They fail in the build without. */
static bool may_be_a_sanitizers(unsigned number)
{
	static const unsigned numbers[] = {SYS_futex, SYS_mmap, SYS_munmap, SYS_prlimit64, SYS_sigaltstack};

	for (size_t i = 0; ISOLATE_SANITIZED && i < sizeof(numbers) / sizeof(*numbers); i++)
		if (numbers[i] == number)
			return true;
	return false;
}

/* The error of a call that is to fail, 0 for one that is not. */
static int error_of(unsigned number)
{
	int error;

	inject_name(number, &error);
	return may_be_a_sanitizers(number) ? 0 : error;
}

static void each_system_call_of_hook_and_supervisor_fails_once(void **context)
{
	unsigned before = matrix.wrong;

	(void)context;
	for (unsigned i = 0; i < site_count; i++)
		if (sites[i].role != ARENA_WORKER && error_of(sites[i].number) && is_drawn(i))
			site_try(&sites[i], error_of(sites[i].number), STOPS | HOLDS);
	assert_int_equal(matrix.wrong, before);
}

static void each_process_is_killed_at_random_moments(void **context)
{
	static const unsigned may[] = {STOPS, STOPS | MUTE | HOLDS, STOPS | HOLDS};
	unsigned before = matrix.wrong, tries;

	(void)context;
	for (unsigned role = ARENA_HOOK; role <= ARENA_WORKER; role++)
		for (tries = 0; tries < KILLS;) {
			unsigned at = (unsigned)random() % site_count;

			if (sites[at].role != role)
				continue;
			site_try(&sites[at], INJECT_KILL, may[role]);
			tries++;
		}
	assert_int_equal(matrix.wrong, before);
}

/* The last call `number` of a role whose first argument is that; any, when it is ANY. */
#define ANY UINT32_MAX
static void feature_try(enum arena_role role, unsigned number, uint32_t first, int error, unsigned may)
{
	for (unsigned i = site_count; i-- > 0;)
		if (sites[i].role == role && sites[i].number == number && (first == ANY || sites[i].first == first)) {
			site_try(&sites[i], error, may);
			return;
		}
	assert_true(ISOLATE_SANITIZED);
}

static void a_kernel_without_a_feature(void **context)
{
	unsigned before = matrix.wrong;

	(void)context;
	feature_try(ARENA_SUPERVISOR, SYS_landlock_create_ruleset, 0, ENOSYS, HOLDS);
	feature_try(ARENA_SUPERVISOR, SYS_landlock_restrict_self, ANY, EOPNOTSUPP, STOPS);
	feature_try(ARENA_WORKER, SYS_landlock_create_ruleset, 0, EOPNOTSUPP, HOLDS);
	feature_try(ARENA_SUPERVISOR, SYS_prctl, PR_SET_SECCOMP, EINVAL, STOPS);
	feature_try(ARENA_WORKER, SYS_prctl, PR_SET_SECCOMP, EINVAL, STOPS | HOLDS); /* the last worker's: the next one comes */
	feature_try(ARENA_SUPERVISOR, SYS_prctl, PR_SET_NO_NEW_PRIVS, EINVAL, STOPS);
	feature_try(ARENA_HOOK, SYS_socket, AF_NETLINK, EPROTONOSUPPORT, STOPS);
	feature_try(ARENA_SUPERVISOR, SYS_socket, AF_NETLINK, EPROTONOSUPPORT, STOPS);
	feature_try(ARENA_SUPERVISOR, SYS_socket, AF_INET6, EAFNOSUPPORT, STOPS | HOLDS);
	feature_try(ARENA_HOOK, SYS_sendmsg, ANY, EOPNOTSUPP, STOPS);
	feature_try(ARENA_HOOK, SYS_setns, ANY, EPERM, STOPS);
	feature_try(ARENA_SUPERVISOR, SYS_setns, ANY, EPERM, STOPS);
	feature_try(ARENA_HOOK, SYS_pidfd_open, ANY, ENOSYS, STOPS);
	feature_try(ARENA_SUPERVISOR, SYS_pidfd_open, ANY, ENOSYS, STOPS | HOLDS);
	feature_try(ARENA_HOOK, SYS_close_range, ANY, ENOSYS, STOPS);
	assert_int_equal(matrix.wrong, before);
}

/* ---- the container's end ---- */

/* The poststop stage fails, when it may: what belonged to the container ends all the same. */
static void end_try(const struct inject_site *site, int error)
{
	char what[128], came[128];
	unsigned left = arena_left(&matrix.arena);
	bool empty, works;
	int usual, status;

	arena_container_make(&matrix.arena);
	assert_true(matrix_hook(&matrix, "createRuntime", NULL));
	arena_container_go(&matrix.arena);
	arena_round_wait(&matrix.arena);
	arena_container_end(&matrix.arena);
	matrix.inject->armed = false;
	snprintf(what, sizeof(what), "poststop: nothing, with all system calls recorded");
	if (site) {
		site_arm(site, error);
		snprintf(what, sizeof(what), error ? "poststop: %s #%u fails with %s" : "poststop: killed before %s #%u",
			inject_name(site->number, &usual), site->ordinal, error ? strerrorname_np(error) : "");
	}
	status = arena_hook(&matrix.arena, "poststop", matrix.inject);
	empty = arena_is_empty(&matrix.arena, 10000);
	inject_stop(matrix.inject);
	works = status == 0 || matrix_next_start_works(&matrix);
	snprintf(came, sizeof(came), WIFSIGNALED(status) ? "ended by signal %d" : "ended with status %d",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	matrix_row(&matrix, what, came, arena_left(&matrix.arena) - left,
		!empty                              ? "a process was left behind"
		: !works                            ? "the next start does not work"
		: arena_left(&matrix.arena) != left ? "it got out"
						    : "");
}

static void a_poststop_in_which_a_system_call_fails_leaves_nothing_behind(void **context)
{
	unsigned before = matrix.wrong;

	(void)context;
	end_try(NULL, 0);
	sites_take();
	for (unsigned i = 0; i < site_count; i++)
		if (sites[i].role == ARENA_HOOK && error_of(sites[i].number) && is_drawn(i))
			end_try(&sites[i], error_of(sites[i].number));
	for (unsigned i = 0; i < KILLS; i++)
		end_try(&sites[(unsigned)random() % site_count], INJECT_KILL);
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
		cmocka_unit_test(a_life_in_which_nothing_fails_is_recorded),
		cmocka_unit_test(a_kernel_without_a_feature),
		cmocka_unit_test(each_system_call_of_hook_and_supervisor_fails_once),
		cmocka_unit_test(each_process_is_killed_at_random_moments),
		cmocka_unit_test(a_poststop_in_which_a_system_call_fails_leaves_nothing_behind),
	};
	const char *missing = matrix_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
