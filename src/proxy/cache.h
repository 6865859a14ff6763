/* The cache: answers as wire images, in a ring of fixed size.
 *
 * Theory of operation. Entries are written one behind the other into a ring; when it is full the oldest make room, whatever they are. An index
 * of buckets with eight places each finds an entry by a keyed hash. A place names a position in the endless sequence of octets ever written; one that
 * lies a ring's length back is gone, so nothing has to be deleted and nothing can leak. No allocation after the start, and memory is
 * touched only as it fills.
 *
 * An entry knows the addresses in its answer, and whoever takes one out sees to their leases before the answer leaves.
 */
#ifndef PROXY_CACHE_H
#define PROXY_CACHE_H

#include "dns/answer.h"
#include "dns/reply.h"

#define CACHE_OCTETS (2u << 20)
#define CACHE_ENTRY_MAX 16384 /* a larger answer is not kept */

struct cache;

/* An entry as it is found; everything belongs to the cache and holds until the next call. */
struct cache_entry {
	struct reply_source source; /* age_s set for now */
	uint32_t lease_s;	    /* the greatest TTL in it, for now */
	const struct addr *addresses;
	size_t address_count;
	bool filtered;
};

struct cache *cache_new(void);
void cache_free(struct cache *cache);

/* The answer to the question (name, type, DO and CD), when there is one that has not ended. */
bool cache_find(struct cache *cache, const struct question *question, struct cache_entry *entry);

/* Keeps a clean answer; one without a lifetime or too large is passed over. filtered: addresses had been removed from it. */
void cache_store(struct cache *cache, const struct question *question, const uint8_t *wire, const struct answer *answer, bool filtered);

/* Forgets everything: the policy changed. */
void cache_clear(struct cache *cache);

#endif
