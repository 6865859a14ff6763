/* The table of leases. */
#include "proxy/lease_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 256
#define NONE          UINT32_MAX

_Static_assert(LEASES_MAX % LEASE_TABLE_BLOCK == 0, "leases lie in whole blocks");

static uint32_t *buckets_new(uint32_t count)
{
	uint32_t *buckets = malloc(count * sizeof(*buckets));

	if (buckets)
		memset(buckets, 0xff, count * sizeof(*buckets)); /* NONE */
	return buckets;
}

int lease_table_init(struct lease_table *table)
{
	*table = (struct lease_table){
		.hash_key = hash_key_random(), .free = NONE, .bucket_count = BUCKETS_FIRST, .buckets = buckets_new(BUCKETS_FIRST)};
	return table->buckets ? 0 : -ENOMEM;
}

void lease_table_clear(struct lease_table *table)
{
	for (size_t i = 0; i < LEASES_MAX / LEASE_TABLE_BLOCK; i++)
		free(table->blocks[i]);
	free(table->buckets);
}

static uint32_t *bucket_of(const struct lease_table *table, const struct addr *addr)
{
	uint8_t octets[17];

	memcpy(octets, addr->octets, 16);
	octets[16] = addr->family;
	return &table->buckets[hash_bytes(&table->hash_key, octets, sizeof(octets)) & (table->bucket_count - 1)];
}

static bool key_equal(const struct setwriter_key *a, const struct setwriter_key *b)
{
	return a->port == b->port && a->protocol == b->protocol && addr_equal(&a->addr, &b->addr);
}

/* Where the number of the key's lease stands, or NONE at the end of its bucket. */
static uint32_t *link_find(const struct lease_table *table, const struct setwriter_key *key)
{
	uint32_t *link = bucket_of(table, &key->addr);

	while (*link != NONE && !key_equal(&lease_table_at(table, *link)->key, key))
		link = &lease_table_at(table, *link)->next;
	return link;
}

struct lease *lease_table_find(const struct lease_table *table, const struct setwriter_key *key)
{
	uint32_t number = *link_find(table, key);

	return number == NONE ? NULL : lease_table_at(table, number);
}

static int buckets_grow(struct lease_table *table)
{
	uint32_t *buckets = buckets_new(table->bucket_count * 2);

	if (!buckets)
		return -ENOMEM;
	free(table->buckets);
	table->buckets = buckets;
	table->bucket_count *= 2;
	for (uint32_t i = 0; i < table->end; i++) {
		struct lease *lease = lease_table_at(table, i);
		uint32_t *bucket;

		if (!lease->used)
			continue;
		bucket = bucket_of(table, &lease->key.addr);
		lease->next = *bucket;
		*bucket = i;
	}
	return 0;
}

/* A number that is in no bucket; NONE without memory. */
static uint32_t number_take(struct lease_table *table)
{
	uint32_t number = table->free;
	struct lease **block;

	if (number != NONE) {
		table->free = lease_table_at(table, number)->next;
		return number;
	}
	block = &table->blocks[table->end / LEASE_TABLE_BLOCK];
	if (!*block && !(*block = calloc(LEASE_TABLE_BLOCK, sizeof(**block))))
		return NONE;
	return table->end++;
}

struct lease *lease_table_get(struct lease_table *table, const struct setwriter_key *key, int *error)
{
	struct lease *lease = lease_table_find(table, key);
	uint32_t number, *bucket;

	if (lease)
		return lease;
	if (table->count == LEASES_MAX) {
		*error = -ENOSPC;
		return NULL;
	}
	if (table->count == table->bucket_count && (*error = buckets_grow(table)))
		return NULL;
	number = number_take(table);
	if (number == NONE) {
		*error = -ENOMEM;
		return NULL;
	}
	bucket = bucket_of(table, &key->addr);
	lease = lease_table_at(table, number);
	*lease = (struct lease){.key = *key, .used = true, .next = *bucket};
	*bucket = number;
	table->count++;
	return lease;
}

void lease_table_remove(struct lease_table *table, struct lease *lease)
{
	uint32_t *link = link_find(table, &lease->key), number = *link;

	*link = lease->next;
	*lease = (struct lease){.next = table->free};
	table->free = number;
	table->count--;
}

/* Of the address, from a number on in its bucket. */
static struct lease *addr_from(const struct lease_table *table, const struct addr *addr, uint32_t number)
{
	while (number != NONE && !addr_equal(&lease_table_at(table, number)->key.addr, addr))
		number = lease_table_at(table, number)->next;
	return number == NONE ? NULL : lease_table_at(table, number);
}

struct lease *lease_table_first(const struct lease_table *table, const struct addr *addr)
{
	return addr_from(table, addr, *bucket_of(table, addr));
}

struct lease *lease_table_next(const struct lease_table *table, const struct lease *lease)
{
	return addr_from(table, &lease->key.addr, lease->next);
}
