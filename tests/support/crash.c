/* Crashes for tests, with ptrace(2). */
#include "support/crash.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void crash_die(const char *what)
{
	fprintf(stderr, "crash: %s: %s\n", what, strerror(errno));
	abort();
}

const char *crash_missing(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0);
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0
		       ? NULL
		       : "processes cannot be traced here";
}

/* Calls after which a file or folder may be another, and those that wait for the disk. */
static bool changes_files(const struct __ptrace_syscall_info *info)
{
	switch (info->entry.nr) {
	case SYS_openat:
		return (info->entry.args[2] & (O_CREAT | O_TRUNC)) != 0;
	case SYS_write:
	case SYS_pwrite64:
	case SYS_writev:
	case SYS_ftruncate:
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_linkat:
	case SYS_unlinkat:
	case SYS_mkdirat:
	case SYS_fchmod:
	case SYS_fchown:
	case SYS_fsync:
	case SYS_fdatasync:
#ifdef SYS_open /* older spellings, which newer machines do not have */
	case SYS_rename:
	case SYS_unlink:
	case SYS_rmdir:
	case SYS_mkdir:
#endif
		return true;
	}
	return false;
}

static _Noreturn void child_run(int (*work)(void *context), void *context)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0 || dup2(null_fd, 1) < 0 || dup2(null_fd, 2) < 0 || ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(126);
	raise(SIGSTOP);
	_exit(work(context));
}

/* Goes on to the child's next stop. signal: what it is given. False when it has ended. */
static bool child_go_on(pid_t child, int signal, int *status)
{
	if (ptrace(PTRACE_SYSCALL, child, NULL, (void *)(intptr_t)signal))
		crash_die("PTRACE_SYSCALL");
	if (waitpid(child, status, 0) != child)
		crash_die("waitpid");
	return !WIFEXITED(*status) && !WIFSIGNALED(*status);
}

int crash_run(int (*work)(void *context), void *context, unsigned n, unsigned *calls)
{
	pid_t child = fork();
	unsigned seen = 0;
	int status, signal = 0;

	if (child == 0)
		child_run(work, context);
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		crash_die("the child");
	if (ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)(intptr_t)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)))
		crash_die("PTRACE_SETOPTIONS");
	while (child_go_on(child, signal, &status)) {
		struct __ptrace_syscall_info info;

		signal = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
		if (signal)
			continue;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, child, (void *)sizeof(info), &info) < 0)
			crash_die("PTRACE_GET_SYSCALL_INFO");
		if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !changes_files(&info) || seen++ != n)
			continue;
		kill(child, SIGKILL);
		if (waitpid(child, &status, 0) != child)
			crash_die("waitpid");
		break;
	}
	if (calls)
		*calls = seen;
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		crash_die("the work was killed by a signal of its own");
	return WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
}
