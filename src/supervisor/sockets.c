/* The sockets that a container's forwarder works with. */
#include "supervisor/sockets.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fw/netlink_open.h"
#include "fw/netns.h"
#include "fw/ruleset.h"
#include "state/control.h"

#define TCP_BACKLOG 64
#define UDP_BUFFER  (4 << 20) /* queries wait here while there is no worker, or it has no processor */
#define UDP_HEADER  8         /* octets, which a filter sees too */

/* A datagram that is longer than any query is not let into the buffer: few of them would fill it. */
static void oversize_refuse(int fd)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, UDP_HEADER + WORKER_QUERY_MAX, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog filter = {.len = sizeof(program) / sizeof(*program), .filter = program};

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)); /* without it the worker passes them over */
}

/* As large as may be: what is beyond the host's limit only root may ask for. */
static void buffer_enlarge(int fd)
{
	int buffer = UDP_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
}

static int socket_bound(int family, int type)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(RULESET_DNS_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(RULESET_DNS_PORT), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	cleanup_fd int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, result;

	if (fd < 0)
		return -errno;
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (type == SOCK_STREAM) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one,
			sizeof(one)); /* TIME_WAIT of an earlier forwarder; two listeners stay impossible */
	} else {
		oversize_refuse(fd);
		buffer_enlarge(fd);
	}
	result = family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof(v4)) : bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	if (!result && type == SOCK_STREAM)
		result = listen(fd, TCP_BACKLOG);
	return result ? -errno : take_fd(fd);
}

static int listeners_open(int family, int *udp, int *tcp, struct error *error)
{
	*udp = socket_bound(family, SOCK_DGRAM);
	/* without IPv6 in the namespace nothing can be sent to ::1 either */
	if (family == AF_INET6 && (*udp == -EADDRNOTAVAIL || *udp == -EAFNOSUPPORT)) {
		*udp = -1;
		return 0;
	}
	*tcp = *udp < 0 ? *udp : socket_bound(family, SOCK_STREAM);
	return *tcp < 0 ? error_errno(error, -*tcp, "binding %s port %u of the container", family == AF_INET ? "127.0.0.1" : "::1",
				  RULESET_DNS_PORT)
			: 0;
}

/* In the container's namespace; the sockets belong to it from then on, whoever uses them. */
static int inside_open(void *context, struct error *error)
{
	int *fds = ((struct sockets *)context)->fds;
	int result = listeners_open(AF_INET, &fds[WORKER_UDP_V4], &fds[WORKER_TCP_V4], error)
			     ?: listeners_open(AF_INET6, &fds[WORKER_UDP_V6], &fds[WORKER_TCP_V6], error);

	if (result)
		return result;
	if ((fds[WORKER_WRITER] = netlink_open_writer(error)) < 0)
		return fds[WORKER_WRITER];
	if ((fds[WORKER_WATCH] = netlink_open_watch(fds[WORKER_WRITER], error)) < 0)
		return fds[WORKER_WATCH];
	if ((fds[WORKER_FLOWS] = netlink_open_flows(error)) < 0)
		return fds[WORKER_FLOWS];
	fds[WORKER_PACKETS] = netlink_open_packets(NULL); /* without it nothing is seen of connections, and all is held that should be */
	return 0;
}

int sockets_open(struct sockets *sockets, const struct bundle *bundle, int netns_fd, bool enter, struct error *error)
{
	for (int i = 0; i < WORKER_DESCRIPTORS_END; i++)
		sockets->fds[i] = -1;
	sockets->fds[WORKER_CONTROL] = control_listen(bundle, error);
	if (sockets->fds[WORKER_CONTROL] < 0)
		return sockets->fds[WORKER_CONTROL];
	if (!enter)
		return netns_run(netns_fd, inside_open, sockets, error);
	return netns_enter(netns_fd, error) ?: inside_open(sockets, error);
}
