/* A reader of the forwarder's events, for tests. */
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

void stream_open(struct stream *stream, const struct rig *rig)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	stream->length = stream->taken = 0;
	stream->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", rig->folder, BUNDLE_CONTROL_SOCKET);
	if (stream->fd < 0 || connect(stream->fd, (struct sockaddr *)&address, sizeof(address)) ||
		send(stream->fd, "events\n", 7, MSG_NOSIGNAL) != 7) {
		fprintf(stderr, "stream: %s\n", strerror(errno));
		exit(1);
	}
}

void stream_close(struct stream *stream)
{
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -1;
}

const char *stream_line(struct stream *stream, unsigned timeout_ms)
{
	int64_t deadline_ms = clock_now_ms() + timeout_ms;

	for (;;) {
		char *line = stream->buffer + stream->taken, *end = memchr(line, '\n', stream->length - stream->taken);
		struct pollfd watched = {stream->fd, POLLIN, 0};
		int64_t left_ms = deadline_ms - clock_now_ms();
		ssize_t received;

		if (end) {
			*end = '\0';
			stream->taken = (size_t)(end + 1 - stream->buffer);
			return line;
		}
		memmove(stream->buffer, line, stream->length - stream->taken);
		stream->length -= stream->taken;
		stream->taken = 0;
		if (poll(&watched, 1, left_ms > 0 ? (int)left_ms : 0) != 1)
			return NULL;
		received = recv(stream->fd, stream->buffer + stream->length, sizeof(stream->buffer) - stream->length, 0);
		if (received <= 0)
			return NULL;
		stream->length += (size_t)received;
	}
}

uint64_t stream_number(const char *line, const char *key)
{
	char pattern[64];
	const char *at;

	snprintf(pattern, sizeof(pattern), "\"%s\":", key);
	at = strstr(line, pattern);
	return at ? strtoull(at + strlen(pattern), NULL, 10) : 0;
}
