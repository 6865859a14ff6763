/* The netlink sockets of a container's namespace. */
#include "fw/netlink_open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "fw/ruleset.h"

#define SEND_BUFFER (128u << 10) /* the set writer's largest batch twice: the kernel counts its own overhead too */

/* The packet log. */
#define PACKETS_SNAPLEN  96        /* octets of each packet: an IP header with options and the ports behind it */
#define PACKETS_DATAGRAM 7680      /* with the kernel's own part it fits into 8 KiB, and has RULESET_LOG_BATCH packets */
#define PACKETS_DELAY    1         /* hundredths of a second that a packet waits for others */
#define PACKETS_BUFFER   (4 << 20) /* what waits to be read: some 20,000 packets */

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

/* A request of one message, built by hand. */
struct request {
	_Alignas(struct nlmsghdr) uint8_t octets[128];
	size_t length;
};

static void request_put(struct request *request, const void *data, size_t length)
{
	memcpy(request->octets + request->length, data, length);
	request->length += NLMSG_ALIGN(length);
}

static void request_attribute(struct request *request, uint16_t type, const void *data, size_t length)
{
	const struct nlattr head = {.nla_len = (uint16_t)(sizeof(head) + length), .nla_type = type};

	request_put(request, &head, sizeof(head));
	request_put(request, data, length);
}

/* Sends it and reads the acknowledgement, which is there when send(2) returns. Returns 0 or the kernel's negative errno. */
static int request_send(int fd, struct request *request)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
	} answer;
	uint32_t length = (uint32_t)request->length;
	ssize_t received;

	memcpy(request->octets, &length, sizeof(length)); /* nlmsg_len */
	if (send(fd, request->octets, request->length, 0) < 0)
		return -errno;
	received = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (received < 0)
		return -errno;
	return (size_t)received < sizeof(answer) || answer.header.nlmsg_type != NLMSG_ERROR ? -EIO : answer.error.error;
}

/* Binds the group. The kernel collects packets for as long as PACKETS_DELAY, or until a datagram has RULESET_LOG_BATCH: whoever
 * reads is woken and pays for a system call that much more seldom. */
static int packets_bind(int fd)
{
	const struct nlmsghdr header = {
		.nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
		.nlmsg_seq = 1,
	};
	const struct nfgenmsg group = {.version = NFNETLINK_V0, .res_id = htons(RULESET_LOG_GROUP)};
	const struct nfulnl_msg_config_cmd command = {.command = NFULNL_CFG_CMD_BIND};
	const struct nfulnl_msg_config_mode mode = {.copy_range = htonl(PACKETS_SNAPLEN), .copy_mode = NFULNL_COPY_PACKET};
	const uint32_t room = htonl(PACKETS_DATAGRAM), delay = htonl(PACKETS_DELAY), batch = htonl(RULESET_LOG_BATCH);
	const uint16_t flags = htons(NFULNL_CFG_F_SEQ);
	struct request request = {0};

	request_put(&request, &header, sizeof(header));
	request_put(&request, &group, sizeof(group));
	request_attribute(&request, NFULA_CFG_CMD, &command, sizeof(command));
	request_attribute(&request, NFULA_CFG_MODE, &mode, sizeof(mode));
	request_attribute(&request, NFULA_CFG_NLBUFSIZ, &room, sizeof(room));
	request_attribute(&request, NFULA_CFG_TIMEOUT, &delay, sizeof(delay));
	request_attribute(&request, NFULA_CFG_QTHRESH, &batch, sizeof(batch));
	request_attribute(&request, NFULA_CFG_FLAGS, &flags, sizeof(flags));
	return request_send(fd, &request);
}

int netlink_open_packets(struct error *error)
{
	cleanup_fd int fd = socket_bound(SOCK_NONBLOCK);
	int on = 1, size = PACKETS_BUFFER, result;

	if (fd < 0)
		return error_errno(error, -fd, "cannot open a netlink socket for the packet log");
	/* What does not fit is lost, and the sequence numbers tell; nobody needs to be woken for it. */
	setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size))) /* not in a user namespace: as much as everybody may have */
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	result = packets_bind(fd);
	return result ? error_errno(error, -result, "cannot read the packet log (NFLOG group %d)", RULESET_LOG_GROUP) : take_fd(fd);
}

void netlink_drain(int fd)
{
	char octet;

	while (recv(fd, &octet, sizeof(octet), MSG_DONTWAIT) >= 0 || errno == EINTR || errno == ENOBUFS)
		;
}
