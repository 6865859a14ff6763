/* Records of the packet log, taken apart. Nothing in here trusts a length, neither the kernel's nor the packet's. */
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "fw/packet_log_parse.h"
#include "fw/ruleset.h"

#define V4_HEADER      20
#define V6_HEADER      40
#define EXTENSIONS_MAX 8 /* headers that a packet may have before its ports; with more it has none for us */

static const struct {
	const char *prefix;
	enum packet_fate fate;
} fates[PACKET_FATES] = {
	{RULESET_LOG_ALLOWED, PACKET_ALLOWED},
	{RULESET_LOG_BLOCKED, PACKET_BLOCKED},
	{RULESET_LOG_DENIED, PACKET_DENIED},
	{RULESET_LOG_PRIVATE, PACKET_PRIVATE},
	{RULESET_LOG_BYPASS, PACKET_BYPASSED},
};

static bool parse_fate(struct netlink_span prefix, enum packet_fate *fate)
{
	for (size_t i = 0; i < PACKET_FATES; i++)
		if (prefix.length == strlen(fates[i].prefix) + 1 && !memcmp(prefix.data, fates[i].prefix, prefix.length)) {
			*fate = fates[i].fate;
			return true;
		}
	return false;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void parse_transport(struct netlink_span rest, struct packet_record *record)
{
	bool echo;

	switch (record->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		if (rest.length < 4)
			return;
		record->has_ports = true;
		record->source_port = get16(rest.data);
		record->port = get16(rest.data + 2);
		return;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		echo = rest.length >= 8 && rest.data[0] == (record->protocol == IPPROTO_ICMP ? ICMP_ECHO : ICMP6_ECHO_REQUEST);
		record->source_port = echo ? get16(rest.data + 4) : 0;
		return;
	}
}

static bool parse_v4(struct netlink_span packet, struct packet_record *record)
{
	size_t length = packet.length < V4_HEADER ? 0 : (size_t)(packet.data[0] & 15) * 4;

	if (length < V4_HEADER)
		return false;
	record->source = addr_v4(packet.data + 12);
	record->dest = addr_v4(packet.data + 16);
	record->protocol = packet.data[9];
	if (length <= packet.length && !(get16(packet.data + 6) & 0x1fff)) /* not a later fragment */
		parse_transport((struct netlink_span){packet.data + length, packet.length - length}, record);
	return true;
}

/* The octets of an extension header, 0 when it is none or is not whole (RFC 8200 section 4; RFC 4302 for AH). */
static size_t extension_length(uint8_t type, struct netlink_span rest)
{
	size_t length;

	switch (type) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
		break;
	default: /* protocol numbers, not ours */
		return 0;
	}
	if (rest.length < 8)
		return 0;
	length = type == IPPROTO_FRAGMENT ? 8 : type == IPPROTO_AH ? ((size_t)rest.data[1] + 2) * 4 : ((size_t)rest.data[1] + 1) * 8;
	return length <= rest.length ? length : 0;
}

static bool parse_v6(struct netlink_span packet, struct packet_record *record)
{
	struct netlink_span rest;
	bool later_fragment = false;
	size_t length;

	if (packet.length < V6_HEADER)
		return false;
	record->source = addr_v6(packet.data + 8);
	record->dest = addr_v6(packet.data + 24);
	record->protocol = packet.data[6];
	rest = (struct netlink_span){packet.data + V6_HEADER, packet.length - V6_HEADER};
	for (unsigned i = 0; i < EXTENSIONS_MAX && (length = extension_length(record->protocol, rest)); i++) {
		later_fragment |= record->protocol == IPPROTO_FRAGMENT && (get16(rest.data + 2) & 0xfff8);
		record->protocol = rest.data[0];
		rest = (struct netlink_span){rest.data + length, rest.length - length};
	}
	if (!later_fragment)
		parse_transport(rest, record);
	return true;
}

bool packet_log_parse(const struct netlink_message *message, struct packet_record *record, bool *has_sequence)
{
	struct netlink_span attributes = netlink_attributes(message);
	struct netlink_attribute attribute;

	*record = (struct packet_record){0};
	*has_sequence = false;
	if (message->header.nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
		return false;
	if (netlink_find(attributes, NFULA_SEQ, &attribute) && attribute.payload.length == sizeof(record->sequence)) {
		memcpy(&record->sequence, attribute.payload.data, sizeof(record->sequence));
		record->sequence = be32toh(record->sequence);
		*has_sequence = true;
	}
	if (!netlink_find(attributes, NFULA_PREFIX, &attribute) || !parse_fate(attribute.payload, &record->fate) ||
		!netlink_find(attributes, NFULA_PAYLOAD, &attribute) || !attribute.payload.length)
		return false;
	switch (attribute.payload.data[0] >> 4) {
	case 4:
		return parse_v4(attribute.payload, record);
	case 6:
		return parse_v6(attribute.payload, record);
	}
	return false;
}
