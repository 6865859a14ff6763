/* The cache: answers as wire images, in a ring of fixed size. */
#include "proxy/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define WAYS 8
#define BUCKETS 2048 /* a power of two; 16384 entries of 128 octets fill the ring */
#define ALIGNMENT 8

/* In the ring: this, then the addresses, the TTL offsets, the wire image. */
struct stored {
	int64_t fetched_ms;
	uint32_t ttl_s, lease_s;
	uint16_t length;
	uint16_t rcode;
	uint16_t answer_count, authority_count;
	uint16_t ttl_count;
	uint16_t address_count;
	bool authentic, filtered, dnssec_ok, checking_disabled;
};

struct place {
	uint64_t hash;
	uint64_t position; /* in the sequence of all octets ever written; 0: never used */
};

struct cache {
	struct hash_key hash_key;
	uint64_t head;	/* where the next entry goes; starts at CACHE_OCTETS so that 0 is always gone */
	uint64_t floor; /* entries before this were forgotten by cache_clear() */
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

static size_t stored_size(size_t length, size_t ttl_count, size_t address_count)
{
	size_t size = sizeof(struct stored) + address_count * sizeof(struct addr) + ttl_count * sizeof(uint16_t) + length;

	return (size + ALIGNMENT + sizeof(uint16_t)) & ~(size_t)(ALIGNMENT - 1);
}

/* The pieces behind the fixed part. */
static struct addr *stored_addresses(struct stored *stored)
{
	return (struct addr *)(stored + 1);
}

static uint16_t *stored_ttls(struct stored *stored)
{
	uintptr_t at = (uintptr_t)(stored_addresses(stored) + stored->address_count);

	return (uint16_t *)((at + 1) & ~(uintptr_t)1);
}

static uint8_t *stored_wire(struct stored *stored)
{
	return (uint8_t *)(stored_ttls(stored) + stored->ttl_count);
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
		*entry = (struct cache_entry){
			.source = {
				.wire = stored_wire(stored),
				.length = stored->length,
				.rcode = stored->rcode,
				.answer_count = stored->answer_count,
				.authority_count = stored->authority_count,
				.authentic = stored->authentic,
				.ttls = stored_ttls(stored),
				.ttl_count = stored->ttl_count,
				.age_s = (uint32_t)(age_ms / 1000),
				.ttl_max_s = ANSWER_TTL_MAX_S,
			},
			.addresses = stored_addresses(stored),
			.address_count = stored->address_count,
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

void cache_store(struct cache *cache, const struct question *question, const uint8_t *wire, const struct answer *answer, bool filtered)
{
	size_t ttl_count = (size_t)answer->answer_count + answer->authority_count;
	size_t size = stored_size(answer->end, ttl_count, answer->address_count);
	uint64_t hash = question_hash(question, &cache->hash_key);
	struct stored *stored;
	struct place *place;
	uint8_t *copy;

	if (!answer->ttl_s || !answer->clean || size > CACHE_ENTRY_MAX)
		return;
	place = place_choose(cache, hash);
	place->hash = hash;
	place->position = ring_take(cache, size);
	stored = (struct stored *)(cache->ring + place->position % CACHE_OCTETS);
	*stored = (struct stored){
		.fetched_ms = clock_now_ms(),
		.ttl_s = answer->ttl_s,
		.lease_s = answer->lease_s > answer->ttl_s ? answer->lease_s : answer->ttl_s,
		.length = (uint16_t)answer->end,
		.rcode = answer->rcode,
		.answer_count = answer->answer_count,
		.authority_count = answer->authority_count,
		.ttl_count = (uint16_t)ttl_count,
		.address_count = (uint16_t)answer->address_count,
		.authentic = answer->authentic,
		.filtered = filtered,
		.dnssec_ok = question->dnssec_ok,
		.checking_disabled = question->checking_disabled,
	};
	memcpy(stored_addresses(stored), answer->addresses, answer->address_count * sizeof(struct addr));
	for (size_t i = 0; i < ttl_count; i++) /* clean: the first so many records are the kept ones */
		stored_ttls(stored)[i] = answer->records[i].ttl;
	copy = stored_wire(stored);
	memcpy(copy, wire, answer->end);
	memcpy(copy + MESSAGE_HEADER, question->name.wire, question->name.length); /* the key, whatever case the upstream chose */
}

void cache_clear(struct cache *cache)
{
	cache->floor = cache->head;
}
