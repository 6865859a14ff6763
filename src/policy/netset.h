/* A set of networks, each with an optional protocol and port, made disjoint, as the kernel's interval sets need it. */
#ifndef POLICY_NETSET_H
#define POLICY_NETSET_H

#include "policy/rule.h"

struct netset_entry {
	struct addr_net net;
	uint16_t port;	  /* 0: any */
	uint8_t protocol; /* RULE_TCP or RULE_UDP where port is not 0, otherwise RULE_ANY_PROTOCOL */
	int64_t until;	  /* 0, or when it ends, in seconds since the epoch */
};

/* Zero-initialise. */
struct netset {
	struct netset_entry *entries;
	size_t count, capacity;
};

/* Adds the network of a RULE_NET rule; a port without protocol becomes two entries. -ENOMEM. */
int netset_add(struct netset *set, const struct rule *rule);

/* Sorts; removes what another entry of the same protocol and port (or an entry for any port) covers; joins sibling networks of the same protocol and port.
 * Afterwards no two entries of equal protocol and port overlap. The order is by family, port, protocol, address. What ends is cut into the parts that
 * nothing else covers for as long or longer, and is joined with what ends at the same time only. -ENOMEM, and then the set is empty. */
int netset_normalize(struct netset *set);

/* True when some entry contains addr, whatever its port. Works on a normalized set. */
bool netset_contains(const struct netset *set, const struct addr *addr);

void netset_free(struct netset *set);

#endif
