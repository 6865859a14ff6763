/* What the kernel holds, read back and compared: see readback.h. */
#include "fw/readback.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "base/cleanup.h"
#include "fw/interval.h"
#include "fw/nft.h"

#define TABLE_SHOWN_MAX        60           /* octets of a foreign table's name */
#define REPLY_SIZE             (32u << 10) /* the most that the kernel puts into one datagram of a listing */
#define NFTABLES_TYPE(message) (NFNL_SUBSYS_NFTABLES << 8 | (message))

struct reader {
	int fd;
	uint32_t sequence;
	struct interval interval; /* of the set being read */
	struct text *tables;      /* lines of those that are not ours */
	_Alignas(struct nlmsghdr) uint8_t reply[REPLY_SIZE];
};

static struct nlmsghdr *request_make(struct reader *reader, uint8_t *buffer, uint16_t type, uint8_t family)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct nfgenmsg *header;

	request->nlmsg_type = NFTABLES_TYPE(type);
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = ++reader->sequence;
	header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	return request;
}

static int request_elements(struct reader *reader, const char *set)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[256];
	struct nlmsghdr *request = request_make(reader, buffer, NFT_MSG_GETSETELEM, NFPROTO_INET);

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

static const char *family_name(uint8_t family, char number[16])
{
	static const struct {
		uint8_t family;
		const char *name;
	} names[] = {{NFPROTO_INET, "inet"}, {NFPROTO_IPV4, "ip"}, {NFPROTO_IPV6, "ip6"}, {NFPROTO_ARP, "arp"}, {NFPROTO_BRIDGE, "bridge"},
		{NFPROTO_NETDEV, "netdev"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].family == family)
			return names[i].name;
	snprintf(number, 16, "family %u", family);
	return number;
}

/* Notes a table that is not ours. */
static bool take_table(struct reader *reader, const struct netlink_message *message)
{
	struct netlink_attribute name;
	struct nfgenmsg header;
	char number[16];

	if (message->payload.length < sizeof(header))
		return false;
	memcpy(&header, message->payload.data, sizeof(header));
	if (!netlink_find(netlink_attributes(message), NFTA_TABLE_NAME, &name) || !name.payload.length)
		return false;
	if (header.nfgen_family == NFPROTO_INET && name.payload.length == sizeof(RULESET_TABLE) &&
		!memcmp(name.payload.data, RULESET_TABLE, sizeof(RULESET_TABLE)))
		return true;
	text_addf(reader->tables, "%s ", family_name(header.nfgen_family, number));
	text_add_escaped(reader->tables, name.payload.data, name.payload.length - 1, TABLE_SHOWN_MAX);
	text_add(reader->tables, "\n");
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
		if (message.header.nlmsg_type == NFTABLES_TYPE(NFT_MSG_NEWTABLE) && !take_table(reader, &message))
			return -EBADMSG;
	}
	return 0;
}

/* A listing goes on inside recv(2): nothing is waited for. Returns 1, or a negative errno. */
static int read_listing(struct reader *reader)
{
	int result = 0;

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
	return result;
}

static int read_set(struct reader *reader, const char *set)
{
	int result = request_elements(reader, set) ?: read_listing(reader);

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
	result = result ?: netset_normalize(&contents);
	for (size_t i = 0; !result && i < contents.count; i++) {
		text_addf(lines, "element %s ", set->name);
		ruleset_element_line(lines, &contents.entries[i]);
		text_add(lines, "\n");
	}
	netset_free(&contents);
	return result;
}

static void reader_close(struct reader **reader)
{
	if (*reader && (*reader)->fd >= 0)
		close((*reader)->fd);
	free(*reader);
}
#define cleanup_reader __attribute__((cleanup(reader_close)))

static struct reader *reader_open(struct error *error)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	cleanup_reader struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader) {
		error_errno(error, ENOMEM, "cannot read nftables' tables");
		return NULL;
	}
	reader->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (reader->fd < 0 || bind(reader->fd, (struct sockaddr *)&address, sizeof(address))) {
		error_errno(error, errno, "cannot open a netlink socket for nftables");
		return NULL;
	}
	return take_pointer(reader);
}

int readback_other_tables(struct text *names, struct error *error)
{
	_Alignas(struct nlmsghdr) uint8_t buffer[256];
	struct error failure = {0};
	cleanup_reader struct reader *reader = reader_open(&failure);
	const struct nlmsghdr *request;
	int result;

	if (!reader)
		return error_set(error, failure.code, "%s", failure.text);
	reader->tables = names;
	request = request_make(reader, buffer, NFT_MSG_GETTABLE, NFPROTO_UNSPEC);
	result = send(reader->fd, request, request->nlmsg_len, 0) < 0 ? -errno : read_listing(reader);
	if (result < 0)
		return error_errno(error, -result, "cannot list nftables' tables");
	return text_failed(names) ? error_errno(error, ENOMEM, "cannot list nftables' tables") : 0;
}

int readback_elements(struct text *lines, struct error *error)
{
	struct error failure = {0};
	cleanup_reader struct reader *reader = reader_open(&failure);

	if (!reader)
		return error_set(error, failure.code, "%s", failure.text);
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

int readback_each(const struct ruleset *ruleset, struct error differences[VERIFY_KINDS], struct error *error)
{
	cleanup_free char *json = NULL;
	cleanup_text struct text elements = {0};
	struct error failure = {0};
	int result = read_parts(&json, &elements, &failure);

	/* An element that cannot be read hides none of the rest. */
	if (result == -EBADMSG)
		result = nft_list_json_terse(&json, error);
	else if (result)
		return error_set(error, failure.code, "%s", failure.text);
	if (!result)
		result = verify_parts_each(ruleset, json, elements.data ? elements.data : "", differences, error);
	if (!result && failure.code)
		differences[VERIFY_ELEMENTS] = failure;
	return result;
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
