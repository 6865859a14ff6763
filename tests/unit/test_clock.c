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
	clock_fake(-1, -1);
	assert_true(clock_now_ms() >= before);
	assert_int_not_equal(clock_now_ns(), 5000000);
	assert_true(clock_wall_s() > 1700000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wall_time_is_written_in_utc_to_the_second),
		cmocka_unit_test(a_test_may_hold_the_clocks_and_let_them_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
