/* The hub's client, by system calls alone: the supervisor links it. */
#include "state/hub.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* Whether who listens there is the caller. */
static bool is_own(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.uid == geteuid();
}

static int hub_connect(struct hub *hub)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_fd int fd = -1;

	if (!*hub->path || strlen(hub->path) >= sizeof(address.sun_path))
		return -ENOENT;
	if (hub->tried_ms && clock_now_ms() - hub->tried_ms < HUB_RETRY_MS)
		return -ENOTCONN;
	strcpy(address.sun_path, hub->path);
	hub->tried_ms = clock_now_ms();
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	if (!is_own(fd))
		return -EPERM;
	hub->tried_ms = 0;
	hub->fd = take_fd(fd);
	return 0;
}

/* One that takes only a part of a line would take the next line for the rest of it: the connection ends. */
static int line_send(struct hub *hub, const char *line, size_t length)
{
	ssize_t sent = send(hub->fd, line, length, MSG_NOSIGNAL);
	int result = sent < 0 ? -errno : (size_t)sent < length ? -EPIPE : 0;

	if (result && result != -EAGAIN)
		hub_close(hub);
	return result;
}

int hub_send(struct hub *hub, const char *line, size_t length)
{
	int result = 0;

	/* The first attempt may only find that an earlier hub has gone, and another may be there. */
	for (unsigned attempt = 0; attempt < 2; attempt++) {
		bool was_connected = hub->fd >= 0;

		if (!was_connected)
			result = hub_connect(hub);
		if (hub->fd < 0)
			return result;
		result = line_send(hub, line, length);
		if (!was_connected || hub->fd >= 0)
			return result;
	}
	return result;
}

void hub_close(struct hub *hub)
{
	if (hub->fd >= 0)
		close(take_fd(hub->fd));
}
