/* The netlink sockets of a container's namespace. */
#include "fw/netlink_open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#define SEND_BUFFER (128u << 10) /* the set writer's largest batch twice: the kernel counts its own overhead too */

/* NETLINK_NETFILTER, with a port id of the kernel's choice. */
static int socket_bound(int flags)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_NETFILTER);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return take_fd(fd);
}

int netlink_open_writer(struct error *error)
{
	cleanup_fd int fd = socket_bound(0);
	int on = 1, size = SEND_BUFFER;

	if (fd < 0)
		return error_errno(error, -fd, "cannot open a netlink socket for nftables");
	/* Errors come back without the message that they are about: no batch is too large for the queue of its own errors. */
	if (setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)))
		return error_errno(error, errno, "cannot open a netlink socket for nftables");
	return take_fd(fd);
}

int netlink_port(int fd, uint32_t *port)
{
	struct sockaddr_nl address = {0};
	socklen_t length = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &length))
		return -errno;
	if (length != sizeof(address) || address.nl_family != AF_NETLINK)
		return -ENOTSOCK;
	*port = address.nl_pid;
	return 0;
}

/* A socket filter that drops what the writer itself caused: otherwise each commit would wake whoever watches. An announcement's
 * messages are all of one sender. */
static int announcements_filter(int fd, uint32_t own)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid)), /* loaded as big endian */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own), 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(*code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

int netlink_open_watch(int writer_fd, struct error *error)
{
	cleanup_fd int fd = socket_bound(SOCK_NONBLOCK);
	int group = NFNLGRP_NFTABLES, result;
	uint32_t port = 0;

	if (fd < 0 || setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return error_errno(error, fd < 0 ? -fd : errno, "cannot watch nftables for changes");
	if (writer_fd < 0)
		return take_fd(fd);
	result = netlink_port(writer_fd, &port) ?: announcements_filter(fd, port);
	return result ? error_errno(error, -result, "cannot watch nftables for others' changes") : take_fd(fd);
}

int netlink_open_flows(struct error *error)
{
	int fd = socket_bound(0);

	return fd < 0 ? error_errno(error, -fd, "cannot open a netlink socket for connection tracking") : fd;
}

void netlink_drain(int fd)
{
	char octet;

	while (recv(fd, &octet, sizeof(octet), MSG_DONTWAIT) >= 0 || errno == EINTR || errno == ENOBUFS)
		;
}
