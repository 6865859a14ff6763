/* Numbers, times and kinds in words, for the report. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/report_page.h"

void report_add_number(struct text *html, uint64_t number)
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	for (int i = 0; i < length; i++)
		text_addf(html, "%s%c", i > 0 && (length - i) % 3 == 0 ? "," : "", digits[i]);
}

void report_add_bytes(struct text *html, uint64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	double number = (double)bytes;
	size_t unit = 0;
	for (; number >= 999.5 && unit + 1 < sizeof(units) / sizeof(*units); unit++)
		number /= 1000;
	text_addf(html, unit > 0 && number < 99.95 ? "%.1f %s" : "%.0f %s", number, units[unit]);
}

void report_add_time(struct text *html, int64_t wall_s)
{
	time_t seconds = wall_s;
	struct tm parts;
	char text[32];
	if (gmtime_r(&seconds, &parts) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts) > 0)
		text_add(html, text);
}

const char *report_class_style(enum report_class class)
{
	static const char *const styles[REPORT_CLASSES] = {[REPORT_REACHED] = "good", [REPORT_BYPASSED] = "open", [REPORT_REFUSED] = "bad"};
	return styles[class];
}

static const struct {
	const char *style, *name;
} kinds[] = {
	[REPORT_START] = {"note", "started"},
	[REPORT_UP] = {"good", "shield up"},
	[REPORT_DOWN] = {"open", "shield down"},
	[REPORT_DOWN_ALL] = {"open", "shield down, all traffic"},
	[REPORT_BLOCK] = {"bad", "blocked"},
	[REPORT_ALLOW] = {"good", "allowed"},
	[REPORT_DENY] = {"bad", "denied"},
	[REPORT_BUDGET] = {"bad", "over budget"},
	[REPORT_ERROR] = {"bad", "fault"},
	[REPORT_NOTE] = {"note", "note"},
};

const char *report_event_style(enum report_event_kind kind)
{
	return kinds[kind].style;
}

const char *report_event_name(enum report_event_kind kind)
{
	return kinds[kind].name;
}
