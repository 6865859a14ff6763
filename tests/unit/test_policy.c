/* policy/policy.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/policy.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Adds the rules of a text, one a word; the line of each is its place. */
static void policy_add_words(struct policy *policy, enum policy_layer layer, const char *words)
{
	for (uint32_t line = 1; *words; line++) {
		size_t length = strcspn(words, " ");
		struct error error = {0};
		struct rule rule;

		if (rule_parse(&rule, words, length, &error))
			fail_msg("%s", error.text);
		assert_int_equal(policy_add(policy, &rule, layer, layer == POLICY_LIVE ? "live" : "profile", line), 0);
		words += length;
		words += strspn(words, " ");
	}
}

static struct policy *policy_of(const char *profile, const char *live)
{
	struct policy *policy = policy_new();

	assert_non_null(policy);
	policy_add_words(policy, POLICY_PROFILE, profile);
	policy_add_words(policy, POLICY_LIVE, live);
	assert_int_equal(policy_seal(policy), 0);
	return policy;
}

static void policy_ask(const struct policy *policy, const char *text, struct policy_match *match)
{
	struct name name;

	assert_int_equal(name_from_text(&name, text, strlen(text)), 0);
	policy_lookup(policy, name.wire, name.length, match);
}

/* "allowed any profile:1" or "allowed 22/6,443/17 live:2", "unlisted", ... */
static const char *match_describe(const struct policy_match *match, char *text, size_t size)
{
	static const char *const verdicts[] = {
		[POLICY_UNLISTED] = "unlisted", [POLICY_EXCLUDED] = "excluded", [POLICY_DENIED] = "denied", [POLICY_ALLOWED] = "allowed"};
	int used = snprintf(text, size, "%s", verdicts[match->verdict]);

	if (match->any_port)
		used += snprintf(text + used, size - (size_t)used, " any");
	for (unsigned i = 0; i < policy_match_port_count(match); i++) {
		struct policy_port port = policy_match_port(match, i);

		used += snprintf(text + used, size - (size_t)used, "%s%u/%u", i ? "," : " ", port.port, port.protocol);
	}
	if (match->verdict != POLICY_UNLISTED)
		snprintf(text + used, size - (size_t)used, " %s:%u", match->source, match->line);
	return text;
}

struct policy_case {
	const char *profile, *live, *name, *expected;
};

static void policy_check(const struct policy_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_policy struct policy *policy = policy_of(cases[i].profile, cases[i].live);
		struct policy_match match;
		char text[256];

		policy_ask(policy, cases[i].name, &match);
		if (strcmp(match_describe(&match, text, sizeof(text)), cases[i].expected) != 0)
			fail_msg("[%s] [%s] %s: %s, not %s", cases[i].profile, cases[i].live, cases[i].name, text, cases[i].expected);
	}
}

static void a_rule_reaches_what_its_kind_says(void **state)
{
	static const struct policy_case cases[] = {
		{"", "", "example.com", "unlisted"},
		{"example.com", "", "example.com", "allowed any profile:1"},
		{"example.com", "", "a.b.example.com", "allowed any profile:1"},
		{"example.com", "", "badexample.com", "unlisted"},
		{"example.com", "", "example.org", "unlisted"},
		{"example.com", "", "com", "unlisted"},
		{"example.com", "", ".", "unlisted"},
		{"example.com", "", "example.com.evil.test", "unlisted"},
		{"example.com", "", "x\\007example.com", "unlisted"},
		{"example.com", "", "x\\.example.com", "unlisted"},
		{"*.example.com", "", "example.com", "unlisted"},
		{"*.example.com", "", "a.example.com", "allowed any profile:1"},
		{"*.example.com", "", "a.b.example.com", "allowed any profile:1"},
		{"=example.com", "", "example.com", "allowed any profile:1"},
		{"=example.com", "", "a.example.com", "unlisted"},
		{"=db", "", "db", "allowed any profile:1"},
		{"=db", "", "a.db", "unlisted"},
	};

	(void)state;
	policy_check(cases, COUNT(cases));
}

static void the_deepest_rule_of_a_layer_wins(void **state)
{
	static const struct policy_case cases[] = {
		{"example.com !ads.example.com", "", "www.example.com", "allowed any profile:1"},
		{"example.com !ads.example.com", "", "ads.example.com", "excluded profile:2"},
		{"example.com !ads.example.com", "", "x.ads.example.com", "excluded profile:2"},
		{"!ads.example.com example.com", "", "x.ads.example.com", "excluded profile:1"},
		{"example.com !ads.example.com good.ads.example.com", "", "a.good.ads.example.com", "allowed any profile:3"},
		{"example.com !*.example.com", "", "example.com", "allowed any profile:1"},
		{"example.com !*.example.com", "", "a.example.com", "excluded profile:2"},
		{"example.com !=example.com", "", "example.com", "excluded profile:2"},
		{"example.com !=example.com", "", "a.example.com", "allowed any profile:1"},
		{"=a.example.com !example.com", "", "a.example.com", "allowed any profile:1"},
		{"=a.example.com !example.com", "", "b.a.example.com", "excluded profile:2"},
		/* A rule that is deeper but does not reach the name has no say. */
		{"example.com *.a.example.com:1", "", "a.example.com", "allowed any profile:1"},
		{"example.com =a.example.com:1", "", "b.a.example.com", "allowed any profile:1"},
	};

	(void)state;
	policy_check(cases, COUNT(cases));
}

static void at_one_depth_exact_wins_over_below_and_below_over_tree(void **state)
{
	static const struct policy_case cases[] = {
		{"!example.com =example.com", "", "example.com", "allowed any profile:2"},
		{"=example.com:443/tcp example.com", "", "example.com", "allowed 443/6 profile:1"},
		{"!example.com *.example.com", "", "a.example.com", "allowed any profile:2"},
		{"!example.com *.example.com", "", "example.com", "excluded profile:1"},
		{"*.example.com:80/tcp example.com:443/tcp", "", "a.example.com", "allowed 80/6 profile:1"},
		{"*.example.com:80/tcp example.com:443/tcp", "", "example.com", "allowed 443/6 profile:2"},
		{"!*.example.com !=example.com example.com", "", "example.com", "excluded profile:2"},
	};

	(void)state;
	policy_check(cases, COUNT(cases));
}

static void among_equals_an_exclusion_wins_and_ports_unite(void **state)
{
	static const struct policy_case cases[] = {
		{"example.com !example.com", "", "example.com", "excluded profile:2"},
		{"!example.com example.com", "", "example.com", "excluded profile:1"},
		{"example.com:22 !example.com example.com:443", "", "example.com", "excluded profile:2"},
		{"example.com:443", "", "example.com", "allowed 443/6,443/17 profile:1"},
		{"example.com:443/tcp example.com:22/tcp example.com:443/udp", "", "example.com", "allowed 22/6,443/6,443/17 profile:1"},
		{"example.com:443 example.com:443/tcp example.com:443", "", "a.example.com", "allowed 443/6,443/17 profile:1"},
		{"example.com:443 example.com", "", "example.com", "allowed any profile:2"},
		{"example.com example.com:443", "", "example.com", "allowed any profile:1"},
		{"example.com example.com", "", "example.com", "allowed any profile:1"},
		{"example.com:1/tcp example.com:2/tcp example.com example.com:3/tcp", "", "example.com", "allowed any profile:3"},
		/* Ports unite among equals only. */
		{"example.com:443/tcp a.example.com:22/tcp", "", "a.example.com", "allowed 22/6 profile:2"},
		/* The pieces of two names are not mixed up. */
		{"b.example.com:2/tcp a.example.com:1/tcp b.example.com:3/udp a.example.com:1/tcp", "", "b.example.com",
			"allowed 2/6,3/17 profile:1"},
		{"b.example.com:2/tcp a.example.com:1/tcp b.example.com:3/udp a.example.com:1/tcp", "", "a.example.com",
			"allowed 1/6 profile:2"},
	};

	(void)state;
	policy_check(cases, COUNT(cases));
}

static void a_live_deny_wins_over_deeper_profile_rules(void **state)
{
	static const struct policy_case cases[] = {
		{"a.b.example.com", "!example.com", "a.b.example.com", "denied live:1"},
		{"=a.b.example.com:443", "!example.com", "a.b.example.com", "denied live:1"},
		{"example.com", "!example.com", "example.com", "denied live:1"},
		{"example.com", "!a.example.com", "example.com", "allowed any profile:1"},
		{"example.com", "!a.example.com", "b.a.example.com", "denied live:1"},
		{"", "!example.com", "example.com", "denied live:1"},
		{"!example.com", "!example.com", "example.com", "denied live:1"},
	};

	(void)state;
	policy_check(cases, COUNT(cases));
}

static void a_live_allow_that_is_more_specific_wins_over_a_live_deny(void **state)
{
	static const struct policy_case cases[] = {
		{"", "!example.com a.example.com", "a.example.com", "allowed any live:2"},
		{"", "!example.com a.example.com", "b.example.com", "denied live:1"},
		{"", "!example.com =example.com", "example.com", "allowed any live:2"},
		{"", "!example.com example.com", "example.com", "denied live:1"},
		{"", "!=a.example.com example.com", "a.example.com", "denied live:1"},
		{"", "a.example.com:22/tcp !example.com", "a.example.com", "allowed 22/6 live:1"},
		/* Below the live allow the profile's rules hold again. */
		{"!c.a.example.com", "!example.com a.example.com", "c.a.example.com", "excluded profile:1"},
		{"c.a.example.com:22/tcp", "!example.com a.example.com", "c.a.example.com", "allowed any profile:1"},
	};

	(void)state;
	policy_check(cases, COUNT(cases));
}

static void a_live_allow_wins_over_what_the_profile_says_no_deeper(void **state)
{
	static const struct policy_case cases[] = {
		{"", "example.com", "a.example.com", "allowed any live:1"},
		{"!example.com", "example.com", "example.com", "allowed any live:1"},
		{"!example.com", "a.example.com", "a.example.com", "allowed any live:1"},
		{"!example.com", "a.example.com", "b.example.com", "excluded profile:1"},
		{"example.com:443/tcp", "example.com", "example.com", "allowed any live:1"},
		/* an allow only adds */
		{"example.com", "example.com:22/tcp", "example.com", "allowed any live:1"},
		{"example.com", "a.example.com:22/tcp", "a.example.com", "allowed any live:1"},
		{"example.com:443/tcp", "example.com:22/tcp", "example.com", "allowed 22/6,443/6 live:1"},
		{"=example.com:443/tcp", "example.com:22/tcp", "example.com", "allowed 443/6,22/6 profile:1"},
		{"!example.com", "example.com:22/tcp", "example.com", "allowed 22/6 live:1"},
		/* What the profile took out below stays out, until it is named itself. */
		{"example.com !ads.example.com", "example.com", "ads.example.com", "excluded profile:2"},
		{"example.com !ads.example.com", "example.com ads.example.com", "x.ads.example.com", "allowed any live:2"},
		{"example.com !*.example.com", "example.com", "a.example.com", "excluded profile:2"},
		{"example.com !=example.com", "*.example.com", "example.com", "excluded profile:2"},
		{"!*.example.com", "=a.example.com", "a.example.com", "allowed any live:1"},
	};

	(void)state;
	policy_check(cases, COUNT(cases));
}

static void a_match_tells_kind_depth_and_layer_of_the_deciding_rule(void **state)
{
	cleanup_policy struct policy *policy = policy_of("example.com *.b.example.com", "=c.example.com");
	struct policy_match match;

	(void)state;
	policy_ask(policy, "x.y.example.com", &match);
	assert_int_equal(match.kind, RULE_TREE);
	assert_int_equal(match.depth, 2);
	assert_int_equal(match.layer, POLICY_PROFILE);
	policy_ask(policy, "x.b.example.com", &match);
	assert_int_equal(match.kind, RULE_BELOW);
	assert_int_equal(match.depth, 3);
	policy_ask(policy, "c.example.com", &match);
	assert_int_equal(match.kind, RULE_EXACT);
	assert_int_equal(match.layer, POLICY_LIVE);
	policy_ask(policy, "example.net", &match);
	assert_string_equal(match.source, "");
	assert_int_equal(match.line, 0);
}

static void wire_that_is_no_name_is_unlisted(void **state)
{
	static const struct {
		const char *wire;
		size_t length;
	} cases[] = {
		{"", 0},
		{"\7example\3com", 12},
		{"\7example\3com\0", 14},
		{"\7example\377com", 13},
		{"\377", 1},
		{"\0\7example\3com", 14},
	};
	cleanup_policy struct policy *policy = policy_of("example.com", "");
	uint8_t many[300] = {0};
	struct policy_match match;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		policy_lookup(policy, (const uint8_t *)cases[i].wire, cases[i].length, &match);
		assert_int_equal(match.verdict, POLICY_UNLISTED);
	}
	for (size_t i = 0; i < 298; i += 2)
		many[i] = 1;
	memcpy(many + 286, "\7example\3com", 13);
	policy_lookup(policy, many, 299, &match);
	assert_int_equal(match.verdict, POLICY_UNLISTED);
	memset(many, 1, sizeof(many)); /* one label more than a name can have, and no root */
	policy_lookup(policy, many, 255, &match);
	assert_int_equal(match.verdict, POLICY_UNLISTED);
}

static void before_the_seal_nothing_is_listed_and_after_it_nothing_is_added(void **state)
{
	cleanup_policy struct policy *policy = policy_new();
	struct policy_match match;
	struct rule rule;

	(void)state;
	policy_add_words(policy, POLICY_PROFILE, "example.com");
	policy_ask(policy, "example.com", &match);
	assert_int_equal(match.verdict, POLICY_UNLISTED);
	assert_int_equal(policy_seal(policy), 0);
	policy_ask(policy, "example.com", &match);
	assert_int_equal(match.verdict, POLICY_ALLOWED);
	assert_int_equal(rule_parse(&rule, "example.org", 11, NULL), 0);
	assert_int_equal(policy_add(policy, &rule, POLICY_LIVE, "x", 1), -EINVAL);
	assert_int_equal(policy_seal(policy), -EINVAL);
}

static void rules_that_cannot_be_kept_are_refused(void **state)
{
	cleanup_policy struct policy *policy = policy_new();
	struct rule rule;

	(void)state;
	assert_int_equal(rule_parse(&rule, "192.0.2.1", 9, NULL), 0);
	rule.exclude = true;
	assert_int_equal(policy_add(policy, &rule, POLICY_PROFILE, "x", 1), -EINVAL);
	assert_int_equal(policy_add(policy, &rule, POLICY_LIVE, "x", 1), 0);
	assert_int_equal(rule_parse(&rule, "example.com:443", 15, NULL), 0);
	rule.exclude = true;
	assert_int_equal(policy_add(policy, &rule, POLICY_LIVE, "x", 1), -EINVAL);
	rule = (struct rule){.kind = RULE_TREE, .name.length = 1};
	assert_int_equal(policy_add(policy, &rule, POLICY_PROFILE, "x", 1), -EINVAL);
	assert_int_equal(policy_seal(policy), 0);
	assert_int_equal(policy_name_count(policy), 0);
	assert_int_equal(policy_denied_nets(policy)->count, 1);
}

static void more_ports_than_a_match_can_tell_are_refused(void **state)
{
	cleanup_policy struct policy *policy = policy_new();
	struct rule rule;

	(void)state;
	assert_int_equal(rule_parse(&rule, "example.com:1", 13, NULL), 0);
	for (uint32_t port = 1; port <= 32768; port++) {
		rule.port = (uint16_t)port;
		assert_int_equal(policy_add(policy, &rule, POLICY_PROFILE, "x", port), 0);
	}
	assert_int_equal(policy_seal(policy), -E2BIG);
}

static void networks_go_to_their_set_and_the_narrowest_explains_an_address(void **state)
{
	static const struct {
		const char *addr, *expected;
	} cases[] = {
		{"10.1.2.3", "allowed any profile:2"},
		{"10.2.3.4", "allowed any profile:1"},
		{"192.0.2.1", "allowed 443/6 profile:3"},
		{"203.0.113.9", "denied live:2"},
		{"203.0.113.200", "denied live:2"},
		{"198.51.100.1", "unlisted"},
		{"2001:db8::1", "allowed any live:1"},
	};
	cleanup_policy struct policy *policy = policy_new();
	struct rule deny;

	(void)state;
	policy_add_words(policy, POLICY_PROFILE, "10.0.0.0/8 10.1.0.0/16 192.0.2.1:443/tcp 203.0.113.9");
	policy_add_words(policy, POLICY_LIVE, "2001:db8::/32");
	assert_int_equal(rule_parse(&deny, "203.0.113.0/24", 14, NULL), 0);
	deny.exclude = true;
	assert_int_equal(policy_add(policy, &deny, POLICY_LIVE, "live", 2), 0);
	assert_int_equal(policy_seal(policy), 0);
	assert_int_equal(policy_allowed_nets(policy)->count, 4);
	assert_int_equal(policy_denied_nets(policy)->count, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct policy_match match;
		struct addr addr;
		char text[256];

		assert_int_equal(addr_parse(&addr, cases[i].addr, strlen(cases[i].addr)), 0);
		policy_lookup_addr(policy, &addr, &match);
		assert_string_equal(match_describe(&match, text, sizeof(text)), cases[i].expected);
	}
}

struct listing {
	struct text text;
	uint32_t stop_at;
};

static int list_rule(void *context, const struct rule *rule, enum policy_layer layer, const char *source, uint32_t line)
{
	struct listing *listing = context;

	rule_format(rule, &listing->text);
	text_addf(&listing->text, " %d %s:%u\n", layer, source, line);
	return line == listing->stop_at ? 7 : 0;
}

static void every_name_rule_is_listed_as_it_was_added(void **state)
{
	cleanup_policy struct policy *policy = policy_of("b.example.com:443/tcp 192.0.2.1 !*.example.com b.example.com", "=db");
	struct listing listing = {0};

	(void)state;
	assert_int_equal(policy_name_count(policy), 4);
	assert_int_equal(policy_each_name(policy, list_rule, &listing), 0);
	assert_string_equal(listing.text.data,
		"b.example.com:443/tcp 0 profile:1\n!*.example.com 0 profile:3\nb.example.com 0 profile:4\n=db 1 live:1\n");
	text_free(&listing.text);
	listing.stop_at = 3;
	assert_int_equal(policy_each_name(policy, list_rule, &listing), 7);
	assert_string_equal(listing.text.data, "b.example.com:443/tcp 0 profile:1\n!*.example.com 0 profile:3\n");
	text_free(&listing.text);
}

static void a_hundred_thousand_names_are_all_found(void **state)
{
	cleanup_policy struct policy *policy = policy_new();
	struct policy_match match;
	char text[64];

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		struct rule rule;
		int length = snprintf(text, sizeof(text), "host%u.zone%u.example", i, i % 1000);

		assert_int_equal(rule_parse(&rule, text, (size_t)length, NULL), 0);
		assert_int_equal(policy_add(policy, &rule, POLICY_PROFILE, "big", i + 1), 0);
	}
	assert_int_equal(policy_seal(policy), 0);
	for (uint32_t i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "a.host%u.zone%u.example", i, i % 1000);
		policy_ask(policy, text, &match);
		assert_int_equal(match.verdict, POLICY_ALLOWED);
		assert_int_equal(match.line, i + 1);
		snprintf(text, sizeof(text), "a.host%u.zone%u.example", i, (i + 1) % 1000);
		policy_ask(policy, text, &match);
		assert_int_equal(match.verdict, POLICY_UNLISTED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_reaches_what_its_kind_says),
		cmocka_unit_test(the_deepest_rule_of_a_layer_wins),
		cmocka_unit_test(at_one_depth_exact_wins_over_below_and_below_over_tree),
		cmocka_unit_test(among_equals_an_exclusion_wins_and_ports_unite),
		cmocka_unit_test(a_live_deny_wins_over_deeper_profile_rules),
		cmocka_unit_test(a_live_allow_that_is_more_specific_wins_over_a_live_deny),
		cmocka_unit_test(a_live_allow_wins_over_what_the_profile_says_no_deeper),
		cmocka_unit_test(a_match_tells_kind_depth_and_layer_of_the_deciding_rule),
		cmocka_unit_test(wire_that_is_no_name_is_unlisted),
		cmocka_unit_test(before_the_seal_nothing_is_listed_and_after_it_nothing_is_added),
		cmocka_unit_test(rules_that_cannot_be_kept_are_refused),
		cmocka_unit_test(more_ports_than_a_match_can_tell_are_refused),
		cmocka_unit_test(networks_go_to_their_set_and_the_narrowest_explains_an_address),
		cmocka_unit_test(every_name_rule_is_listed_as_it_was_added),
		cmocka_unit_test(a_hundred_thousand_names_are_all_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
