/* cli/since.h: moments */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "cli/since.h"

#define NOW 1767323045 /* 2026-01-02T03:04:05Z */

static void moments_are_durations_or_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t moment_s;
	} cases[] = {
		{"0s", NOW},
		{"90s", NOW - 90},
		{"15m", NOW - 900},
		{"2h", NOW - 7200},
		{"7d", NOW - 7 * 86400},
		{"2026-01-02", NOW - 3 * 3600 - 245 - 7200}, /* local time is UTC+2 here */
		{"2026-01-02T03:04", NOW - 5 - 7200},
		{"2026-01-02T03:04:05", NOW - 7200},
		{"2026-01-02 03:04:05Z", NOW},
		{"2026-01-02T03:04:05+00:00", NOW},
		{"2026-01-02T03:04:05+01:30", NOW - 5400},
		{"2026-01-02T03:04:05-01:00", NOW + 3600},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error error = {0};
		int64_t moment_s = 0;

		if (since_parse(&moment_s, cases[i].text, NOW, &error) || moment_s != cases[i].moment_s)
			fail_msg("%s: %lld %s", cases[i].text, (long long)moment_s, error.text);
	}
}

static void what_is_no_moment_is_refused(void **state)
{
	static const char *const cases[] = {"", "s", "-5m", "5", "5w", "5m ", "1h30m", "9999999999s", "yesterday", "2026", "2026-1-2",
		"2026-13-01", "2026-02-30", "2026-01-02T", "2026-01-02T3:04", "2026-01-02T24:00:00", "2026-01-02T03:60:00", "2026-01-02T03:04:05+25:00",
		"2026-01-02T03:04:05x", "20260102"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct error error = {0};
		int64_t moment_s;

		if (since_parse(&moment_s, cases[i], NOW, &error) != -EINVAL || error.code != EINVAL)
			fail_msg("%s is accepted", cases[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_are_durations_or_dates),
		cmocka_unit_test(what_is_no_moment_is_refused),
	};

	setenv("TZ", "XYZ-2", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
