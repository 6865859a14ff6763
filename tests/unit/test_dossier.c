/* state/dossier.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "state/dossier.h"

static struct dossier_source source(const char *text)
{
	return (struct dossier_source){text, text ? strlen(text) : 0};
}

static void members_that_are_strings_are_merged_and_the_files_count_for_more(void **state)
{
	static const struct {
		const char *annotations, *meta, *merged;
	} cases[] = {
		{NULL, NULL, "{}"},
		{"", "", "{}"},
		{"{\"a\":\"1\",\"b\":\"2\"}", NULL, "{\"a\":\"1\",\"b\":\"2\"}"},
		{NULL, "{\"a\":\"1\"}\n", "{\"a\":\"1\"}"},
		{"{\"a\":\"1\",\"b\":\"2\"}\n", "{\"b\":\"3\",\"c\":\"4\"}", "{\"a\":\"1\",\"b\":\"3\",\"c\":\"4\"}"},
		{"{\"a\":\"1\",\"a\":\"2\"}", NULL, "{\"a\":\"2\"}"},
		{"{\"A\":\"1\"}", "{\"a\":\"2\"}", "{\"A\":\"1\",\"a\":\"2\"}"},
		{"{\"a\":1,\"b\":{\"c\":\"d\"},\"e\":[\"f\"],\"g\":null,\"h\":true,\"\":\"i\"}", NULL, "{}"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_free char *merged = dossier_merge(source(cases[i].annotations), source(cases[i].meta));

		assert_string_equal(merged, cases[i].merged);
	}
}

static void a_source_that_is_no_object_gives_nothing(void **state)
{
	static const char *const bad[] = {
		"{", "[]", "\"a\"", "null", "{\"b\":\"2\"} x", "{\"b\":\"2\"}{}", "{\"b\":\"2\",}", "\xff", "{b:2}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cleanup_free char *merged = dossier_merge(source("{\"a\":\"1\"}"), source(bad[i]));

		assert_string_equal(merged, "{\"a\":\"1\"}");
	}
}

static void nothing_in_it_speaks_to_a_terminal(void **state)
{
	cleanup_free char *merged = dossier_merge(source("{\"k\x1b\":\"\\u001b[2J\xc3\xbc\xff\\u202e\\n\"}"), source(NULL));

	(void)state;
	assert_string_equal(merged, "{\"k\\\\x1b\":\"\\\\x1b[2J\xc3\xbc\\\\xff\\\\xe2\\\\x80\\\\xae\\\\x0a\"}");
}

/* The hook merges once, and the supervisor what came out of that once more. */
static void what_came_out_comes_out_again(void **state)
{
	cleanup_text struct text text = {0};
	cleanup_free char *merged = NULL, *again = NULL;

	(void)state;
	text_add(&text, "{\"k\xff\":\"v\x1b\",\"");
	for (unsigned i = 0; i < 20; i++)
		text_add(&text, "\xff"); /* four octets each, once they are escaped */
	text_add(&text, "\":\"too long\"}");
	merged = dossier_merge(source(text.data), source(NULL));
	assert_string_equal(merged, "{\"k\\\\xff\":\"v\\\\x1b\"}");
	again = dossier_merge(source(merged), source(NULL));
	assert_string_equal(again, merged);
}

static void its_size_is_bounded(void **state)
{
	cleanup_text struct text many = {0}, large = {0};
	char *merged;

	(void)state;
	text_add(&many, "{\"\":\"\"");
	for (unsigned i = 0; i < 200; i++)
		text_addf(&many, ",\"k%u\":\"\"", i);
	text_add(&many, "}");
	merged = dossier_merge(source(many.data), source(NULL));
	assert_non_null(strstr(merged, "\"k31\""));
	assert_null(strstr(merged, "\"k32\""));
	free(merged);

	text_addf(&large, "{\"%065d\":\"\",\"%064d\":\"\"", 0, 1);
	for (unsigned i = 0; i < 20; i++)
		text_addf(&large, ",\"k%u\":\"%0300u\"", i, 0);
	text_add(&large, "}");
	merged = dossier_merge(source(large.data), source(NULL));
	assert_in_range(strlen(merged), DOSSIER_MAX - 300, DOSSIER_MAX - 1);
	assert_int_equal(strspn(merged + 2, "0"), 63); /* the key of 64 octets; the longer one is left out */
	assert_non_null(strstr(merged, "0...\""));
	assert_null(strstr(merged, "\"k19\""));
	free(merged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_that_are_strings_are_merged_and_the_files_count_for_more),
		cmocka_unit_test(a_source_that_is_no_object_gives_nothing),
		cmocka_unit_test(nothing_in_it_speaks_to_a_terminal),
		cmocka_unit_test(what_came_out_comes_out_again),
		cmocka_unit_test(its_size_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
