/* The control socket: the client's side, and the forwarder's listening end.
 *
 * Socket addresses hold 107 octets and bundles lie deep, so both sides go through /proc/self/fd. The client opens the socket's
 * file first, without following links, and connects to what it opened.
 */
#include "state/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "state/control_socket.h"

#define LISTEN_BACKLOG   16
#define CONNECT_PAUSE_MS 2
#define SHOWN_MAX        400

bool control_is_line(const char *words)
{
	size_t length = strlen(words);

	for (size_t i = 0; i < length; i++)
		if (words[i] < ' ' || words[i] > '~')
			return false;
	return length > 0 && length < CONTROL_LINE_MAX;
}

int control_wait(int fd, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = events};
		int64_t left_ms = deadline_ms - clock_now_ms();
		int ready;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		ready = poll(&poll_fd, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -errno;
	}
}

/* Connects to the socket behind file_fd, an O_PATH descriptor. */
static int connect_by(int file_fd, int64_t deadline_ms)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file_fd);
	while (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		/* EAGAIN: the backlog is full, and poll(2) does not tell when it no longer is. */
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_now_ms() >= deadline_ms)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){.tv_nsec = CONNECT_PAUSE_MS * 1000000L}, NULL);
	}
	return take_fd(fd);
}

int control_connect(const struct bundle *bundle, int64_t deadline_ms, struct error *error)
{
	cleanup_fd int file_fd = openat(bundle->fd, BUNDLE_CONTROL_SOCKET, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	int fd;

	if (file_fd < 0 || fstat(file_fd, &status))
		return error_errno(error, errno, "the forwarder's control socket");
	if (!S_ISSOCK(status.st_mode) || status.st_uid != geteuid())
		return error_set(
			error, EPERM, "the forwarder's control socket: %s is not a socket of the caller's own", BUNDLE_CONTROL_SOCKET);
	fd = connect_by(file_fd, deadline_ms);
	return fd < 0 ? error_errno(error, -fd, "the forwarder's control socket") : fd;
}

int control_send(int fd, const char *request, int64_t deadline_ms)
{
	char line[CONTROL_LINE_MAX + 1];
	size_t length = (size_t)snprintf(line, sizeof(line), "%s\n", request), sent = 0;

	while (sent < length) {
		ssize_t count = send(fd, line + sent, length - sent, MSG_NOSIGNAL);
		int result;

		if (count >= 0)
			sent += (size_t)count;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
		else if ((result = control_wait(fd, POLLOUT, deadline_ms)))
			return result;
	}
	return 0;
}

/* Reads to the end of the connection. */
static int receive_all(int fd, int64_t deadline_ms, struct text *received)
{
	char chunk[4096];

	for (;;) {
		int result = control_wait(fd, POLLIN, deadline_ms);
		ssize_t count;

		if (result)
			return result;
		count = recv(fd, chunk, sizeof(chunk), 0);
		if (count == 0)
			return text_failed(received) ? -ENOMEM : 0;
		if (count < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (count > 0 && received->length + (size_t)count > CONTROL_ANSWER_MAX)
			return -EPROTO;
		if (count > 0)
			text_add_bytes(received, chunk, (size_t)count);
	}
}

/* Splits the last line off and lets it decide. The forwarder is the process that faces hostile input, so not even what it says
 * is believed to be text. */
static int answer_take(const struct text *received, struct text *answer, struct error *error)
{
	const char *data = received->data, *last;
	size_t length = received->length;

	for (size_t i = 0; i < length; i++)
		if ((data[i] < ' ' || data[i] > '~') && data[i] != '\n')
			return error_set(error, EPROTO, "the forwarder's answer is not text");
	if (length == 0 || data[length - 1] != '\n')
		return error_set(error, EPROTO, "the forwarder ended the connection before its answer was complete");
	last = memrchr(data, '\n', length - 1);
	last = last ? last + 1 : data;
	length -= (size_t)(last - data) + 1; /* of the last line */
	if (length > 6 && memcmp(last, "error ", 6) == 0)
		return error_set(error, EREMOTEIO, "%.*s%s", (int)(length - 6 > SHOWN_MAX ? SHOWN_MAX : length - 6), last + 6,
			length - 6 > SHOWN_MAX ? "..." : "");
	if (length != 2 || memcmp(last, "ok", 2) != 0)
		return error_set(error, EPROTO, "the forwarder's answer ends in neither ok nor error");
	if (answer) {
		text_add_bytes(answer, data, (size_t)(last - data));
		if (text_failed(answer))
			return error_errno(error, ENOMEM, "the forwarder's answer");
	}
	return 0;
}

int control_request(const struct bundle *bundle, const char *request, unsigned timeout_ms, struct text *answer, struct error *error)
{
	int64_t deadline_ms = clock_now_ms() + timeout_ms;
	cleanup_text struct text received = {0};
	cleanup_fd int fd = -1;
	int result;

	if (!control_is_line(request))
		return error_set(error, EINVAL, "a request to the forwarder has to be one line of at most %d octets", CONTROL_LINE_MAX - 1);
	fd = control_connect(bundle, deadline_ms, error);
	if (fd < 0)
		return fd;
	result = control_send(fd, request, deadline_ms);
	/* A forwarder that refuses without reading closes early; its answer may be there all the same. */
	if (result == 0 || result == -EPIPE)
		result = receive_all(fd, deadline_ms, &received);
	if (result == -ETIMEDOUT)
		return error_set(error, ETIMEDOUT, "the forwarder did not answer within %u ms", timeout_ms);
	if (result)
		return error_errno(error, -result, "talking to the forwarder");
	return answer_take(&received, answer, error);
}

int control_listen(const struct bundle *bundle, struct error *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int result = bundle_remove(bundle, BUNDLE_CONTROL_SOCKET, error);

	if (result)
		return result;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", bundle->fd, BUNDLE_CONTROL_SOCKET);
	/* bind(2) gives the file the socket's own mode, so it never has another one. */
	if (fd < 0 || fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, LISTEN_BACKLOG))
		return error_errno(error, errno, "cannot listen on %s", BUNDLE_CONTROL_SOCKET);
	return take_fd(fd);
}
