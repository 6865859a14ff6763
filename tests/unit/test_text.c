/* base/text.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void additions_follow_each_other_and_grow_the_text(void **state)
{
	cleanup_text struct text text = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		text_addf(&text, "%03d,", i);
	text_add(&text, "end");
	text_add_bytes(&text, "\0x", 2);
	assert_false(text_failed(&text));
	assert_int_equal(text.length, 4005);
	assert_memory_equal(text.data, "000,001,", 8);
	assert_memory_equal(text.data + 3996, "999,end\0x\0", 10);
}

static void what_is_untrusted_is_shown_as_printable_ascii(void **state)
{
	static const struct {
		const char *bytes;
		size_t length, max;
		const char *shown;
	} cases[] = {
		{"plain text~", 11, 99, "plain text~"},
		{"a\\b", 3, 99, "a\\\\b"},
		{"\x1b[31m\n\0\x7f", 8, 99, "\\x1b[31m\\x0a\\x00\\x7f"},
		{"b\xc3\xbc", 3, 99, "b\\xc3\\xbc"},
		{"abcdef", 6, 6, "abcdef"},
		{"abcdef", 6, 5, "abcde..."},
		{"abcdef", 6, 0, "..."},
		{"", 0, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_text struct text text = {0};

		text_add_escaped(&text, cases[i].bytes, cases[i].length, cases[i].max);
		assert_false(text_failed(&text));
		assert_string_equal(text.data, cases[i].shown);
	}
}

static void an_escaped_string_fits_its_buffer_and_says_when_it_was_cut(void **state)
{
	static const struct {
		const char *string;
		size_t size;
		const char *shown;
	} cases[] = {
		{"abc", 4, "abc"},
		{"abcd", 4, "..."},
		{"abcdef", 7, "abcdef"},
		{"abcdefg", 7, "abc..."},
		{"\n", 5, "\\x0a"},
		{"\n\n", 8, "\\x0a..."},
		{"\n\n", 7, "..."},
		{"abc", 3, ".."},
		{"abc", 1, ""},
		{"", 1, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *buffer = malloc(cases[i].size); /* exact: a sanitizer sees an octet too many */

		assert_non_null(buffer);
		assert_string_equal(text_escaped(buffer, cases[i].size, cases[i].string), cases[i].shown);
		free(buffer);
	}
}

static void a_text_that_failed_stays_failed_and_hands_nothing_over(void **state)
{
	struct text text = {0};

	(void)state;
	text_add(&text, "kept");
	text_add_bytes(&text, "x", SIZE_MAX);
	assert_true(text_failed(&text));
	text_add(&text, "more");
	assert_true(text_failed(&text));
	assert_null(text_take(&text));
	assert_false(text_failed(&text));
}

static void taking_leaves_an_empty_text_and_never_a_null_string(void **state)
{
	struct text text = {0};
	char *string;

	(void)state;
	string = text_take(&text);
	assert_string_equal(string, "");
	free(string);
	text_add(&text, "a");
	string = text_take(&text);
	assert_string_equal(string, "a");
	assert_null(text.data);
	free(string);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(additions_follow_each_other_and_grow_the_text),
		cmocka_unit_test(what_is_untrusted_is_shown_as_printable_ascii),
		cmocka_unit_test(an_escaped_string_fits_its_buffer_and_says_when_it_was_cut),
		cmocka_unit_test(a_text_that_failed_stays_failed_and_hands_nothing_over),
		cmocka_unit_test(taking_leaves_an_empty_text_and_never_a_null_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
