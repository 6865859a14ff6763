/* cli/probe_dns.h: an answer counts only when it answers the question that was asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/probe_dns.h"
#include "dns/question.h"
#include "dns/reply.h"

static uint8_t asked[PROBE_DNS_QUESTION_MAX], answer[1024];
static size_t asked_length, answer_length;

/* What the forwarder says to the question. */
static int setup(void **unused)
{
	struct question question;
	struct name name;

	(void)unused;
	assert_int_equal(name_from_text(&name, "verify-1.invalid", strlen("verify-1.invalid")), 0);
	asked_length = probe_dns_question(asked, 0x4711, &name, TYPE_A);
	assert_int_equal(question_parse(asked, asked_length, &question), RCODE_NOERROR);
	answer_length = reply_error(&question, RCODE_NXDOMAIN, EDE_BLOCKED, "terok-shield: not in the profile", answer);
	return 0;
}

static bool reads(struct probe_dns_answer *read)
{
	return probe_dns_answer_read(read, answer, answer_length, asked, asked_length);
}

static void the_forwarders_answer_is_told_by_its_explanation(void **unused)
{
	struct probe_dns_answer read;

	(void)unused;
	assert_true(reads(&read));
	assert_int_equal(read.rcode, RCODE_NXDOMAIN);
	assert_true(read.explained);
}

static void an_explanation_of_somebody_elses_is_none(void **unused)
{
	struct probe_dns_answer read;

	(void)unused;
	memcpy(memmem(answer, answer_length, "terok", 5), "other", 5);
	assert_true(reads(&read));
	assert_false(read.explained);
}

static void an_answer_to_another_question_is_none(void **unused)
{
	static const size_t places[] = {0, 1, 5, MESSAGE_HEADER + 3, MESSAGE_HEADER + 20};
	struct probe_dns_answer read;

	(void)unused;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		answer[places[i]] ^= 1;
		assert_false(reads(&read));
		answer[places[i]] ^= 1;
	}
	answer[2] &= 0x7f; /* no answer at all */
	assert_false(reads(&read));
}

static void an_answer_that_is_cut_short_explains_nothing(void **unused)
{
	struct probe_dns_answer read;
	size_t whole = answer_length;

	(void)unused;
	for (answer_length = 0; answer_length < whole; answer_length++)
		assert_true(!reads(&read) || !read.explained);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_forwarders_answer_is_told_by_its_explanation, setup),
		cmocka_unit_test_setup(an_explanation_of_somebody_elses_is_none, setup),
		cmocka_unit_test_setup(an_answer_to_another_question_is_none, setup),
		cmocka_unit_test_setup(an_answer_that_is_cut_short_explains_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
