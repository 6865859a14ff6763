/* cli/output.h: strings for JSON, lifetimes, colour */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

static void what_is_not_utf8_comes_escaped(void **state)
{
	static const struct {
		const char *string, *shown;
	} cases[] = {
		{"", ""},
		{"plain \"quoted\" \\ text", "plain \"quoted\" \\ text"},
		{"b\xc3\xbc" "cher \xe2\x82\xac \xf0\x9f\x98\x80", "b\xc3\xbc" "cher \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"a\xff", "a\\xff"},
		{"\xc0\xaf", "\\xc0\\xaf"},             /* overlong */
		{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},    /* overlong */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},    /* a surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
		{"cut \xe2\x82", "cut \\xe2\\x82"},
		{"cut \xc3", "cut \\xc3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cJSON *string = output_string(cases[i].string);

		assert_string_equal(cJSON_GetStringValue(string), cases[i].shown);
		cJSON_Delete(string);
	}
	cJSON *null = output_string(NULL);
	assert_true(cJSON_IsNull(null));
	cJSON_Delete(null);
}

static void lifetimes_are_short_words(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} cases[] = {{0, "0s"}, {999, "0s"}, {59999, "59s"}, {60000, "1m00s"}, {3599000, "59m59s"}, {3600000, "1h00m"}, {90061000, "25h01m"}};
	char text[OUTPUT_LIFETIME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(output_lifetime(text, cases[i].ms), cases[i].text);
}

static void a_pipe_gets_no_colour(void **state)
{
	(void)state;
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	assert_string_equal(output_style(OUTPUT_BAD), ""); /* a test's output is no terminal */
	assert_string_equal(output_style(OUTPUT_PLAIN), "");
}

static void a_value_that_is_missing_fails_the_whole(void **state)
{
	cJSON *object = cJSON_CreateObject();
	bool failed = false;
	struct error error = {0};

	(void)state;
	output_add(object, "a", cJSON_CreateNull(), &failed);
	assert_false(failed);
	output_add(object, "b", NULL, &failed);
	assert_true(failed);
	output_add(object, "c", cJSON_CreateNull(), &failed);
	assert_true(failed);
	assert_true(output_json(object, failed, &error) < 0);
	assert_true(output_json(NULL, false, &error) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_utf8_comes_escaped),
		cmocka_unit_test(lifetimes_are_short_words),
		cmocka_unit_test(a_pipe_gets_no_colour),
		cmocka_unit_test(a_value_that_is_missing_fails_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
