/* Giving up what the forwarder does not need.
 *
 * Theory of operation. The forwarder reads what a hostile workload and hostile servers send. Should one of them take it over, there must be
 * little to take: no capability but CAP_NET_ADMIN over the user namespace it runs in, no way to gain another by executing a program, no program to
 * execute, no file but its bundle to change, no socket but towards resolvers to open. The stages stand in the order in which they must come: Landlock and seccomp
 * need no_new_privs, and Landlock's own calls are not in seccomp's list.
 */
#include "proxy/isolate.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A sanitizer's runtime looks for leaks at the end: it reads /proc, attaches to its own process, and makes calls that the loop does not. */
#if defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#endif
#ifdef SANITIZED
#define DUMPABLE 1
#define SANITIZER_FOLDER "/proc"
#else
#define DUMPABLE 0
#endif

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

int isolate_capabilities(struct error *error)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_errno(error, errno, "setting no_new_privs");
	if (prctl(PR_SET_DUMPABLE, DUMPABLE, 0, 0, 0))
		return error_errno(error, errno, "making the process unattachable");
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN))
		return error_set(error, EPERM, "choosing CAP_NET_ADMIN");
	if (capng_apply(CAPNG_SELECT_ALL))
		return error_set(error, EPERM, "dropping capabilities");
	return 0;
}

/* ---- files ---- */

#define ACCESS_ALL_V1 ((1ull << 13) - 1) /* ABI 1: execute to make_sym */
#define ACCESS_REFER (1ull << 13)	 /* ABI 2 */
#define ACCESS_TRUNCATE (1ull << 14)	 /* ABI 3 */
#define ACCESS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_CHANGE                                                                                                                              \
	(ACCESS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	 ACCESS_TRUNCATE)

/* A folder that does not exist needs no rule. */
static int rule_add(int ruleset_fd, const char *path, uint64_t access)
{
	cleanup_fd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct landlock_path_beneath_attr rule = {.allowed_access = access, .parent_fd = fd};

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return syscall(SYS_landlock_add_rule, ruleset_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) ? -errno : 0;
}

/* Where /etc/resolv.conf really is: systemd-resolved and resolvconf keep it elsewhere. */
static int resolv_conf_rule_add(int ruleset_fd)
{
	cleanup_free char *path = realpath("/etc/resolv.conf", NULL);
	char *slash = path ? strrchr(path, '/') : NULL;

	if (!slash || slash == path)
		return 0;
	*slash = '\0';
	return rule_add(ruleset_fd, path, ACCESS_READ);
}

int isolate_files(const char *bundle_path, bool *held, struct error *error)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	uint64_t handled = ACCESS_ALL_V1 | (abi >= 2 ? ACCESS_REFER : 0) | (abi >= 3 ? ACCESS_TRUNCATE : 0);
	struct landlock_ruleset_attr attributes = {.handled_access_fs = handled};
	cleanup_fd int fd = -1;
	int result;

	*held = abi > 0;
	if (abi < 0 && (errno == ENOSYS || errno == EOPNOTSUPP))
		return 0;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (fd < 0)
		return error_errno(error, errno, "making a Landlock ruleset");
	result = rule_add(fd, "/etc", ACCESS_READ & handled) ?: resolv_conf_rule_add(fd) ?: rule_add(fd, bundle_path, ACCESS_CHANGE & handled);
#ifdef SANITIZER_FOLDER
	result = result ?: rule_add(fd, SANITIZER_FOLDER, ACCESS_READ & handled);
#endif
	if (result)
		return error_errno(error, -result, "filling the Landlock ruleset");
	if (syscall(SYS_landlock_restrict_self, fd, 0))
		return error_errno(error, errno, "entering Landlock");
	return 0;
}

/* ---- system calls ---- */

#ifdef SANITIZED
int isolate_syscalls(struct error *error)
{
	(void)error;
	return 0;
}
#else

static const int allowed[] = {
	/* the loop */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_ctl), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(timerfd_settime),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(restart_syscall), SCMP_SYS(clock_nanosleep), SCMP_SYS(exit), SCMP_SYS(exit_group),
	/* sockets: clients, upstream, netlink (open before), the control socket */
	SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(read), SCMP_SYS(readv),
	SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(shutdown), SCMP_SYS(close),
	SCMP_SYS(fcntl),
	/* memory */
	SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(getrandom),
	/* files: the bundle's lists and audit log, resolv.conf */
	SCMP_SYS(openat), SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(lseek), SCMP_SYS(fsync), SCMP_SYS(flock), SCMP_SYS(renameat),
	SCMP_SYS(renameat2), SCMP_SYS(rename), SCMP_SYS(unlinkat), SCMP_SYS(unlink), SCMP_SYS(geteuid), SCMP_SYS(getpid), SCMP_SYS(sysinfo), SCMP_SYS(pread64), SCMP_SYS(ftruncate),
	SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_rm_watch), /* resolv.conf; the descriptor is open before */
};

static int filter_fill(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(*allowed); i++) {
		int result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);

		if (result)
			return result;
	}
	/* sockets towards resolvers only; of ioctl(2) only what evbuffer_read() asks: how much there is to read */
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET))
		       ?: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_INET6))
			  ?: seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, 0x541b /* FIONREAD */));
}

int isolate_syscalls(struct error *error)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int result;

	if (!filter)
		return error_set(error, ENOMEM, "making a seccomp filter");
	result = filter_fill(filter);
	if (!result)
		result = seccomp_load(filter);
	seccomp_release(filter);
	return result ? error_errno(error, -result, "loading the seccomp filter") : 0;
}
#endif
