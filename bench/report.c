/* Numbers by name, goals, JSON. */
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define NUMBERS_MAX     4096
#define NUMBER_NAME_MAX 80

static struct number {
	char name[NUMBER_NAME_MAX];
	const char *unit;
	double value;
} numbers[NUMBERS_MAX];
static unsigned number_count;

enum direction {
	AT_MOST,
	AT_LEAST,
};

/* value / base, or value alone. Where there is an alternative base, the one that is harder to reach counts. */
static const struct goal {
	const char *text, *value, *base, *other_base;
	enum direction direction;
	double goal;
	const char *unit;
} goals[] = {
	{"new name, one in flight: time against the floor", "new1/shield/p50_us", "new1/floor/p50_us", NULL, AT_MOST, 1.10, "x"},
	{"new name, one in flight: dnsmasq's time (interval set)", "new1/dnsmasq_interval/p50_us", "new1/shield/p50_us", NULL, AT_LEAST, 25,
		"x"},
	{"new name, one in flight: dnsmasq's time (hash set)", "new1/dnsmasq/p50_us", "new1/shield/p50_us", NULL, AT_LEAST, 25, "x"},
	{"new name, one in flight: time against SmartDNS", "new1/shield/p50_us", "new1/smartdns/p50_us", NULL, AT_MOST, 1.00, "x"},
	{"new name, 100,000 elements against none", "set100000_new1/shield/p50_us", "set0_new1/shield/p50_us", NULL, AT_MOST, 1.10, "x"},
	{"new names, 64 in flight: throughput against the floor", "new64/shield/rate", "new64/floor/rate", NULL, AT_LEAST, 1.0, "x"},
	{"new names, 64 in flight: throughput against SmartDNS", "new64/shield/rate", "new64/smartdns/rate", NULL, AT_LEAST, 2, "x"},
	{"new names, 64 in flight: against dnsmasq (interval set)", "new64/shield/rate", "new64/dnsmasq_interval/rate", NULL, AT_LEAST, 300,
		"x"},
	{"new names, 64 in flight: against dnsmasq (hash set)", "new64/shield/rate", "new64/dnsmasq/rate", NULL, AT_LEAST, 300, "x"},
	{"cached, 64 in flight: throughput against the better peer", "cached64/shield/rate", "cached64/dnsmasq/rate",
		"cached64/smartdns/rate", AT_LEAST, 1.3, "x"},
	{"cached, 64 in flight: p99 against the better peer", "cached64/shield/p99_us", "cached64/dnsmasq/p99_us",
		"cached64/smartdns/p99_us", AT_MOST, 1.0, "x"},
	{"refused names: throughput against our cached ones", "refused64/shield/rate", "cached64/shield/rate", NULL, AT_LEAST, 1.0, "x"},
	{"forwarder at start: RSS", "memory/shield/start_rss", NULL, NULL, AT_MOST, 6 * 1024, "KiB"},
	{"forwarder with 10,000 names: RSS", "memory/shield/names_rss", NULL, NULL, AT_MOST, 10 * 1024, "KiB"},
	{"forwarders of many containers (100; quick 20): PSS of each", "many/pss", NULL, NULL, AT_MOST, 2 * 1024, "KiB"},
	{"hooks at once (100; quick 20): part that came up", "many/up", "many/asked", NULL, AT_LEAST, 1, "x"},
	{"createRuntime hook, profile of 200 entries", "start/hook_ms", NULL, NULL, AT_MOST, 10, "ms"},
	{"status of a running container", "command/status_ms", NULL, NULL, AT_MOST, 10, "ms"},
	{"allow", "command/allow_ms", NULL, NULL, AT_MOST, 10, "ms"},
	{"deny", "command/deny_ms", NULL, NULL, AT_MOST, 10, "ms"},
	{"deny while connections are open", "command/deny_open_ms", NULL, NULL, AT_MOST, 10, "ms"},
	{"rules with 10,000 learned elements", "command/rules_10000_ms", NULL, NULL, AT_MOST, 30, "ms"},
	{"status with 10,000 learned elements", "command/status_10000_ms", NULL, NULL, AT_MOST, 30, "ms"},
	{"run --rm IMAGE true: more than plain podman", "command/run_cost_ms", NULL, NULL, AT_MOST, 25, "ms"},
	{"profile of 100,000 names: time to load", "profile/load_ms", NULL, NULL, AT_MOST, 150, "ms"},
	{"profile of 100,000 names: memory", "profile/memory", NULL, NULL, AT_MOST, 20 * 1024, "KiB"},
	{"addresses not in the set when the answer came", "checked/shield/missing", NULL, NULL, AT_MOST, 0, ""},
	{"answers of ours that were lost or wrong", "checked/shield/bad", NULL, NULL, AT_MOST, 0, ""},
};

static struct number *number_find(const char *name)
{
	for (unsigned i = 0; i < number_count; i++)
		if (!strcmp(numbers[i].name, name))
			return &numbers[i];
	return NULL;
}

void report_set(double value, const char *unit, const char *format, ...)
{
	char name[NUMBER_NAME_MAX];
	struct number *number;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	number = number_find(name);
	if (!number) {
		if (number_count == NUMBERS_MAX)
			bench_die("more than %d numbers", NUMBERS_MAX);
		number = &numbers[number_count++];
		memcpy(number->name, name, sizeof(name));
	}
	number->unit = unit;
	number->value = value;
}

double report_get(const char *format, ...)
{
	char name[NUMBER_NAME_MAX];
	struct number *number;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(name, sizeof(name), format, arguments);
	va_end(arguments);
	number = number_find(name);
	return number ? number->value : NAN;
}

/* NAN when something that it needs was not measured. */
static double goal_value(const struct goal *goal)
{
	double value = report_get("%s", goal->value), base, other;

	if (!goal->base)
		return value;
	base = report_get("%s", goal->base);
	other = goal->other_base ? report_get("%s", goal->other_base) : NAN;
	if (goal->direction == AT_LEAST ? other > base || isnan(base) : other < base || isnan(base))
		base = goal->other_base ? other : base;
	return base > 0 ? value / base : NAN;
}

static const char *goal_word(const struct goal *goal, double value)
{
	if (isnan(value))
		return "not measured";
	return (goal->direction == AT_MOST ? value <= goal->goal : value >= goal->goal) ? "met" : "NOT MET";
}

void report_goals(void)
{
	printf("\n%-58s %14s   %-16s %s\n", "goal", "value", "wanted", "");
	for (size_t i = 0; i < sizeof(goals) / sizeof(*goals); i++) {
		const struct goal *goal = &goals[i];
		double value = goal_value(goal);
		char shown[32] = "-", wanted[32];

		if (!isnan(value))
			snprintf(shown, sizeof(shown), value >= 1000 ? "%.0f %s" : "%.2f %s", value, goal->unit);
		snprintf(wanted, sizeof(wanted), "%s %g %s", goal->direction == AT_MOST ? "<=" : ">=", goal->goal, goal->unit);
		printf("%-58s %14s   %-16s %s\n", goal->text, shown, wanted, goal_word(goal, value));
	}
}

static void json_value(FILE *out, double value)
{
	if (isfinite(value))
		fprintf(out, "%.6g", value);
	else
		fputs("null", out);
}

/* All names and texts here are ours: nothing in them needs an escape. */
int report_json(const char *path, const char *machine, bool quick)
{
	cleanup_stream FILE *out = fopen(path, "we");

	if (!out)
		return -errno;
	fprintf(out, "{\n\t\"version\": \"%s\",\n\t\"machine\": \"%s\",\n\t\"quick\": %s,\n\t\"numbers\": {", SHIELD_VERSION, machine,
		quick ? "true" : "false");
	for (unsigned i = 0; i < number_count; i++) {
		fprintf(out, "%s\n\t\t\"%s\": {\"unit\": \"%s\", \"value\": ", i ? "," : "", numbers[i].name, numbers[i].unit);
		json_value(out, numbers[i].value);
		fputs("}", out);
	}
	fputs("\n\t},\n\t\"goals\": [", out);
	for (size_t i = 0; i < sizeof(goals) / sizeof(*goals); i++) {
		double value = goal_value(&goals[i]);

		fprintf(out, "%s\n\t\t{\"text\": \"%s\", \"unit\": \"%s\", \"wanted\": \"%s\", \"goal\": %g, \"value\": ", i ? "," : "",
			goals[i].text, goals[i].unit, goals[i].direction == AT_MOST ? "<=" : ">=", goals[i].goal);
		json_value(out, value);
		fprintf(out, ", \"verdict\": \"%s\"}", goal_word(&goals[i], value));
	}
	fputs("\n\t]\n}\n", out);
	return ferror(out) ? -EIO : 0;
}
