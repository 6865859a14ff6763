/* cli/checks.h: nothing holds that was not found to hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/checks.h"
#include "cli/outside.h"

static struct checks all_of(enum check_verdict verdict)
{
	struct checks checks = {0};

	for (unsigned i = 0; i < CHECK_COUNT; i++)
		checks_set(&checks, i, verdict, "so");
	return checks;
}

static void what_nobody_looked_at_does_not_hold(void **unused)
{
	struct checks none = {0}, good = all_of(CHECK_OK), needless = all_of(CHECK_NEEDLESS);

	(void)unused;
	assert_false(checks_hold(&none));
	assert_true(checks_hold(&good));
	assert_true(checks_hold(&needless));
	for (unsigned i = 0; i < CHECK_COUNT; i++) {
		struct checks but_one = good;

		but_one.list[i] = (struct check){0};
		assert_false(checks_hold(&but_one));
		checks_set(&but_one, i, CHECK_UNKNOWN, "so");
		assert_false(checks_hold(&but_one));
	}
}

static void a_failure_is_not_talked_away(void **unused)
{
	struct checks checks = all_of(CHECK_OK);

	(void)unused;
	checks_set(&checks, CHECK_TABLE, CHECK_FAILED, "first");
	checks_set(&checks, CHECK_TABLE, CHECK_OK, "second");
	checks_set(&checks, CHECK_TABLE, CHECK_NEEDLESS, "third");
	assert_int_equal(checks.list[CHECK_TABLE].verdict, CHECK_FAILED);
	assert_string_equal(checks.list[CHECK_TABLE].reason, "first");
}

static void each_check_has_a_name_of_its_own(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < CHECK_COUNT; i++) {
		assert_non_null(check_name(i));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(check_name(i), check_name(j));
	}
	assert_string_equal(check_name(CHECK_DENIED_ADDRESS + 3), "denied-address-tcp-v6");
	assert_string_equal(check_name(CHECK_METADATA), "metadata-udp-v4");
}

static void only_the_forwarder_may_stand_in_resolv_conf(void **unused)
{
	static const struct {
		const char *content;
		enum check_verdict verdict;
	} cases[] = {
		{"nameserver 127.0.0.1\noptions ndots:0\n", CHECK_OK},
		{"# nameserver 8.8.8.8\nnameserver\t127.0.0.1", CHECK_OK},
		{"nameserver 127.0.0.1\nnameserver ::1\n", CHECK_OK},
		{"", CHECK_FAILED},
		{"search example.com\n", CHECK_FAILED},
		{"nameserver 8.8.8.8\n", CHECK_FAILED},
		{"nameserver 127.0.0.1\n  nameserver 8.8.8.8\n", CHECK_FAILED},
		{"nameserver 127.0.0.11\n", CHECK_FAILED},
		{"nameserver ::1%lo\n", CHECK_FAILED},
		{"nameserver \n", CHECK_FAILED},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct checks checks = {0};

		outside_judge_resolv_conf(cases[i].content, &checks);
		if (checks.list[CHECK_RESOLV_CONF].verdict != cases[i].verdict)
			fail_msg("%s", cases[i].content);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_nobody_looked_at_does_not_hold),
		cmocka_unit_test(a_failure_is_not_talked_away),
		cmocka_unit_test(each_check_has_a_name_of_its_own),
		cmocka_unit_test(only_the_forwarder_may_stand_in_resolv_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
