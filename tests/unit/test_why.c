/* cli/why.h: the verdict on a destination, and its reason */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "cli/why.h"

struct line {
	const char *rule;
	enum policy_layer layer;
	bool deny;
};

static const struct line lines[] = {
	{"example.com", POLICY_PROFILE, false},
	{"!ads.example.com", POLICY_PROFILE, false},
	{"web.test:443/tcp", POLICY_PROFILE, false},
	{"203.0.113.0/24", POLICY_PROFILE, false},
	{"198.51.100.0/24", POLICY_PROFILE, false},
	{"198.51.100.7:443/tcp", POLICY_PROFILE, false},
	{"192.0.2.1:443", POLICY_PROFILE, false},
	{"10.1.2.3", POLICY_LIVE, false},
	{"2001:db8::/32", POLICY_LIVE, false},
	{"bad.example.com", POLICY_LIVE, true},
	{"203.0.113.66", POLICY_LIVE, true},
};

static struct policy *policy_make(void)
{
	struct policy *policy = policy_new();
	struct error error = {0};

	assert_non_null(policy);
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct rule rule;

		if (rule_parse(&rule, lines[i].rule, strlen(lines[i].rule), &error))
			fail_msg("%s", error.text);
		rule.exclude = rule.exclude || lines[i].deny;
		assert_int_equal(policy_add(policy, &rule, lines[i].layer, "/p/own.txt", (uint32_t)i + 1), 0);
	}
	assert_int_equal(policy_seal(policy), 0);
	return policy;
}

static struct setwriter_element element_of(const char *address, uint16_t port, const char *name)
{
	struct setwriter_element element = {.key.port = port, .key.protocol = port ? RULE_TCP : 0, .expires_ms = 60000};

	assert_int_equal(addr_parse(&element.key.addr, address, strlen(address)), 0);
	strcpy(element.comment, name);
	return element;
}

static void the_verdict_is_the_kernels_and_the_forwarders(void **state)
{
	static const struct {
		const char *destination;
		enum shield_state state;
		enum why_verdict verdict;
		enum why_reason reason;
		uint32_t line; /* 0: none */
		size_t elements;
	} cases[] = {
		{"example.com", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 1, 2},
		{"EXAMPLE.com.", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 1, 2},
		{"a.b.example.com:80", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 1, 0},
		{"x.ads.example.com", SHIELD_UP, WHY_REFUSED, WHY_EXCLUDED, 2, 0},
		{"x.ads.example.com", SHIELD_DOWN, WHY_ALLOWED, WHY_BYPASS, 2, 0},
		{"bad.example.com", SHIELD_UP, WHY_REFUSED, WHY_DENIED, 10, 0},
		{"bad.example.com", SHIELD_DOWN_ALL, WHY_REFUSED, WHY_DENIED, 10, 0},
		{"other.test", SHIELD_UP, WHY_REFUSED, WHY_UNLISTED, 0, 0},
		{"other.test", SHIELD_DOWN, WHY_ALLOWED, WHY_BYPASS, 0, 0},
		{"example.com", SHIELD_BLOCK, WHY_REFUSED, WHY_BLOCK, 1, 2},
		{"example.com:53", SHIELD_UP, WHY_CAPTURED, WHY_DNS, 1, 2},
		{"other.test:53", SHIELD_UP, WHY_REFUSED, WHY_UNLISTED, 0, 0},
		{"web.test", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 3, 1},
		{"web.test:443", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 3, 1},
		{"web.test:443/udp", SHIELD_UP, WHY_REFUSED, WHY_PORT, 3, 0},
		{"web.test:80", SHIELD_UP, WHY_REFUSED, WHY_PORT, 3, 0},
		{"web.test:80", SHIELD_DOWN, WHY_ALLOWED, WHY_BYPASS, 3, 0},
		{"doomed.example.com", SHIELD_UP, WHY_REFUSED, WHY_NO_ADDRESS, 1, 1},
		{"localhost", SHIELD_UP, WHY_REFUSED, WHY_UNLISTED, 0, 0},
		{"203.0.113.5", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 4, 0},
		{"203.0.113.66", SHIELD_UP, WHY_REFUSED, WHY_DENIED, 11, 1},
		{"203.0.113.66:443", SHIELD_DOWN_ALL, WHY_REFUSED, WHY_DENIED, 11, 1},
		{"198.51.100.7:443", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 6, 0},
		{"198.51.100.7:80", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 0, 0}, /* by the wider network */
		{"192.0.2.1:443", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 7, 0},
		{"192.0.2.1:80", SHIELD_UP, WHY_REFUSED, WHY_PORT, 7, 0},
		{"192.0.2.50", SHIELD_UP, WHY_ALLOWED, WHY_LEARNED, 1, 1},
		{"192.0.2.51:443", SHIELD_UP, WHY_ALLOWED, WHY_LEARNED, 3, 1},
		{"192.0.2.51:80", SHIELD_UP, WHY_REFUSED, WHY_UNLISTED, 0, 0},
		{"192.0.2.99", SHIELD_UP, WHY_REFUSED, WHY_UNLISTED, 0, 0},
		{"192.0.2.99", SHIELD_DOWN, WHY_ALLOWED, WHY_BYPASS, 0, 0},
		{"10.1.2.3", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 8, 0},
		{"10.1.2.4", SHIELD_UP, WHY_REFUSED, WHY_PRIVATE, 0, 0},
		{"169.254.169.254", SHIELD_DOWN, WHY_REFUSED, WHY_PRIVATE, 0, 0},
		{"169.254.169.254", SHIELD_DOWN_ALL, WHY_ALLOWED, WHY_BYPASS, 0, 0},
		{"fe80::1", SHIELD_UP, WHY_REFUSED, WHY_PRIVATE, 0, 0},
		{"2001:db8::1", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 9, 0},
		{"[2001:db8::1]:443", SHIELD_UP, WHY_ALLOWED, WHY_LISTED, 9, 0},
		{"127.0.0.1:8080", SHIELD_UP, WHY_ALLOWED, WHY_LOOPBACK, 0, 0},
		{"127.0.0.1:53", SHIELD_UP, WHY_ALLOWED, WHY_LOOPBACK, 0, 0},
		{"::1", SHIELD_UP, WHY_ALLOWED, WHY_LOOPBACK, 0, 0},
		{"::ffff:127.0.0.1", SHIELD_UP, WHY_REFUSED, WHY_UNLISTED, 0, 0},
		{"127.0.0.1", SHIELD_BLOCK, WHY_REFUSED, WHY_BLOCK, 0, 0},
		{"8.8.8.8:53", SHIELD_UP, WHY_CAPTURED, WHY_DNS, 0, 0},
		{"8.8.8.8:53/udp", SHIELD_DOWN, WHY_CAPTURED, WHY_DNS, 0, 0},
		{"10.0.2.2:8080", SHIELD_UP, WHY_ALLOWED, WHY_LOOPBACK_PORT, 0, 0},
		{"10.0.2.2:8080/udp", SHIELD_UP, WHY_REFUSED, WHY_PRIVATE, 0, 0},
		{"10.0.2.2:8081", SHIELD_UP, WHY_REFUSED, WHY_PRIVATE, 0, 0},
	};
	cleanup_policy struct policy *policy = policy_make();
	struct setwriter_element elements[] = {
		element_of("203.0.113.66", 0, "doomed.example.com"),
		element_of("192.0.2.50", 0, "example.com"),
		element_of("2001:db8:9::1", 0, "example.com"),
		element_of("192.0.2.51", 443, "web.test"),
	};
	struct learned learned = {.list = elements, .count = sizeof(elements) / sizeof(*elements)};
	struct settings settings;

	(void)state;
	settings_init(&settings);
	settings.loopback_ports[settings.loopback_port_count++] = 8080;
	addr_parse(&settings.host_gateway, "10.0.2.2", 8);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct why_view view = {.policy = policy, .settings = &settings, .state = cases[i].state, .learned = &learned};
		struct why_destination destination;
		struct error error = {0};
		cleanup_why struct why why = {0};

		if (why_destination_parse(&destination, cases[i].destination, &error))
			fail_msg("%s: %s", cases[i].destination, error.text);
		assert_int_equal(why_decide(&why, &view, &destination), 0);
		if (why.verdict != cases[i].verdict || why.reason != cases[i].reason)
			fail_msg("%s in %s: %s, %s", cases[i].destination, shield_state_name(cases[i].state), why_verdict_name(why.verdict),
				why_reason_name(why.reason));
		if ((why.has_match ? why.match.line : 0) != cases[i].line || why.element_count != cases[i].elements)
			fail_msg("%s in %s: line %u, %zu elements", cases[i].destination, shield_state_name(cases[i].state),
				why.has_match ? why.match.line : 0, why.element_count);
	}
}

static void what_is_no_destination_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"", "is no destination"},
		{".", "is no destination"},
		{"..", "is no destination"},
		{"-x", "is no destination"},
		{"a b", "is no destination"},
		{"a\nb", "a\\x0ab"},
		{"../x", "is no destination"},
		{"*.example.com", "is no destination"},
		{"=example.com", "is no destination"},
		{"example.com:0", "is no destination"},
		{"example.com:65536", "is no destination"},
		{"example.com:", "is no destination"},
		{"example.com:80/sctp", "is no destination"},
		{"example.com/tcp", "is no destination"},
		{":80", "is no destination"},
		{"1.2.3", "is no destination"},
		{"300.1.1.1", "is no destination"},
		{"[192.0.2.1]:80", "is no destination"},
		{"[2001:db8::1", "is no destination"},
		{"10.0.0.0/8", "whole network"},
		{"2001:db8::/32", "whole network"},
		{"https://example.com", "is no destination"},
		{"example.com; drop", "is no destination"},
		{"\xff\xfe.com", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct why_destination destination;
		struct error error = {0};

		if (why_destination_parse(&destination, cases[i].text, &error) != -EINVAL)
			fail_msg("%s is accepted", cases[i].text);
		if (error.code == 0 || !strstr(error.text, cases[i].reason))
			fail_msg("%s: %s", cases[i].text, error.text);
	}
}

static void a_name_may_be_international(void **state)
{
	struct why_destination destination;
	char text[NAME_TEXT_MAX];

	(void)state;
	assert_int_equal(why_destination_parse(&destination, "b\xc3\xbc" "cher.example:443/tcp", NULL), 0);
	assert_string_equal(why_destination_text(&destination, text), "xn--bcher-kva.example");
	assert_int_equal(destination.port, 443);
	assert_int_equal(destination.protocol, RULE_TCP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_verdict_is_the_kernels_and_the_forwarders),
		cmocka_unit_test(what_is_no_destination_is_refused_with_a_reason),
		cmocka_unit_test(a_name_may_be_international),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
