/* What the kernel says that an interval set holds, made into networks.
 *
 * A set of addresses alone comes as a row of ends, in no order to rely on: the first address of each range, and, flagged, the first one
 * behind it. Sorted, they have to take turns. nft puts a flagged 0 in front, which ends nothing; a range up to the last address has no
 * end. A set with ports has both ends in one element. */
#include "fw/interval.h"

#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>

#include <libnftnl/udata.h>

#include "base/clock.h"
#include "fw/net_range.h"
#include "fw/ruleset.h"

struct key {
	struct addr addr;
	uint8_t protocol;
	uint16_t port;
};

static bool read_key(const struct interval *interval, const struct netlink_attribute *attribute, struct key *key)
{
	size_t octets = interval->family == ADDR_V4 ? 4 : 16;
	struct netlink_attribute value;

	if (!netlink_find(attribute->payload, NFTA_DATA_VALUE, &value) || value.payload.length != octets + (interval->with_port ? 8 : 0))
		return false;
	*key = (struct key){.addr = interval->family == ADDR_V4 ? addr_v4(value.payload.data) : addr_v6(value.payload.data)};
	if (interval->with_port) {
		key->protocol = value.payload.data[octets];
		key->port = (uint16_t)(value.payload.data[octets + 4] << 8 | value.payload.data[octets + 5]);
	}
	return true;
}

static bool read_flags(const struct netlink_attribute *attribute, bool *ends)
{
	uint32_t flags;

	if (attribute->payload.length != sizeof(flags))
		return false;
	memcpy(&flags, attribute->payload.data, sizeof(flags));
	*ends = be32toh(flags) == NFT_SET_ELEM_INTERVAL_END;
	return *ends || flags == 0;
}

static bool keep_item(struct interval *interval, const struct interval_item *item)
{
	if (interval->count == interval->capacity) {
		size_t capacity = interval->capacity ? interval->capacity * 2 : 64;
		struct interval_item *grown = reallocarray(interval->items, capacity, sizeof(*grown));

		if (!grown)
			return false;
		interval->items = grown;
		interval->capacity = capacity;
	}
	interval->items[interval->count++] = *item;
	return true;
}

static bool add_with_port(struct interval *interval, const struct key *first, const struct key *last, int64_t until)
{
	struct rule rule = {.kind = RULE_NET, .protocol = first->protocol, .port = first->port, .until = until};

	if (first->protocol != last->protocol || first->port != last->port || !first->port ||
		(first->protocol != RULE_TCP && first->protocol != RULE_UDP))
		return false;
	return net_range_add(interval->set, &rule, &first->addr, &last->addr);
}

/* What an element has besides its key and flags. */
struct lifetime {
	bool has_timeout;
	uint64_t timeout_ms, left_ms;
	int64_t until; /* of the comment; 0: none */
};

static void read_comment(const struct netlink_attribute *attribute, struct lifetime *lifetime)
{
	const uint8_t *data = attribute->payload.data;
	size_t left = attribute->payload.length;
	char comment[sizeof(RULESET_UNTIL) + CLOCK_TEXT_MAX] = "";

	for (size_t length; left >= 2 && (length = data[1]) <= left - 2; data += 2 + length, left -= 2 + length)
		if (data[0] == NFTNL_UDATA_SET_ELEM_COMMENT && length < sizeof(comment))
			memcpy(comment, data + 2, length);
	if (strncmp(comment, RULESET_UNTIL, strlen(RULESET_UNTIL)) || clock_wall_parse(comment + strlen(RULESET_UNTIL), &lifetime->until))
		lifetime->until = 0;
}

/* What to do with an element by its lifetime: its end, 0 for one that stays. False when it is not understood. */
static bool settle_end(const struct lifetime *lifetime, int64_t *until, bool *over)
{
	int64_t now_s = clock_lasting_s(), left_s = (int64_t)(lifetime->left_ms / 1000);

	*until = lifetime->until;
	*over = false;
	if (lifetime->has_timeout != (lifetime->until != 0) || lifetime->timeout_ms > INT64_MAX / 2 ||
		lifetime->left_ms > lifetime->timeout_ms)
		return false;
	if (!*until)
		return true;
	if (left_s > *until - now_s + RULESET_END_SLACK_S)
		*until = now_s + left_s; /* a clock was set forward, or the machine was suspended */
	else
		*over = *until <= now_s;
	return true;
}

bool interval_add(struct interval *interval, struct netlink_span attributes)
{
	struct netlink_attribute attribute;
	struct lifetime lifetime = {0};
	struct key first, last;
	bool has_first = false, has_last = false, ends = false, over;
	int64_t until;

	while (netlink_next_attribute(&attributes, &attribute)) {
		switch (attribute.type) {
		case NFTA_SET_ELEM_KEY:
			has_first = read_key(interval, &attribute, &first);
			break;
		case NFTA_SET_ELEM_KEY_END:
			has_last = read_key(interval, &attribute, &last);
			if (!has_last)
				return false;
			break;
		case NFTA_SET_ELEM_FLAGS:
			if (!read_flags(&attribute, &ends))
				return false;
			break;
		case NFTA_SET_ELEM_TIMEOUT:
			lifetime.has_timeout = true;
			lifetime.timeout_ms = netlink_u64(&attribute);
			break;
		case NFTA_SET_ELEM_EXPIRATION:
			lifetime.left_ms = netlink_u64(&attribute);
			break;
		case NFTA_SET_ELEM_USERDATA: /* how nft is to print it, and until when it is there */
			read_comment(&attribute, &lifetime);
			break;
		case NFTA_SET_ELEM_PAD:
			break;
		default:
			return false;
		}
	}
	if (ends)
		lifetime.until = 0; /* nft may put the comment to both */
	if (!has_first || (interval->with_port ? ends : has_last) || !settle_end(&lifetime, &until, &over))
		return false;
	if (over)
		return true;
	if (interval->with_port)
		return add_with_port(interval, &first, has_last ? &last : &first, until);
	return keep_item(interval, &(struct interval_item){.first = first.addr, .ends = ends, .until = until});
}

static int compare_items(const void *a, const void *b)
{
	const struct interval_item *left = a, *right = b;
	int order = memcmp(left->first.octets, right->first.octets, sizeof(left->first.octets));

	return order ? order : right->ends - left->ends; /* where ranges touch, the one ends before the other begins */
}

static struct addr addr_before(struct addr addr)
{
	for (size_t i = addr.family == ADDR_V4 ? 4 : 16; i-- > 0 && addr.octets[i]-- == 0;)
		;
	return addr;
}

static struct addr addr_last(enum addr_family family)
{
	static const uint8_t ones[16] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};

	return family == ADDR_V4 ? addr_v4(ones) : addr_v6(ones);
}

bool interval_finish(struct interval *interval)
{
	struct rule rule = {.kind = RULE_NET};
	const struct interval_item *open = NULL;
	struct addr last;

	if (interval->count)
		qsort(interval->items, interval->count, sizeof(*interval->items), compare_items);
	for (size_t i = 0; i < interval->count; i++) {
		const struct interval_item *item = &interval->items[i];

		if (!item->ends) {
			if (open)
				return false;
			open = item;
			continue;
		}
		if (!open)
			continue;
		rule.until = open->until;
		last = addr_before(item->first);
		if (!net_range_add(interval->set, &rule, &open->first, &last))
			return false;
		open = NULL;
	}
	last = addr_last(interval->family);
	rule.until = open ? open->until : 0;
	return !open || net_range_add(interval->set, &rule, &open->first, &last);
}

void interval_free(struct interval *interval)
{
	free(interval->items);
	interval->items = NULL;
	interval->count = interval->capacity = 0;
}
