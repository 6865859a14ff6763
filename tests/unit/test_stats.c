/* The worker's numbers, taken apart. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "cli/stats.h"

static struct stats stats;

static void lines_become_numbers(void **state)
{
	uint64_t number;

	(void)state;
	assert_int_equal(stats_parse(&stats, "queries 12\nset_us_le_10 18446744073709551615\n"), 0);
	assert_int_equal(stats.count, 2);
	assert_true(stats_find(&stats, "queries", &number));
	assert_int_equal(number, 12);
	assert_true(stats_find(&stats, "set_us_le_10", &number));
	assert_true(number == UINT64_MAX);
	assert_false(stats_find(&stats, "querie", &number));
	assert_int_equal(stats_parse(&stats, ""), 0);
	assert_int_equal(stats.count, 0);
}

static void anything_else_is_no_answer(void **state)
{
	static const char *const bad[] = {"queries", "queries\n", "queries 1", "queries  1\n", "queries -1\n", "queries 1 \n",
		" queries 1\n", "Queries 1\n", "queries{a=\"b\"} 1\n", "queries 1\nmore", "queries 1\n\n",
		"a_word_that_is_longer_than_any_key_of_ours_can_ever_be 1\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(stats_parse(&stats, bad[i]), -EPROTO);
		assert_int_equal(stats.count, 0);
	}
}

static void more_lines_than_there_is_room_for_are_refused(void **state)
{
	struct text text = {0};

	(void)state;
	for (unsigned i = 0; i < STATS_MAX; i++)
		text_addf(&text, "key_%u %u\n", i, i);
	assert_int_equal(stats_parse(&stats, text.data), 0);
	assert_int_equal(stats.count, STATS_MAX);
	text_add(&text, "one_more 1\n");
	assert_int_equal(stats_parse(&stats, text.data), -EPROTO);
	text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_numbers),
		cmocka_unit_test(anything_else_is_no_answer),
		cmocka_unit_test(more_lines_than_there_is_room_for_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
