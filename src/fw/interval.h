/* What the kernel says that an interval set holds, made into networks. Pure; internal to fw. */
#ifndef FW_INTERVAL_H
#define FW_INTERVAL_H

#include "fw/netlink.h"
#include "policy/netset.h"

/* One end of a range of addresses: the first one, or the first one behind it. */
struct interval_item {
	struct addr first;
	bool ends;
	int64_t until;
};

struct interval {
	enum addr_family family;
	bool with_port;
	struct netset *set; /* borrowed: the ranges with ports go there at once, the others at interval_finish() */
	struct interval_item *items;
	size_t count, capacity;
};

/* Takes one NFTA_LIST_ELEM in. False when it is not what fw/ruleset.c writes: another shape, a lifetime that its comment does not explain, an
 * expression, a catch-all. One with an end that has come, and that is about to go, is passed over; one that would stay beyond its end has the
 * end that it would have. */
bool interval_add(struct interval *interval, struct netlink_span attributes);

/* All elements are in: pairs them. False when they do not pair. The set is not normalized. */
bool interval_finish(struct interval *interval);

/* Frees the items, not the set. */
void interval_free(struct interval *interval);

#endif
