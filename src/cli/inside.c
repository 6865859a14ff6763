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
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fw/netns.h"

#define INSIDE_TIMEOUT_MS 60000
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

static int enter_and_work(const struct bundle_runtime *runtime, int pidfd, int (*work)(void *, struct text *, struct error *),
	void *context, struct text *output, struct error *error)
{
	int rc = netns_enter_as_owner(runtime->init_pid, error);
	if (rc)
		return rc;
	/* The number may have been given to another process while we entered; the pidfd says whether ours was alive all the time. */
	if (!is_alive(pidfd))
		return error_set(error, ESRCH, "the container has just ended");
	rc = work(context, output, error);
	return rc == 0 && text_failed(output) ? error_set(error, ENOMEM, "out of memory") : rc;
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
		struct text inner = {0};
		struct header header = {0};
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		header.rc = enter_and_work(runtime, pidfd, work, context, &inner, &header.error);
		header.length = text_failed(&inner) ? 0 : inner.length;
		bool sent =
			file_write_all(write_fd, &header, sizeof(header)) == 0 && file_write_all(write_fd, inner.data, header.length) == 0;
		text_free(&inner);
		_exit(sent ? 0 : 1);
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
