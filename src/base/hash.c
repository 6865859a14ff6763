/* SipHash-1-3, and random numbers from the kernel. */
#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define HASH_POOL_OCTETS 256 /* getrandom(2) gives that much whole, or nothing */

struct hash_state {
	uint64_t v0, v1, v2, v3;
};

static void hash_random_fill(void *bytes, size_t length)
{
	ssize_t got;

	do
		got = getrandom(bytes, length, 0);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)length)
		abort(); /* a predictable id or key would look like a kept promise */
}

struct hash_key hash_key_random(void)
{
	struct hash_key key;

	hash_random_fill(&key, sizeof(key));
	return key;
}

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void hash_round(struct hash_state *state)
{
	state->v0 += state->v1;
	state->v2 += state->v3;
	state->v1 = rotate(state->v1, 13) ^ state->v0;
	state->v3 = rotate(state->v3, 16) ^ state->v2;
	state->v0 = rotate(state->v0, 32);
	state->v2 += state->v1;
	state->v0 += state->v3;
	state->v1 = rotate(state->v1, 17) ^ state->v2;
	state->v3 = rotate(state->v3, 21) ^ state->v0;
	state->v2 = rotate(state->v2, 32);
}

static inline void hash_word(struct hash_state *state, uint64_t word)
{
	state->v3 ^= word;
	hash_round(state);
	state->v0 ^= word;
}

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t length)
{
	struct hash_state state = {
		.v0 = key->k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = key->k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = key->k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = key->k1 ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *octets = bytes;
	size_t rest = length % 8;
	uint64_t last = (uint64_t)length << 56;

	for (const uint8_t *end = octets + (length - rest); octets != end; octets += 8) {
		uint64_t word;

		memcpy(&word, octets, sizeof(word));
		hash_word(&state, le64toh(word));
	}
	for (size_t i = 0; i < rest; i++)
		last |= (uint64_t)octets[i] << (8 * i);
	hash_word(&state, last);

	state.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		hash_round(&state);
	return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

static _Thread_local uint16_t pool[HASH_POOL_OCTETS / 2];
static _Thread_local size_t left; /* of the pool */

/* A child that went on with its parent's pool would draw what the parent, or the next child, draws too. */
static void pool_drop(void)
{
	left = 0;
}

__attribute__((constructor)) static void pool_watch_forks(void)
{
	if (pthread_atfork(NULL, NULL, pool_drop))
		abort();
}

uint16_t hash_random16(void)
{
	if (left == 0) {
		hash_random_fill(pool, sizeof(pool));
		left = sizeof(pool) / sizeof(pool[0]);
	}
	return pool[--left];
}
