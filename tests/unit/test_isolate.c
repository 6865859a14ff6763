/* Giving up privileges: each stage in a child, which tries afterwards what it must not be able to do. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/isolate.h"

#define CALL(name)                                                                                                                         \
	{                                                                                                                                  \
		.number = SYS_##name                                                                                                       \
	}

/* Runs it in a child; returns how waitpid(2) tells its end. */
static int in_child(int (*try)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(try());
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

#define assert_child_says(try, word)                                                                                                       \
	do {                                                                                                                               \
		int status_ = in_child(try);                                                                                               \
		assert_true(WIFEXITED(status_));                                                                                           \
		assert_int_equal(WEXITSTATUS(status_), word);                                                                              \
	} while (0)

static int capabilities_try(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (isolate_capabilities(NULL))
		return 1;
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 2;
	if (syscall(SYS_capget, &header, data) || (data[0].permitted | data[0].effective) & ~(1u << CAP_NET_ADMIN) || data[0].inheritable)
		return 3;
	if (data[1].permitted | data[1].effective | data[1].inheritable)
		return 4;
	if (geteuid() == 0 && (prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) || prctl(PR_CAPBSET_READ, CAP_SETPCAP, 0, 0, 0)))
		return 5;
	if (ISOLATE_SANITIZED == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
		return 6;
	return isolate_capabilities(NULL) ? 7 : 0; /* again, with nothing left to give up */
}

static void of_all_capabilities_net_admin_may_stay(void **state)
{
	(void)state;
	assert_child_says(capabilities_try, 0);
}

static char inside[64], outside[64];

static int file_try(const char *folder, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/file", folder);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int files_try(void)
{
	char *const arguments[] = {"true", NULL};
	const struct isolate_folder folders[] = {
		{"/", ISOLATE_READ}, {"/nowhere/at/all", ISOLATE_CHANGE}, {NULL, ISOLATE_CHANGE}, {inside, ISOLATE_CHANGE}};
	bool held;

	if (isolate_capabilities(NULL) || isolate_files(folders, sizeof(folders) / sizeof(*folders), &held, NULL))
		return 1;
	if (!held)
		return 77;
	if (file_try(inside, O_WRONLY | O_CREAT) || file_try(inside, O_RDONLY) || file_try(outside, O_RDONLY))
		return 2;
	if (file_try(outside, O_WRONLY) != EACCES || file_try("/tmp", O_WRONLY | O_CREAT) != EACCES)
		return 3;
	execve("/bin/true", arguments, (char *[]){NULL});
	return errno == EACCES ? 0 : 4;
}

static void files_can_be_changed_where_it_was_said_and_nowhere_else(void **state)
{
	int status;

	(void)state;
	status = in_child(files_try);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77 && !getenv("SHIELD_NO_SKIP")) {
		printf("SKIP: this kernel has no Landlock\n");
		return;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static const struct isolate_call few[] = {
	CALL(exit_group),
	CALL(close),
	CALL(write),
	{.number = SYS_socket, .conditional = true, .value = AF_INET},
	{.number = SYS_socket, .conditional = true, .value = AF_INET6},
};

static int calls_try(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || isolate_calls(few, sizeof(few) / sizeof(*few), ISOLATE_ENOSYS, NULL))
		return 1;
	if (socket(AF_INET, SOCK_DGRAM, 0) < 0 || socket(AF_INET6, SOCK_DGRAM, 0) < 0 || close(0))
		return 2;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != ENOSYS)
		return 3;
	return syscall(SYS_getppid) >= 0 || errno != ENOSYS ? 4 : 0;
}

static int calls_try_killed(void)
{
	const struct rlimit no_core = {0, 0};

	setrlimit(RLIMIT_CORE, &no_core);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || isolate_calls(few, sizeof(few) / sizeof(*few), ISOLATE_KILL, NULL))
		return 1;
	return syscall(SYS_getppid) >= 0;
}

static void a_system_call_that_is_not_listed_fails_or_kills(void **state)
{
	int status;

	(void)state;
	if (ISOLATE_SANITIZED)
		return; /* such builds load no filter */
	assert_child_says(calls_try, 0);
	status = in_child(calls_try_killed);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

static void a_list_that_is_too_long_is_refused(void **state)
{
	static struct isolate_call many[257];
	struct error error = {0};

	(void)state;
	assert_int_equal(isolate_calls(many, 257, ISOLATE_KILL, &error), -E2BIG);
}

static int setup(void **state)
{
	(void)state;
	strcpy(inside, "/var/tmp/test_isolate.XXXXXX");
	strcpy(outside, "/var/tmp/test_isolate.XXXXXX");
	return !mkdtemp(inside) || !mkdtemp(outside) || file_try(outside, O_WRONLY | O_CREAT);
}

static int teardown(void **state)
{
	char path[128];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/file", i ? inside : outside);
		unlink(path);
		rmdir(i ? inside : outside);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_all_capabilities_net_admin_may_stay),
		cmocka_unit_test(files_can_be_changed_where_it_was_said_and_nowhere_else),
		cmocka_unit_test(a_system_call_that_is_not_listed_fails_or_kills),
		cmocka_unit_test(a_list_that_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
