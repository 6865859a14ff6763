/* What the kernel answers the set writer, taken apart. Nothing in here trusts a length. */
#include <linux/netfilter/nf_tables.h>

#include <libnftnl/udata.h>

#include "fw/setwriter_parse.h"

#define NFTABLES_TYPE(message) (NFNL_SUBSYS_NFTABLES << 8 | (message))

void setwriter_parse_replies(struct setwriter_replies *replies, struct netlink_span datagram)
{
	struct netlink_message message;

	while (netlink_next_message(&datagram, &message)) {
		uint32_t sequence = message.header.nlmsg_seq;
		int status;

		if (message.header.nlmsg_type != NLMSG_ERROR || sequence - replies->first > replies->last - replies->first)
			continue;
		status = netlink_status(&message);
		if (status && !replies->status)
			replies->status = status;
		if (sequence == replies->last)
			replies->acknowledged = true;
	}
}

/* User data is a row of (type, length, octets); nft shows the one of type comment. */
static void parse_comment(struct netlink_span udata, char *comment)
{
	while (udata.length >= 2) {
		uint8_t type = udata.data[0], length = udata.data[1];
		size_t i;

		udata.data += 2;
		udata.length -= 2;
		if (length > udata.length)
			return;
		if (type == NFTNL_UDATA_SET_ELEM_COMMENT) {
			for (i = 0; i < length && i < SETWRITER_COMMENT_MAX && udata.data[i]; i++)
				comment[i] = udata.data[i] >= ' ' && udata.data[i] <= '~' ? (char)udata.data[i] : '?';
			comment[i] = '\0';
			return;
		}
		udata.data += length;
		udata.length -= length;
	}
}

static void parse_expression(struct netlink_span expression, struct setwriter_element *element)
{
	struct netlink_attribute name, data, value;

	if (!netlink_find(expression, NFTA_EXPR_NAME, &name) || name.payload.length != sizeof("counter") ||
		memcmp(name.payload.data, "counter", sizeof("counter")) || !netlink_find(expression, NFTA_EXPR_DATA, &data))
		return;
	if (netlink_find(data.payload, NFTA_COUNTER_PACKETS, &value))
		element->packets = netlink_u64(&value);
	if (netlink_find(data.payload, NFTA_COUNTER_BYTES, &value))
		element->bytes = netlink_u64(&value);
}

/* Concatenated keys are padded to four octets a field. */
static bool parse_key(struct netlink_span value, enum addr_family family, bool with_port, struct setwriter_key *key)
{
	size_t octets = family == ADDR_V4 ? 4 : 16;

	if (value.length != octets + (with_port ? 8 : 0))
		return false;
	key->addr = family == ADDR_V4 ? addr_v4(value.data) : addr_v6(value.data);
	if (with_port) {
		key->protocol = value.data[octets];
		key->port = (uint16_t)(value.data[octets + 4] << 8 | value.data[octets + 5]);
	}
	return true;
}

bool setwriter_parse_element(struct netlink_span attributes, enum addr_family family, bool with_port, struct setwriter_element *element)
{
	struct netlink_attribute attribute, value;
	bool has_key = false;

	*element = (struct setwriter_element){0};
	while (netlink_next_attribute(&attributes, &attribute)) {
		struct netlink_span list = attribute.payload;

		switch (attribute.type) {
		case NFTA_SET_ELEM_KEY:
			has_key = netlink_find(attribute.payload, NFTA_DATA_VALUE, &value) &&
				  parse_key(value.payload, family, with_port, &element->key);
			break;
		case NFTA_SET_ELEM_TIMEOUT:
			element->timeout_ms = netlink_u64(&attribute);
			break;
		case NFTA_SET_ELEM_EXPIRATION:
			element->expires_ms = netlink_u64(&attribute);
			break;
		case NFTA_SET_ELEM_USERDATA:
			parse_comment(attribute.payload, element->comment);
			break;
		case NFTA_SET_ELEM_EXPR:
			parse_expression(attribute.payload, element);
			break;
		case NFTA_SET_ELEM_EXPRESSIONS:
			while (netlink_next_attribute(&list, &value))
				parse_expression(value.payload, element);
			break;
		}
	}
	return has_key;
}

static void parse_elements(struct setwriter_listing *listing, const struct netlink_message *message)
{
	struct netlink_attribute list, item;
	struct setwriter_element element;

	if (!netlink_find(netlink_attributes(message), NFTA_SET_ELEM_LIST_ELEMENTS, &list))
		return;
	while (netlink_next_attribute(&list.payload, &item))
		if (!listing->result && item.type == NFTA_LIST_ELEM &&
			setwriter_parse_element(item.payload, listing->family, listing->with_port, &element))
			listing->result = listing->visit(listing->context, &element);
}

void setwriter_parse_listing(struct setwriter_listing *listing, struct netlink_span datagram)
{
	struct netlink_message message;

	while (netlink_next_message(&datagram, &message)) {
		if (message.header.nlmsg_seq != listing->sequence)
			continue;
		if (message.header.nlmsg_type == NLMSG_ERROR || message.header.nlmsg_type == NLMSG_DONE) {
			listing->done = true;
			listing->status = netlink_status(&message);
		} else if (message.header.nlmsg_type == NFTABLES_TYPE(NFT_MSG_NEWSETELEM)) {
			parse_elements(listing, &message);
		}
	}
}

_Static_assert(NFTA_TABLE_NAME == 1 && NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1, "one attribute for the table in all messages");

bool setwriter_parse_foreign(struct netlink_span datagram, uint32_t port_id, const char *table)
{
	struct netlink_message message;
	struct netlink_attribute name;

	while (netlink_next_message(&datagram, &message)) {
		if (message.header.nlmsg_pid == port_id)
			continue;
		switch (message.header.nlmsg_type) {
		case NFTABLES_TYPE(NFT_MSG_NEWTABLE):
		case NFTABLES_TYPE(NFT_MSG_DELTABLE):
		case NFTABLES_TYPE(NFT_MSG_NEWSET):
		case NFTABLES_TYPE(NFT_MSG_DELSET):
		case NFTABLES_TYPE(NFT_MSG_NEWSETELEM):
		case NFTABLES_TYPE(NFT_MSG_DELSETELEM):
			if (netlink_find(netlink_attributes(&message), NFTA_TABLE_NAME, &name) &&
				name.payload.length == strlen(table) + 1 && !memcmp(name.payload.data, table, name.payload.length))
				return true;
			break;
		}
	}
	return false;
}
