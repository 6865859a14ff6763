/* dns/message.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../support/wire.h"
#include "dns/message.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEADER "\0\0\0\0\0\0\0\0\0\0\0\0" /* offsets below count from the message's start */

/* A message of a header and these octets, with the name at `offset`. */
struct name_case {
	const char *what;
	size_t offset;
	const char *octets;
	size_t length;
	const char *text; /* of the name; NULL: malformed */
	size_t end;
};
#define OCTETS(literal) HEADER literal, sizeof(HEADER literal) - 1

static const struct name_case name_cases[] = {
	{"root", 12, OCTETS("\0"), ".", 13},
	{"plain", 12, OCTETS("\3www\7example\3com\0rest"), "www.example.com", 29},
	{"upper case is lowered", 12, OCTETS("\3wWw\7EXAMPLE\3com\0"), "www.example.com", 29},
	{"the first and the last letter", 12, OCTETS("\4AZaz\0"), "azaz", 18},
	{"octets next to the letters stay", 12, OCTETS("\4@[`{\0"), "\\064\\091\\096\\123", 18},
	{"octets above the letters stay", 12, OCTETS("\3\xc1\xda\xff\0"), "\\193\\218\\255", 17},
	{"a NUL in a label does not end it", 12, OCTETS("\5a\0b.c\3com\0"), "a\\000b\\046c.com", 23},
	{"a dot in a label is no separator", 12, OCTETS("\013www.example\3com\0"), "www\\046example.com", 29},
	{"pointer to an earlier name", 21, OCTETS("\7example\0\3www\xc0\x0c"), "www.example", 27},
	{"pointer into an earlier name", 27, OCTETS("\1a\7example\3com\0\xc0\x0e"), "example.com", 29},
	{"pointer to a pointer", 23, OCTETS("\3com\0\3www\xc0\x0c\1a\xc0\x11"), "a.www.com", 27},
	{"pointer to the root", 13, OCTETS("\0\xc0\x0c"), ".", 15},
	{"nothing at all", 12, OCTETS(""), NULL, 0},
	{"offset behind the end", 40, OCTETS("\0"), NULL, 0},
	{"no root label", 12, OCTETS("\3www"), NULL, 0},
	{"label longer than the message", 12, OCTETS("\4www"), NULL, 0},
	{"half a pointer", 17, OCTETS("\3www\0\xc0"), NULL, 0},
	{"pointer to itself", 12, OCTETS("\xc0\x0c"), NULL, 0},
	{"pointer to its own label", 12, OCTETS("\3www\xc0\x0c"), NULL, 0},
	{"pointer to its own second label", 12, OCTETS("\3www\3com\xc0\x10"), NULL, 0},
	{"two pointers at each other", 14, OCTETS("\xc0\x0e\xc0\x0c"), NULL, 0},
	{"back, then forwards into itself", 17, OCTETS("\3www\xc0\1a\xc0\x0c"), NULL, 0},
	{"pointer forwards", 12, OCTETS("\xc0\x0e\3www\0"), NULL, 0},
	{"pointer behind the end", 12, OCTETS("\xff\xff"), NULL, 0},
	{"pointer into the header", 12, OCTETS("\xc0\x00"), NULL, 0},
	{"pointer to the header's last octet", 13, OCTETS("\0\xc0\x0b"), NULL, 0},
	{"label type 01", 12, OCTETS("\x41" "a\0"), NULL, 0},
	{"label type 10", 12, OCTETS("\x81" "a\0"), NULL, 0},
	{"label of 64", 12, OCTETS("\x40" "0123456789012345678901234567890123456789012345678901234567890123\0"), NULL, 0},
};

static void a_name_is_stepped_over_and_expanded_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(name_cases); i++) {
		const struct name_case *c = &name_cases[i];
		struct wire wire = {0};
		struct name name, expected;
		uint8_t *exact;
		size_t skipped, expanded;

		wire_add(&wire, c->octets, c->length);
		exact = wire_exact(&wire);
		skipped = message_name_skip(exact, wire.length, c->offset);
		expanded = message_name_expand(exact, wire.length, c->offset, &name);
		if (skipped != c->end || expanded != c->end)
			fail_msg("%s: ends at %zu and %zu, not at %zu", c->what, skipped, expanded, c->end);
		if (c->text) {
			assert_int_equal(name_from_text(&expected, c->text, strlen(c->text)), 0);
			if (!name_equal(&name, &expected) || !message_name_is(exact, wire.length, c->offset, &expected))
				fail_msg("%s: another name", c->what);
			expected.wire[0] ^= 1;
			if (message_name_is(exact, wire.length, c->offset, &expected))
				fail_msg("%s: equals what it is not", c->what);
		}
		free(exact);
	}
}

/* A name of `total` octets in labels of at most `label`, as it stands or with its last labels behind a pointer. */
static size_t name_build(struct wire *wire, size_t total, size_t label, bool compressed)
{
	uint8_t octets[400];
	size_t at = 0, offset, split = 0;

	while (total - at > 1) {
		size_t size = total - at - 2 < label ? total - at - 2 : label;

		if (compressed && !split && at >= total / 2)
			split = at;
		octets[at] = (uint8_t)size;
		memset(octets + at + 1, 'a', size);
		at += size + 1;
	}
	octets[at] = 0;
	wire_start(wire, 0, 0);
	if (!split) {
		wire_add(wire, octets, total);
		return MESSAGE_HEADER;
	}
	wire_add(wire, octets + split, total - split);
	offset = wire->length;
	wire_add(wire, octets, split);
	wire_add(wire, "\xc0\x0c", 2);
	return offset;
}

static void a_name_has_at_most_255_octets_however_it_is_written(void **state)
{
	static const struct {
		size_t total, label;
		bool accepted;
	} cases[] = {
		{255, 63, true}, {255, 1, true}, {256, 63, false}, {257, 1, false}, {254, 63, true}, {320, 63, false},
	};
	struct wire wire;
	struct name name;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (int compressed = 0; compressed < 2; compressed++) {
			size_t offset = name_build(&wire, cases[i].total, cases[i].label, compressed);

			assert_int_equal(message_name_skip(wire.octets, wire.length, offset) != 0, cases[i].accepted);
			assert_int_equal(message_name_expand(wire.octets, wire.length, offset, &name) != 0, cases[i].accepted);
			if (cases[i].accepted)
				assert_int_equal(name.length, cases[i].total);
		}
	}
}

static void names_are_equal_without_case_and_label_by_label(void **state)
{
	static const struct {
		const char *octets;
		size_t length;
		const char *text;
		bool equal;
	} cases[] = {
		{OCTETS("\3WWW\3com\0"), "www.com", true},	 {OCTETS("\3www\3com\0"), "www.com.uk", false}, {OCTETS("\3www\3com\0"), "www", false},
		{OCTETS("\3www\3com\0"), ".", false},		 {OCTETS("\0"), "www", false},			{OCTETS("\7www.com\0"), "www.com", false},
		{OCTETS("\3www\3com\0"), "www\\.com", false}, {OCTETS("\4www\0\3com\0"), "www.com", false},  {OCTETS("\3ww@\3com\0"), "ww`.com", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct name name;

		assert_int_equal(name_from_text(&name, cases[i].text, strlen(cases[i].text)), 0);
		if (message_name_is((const uint8_t *)cases[i].octets, cases[i].length, MESSAGE_HEADER, &name) != cases[i].equal)
			fail_msg("%zu: %s", i, cases[i].text);
	}
}

static void a_record_is_located_or_refused_at_every_length(void **state)
{
	struct message_record record;
	struct wire wire;

	(void)state;
	wire_start(&wire, 0, 0);
	wire_record(&wire, WIRE_ANSWER, "www.example.com.", TYPE_A, 300, "\xc0\x00\x02\x01", 4);
	for (size_t length = MESSAGE_HEADER; length <= wire.length; length++) {
		uint8_t *exact = malloc(length);
		size_t end;

		assert_non_null(exact);
		memcpy(exact, wire.octets, length);
		end = message_record_read(exact, length, MESSAGE_HEADER, &record);
		assert_int_equal(end, length == wire.length ? length : 0);
		free(exact);
	}
	assert_int_equal(record.owner, MESSAGE_HEADER);
	assert_int_equal(record.type, TYPE_A);
	assert_int_equal(record.class, MESSAGE_CLASS_IN);
	assert_int_equal(message_get32(wire.octets + record.ttl), 300);
	assert_int_equal(record.data_length, 4);
	assert_int_equal(wire.octets[record.data], 0xc0);
}

static void a_record_may_end_at_the_last_octet_of_the_largest_message(void **state)
{
	static uint8_t wire[MESSAGE_MAX];
	struct message_record record;
	const size_t at = MESSAGE_MAX - 11;

	(void)state;
	assert_int_equal(message_record_read(wire, sizeof(wire), at, &record), MESSAGE_MAX);
	assert_int_equal(record.data, MESSAGE_MAX);
	assert_int_equal(record.data_length, 0);
	wire[MESSAGE_MAX - 1] = 1;
	assert_int_equal(message_record_read(wire, sizeof(wire), at, &record), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_stepped_over_and_expanded_or_refused),
		cmocka_unit_test(a_name_has_at_most_255_octets_however_it_is_written),
		cmocka_unit_test(names_are_equal_without_case_and_label_by_label),
		cmocka_unit_test(a_record_is_located_or_refused_at_every_length),
		cmocka_unit_test(a_record_may_end_at_the_last_octet_of_the_largest_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
