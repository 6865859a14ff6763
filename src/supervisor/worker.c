/* One worker process of the forwarder. */
#include "supervisor/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/proc_stat.h"

#define STAT_MAX 1024

/* The child, from fork to exec. */
static void __attribute__((noreturn))
child_become_worker(const struct worker_order *order, int pipe_fd, pid_t parent, char *const arguments[])
{
	char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	int from[WORKER_DESCRIPTORS_END - WORKER_PIPE], result;
	char message[256];
	sigset_t none;

	for (int i = WORKER_PIPE; i < WORKER_DESCRIPTORS_END; i++)
		from[i - WORKER_PIPE] = order->sockets->fds[i];
	from[0] = pipe_fd;
	from[WORKER_PROGRAM - WORKER_PIPE] = order->program_fd;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before that was set */
		_exit(1);
	result = descriptor_arrange(from, WORKER_DESCRIPTORS_END - WORKER_PIPE, WORKER_PIPE);
	if (!result) {
		execveat(WORKER_PROGRAM, "", arguments, environment, AT_EMPTY_PATH);
		result = -errno;
	}
	snprintf(message, sizeof(message), WORKER_ERROR "cannot execute terok-shield-proxy: %s\n", strerror(-result));
	(void)!write(from[0], message, strlen(message));
	_exit(127);
}

int worker_start(struct worker *worker, const struct worker_order *order)
{
	char serial[16], restarts[16];
	char *const arguments[] = {"terok-shield-proxy", "--bundle", (char *)order->bundle, "--serial", serial, "--restarts", restarts,
		order->kept ? "--kept" : NULL, NULL};
	pid_t parent = getpid();
	int ends[2];

	*worker = (struct worker)WORKER_INIT;
	snprintf(serial, sizeof(serial), "%u", order->serial);
	snprintf(restarts, sizeof(restarts), "%u", order->restarts);
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK | O_DIRECT)) /* O_DIRECT: each write(2) is a message of its own */
		return -errno;
	worker->pid = fork();
	if (worker->pid == 0)
		child_become_worker(order, ends[1], parent, arguments);
	close(ends[1]);
	if (worker->pid < 0) {
		int result = -errno;

		close(ends[0]);
		worker->pid = 0;
		return result;
	}
	worker->pipe_fd = ends[0];
	worker->pid_fd = pidfd_open(worker->pid, 0);
	if (worker->pid_fd < 0) {
		int result = -errno;

		close(take_fd(worker->pipe_fd)); /* the child cannot say that it is ready, and is not waited for */
		kill(worker->pid, SIGKILL);
		waitpid(worker->pid, NULL, 0);
		worker->pid = 0;
		return result;
	}
	return 0;
}

size_t worker_hear(struct worker *worker, char message[WORKER_MESSAGE_MAX + 1])
{
	ssize_t length = worker->pipe_fd < 0 ? -1 : read(worker->pipe_fd, message, WORKER_MESSAGE_MAX);

	if (length == 0) /* its end is closed: there will be no more */
		close(take_fd(worker->pipe_fd));
	message[length > 0 ? length : 0] = '\0';
	return length > 0 ? (size_t)length : 0;
}

bool worker_works(struct worker *worker)
{
	char path[64], line[STAT_MAX + 1];
	uint64_t user, system;
	cleanup_fd int fd = -1;
	ssize_t length;
	bool used;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)worker->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, line, STAT_MAX);
	line[length > 0 ? length : 0] = '\0';
	if (!proc_stat_number(line, PROC_STAT_UTIME, &user) || !proc_stat_number(line, PROC_STAT_STIME, &system))
		return false;
	used = user + system != worker->cpu;
	worker->cpu = user + system;
	return used || *proc_stat_field(line, PROC_STAT_STATE) == 'R';
}

void worker_kill(const struct worker *worker)
{
	pidfd_send_signal(worker->pid_fd, SIGKILL, NULL, 0);
}

void worker_reap(struct worker *worker, siginfo_t *end)
{
	*end = (siginfo_t){0};
	while (waitid(P_PIDFD, (id_t)worker->pid_fd, end, WEXITED) && errno == EINTR)
		;
	close(worker->pid_fd);
	if (worker->pipe_fd >= 0)
		close(worker->pipe_fd);
	*worker = (struct worker)WORKER_INIT;
}

void worker_end(struct worker *worker, int patience_ms)
{
	struct pollfd gone = {.fd = worker->pid_fd, .events = POLLIN};
	siginfo_t end;

	if (!worker->pid)
		return;
	pidfd_send_signal(worker->pid_fd, SIGTERM, NULL, 0);
	if (poll(&gone, 1, patience_ms) <= 0)
		worker_kill(worker);
	worker_reap(worker, &end);
}
