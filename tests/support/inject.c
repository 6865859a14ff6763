/* Faults for tests, with ptrace(2). */
#include "support/inject.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRACEES_MAX 64
#define OPTIONS     (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

/* A thread that is traced. */
struct tracee {
	pid_t id;     /* 0: this entry is free */
	int role;     /* -1: none of ours */
	bool known;   /* whose child it is, is known */
	bool waiting; /* it stopped before that */
	int pending;  /* what its call is to return, an errno; 0: the call is made */
};

struct tracer {
	struct inject *inject;
	struct tracee tracees[TRACEES_MAX];
	uint16_t made[INJECT_ROLES_MAX][INJECT_NUMBERS_MAX];
};

static _Noreturn void inject_die(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	abort();
}

/* ---- the calls ---- */

#define CALL(name, error)                                                                                                                  \
	{                                                                                                                                  \
		SYS_##name, #name, error                                                                                                   \
	}

static const struct {
	unsigned number;
	const char *name;
	int error;
} calls[] = {
	/* clang-format off: as many to a line as fit */
	CALL(read, EIO), CALL(write, ENOSPC), CALL(close, EIO), CALL(fstat, EIO), CALL(lseek, ESPIPE), CALL(mmap, ENOMEM),
	CALL(mprotect, ENOMEM), CALL(munmap, EINVAL), CALL(mremap, ENOMEM), CALL(madvise, EINVAL), CALL(brk, ENOMEM),
	CALL(rt_sigaction, EINVAL), CALL(rt_sigprocmask, EINVAL), CALL(ioctl, ENOTTY), CALL(pread64, EIO), CALL(writev, ENOSPC),
	CALL(openat, EMFILE), CALL(newfstatat, EACCES), CALL(readlinkat, EACCES), CALL(faccessat, EACCES), CALL(faccessat2, EACCES),
	CALL(getdents64, EIO), CALL(fcntl, EMFILE), CALL(flock, ENOLCK), CALL(fsync, EIO), CALL(fchmod, EPERM), CALL(fchown, EPERM),
	CALL(renameat, ENOSPC), CALL(renameat2, ENOSPC), CALL(unlinkat, EROFS), CALL(mkdirat, ENOSPC), CALL(chdir, EACCES),
	CALL(ftruncate, ENOSPC), CALL(statx, EACCES), CALL(statfs, EACCES), CALL(getcwd, ENOENT), CALL(pipe2, EMFILE), CALL(dup3, EBUSY),
	CALL(close_range, ENOSYS), CALL(socket, EMFILE), CALL(bind, EADDRINUSE), CALL(listen, EADDRINUSE), CALL(connect, ECONNREFUSED),
	CALL(sendto, ENOBUFS), CALL(sendmsg, ENOBUFS), CALL(recvfrom, ENOBUFS), CALL(recvmsg, ENOBUFS), CALL(recvmmsg, ENOBUFS),
	CALL(sendmmsg, ENOBUFS), CALL(setsockopt, ENOPROTOOPT), CALL(getsockopt, ENOPROTOOPT), CALL(getsockname, ENOBUFS),
	CALL(accept4, EMFILE), CALL(clone, EAGAIN), CALL(execve, ENOENT), CALL(execveat, ENOENT), CALL(wait4, EINVAL), CALL(waitid, EINVAL),
	CALL(kill, EPERM), CALL(setsid, EPERM), CALL(setns, EPERM), CALL(prctl, EINVAL), CALL(capget, EPERM), CALL(capset, EPERM),
	CALL(prlimit64, EPERM), CALL(pidfd_open, EMFILE), CALL(pidfd_send_signal, ENOSYS), CALL(signalfd4, EMFILE), CALL(getrandom, ENOSYS),
	CALL(futex, EINTR), CALL(landlock_create_ruleset, ENOSYS), CALL(landlock_add_rule, ENOMEM), CALL(landlock_restrict_self, E2BIG),
	CALL(ppoll, ENOMEM), CALL(sched_getaffinity, EINVAL), CALL(sigaltstack, ENOMEM), CALL(uname, EFAULT), CALL(sysinfo, EFAULT),
	CALL(clock_gettime, EINVAL), CALL(clock_nanosleep, EINTR), CALL(rseq, ENOSYS), CALL(set_robust_list, EINVAL),
	CALL(epoll_create1, EMFILE), CALL(epoll_ctl, ENOMEM), CALL(eventfd2, EMFILE), CALL(timerfd_create, EMFILE),
	CALL(inotify_init1, EMFILE), CALL(inotify_add_watch, ENOSPC), CALL(exit, 0), CALL(exit_group, 0), CALL(getpid, 0), CALL(gettid, 0),
	CALL(getppid, 0), CALL(getuid, 0), CALL(geteuid, 0), CALL(getgid, 0), CALL(getegid, 0), CALL(umask, 0), CALL(rt_sigreturn, 0),
	CALL(restart_syscall, 0), CALL(set_tid_address, 0), CALL(sched_yield, 0), CALL(getpgid, 0), CALL(setitimer, EINVAL),
#ifdef SYS_clone3
	CALL(clone3, EAGAIN),
#endif
#ifdef SYS_open /* older spellings, which newer machines do not have */
	CALL(open, EMFILE), CALL(stat, EACCES), CALL(lstat, EACCES), CALL(access, EACCES), CALL(readlink, EACCES), CALL(rename, ENOSPC),
	CALL(unlink, EROFS), CALL(poll, ENOMEM), CALL(pipe, EMFILE), CALL(dup2, EBUSY), CALL(fork, EAGAIN), CALL(vfork, EAGAIN),
	CALL(alarm, 0), CALL(arch_prctl, EINVAL), CALL(time, 0), CALL(epoll_wait, EINTR),
#endif
	/* clang-format on */
};

const char *inject_name(unsigned number, int *error)
{
	static char unknown[32];

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (calls[i].number != number)
			continue;
		*error = calls[i].error;
		return calls[i].name;
	}
	snprintf(unknown, sizeof(unknown), "call %u", number);
	*error = ENOSYS;
	return unknown;
}

/* ---- registers ---- */

#if defined(__x86_64__)
static int call_replace(pid_t id, long number)
{
	return (int)ptrace(PTRACE_POKEUSER, id, offsetof(struct user_regs_struct, orig_rax), number);
}

static int result_replace(pid_t id, long result)
{
	return (int)ptrace(PTRACE_POKEUSER, id, offsetof(struct user_regs_struct, rax), result);
}
#define REGISTERS_KNOWN 1
#elif defined(__aarch64__)
static int call_replace(pid_t id, long number)
{
	int value = (int)number;
	struct iovec part = {&value, sizeof(value)};

	return (int)ptrace(PTRACE_SETREGSET, id, NT_ARM_SYSTEM_CALL, &part);
}

static int result_replace(pid_t id, long result)
{
	struct user_regs_struct registers;
	struct iovec part = {&registers, sizeof(registers)};

	if (ptrace(PTRACE_GETREGSET, id, NT_PRSTATUS, &part))
		return -1;
	registers.regs[0] = (unsigned long long)result;
	return (int)ptrace(PTRACE_SETREGSET, id, NT_PRSTATUS, &part);
}
#define REGISTERS_KNOWN 1
#else
static int call_replace(pid_t id, long number)
{
	return (void)id, (void)number, -1;
}
static int result_replace(pid_t id, long result)
{
	return (void)id, (void)result, -1;
}
#define REGISTERS_KNOWN 0
#endif

const char *inject_missing(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0);
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		return "processes cannot be traced here";
	return REGISTERS_KNOWN ? NULL : "this machine's registers are not known to the test";
}

/* ---- the tracing process ---- */

static struct tracee *tracee_find(struct tracer *tracer, pid_t id)
{
	for (size_t i = 0; i < TRACEES_MAX; i++)
		if (tracer->tracees[i].id == id)
			return &tracer->tracees[i];
	return NULL;
}

static struct tracee *tracee_add(struct tracer *tracer, pid_t id)
{
	struct tracee *tracee = tracee_find(tracer, 0);

	if (!tracee)
		inject_die("too many threads");
	*tracee = (struct tracee){.id = id, .role = -1};
	return tracee;
}

static void tracee_go_on(const struct tracer *tracer, struct tracee *tracee, int signal)
{
	bool free = tracer->inject->done;

	/* ESRCH: it was killed meanwhile, and its end will be told */
	if (ptrace(free ? PTRACE_DETACH : PTRACE_SYSCALL, tracee->id, NULL, (void *)(intptr_t)signal) && errno != ESRCH)
		inject_die("going on");
	if (free)
		tracee->id = 0;
}

/* The role of the program that a process has become; that of whoever started it when it is none of ours. */
static int role_read(const struct inject *inject, const struct tracee *tracee)
{
	char path[64], program[4096];
	const char *name;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)tracee->id);
	length = readlink(path, program, sizeof(program) - 1);
	program[length > 0 ? length : 0] = '\0';
	name = strrchr(program, '/');
	for (int i = 0; name && i < INJECT_ROLES_MAX && inject->roles[i]; i++)
		if (strcmp(name + 1, inject->roles[i]) == 0)
			return i;
	return -1;
}

static void call_entered(struct tracer *tracer, struct tracee *tracee, unsigned number, uint64_t first)
{
	struct inject *inject = tracer->inject;
	struct inject_site site = {.role = (uint8_t)tracee->role, .number = (uint16_t)number, .first = (uint32_t)first};

	if (tracee->role < 0 || number >= INJECT_NUMBERS_MAX || inject->done)
		return;
	site.ordinal = tracer->made[tracee->role][number]++;
	if (inject->count < INJECT_SITES_MAX)
		inject->sites[inject->count++] = site;
	if (!inject->armed || site.role != inject->site.role || site.number != inject->site.number || site.ordinal != inject->site.ordinal)
		return;
	inject->armed = false;
	if (inject->error == INJECT_KILL) {
		kill(tracee->id, SIGKILL);
		inject->done = true;
		return;
	}
	/* another one, which is harmless and which seccomp lets pass */
	if (call_replace(tracee->id, SYS_getpid))
		inject_die("replacing a call");
	tracee->pending = inject->error;
}

static void call_stopped(struct tracer *tracer, struct tracee *tracee)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->id, (void *)sizeof(info), &info) < 0)
		return; /* killed meanwhile */
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		call_entered(tracer, tracee, (unsigned)info.entry.nr, info.entry.args[0]);
	} else if (tracee->pending) {
		if (result_replace(tracee->id, -tracee->pending))
			inject_die("replacing a result");
		tracee->pending = 0;
		tracer->inject->done = true;
	}
}

/* A thread or process was started: its role is that of who started it. */
static void start_seen(struct tracer *tracer, const struct tracee *parent)
{
	struct tracee *child;
	unsigned long id;

	if (ptrace(PTRACE_GETEVENTMSG, parent->id, NULL, &id))
		return;
	child = tracee_find(tracer, (pid_t)id);
	if (!child)
		child = tracee_add(tracer, (pid_t)id);
	child->role = parent->role;
	child->known = true;
	if (child->waiting) {
		child->waiting = false;
		tracee_go_on(tracer, child, 0);
	}
}

static void stop_handle(struct tracer *tracer, struct tracee *tracee, int status)
{
	int event = status >> 16, signal = WSTOPSIG(status);

	if (signal == (SIGTRAP | 0x80)) {
		call_stopped(tracer, tracee);
		signal = 0;
	} else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
		start_seen(tracer, tracee);
		signal = 0;
	} else if (event == PTRACE_EVENT_EXEC) {
		tracee->role = role_read(tracer->inject, tracee);
		signal = 0;
	} else if (event) { /* PTRACE_EVENT_STOP: a new one's first */
		signal = 0;
		if (!tracee->known) {
			tracee->waiting = true;
			return;
		}
	}
	tracee_go_on(tracer, tracee, signal);
}

static _Noreturn void trace(struct inject *inject, pid_t program)
{
	static struct tracer tracer;
	struct tracee *tracee;
	int status;
	pid_t id;

	tracer.inject = inject;
	tracee_add(&tracer, program)->known = true;
	while (!inject->done || !inject->ended) {
		id = waitpid(-1, &status, __WALL);
		if (id < 0)
			break;
		tracee = tracee_find(&tracer, id);
		if (WIFSTOPPED(status)) {
			stop_handle(&tracer, tracee ? tracee : tracee_add(&tracer, id), status);
			continue;
		}
		if (tracee)
			tracee->id = 0;
		if (id == program) {
			inject->status = status;
			__atomic_store_n(&inject->ended, true, __ATOMIC_SEQ_CST);
		}
	}
	_exit(0); /* which lets go of whoever is still traced */
}

void inject_start(struct inject *inject, void (*become)(void *context), void *context)
{
	pid_t program, tracer;
	int go[2];

	inject->done = inject->ended = false;
	inject->count = 0;
	tracer = fork();
	if (tracer < 0)
		inject_die("fork");
	if (tracer > 0) {
		inject->tracer = tracer;
		return;
	}
	for (int fatal = 1; fatal < SIGSYS; fatal++) /* the test's handlers are not for this process */
		signal(fatal, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (pipe(go))
		inject_die("pipe");
	program = fork();
	if (program == 0) {
		char octet;

		close(go[1]);
		if (read(go[0], &octet, 1) < 0)
			_exit(126);
		close(go[0]);
		become(context);
		_exit(126);
	}
	close(go[0]);
	if (program < 0 || ptrace(PTRACE_SEIZE, program, NULL, (void *)OPTIONS))
		inject_die("PTRACE_SEIZE");
	close(go[1]);
	trace(inject, program);
}

static bool has_ended(const struct inject *inject)
{
	return __atomic_load_n(&inject->ended, __ATOMIC_SEQ_CST);
}

int inject_wait(struct inject *inject)
{
	while (!has_ended(inject)) {
		if (inject->tracer && waitpid(inject->tracer, NULL, WNOHANG) == inject->tracer)
			inject->tracer = 0;
		if (!inject->tracer && !has_ended(inject))
			inject_die("the tracing process ended");
		nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
	}
	return inject->status;
}

void inject_stop(struct inject *inject)
{
	if (!inject->tracer)
		return;
	kill(inject->tracer, SIGKILL);
	waitpid(inject->tracer, NULL, 0);
	inject->tracer = 0;
}

struct inject *inject_new(void)
{
	void *memory = mmap(NULL, sizeof(struct inject), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		inject_die("mmap");
	return memory;
}
