/* A stream over the control socket. */
#include "state/control_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "state/control.h"
#include "state/control_socket.h"

/* Several lines at each recv(2), since a flood comes at a hundred thousand a second. */
#define BUFFER_SIZE (4u * CONTROL_STREAM_LINE_MAX)
#define SHOWN_MAX   400

int control_stream_open(
	const struct bundle *bundle, const char *request, unsigned timeout_ms, struct control_stream *stream, struct error *error)
{
	int64_t deadline_ms = clock_now_ms() + timeout_ms;
	int result;

	*stream = (struct control_stream)CONTROL_STREAM_INIT;
	if (!control_is_line(request))
		return error_set(error, EINVAL, "a request to the forwarder has to be one line of at most %d octets", CONTROL_LINE_MAX - 1);
	stream->buffer = malloc(BUFFER_SIZE);
	if (!stream->buffer)
		return error_set(error, ENOMEM, "out of memory");
	result = control_connect(bundle, deadline_ms, error);
	if (result < 0)
		return result;
	stream->fd = result;
	result = control_send(stream->fd, request, deadline_ms);
	/* A forwarder that refuses without reading closes early; its reason may be there all the same. */
	return result && result != -EPIPE ? error_errno(error, -result, "talking to the forwarder") : 0;
}

void control_stream_close(struct control_stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	free(stream->buffer);
	*stream = (struct control_stream)CONTROL_STREAM_INIT;
}

/* Takes the first whole line out of the buffer, and its end into *end; false when there is none. */
static bool line_take(struct control_stream *stream, char **line, char **end)
{
	*end = memchr(stream->buffer + stream->searched, '\n', stream->end - stream->searched);
	if (!*end) {
		stream->searched = stream->end;
		return false;
	}
	*line = stream->buffer + stream->start;
	stream->start = stream->searched = (size_t)(*end + 1 - stream->buffer);
	return true;
}

static int line_check(char *line, char *end, struct error *error)
{
	if (end - line >= CONTROL_STREAM_LINE_MAX)
		return error_set(error, EPROTO, "the forwarder sent a line that is too long");
	for (const char *at = line; at < end; at++)
		if (*at < ' ' || *at > '~')
			return error_set(error, EPROTO, "what the forwarder sent is not text");
	*end = '\0';
	if (strncmp(line, "error ", 6) != 0)
		return 1;
	line += 6;
	return error_set(error, EREMOTEIO, "%.*s%s", (int)(end - line > SHOWN_MAX ? SHOWN_MAX : end - line), line,
		end - line > SHOWN_MAX ? "..." : "");
}

/* Receives what is there behind what is not yet a line. Returns 1, 0 when nothing is there, or an error. */
static int more_receive(struct control_stream *stream, struct error *error)
{
	ssize_t count;

	if (stream->end - stream->start >= CONTROL_STREAM_LINE_MAX)
		return error_set(error, EPROTO, "the forwarder sent a line that is too long");
	if (stream->start > 0) {
		memmove(stream->buffer, stream->buffer + stream->start, stream->end - stream->start);
		stream->end -= stream->start;
		stream->searched -= stream->start;
		stream->start = 0;
	}
	do
		count = recv(stream->fd, stream->buffer + stream->end, BUFFER_SIZE - stream->end, 0);
	while (count < 0 && errno == EINTR);
	if (count < 0 && errno == EAGAIN)
		return 0;
	/* A worker that was killed with our request unread resets the connection. */
	if (count == 0 || (count < 0 && errno == ECONNRESET))
		return error_set(error, EPIPE, "the forwarder ended the connection");
	if (count < 0)
		return error_errno(error, errno, "talking to the forwarder");
	stream->end += (size_t)count;
	return 1;
}

int control_stream_line(struct control_stream *stream, unsigned timeout_ms, const char **line, struct error *error)
{
	int64_t deadline_ms = timeout_ms > 0 ? clock_now_ms() + timeout_ms : 0;
	char *begin, *end;

	while (!line_take(stream, &begin, &end)) {
		int result = more_receive(stream, error);

		if (result < 0)
			return result;
		if (result > 0)
			continue;
		result = timeout_ms > 0 ? control_wait(stream->fd, POLLIN, deadline_ms) : -ETIMEDOUT;
		if (result == -ETIMEDOUT)
			return 0;
		if (result)
			return error_errno(error, -result, "talking to the forwarder");
	}
	*line = begin;
	return line_check(begin, end, error);
}
