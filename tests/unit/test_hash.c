/* base/hash.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"

/* Vectors for a zero key, from an independent implementation of SipHash-1-3. */
static void the_hash_is_siphash_1_3(void **state)
{
	static const struct {
		const char *bytes;
		uint64_t hash;
	} cases[] = {
		{"a", UINT64_C(0x407448d2b89b1813)},
		{"abcdefg", UINT64_C(0x6db12aae9070f506)},
		{"abcdefgh", UINT64_C(0x3f7b849c0b8e35ea)},
		{"example.com", UINT64_C(0x7e0432aaedb1758c)},
	};
	const struct hash_key zero = {0};
	uint8_t counting[63];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_true(hash_bytes(&zero, cases[i].bytes, strlen(cases[i].bytes)) == cases[i].hash);
	for (size_t i = 0; i < sizeof(counting); i++)
		counting[i] = (uint8_t)i;
	assert_true(hash_bytes(&zero, counting, sizeof(counting)) == UINT64_C(0x385d3e39e5f37359));
}

static void each_half_of_the_key_changes_the_hash(void **state)
{
	const struct hash_key keys[] = {{0, 0}, {1, 0}, {0, 1}};

	(void)state;
	for (size_t a = 0; a < 3; a++)
		for (size_t b = 0; b < a; b++)
			assert_true(hash_bytes(&keys[a], "x", 1) != hash_bytes(&keys[b], "x", 1));
}

static void two_random_keys_differ(void **state)
{
	struct hash_key a = hash_key_random(), b = hash_key_random();

	(void)state;
	assert_true(a.k0 != b.k0 && a.k1 != b.k1);
}

/* 2000 of 65536: about 1970 distinct ones are to be expected, and a pool that repeats gives 128. */
static void random_numbers_do_not_repeat_with_the_pool(void **state)
{
	static uint8_t seen[65536];
	int distinct = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint16_t number = hash_random16();

		distinct += !seen[number];
		seen[number] = 1;
	}
	assert_true(distinct > 1800);
}

/* What two children and their parent draw from a pool that was there before the fork: 4 numbers each. */
static void a_child_does_not_draw_what_its_parent_or_its_sibling_draws(void **state)
{
	uint16_t drawn[3][4];

	(void)state;
	hash_random16();
	for (int i = 0; i < 2; i++) {
		int ends[2];
		pid_t child;

		assert_int_equal(pipe(ends), 0);
		child = fork();
		for (int j = 0; j < 4 && child == 0; j++)
			drawn[i][j] = hash_random16();
		if (child == 0)
			_exit(write(ends[1], drawn[i], sizeof(drawn[i])) != sizeof(drawn[i]));
		assert_int_equal(read(ends[0], drawn[i], sizeof(drawn[i])), sizeof(drawn[i]));
		assert_int_equal(waitpid(child, NULL, 0), child);
		close(ends[0]);
		close(ends[1]);
	}
	for (int j = 0; j < 4; j++)
		drawn[2][j] = hash_random16();
	assert_memory_not_equal(drawn[0], drawn[1], sizeof(drawn[0]));
	assert_memory_not_equal(drawn[0], drawn[2], sizeof(drawn[0]));
	assert_memory_not_equal(drawn[1], drawn[2], sizeof(drawn[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_is_siphash_1_3),
		cmocka_unit_test(each_half_of_the_key_changes_the_hash),
		cmocka_unit_test(two_random_keys_differ),
		cmocka_unit_test(random_numbers_do_not_repeat_with_the_pool),
		cmocka_unit_test(a_child_does_not_draw_what_its_parent_or_its_sibling_draws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
