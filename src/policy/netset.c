/* A set of networks, made disjoint. */
#include "policy/netset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int netset_append(struct netset *set, const struct netset_entry *entry)
{
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? set->capacity * 2 : 16;
		struct netset_entry *entries = reallocarray(set->entries, capacity, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		set->entries = entries;
		set->capacity = capacity;
	}
	set->entries[set->count++] = *entry;
	return 0;
}

int netset_add(struct netset *set, const struct rule *rule)
{
	struct netset_entry entry = {.net = rule->net, .port = rule->port, .protocol = rule->protocol, .until = rule->until};
	int result;

	if (rule->port == 0)
		entry.protocol = RULE_ANY_PROTOCOL;
	if (rule->port == 0 || rule->protocol != RULE_ANY_PROTOCOL)
		return netset_append(set, &entry);
	entry.protocol = RULE_TCP;
	result = netset_append(set, &entry);
	if (result)
		return result;
	entry.protocol = RULE_UDP;
	result = netset_append(set, &entry);
	if (result)
		set->count--;
	return result;
}

/* By what makes a group: family, port, protocol. */
static int netset_compare_group(const struct netset_entry *a, const struct netset_entry *b)
{
	if (a->net.addr.family != b->net.addr.family)
		return a->net.addr.family - b->net.addr.family;
	if (a->port != b->port)
		return a->port - b->port;
	return a->protocol - b->protocol;
}

/* A network stands before those that lie in it. */
static int netset_compare(const void *left, const void *right)
{
	const struct netset_entry *a = left, *b = right;
	int order = netset_compare_group(a, b);

	if (order == 0)
		order = memcmp(a->net.addr.octets, b->net.addr.octets, sizeof(a->net.addr.octets));
	return order != 0 ? order : a->net.prefix_length - b->net.prefix_length;
}

/* The end of the group that begins at first, by doubling steps and bisection: there may be many groups, or one large one. */
static size_t netset_group_end(const struct netset *set, size_t first)
{
	size_t low = first, step = 1;

	while (low + step < set->count && netset_compare_group(&set->entries[low + step], &set->entries[first]) == 0) {
		low += step;
		step *= 2;
	}
	for (; step > 0; step /= 2)
		if (low + step < set->count && netset_compare_group(&set->entries[low + step], &set->entries[first]) == 0)
			low += step;
	return low + 1;
}

/* The entry that covers net among disjoint, sorted entries of one group, or NULL: only the last one that does not begin behind it can. */
static const struct netset_entry *netset_group_find(const struct netset *set, size_t first, size_t end, const struct addr_net *net)
{
	size_t low = first, high = end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(set->entries[middle].net.addr.octets, net->addr.octets, sizeof(net->addr.octets)) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == first || !addr_net_covers(&set->entries[low - 1].net, net))
		return NULL;
	return &set->entries[low - 1];
}

/* Makes a the network one bit wider than both when they are its two halves. The two halves of everything stay two: a
 * network of prefix length 0 is not a rule (rule.h), and nobody is to get one by writing two. */
static bool netset_join(struct netset_entry *a, const struct netset_entry *b)
{
	struct addr_net parent = a->net;

	if (a->until != b->until || a->net.prefix_length != b->net.prefix_length || parent.prefix_length <= 1)
		return false;
	parent.prefix_length--;
	if (!addr_net_contains(&parent, &b->net.addr))
		return false;
	a->net = parent; /* a is the lower half, whose bit is zero already */
	return true;
}

/* Puts entry behind the kept ones of its group, unless the last of them covers it; joins upwards. Returns the new end. */
static size_t netset_keep(struct netset *set, size_t first, size_t end, const struct netset_entry *entry)
{
	if (end > first && addr_net_covers(&set->entries[end - 1].net, &entry->net))
		return end;
	set->entries[end++] = *entry;
	while (end - first >= 2 && netset_join(&set->entries[end - 2], &set->entries[end - 1]))
		end--;
	return end;
}

/* Entries that do not end. */
static void netset_normalize_lasting(struct netset *set)
{
	size_t kept = 0;                   /* end of what stays, never behind the entry looked at */
	size_t any_first = 0, any_end = 0; /* the family's entries for any port, which sort first */

	if (set->count > 1)
		qsort(set->entries, set->count, sizeof(*set->entries), netset_compare);
	for (size_t next = 0; next < set->count;) {
		size_t group_end = netset_group_end(set, next);
		size_t group_first = kept;
		const struct netset_entry head = set->entries[next];

		if (any_end > any_first && set->entries[any_first].net.addr.family != head.net.addr.family)
			any_first = any_end = 0;
		for (; next < group_end; next++) {
			const struct netset_entry entry = set->entries[next];

			if (!netset_group_find(set, any_first, any_end, &entry.net))
				kept = netset_keep(set, group_first, kept, &entry);
		}
		if (head.port == 0) {
			any_first = group_first;
			any_end = kept;
		}
	}
	set->count = kept;
}

/* ---- entries that end ---- */

/* The first entry of a sorted set that does not stand before entry. */
static size_t netset_bound(const struct netset *set, const struct netset_entry *entry)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (netset_compare(&set->entries[middle], entry) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

enum netset_overlap {
	NETSET_APART,
	NETSET_COVERED, /* some entry covers it */
	NETSET_PARTED,  /* some entry lies in it */
};

/* How an entry lies to a sorted and disjoint set. */
static enum netset_overlap netset_overlap(const struct netset *set, const struct netset_entry *entry)
{
	size_t at = netset_bound(set, entry);
	const struct netset_entry *next = at < set->count ? &set->entries[at] : NULL;
	const struct netset_entry *before = at > 0 ? &set->entries[at - 1] : NULL;

	if (before && netset_compare_group(before, entry) == 0 && addr_net_covers(&before->net, &entry->net))
		return NETSET_COVERED;
	if (!next || netset_compare_group(next, entry) != 0 || !addr_net_covers(&entry->net, &next->net))
		return NETSET_APART;
	return addr_net_covers(&next->net, &entry->net) ? NETSET_COVERED : NETSET_PARTED;
}

/* The same, where what covers it for every port counts too. */
static enum netset_overlap netset_overlap_any(const struct netset *set, const struct netset_entry *entry)
{
	struct netset_entry any = *entry;
	enum netset_overlap overlap = netset_overlap(set, entry), overlap_any;

	if (!entry->port || overlap == NETSET_COVERED)
		return overlap;
	any.port = 0;
	any.protocol = RULE_ANY_PROTOCOL;
	overlap_any = netset_overlap(set, &any);
	return overlap_any != NETSET_APART ? overlap_any : overlap;
}

/* Adds to parts what of an entry neither of two sets covers. */
static int netset_cut(const struct netset *lasting, const struct netset *longer, const struct netset_entry *entry, struct netset *parts)
{
	enum netset_overlap first = netset_overlap_any(lasting, entry), second = netset_overlap_any(longer, entry);
	struct netset_entry half = *entry;
	int result;

	if (first == NETSET_COVERED || second == NETSET_COVERED)
		return 0;
	if (first == NETSET_APART && second == NETSET_APART)
		return netset_append(parts, entry);
	half.net.prefix_length++;
	result = netset_cut(lasting, longer, &half, parts);
	if (result)
		return result;
	half.net.addr.octets[entry->net.prefix_length / 8] |= (uint8_t)(0x80 >> entry->net.prefix_length % 8);
	return netset_cut(lasting, longer, &half, parts);
}

static int netset_compare_ends(const void *left, const void *right)
{
	const struct netset_entry *a = left, *b = right;

	if (a->until != b->until)
		return a->until < b->until ? 1 : -1;
	/* The wider one first, so that what lies in it is covered rather than cut out. */
	return a->net.prefix_length != b->net.prefix_length ? a->net.prefix_length - b->net.prefix_length : netset_compare(a, b);
}

/* Puts the entries that end behind the others. Returns how many do not. */
static size_t netset_part(struct netset *set)
{
	size_t lasting = 0;

	for (size_t i = 0; i < set->count; i++) {
		struct netset_entry entry = set->entries[i];

		if (entry.until)
			continue;
		set->entries[i] = set->entries[lasting];
		set->entries[lasting++] = entry;
	}
	return lasting;
}

/* Cuts the ending entries, those that end last first, each by what was kept before. */
static int netset_cut_all(const struct netset *lasting, struct netset *ending, struct netset *parts)
{
	int result = 0;

	qsort(ending->entries, ending->count, sizeof(*ending->entries), netset_compare_ends);
	for (size_t i = 0; !result && i < ending->count; i++) {
		size_t before = parts->count;

		result = netset_cut(lasting, parts, &ending->entries[i], parts);
		if (parts->count > before)
			qsort(parts->entries, parts->count, sizeof(*parts->entries), netset_compare);
	}
	return result;
}

/* All are disjoint: sorts, and joins neighbours. */
static void netset_join_all(struct netset *set)
{
	size_t kept = 0, first = 0;

	qsort(set->entries, set->count, sizeof(*set->entries), netset_compare);
	for (size_t i = 0; i < set->count; i++) {
		const struct netset_entry entry = set->entries[i];

		if (kept > first && netset_compare_group(&set->entries[kept - 1], &entry) != 0)
			first = kept;
		kept = netset_keep(set, first, kept, &entry);
	}
	set->count = kept;
}

int netset_normalize(struct netset *set)
{
	size_t lasting = netset_part(set);
	struct netset ending = {0}, parts = {0};
	int result = 0;

	for (size_t i = lasting; !result && i < set->count; i++)
		result = netset_append(&ending, &set->entries[i]);
	set->count = lasting;
	netset_normalize_lasting(set);
	if (!result && ending.count)
		result = netset_cut_all(set, &ending, &parts);
	for (size_t i = 0; !result && i < parts.count; i++)
		result = netset_append(set, &parts.entries[i]);
	if (!result && parts.count)
		netset_join_all(set);
	if (result)
		set->count = 0;
	netset_free(&ending);
	netset_free(&parts);
	return result;
}

bool netset_contains(const struct netset *set, const struct addr *addr)
{
	const struct addr_net net = {.addr = *addr, .prefix_length = addr->family == ADDR_V4 ? 32 : 128};

	for (size_t first = 0; first < set->count;) {
		size_t end = netset_group_end(set, first);

		if (netset_group_find(set, first, end, &net))
			return true;
		first = end;
	}
	return false;
}

void netset_free(struct netset *set)
{
	free(set->entries);
	*set = (struct netset){0};
}
