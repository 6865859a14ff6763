/* Metrics as Prometheus reads them: the text against a golden file, the names against the worker's counters and the dashboard.
 *
 * SHIELD_GOLDEN_WRITE=1 writes the golden file anew. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/metrics.h"
#include "proxy/proxy.h"

#define GOLDEN    "unit/golden/metrics.prom"
#define DASHBOARD "../docs/grafana-dashboard.json"

/* What a worker says: each counter a number of its own, from 1000 on. */
static void stats_make(struct stats *stats)
{
	struct text text = {0};

	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		text_addf(&text, "%s %u\n", counter_name(i), 1000 + i);
	text_add(&text,
		"packet_log 1\nevents 41\nlost_readers 42\nreaders 1\nactivity 43\nactivity_full 44\nlandlock 1\nleases 7\npending 2\nnames 31\n");
	for (unsigned i = 0; i < DURATION_COUNT; i++)
		text_addf(&text,
			"%s_us_le_10 1\n%s_us_le_2500 3\n%s_us_le_1000000 4\n%s_us_le_2500000 4\n%s_us_sum 3071234\n%s_us_count 5\n",
			duration_name(i), duration_name(i), duration_name(i), duration_name(i), duration_name(i), duration_name(i));
	assert_int_equal(stats_parse(stats, text.data), 0);
	text_free(&text);
}

static struct metrics_sample samples[3];

/* One that runs, one whose worker does not answer, one that is stopped. */
static int group_setup(void **state)
{
	(void)state;
	samples[0] = (struct metrics_sample){.container = "web",
		.state = SHIELD_UP,
		.has_lists = true,
		.lists = {1, 2, 3, 4, 5, 6},
		.looked = true,
		.learned = {10, 11, 12, 13},
		.learned_names = 9,
		.refused = {.packets = {21, 22, 23, 24}},
		.up = true,
		.version = "1.0.0",
		.restarts = 2};
	stats_make(&samples[0].stats);
	samples[1] = (struct metrics_sample){.container = "hung", .state = SHIELD_ERROR, .has_lists = true, .looked = true};
	samples[2] = (struct metrics_sample){.container = "stopped", .state = SHIELD_INACTIVE, .has_lists = true};
	return 0;
}

static char *rendered(const struct metrics_sample *list, size_t count)
{
	struct text text = {0};

	assert_int_equal(metrics_render(&text, "1.0.0", list, count), 0);
	return text_take(&text);
}

static void the_text_is_the_golden_one(void **state)
{
	cleanup_free char *text = rendered(samples, 3), *golden = NULL;

	(void)state;
	if (getenv("SHIELD_GOLDEN_WRITE"))
		assert_int_equal(file_replace(AT_FDCWD, GOLDEN, 0644, text, strlen(text)), 0);
	assert_int_equal(file_read(AT_FDCWD, GOLDEN, 1u << 20, &golden, NULL), 0);
	assert_string_equal(text, golden);
}

static void each_counter_of_the_worker_is_there(void **state)
{
	cleanup_free char *text = rendered(samples, 1);

	(void)state;
	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		char number[16];

		snprintf(number, sizeof(number), "} %u\n", 1000 + i);
		if (!strstr(text, number))
			fail_msg("the counter %s has no metric", counter_name(i));
	}
	for (unsigned i = 0; i < DURATION_COUNT; i++)
		assert_string_equal(metrics_duration_key(i), duration_name(i));
	assert_null(metrics_duration_key(DURATION_COUNT));
}

static void a_container_whose_worker_does_not_answer_is_there_and_not_up(void **state)
{
	cleanup_free char *text = rendered(&samples[1], 1);

	(void)state;
	assert_non_null(strstr(text, "\nterok_shield_up{container=\"hung\"} 0\n"));
	assert_non_null(strstr(text, "\nterok_shield_state{container=\"hung\",state=\"error\"} 1\n"));
	assert_null(strstr(text, "terok_shield_dns_queries_total{"));
}

static void what_a_label_could_break_out_with_is_escaped(void **state)
{
	struct metrics_sample sample = {.container = "a\"} 1\nb\\c\033\xff", .state = SHIELD_UP};
	cleanup_free char *text = rendered(&sample, 1);

	(void)state;
	assert_non_null(strstr(text, "terok_shield_up{container=\"a\\\"} 1\\nb\\\\c\?\?\"} 0\n"));
	assert_null(strstr(text, "\nb"));
}

/* ---- the dashboard ---- */

/* True for the name of a family, or with the ending that its type gives a sample. */
static bool metric_exists(const char *golden, const char *name, size_t length)
{
	static const struct {
		const char *ending, *type;
	} kinds[] = {{"", "gauge"}, {"", "counter"}, {"_bucket", "histogram"}, {"_sum", "histogram"}, {"_count", "histogram"}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t ending = strlen(kinds[i].ending);
		char line[160];

		if (length <= ending || strncmp(name + length - ending, kinds[i].ending, ending))
			continue;
		snprintf(line, sizeof(line), "# TYPE %.*s %s\n", (int)(length - ending), name, kinds[i].type);
		if (strstr(golden, line))
			return true;
	}
	return false;
}

static unsigned query_check(const char *golden, const char *query)
{
	unsigned count = 0;

	for (const char *at = query; (at = strstr(at, "terok_shield")); count++) {
		size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");

		if (!metric_exists(golden, at, length))
			fail_msg("there is no metric %.*s: %s", (int)length, at, query);
		at += length;
	}
	return count;
}

/* Each member that Grafana takes a query from. Returns how many metrics they name. */
static unsigned queries_check(const char *golden, const cJSON *value)
{
	const cJSON *member;
	unsigned count = 0;

	cJSON_ArrayForEach(member, value)
	{
		bool is_query = member->string && (!strcmp(member->string, "expr") || !strcmp(member->string, "query") ||
							  !strcmp(member->string, "definition"));

		count += is_query && cJSON_IsString(member) ? query_check(golden, member->valuestring) : queries_check(golden, member);
	}
	return count;
}

static void the_dashboard_asks_for_metrics_that_exist(void **state)
{
	cleanup_free char *golden = NULL, *json = NULL;
	cJSON *dashboard;

	(void)state;
	assert_int_equal(file_read(AT_FDCWD, GOLDEN, 1u << 20, &golden, NULL), 0);
	assert_int_equal(file_read(AT_FDCWD, DASHBOARD, 1u << 20, &json, NULL), 0);
	dashboard = cJSON_ParseWithOpts(json, NULL, true);
	assert_non_null(dashboard);
	assert_true(queries_check(golden, dashboard) >= 20);
	cJSON_Delete(dashboard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_the_golden_one),
		cmocka_unit_test(each_counter_of_the_worker_is_there),
		cmocka_unit_test(a_container_whose_worker_does_not_answer_is_there_and_not_up),
		cmocka_unit_test(what_a_label_could_break_out_with_is_escaped),
		cmocka_unit_test(the_dashboard_asks_for_metrics_that_exist),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
