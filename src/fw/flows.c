/* Connection tracking: ending the flows to addresses that were taken away.
 *
 * Theory of operation. A round lists the table, keeps the first FLOWS_PER_ROUND entries that match and then deletes them one by one;
 * rounds go on while one was full. So memory is bounded however many flows a workload has opened. An entry is deleted by its original
 * tuple, its zone and its id: a flow of the same addresses that came up in between is a new one, has met the rules already, and stays.
 * Flows that come up while this runs do not keep it running: the number of rounds is bounded too.
 *
 * The kernel has one table for all namespaces and walks all of it for a listing, 9 ms with 262,144 buckets and nothing in them. So it is first
 * asked how many entries the namespace has.
 */
#include <errno.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "base/cleanup.h"
#include "fw/flows.h"
#include "fw/netlink.h"
#include "fw/netlink_open.h"

#define FAILURE                 "cannot end the connections to what was taken away"
#define FLOWS_PER_ROUND         1024
#define ROUNDS_MAX              1024
#define TUPLE_MAX               128 /* octets of a tuple's attributes; v6 has 80 */
#define REPLY_SIZE              (32u << 10)
#define CTNETLINK_TYPE(message) (NFNL_SUBSYS_CTNETLINK << 8 | (message))

struct flow {
	uint8_t family;
	bool has_zone, has_id;
	uint8_t zone[2], id[4]; /* as they came: network order */
	size_t tuple_length;
	uint8_t tuple[TUPLE_MAX];
};

struct round {
	const struct addr_net *nets;
	size_t net_count;
	bool by_mark; /* then nets is not looked at */
	uint32_t highest_mark;
	bool has_entries; /* or it is not known */
	size_t count;
	struct flow flows[FLOWS_PER_ROUND];
	_Alignas(struct nlmsghdr) uint8_t reply[REPLY_SIZE];
};

/* The original destination. False when the entry has none of a family we know. */
static bool read_destination(struct netlink_span tuple, struct addr *addr)
{
	struct netlink_attribute ip, value;

	if (!netlink_find(tuple, CTA_TUPLE_IP, &ip))
		return false;
	if (netlink_find(ip.payload, CTA_IP_V4_DST, &value) && value.payload.length == 4)
		*addr = addr_v4(value.payload.data);
	else if (netlink_find(ip.payload, CTA_IP_V6_DST, &value) && value.payload.length == 16)
		*addr = addr_v6(value.payload.data);
	else
		return false;
	return true;
}

static uint32_t read_mark(struct netlink_span attributes)
{
	struct netlink_attribute value;
	uint32_t mark = 0;

	if (netlink_find(attributes, CTA_MARK, &value) && value.payload.length == sizeof(mark))
		memcpy(&mark, value.payload.data, sizeof(mark));
	return be32toh(mark);
}

static bool matches(const struct round *round, struct netlink_span attributes, const struct addr *destination)
{
	if (round->by_mark)
		return read_mark(attributes) > round->highest_mark;
	for (size_t i = 0; i < round->net_count; i++)
		if (addr_net_contains(&round->nets[i], destination))
			return true;
	return round->net_count == 0;
}

static void keep_flow(struct round *round, const struct netlink_message *message)
{
	struct netlink_span attributes = netlink_attributes(message);
	struct flow *flow = &round->flows[round->count];
	struct netlink_attribute tuple, value;
	struct addr destination;

	if (round->count == FLOWS_PER_ROUND || message->payload.length < sizeof(struct nfgenmsg) ||
		!netlink_find(attributes, CTA_TUPLE_ORIG, &tuple) || tuple.payload.length > TUPLE_MAX ||
		!read_destination(tuple.payload, &destination) || !matches(round, attributes, &destination))
		return;
	*flow = (struct flow){.family = message->payload.data[0], .tuple_length = tuple.payload.length};
	memcpy(flow->tuple, tuple.payload.data, tuple.payload.length);
	flow->has_zone = netlink_find(attributes, CTA_ZONE, &value) && value.payload.length == sizeof(flow->zone);
	if (flow->has_zone)
		memcpy(flow->zone, value.payload.data, sizeof(flow->zone));
	flow->has_id = netlink_find(attributes, CTA_ID, &value) && value.payload.length == sizeof(flow->id);
	if (flow->has_id)
		memcpy(flow->id, value.payload.data, sizeof(flow->id));
	round->count++;
}

static void read_entries(struct round *round, const struct netlink_message *message)
{
	struct netlink_attribute value;
	uint32_t entries;

	if (!netlink_find(netlink_attributes(message), CTA_STATS_GLOBAL_ENTRIES, &value) || value.payload.length != sizeof(entries))
		return;
	memcpy(&entries, value.payload.data, sizeof(entries));
	round->has_entries = entries != 0;
}

/* Sends one request and reads until it is answered; entries on the way go to keep_flow(). Returns the kernel's status. */
static int exchange(int fd, struct nlmsghdr *request, struct round *round)
{
	struct netlink_message message;
	struct netlink_span datagram;
	ssize_t length;

	if (send(fd, request, request->nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		/* Answers are queued when send(2) returns, and a listing goes on inside recv(2): nothing is waited for. */
		length = recv(fd, round->reply, sizeof(round->reply), MSG_DONTWAIT | MSG_TRUNC);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? -EIO : -errno;
		if ((size_t)length > sizeof(round->reply))
			return -EMSGSIZE;
		datagram = (struct netlink_span){round->reply, (size_t)length};
		while (netlink_next_message(&datagram, &message)) {
			if (message.header.nlmsg_seq != request->nlmsg_seq)
				continue;
			if (message.header.nlmsg_type == NLMSG_ERROR || message.header.nlmsg_type == NLMSG_DONE)
				return netlink_status(&message);
			if (message.header.nlmsg_type == CTNETLINK_TYPE(IPCTNL_MSG_CT_NEW))
				keep_flow(round, &message);
			if (message.header.nlmsg_type == CTNETLINK_TYPE(IPCTNL_MSG_CT_GET_STATS))
				read_entries(round, &message);
		}
	}
}

static struct nlmsghdr *request_start(void *buffer, uint16_t type, uint16_t flags, uint8_t family, uint32_t sequence)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	request->nlmsg_type = CTNETLINK_TYPE(type);
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	request->nlmsg_seq = sequence;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	return request;
}

static int delete_flow(int fd, const struct flow *flow, struct round *round, uint32_t sequence)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[256];
	struct nlmsghdr *request = request_start(buffer, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, flow->family, sequence);

	mnl_attr_put(request, CTA_TUPLE_ORIG | NLA_F_NESTED, flow->tuple_length, flow->tuple);
	if (flow->has_zone)
		mnl_attr_put(request, CTA_ZONE, sizeof(flow->zone), flow->zone);
	if (flow->has_id)
		mnl_attr_put(request, CTA_ID, sizeof(flow->id), flow->id);
	return exchange(fd, request, round);
}

/* One round. more: the round was full, there may be others. */
static int end_round(int fd, struct round *round, uint32_t *sequence, size_t *ended, bool *more)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[64];
	int result;

	round->count = 0;
	result = exchange(fd, request_start(buffer, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC, ++*sequence), round);
	if (result)
		return result;
	*more = round->count == FLOWS_PER_ROUND;
	for (size_t i = 0; i < round->count; i++) {
		result = delete_flow(fd, &round->flows[i], round, ++*sequence);
		if (!result)
			++*ended;
		else if (result != -ENOENT) /* it ended by itself */
			return result;
	}
	return 0;
}

/* False only when the kernel says that the namespace has no entry. */
static bool has_entries(int fd, struct round *round, uint32_t *sequence)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[64];

	round->has_entries = true;
	return exchange(fd, request_start(buffer, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, AF_UNSPEC, ++*sequence), round) || round->has_entries;
}

/* Ends what round, whose condition is set, matches. */
static int end_all(int flows_fd, struct round *round, size_t *ended, struct error *error)
{
	uint32_t sequence = 0;
	size_t total = 0;
	bool more;
	int result = 0;

	netlink_drain(flows_fd); /* what an exchange that failed has left behind would carry our sequence numbers */
	more = has_entries(flows_fd, round, &sequence);
	for (unsigned i = 0; !result && more && i < ROUNDS_MAX; i++)
		result = end_round(flows_fd, round, &sequence, &total, &more);
	if (!result && more)
		result = -EBUSY;
	if (ended)
		*ended = total;
	return result ? error_errno(error, -result, FAILURE) : 0;
}

int flows_end(int flows_fd, const struct addr_net *nets, size_t count, size_t *ended, struct error *error)
{
	cleanup_free struct round *round = calloc(1, sizeof(*round));

	if (!round)
		return error_errno(error, ENOMEM, FAILURE);
	round->nets = nets;
	round->net_count = count;
	return end_all(flows_fd, round, ended, error);
}

int flows_end_marked(int flows_fd, uint32_t highest, size_t *ended, struct error *error)
{
	cleanup_free struct round *round = calloc(1, sizeof(*round));

	if (!round)
		return error_errno(error, ENOMEM, FAILURE);
	round->by_mark = true;
	round->highest_mark = highest;
	return end_all(flows_fd, round, ended, error);
}
