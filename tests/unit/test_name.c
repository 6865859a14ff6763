/* policy/name.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/name.h"

static struct name name_of(const char *text)
{
	struct name name;

	assert_int_equal(name_from_text(&name, text, strlen(text)), 0);
	return name;
}

#define LABEL_63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static void text_becomes_lower_case_wire_and_comes_back_canonical(void **state)
{
	static const struct {
		const char *text;
		size_t length;
		const char *wire;
		size_t wire_length;
		const char *canonical;
	} cases[] = {
		{"example.com", 11, "\7example\3com", 13, "example.com"},
		{"WWW.Example.COM.", 16, "\3www\7example\3com", 17, "www.example.com"},
		{".", 1, "", 1, "."},
		{"_a-1", 4, "\4_a-1", 6, "_a-1"},
		{"a\\.b", 4, "\3a.b", 5, "a\\046b"},
		{"\\065\\000\\255", 12, "\3a\0\377", 5, "a\\000\\255"},
		{"a b", 3, "\3a b", 5, "a\\032b"},
		{"a\0b", 3, "\3a\0b", 5, "a\\000b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[NAME_TEXT_MAX];
		struct name name;

		assert_int_equal(name_from_text(&name, cases[i].text, cases[i].length), 0);
		assert_int_equal(name.length, cases[i].wire_length);
		assert_memory_equal(name.wire, cases[i].wire, cases[i].wire_length);
		assert_int_equal(name_to_text(&name, text), strlen(cases[i].canonical));
		assert_string_equal(text, cases[i].canonical);
	}
}

static void malformed_text_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"..",
		".a",
		"a..b",
		"a..",
		"a\\",
		"a\\1",
		"a\\12",
		"a\\12x",
		"a\\256",
		LABEL_63 "x",
		LABEL_63 "x.com",
		LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63,
	};
	struct name name = {.length = 42};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(name_from_text(&name, cases[i], strlen(cases[i])), -EINVAL);
	assert_int_equal(name.length, 42);
}

static void a_name_may_have_255_octets_and_no_more(void **state)
{
	char text[260];
	struct name name;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = '.';
	assert_int_equal(name_from_text(&name, text, 253), 0);
	assert_int_equal(name.length, 255);
	assert_int_equal(name_label_count(&name), 127);
	assert_int_equal(name_from_text(&name, text, 255), -EINVAL);
	text[253] = 'a';
	assert_int_equal(name_from_text(&name, text, 254), -EINVAL);
}

static void the_longest_text_fits(void **state)
{
	uint8_t wire[NAME_WIRE_MAX] = {0};
	char text[NAME_TEXT_MAX];
	struct name name;

	(void)state;
	memset(wire, 0xff, sizeof(wire) - 1);
	wire[0] = wire[64] = wire[128] = 63;
	wire[192] = 61;
	wire[254] = 0;
	assert_int_equal(name_from_wire(&name, wire, sizeof(wire)), 0);
	assert_int_equal(name_to_text(&name, text), 250 * 4 + 3);
	assert_int_equal(strlen(text), 250 * 4 + 3);
}

static void malformed_wire_is_refused(void **state)
{
	static const struct {
		const char *wire;
		size_t length;
	} cases[] = {
		{"", 0},
		{"\3www", 4},
		{"\3ww", 3},
		{"\3www\300\0", 6},
		{"\3www\0x", 6},
		{"\0\0", 2},
		{"\377", 1},
		{"\1a", 2},
	};
	uint8_t label_64[66] = {64};
	uint8_t too_long[257] = {0};
	struct name name;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t *copy = malloc(cases[i].length + 1); /* a sanitizer sees a look behind the end */

		assert_non_null(copy);
		memcpy(copy + 1, cases[i].wire, cases[i].length);
		assert_int_equal(name_from_wire(&name, copy + 1, cases[i].length), -EINVAL);
		free(copy);
	}
	memset(label_64 + 1, 'a', 64);
	assert_int_equal(name_from_wire(&name, label_64, sizeof(label_64)), -EINVAL);
	for (size_t i = 0; i < 256; i += 2)
		too_long[i] = 1;
	assert_int_equal(name_from_wire(&name, too_long, sizeof(too_long)), -EINVAL);
}

static void wire_is_lowered_label_by_label(void **state)
{
	uint8_t wire[67] = {0};
	struct name name;

	(void)state;
	wire[0] = 63;
	memset(wire + 1, 'A', 63);
	wire[64] = 1;
	wire[65] = 'Z';
	assert_int_equal(name_from_wire(&name, wire, sizeof(wire)), 0);
	assert_int_equal(name.wire[0], 63);
	assert_int_equal(name.wire[1], 'a');
	assert_int_equal(name.wire[65], 'z');
}

static void a_name_is_within_itself_its_parents_and_the_root_only(void **state)
{
	static const struct {
		const char *name, *parent;
		bool within;
	} cases[] = {
		{"example.com", "example.com", true},
		{"a.b.example.com", "example.com", true},
		{"badexample.com", "example.com", false},
		{"com", "example.com", false},
		{"example.com", ".", true},
		{".", ".", true},
		{".", "com", false},
		{"example.org", "example.com", false},
		{"a\\.example.com", "example.com", false},
		{"x\\007example.com", "example.com", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct name name = name_of(cases[i].name), parent = name_of(cases[i].parent);

		assert_int_equal(name_is_within(&name, &parent), cases[i].within);
	}
}

static void labels_are_counted_without_the_root(void **state)
{
	struct name root = name_of("."), deep = name_of("a.b.c");

	(void)state;
	assert_int_equal(name_label_count(&root), 0);
	assert_int_equal(name_label_count(&deep), 3);
	assert_true(name_equal(&deep, &deep));
	assert_false(name_equal(&deep, &root));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_becomes_lower_case_wire_and_comes_back_canonical),
		cmocka_unit_test(malformed_text_is_refused),
		cmocka_unit_test(a_name_may_have_255_octets_and_no_more),
		cmocka_unit_test(the_longest_text_fits),
		cmocka_unit_test(malformed_wire_is_refused),
		cmocka_unit_test(wire_is_lowered_label_by_label),
		cmocka_unit_test(a_name_is_within_itself_its_parents_and_the_root_only),
		cmocka_unit_test(labels_are_counted_without_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
