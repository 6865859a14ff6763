/* The report: grouped as its reader thinks, and nothing that others wrote gets into the page but as text.
 *
 * unit/report has the record of a made-up run, unit/golden/report.html its report; SHIELD_GOLDEN_WRITE=1 writes that anew. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/html.h"
#include "cli/report_page.h"

#define GOLDEN    "unit/golden/report.html"
#define LINES_MAX 64

/* ---- what a report is made of ---- */

static int row_keep(void *context, const struct activity_row *row)
{
	struct activity *activity = context;

	activity->rows = realloc(activity->rows, (activity->count + 1) * sizeof(*row));
	assert_non_null(activity->rows);
	activity->rows[activity->count] = *row;
	activity->rows[activity->count].name = row->name ? strdup(row->name) : NULL;
	activity->count++;
	return 0;
}

static void activity_take(struct activity *activity, const char *text)
{
	struct activity head = {0};
	struct error error = {0};

	*activity = (struct activity){0};
	if (activity_parse(text, strlen(text), &head, row_keep, activity, &error))
		fail_msg("%s", error.text);
	activity->since = head.since;
	activity->full = head.full;
}

static struct policy *policy_make(const struct report_lines *lines)
{
	struct policy *policy = policy_new();

	for (size_t i = 0; i < lines->count; i++) {
		const struct report_line *line = &lines->list[i];
		bool live = !strchr(line->source, '/');
		struct rule rule;

		assert_int_equal(rule_parse(&rule, line->rule, strlen(line->rule), NULL), 0);
		rule.exclude |= live && line->refuses;
		assert_int_equal(policy_add(policy, &rule, live ? POLICY_LIVE : POLICY_PROFILE, line->source, line->number), 0);
	}
	assert_int_equal(policy_seal(policy), 0);
	return policy;
}

struct made {
	struct report report;
	struct activity activity;
	struct policy *policy;
};

/* log: the audit log's lines; domains, denied: what is in profile.domains and denied.domains. */
static void report_make(
	struct made *made, const char *activity, const char *log, const char *domains, const char *networks, const char *denied)
{
	char *lines[LINES_MAX], *copy = strdup(log), *save = NULL;
	size_t count = 0;

	activity_take(&made->activity, activity);
	made->report = (struct report){.container = "build-agent",
		.version = "1.0.0",
		.profiles = "dev-standard, my",
		.state = SHIELD_UP,
		.made = 1795859700,
		.activity = &made->activity};
	for (char *line = strtok_r(copy, "\n", &save); line && count < LINES_MAX; line = strtok_r(NULL, "\n", &save))
		lines[count++] = line;
	assert_int_equal(report_events_take(&made->report.events, lines, count), 0);
	free(copy);
	assert_int_equal(report_lines_add(&made->report.lines, BUNDLE_PROFILE_DOMAINS, domains), 0);
	assert_int_equal(report_lines_add(&made->report.lines, BUNDLE_PROFILE_ALLOWED, networks), 0);
	assert_int_equal(report_lines_add(&made->report.lines, BUNDLE_DENIED_DOMAINS, denied), 0);
	report_lines_sort(&made->report.lines);
	made->policy = policy_make(&made->report.lines);
	assert_int_equal(report_build(&made->report, made->policy), 0);
}

static void made_free(struct made *made)
{
	report_free(&made->report);
	activity_free(&made->activity);
	policy_free(made->policy);
}

static char *file_text(const char *name)
{
	char *text;

	assert_int_equal(file_read(AT_FDCWD, name, 1u << 20, &text, NULL), 0);
	return text;
}

static void sample_make(struct made *made)
{
	cleanup_free char *activity = file_text("unit/report/activity.json"), *log = file_text("unit/report/audit.jsonl");
	cleanup_free char *domains = file_text("unit/report/profile.domains"), *networks = file_text("unit/report/profile.allowed");
	cleanup_free char *denied = file_text("unit/report/denied.domains");

	report_make(made, activity, log, domains, networks, denied);
}

static const struct report_destination *destination_find(const struct report *report, enum report_class class, const char *label)
{
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < report->class_count[class]; i++) {
		const struct report_destination *destination = &report->destinations[report->class_first[class] + i];

		if (!strcmp(report_label(destination, text), label))
			return destination;
	}
	fail_msg("no destination %s", label);
	return NULL;
}

/* ---- grouping ---- */

static void rows_of_one_name_are_one_destination(void **state)
{
	const struct report_destination *destination;
	struct made made;

	(void)state;
	sample_make(&made);
	destination = destination_find(&made.report, REPORT_REACHED, "objects.githubusercontent.com");
	assert_int_equal(destination->queries, 12);
	assert_int_equal(destination->attempts, 24);
	assert_int_equal(destination->made, 24);
	assert_int_equal(destination->bytes, 412882000);
	assert_int_equal(destination->address_count, 4);
	assert_int_equal(destination->port_count, 1);
	assert_string_equal(destination->line->rule, "githubusercontent.com");
	destination = destination_find(&made.report, REPORT_REACHED, "198.51.100.200"); /* no name brought it */
	assert_int_equal(destination->made, 6);
	assert_string_equal(destination->line->rule, "198.51.100.200:5432/tcp");
	made_free(&made);
}

static void a_name_is_in_each_class_that_it_was_in(void **state)
{
	const struct report_destination *destination;
	struct made made;

	(void)state;
	sample_make(&made);
	destination = destination_find(&made.report, REPORT_REACHED, "uploads.example.org");
	assert_int_equal(destination->made, 4);
	assert_false(destination->line_allows); /* it was denied later */
	destination = destination_find(&made.report, REPORT_REFUSED, "uploads.example.org");
	assert_int_equal(destination->queries, 17);
	assert_int_equal(destination->attempts, 7);
	assert_string_equal(destination->line->source, "denied.domains");
	assert_int_equal(destination->line->destinations, 1);
	destination = destination_find(&made.report, REPORT_REFUSED, "github.com"); /* its line opens 443 only */
	assert_true(destination->other_ports);
	destination_find(&made.report, REPORT_BYPASSED, "huggingface.co");
	made_free(&made);
}

static void the_most_comes_first(void **state)
{
	struct made made;

	(void)state;
	sample_make(&made);
	for (size_t i = 1; i < made.report.class_count[REPORT_REACHED]; i++)
		assert_true(made.report.destinations[i - 1].bytes >= made.report.destinations[i].bytes);
	assert_string_equal(made.report.destinations[made.report.class_first[REPORT_REFUSED]].name, "telemetry.build-tool.example");
	made_free(&made);
}

static void what_the_activity_has_is_not_taken_from_the_log_too(void **state)
{
	struct made made;

	(void)state;
	sample_make(&made);
	assert_int_equal(made.report.events.count, 10); /* not the line "blocked" */
	assert_int_equal(made.report.events.list[0].kind, REPORT_START);
	assert_int_equal(made.report.events.list[5].kind, REPORT_DOWN);
	made_free(&made);
}

static void only_the_last_events_are_kept(void **state)
{
	enum { MANY = REPORT_EVENTS_MAX + 7 };
	struct report_events events = {0};
	char *lines[MANY], when[32];

	(void)state;
	for (int i = 0; i < MANY; i++)
		assert_true(asprintf(&lines[i], "{\"ts\":\"%s\",\"action\":\"note\"}", clock_wall_text(when, sizeof(when), i)) > 0);
	assert_int_equal(report_events_take(&events, lines, MANY), 0);
	assert_int_equal(events.count, REPORT_EVENTS_MAX);
	assert_int_equal(events.more, 7);
	assert_int_equal(events.list[0].at, 7);
	assert_int_equal(events.list[REPORT_EVENTS_MAX - 1].at, MANY - 1);
	report_events_free(&events);
	for (int i = 0; i < MANY; i++)
		free(lines[i]);
}

static void lines_that_are_no_records_are_passed_over(void **state)
{
	char *lines[] = {"", "{", "[]", "{\"ts\":\"yesterday\",\"action\":\"note\"}", "{\"ts\":\"2026-11-28T04:40:01+00:00\"}",
		"{\"ts\":\"2026-11-28T04:40:01+00:00\",\"action\":5}"};
	struct report_events events = {0};

	(void)state;
	assert_int_equal(report_events_take(&events, lines, sizeof(lines) / sizeof(*lines)), 0);
	assert_int_equal(events.count, 0);
	report_events_free(&events);
}

/* ---- the page ---- */

static char *page_make(const struct report *report)
{
	struct text html = {0};

	assert_int_equal(report_page(&html, report), 0);
	return text_take(&html);
}

static void the_page_is_the_golden_one(void **state)
{
	cleanup_free char *page = NULL, *golden = NULL;
	struct made made;

	(void)state;
	sample_make(&made);
	page = page_make(&made.report);
	if (getenv("SHIELD_GOLDEN_WRITE"))
		assert_int_equal(file_replace(AT_FDCWD, GOLDEN, 0644, page, strlen(page)), 0);
	golden = file_text(GOLDEN);
	if (strcmp(page, golden))
		fail_msg("the page is not " GOLDEN);
	made_free(&made);
}

static void the_page_needs_nothing_and_runs_nothing(void **state)
{
	static const char *const never[] = {
		"<script", "<link", "<img", "<iframe", "url(", "@import", "http:", "https:", "javascript:", " on", " src=", " href="};
	cleanup_free char *page = NULL;
	struct made made;

	(void)state;
	sample_make(&made);
	page = page_make(&made.report);
	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++) {
		const char *at = strstr(page, never[i]);

		while (at && !strncmp(at, " on", 3) && !strchr(at, '=')) /* prose */
			at = strstr(at + 1, never[i]);
		if (at && strncmp(at, " on", 3))
			fail_msg("the page has '%s'", never[i]);
	}
	assert_non_null(
		strstr(page, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'"));
	made_free(&made);
}

#define HOSTILE "</title><script>alert(1)</script>\\\" onload=\\\"x\\u001b[31m\\u202e&"

static void what_others_wrote_stays_text(void **state)
{
	static const char activity[] =
		"{\"format\":1,\"container\":\"x\",\"since\":\"2026-11-28T04:40:01+00:00\",\"full\":3,\"rows\":[\n"
		"{\"kind\":\"name\",\"name\":\"" HOSTILE "\",\"verdict\":\"refused\",\"first\":\"2026-11-28T04:40:01+00:00\","
		"\"last\":\"2026-11-28T04:40:01+00:00\",\"count\":1},\n"
		"{\"kind\":\"name\",\"name\":\"a" HOSTILE "\",\"verdict\":\"allowed\",\"first\":\"2026-11-28T04:40:01+00:00\","
		"\"last\":\"2026-11-28T04:40:01+00:00\",\"count\":1}\n]}\n";
	static const char log[] =
		"{\"ts\":\"2026-11-28T04:40:01+00:00\",\"action\":\"allowed\",\"dest\":\"" HOSTILE "\",\"detail\":\"" HOSTILE "\"}\n";
	cleanup_free char *page = NULL;
	struct made made;

	(void)state;
	report_make(&made, activity, log, "example.com # /x/<b>.txt:1\n", "", "");
	made.report.profiles = "<i>";
	page = page_make(&made.report);
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "<b>."));
	assert_null(strstr(page, "<i>"));
	assert_null(strstr(page, "\" onload"));
	assert_non_null(strstr(page, "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot; onload=&quot;x"));
	for (const char *at = page; *at; at++)
		assert_true(*at == '\n' || (*at >= ' ' && *at <= '~'));
	assert_non_null(strstr(page, "3 rows had to go for others"));
	made_free(&made);
}

static void a_page_about_nothing_is_a_page(void **state)
{
	cleanup_free char *page = NULL;
	struct made made;

	(void)state;
	report_make(&made, "{\"format\":1,\"container\":\"x\",\"since\":\"2026-11-28T04:40:01+00:00\",\"full\":0,\"rows\":[\n]}\n", "", "",
		"", "");
	page = page_make(&made.report);
	assert_non_null(strstr(page, "Nothing is known of what it reached"));
	assert_non_null(strstr(page, "</html>\n"));
	made_free(&made);
}

static void a_page_about_very_much_is_bounded(void **state)
{
	struct text activity = {0};
	cleanup_free char *page = NULL;
	struct made made;

	(void)state;
	text_add(&activity, "{\"format\":1,\"container\":\"x\",\"since\":\"2026-11-28T04:40:01+00:00\",\"full\":0,\"rows\":[\n");
	for (unsigned i = 0; i < 16384; i++)
		text_addf(&activity,
			"%s{\"kind\":\"name\",\"name\":\"n%u.%050u.%050u.%050u.%040u\",\"verdict\":\"refused\",\"first\":\"2026-11-28T04:40:01+00:00\",\"last\":\"2026-11-28T05:40:01+00:00\","
			"\"count\":%u}",
			i ? ",\n" : "", i, 1, 2, 3, 4, i + 1);
	text_add(&activity, "\n]}\n");
	report_make(&made, activity.data, "", "", "", "");
	page = page_make(&made.report);
	assert_true(strlen(page) < 512u << 10);
	assert_non_null(strstr(page, "and 15,884 more, which are not shown"));
	made_free(&made);
	text_free(&activity);
}

/* ---- escaping ---- */

static void html_is_escaped(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain text.example-1_x", "plain text.example-1_x"},
		{"<a href=\"x\">&'", "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"},
		{"\n\t\x7f\x1b", "\\x0a\\x09\\x7f\\x1b"},
		{"\xe2\x80\xae", "\\xe2\\x80\\xae"}, /* would turn the direction of what follows */
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct text html = {0};

		html_add(&html, cases[i].in);
		assert_string_equal(html.data ? html.data : "", cases[i].out);
		text_free(&html);
	}
}

static void a_long_one_loses_its_middle_and_no_reference_is_cut(void **state)
{
	struct text html = {0};

	(void)state;
	html_add_short(&html, "<<<<<<<<<<<<<<<<<<<<.example.com", 19);
	assert_string_equal(html.data, "&lt;&lt;&lt;&lt;&lt;...example.com");
	text_free(&html);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_one_name_are_one_destination),
		cmocka_unit_test(a_name_is_in_each_class_that_it_was_in),
		cmocka_unit_test(the_most_comes_first),
		cmocka_unit_test(what_the_activity_has_is_not_taken_from_the_log_too),
		cmocka_unit_test(only_the_last_events_are_kept),
		cmocka_unit_test(lines_that_are_no_records_are_passed_over),
		cmocka_unit_test(the_page_is_the_golden_one),
		cmocka_unit_test(the_page_needs_nothing_and_runs_nothing),
		cmocka_unit_test(what_others_wrote_stays_text),
		cmocka_unit_test(a_page_about_nothing_is_a_page),
		cmocka_unit_test(a_page_about_very_much_is_bounded),
		cmocka_unit_test(html_is_escaped),
		cmocka_unit_test(a_long_one_loses_its_middle_and_no_reference_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
