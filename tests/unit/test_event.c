/* cli/event.h: lines of the stream */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/event.h"

static void every_kind_is_known_by_its_source_and_action(void **state)
{
	static const struct {
		const char *source, *action;
		enum event_kind kind;
	} cases[] = {
		{"dns", "blocked_query", EVENT_REFUSED},
		{"dns", "learned", EVENT_LEARNED},
		{"dns", "renewed", EVENT_RENEWED},
		{"dns", "ended", EVENT_EXPIRED},
		{"nflog", "queued_connection", EVENT_BLOCKED},
		{"nflog", "blocked_connection", EVENT_DENIED},
		{"nflog", "private_range", EVENT_PRIVATE},
		{"nflog", "allowed_connection", EVENT_REACHED},
		{"nflog", "bypass_connection", EVENT_BYPASSED},
		{"audit", "shield_down", EVENT_AUDIT},
		{"audit", "hello", EVENT_AUDIT},
		{"shield", "lost", EVENT_LOST},
		{"shield", "hello", EVENT_HELLO},
		{"shield", "ended", EVENT_ENDED},
		{"shield", "learned", EVENT_OTHER},
		{"dns", "invented", EVENT_OTHER},
		{"moon", "hello", EVENT_OTHER},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct event event;
		char line[200];

		snprintf(line, sizeof(line), "{\"ts\":\"t\",\"source\":\"%s\",\"action\":\"%s\",\"container\":\"web\"}", cases[i].source,
			cases[i].action);
		assert_int_equal(event_parse(&event, line, NULL), 0);
		assert_int_equal(event.kind, cases[i].kind);
		assert_string_equal(event.container, "web");
		assert_int_equal(event.count, 1);
		assert_int_equal(event_is_refusal(&event), event.kind == EVENT_REFUSED || event.kind == EVENT_BLOCKED ||
								   event.kind == EVENT_DENIED || event.kind == EVENT_PRIVATE);
	}
}

static void all_members_are_taken_and_unknown_ones_passed_over(void **state)
{
	struct event event;
	(void)state;

	assert_int_equal(
		event_parse(&event,
			"{\"ts\":\"2026-11-28T04:40:01+00:00\",\"source\":\"nflog\",\"action\":\"queued_connection\",\"container\":\"web\","
			"\"domain\":\"a\\\\032b.test\",\"dest\":\"2001:db8::1\",\"detail\":\"x\",\"port\":65535,\"proto\":\"udp\",\"count\":7,"
			"\"lifetime_s\":60,\"seq\":9007199254740992,\"new\":[1],\"query_type\":\"AAAA\"}",
			NULL),
		0);
	assert_string_equal(event.time, "2026-11-28T04:40:01+00:00");
	assert_string_equal(event.domain, "a\\032b.test"); /* as a command would take it */
	assert_string_equal(event.dest, "2001:db8::1");
	assert_string_equal(event.detail, "x");
	assert_string_equal(event.proto, "udp");
	assert_string_equal(event.query_type, "AAAA");
	assert_int_equal(event.port, 65535);
	assert_int_equal(event.count, 7);
	assert_int_equal(event.lifetime_s, 60);
	assert_true(event.seq == UINT64_C(9007199254740992));
}

static void what_is_no_event_is_refused(void **state)
{
	static const char *const lines[] = {"", "x", "[]", "\"a\"", "{}", "{\"source\":\"dns\"}", "{\"action\":\"learned\"}",
		"{\"source\":\"dns\",\"action\":\"learned\"} more", "{\"source\":1,\"action\":\"learned\"}",
		"{\"source\":\"dns\",\"action\":\"learned\",\"domain\":null}", "{\"source\":\"dns\",\"action\":\"learned\",\"port\":65536}",
		"{\"source\":\"dns\",\"action\":\"learned\",\"port\":-1}", "{\"source\":\"dns\",\"action\":\"learned\",\"port\":\"80\"}",
		"{\"source\":\"dns\",\"action\":\"learned\",\"count\":1e300}"};
	(void)state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct event event;
		struct error error = {0};

		assert_int_equal(event_parse(&event, lines[i], &error), -EINVAL);
		assert_int_equal(error.code, EINVAL);
	}
}

static void what_json_hides_in_a_string_is_shown_and_not_done(void **state)
{
	struct event event;
	char line[4000], expected[sizeof(event.domain)];
	(void)state;

	assert_int_equal(
		event_parse(&event,
			"{\"source\":\"dns\",\"action\":\"learned\",\"domain\":\"\\u001b[2Jx\\n\",\"detail\":\"\\u00e9\",\"dest\":\"\\u0007\"}",
			NULL),
		0);
	assert_string_equal(event.domain, "\\x1b[2Jx\\x0a");
	assert_string_equal(event.detail, "\\xc3\\xa9");
	assert_string_equal(event.dest, "\\x07");

	/* Longer than any name can be: cut, and seen to be. */
	memset(expected, 'a', sizeof(expected));
	snprintf(line, sizeof(line), "{\"source\":\"dns\",\"action\":\"learned\",\"domain\":\"%.1009s\"}", expected);
	assert_int_equal(event_parse(&event, line, NULL), 0);
	assert_int_equal(strlen(event.domain), sizeof(event.domain) - 1);
	assert_string_equal(event.domain + sizeof(event.domain) - 4, "...");
	snprintf(line, sizeof(line), "{\"source\":\"dns\",\"action\":\"learned\",\"domain\":\"%.1008s\"}", expected);
	assert_int_equal(event_parse(&event, line, NULL), 0);
	assert_int_equal(event.domain[sizeof(event.domain) - 2], 'a');
}

static void a_peer_is_written_as_a_command_would_take_it(void **state)
{
	static const struct {
		const char *dest;
		uint16_t port;
		const char *proto, *expected;
	} cases[] = {{"192.0.2.1", 443, "tcp", "192.0.2.1:443/tcp"}, {"2001:db8::1", 53, "udp", "[2001:db8::1]:53/udp"},
		{"192.0.2.1", 0, "icmp", "192.0.2.1 icmp"}, {"2001:db8::1", 0, "", "2001:db8::1"}, {"192.0.2.1", 80, "", "192.0.2.1:80"},
		{"", 0, "", ""}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[EVENT_PEER_MAX];

		assert_string_equal(event_peer(text, cases[i].dest, cases[i].port, cases[i].proto), cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_known_by_its_source_and_action),
		cmocka_unit_test(all_members_are_taken_and_unknown_ones_passed_over),
		cmocka_unit_test(what_is_no_event_is_refused),
		cmocka_unit_test(what_json_hides_in_a_string_is_shown_and_not_done),
		cmocka_unit_test(a_peer_is_written_as_a_command_would_take_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
