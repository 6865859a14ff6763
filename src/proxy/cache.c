/* The cache: answers as wire images, in a ring of fixed size. */
#include "proxy/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define WAYS 8
#define BUCKETS 2048 /* a power of two; 16384 entries of 128 octets fill the ring; one of a single address is about 100 */
#define ALIGNMENT 8

/* In the ring: this, then the addresses' octets, those of IPv4 first, the TTLs' offsets, the wire image. */
struct stored {
	int64_t fetched_ms;
	uint64_t ttl_s : 17, lease_s : 17;
	uint64_t length : 14;
	uint64_t rcode : 12;
	uint64_t authentic : 1, filtered : 1, dnssec_ok : 1, checking_disabled : 1;
	uint16_t answer_count, authority_count;
	uint16_t v4_count, v6_count;
};

_Static_assert(ANSWER_TTL_MAX_S < 1u << 17 && CACHE_ENTRY_MAX <= 1u << 14, "they fit the fields of a stored answer");
_Static_assert(sizeof(struct stored) == 24, "every answer in the cache has one");

#define V4_OCTETS 4
#define V6_OCTETS 16

struct place {
	uint64_t hash;
	uint64_t position; /* in the sequence of all octets ever written; 0: never used */
};

struct cache {
	struct hash_key hash_key;
	uint64_t head;	/* where the next entry goes; starts at CACHE_OCTETS so that 0 is always gone */
	uint64_t floor; /* entries before this were forgotten by cache_clear() */
	struct addr found[ANSWER_ADDRESSES_MAX]; /* of the entry that was found last */
	struct place places[BUCKETS][WAYS];
	_Alignas(ALIGNMENT) uint8_t ring[CACHE_OCTETS];
};

struct cache *cache_new(void)
{
	struct cache *cache = calloc(1, sizeof(*cache)); /* of this size from mmap: untouched pages cost nothing */

	if (!cache)
		return NULL;
	cache->hash_key = hash_key_random();
	cache->head = cache->floor = CACHE_OCTETS;
	return cache;
}

void cache_free(struct cache *cache)
{
	free(cache);
}

static bool place_is_live(const struct cache *cache, const struct place *place)
{
	return place->position >= cache->floor && place->position + CACHE_OCTETS >= cache->head;
}

static size_t addresses_size(const struct stored *stored)
{
	return (size_t)stored->v4_count * V4_OCTETS + (size_t)stored->v6_count * V6_OCTETS;
}

static size_t ttl_count(const struct stored *stored)
{
	return (size_t)stored->answer_count + stored->authority_count;
}

static size_t stored_size(const struct stored *stored)
{
	size_t size = sizeof(*stored) + addresses_size(stored) + ttl_count(stored) * sizeof(uint16_t) + stored->length;

	return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

/* The pieces behind the fixed part. */
static uint8_t *stored_addresses(struct stored *stored)
{
	return (uint8_t *)(stored + 1);
}

static uint16_t *stored_ttls(struct stored *stored)
{
	return (uint16_t *)(void *)(stored_addresses(stored) + addresses_size(stored));
}

static uint8_t *stored_wire(struct stored *stored)
{
	return (uint8_t *)(stored_ttls(stored) + ttl_count(stored));
}

static void addresses_pack(struct stored *stored, const struct answer *answer)
{
	uint8_t *v4 = stored_addresses(stored), *v6 = v4 + (size_t)stored->v4_count * V4_OCTETS;

	for (size_t i = 0; i < answer->address_count; i++) {
		const struct addr *addr = &answer->addresses[i];
		uint8_t **at = addr->family == ADDR_V4 ? &v4 : &v6;
		size_t octets = addr->family == ADDR_V4 ? V4_OCTETS : V6_OCTETS;

		memcpy(*at, addr->octets, octets);
		*at += octets;
	}
}

static void addresses_unpack(struct stored *stored, struct addr *found)
{
	const uint8_t *at = stored_addresses(stored);

	for (unsigned i = 0; i < stored->v4_count; i++, at += V4_OCTETS) {
		*found = (struct addr){.family = ADDR_V4};
		memcpy(found++->octets, at, V4_OCTETS);
	}
	for (unsigned i = 0; i < stored->v6_count; i++, at += V6_OCTETS) {
		*found = (struct addr){.family = ADDR_V6};
		memcpy(found++->octets, at, V6_OCTETS);
	}
}

static bool stored_answers(struct stored *stored, const struct question *question)
{
	const uint8_t *wire = stored_wire(stored);

	return stored->dnssec_ok == question->dnssec_ok && stored->checking_disabled == question->checking_disabled &&
	       stored->length >= MESSAGE_HEADER + question->name.length + 4u &&
	       !memcmp(wire + MESSAGE_HEADER, question->name.wire, question->name.length) &&
	       message_get16(wire + MESSAGE_HEADER + question->name.length) == question->type;
}

bool cache_find(struct cache *cache, const struct question *question, struct cache_entry *entry)
{
	uint64_t hash = question_hash(question, &cache->hash_key);
	const struct place *bucket = cache->places[hash & (BUCKETS - 1)];

	for (size_t i = 0; i < WAYS; i++) {
		struct stored *stored;
		int64_t age_ms;

		if (bucket[i].hash != hash || !place_is_live(cache, &bucket[i]))
			continue;
		stored = (struct stored *)(cache->ring + bucket[i].position % CACHE_OCTETS);
		if (!stored_answers(stored, question))
			continue;
		age_ms = clock_now_ms() - stored->fetched_ms;
		if (age_ms < 0 || age_ms >= (int64_t)stored->ttl_s * 1000)
			return false;
		addresses_unpack(stored, cache->found);
		*entry = (struct cache_entry){
			.source = {
				.wire = stored_wire(stored),
				.length = stored->length,
				.rcode = stored->rcode,
				.answer_count = stored->answer_count,
				.authority_count = stored->authority_count,
				.authentic = stored->authentic,
				.ttls = stored_ttls(stored),
				.ttl_count = ttl_count(stored),
				.age_s = (uint32_t)(age_ms / 1000),
				.ttl_max_s = ANSWER_TTL_MAX_S,
			},
			.addresses = cache->found,
			.address_count = (size_t)stored->v4_count + stored->v6_count,
			.filtered = stored->filtered,
		};
		entry->lease_s = stored->lease_s - entry->source.age_s; /* not below 0: lease_s is at least ttl_s, which is above the age */
		return true;
	}
	return false;
}

/* The place for a new entry: the one of the same question, else one that is gone, else the oldest. */
static struct place *place_choose(struct cache *cache, uint64_t hash)
{
	struct place *bucket = cache->places[hash & (BUCKETS - 1)], *oldest = &bucket[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (bucket[i].hash == hash)
			return &bucket[i];
		if (bucket[i].position < oldest->position)
			oldest = &bucket[i];
	}
	return oldest;
}

/* Room for size octets in one piece. */
static uint64_t ring_take(struct cache *cache, size_t size)
{
	uint64_t position = cache->head, rest = CACHE_OCTETS - position % CACHE_OCTETS;

	if (rest < size)
		position += rest;
	cache->head = position + size;
	return position;
}

static uint16_t count_v4(const struct answer *answer)
{
	uint16_t count = 0;

	for (size_t i = 0; i < answer->address_count; i++)
		count += answer->addresses[i].family == ADDR_V4;
	return count;
}

void cache_store(struct cache *cache, const struct question *question, const uint8_t *wire, const struct answer *answer, bool filtered)
{
	uint16_t v4_count = count_v4(answer);
	struct stored *stored, fixed;
	struct place *place;
	uint64_t hash;
	uint8_t *copy;

	if (!answer->ttl_s || !answer->clean || answer->end >= CACHE_ENTRY_MAX)
		return;
	fixed = (struct stored){
		.fetched_ms = clock_now_ms(),
		.ttl_s = answer->ttl_s,
		.lease_s = answer->lease_s > answer->ttl_s ? answer->lease_s : answer->ttl_s,
		.length = answer->end,
		.rcode = answer->rcode,
		.authentic = answer->authentic,
		.filtered = filtered,
		.dnssec_ok = question->dnssec_ok,
		.checking_disabled = question->checking_disabled,
		.answer_count = answer->answer_count,
		.authority_count = answer->authority_count,
		.v4_count = v4_count,
		.v6_count = (uint16_t)(answer->address_count - v4_count),
	};
	if (stored_size(&fixed) > CACHE_ENTRY_MAX)
		return;
	hash = question_hash(question, &cache->hash_key);
	place = place_choose(cache, hash);
	place->hash = hash;
	place->position = ring_take(cache, stored_size(&fixed));
	stored = (struct stored *)(cache->ring + place->position % CACHE_OCTETS);
	*stored = fixed;
	addresses_pack(stored, answer);
	for (size_t i = 0; i < ttl_count(stored); i++) /* clean: the first so many records are the kept ones */
		stored_ttls(stored)[i] = answer->records[i].ttl;
	copy = stored_wire(stored);
	memcpy(copy, wire, answer->end);
	memcpy(copy + MESSAGE_HEADER, question->name.wire, question->name.length); /* the key, whatever case the upstream chose */
}

void cache_clear(struct cache *cache)
{
	cache->floor = cache->head;
}
