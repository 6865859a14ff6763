/* What the kernel holds, read back and compared: see readback.h. */
#include "fw/readback.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "base/cleanup.h"
#include "fw/interval.h"
#include "fw/nft.h"
#include "fw/verify.h"

#define REPLY_SIZE             (32u << 10) /* the most that the kernel puts into one datagram of a listing */
#define NFTABLES_TYPE(message) (NFNL_SUBSYS_NFTABLES << 8 | (message))

struct reader {
	int fd;
	uint32_t sequence;
	struct interval interval; /* of the set being read */
	_Alignas(struct nlmsghdr) uint8_t reply[REPLY_SIZE];
};

static int request_elements(struct reader *reader, const char *set)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	request->nlmsg_type = NFTABLES_TYPE(NFT_MSG_GETSETELEM);
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = ++reader->sequence;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->nfgen_family = NFPROTO_INET;
	header->version = NFNETLINK_V0;
	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
	mnl_attr_put_strz(request, NFTA_SET_ELEM_LIST_SET, set);
	return send(reader->fd, request, request->nlmsg_len, 0) < 0 ? -errno : 0;
}

static bool take_elements(struct reader *reader, const struct netlink_message *message)
{
	struct netlink_attribute list, item;

	if (message->payload.length < sizeof(struct nfgenmsg))
		return false;
	if (!netlink_find(netlink_attributes(message), NFTA_SET_ELEM_LIST_ELEMENTS, &list))
		return true;
	while (netlink_next_attribute(&list.payload, &item))
		if (item.type != NFTA_LIST_ELEM || !interval_add(&reader->interval, item.payload))
			return false;
	return true;
}

/* Returns 1 when the listing has ended, 0 when there is more. */
static int take_datagram(struct reader *reader, struct netlink_span datagram)
{
	struct netlink_message message;

	while (netlink_next_message(&datagram, &message)) {
		if (message.header.nlmsg_seq != reader->sequence)
			continue;
		if (message.header.nlmsg_flags & NLM_F_DUMP_INTR)
			return -EAGAIN; /* the set was changed meanwhile */
		if (message.header.nlmsg_type == NLMSG_DONE || message.header.nlmsg_type == NLMSG_ERROR)
			return netlink_status(&message) ?: 1;
		if (message.header.nlmsg_type == NFTABLES_TYPE(NFT_MSG_NEWSETELEM) && !take_elements(reader, &message))
			return -EBADMSG;
	}
	return 0;
}

/* A listing goes on inside recv(2): nothing is waited for. */
static int read_set(struct reader *reader, const char *set)
{
	int result = request_elements(reader, set);

	while (!result) {
		ssize_t length = recv(reader->fd, reader->reply, sizeof(reader->reply), MSG_DONTWAIT | MSG_TRUNC);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return errno == EAGAIN ? -EIO : -errno;
		if ((size_t)length > sizeof(reader->reply))
			return -EMSGSIZE;
		result = take_datagram(reader, (struct netlink_span){reader->reply, (size_t)length});
	}
	if (result < 0)
		return result;
	return interval_finish(&reader->interval) ? 0 : -EBADMSG;
}

static int add_set(struct reader *reader, const struct ruleset_set *set, struct text *lines)
{
	struct netset contents = {0};
	int result;

	reader->interval = (struct interval){.family = set->family, .with_port = set->with_port, .set = &contents};
	result = read_set(reader, set->name);
	interval_free(&reader->interval);
	netset_normalize(&contents);
	for (size_t i = 0; !result && i < contents.count; i++) {
		char net[ADDR_NET_TEXT_MAX];

		text_addf(lines, "element %s %s", set->name, addr_net_format(&contents.entries[i].net, net));
		if (contents.entries[i].port)
			text_addf(lines, " . %s . %u", contents.entries[i].protocol == RULE_TCP ? "tcp" : "udp", contents.entries[i].port);
		text_add(lines, "\n");
	}
	netset_free(&contents);
	return result;
}

int readback_elements(struct text *lines, struct error *error)
{
	cleanup_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	cleanup_free struct reader *reader = malloc(sizeof(*reader));

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return error_errno(error, errno, "cannot open a netlink socket for nftables");
	if (!reader)
		return error_errno(error, ENOMEM, "cannot read the allow and deny sets");
	reader->fd = fd;
	reader->sequence = 0;
	for (size_t i = 0; i < RULESET_SETS; i++) {
		int result = ruleset_sets[i].learned ? 0 : add_set(reader, &ruleset_sets[i], lines);

		if (result == -EBADMSG)
			return error_set(error, EBADMSG, "the kernel's ruleset is not the expected one: set %s has an element that no shield writes",
				ruleset_sets[i].name);
		if (result)
			return error_errno(error, -result, "cannot read the set %s", ruleset_sets[i].name);
	}
	return text_failed(lines) ? error_errno(error, ENOMEM, "cannot read the allow and deny sets") : 0;
}

/* The elements first: they tell when there is no table at all. */
static int read_parts(char **json, struct text *elements, struct error *error)
{
	int result = readback_elements(elements, error);

	return result ? result : nft_list_json_terse(json, error);
}

int readback_verify(const struct ruleset *ruleset, struct error *error)
{
	cleanup_free char *json = NULL;
	cleanup_text struct text elements = {0};
	int result = read_parts(&json, &elements, error);

	return result ? result : verify_parts(ruleset, json, elements.data ? elements.data : "", error);
}

int readback_state(const struct ruleset *ruleset, enum shield_state *state, struct text *elements, struct error *difference,
	struct error *error)
{
	cleanup_free char *json = NULL;
	cleanup_text struct text lines = {0};
	struct error failure = {0};
	int result = read_parts(&json, &lines, &failure);

	*state = SHIELD_ERROR;
	if (result == -EBADMSG)
		*difference = failure;
	else if (result)
		return error_set(error, failure.code, "%s", failure.text);
	else
		*state = verify_parts_state(ruleset, json, lines.data ? lines.data : "", difference);
	if (elements && lines.data)
		text_add(elements, lines.data);
	return 0;
}
