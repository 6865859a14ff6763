/* cli/event_text.h: events as lines for people */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/event_text.h"

#define TS "\"ts\":\"2026-11-28T04:40:01+00:00\",\"container\":\"web\","

static const struct event_style bare = {.good = "", .bad = "", .faint = "", .plain = ""};

static char *shown(const char *line, const struct event_style *style)
{
	struct text text = {0};
	struct event event;
	struct error error = {0};

	if (event_parse(&event, line, &error))
		fail_msg("%s", error.text);
	event_text_add(&text, &event, style);
	return text_take(&text);
}

static void each_event_reads_as_a_sentence_would(void **state)
{
	static const struct {
		const char *line, *expected;
	} cases[] = {
		{"{" TS
		 "\"source\":\"dns\",\"action\":\"blocked_query\",\"domain\":\"other.test\",\"query_type\":\"AAAA\",\"detail\":\"not in the profile\"}",
			"04:40:01 refused  other.test AAAA  not in the profile"},
		{"{" TS "\"source\":\"dns\",\"action\":\"learned\",\"domain\":\"a.test\",\"dest\":\"192.0.2.1\",\"lifetime_s\":250}",
			"04:40:01 learned  a.test 192.0.2.1 4m10s"},
		{"{" TS
		 "\"source\":\"dns\",\"action\":\"ended\",\"domain\":\"a.test\",\"dest\":\"192.0.2.1\",\"port\":443,\"proto\":\"tcp\"}",
			"04:40:01 expired  a.test 192.0.2.1:443/tcp"},
		{"{" TS
		 "\"source\":\"nflog\",\"action\":\"queued_connection\",\"dest\":\"2001:db8::1\",\"port\":80,\"proto\":\"tcp\",\"domain\":\"b.test\",\"count\":12}",
			"04:40:01 BLOCKED  [2001:db8::1]:80/tcp (b.test) x12"},
		{"{" TS "\"source\":\"nflog\",\"action\":\"private_range\",\"dest\":\"10.0.0.1\",\"proto\":\"icmp\"}",
			"04:40:01 PRIVATE  10.0.0.1 icmp"},
		{"{" TS "\"source\":\"audit\",\"action\":\"shield_down\",\"detail\":\"all\"}", "04:40:01 shield_down   all"},
		{"{" TS "\"source\":\"audit\",\"action\":\"allowed\",\"dest\":\"b.test\"}", "04:40:01 allowed  b.test"},
		{"{" TS "\"source\":\"shield\",\"action\":\"lost\",\"count\":3,\"detail\":\"reader\"}",
			"04:40:01 LOST     3 events, more than was read here in time"},
		{"{" TS "\"source\":\"shield\",\"action\":\"lost\",\"count\":1,\"detail\":\"kernel\"}",
			"04:40:01 LOST     1 event, more than the forwarder could take"},
		{"{" TS "\"source\":\"shield\",\"action\":\"hello\",\"detail\":\"1.0.0\"}",
			"04:40:01 watching from here on, forwarder 1.0.0"},
		{"{" TS "\"source\":\"shield\",\"action\":\"ended\"}", "04:40:01 ended    the container has ended"},
		{"{\"ts\":\"yesterday\",\"source\":\"x\",\"action\":\"y\"}", "--:--:-- y        "},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *text = shown(cases[i].line, &bare);

		assert_string_equal(text, cases[i].expected);
		free(text);
	}
}

static void a_column_tells_several_containers_apart(void **state)
{
	struct event_style style = bare;
	char *text;
	(void)state;

	style.container_width = 6;
	text = shown("{" TS "\"source\":\"audit\",\"action\":\"allowed\",\"dest\":\"b.test\"}", &style);
	assert_string_equal(text, "04:40:01 web    allowed  b.test");
	free(text);
	style.container_width = 2;
	text = shown("{" TS "\"source\":\"audit\",\"action\":\"allowed\",\"dest\":\"b.test\"}", &style);
	assert_string_equal(text, "04:40:01 .. allowed  b.test");
	free(text);
}

static void colour_is_around_the_word_alone(void **state)
{
	static const struct event_style style = {.good = "<g>", .bad = "<b>", .faint = "<f>", .plain = "<p>"};
	char *text = shown("{" TS "\"source\":\"dns\",\"action\":\"blocked_query\",\"domain\":\"o.test\"}", &style);
	(void)state;

	assert_string_equal(text, "<f>04:40:01<p> <b>refused  <p>o.test");
	free(text);
}

/* The end of a name says whose it is, so the middle goes. */
static void a_line_is_never_wider_than_the_terminal(void **state)
{
	static const char line[] =
		"{" TS "\"source\":\"dns\",\"action\":\"blocked_query\",\"query_type\":\"A\",\"count\":4,\"detail\":\"not in the profile\","
		"\"domain\":\"c2VjcmV0LWRhdGEtaW4tYS1sYWJlbA.c2VjcmV0LWRhdGEtaW4tYS1sYWJlbA.exfiltration.test\"}";
	struct event_style style = bare;
	char *text;
	(void)state;

	for (style.width = 1; style.width < 200; style.width++) {
		text = shown(line, &style);
		assert_true(strlen(text) <= style.width || style.width < 18); /* time and word are always there */
		free(text);
	}
	style.width = 72;
	text = shown(line, &style);
	assert_non_null(strstr(text, "exfiltration.test A x4"));
	assert_int_equal(strlen(text), 72);
	free(text);
}

static void a_string_that_is_too_long_loses_its_middle(void **state)
{
	static const char *const expected[] = {
		"", ".", "..", "...", "...i", "...hi", "a...hi", "a...ghi", "a...fghi", "abcdefghi", "abcdefghi"};
	(void)state;

	for (size_t width = 0; width < sizeof(expected) / sizeof(*expected); width++) {
		struct text text = {0};

		text_add(&text, "");
		assert_int_equal(event_fit(&text, "abcdefghi", width), strlen(expected[width]));
		assert_string_equal(text.data, expected[width]);
		text_free(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_event_reads_as_a_sentence_would),
		cmocka_unit_test(a_column_tells_several_containers_apart),
		cmocka_unit_test(colour_is_around_the_word_alone),
		cmocka_unit_test(a_line_is_never_wider_than_the_terminal),
		cmocka_unit_test(a_string_that_is_too_long_loses_its_middle),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
