/* Giving up what the worker does not need.
 *
 * Theory of operation. The worker reads what a hostile workload and hostile servers send. Should one of them take it over, there must
 * be little to take: no capability but CAP_NET_ADMIN over the user namespace it runs in, no way to gain another by executing a
 * program, no program to execute, no file but its bundle to change, no socket but towards resolvers to open. The supervisor has given
 * up most of that before it started the worker; what only the start needs (executing, reading libraries, Landlock's own calls) goes
 * here.
 */
#include "proxy/isolate.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/isolate.h"

int isolate_limits(struct error *error)
{
	struct rlimit core = {0, 0}, files;

	if (setrlimit(RLIMIT_CORE, &core))
		return error_errno(error, errno, "forbidding core dumps");
	if (getrlimit(RLIMIT_NOFILE, &files))
		return error_errno(error, errno, "reading the limit of open files");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		return error_errno(error, errno, "raising the limit of open files");
	return 0;
}

#define CALL(name) {.number = SYS_##name}

/* clang-format off: as many to a line as fit */
static const struct isolate_call allowed[] = {
/* the loop */
#ifdef SYS_epoll_wait
	CALL(epoll_wait),
#endif
	CALL(epoll_pwait), CALL(epoll_pwait2), CALL(epoll_ctl), CALL(clock_gettime), CALL(gettimeofday), CALL(timerfd_settime),
	CALL(rt_sigreturn), CALL(rt_sigprocmask), CALL(rt_sigaction), CALL(restart_syscall), CALL(clock_nanosleep), CALL(exit),
	CALL(exit_group),
	/* sockets: clients, upstream, netlink (open before), the control socket */
	CALL(recvmmsg), CALL(sendmmsg), CALL(recvmsg), CALL(sendmsg), CALL(recvfrom), CALL(sendto), CALL(read), CALL(readv),
	CALL(write), CALL(writev), CALL(accept4), CALL(connect), CALL(setsockopt), CALL(getsockopt), CALL(shutdown), CALL(close),
	CALL(fcntl),
	/* memory */
	CALL(brk), CALL(mmap), CALL(munmap), CALL(mremap), CALL(madvise), CALL(futex), CALL(getrandom),
/* files: the bundle's lists and audit log, resolv.conf */
#ifdef SYS_rename
	CALL(rename), CALL(unlink),
#endif
#ifdef SYS_renameat
	CALL(renameat),
#endif
	CALL(openat), CALL(fstat), CALL(newfstatat), CALL(statx), CALL(lseek), CALL(fsync), CALL(flock), CALL(renameat2),
	CALL(unlinkat), CALL(geteuid), CALL(getpid), CALL(sysinfo), CALL(pread64), CALL(ftruncate),
	/* sockets towards resolvers only; of ioctl(2) only what evbuffer_read() asks: how much there is to read */
	{.number = SYS_socket, .conditional = true, .value = AF_INET},
	{.number = SYS_socket, .conditional = true, .value = AF_INET6},
	{.number = SYS_ioctl, .conditional = true, .index = 1, .value = 0x541b /* FIONREAD */},
};
/* clang-format on */

int isolate_worker(const char *bundle_path, bool *landlocked, struct error *error)
{
	/* Where /etc/resolv.conf really is: systemd-resolved and resolvconf keep it elsewhere. */
	cleanup_free char *resolv_conf = realpath("/etc/resolv.conf", NULL);
	char *slash = resolv_conf ? strrchr(resolv_conf, '/') : NULL;
	struct isolate_folder folders[] = {
		{"/etc", ISOLATE_READ},
		{slash && slash != resolv_conf ? resolv_conf : NULL, ISOLATE_READ},
		{bundle_path, ISOLATE_CHANGE},
	};

	if (slash)
		*slash = '\0';
	return isolate_capabilities(error) ?: isolate_files(folders, sizeof(folders) / sizeof(*folders), landlocked, error)
		       ?: isolate_calls(allowed, sizeof(allowed) / sizeof(*allowed), ISOLATE_KILL, error);
}
