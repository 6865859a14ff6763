/* Connection tracking: whether one flow was answered. */
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "fw/flows.h"
#include "fw/netlink.h"

#define ANSWER_MAX              8192
#define CTNETLINK_TYPE(message) (NFNL_SUBSYS_CTNETLINK << 8 | (message))

/* Any number will do that the exchange before had not, by whoever it was made. */
static uint32_t sequence_next(void)
{
	static uint32_t sequence = UINT32_C(1) << 31;

	return ++sequence;
}

static void put_addresses(struct nlmsghdr *request, const struct flow_tuple *tuple)
{
	bool v4 = tuple->dest.family == ADDR_V4;
	struct nlattr *nest = mnl_attr_nest_start(request, CTA_TUPLE_IP);

	mnl_attr_put(request, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, v4 ? 4 : 16, tuple->source.octets);
	mnl_attr_put(request, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, v4 ? 4 : 16, tuple->dest.octets);
	mnl_attr_nest_end(request, nest);
}

static void put_protocol(struct nlmsghdr *request, const struct flow_tuple *tuple)
{
	struct nlattr *nest = mnl_attr_nest_start(request, CTA_TUPLE_PROTO);

	mnl_attr_put_u8(request, CTA_PROTO_NUM, tuple->protocol);
	switch (tuple->protocol) {
	case IPPROTO_ICMP:
		mnl_attr_put_u16(request, CTA_PROTO_ICMP_ID, htobe16(tuple->source_port));
		mnl_attr_put_u8(request, CTA_PROTO_ICMP_TYPE, ICMP_ECHO);
		mnl_attr_put_u8(request, CTA_PROTO_ICMP_CODE, 0);
		break;
	case IPPROTO_ICMPV6:
		mnl_attr_put_u16(request, CTA_PROTO_ICMPV6_ID, htobe16(tuple->source_port));
		mnl_attr_put_u8(request, CTA_PROTO_ICMPV6_TYPE, ICMP6_ECHO_REQUEST);
		mnl_attr_put_u8(request, CTA_PROTO_ICMPV6_CODE, 0);
		break;
	default: /* protocol numbers, not ours */
		mnl_attr_put_u16(request, CTA_PROTO_SRC_PORT, htobe16(tuple->source_port));
		mnl_attr_put_u16(request, CTA_PROTO_DST_PORT, htobe16(tuple->port));
		break;
	}
	mnl_attr_nest_end(request, nest);
}

static void request_write(struct nlmsghdr *request, const struct flow_tuple *tuple)
{
	struct nfgenmsg *header;
	struct nlattr *nest;

	request->nlmsg_type = CTNETLINK_TYPE(IPCTNL_MSG_CT_GET);
	request->nlmsg_flags = NLM_F_REQUEST;
	request->nlmsg_seq = sequence_next();
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->nfgen_family = tuple->dest.family == ADDR_V4 ? AF_INET : AF_INET6;
	header->version = NFNETLINK_V0;
	nest = mnl_attr_nest_start(request, CTA_TUPLE_ORIG);
	put_addresses(request, tuple);
	put_protocol(request, tuple);
	mnl_attr_nest_end(request, nest);
}

static bool is_answered(const struct netlink_message *message, uint8_t protocol)
{
	struct netlink_attribute attribute;
	uint32_t status;

	if (!netlink_find(netlink_attributes(message), CTA_STATUS, &attribute) || attribute.payload.length != sizeof(status))
		return false;
	memcpy(&status, attribute.payload.data, sizeof(status));
	/* a refusal by TCP is an answer too, but no connection; assured is one whose handshake went to its end */
	return be32toh(status) & (protocol == IPPROTO_TCP ? IPS_ASSURED : IPS_SEEN_REPLY);
}

int flows_answered(int flows_fd, const struct flow_tuple *tuple, bool *answered)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[256], answer[ANSWER_MAX];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct netlink_message message;
	struct netlink_span datagram;
	ssize_t length;

	*answered = false;
	request_write(request, tuple);
	if (send(flows_fd, request, request->nlmsg_len, 0) < 0)
		return -errno;
	for (;;) {
		length = recv(flows_fd, answer, sizeof(answer), MSG_DONTWAIT | MSG_TRUNC); /* it is there when send(2) returns */
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? -EIO : -errno;
		if ((size_t)length > sizeof(answer))
			return -EMSGSIZE;
		datagram = (struct netlink_span){answer, (size_t)length};
		while (netlink_next_message(&datagram, &message)) {
			if (message.header.nlmsg_seq != request->nlmsg_seq)
				continue;
			if (message.header.nlmsg_type == NLMSG_ERROR)
				return netlink_status(&message) == -ENOENT ? 0 : netlink_status(&message);
			*answered = is_answered(&message, tuple->protocol);
			return 0;
		}
	}
}
