/* Reading netlink: messages and attributes out of a span of octets, each length checked before it is used. */
#ifndef FW_NETLINK_H
#define FW_NETLINK_H

#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct netlink_span {
	const uint8_t *data;
	size_t length;
};

struct netlink_message {
	struct nlmsghdr header;
	struct netlink_span payload;
};

struct netlink_attribute {
	uint16_t type; /* without the flag bits */
	struct netlink_span payload;
};

static inline void netlink_skip(struct netlink_span *span, size_t length)
{
	size_t padded = length < span->length ? NLMSG_ALIGN(length) : length;

	if (padded > span->length)
		padded = span->length;
	span->data += padded;
	span->length -= padded;
}

/* The next message of a datagram. False at its end, and where what is left is no whole message. */
static inline bool netlink_next_message(struct netlink_span *span, struct netlink_message *message)
{
	if (span->length < sizeof(message->header))
		return false;
	memcpy(&message->header, span->data, sizeof(message->header));
	if (message->header.nlmsg_len < sizeof(message->header) || message->header.nlmsg_len > span->length)
		return false;
	message->payload.data = span->data + sizeof(message->header);
	message->payload.length = message->header.nlmsg_len - sizeof(message->header);
	netlink_skip(span, message->header.nlmsg_len);
	return true;
}

/* The attributes of a netfilter message: what follows its nfgenmsg. */
static inline struct netlink_span netlink_attributes(const struct netlink_message *message)
{
	struct netlink_span span = message->payload;

	netlink_skip(&span, sizeof(struct nfgenmsg));
	return span;
}

/* The next attribute of a message or nest. False at the end, and where what is left is no whole attribute. */
static inline bool netlink_next_attribute(struct netlink_span *span, struct netlink_attribute *attribute)
{
	struct nlattr head;

	if (span->length < sizeof(head))
		return false;
	memcpy(&head, span->data, sizeof(head));
	if (head.nla_len < sizeof(head) || head.nla_len > span->length)
		return false;
	attribute->type = head.nla_type & NLA_TYPE_MASK;
	attribute->payload.data = span->data + sizeof(head);
	attribute->payload.length = head.nla_len - sizeof(head);
	netlink_skip(span, head.nla_len);
	return true;
}

/* The first attribute of a type in a message or nest. False when there is none. */
static inline bool netlink_find(struct netlink_span span, uint16_t type, struct netlink_attribute *attribute)
{
	while (netlink_next_attribute(&span, attribute))
		if (attribute->type == type)
			return true;
	return false;
}

/* A big-endian number; zero when the attribute has another length. */
static inline uint64_t netlink_u64(const struct netlink_attribute *attribute)
{
	uint64_t value = 0;

	if (attribute->payload.length == sizeof(value))
		memcpy(&value, attribute->payload.data, sizeof(value));
	return be64toh(value);
}

/* What NLMSG_ERROR and NLMSG_DONE carry first: zero or a negative errno. A message that is too short for one is an error itself. */
static inline int netlink_status(const struct netlink_message *message)
{
	int status;

	if (message->payload.length < sizeof(status))
		return -EBADMSG;
	memcpy(&status, message->payload.data, sizeof(status));
	return status > 0 || status < -4095 ? -EBADMSG : status;
}

#endif
