/* Durations in buckets: a bound belongs to the bucket below it, and nothing is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/latency.h"

static unsigned bucket_of(int64_t duration_ns)
{
	struct latency latency = {0};
	unsigned bucket = 0;

	latency_add(&latency, duration_ns);
	while (!latency.counts[bucket])
		bucket++;
	return bucket;
}

static void the_bounds_rise(void **state)
{
	(void)state;
	for (unsigned i = 1; i < LATENCY_BUCKETS; i++)
		assert_true(latency_bounds_us[i] > latency_bounds_us[i - 1]);
}

static void a_bound_belongs_to_its_bucket_and_a_nanosecond_more_to_the_next(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		assert_int_equal(bucket_of(latency_bounds_us[i] * INT64_C(1000)), i);
		assert_int_equal(bucket_of(latency_bounds_us[i] * INT64_C(1000) + 1), i + 1);
	}
}

static void the_shortest_and_the_longest_have_a_place(void **state)
{
	(void)state;
	assert_int_equal(bucket_of(0), 0);
	assert_int_equal(bucket_of(-5), 0); /* a clock that was faked, or stepped back */
	assert_int_equal(bucket_of(INT64_MAX), LATENCY_BUCKETS);
}

static void durations_are_summed(void **state)
{
	struct latency latency = {0};

	(void)state;
	latency_add(&latency, 1500);
	latency_add(&latency, 2000000);
	latency_add(&latency, -1);
	assert_int_equal(latency.sum_ns, 2001500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bounds_rise),
		cmocka_unit_test(a_bound_belongs_to_its_bucket_and_a_nanosecond_more_to_the_next),
		cmocka_unit_test(the_shortest_and_the_longest_have_a_place),
		cmocka_unit_test(durations_are_summed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
