/* base/clock.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

static void wall_time_is_written_in_utc_to_the_second(void **state)
{
	char text[26];

	(void)state;
	assert_string_equal(clock_wall_text(text, sizeof(text), 1767323045), "2026-01-02T03:04:05+00:00");
	assert_string_equal(clock_wall_text(text, sizeof(text), 0), "1970-01-01T00:00:00+00:00");
	assert_string_equal(clock_wall_text(text, 25, 0), "");
}

static void a_test_may_hold_the_clocks_and_let_them_go(void **state)
{
	int64_t before = clock_now_ms();

	(void)state;
	clock_fake(5, 7);
	assert_int_equal(clock_now_ms(), 5);
	assert_int_equal(clock_now_ns(), 5000000);
	assert_int_equal(clock_wall_s(), 7);
	assert_int_equal(clock_awake_ms(), 5);
	clock_fake_suspended(3);
	assert_int_equal(clock_awake_ms(), 2);
	clock_fake_suspended(0);
	clock_fake(-1, -1);
	assert_true(clock_now_ms() >= before);
	assert_true(clock_awake_ms() <= clock_now_ms());
	assert_int_not_equal(clock_now_ns(), 5000000);
	assert_true(clock_wall_s() > 1700000000);
}

static void what_was_written_is_read_and_nothing_else(void **state)
{
	static const char *const bad[] = {"", "2026-01-02", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+01:00", "2026-02-30T03:04:05+00:00",
		"2026-01-02T24:04:05+00:00", "2026-01-02T03:04:60+00:00", "x026-01-02T03:04:05+00:00", "2026-01-02T03:04:05+00:00 "};
	int64_t wall_s = 1;

	(void)state;
	assert_int_equal(clock_wall_parse("2026-01-02T03:04:05+00:00", &wall_s), 0);
	assert_int_equal(wall_s, 1767323045);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (clock_wall_parse(bad[i], &wall_s) == 0)
			fail_msg("%s", bad[i]);
	assert_int_equal(wall_s, 1767323045);
}

static void lasting_time_follows_a_clock_forward_and_never_back(void **state)
{
	(void)state;
	clock_fake(10000, 1000);
	assert_int_equal(clock_lasting_s(), 1000);
	clock_fake(15000, 1005);
	assert_int_equal(clock_lasting_s(), 1005);
	clock_fake(16000, 500); /* set back */
	assert_int_equal(clock_lasting_s(), 1006);
	clock_fake(17000, 5000); /* set forward */
	assert_int_equal(clock_lasting_s(), 5000);
	clock_fake(18000, 1000);
	assert_int_equal(clock_lasting_s(), 5001);
	clock_fake(-1, -1);
	assert_int_equal(clock_lasting_s() / 100, clock_wall_s() / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wall_time_is_written_in_utc_to_the_second),
		cmocka_unit_test(what_was_written_is_read_and_nothing_else),
		cmocka_unit_test(lasting_time_follows_a_clock_forward_and_never_back),
		cmocka_unit_test(a_test_may_hold_the_clocks_and_let_them_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
