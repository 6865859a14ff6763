/* policy/rule.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/rule.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define LABEL_63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static void every_form_is_parsed_and_written_canonically(void **state)
{
	static const struct {
		const char *line;
		enum rule_kind kind;
		bool exclude;
		uint16_t port;
		uint8_t protocol;
		const char *canonical;
	} cases[] = {
		{"example.com", RULE_TREE, false, 0, 0, "example.com"},
		{"Example.COM.", RULE_TREE, false, 0, 0, "example.com"},
		{"*.example.com", RULE_BELOW, false, 0, 0, "*.example.com"},
		{"=example.com", RULE_EXACT, false, 0, 0, "=example.com"},
		{"=db", RULE_EXACT, false, 0, 0, "=db"},
		{"!ads.example.com", RULE_TREE, true, 0, 0, "!ads.example.com"},
		{"!*.example.com", RULE_BELOW, true, 0, 0, "!*.example.com"},
		{"!=x", RULE_EXACT, true, 0, 0, "!=x"},
		{"example.com:443", RULE_TREE, false, 443, 0, "example.com:443"},
		{"=db:5432/tcp", RULE_EXACT, false, 5432, RULE_TCP, "=db:5432/tcp"},
		{"*.example.com:123/udp", RULE_BELOW, false, 123, RULE_UDP, "*.example.com:123/udp"},
		{"example.com:65535", RULE_TREE, false, 65535, 0, "example.com:65535"},
		{"_dmarc.example.com", RULE_TREE, false, 0, 0, "_dmarc.example.com"},
		{"xn--bcher-kva.example", RULE_TREE, false, 0, 0, "xn--bcher-kva.example"},
		{"4.example", RULE_TREE, false, 0, 0, "4.example"},
		{"example.a1", RULE_TREE, false, 0, 0, "example.a1"},
		{"1.2.3.4a", RULE_TREE, false, 0, 0, "1.2.3.4a"},
		{LABEL_63 ".com", RULE_TREE, false, 0, 0, LABEL_63 ".com"},
		{"192.0.2.1", RULE_NET, false, 0, 0, "192.0.2.1"},
		{"192.0.2.0/24", RULE_NET, false, 0, 0, "192.0.2.0/24"},
		{"192.0.2.1:443", RULE_NET, false, 443, 0, "192.0.2.1:443"},
		{"192.0.2.0/24:22/tcp", RULE_NET, false, 22, RULE_TCP, "192.0.2.0/24:22/tcp"},
		{"2001:DB8::/32", RULE_NET, false, 0, 0, "2001:db8::/32"},
		{"2001:db8::1", RULE_NET, false, 0, 0, "2001:db8::1"},
		{"[2001:db8::1]", RULE_NET, false, 0, 0, "2001:db8::1"},
		{"[2001:db8::1]:443/tcp", RULE_NET, false, 443, RULE_TCP, "[2001:db8::1]:443/tcp"},
		{"[2001:db8::/32]:443", RULE_NET, false, 443, 0, "[2001:db8::/32]:443"},
		{"0.0.0.0/1", RULE_NET, false, 0, 0, "0.0.0.0/1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_text struct text text = {0};
		struct error error = {0};
		struct rule rule, again;

		if (rule_parse(&rule, cases[i].line, strlen(cases[i].line), &error))
			fail_msg("%s", error.text);
		assert_int_equal(error.code, 0);
		assert_int_equal(rule.kind, cases[i].kind);
		assert_int_equal(rule.exclude, cases[i].exclude);
		assert_int_equal(rule.port, cases[i].port);
		assert_int_equal(rule.protocol, cases[i].protocol);
		rule_format(&rule, &text);
		assert_string_equal(text.data, cases[i].canonical);
		assert_int_equal(rule_parse(&again, text.data, text.length, &error), 0);
		assert_true(rule_equal(&rule, &again));
	}
}

static void what_is_no_rule_is_refused_with_the_word_and_a_remedy(void **state)
{
	static const struct {
		const char *line;
		const char *remedy; /* part of it */
	} cases[] = {
		{"", "a label has 1 to 63"},
		{"!", "a label has 1 to 63"},
		{"=", "a label has 1 to 63"},
		{"*.", "a label has 1 to 63"},
		{".", "the root"},
		{"=.", "the root"},
		{"*..", "the root"},
		{"com", "top-level domain"},
		{"*.com", "top-level domain"},
		{"!com", "top-level domain"},
		{"com.:443", "top-level domain"},
		{"*", "first label"},
		{"*example.com", "first label"},
		{"a.*.example.com", "first label"},
		{"=*.example.com", "first label"},
		{"**.example.com", "first label"},
		{"a..example.com", "a label has 1 to 63"},
		{LABEL_63 "x.com", "a label has 1 to 63"},
		{"exam ple.com", "not a name"},
		{"example.com#x", "not a name"},
		{"exam\\046ple.com", "not a name"},
		{"=!example.com", "not a name"},
		{"!!example.com", "not a name"},
		{"b\xc3\xbc"
		 "cher.example",
			"ASCII"},
		{"example.com:", "1 to 65535"},
		{"example.com:0", "1 to 65535"},
		{"example.com:080", "1 to 65535"},
		{"example.com:65536", "1 to 65535"},
		{"example.com:443x", "1 to 65535"},
		{"example.com:99999999999999999999", "1 to 65535"},
		{"example.com:443/sctp", "/tcp or /udp"},
		{"example.com:443/TCP", "/tcp or /udp"},
		{"example.com:443/", "/tcp or /udp"},
		{"!example.com:443", "takes no port"},
		{"!192.0.2.1", "terok-shield deny"},
		{"!2001:db8::/32", "terok-shield deny"},
		{"1.2.3", "not an address"},
		{"1.2.3.4.", "not an address"},
		{"300.1.1.1", "not an address"},
		{"123", "not an address"},
		{"example.123", "not an address"},
		{"=1.2.3.4", "before names only"},
		{"*.1.2.3.4", "before names only"},
		{"=123", "before names only"},
		{"10.0.0.1/8", "not an address"},
		{"example.com/24", "not an address"},
		{"example.com/tcp", "not an address"},
		{"example.com:443:444", "not an address"},
		{"[192.0.2.1]:443", "IPv6"},
		{"[2001:db8::1", "IPv6"},
		{"[2001:db8::1]443", "only a port"},
		{"[2001:db8::1]:0", "1 to 65535"},
		{"2001:db8::1:443/tcp", "not an address"},
		{"0.0.0.0/0", "prefix length 0"},
		{"::/0", "prefix length 0"},
		{"[::/0]:443", "prefix length 0"},
		{"https://example.com/", "host"},
		{"https://example.com:443/", "host"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error error = {0};
		struct rule rule;
		char word[512];

		assert_int_equal(rule_parse(&rule, cases[i].line, strlen(cases[i].line), &error), -EINVAL);
		assert_int_equal(error.code, EINVAL);
		snprintf(word, sizeof(word), "'%s'", text_escaped((char[400]){0}, 400, cases[i].line));
		if (!strstr(error.text, cases[i].remedy) || !strstr(error.text, word))
			fail_msg("%s: %s", cases[i].line, error.text);
	}
}

static void untrusted_octets_are_escaped_in_the_refusal(void **state)
{
	struct error error = {0};
	struct rule rule;

	(void)state;
	assert_int_equal(rule_parse(&rule, "a\x1b[2J\0.example", 14, &error), -EINVAL);
	assert_non_null(strstr(error.text, "a\\x1b[2J\\x00.example"));
	assert_null(strchr(error.text, '\x1b'));
	assert_int_equal(rule_parse(&rule, "com", 3, NULL), -EINVAL);
}

static void rules_that_differ_in_anything_are_not_equal(void **state)
{
	static const char *const lines[] = {
		"example.com",
		"*.example.com",
		"=example.com",
		"!example.com",
		"example.com:443",
		"example.com:443/tcp",
		"example.org",
		"192.0.2.0",
		"192.0.2.0/24",
		"192.0.2.0:443",
		"192.0.2.0/24:443",
		"2001:db8::",
	};
	struct rule rules[COUNT(lines)];

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++)
		assert_int_equal(rule_parse(&rules[i], lines[i], strlen(lines[i]), NULL), 0);
	for (size_t a = 0; a < COUNT(lines); a++)
		for (size_t b = 0; b < COUNT(lines); b++)
			assert_int_equal(rule_equal(&rules[a], &rules[b]), a == b);
}

static void blanks_and_comments_are_cut_off_a_line(void **state)
{
	static const char *const cases[][2] = {
		{"example.com", "example.com"},
		{"  example.com\t\r\n", "example.com"},
		{"example.com # why", "example.com"},
		{"example.com\t#why", "example.com"},
		{"example.com#no", "example.com#no"},
		{"# all of it", ""},
		{"   # all of it", ""},
		{"", ""},
		{" \t ", ""},
		{"#", ""},
		{"a#b # c # d", "a#b"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *line = cases[i][0];
		size_t length = rule_strip(&line, strlen(line));

		assert_int_equal(length, strlen(cases[i][1]));
		assert_memory_equal(line, cases[i][1], length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_parsed_and_written_canonically),
		cmocka_unit_test(what_is_no_rule_is_refused_with_the_word_and_a_remedy),
		cmocka_unit_test(untrusted_octets_are_escaped_in_the_refusal),
		cmocka_unit_test(rules_that_differ_in_anything_are_not_equal),
		cmocka_unit_test(blanks_and_comments_are_cut_off_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
