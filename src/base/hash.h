/* A keyed hash for tables whose keys a workload chooses (SipHash-1-3, Aumasson and Bernstein 2012),
 * so that it cannot choose keys that collide; and random numbers. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t k0, k1;
};

/* A key from getrandom(2). Aborts the process when the kernel has no randomness to give. */
struct hash_key hash_key_random(void);

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t length);

/* 16 unpredictable bits, from a pool that getrandom(2) fills 256 octets at a time. A child of fork(2) begins a pool of its own. */
uint16_t hash_random16(void);

#endif
