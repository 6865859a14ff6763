/* Work inside a container's network namespace.
 *
 * The child writes one header and then its output to a pipe. A header that is missing or cut short means that the child died, which
 * is an error. */
#include "cli/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "fw/netns.h"

#define INSIDE_TIMEOUT_MS 60000
#define ASK_TIMEOUT_MS    5000
#define INSIDE_OUTPUT_MAX (64u << 20)

struct header {
	int rc;
	struct error error;
	size_t length;
};

/* True while the process behind a pidfd runs. */
static bool is_alive(int pidfd)
{
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};
	return poll(&ended, 1, 0) == 0;
}

static int enter(const struct bundle_runtime *runtime, int pidfd, struct error *error)
{
	int rc = netns_enter_as_owner(runtime->init_pid, error);
	/* The number may have been given to another process while we entered; the pidfd says whether ours was alive all the time. */
	return rc || is_alive(pidfd) ? rc : error_set(error, ESRCH, "the container has just ended");
}

/* entered: 0, or why there is no work to be done. */
static bool work_and_send(
	int fd, int entered, const struct error *refused, int (*work)(void *, struct text *, struct error *), void *context)
{
	cleanup_text struct text output = {0};
	struct header header = {.rc = entered};
	if (entered)
		header.error = *refused;
	else
		header.rc = work(context, &output, &header.error);
	if (header.rc == 0 && text_failed(&output))
		header.rc = error_set(&header.error, ENOMEM, "out of memory");
	header.length = text_failed(&output) ? 0 : output.length;
	return file_write_all(fd, &header, sizeof(header)) == 0 && file_write_all(fd, output.data, header.length) == 0;
}

static int answer_take(const struct text *answer, struct text *output, struct error *error)
{
	struct header header;
	if (answer->length < sizeof(header))
		return error_set(error, EPROTO, "the process that entered the container's network namespace died");
	memcpy(&header, answer->data, sizeof(header));
	if (header.length != answer->length - sizeof(header))
		return error_set(error, EPROTO, "the process that entered the container's network namespace died halfway");
	if (output)
		text_add_bytes(output, answer->data + sizeof(header), header.length);
	if (header.rc) {
		header.error.text[sizeof(header.error.text) - 1] = '\0';
		return error_set(error, header.error.code > 0 ? header.error.code : EIO, "%s", header.error.text);
	}
	return output && text_failed(output) ? error_set(error, ENOMEM, "out of memory") : 0;
}

int inside_run(const struct bundle_runtime *runtime, int (*work)(void *context, struct text *output, struct error *error), void *context,
	struct text *output, struct error *error)
{
	cleanup_fd int pidfd = bundle_process_open(runtime->init_pid, runtime->init_start);
	if (pidfd < 0)
		return error_set(error, ESRCH, "the container does not run");
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return error_errno(error, errno, "cannot make a pipe");
	cleanup_fd int read_fd = ends[0];
	cleanup_fd int write_fd = ends[1];
	pid_t child = fork();
	if (child < 0)
		return error_errno(error, errno, "cannot fork");
	if (child == 0) {
		struct error refused = {0};
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		int entered = enter(runtime, pidfd, &refused);
		_exit(work_and_send(write_fd, entered, &refused, work, context) ? 0 : 1);
	}
	close(take_fd(write_fd));
	cleanup_text struct text answer = {0};
	int rc = file_read_pipe(read_fd, INSIDE_OUTPUT_MAX, INSIDE_TIMEOUT_MS, &answer);
	if (rc)
		kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (rc)
		return error_errno(error, -rc, "working in the container's network namespace");
	return answer_take(&answer, output, error);
}

/* ---- again and again ---- */

/* The child outlives much that the caller opens and closes; a connection of his would not end while the child has it too. */
static void others_close(int a, int b)
{
	unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
	if (low > STDERR_FILENO + 1)
		close_range(STDERR_FILENO + 1, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0U, 0);
}

/* The child: an octet asks for one more round; the end of the connection is the end of the caller. */
static void serve(
	int fd, const struct bundle_runtime *runtime, int pidfd, int (*work)(void *, struct text *, struct error *), void *context)
{
	struct error refused = {0};
	char octet;
	int entered = enter(runtime, pidfd, &refused);
	ssize_t count;
	while ((count = read(fd, &octet, 1)) == 1 || (count < 0 && errno == EINTR)) {
		if (count < 0)
			continue; /* a terminal's change of size is told to the children too */
		if (!entered && !is_alive(pidfd))
			entered = error_set(&refused, ESRCH, "the container has just ended");
		if (!work_and_send(fd, entered, &refused, work, context))
			return;
	}
}

int inside_open(struct inside *inside, const struct bundle_runtime *runtime,
	int (*work)(void *context, struct text *output, struct error *error), void *context, struct error *error)
{
	int ends[2];
	*inside = (struct inside)INSIDE_INIT;
	cleanup_fd int pidfd = bundle_process_open(runtime->init_pid, runtime->init_start);
	if (pidfd < 0)
		return error_set(error, ESRCH, "the container does not run");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return error_errno(error, errno, "cannot make a pair of sockets");
	inside->fd = ends[0];
	cleanup_fd int child_fd = ends[1];
	inside->child = fork();
	if (inside->child < 0) {
		inside->child = 0;
		return error_errno(error, errno, "cannot fork");
	}
	if (inside->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		others_close(child_fd, pidfd);
		serve(child_fd, runtime, pidfd, work, context);
		_exit(0);
	}
	return 0;
}

/* Reads one answer, whose length is in its head. */
static int answer_read(int fd, struct text *answer)
{
	int64_t deadline_ms = clock_now_ms() + ASK_TIMEOUT_MS;
	size_t wanted = sizeof(struct header);
	char chunk[65536];
	while (answer->length < wanted) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};
		int64_t left_ms = deadline_ms - clock_now_ms();
		size_t room = wanted - answer->length < sizeof(chunk) ? wanted - answer->length : sizeof(chunk);
		if (left_ms <= 0)
			return -ETIMEDOUT;
		if (poll(&readable, 1, (int)left_ms) <= 0)
			continue;
		ssize_t count = read(fd, chunk, room);
		if (count == 0 || (count < 0 && errno == ECONNRESET))
			return -EPROTO;
		if (count < 0 && errno != EINTR)
			return -errno;
		text_add_bytes(answer, chunk, count > 0 ? (size_t)count : 0);
		if (text_failed(answer))
			return -ENOMEM;
		if (wanted == sizeof(struct header) && answer->length == wanted) {
			wanted += ((const struct header *)answer->data)->length;
			if (wanted > INSIDE_OUTPUT_MAX)
				return -EPROTO;
		}
	}
	return 0;
}

int inside_ask(struct inside *inside, struct text *output, struct error *error)
{
	cleanup_text struct text answer = {0};
	int rc = send(inside->fd, "?", 1, MSG_NOSIGNAL) == 1 ? answer_read(inside->fd, &answer) : -EPROTO;
	if (rc == -ETIMEDOUT)
		return error_errno(error, ETIMEDOUT, "working in the container's network namespace");
	return rc && rc != -EPROTO ? error_errno(error, -rc, "working in the container's network namespace")
				   : answer_take(&answer, output, error);
}

void inside_close(struct inside *inside)
{
	if (inside->fd >= 0)
		close(inside->fd);
	if (inside->child > 0) {
		kill(inside->child, SIGKILL);
		while (waitpid(inside->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*inside = (struct inside)INSIDE_INIT;
}
