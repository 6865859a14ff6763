/* The floor: the least that anything which writes DNS answers into a firewall has to do.
 *
 *	shield-bench-floor NETNS_FD UPSTREAM_PORT SET_WRITE
 *
 * A relay that parses nothing: it listens on 127.0.0.1 port 53 of the namespace, passes each datagram to the upstream in the namespace that it was started in, takes the last four
 * octets of each answer for an address, adds that to inet terok_shield learned_v4 by one acknowledged netlink batch (unless SET_WRITE is 0), and only then
 * passes the answer on. It is no forwarder: no policy, no matching, no cache, one upstream socket, and the client's id as it came.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS (720u * 1000u)

static struct mnl_socket *netlink;
static struct sockaddr_in clients[65536]; /* by the id of the query */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct nlmsghdr *message_put(void *at, uint16_t type, uint16_t flags, uint32_t sequence)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(at);
	struct nfgenmsg *header;

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = sequence;
	header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
		header->res_id = htons(NFNL_SUBSYS_NFTABLES);
	else
		header->nfgen_family = NFPROTO_INET;
	return message;
}

/* Adds the address and waits for the acknowledgement. */
static void element_add(const uint8_t address[4])
{
	static uint32_t sequence;
	_Alignas(struct nlmsghdr) uint8_t batch[512], reply[4096];
	struct nlattr *list, *item, *key;
	struct nlmsghdr *message;
	size_t used = 0;

	used += message_put(batch, NFNL_MSG_BATCH_BEGIN, 0, ++sequence)->nlmsg_len;
	message = message_put(batch + used, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_ACK, ++sequence);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, "terok_shield");
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, "learned_v4");
	list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	item = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
	key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
	mnl_attr_put(message, NFTA_DATA_VALUE, 4, address);
	mnl_attr_nest_end(message, key);
	mnl_attr_put_u64(message, NFTA_SET_ELEM_TIMEOUT, htobe64(TIMEOUT_MS));
	mnl_attr_nest_end(message, item);
	mnl_attr_nest_end(message, list);
	used += message->nlmsg_len;
	used += message_put(batch + used, NFNL_MSG_BATCH_END, 0, ++sequence)->nlmsg_len;
	if (mnl_socket_sendto(netlink, batch, used) < 0)
		die("netlink send");
	if (mnl_socket_recvfrom(netlink, reply, sizeof(reply)) < (ssize_t)sizeof(struct nlmsghdr))
		die("netlink receive");
	message = (struct nlmsghdr *)reply;
	if (message->nlmsg_type != NLMSG_ERROR || ((struct nlmsgerr *)mnl_nlmsg_get_payload(message))->error)
		fprintf(stderr, "shield-bench-floor: the kernel refused an element\n");
}

static int udp_socket(int port, int (*attach)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || attach(fd, (struct sockaddr *)&address, sizeof(address)))
		die("socket");
	return fd;
}

int main(int argc, char **argv)
{
	struct pollfd watched[2] = {{.events = POLLIN}, {.events = POLLIN}};
	uint8_t octets[4096];
	int listener, upstream, write_set;

	if (argc != 4)
		return 2;
	write_set = atoi(argv[3]);
	upstream = udp_socket(atoi(argv[2]), connect);
	if (setns(atoi(argv[1]), CLONE_NEWNET))
		die("setns");
	listener = udp_socket(53, bind);
	netlink = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!netlink || mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID))
		die("netlink");
	watched[0].fd = listener;
	watched[1].fd = upstream;
	for (;;) {
		struct sockaddr_in client;
		socklen_t size = sizeof(client);
		ssize_t length;

		poll(watched, 2, -1);
		if (watched[0].revents &&
			(length = recvfrom(listener, octets, sizeof(octets), 0, (struct sockaddr *)&client, &size)) >= 12) {
			clients[octets[0] << 8 | octets[1]] = client;
			send(upstream, octets, (size_t)length, 0);
		}
		if (watched[1].revents && (length = recv(upstream, octets, sizeof(octets), 0)) >= 16) {
			client = clients[octets[0] << 8 | octets[1]];
			if (write_set)
				element_add(octets + length - 4);
			sendto(listener, octets, (size_t)length, 0, (struct sockaddr *)&client, sizeof(client));
		}
	}
}
