/* cli/lint.h: what is found in a profile */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/lint.h"

/* Findings as "LINE KIND", joined by ", ". */
static void findings_of(const char *profile, struct text *list)
{
	cleanup_lint struct lint lint = {0};

	assert_int_equal(lint_profile(&lint, profile, strlen(profile)), 0);
	text_add(list, "");
	for (size_t i = 0; i < lint.count; i++)
		text_addf(list, "%s%u %s", i ? ", " : "", lint.findings[i].line, lint_kind_name(lint.findings[i].kind));
}

static void each_kind_is_found_in_its_line_and_nothing_else(void **state)
{
	static const struct {
		const char *profile, *findings;
	} cases[] = {
		{"", ""},
		{"# nothing\n\n   \n", ""},
		{"example.com # fine\nother.test\n", ""},
		{"example.com", ""},
		{"com\n", "1 error"},
		{"*.org\nok.test\n", "1 error"},
		{"ok.test\nnot a rule\n!10.0.0.0/8\n", "2 error, 3 error"},
		{"github.io\n", "1 shared-hosting"},
		{"*.github.io:443\n", "1 shared-hosting"},
		{"=github.io\nproject.github.io\n", ""},
		{"amazonaws.com\n", "1 shared-hosting"},
		{"=s3.amazonaws.com\n", "1 shared-hosting"},
		{"bucket.s3.amazonaws.com\n", ""},
		{"!github.io\n", ""},
		{"a.test\nb.test\na.test\n", "3 duplicate"},
		{"A.test\na.TEST.\n", "2 duplicate"},
		{"10.0.0.1\n10.0.0.1/32\n", "2 duplicate"},
		{"example.com\nwww.example.com\n", "2 covered"},
		{"www.example.com\nexample.com\n", "1 covered"},
		{"=example.com\nwww.example.com\n", ""},
		{"*.example.com\nexample.com\n", "1 covered"},
		{"*.example.com\n=example.com\n", ""},
		{"*.example.com\nwww.example.com\n", "2 covered"},
		{"example.com:443\nwww.example.com\n", ""},
		{"example.com\nwww.example.com:443\n", "2 covered"},
		{"example.com:443\nexample.com:443/tcp\n", "2 covered"},
		{"example.com:443/udp\nexample.com:443/tcp\n", ""},
		{"example.com\n!ads.example.com\nok.ads.example.com\n", ""},
		{"example.com\n!ads.example.com\n", ""},
		{"!example.com\n!ads.example.com\n", "2 covered"},
		{"10.0.0.0/8\n10.1.0.0/16\n", "2 covered"},
		{"10.1.0.0/16\n10.0.0.0/8:443\n", ""},
		{"10.0.0.0/8:443\n10.1.2.3:443/tcp\n", "2 covered"},
		{"2001:db8::/32\n2001:db8:1::1\n2001:db9::1\n", "2 covered"},
		{"notexample.com\nexample.com\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_text struct text list = {0};

		findings_of(cases[i].profile, &list);
		if (strcmp(list.data, cases[i].findings) != 0)
			fail_msg("%s: found '%s', wanted '%s'", cases[i].profile, list.data, cases[i].findings);
	}
}

static void a_finding_says_which_rule_and_why(void **state)
{
	cleanup_lint struct lint lint = {0};
	static const char profile[] = "example.com\nwww.example.com\ngithub.io\n";

	(void)state;
	assert_int_equal(lint_profile(&lint, profile, strlen(profile)), 0);
	assert_int_equal(lint.count, 2);
	assert_string_equal(lint.findings[0].text, "www.example.com is covered by example.com in line 1");
	assert_non_null(strstr(lint.findings[1].text, "GitHub Pages"));
}

static void a_long_profile_is_no_work_of_squares(void **state)
{
	cleanup_text struct text profile = {0};
	cleanup_lint struct lint lint = {0};
	int64_t begun_ms;

	(void)state;
	for (unsigned i = 0; i < 100000; i++)
		text_addf(&profile, "n%u.example%u.test\n", i, i % 1000);
	assert_false(text_failed(&profile));
	begun_ms = clock_now_ms();
	assert_int_equal(lint_profile(&lint, profile.data, profile.length), 0);
	assert_int_equal(lint.count, 0);
	assert_true(clock_now_ms() - begun_ms < 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_found_in_its_line_and_nothing_else),
		cmocka_unit_test(a_finding_says_which_rule_and_why),
		cmocka_unit_test(a_long_profile_is_no_work_of_squares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
