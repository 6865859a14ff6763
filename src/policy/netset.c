/* A set of networks, made disjoint. */
#include "policy/netset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int netset_append(struct netset *set, const struct addr_net *net, uint16_t port, uint8_t protocol)
{
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? set->capacity * 2 : 16;
		struct netset_entry *entries = reallocarray(set->entries, capacity, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		set->entries = entries;
		set->capacity = capacity;
	}
	set->entries[set->count++] = (struct netset_entry){.net = *net, .port = port, .protocol = protocol};
	return 0;
}

int netset_add(struct netset *set, const struct rule *rule)
{
	int result;

	if (rule->port == 0)
		return netset_append(set, &rule->net, 0, RULE_ANY_PROTOCOL);
	if (rule->protocol != RULE_ANY_PROTOCOL)
		return netset_append(set, &rule->net, rule->port, rule->protocol);
	result = netset_append(set, &rule->net, rule->port, RULE_TCP);
	if (result)
		return result;
	result = netset_append(set, &rule->net, rule->port, RULE_UDP);
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

	if (a->net.prefix_length != b->net.prefix_length || parent.prefix_length <= 1)
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

void netset_normalize(struct netset *set)
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
