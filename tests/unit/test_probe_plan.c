/* cli/probe_plan.h: only what policy and state refuse is sent, and each end of a probe has the verdict that it proves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/probe_plan.h"
#include "dns/message.h"

#define AT(id) ((unsigned)((id)-CHECK_INSIDE))

static const uint8_t zeros[PROBE_RANDOM_SIZE];

struct scene {
	struct policy *policy;
	struct settings settings;
	struct learned learned;
	struct why_view view;
	struct probe_plan plan;
};

/* allowed, denied: networks, separated by blanks. */
static void networks_add(struct policy *policy, const char *networks, bool deny)
{
	for (const char *at = networks; *at; at += strcspn(at, " "), at += *at == ' ') {
		struct rule rule;

		assert_int_equal(rule_parse(&rule, at, strcspn(at, " "), NULL), 0);
		rule.exclude = deny;
		assert_int_equal(policy_add(policy, &rule, POLICY_LIVE, "list", 1), 0);
	}
}

static void scene_make(struct scene *scene, enum shield_state state, const char *allowed, const char *denied, bool tables_hold)
{
	*scene = (struct scene){.policy = policy_new()};
	assert_non_null(scene->policy);
	networks_add(scene->policy, allowed, false);
	networks_add(scene->policy, denied, true);
	assert_int_equal(policy_seal(scene->policy), 0);
	settings_init(&scene->settings);
	scene->view = (struct why_view){.policy = scene->policy, .settings = &scene->settings, .state = state, .learned = &scene->learned};
	assert_int_equal(probe_plan_make(&scene->plan, &scene->view, tables_hold, zeros), 0);
}

static const struct probe *probe_of(const struct scene *scene, unsigned id)
{
	return &scene->plan.list[AT(id)];
}

static bool is_in(const struct addr *addr, const char *text)
{
	struct addr_net net;

	assert_int_equal(addr_net_parse(&net, text, strlen(text)), 0);
	return addr_net_contains(&net, addr);
}

static void a_denied_address_is_one_that_the_lists_refuse(void **unused)
{
	struct scene scene;

	(void)unused;
	scene_make(&scene, SHIELD_UP, "192.0.2.0/24 198.51.100.0/24", "", true);
	assert_int_equal(probe_of(&scene, CHECK_DENIED_ADDRESS)->verdict, CHECK_UNTRIED);
	assert_true(is_in(&probe_of(&scene, CHECK_DENIED_ADDRESS)->addr, "203.0.113.0/24"));
	assert_int_equal(probe_of(&scene, CHECK_DENIED_ADDRESS)->chain, COUNTERS_BLOCKED);
	assert_true(probe_of(&scene, CHECK_DENIED_ADDRESS + 1)->tcp);
	assert_true(is_in(&probe_of(&scene, CHECK_DENIED_ADDRESS + 2)->addr, "2001:db8::/32"));
	policy_free(scene.policy);
	scene_make(&scene, SHIELD_UP, "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32", "", true);
	assert_int_equal(probe_of(&scene, CHECK_DENIED_ADDRESS)->verdict, CHECK_NEEDLESS);
	assert_int_equal(probe_of(&scene, CHECK_DENIED_ADDRESS + 3)->verdict, CHECK_NEEDLESS);
	policy_free(scene.policy);
	/* A port that is open for TCP alone: the address is not one that everything refuses. */
	scene_make(&scene, SHIELD_UP, "192.0.2.0/24:9/tcp 198.51.100.0/24:9/udp", "", true);
	assert_true(is_in(&probe_of(&scene, CHECK_DENIED_ADDRESS)->addr, "203.0.113.0/24"));
	policy_free(scene.policy);
}

static void in_a_bypass_only_what_is_denied_is_sent_to(void **unused)
{
	struct scene scene;

	(void)unused;
	scene_make(&scene, SHIELD_DOWN, "", "8.8.8.8", true);
	assert_int_equal(probe_of(&scene, CHECK_DENIED_ADDRESS)->verdict, CHECK_NEEDLESS); /* 8.8.8.8 is somebody's */
	assert_int_equal(probe_of(&scene, CHECK_PRIVATE_ADDRESS)->verdict, CHECK_UNTRIED);
	assert_int_equal(probe_of(&scene, CHECK_DENIED_NAME)->verdict, CHECK_NEEDLESS);
	assert_int_equal(probe_of(&scene, CHECK_CAPTURE)->kind, PROBE_QUESTION);
	policy_free(scene.policy);
	scene_make(&scene, SHIELD_DOWN_ALL, "", "8.8.8.8 192.0.2.128/25", true);
	assert_int_equal(probe_of(&scene, CHECK_DENIED_ADDRESS)->verdict, CHECK_UNTRIED);
	assert_true(is_in(&probe_of(&scene, CHECK_DENIED_ADDRESS)->addr, "192.0.2.128/25"));
	assert_int_equal(probe_of(&scene, CHECK_DENIED_ADDRESS)->chain, COUNTERS_DENIED);
	assert_int_equal(probe_of(&scene, CHECK_PRIVATE_ADDRESS)->verdict, CHECK_NEEDLESS);
	assert_int_equal(probe_of(&scene, CHECK_METADATA)->verdict, CHECK_NEEDLESS);
	policy_free(scene.policy);
}

static void an_inside_address_that_is_allowed_is_not_sent_to(void **unused)
{
	struct scene scene;

	(void)unused;
	scene_make(&scene, SHIELD_UP, "10.0.0.0/8 172.16.0.0/12 169.254.169.254", "", true);
	assert_true(is_in(&probe_of(&scene, CHECK_PRIVATE_ADDRESS)->addr, "192.168.0.0/16"));
	assert_int_equal(probe_of(&scene, CHECK_METADATA)->verdict, CHECK_NEEDLESS);
	assert_int_equal(probe_of(&scene, CHECK_METADATA + 2)->verdict, CHECK_UNTRIED);
	policy_free(scene.policy);
}

static void with_tables_that_differ_nothing_goes_to_an_inside_address_and_that_counts(void **unused)
{
	struct scene scene;

	(void)unused;
	scene_make(&scene, SHIELD_UP, "", "", false);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(probe_of(&scene, CHECK_PRIVATE_ADDRESS + i)->verdict, CHECK_UNKNOWN);
		assert_int_equal(probe_of(&scene, CHECK_METADATA + i)->verdict, CHECK_UNKNOWN);
		assert_int_equal(probe_of(&scene, CHECK_DENIED_ADDRESS + i)->verdict, CHECK_UNTRIED);
	}
	policy_free(scene.policy);
}

static void what_is_sent_later_depends_on_what_was_refused(void **unused)
{
	static const struct {
		enum probe_end end;
		bool connection, inside;
	} cases[] = {
		{PROBE_PROHIBITED, true, true},
		{PROBE_DROPPED, true, true},
		{PROBE_NO_ROUTE, false, true},
		{PROBE_NO_FAMILY, false, true},
		{PROBE_SILENCE, false, false},
		{PROBE_ELSEWHERE, false, false},
		{PROBE_PASSED, false, false},
		{PROBE_ERROR, false, false},
		{PROBE_NOT_SENT, false, false},
	};
	struct scene scene;

	(void)unused;
	scene_make(&scene, SHIELD_UP, "", "", true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (unsigned v6 = 0; v6 < 4; v6 += 2) {
			struct probe_outcome outcomes[PROBE_COUNT] = {0};

			assert_true(probe_plan_may_send(&scene.plan, AT(CHECK_DENIED_ADDRESS) + v6, outcomes));
			outcomes[AT(CHECK_DENIED_ADDRESS) + v6].end = cases[i].end;
			assert_int_equal(
				probe_plan_may_send(&scene.plan, AT(CHECK_DENIED_ADDRESS) + v6 + 1, outcomes), cases[i].connection);
			assert_int_equal(probe_plan_may_send(&scene.plan, AT(CHECK_PRIVATE_ADDRESS) + v6, outcomes), cases[i].inside);
			assert_int_equal(probe_plan_may_send(&scene.plan, AT(CHECK_METADATA) + v6, outcomes), cases[i].inside);
			assert_int_equal(probe_plan_may_send(&scene.plan, AT(CHECK_CAPTURE) + v6, outcomes), cases[i].inside);
			assert_false(probe_plan_may_send(&scene.plan, AT(CHECK_CAPTURE) + v6 + 1, outcomes));
			outcomes[AT(CHECK_CAPTURE) + v6].end = PROBE_SILENCE;
			assert_false(probe_plan_may_send(&scene.plan, AT(CHECK_CAPTURE) + v6 + 1, outcomes));
			outcomes[AT(CHECK_CAPTURE) + v6].end = PROBE_ANSWERED;
			assert_int_equal(probe_plan_may_send(&scene.plan, AT(CHECK_CAPTURE) + v6 + 1, outcomes), cases[i].inside);
			assert_true(probe_plan_may_send(&scene.plan, AT(CHECK_ANSWER) + v6 + 1, outcomes));
			/* The other family's end says nothing. */
			assert_false(probe_plan_may_send(&scene.plan, AT(CHECK_METADATA) + 2 - v6, outcomes));
		}
	}
	policy_free(scene.policy);
}

/* The verdict of one probe that ended so, when its chain counted so many packets. */
static enum check_verdict verdict_of(const struct scene *scene, unsigned id, struct probe_outcome outcome, unsigned counted)
{
	struct probe_outcome outcomes[PROBE_COUNT];
	struct counters before = {{7, 7, 7, 7}}, after = before;
	struct checks checks = {0};

	for (unsigned i = 0; i < PROBE_COUNT; i++)
		outcomes[i] = (struct probe_outcome){.end = PROBE_NO_ROUTE, .error = ENETUNREACH};
	outcomes[AT(id)] = outcome;
	after.packets[probe_of(scene, id)->chain] += counted;
	probe_plan_judge(&scene->plan, outcomes, &before, &after, &checks);
	return checks.list[id].verdict;
}

static void an_end_is_a_refusal_of_ours_only_with_the_counter(void **unused)
{
	static const struct {
		enum shield_state state;
		enum settings_reject reject;
		bool tcp;
		enum probe_end end;
		unsigned counted;
		enum check_verdict verdict;
	} cases[] = {
		{SHIELD_UP, SETTINGS_REJECT_ICMP, false, PROBE_PROHIBITED, 1, CHECK_OK},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, false, PROBE_PROHIBITED, 0, CHECK_FAILED},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, true, PROBE_PROHIBITED, 2, CHECK_OK},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, true, PROBE_PROHIBITED, 0, CHECK_FAILED},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, true, PROBE_RESET, 1, CHECK_FAILED},
		{SHIELD_UP, SETTINGS_REJECT_RESET, true, PROBE_RESET, 1, CHECK_OK},
		{SHIELD_UP, SETTINGS_REJECT_RESET, true, PROBE_RESET, 0, CHECK_FAILED},
		{SHIELD_UP, SETTINGS_REJECT_RESET, true, PROBE_PROHIBITED, 1, CHECK_FAILED},
		{SHIELD_UP, SETTINGS_REJECT_RESET, false, PROBE_PROHIBITED, 1, CHECK_OK},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, false, PROBE_SILENCE, 1, CHECK_FAILED},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, true, PROBE_SILENCE, 1, CHECK_FAILED},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, true, PROBE_PASSED, 1, CHECK_FAILED},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, false, PROBE_ELSEWHERE, 1, CHECK_FAILED},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, false, PROBE_NO_ROUTE, 1, CHECK_NEEDLESS},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, false, PROBE_NO_FAMILY, 1, CHECK_NEEDLESS},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, false, PROBE_ERROR, 1, CHECK_UNKNOWN},
		{SHIELD_UP, SETTINGS_REJECT_ICMP, false, PROBE_NOT_SENT, 1, CHECK_UNKNOWN},
		{SHIELD_BLOCK, SETTINGS_REJECT_ICMP, false, PROBE_DROPPED, 1, CHECK_OK},
		{SHIELD_BLOCK, SETTINGS_REJECT_ICMP, false, PROBE_SILENCE, 1, CHECK_FAILED},
		{SHIELD_BLOCK, SETTINGS_REJECT_ICMP, true, PROBE_SILENCE, 1, CHECK_OK},
		{SHIELD_BLOCK, SETTINGS_REJECT_ICMP, true, PROBE_SILENCE, 0, CHECK_FAILED},
		{SHIELD_BLOCK, SETTINGS_REJECT_ICMP, true, PROBE_PASSED, 1, CHECK_FAILED},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct scene scene;
		enum check_verdict verdict;

		scene_make(&scene, cases[i].state, "", "", true);
		scene.settings.reject = cases[i].reject;
		verdict = verdict_of(&scene, CHECK_DENIED_ADDRESS + cases[i].tcp,
			(struct probe_outcome){.end = cases[i].end, .error = EPERM}, cases[i].counted);
		if (verdict != cases[i].verdict)
			fail_msg("case %zu: verdict %d", i, verdict);
		policy_free(scene.policy);
	}
}

static void an_answer_is_the_forwarders_only_when_it_says_what_it_must(void **unused)
{
	static const struct {
		unsigned id;
		enum settings_deny deny;
		struct probe_outcome outcome;
		enum check_verdict verdict;
	} cases[] = {
		{CHECK_ANSWER, SETTINGS_DENY_NXDOMAIN, {.end = PROBE_ANSWERED, .rcode = RCODE_REFUSED}, CHECK_OK},
		{CHECK_ANSWER, SETTINGS_DENY_NXDOMAIN, {.end = PROBE_ANSWERED, .rcode = RCODE_NOERROR}, CHECK_FAILED},
		{CHECK_ANSWER, SETTINGS_DENY_NXDOMAIN, {.end = PROBE_SILENCE}, CHECK_FAILED},
		{CHECK_ANSWER, SETTINGS_DENY_NXDOMAIN, {.end = PROBE_NO_ROUTE}, CHECK_FAILED}, /* no loopback: no names */
		{CHECK_ANSWER + 2, SETTINGS_DENY_NXDOMAIN, {.end = PROBE_NO_ROUTE}, CHECK_NEEDLESS},
		{CHECK_ANSWER + 3, SETTINGS_DENY_NXDOMAIN, {.end = PROBE_RESET, .error = ECONNREFUSED}, CHECK_FAILED},
		{CHECK_CAPTURE, SETTINGS_DENY_NXDOMAIN, {.end = PROBE_ANSWERED, .rcode = RCODE_NXDOMAIN, .explained = true}, CHECK_OK},
		{CHECK_CAPTURE, SETTINGS_DENY_NXDOMAIN, {.end = PROBE_ANSWERED, .rcode = RCODE_NXDOMAIN}, CHECK_FAILED},
		{CHECK_CAPTURE + 1, SETTINGS_DENY_REFUSED, {.end = PROBE_ANSWERED, .rcode = RCODE_REFUSED, .explained = true}, CHECK_OK},
		{CHECK_CAPTURE + 1, SETTINGS_DENY_REFUSED, {.end = PROBE_PROHIBITED, .error = EHOSTUNREACH}, CHECK_FAILED},
		{CHECK_CAPTURE + 3, SETTINGS_DENY_REFUSED, {.end = PROBE_NO_ROUTE}, CHECK_NEEDLESS},
		{CHECK_DENIED_NAME, SETTINGS_DENY_REFUSED, {.end = PROBE_ANSWERED, .rcode = RCODE_NXDOMAIN, .explained = true},
			CHECK_FAILED},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct scene scene;
		enum check_verdict verdict;

		scene_make(&scene, SHIELD_UP, "", "", true);
		scene.settings.deny = cases[i].deny;
		verdict = verdict_of(&scene, cases[i].id, cases[i].outcome, 0);
		if (verdict != cases[i].verdict)
			fail_msg("case %zu: verdict %d", i, verdict);
		policy_free(scene.policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_denied_address_is_one_that_the_lists_refuse),
		cmocka_unit_test(in_a_bypass_only_what_is_denied_is_sent_to),
		cmocka_unit_test(an_inside_address_that_is_allowed_is_not_sent_to),
		cmocka_unit_test(with_tables_that_differ_nothing_goes_to_an_inside_address_and_that_counts),
		cmocka_unit_test(what_is_sent_later_depends_on_what_was_refused),
		cmocka_unit_test(an_end_is_a_refusal_of_ours_only_with_the_counter),
		cmocka_unit_test(an_answer_is_the_forwarders_only_when_it_says_what_it_must),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
