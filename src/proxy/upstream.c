/* The upstream resolvers. */
#include "proxy/upstream.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX 65536
#define DNS_PORT 53
#define SETTLED_S 1

static void upstreams_add(struct upstreams *upstreams, const struct addr_endpoint *server)
{
	if (upstreams->count < SETTINGS_UPSTREAMS_MAX)
		upstreams->servers[upstreams->count++] = *server;
}

void upstreams_parse(struct upstreams *upstreams, const char *text)
{
	static const char keyword[] = "nameserver";
	static const struct addr_endpoint local = {.addr = {.family = ADDR_V4, .octets = {127, 0, 0, 1}}, .port = DNS_PORT};

	upstreams->count = upstreams->preferred = 0;
	while (*text) {
		size_t line = strcspn(text, "\n");

		if (line > sizeof(keyword) && !strncmp(text, keyword, sizeof(keyword) - 1) && strchr(" \t", text[sizeof(keyword) - 1])) {
			const char *word = text + sizeof(keyword) - 1 + strspn(text + sizeof(keyword) - 1, " \t");
			struct addr_endpoint server = {.port = DNS_PORT};

			if (!addr_parse(&server.addr, word, strcspn(word, " \t\r\n#;")))
				upstreams_add(upstreams, &server);
		}
		text += line + (text[line] == '\n');
	}
	if (!upstreams->count)
		upstreams_add(upstreams, &local);
}

static bool is_as_read(const struct upstreams *upstreams, const struct stat *status)
{
	return status->st_dev == upstreams->device && status->st_ino == upstreams->inode && status->st_mtim.tv_sec == upstreams->changed_s &&
	       status->st_mtim.tv_nsec == upstreams->changed_ns && status->st_size == upstreams->size;
}

/* The file may be a link (systemd-resolved's, resolvconf's), so it is opened plainly: the host's administrator decides where it leads. */
bool upstreams_refresh(struct upstreams *upstreams)
{
	struct upstreams before = *upstreams;
	cleanup_free char *text = NULL;
	cleanup_fd int fd = -1;
	struct stat status;
	bool settled;

	if (upstreams->fixed || stat(RESOLV_CONF, &status) || is_as_read(upstreams, &status))
		return false;
	fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) || file_read_fd(fd, RESOLV_CONF_MAX, &text, NULL))
		return false; /* being replaced: what was known holds until the next look */
	settled = clock_wall_s() - status.st_mtim.tv_sec > SETTLED_S;
	if (!*text && !settled)
		return false; /* being written */
	upstreams->device = status.st_dev;
	upstreams->inode = status.st_ino;
	upstreams->changed_s = status.st_mtim.tv_sec;
	upstreams->changed_ns = status.st_mtim.tv_nsec;
	upstreams->size = settled ? status.st_size : -1; /* it may be written on without a newer time or another size: it is read once more */
	upstreams_parse(upstreams, text);
	if (upstreams->count != before.count)
		return true;
	for (unsigned i = 0; i < before.count; i++)
		if (!addr_endpoint_equal(&upstreams->servers[i], &before.servers[i]))
			return true;
	upstreams->preferred = before.preferred;
	return false;
}

void upstreams_load(struct upstreams *upstreams, const struct settings *settings)
{
	memset(upstreams, 0, sizeof(*upstreams));
	for (size_t i = 0; i < settings->upstream_count; i++)
		upstreams_add(upstreams, &settings->upstreams[i].endpoint);
	upstreams->fixed = upstreams->count;
	if (!upstreams->fixed) {
		upstreams_parse(upstreams, "");
		upstreams_refresh(upstreams);
	}
}

unsigned upstreams_choose(const struct upstreams *upstreams, unsigned attempt)
{
	return (upstreams->preferred + attempt) % upstreams->count;
}

int upstream_reconnect(int fd, const struct addr_endpoint *server)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(server->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(server->port)};
	int result;

	memcpy(&in.sin_addr, server->addr.octets, 4);
	memcpy(&in6.sin6_addr, server->addr.octets, 16);
	if (server->addr.family == ADDR_V4)
		result = connect(fd, (struct sockaddr *)&in, sizeof(in));
	else
		result = connect(fd, (struct sockaddr *)&in6, sizeof(in6));
	return result && errno != EINPROGRESS ? -errno : 0;
}

int upstream_connect(const struct addr_endpoint *server, int type, uint32_t mark)
{
	cleanup_fd int fd = socket(server->addr.family == ADDR_V4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return -errno;
	if (mark && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return -errno;
	result = upstream_reconnect(fd, server);
	return result ? result : take_fd(fd);
}
