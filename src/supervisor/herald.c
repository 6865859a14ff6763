/* Speaking to the hub for a container, and reading the file of its dossier. */
#include "supervisor/herald.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LAST_PACKETS_MAX 64 /* heard after the worker's end */

int herald_open(struct herald *herald, struct sockets *sockets)
{
	int ends[2];

	if (!*herald->hub.path && !*herald->meta)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
		return -errno;
	herald->fd = ends[0];
	sockets->fds[WORKER_HERALD] = ends[1];
	return 0;
}

/* ---- the hub ---- */

static bool is_bounded(struct herald *herald)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec != herald->second)
		herald->lines = 0;
	herald->second = now.tv_sec;
	return herald->lines++ < HERALD_LINES_MAX;
}

/* Whether the worker's line, which has its newline, is one that it may say. */
static bool is_pending(const struct herald *herald, const char *line, size_t length)
{
	char beginning[256];
	size_t wanted = (size_t)snprintf(beginning, sizeof(beginning), "{\"type\":\"pending\",\"container\":\"%s\",", herald->id);

	if (length < wanted || memcmp(line, beginning, wanted) || line[length - 2] != '}')
		return false;
	for (size_t i = 0; i < length - 1; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			return false;
	return true;
}

static void event_send(struct herald *herald, const char *type, const char *reason)
{
	char line[512];
	int length = snprintf(line, sizeof(line), "{\"type\":\"%s\",\"container\":\"%s\",\"name\":\"%s\"%s%s%s}\n", type, herald->id,
		herald->container, reason ? ",\"reason\":\"" : "", reason ? reason : "", reason ? "\"" : "");

	if (length > 0 && (size_t)length < sizeof(line))
		hub_send(&herald->hub, line, (size_t)length);
}

void herald_started(struct herald *herald)
{
	event_send(herald, "container_started", NULL);
}

/* ---- the file ---- */

/* Puts what stands in it into buffer; 0 when it cannot be read, or is more than that. */
static size_t meta_read(const char *path, char *buffer, size_t size)
{
	cleanup_fd int fd = *path ? open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct stat status;
	size_t length = 0;
	ssize_t count;

	if (fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_uid != geteuid())
		return 0;
	while (length < size && (count = read(fd, buffer + length, size - length)) > 0)
		length += (size_t)count;
	return length < size ? length : 0;
}

static void meta_answer(struct herald *herald)
{
	char packet[WORKER_HERALD_MAX] = WORKER_META " ";
	size_t head = strlen(packet), length = meta_read(herald->meta, packet + head, sizeof(packet) - head);

	send(herald->fd, packet, head + length, MSG_NOSIGNAL);
}

/* ---- the worker ---- */

/* False when there is no packet. */
static bool packet_hear(struct herald *herald)
{
	char packet[WORKER_HERALD_MAX + 1]; /* room for a newline */
	const size_t head = strlen(WORKER_TELL);
	ssize_t received = recv(herald->fd, packet, sizeof(packet) - 1, 0);
	size_t length = received > 0 ? (size_t)received : 0;

	if (!length)
		return false;
	if (length == strlen(WORKER_META) && !memcmp(packet, WORKER_META, length)) {
		meta_answer(herald);
	} else if (length > head && !memcmp(packet, WORKER_TELL, head)) {
		packet[length++] = '\n';
		if (is_pending(herald, packet + head, length - head) && is_bounded(herald))
			hub_send(&herald->hub, packet + head, length - head);
	}
	return true;
}

void herald_hear(struct herald *herald)
{
	packet_hear(herald);
}

void herald_exited(struct herald *herald, const char *reason)
{
	for (unsigned i = 0; i < LAST_PACKETS_MAX && herald->fd >= 0 && packet_hear(herald); i++)
		;
	event_send(herald, "container_exited", reason);
	hub_close(&herald->hub);
}
