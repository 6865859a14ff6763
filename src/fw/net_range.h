/* A range of addresses as the networks that make it up: nft joins neighbours, and the kernel knows ranges only. */
#ifndef FW_NET_RANGE_H
#define FW_NET_RANGE_H

#include <stdbool.h>

#include "policy/netset.h"

/* Adds the addresses from first to last, with rule's port and protocol: from the beginning on, always the largest network that begins there
 * and does not reach beyond the end. rule's network is overwritten. False when last comes before first, they are of two families, or
 * there is no memory. */
bool net_range_add(struct netset *set, struct rule *rule, const struct addr *first, const struct addr *last);

#endif
