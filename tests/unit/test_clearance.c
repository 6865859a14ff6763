/* cli/clearance.h: what is asked, and what an answer means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/clearance.h"

static struct clearance_question question_of(const char *line)
{
	struct clearance_question question;
	struct event event;

	assert_int_equal(event_parse(&event, line, NULL), 0);
	assert_true(clearance_question_of(&question, &event));
	return question;
}

#define NAME       "{\"source\":\"dns\",\"action\":\"blocked_query\",\"domain\":\"a.b.example.com\",\"detail\":\"not in the profile\"}"
#define CONNECTION "{\"source\":\"nflog\",\"action\":\"queued_connection\",\"dest\":\"198.51.100.7\",\"port\":443,\"proto\":\"tcp\"}"
#define NAMED                                                                                                                                    \
	"{\"source\":\"nflog\",\"action\":\"queued_connection\",\"domain\":\"a.b.example.com\",\"dest\":\"2001:db8::7\",\"port\":443,\"proto\":" \
	"\"tcp\"}"
#define ECHO "{\"source\":\"nflog\",\"action\":\"queued_connection\",\"dest\":\"198.51.100.7\",\"proto\":\"icmp\"}"

static void the_prompt_is_the_older_tools(void **state)
{
	static const char *const cases[][2] = {
		{NAME, "[BLOCKED] a.b.example.com — allow/deny? "},
		{CONNECTION, "[BLOCKED] 198.51.100.7 :443 — allow/deny? "},
		{NAMED, "[BLOCKED] 2001:db8::7 (a.b.example.com) :443 — allow/deny? "},
		{ECHO, "[BLOCKED] 198.51.100.7 — allow/deny? "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct clearance_question question = question_of(cases[i][0]);
		struct text text = {0};

		clearance_prompt(&question, &text);
		assert_string_equal(text.data, cases[i][1]);
		text_free(&text);
	}
}

static void only_what_an_answer_can_change_is_asked(void **state)
{
	static const char *const cases[] = {
		"{\"source\":\"dns\",\"action\":\"blocked_query\",\"domain\":\"x.test.com\",\"detail\":\"denied\"}",
		"{\"source\":\"dns\",\"action\":\"blocked_query\",\"domain\":\"x.test.com\",\"detail\":\"budget\"}",
		"{\"source\":\"dns\",\"action\":\"blocked_query\",\"domain\":\"7.100.51.198.in-addr.arpa\",\"detail\":\"not in the profile\"}",
		"{\"source\":\"dns\",\"action\":\"blocked_query\",\"domain\":\"a\\\\032b.test.com\",\"detail\":\"not in the profile\"}",
		"{\"source\":\"dns\",\"action\":\"blocked_query\",\"detail\":\"not in the profile\"}",
		"{\"source\":\"dns\",\"action\":\"learned\",\"domain\":\"x.test.com\",\"dest\":\"198.51.100.7\"}",
		"{\"source\":\"nflog\",\"action\":\"blocked_connection\",\"dest\":\"198.51.100.7\"}",
		"{\"source\":\"nflog\",\"action\":\"private_range\",\"dest\":\"10.0.0.1\"}",
		"{\"source\":\"nflog\",\"action\":\"allowed_connection\",\"dest\":\"198.51.100.7\"}",
		"{\"source\":\"nflog\",\"action\":\"queued_connection\",\"dest\":\"; rm -rf\"}",
		"{\"source\":\"audit\",\"action\":\"allowed\",\"dest\":\"198.51.100.7\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct clearance_question question;
		struct event event;

		assert_int_equal(event_parse(&event, cases[i], NULL), 0);
		if (clearance_question_of(&question, &event))
			fail_msg("%s", cases[i]);
	}
}

static void an_answer_is_a_word_and_perhaps_a_time(void **state)
{
	static const struct {
		const char *event, *line;
		enum clearance_act act;
		const char *targets[2], *lasting;
	} cases[] = {
		{NAME, "a", CLEARANCE_ALLOW, {"a.b.example.com"}, ""},
		{NAME, " allow \r", CLEARANCE_ALLOW, {"a.b.example.com"}, ""},
		{NAME, "ALLOW 2h", CLEARANCE_ALLOW, {"a.b.example.com"}, "2h"},
		{NAME, "t", CLEARANCE_ALLOW, {"a.b.example.com"}, "10m"},
		{NAME, "90s", CLEARANCE_ALLOW, {"a.b.example.com"}, "90s"},
		{NAME, "n", CLEARANCE_ALLOW, {"=a.b.example.com"}, ""},
		{NAME, "l 7d", CLEARANCE_ALLOW, {"example.com"}, "7d"},
		{NAME, "d", CLEARANCE_DENY, {"a.b.example.com"}, ""},
		{NAME, "never", CLEARANCE_DENY, {"a.b.example.com"}, ""},
		{NAME, "", CLEARANCE_SKIP, {NULL}, ""},
		{NAME, "skip", CLEARANCE_SKIP, {NULL}, ""},
		{NAME, "q", CLEARANCE_QUIT, {NULL}, ""},
		{NAME, "?", CLEARANCE_HELP, {NULL}, ""},
		{CONNECTION, "a", CLEARANCE_ALLOW, {"198.51.100.7"}, ""},
		{CONNECTION, "p 10m", CLEARANCE_ALLOW, {"198.51.100.7:443/tcp"}, "10m"},
		{CONNECTION, "deny", CLEARANCE_DENY, {"198.51.100.7"}, ""},
		{CONNECTION, "v", CLEARANCE_DENY, {"198.51.100.7"}, ""},
		{NAMED, "a", CLEARANCE_ALLOW, {"2001:db8::7"}, ""},
		{NAMED, "i", CLEARANCE_ALLOW, {"2001:db8::7"}, ""},
		{NAMED, "p", CLEARANCE_ALLOW, {"[2001:db8::7]:443/tcp"}, ""},
		{NAMED, "n", CLEARANCE_ALLOW, {"=a.b.example.com"}, ""},
		{NAMED, "l", CLEARANCE_ALLOW, {"example.com"}, ""},
		{NAMED, "v", CLEARANCE_DENY, {"a.b.example.com", "2001:db8::7"}, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct clearance_question question = question_of(cases[i].event);
		struct clearance_answer answer;
		struct error error = {0};
		size_t count = 0;

		if (clearance_answer_parse(&answer, &question, cases[i].line, &error))
			fail_msg("%s: %s", cases[i].line, error.text);
		assert_int_equal(answer.act, cases[i].act);
		assert_string_equal(answer.lasting, cases[i].lasting);
		for (; count < 2 && cases[i].targets[count]; count++)
			assert_string_equal(answer.targets[count], cases[i].targets[count]);
		assert_int_equal(answer.target_count, count);
	}
}

static void an_answer_that_does_not_fit_is_said_to_be_none(void **state)
{
	static const struct {
		const char *event, *line;
	} cases[] = {
		{NAME, "x"},
		{NAME, "a b"},
		{NAME, "a 10m x"},
		{NAME, "d 10m"},
		{NAME, "a 40d"},
		{NAME, "a 0s"},
		{NAME, "i"},
		{NAME, "p"},
		{CONNECTION, "n"},
		{CONNECTION, "l"},
		{ECHO, "p"},
		{NAME, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
		{NAME, "\033[31m"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct clearance_question question = question_of(cases[i].event);
		struct clearance_answer answer;
		struct error error = {0};

		if (clearance_answer_parse(&answer, &question, cases[i].line, &error) != -EINVAL)
			fail_msg("%s", cases[i].line);
		assert_null(strchr(error.text, '\033'));
	}
}

static void everything_like_a_name_is_never_what_others_have_names_below(void **state)
{
	static const char *const names[] = {
		"a.github.io", "x.y.github.io", "bucket.s3.amazonaws.com", "name.co.uk", "host", "a.b.herokuapp.com"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char line[256];
		struct clearance_question question;
		struct clearance_answer answer;

		snprintf(line, sizeof(line), "{\"source\":\"dns\",\"action\":\"blocked_query\",\"domain\":\"%s\",\"detail\":\"x\"}",
			names[i]);
		question = question_of(line);
		if (clearance_answer_parse(&answer, &question, "l", NULL) == 0 && strcmp(answer.targets[0], names[i]) != 0)
			fail_msg("%s is like %s", names[i], answer.targets[0]);
		assert_int_equal(clearance_answer_parse(&answer, &question, "a", NULL), 0);
		assert_true(strchr(names[i], '.') || answer.targets[0][0] == '=');
	}
}

static void the_help_says_what_fits_the_question(void **state)
{
	struct clearance_question question = question_of(CONNECTION);
	struct text text = {0};

	(void)state;
	clearance_help(&question, &text);
	assert_non_null(strstr(text.data, "a, allow    allow it: 198.51.100.7\n"));
	assert_non_null(strstr(text.data, "198.51.100.7:443/tcp"));
	assert_null(strstr(text.data, "like"));
	text_free(&text);
}

static void a_question_waits_once_and_the_queue_is_bounded(void **state)
{
	static struct clearance_queue queue;
	struct clearance_question question = question_of(CONNECTION), other = question_of(NAME), taken;

	(void)state;
	clearance_queue_add(&queue, &question);
	clearance_queue_add(&queue, &other);
	clearance_queue_add(&queue, &question);
	clearance_queue_add(&queue, &other);
	assert_int_equal(queue.count, 2);
	for (unsigned i = 0; i < CLEARANCE_QUEUE_MAX; i++) {
		question.port = (uint16_t)(1000 + i);
		clearance_queue_add(&queue, &question);
	}
	assert_int_equal(queue.dropped, 2);
	assert_true(clearance_queue_take(&queue, &taken));
	assert_int_equal(taken.port, 443);
	assert_true(clearance_queue_take(&queue, &taken));
	assert_true(taken.is_name);
	for (unsigned i = 0; i < CLEARANCE_QUEUE_MAX - 2; i++) {
		assert_true(clearance_queue_take(&queue, &taken));
		assert_int_equal(taken.port, 1000 + i);
	}
	assert_false(clearance_queue_take(&queue, &taken));
}

static void what_the_rules_answer_is_not_asked(void **state)
{
	static const struct {
		const char *rule;
		bool exclude;
		enum policy_layer layer;
		bool settles[3]; /* NAME, CONNECTION, NAMED */
	} cases[] = {
		{"unrelated.org", false, POLICY_LIVE, {false, false, false}},
		{"example.com", false, POLICY_LIVE, {true, false, true}},
		{"example.com", true, POLICY_LIVE, {true, false, true}},
		{"example.com", false, POLICY_PROFILE, {true, false, false}},
		{"198.51.100.0/24", false, POLICY_LIVE, {false, true, false}},
		{"198.51.100.7:443", false, POLICY_LIVE, {false, true, false}},
		{"198.51.100.7:80", false, POLICY_LIVE, {false, false, false}},
		{"198.51.100.7", true, POLICY_LIVE, {false, true, false}},
		{"2001:db8::/32", false, POLICY_LIVE, {false, false, true}},
	};
	static const char *const events[] = {NAME, CONNECTION, NAMED};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct policy *policy = policy_new();
		struct rule rule;

		assert_int_equal(rule_parse(&rule, cases[i].rule, strlen(cases[i].rule), NULL), 0);
		rule.exclude = cases[i].exclude;
		assert_int_equal(policy_add(policy, &rule, cases[i].layer, "x", 1), 0);
		assert_int_equal(policy_seal(policy), 0);
		for (size_t j = 0; j < 3; j++) {
			struct clearance_question question = question_of(events[j]);

			if (clearance_is_settled(&question, policy) != cases[i].settles[j])
				fail_msg("%s: event %zu", cases[i].rule, j);
		}
		policy_free(policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_prompt_is_the_older_tools),
		cmocka_unit_test(only_what_an_answer_can_change_is_asked),
		cmocka_unit_test(an_answer_is_a_word_and_perhaps_a_time),
		cmocka_unit_test(an_answer_that_does_not_fit_is_said_to_be_none),
		cmocka_unit_test(everything_like_a_name_is_never_what_others_have_names_below),
		cmocka_unit_test(the_help_says_what_fits_the_question),
		cmocka_unit_test(a_question_waits_once_and_the_queue_is_bounded),
		cmocka_unit_test(what_the_rules_answer_is_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
