/* Giving up what the supervisor and all that it starts do not need.
 *
 * Theory of operation. What is given up here is given up for every worker too, since it is inherited: no worker starts with more than
 * the first one has. So files can be read and executed, for programs and their libraries are where the distribution has them, but
 * changed in the bundle alone; and the list of system calls has what a worker needs until it gives up the rest itself. What is not in
 * it fails as on a kernel without it: a worker of a later version, or its C library, may try something newer first. No user namespace,
 * no setns(2), no socket but towards resolvers and the hub, no attaching to processes. Unix sockets are for this process alone (herald.h):
 * the worker gives that up before it reads anything.
 */
#include "supervisor/isolate.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/isolate.h"

#define CALL(name) {.number = SYS_##name}
#define FORK_FLAGS (CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD) /* as fork(3) has them */

/* clang-format off: as many to a line as fit */
static const struct isolate_call allowed[] = {
	/* the supervisor: its loop, its worker, the audit log */
	CALL(ppoll), CALL(read), CALL(write), CALL(close), CALL(clock_gettime), CALL(clock_nanosleep), CALL(restart_syscall),
	CALL(exit), CALL(exit_group), CALL(waitid), CALL(wait4), CALL(pidfd_open), CALL(pidfd_send_signal), CALL(kill), CALL(pipe2),
	CALL(execveat), CALL(execve), CALL(close_range), CALL(dup3), CALL(prctl), CALL(getpid), CALL(getppid), CALL(gettid),
	CALL(rt_sigprocmask), CALL(rt_sigaction), CALL(rt_sigreturn), CALL(set_robust_list), CALL(fcntl),
	{.number = SYS_clone, .conditional = true, .value = FORK_FLAGS},
	CALL(openat), CALL(fstat), CALL(newfstatat), CALL(lseek), CALL(pread64), CALL(flock), CALL(renameat2), CALL(geteuid),
#ifdef __x86_64__
	CALL(poll), CALL(dup2), CALL(rename), CALL(unlink), CALL(access), CALL(readlink), CALL(stat), CALL(lstat), CALL(open),
	CALL(epoll_wait), CALL(arch_prctl), CALL(pipe), CALL(time),
#endif
#ifdef SYS_renameat
	CALL(renameat),
#endif
	/* a worker's start: the loader, the C library, its own giving up */
	CALL(mmap), CALL(mprotect), CALL(munmap), CALL(mremap), CALL(madvise), CALL(brk), CALL(futex), CALL(getrandom),
	CALL(set_tid_address), CALL(rseq), CALL(prlimit64), CALL(faccessat), CALL(faccessat2), CALL(readlinkat), CALL(statx),
	CALL(statfs), CALL(getdents64), CALL(getcwd), CALL(uname), CALL(sysinfo), CALL(getuid), CALL(getgid), CALL(getegid),
	CALL(sched_getaffinity), CALL(sched_yield), CALL(capget), CALL(capset), CALL(sigaltstack), CALL(tgkill),
	CALL(landlock_create_ruleset), CALL(landlock_add_rule), CALL(landlock_restrict_self),
	/* a worker's loop: proxy/isolate.c has the list it keeps */
	CALL(epoll_create1), CALL(epoll_pwait), CALL(epoll_pwait2), CALL(epoll_ctl), CALL(eventfd2), CALL(timerfd_create),
	CALL(timerfd_settime), CALL(gettimeofday), CALL(recvmmsg), CALL(sendmmsg), CALL(recvmsg), CALL(sendmsg), CALL(recvfrom),
	CALL(sendto), CALL(readv), CALL(writev), CALL(accept4), CALL(connect), CALL(setsockopt), CALL(getsockopt), CALL(getsockname),
	CALL(getpeername), CALL(shutdown), CALL(fsync), CALL(unlinkat), CALL(ftruncate),
	{.number = SYS_socket, .conditional = true, .value = AF_INET},
	{.number = SYS_socket, .conditional = true, .value = AF_INET6},
	{.number = SYS_socket, .conditional = true, .value = AF_UNIX},
	{.number = SYS_ioctl, .conditional = true, .index = 1, .value = 0x541b /* FIONREAD */},
};
/* clang-format on */

int isolate_supervisor(const char *bundle_path, struct error *error)
{
	const struct isolate_folder folders[] = {
		{"/", ISOLATE_READ | ISOLATE_EXECUTE},
		{bundle_path, ISOLATE_CHANGE},
	};
	bool held;

	return isolate_capabilities(error) ?: isolate_files(folders, sizeof(folders) / sizeof(*folders), &held, error)
		       ?: isolate_calls(allowed, sizeof(allowed) / sizeof(*allowed), ISOLATE_ENOSYS, error);
}
