/* Starting and ending the forwarder. */
#include "hook/forwarder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/text.h"
#include "hook/program.h"
#include "state/forwarder.h"
#include "state/hub.h"

#define READY_LINE_MAX     512
#define KILLED_PATIENCE_MS 1000

static int standard_streams_silence(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0)
		return -errno;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(null_fd, fd) < 0)
			return -errno;
	return 0;
}

/* The child, from fork to exec. */
static void __attribute__((noreturn))
child_become_forwarder(const char *program, const char *worker, const struct forwarder_order *order, int ready_fd)
{
	char id[HUB_ID_MAX];
	char *const arguments[] = {"terok-shield-supervisor", "--worker", (char *)worker, "--bundle", (char *)order->bundle->path,
		"--container", (char *)order->container, "--via", (char *)settings_via_name(order->settings->via), "--id", id, "--hub",
		(char *)order->settings->hub, "--meta", (char *)order->meta, order->settings->audit ? "--audit" : NULL, NULL};
	char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	int from[] = {order->netns_fd, order->init_fd, ready_fd, order->bundle->fd};
	char message[256];
	sigset_t none;
	int rc;

	snprintf(id, sizeof(id), "%s", order->id);
	_Static_assert(sizeof(from) / sizeof(*from) == FORWARDER_DESCRIPTORS_END - FORWARDER_NETNS, "one for each");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	rc = standard_streams_silence();
	if (!rc)
		rc = descriptor_arrange(from, FORWARDER_DESCRIPTORS_END - FORWARDER_NETNS, FORWARDER_NETNS);
	if (!rc && chdir("/") != 0) /* not to hold the OCI bundle */
		rc = -errno;
	if (!rc) {
		execve(program, arguments, environment);
		rc = -errno;
	}
	snprintf(message, sizeof message, "error: cannot execute the forwarder: %s\n", strerror(-rc));
	(void)!write(from[2], message, strlen(message));
	_exit(127);
}

int forwarder_start(struct forwarder *forwarder, const struct forwarder_order *order, struct error *error)
{
	char program[PATH_MAX], worker[PATH_MAX];
	int pipe_fds[2];
	const char *worker_name = settings_use_tls(order->settings) ? "terok-shield-proxy-tls" : "terok-shield-proxy";
	int rc = program_beside(program, "terok-shield-supervisor", error) ?: program_beside(worker, worker_name, error);

	if (rc)
		return rc;
	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return error_errno(error, errno, "cannot make a pipe for the forwarder");
	forwarder->ready_fd = pipe_fds[0];
	forwarder->pid = fork();
	if (forwarder->pid == 0)
		child_become_forwarder(program, worker, order, pipe_fds[1]);
	close(pipe_fds[1]);
	if (forwarder->pid < 0) {
		rc = error_errno(error, errno, "cannot start a process for the forwarder");
		forwarder->pid = 0;
		forwarder_release(forwarder);
		return rc;
	}
	forwarder->pid_fd = pidfd_open(forwarder->pid, 0);
	if (forwarder->pid_fd < 0) {
		rc = error_errno(error, errno, "cannot open the forwarder's process");
		forwarder_stop(forwarder);
		return rc;
	}
	return 0;
}

/* It closed the pipe without a word. */
static int death_explain(struct forwarder *forwarder, struct error *error)
{
	siginfo_t info = {0};

	forwarder_end(forwarder->pid_fd, 0); /* closing the pipe alone would not be death */
	if (waitid(P_PIDFD, (id_t)forwarder->pid_fd, &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid) {
		if (info.si_code == CLD_EXITED)
			return error_set(error, ECHILD, "the forwarder ended before it was ready, with exit status %d", info.si_status);
		return error_set(error, ECHILD, "the forwarder ended before it was ready, by signal %d", info.si_status);
	}
	return error_set(error, ECHILD, "the forwarder ended before it was ready");
}

int forwarder_wait_ready(struct forwarder *forwarder, unsigned timeout_ms, struct error *error)
{
	int64_t deadline_ms = clock_now_ms() + timeout_ms;
	char line[READY_LINE_MAX + 1];
	size_t length = 0;

	for (;;) {
		struct pollfd ready = {.fd = forwarder->ready_fd, .events = POLLIN};
		int64_t left_ms = deadline_ms - clock_now_ms();
		ssize_t count;

		if (left_ms <= 0)
			return error_set(error, ETIMEDOUT, "the forwarder was not ready within %u ms", timeout_ms);
		if (poll(&ready, 1, (int)left_ms) <= 0)
			continue;
		count = read(forwarder->ready_fd, line + length, READY_LINE_MAX - length);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			break;
		length += (size_t)count;
		if (length == READY_LINE_MAX || memchr(line, '\n', length))
			break;
	}
	line[length] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, "ready") == 0)
		return 0;
	if (strncmp(line, "error: ", strlen("error: ")) == 0)
		return error_set(error, EIO, "the forwarder cannot start: %s",
			text_escaped((char[READY_LINE_MAX * 2]){0}, READY_LINE_MAX * 2, line + strlen("error: ")));
	return death_explain(forwarder, error);
}

void forwarder_end(int pid_fd, unsigned patience_ms)
{
	struct pollfd end = {.fd = pid_fd, .events = POLLIN};

	if (pidfd_send_signal(pid_fd, SIGTERM, NULL, 0) != 0)
		return; /* it has ended */
	if (poll(&end, 1, (int)patience_ms) > 0)
		return;
	pidfd_send_signal(pid_fd, SIGKILL, NULL, 0);
	poll(&end, 1, KILLED_PATIENCE_MS);
}

void forwarder_stop(struct forwarder *forwarder)
{
	if (forwarder->pid <= 0)
		return;
	if (forwarder->pid_fd >= 0)
		forwarder_end(forwarder->pid_fd, 500);
	else
		kill(forwarder->pid, SIGKILL);
	waitpid(forwarder->pid, NULL, 0);
	forwarder->pid = 0;
	forwarder_release(forwarder);
}

void forwarder_release(struct forwarder *forwarder)
{
	if (forwarder->pid_fd >= 0)
		close(forwarder->pid_fd);
	if (forwarder->ready_fd >= 0)
		close(forwarder->ready_fd);
	forwarder->pid_fd = forwarder->ready_fd = -1;
}
