/* base/json_line.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/json_line.h"

static void members_follow_each_other(void **state)
{
	static const char expected[] = "{\"a\":\"x\",\"b\":0,\"c\":18446744073709551615,\"d\":null,\"e\":{}}";
	char buffer[128];
	struct json_line line;

	(void)state;
	json_line_begin(&line, buffer, sizeof(buffer));
	json_line_string(&line, "a", "x");
	json_line_number(&line, "b", 0);
	json_line_string(&line, "left out", NULL);
	json_line_number(&line, "c", UINT64_MAX);
	json_line_null(&line, "d");
	json_line_raw(&line, "e", "{}");
	assert_true(json_line_end(&line));
	assert_int_equal(line.length, strlen(expected));
	assert_memory_equal(buffer, expected, line.length);
}

static void nothing_in_a_value_can_end_it_or_speak_to_a_terminal(void **state)
{
	static const char expected[] = "{\"a\":\"\\u0022,\\u005c\\u001b[2J\\u000a\\u007f\\u00c3\\u00bc~ \"}";
	char buffer[128];
	struct json_line line;

	(void)state;
	json_line_begin(&line, buffer, sizeof(buffer));
	json_line_string(&line, "a", "\",\\\x1b[2J\n\x7f\xc3\xbc~ ");
	assert_true(json_line_end(&line));
	assert_int_equal(line.length, strlen(expected));
	assert_memory_equal(buffer, expected, line.length);
}

static void what_does_not_fit_is_said_and_never_written(void **state)
{
	static const size_t whole = sizeof("{\"key\":\"value\"}") - 1;
	char buffer[32];

	(void)state;
	for (size_t size = 0; size <= whole; size++) {
		struct json_line line;

		memset(buffer, '#', sizeof(buffer));
		json_line_begin(&line, buffer, size);
		json_line_string(&line, "key", "value");
		assert_int_equal(json_line_end(&line), size == whole);
		assert_int_equal(buffer[size], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_follow_each_other),
		cmocka_unit_test(nothing_in_a_value_can_end_it_or_speak_to_a_terminal),
		cmocka_unit_test(what_does_not_fit_is_said_and_never_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
