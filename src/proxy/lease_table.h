/* The table of leases: found by their key, or all those of an address.
 *
 * Theory of operation. Leases lie in blocks that are made when they are first needed and stay, so a lease does not move. Each has a number, by which buckets and leases refer to
 * each other. The hash is of the address alone: the few ports that a rule names for it stand in one bucket.
 */
#ifndef PROXY_LEASE_TABLE_H
#define PROXY_LEASE_TABLE_H

#include "base/hash.h"
#include "proxy/lease.h"

#define LEASE_TABLE_BLOCK 64

/* A name that has brought the lease. */
struct lease_name {
	struct lease_name *next; /* asked for before this one */
	int64_t until_ms;
	uint8_t length;
	uint8_t wire[];
};

/* 10,000 of them are no rarity: what is here counts. */
struct lease {
	struct setwriter_key key;
	uint32_t next;       /* the number of the next in its bucket; of a free one, among these */
	uint64_t asked : 61; /* when a name was last noted, even one that is gone since: grows with each */
	uint64_t used : 1;   /* otherwise it is free, and all else is 0 */
	uint64_t staged : 1; /* in the batch, not yet acknowledged, until staged_ms */
	uint64_t known : 1;  /* the kernel acknowledged it until expires_ms */
	int64_t expires_ms, staged_ms;
	uint64_t packets;                        /* of the element, when last looked at for a renewal */
	uint64_t counted_packets, counted_bytes; /* of the element, as far as they were told */
	struct lease_name *names;
};

struct lease_table {
	struct hash_key hash_key;
	struct lease *blocks[LEASES_MAX / LEASE_TABLE_BLOCK];
	uint32_t end;          /* numbers below have been in use */
	uint32_t free;         /* the first of those that are not now */
	uint32_t bucket_count; /* a power of two */
	uint32_t *buckets;     /* the number of the first in each */
	size_t count;          /* in use */
};

/* Returns 0 or -ENOMEM. */
int lease_table_init(struct lease_table *table);

/* The names are the caller's. */
void lease_table_clear(struct lease_table *table);

/* NULL when there is none. */
struct lease *lease_table_find(const struct lease_table *table, const struct setwriter_key *key);

/* The one of that key, made when there is none. NULL with *error: -ENOSPC when there are LEASES_MAX, -ENOMEM. */
struct lease *lease_table_get(struct lease_table *table, const struct setwriter_key *key, int *error);

/* It has no names any more. */
void lease_table_remove(struct lease_table *table, struct lease *lease);

/* All that have one address, whatever the port: first, then each next; NULL at the end. */
struct lease *lease_table_first(const struct lease_table *table, const struct addr *addr);
struct lease *lease_table_next(const struct lease_table *table, const struct lease *lease);

/* By number, below table->end; one that is free too. */
static inline struct lease *lease_table_at(const struct lease_table *table, uint32_t number)
{
	return &table->blocks[number / LEASE_TABLE_BLOCK][number % LEASE_TABLE_BLOCK];
}

#endif
