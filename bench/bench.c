/* shield-bench: measures the forwarder against a floor and against what a user would otherwise take. Called by bench/run; docs/benchmarks.md says what each figure is.
 *
 * Theory of operation. This process stands in a network namespace of its own, the outside; the rig has made another, the inside, with the shield's ruleset. The stub upstream listens in both.
 * For each round each candidate is started anew on port 53 of the inside, with sets that were emptied, goes through all cases, and is stopped; the order rotates, so
 * that whatever else the machine does meets all alike. The client is a process in the inside. No name is asked twice in a run, except those that are to be cached. Medians over
 * the rounds are reported, and ratios of these.
 */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "candidate.h"
#include "fw/netns.h"
#include "fw/nft.h"
#include "fw/ruleset.h"
#include "fw/setwriter.h"
#include "load.h"
#include "report.h"
#include "start.h"
#include "stub.h"
#include "svg.h"

#define ROUNDS_MAX         25
#define PREFILL_FIRST      0x1e000000u /* 30.0.0.0: no name has these */
#define PREFILL_TIMEOUT_MS (3600u * 1000u)
#define CDF_POINTS         200
#define INTERVAL_NAMES     2400   /* new64 of a peer whose cost grows with the set: to some 3,000 elements */
#define INTERVAL_LIMIT_MS  40000

static const struct bench_case {
	const char *name, *title;
	struct load load; /* count and limit_ms are for a whole run; a quick one takes parts of them */
	bool simple;      /* the floor can do it too; of a peer with interval sets it is all that differs */
} cases[] = {
	{"new1", "new name, one in flight", {.in_flight = 1, .check = true, .count = 2000, .limit_ms = 1500}, true},
	{"new64", "new names, 64 in flight", {.in_flight = 64, .check = true, .count = 15000, .limit_ms = 1500}, true},
	{"cached1", "cached name, one in flight", {.names = LOAD_CACHED, .in_flight = 1, .check = true, .count = 4000, .limit_ms = 1000},
		false},
	{"cached64", "cached names, 64 in flight", {.names = LOAD_CACHED, .in_flight = 64, .check = true, .count = 60000, .limit_ms = 1000},
		false},
	{"refused64", "refused names, 64 in flight", {.names = LOAD_REFUSED, .in_flight = 64, .count = 60000, .limit_ms = 1000}, false},
	{"tcp1", "new name by TCP, one in flight", {.in_flight = 1, .tcp = true, .check = true, .count = 1000, .limit_ms = 1000}, false},
	{"tcp64", "new names by TCP, 64 in flight", {.in_flight = 64, .tcp = true, .check = true, .count = 5000, .limit_ms = 1000}, false},
	{"v6_1", "new name by IPv6 (AAAA), one in flight", {.in_flight = 1, .v6 = true, .check = true, .count = 1000, .limit_ms = 1000},
		false},
	{"v6_64", "new names by IPv6 (AAAA), 64 in flight", {.in_flight = 64, .v6 = true, .check = true, .count = 5000, .limit_ms = 1000},
		false},
	{"many1", "new name with 8 addresses, one in flight", {.in_flight = 1, .many = true, .check = true, .count = 500, .limit_ms = 1000},
		false},
	{"many64", "new names with 8 addresses, 64 in flight",
		{.in_flight = 64, .many = true, .check = true, .count = 1500, .limit_ms = 1000}, false},
};
#define CASE_COUNT (sizeof(cases) / sizeof(*cases))
#define NEW64      1 /* its place in cases */

/* The same two loads on sets that hold elements already. */
static const unsigned set_sizes[] = {0, 1000, 10000, 100000};
#define SIZE_COUNT (sizeof(set_sizes) / sizeof(*set_sizes))
static const char *const size_words[SIZE_COUNT] = {"0", "1,000", "10,000", "100,000"};
static const struct load size_loads[] = {
	{.in_flight = 1, .check = true, .count = 500, .limit_ms = 1500},
	{.in_flight = 64, .check = true, .count = 4000, .limit_ms = 1500},
};
static const char *const size_cases[] = {"new1", "new64"};

static struct bench {
	struct rig rig;
	struct load_result *result;
	bool present[CANDIDATE_COUNT];
	const char *only_case; /* NULL: all */
	bool quick, spread;
	pid_t stub;
	unsigned rounds;
	uint32_t next_number, next_many;
	/* of the cases of one session kind: what each round gave */
	struct figures figures[CASE_COUNT][CANDIDATE_COUNT][ROUNDS_MAX];
	struct figures size_figures[SIZE_COUNT][2][CANDIDATE_COUNT][ROUNDS_MAX];
	unsigned size_rounds;
	/* all latencies of the first case, for the picture */
	uint32_t *latencies[CANDIDATE_COUNT];
	size_t latency_count[CANDIDATE_COUNT];
} bench;

uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void bench_die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("shield-bench: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

struct policy *bench_policy_load(const struct bundle *bundle)
{
	struct bundle_identity identity = {0};
	struct settings settings;
	struct policy *policy = NULL;
	struct error error = {0};

	if (bundle_settings_read(bundle, &identity, &settings, &error) || bundle_policy_load(bundle, &identity.sums, &policy, &error))
		bench_die("%s", error.text);
	bundle_identity_free(&identity);
	return policy;
}

/* ---- the kernel's sets ---- */

struct table {
	bool interval;  /* the learned sets are interval sets */
	unsigned count; /* elements to begin with */
};

/* Every so often, `from` becomes `to`. */
static void text_replace(struct text *text, const char *from, const char *to)
{
	struct text result = {0};
	const char *at = text->data, *found;

	for (; (found = strstr(at, from)); at = found + strlen(from)) {
		text_add_bytes(&result, at, (size_t)(found - at));
		text_add(&result, to);
	}
	text_add(&result, at);
	text_free(text);
	*text = result;
}

/* The shield's own table, as the hook makes it. */
static void table_render(const struct table *table, struct text *text)
{
	cleanup_policy struct policy *policy = bench_policy_load(&bench.rig.bundle);
	struct ruleset ruleset = {.state = SHIELD_UP, .settings = &bench.rig.settings};

	ruleset.allowed = policy_allowed_nets(policy);
	ruleset.denied = policy_denied_nets(policy);
	ruleset_render(&ruleset, text);
	if (table->interval)
		text_replace(text, "flags timeout", "flags interval,timeout");
	for (unsigned i = 0; table->interval && i < table->count; i++) { /* the set writer is not made for these */
		text_addf(text, i % 1000 ? ", " : "%sadd element inet terok_shield learned_v4 { ", i ? "}\n" : "");
		text_addf(text, "30.%u.%u.%u%s", i >> 15, i >> 7 & 255, i << 1 & 255, i + 1 == table->count ? " }\n" : "");
	}
}

static int elements_add(struct setwriter *writer, unsigned count)
{
	for (unsigned i = 0; i < count;) {
		uint32_t value = PREFILL_FIRST + i;
		struct setwriter_key key = {
			.addr = {.family = ADDR_V4,
				.octets = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value}}};
		int result = setwriter_add(writer, &key, PREFILL_TIMEOUT_MS, "", false);

		if (result == -ENOBUFS)
			result = setwriter_commit(writer);
		else
			i++;
		if (result)
			return result;
	}
	return setwriter_commit(writer);
}

static int table_make(void *context, struct error *error)
{
	cleanup_text struct text text = {0};

	table_render(context, &text);
	return nft_apply(text.data, error);
}

static int table_fill(void *context, struct error *error)
{
	struct setwriter *writer = NULL;
	int result = setwriter_open(&writer, error);

	if (!result) {
		result = elements_add(writer, *(const unsigned *)context);
		if (result)
			error_errno(error, -result, "adding elements");
	}
	setwriter_close(writer);
	return result;
}

/* An empty table, with `count` elements where they are networks, and no memory of what was reached. */
static void table_reset(enum candidate_id id, unsigned count)
{
	struct table table = {.interval = candidates[id].interval, .count = count};
	struct error error = {0};

	if (netns_run(bench.rig.inside_fd, table_make, &table, &error) || bundle_remove(&bench.rig.bundle, BUNDLE_ACTIVITY, &error))
		bench_die("making the table: %s", error.text);
}

/* ---- one measurement ---- */

static int compare_samples(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static double quantile_us(const struct load_result *result, double part)
{
	return result->answered ? result->samples_ns[(unsigned)(part * (result->answered - 1))] / 1e3 : NAN;
}

static struct load load_scale(const struct load *whole)
{
	struct load load = *whole;

	if (bench.quick) {
		load.count /= load.in_flight == 1 ? 8 : 4;
		load.limit_ms /= 8;
	}
	load.first = whole->many ? bench.next_many : bench.next_number;
	*(whole->many ? &bench.next_many : &bench.next_number) += load.names == LOAD_CACHED ? LOAD_CACHED_NAMES : load.count;
	return load;
}

#define NOT_KNOWN .rate = NAN, .p50_us = NAN, .p90_us = NAN, .p99_us = NAN, .max_us = NAN, .cpu_us = NAN
static const struct figures figures_none = {NOT_KNOWN}, figures_failed = {NOT_KNOWN, .lost = 1};

static struct figures load_measure(pid_t pid, enum candidate_id id, const struct load *whole)
{
	struct load load = load_scale(whole);
	struct load_result *result = bench.result;
	uint64_t cpu_ns;

	if (candidates[id].interval && whole == &cases[NEW64].load && !bench.quick) {
		load.count = INTERVAL_NAMES;
		load.limit_ms = INTERVAL_LIMIT_MS;
	}
	load.check &= candidates[id].writes_sets;
	load.bound = load.in_flight == 1 && !bench.spread;
	candidate_bind(pid, load.bound);
	candidate_bind(bench.stub, load.bound);
	cpu_ns = candidate_cpu_ns(pid);
	load_run(bench.rig.inside_fd, &load, result);
	cpu_ns = candidate_cpu_ns(pid) - cpu_ns;
	if (load.names == LOAD_CACHED || (load.tcp && candidates[id].forks))
		cpu_ns = 0; /* the warming is in it; or not all is seen */
	if (!result->valid)
		return figures_failed;
	if (whole == &cases[0].load && bench.latencies[id]) {
		memcpy(bench.latencies[id] + bench.latency_count[id], result->samples_ns, result->answered * sizeof(uint32_t));
		bench.latency_count[id] += result->answered;
	}
	qsort(result->samples_ns, result->answered, sizeof(uint32_t), compare_samples);
	return (struct figures){
		.rate = result->answered / result->seconds,
		.p50_us = quantile_us(result, 0.5),
		.p90_us = quantile_us(result, 0.9),
		.p99_us = quantile_us(result, 0.99),
		.max_us = quantile_us(result, 1),
		.cpu_us = result->answered && cpu_ns ? (double)cpu_ns / 1e3 / result->answered : NAN,
		.answered = result->answered,
		.lost = result->lost,
		.wrong = result->wrong,
		.checked = result->checked,
		.missing = result->missing,
	};
}

/* ---- sessions ---- */

static void memory_note(pid_t pid, enum candidate_id id, const char *when)
{
	double rss, pss;

	candidate_memory(pid, &rss, &pss);
	report_set(rss, "KiB", "memory/%s/%s_rss", candidates[id].name, when);
	report_set(pss, "KiB", "memory/%s/%s_pss", candidates[id].name, when);
}

static void cases_session(enum candidate_id id, unsigned round)
{
	pid_t pid;

	table_reset(id, 0);
	pid = candidate_start(&bench.rig, id);
	if (pid < 0) {
		bench.present[id] = false;
		return;
	}
	for (size_t i = 0; i < CASE_COUNT; i++) {
		bool wanted = cases[i].simple || (!candidates[id].bare && !candidates[id].interval);

		if (bench.only_case && strcmp(bench.only_case, cases[i].name))
			wanted = false;
		bench.figures[i][id][round] = wanted ? load_measure(pid, id, &cases[i].load) : figures_none;
	}
	candidate_stop(&bench.rig, pid);
}

static void size_session(enum candidate_id id, unsigned size, unsigned round)
{
	struct error error = {0};
	pid_t pid;

	table_reset(id, set_sizes[size]);
	pid = candidate_start(&bench.rig, id);
	if (pid < 0)
		return;
	/* Behind the candidate's back: ours takes elements that nobody can name out of the sets when it starts. */
	if (!candidates[id].interval && netns_run(bench.rig.inside_fd, table_fill, (void *)&set_sizes[size], &error))
		bench_die("filling the set: %s", error.text);
	for (unsigned i = 0; i < 2; i++)
		bench.size_figures[size][i][id][round] = load_measure(pid, id, &size_loads[i]);
	candidate_stop(&bench.rig, pid);
}

/* At start, and when it has learned 10,000 names. */
static void memory_session(enum candidate_id id)
{
	struct load load = {.in_flight = 16, .count = 10000, .limit_ms = bench.quick ? 1000 : 4000, .first = bench.next_number};
	pid_t pid;

	table_reset(id, 0);
	pid = candidate_start(&bench.rig, id);
	if (pid < 0)
		return;
	memory_note(pid, id, "start");
	load_run(bench.rig.inside_fd, &load, bench.result);
	bench.next_number += load.count;
	if (bench.result->answered == load.count) /* dnsmasq would need minutes */
		memory_note(pid, id, "names");
	candidate_stop(&bench.rig, pid);
}

/* ---- medians ---- */

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Of those that are known; NAN when there is none. */
static double median(const struct figures *figures, unsigned count, size_t member)
{
	double values[ROUNDS_MAX];
	unsigned known = 0;

	for (unsigned i = 0; i < count; i++) {
		double value = *(const double *)((const char *)&figures[i] + member);

		if (!isnan(value))
			values[known++] = value;
	}
	if (!known)
		return NAN;
	qsort(values, known, sizeof(*values), compare_doubles);
	return (values[(known - 1) / 2] + values[known / 2]) / 2;
}

static void figures_note(const char *name, enum candidate_id id, const struct figures *figures, unsigned rounds)
{
	static const struct {
		const char *name, *unit;
		size_t member;
	} members[] = {
		{"rate", "/s", offsetof(struct figures, rate)},
		{"p50_us", "us", offsetof(struct figures, p50_us)},
		{"p90_us", "us", offsetof(struct figures, p90_us)},
		{"p99_us", "us", offsetof(struct figures, p99_us)},
		{"max_us", "us", offsetof(struct figures, max_us)},
		{"cpu_us", "us", offsetof(struct figures, cpu_us)},
	};
	unsigned bad = 0, missing = 0, checked = 0;

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		report_set(median(figures, rounds, members[i].member), members[i].unit, "%s/%s/%s", name, candidates[id].name,
			members[i].name);
	for (unsigned i = 0; i < rounds; i++) {
		bad += figures[i].lost + figures[i].wrong;
		missing += figures[i].missing;
		checked += figures[i].checked;
	}
	report_set(bad, "", "%s/%s/bad", name, candidates[id].name);
	report_set(missing, "", "%s/%s/missing", name, candidates[id].name);
	report_set(fmax(0, report_get("checked/%s/bad", candidates[id].name)) + bad, "", "checked/%s/bad", candidates[id].name);
	report_set(fmax(0, report_get("checked/%s/missing", candidates[id].name)) + missing, "", "checked/%s/missing", candidates[id].name);
	report_set(fmax(0, report_get("checked/%s/addresses", candidates[id].name)) + checked, "", "checked/%s/addresses",
		candidates[id].name);
}

/* ---- tables ---- */

static void cell(double value, int decimals)
{
	if (isnan(value))
		printf("%11s", "-");
	else
		printf("%11.*f", decimals, value);
}

static void case_print(const char *name, const char *title)
{
	bool any = false;

	for (unsigned id = 0; id < CANDIDATE_COUNT; id++)
		any |= !isnan(report_get("%s/%s/rate", name, candidates[id].name));
	if (!any)
		return;
	printf("\n%-40s%11s%11s%11s%11s%11s%11s%11s%9s%9s\n", title, "p50 us", "p90 us", "p99 us", "max us", "answers/s", "cpu us",
		"x floor", "not set", "bad");
	for (unsigned id = 0; id < CANDIDATE_COUNT; id++) {
		const char *candidate = candidates[id].name;

		if (!bench.present[id] || isnan(report_get("%s/%s/rate", name, candidate)))
			continue;
		printf("  %-38s", candidates[id].title);
		cell(report_get("%s/%s/p50_us", name, candidate), 1);
		cell(report_get("%s/%s/p90_us", name, candidate), 1);
		cell(report_get("%s/%s/p99_us", name, candidate), 1);
		cell(report_get("%s/%s/max_us", name, candidate), 1);
		cell(report_get("%s/%s/rate", name, candidate), 0);
		cell(report_get("%s/%s/cpu_us", name, candidate), 2);
		cell(report_get("%s/%s/p50_us", name, candidate) / report_get("%s/floor/p50_us", name), 2);
		printf("%9.0f%9.0f\n", report_get("%s/%s/missing", name, candidate), report_get("%s/%s/bad", name, candidate));
	}
}

static void memory_print(void)
{
	printf("\n%-40s%11s%11s%11s%11s\n", "memory, KiB", "RSS start", "PSS start", "RSS 10,000", "PSS 10,000");
	for (unsigned id = 0; id < CANDIDATE_COUNT; id++) {
		if (!bench.present[id])
			continue;
		printf("  %-38s", candidates[id].title);
		cell(report_get("memory/%s/start_rss", candidates[id].name), 0);
		cell(report_get("memory/%s/start_pss", candidates[id].name), 0);
		cell(report_get("memory/%s/names_rss", candidates[id].name), 0);
		cell(report_get("memory/%s/names_pss", candidates[id].name), 0);
		putchar('\n');
	}
}

/* ---- pictures ---- */

static void picture_latency(const char *folder)
{
	static struct svg_line lines[CANDIDATE_COUNT];
	struct svg_chart chart = {.title = "A new name, one in flight: answers that came within a time",
		.x_title = "microseconds",
		.y_title = "% of answers",
		.log_x = true,
		.y_max = 100};
	char path[4096];

	for (unsigned id = 0; id < CANDIDATE_COUNT; id++) {
		size_t count = bench.latency_count[id];

		lines[id].title = candidates[id].title;
		lines[id].colour = id;
		if (!count)
			continue;
		qsort(bench.latencies[id], count, sizeof(uint32_t), compare_samples);
		for (size_t i = 0; i < CDF_POINTS; i++) {
			lines[id].x[i] = bench.latencies[id][i * (count - 1) / (CDF_POINTS - 1)] / 1e3;
			lines[id].y[i] = 100.0 * (double)i / (CDF_POINTS - 1);
		}
		lines[id].count = CDF_POINTS;
	}
	snprintf(path, sizeof(path), "%s/latency.svg", folder);
	if (svg_write(path, &chart, lines, CANDIDATE_COUNT))
		bench_die("cannot write %s", path);
}

static void picture_sizes(const char *folder)
{
	static struct svg_line lines[CANDIDATE_COUNT];
	struct svg_chart chart = {.title = "New names, 64 in flight, in sets that hold elements already",
		.x_title = "elements in the set before",
		.y_title = "answers a second",
		.log_y = true,
		.markers = true,
		.x_words = size_words,
		.x_word_count = SIZE_COUNT};
	char path[4096];

	for (unsigned id = 0; id < CANDIDATE_COUNT; id++) {
		lines[id].title = candidates[id].title;
		lines[id].colour = id;
		for (unsigned i = 0; i < SIZE_COUNT && bench.present[id]; i++) {
			double rate = report_get("set%u_new64/%s/rate", set_sizes[i], candidates[id].name);

			if (!(rate > 0))
				continue;
			lines[id].x[lines[id].count] = i;
			lines[id].y[lines[id].count++] = rate;
		}
	}
	snprintf(path, sizeof(path), "%s/set-size.svg", folder);
	if (svg_write(path, &chart, lines, CANDIDATE_COUNT))
		bench_die("cannot write %s", path);
}

/* ---- the run ---- */

static void cases_run(void)
{
	for (unsigned round = 0; round < bench.rounds; round++) {
		fprintf(stderr, "round %u of %u\n", round + 1, bench.rounds);
		for (unsigned i = 0; i < CANDIDATE_COUNT; i++) {
			enum candidate_id id = (i + round) % CANDIDATE_COUNT;

			if (bench.present[id])
				cases_session(id, round);
		}
	}
	for (size_t i = 0; i < CASE_COUNT; i++) {
		for (unsigned id = 0; id < CANDIDATE_COUNT; id++)
			if (bench.present[id])
				figures_note(cases[i].name, id, bench.figures[i][id], bench.rounds);
		case_print(cases[i].name, cases[i].title);
	}
}

/* The largest set that can be measured in a time that somebody would wait: libnftables reads an interval set back for each element that it adds, 2 s each at 100,000. */
static unsigned size_limit(enum candidate_id id)
{
	return candidates[id].interval ? 10000 : UINT_MAX;
}

static void sizes_run(void)
{
	for (unsigned size = 0; size < SIZE_COUNT; size++) {
		fprintf(stderr, "sets of %s elements\n", size_words[size]);
		for (unsigned round = 0; round < bench.size_rounds; round++)
			for (unsigned i = 0; i < CANDIDATE_COUNT; i++) {
				enum candidate_id id = (i + round) % CANDIDATE_COUNT;

				if (bench.present[id] && candidates[id].writes_sets && set_sizes[size] <= size_limit(id))
					size_session(id, size, round);
				else
					bench.size_figures[size][0][id][round] = bench.size_figures[size][1][id][round] = figures_none;
			}
		for (unsigned i = 0; i < 2; i++) {
			char name[64], title[128];

			snprintf(name, sizeof(name), "set%u_%s", set_sizes[size], size_cases[i]);
			snprintf(title, sizeof(title), "%s elements, %s in flight", size_words[size], i ? "64" : "one");
			for (unsigned id = 0; id < CANDIDATE_COUNT; id++)
				if (bench.present[id] && candidates[id].writes_sets)
					figures_note(name, id, bench.size_figures[size][i][id], bench.size_rounds);
			case_print(name, title);
		}
	}
}

static size_t no_answer(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	(void)context, (void)query, (void)length, (void)tcp, (void)out;
	return 0; /* the rig's own upstream is not asked */
}

static void load_run_all(void)
{
	bench.result = load_result_new();
	if (!bench.result)
		bench_die("memory");
	rig_start(&bench.rig, "bench.test\n", "", no_answer, NULL);
	bench.rig.settings.upstreams[0].endpoint.port = BENCH_UPSTREAM_PORT;
	bench.rig.settings.budget_names = bench.rig.settings.budget_octets = SETTINGS_BUDGET_MAX; /* counted, and never reached */
	bench.stub = stub_start(bench.rig.inside_fd);
	for (unsigned id = 0; id < CANDIDATE_COUNT; id++) {
		bench.present[id] = bench.present[id] && candidate_find(id);
		bench.latencies[id] = calloc((size_t)bench.rounds * cases[0].load.count, sizeof(uint32_t));
	}
	bench.next_number = bench.next_many = 1;
	cases_run();
	if (!bench.only_case)
		sizes_run();
	for (unsigned id = 0; !bench.only_case && id < CANDIDATE_COUNT; id++)
		if (bench.present[id])
			memory_session(id);
	if (!bench.only_case)
		memory_print();
	rig_stop(&bench.rig);
}

static void machine_describe(char *text, size_t size)
{
	struct utsname name;

	uname(&name);
	snprintf(text, size, "%s %s, %ld processors", name.sysname, name.release, sysconf(_SC_NPROCESSORS_ONLN));
}

static const char usage[] =
	"usage: shield-bench [--quick] [--rounds N] [--only LIST] [--case NAME] [--spread] [--output FOLDER] [--no-load] [--no-start] [--no-podman]\n"
	"  LIST: candidates by name, with commas: shield,floor,relay,dnsmasq,dnsmasq_interval,smartdns,unbound\n"
	"  NAME: one case alone: new1, new64, cached1, cached64, refused64, tcp1, tcp64, v6_1, v6_64, many1, many64\n";

/* Whether the list has the word, between commas. */
static bool list_has(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (; list; list = strchr(list, ','), list += list ? 1 : 0)
		if (!strncmp(list, word, length) && (list[length] == ',' || !list[length]))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"quick", no_argument, NULL, 'q'},
		{"rounds", required_argument, NULL, 'r'},
		{"only", required_argument, NULL, 'c'},
		{"output", required_argument, NULL, 'o'},
		{"case", required_argument, NULL, 'k'},
		{"spread", no_argument, NULL, 's'},
		{"no-load", no_argument, NULL, 'L'},
		{"no-start", no_argument, NULL, 'S'},
		{"no-podman", no_argument, NULL, 'P'},
		{0},
	};
	bool with_load = true, with_start = true, with_podman = true;
	const char *output = ".", *only = NULL;
	char machine[512], path[4096];
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'q':
			bench.quick = true;
			break;
		case 'r':
			bench.rounds = (unsigned)atoi(optarg);
			break;
		case 'c':
			only = optarg;
			break;
		case 'k':
			bench.only_case = optarg;
			break;
		case 'o':
			output = optarg;
			break;
		case 's':
			bench.spread = true;
			break;
		case 'L':
			with_load = false;
			break;
		case 'S':
			with_start = false;
			break;
		case 'P':
			with_podman = false;
			break;
		default: /* getopt's values, not ours */
			fputs(usage, stderr);
			return 2;
		}
	}
	if (!bench.rounds)
		bench.rounds = bench.quick ? 2 : 5;
	if (bench.rounds > ROUNDS_MAX || optind != argc) {
		fputs(usage, stderr);
		return 2;
	}
	bench.size_rounds = bench.quick ? 1 : bench.rounds;
	if (rig_missing())
		bench_die("%s", rig_missing());
	setvbuf(stdout, NULL, _IOLBF, 0);
	machine_describe(machine, sizeof(machine));
	printf("terok-shield %s on %s; medians of %u rounds%s\n", SHIELD_VERSION, machine, bench.rounds,
		bench.quick ? "; a quick run shows that everything works, its figures mean little" : "");
	for (unsigned id = 0; id < CANDIDATE_COUNT; id++)
		bench.present[id] = !only || list_has(only, candidates[id].name);
	if (with_start) { /* before the rig: the hook must not see a namespace of ours as its own */
		start_measure(bench.quick ? 5 : 21, bench.quick ? 20 : 100);
		start_profile(100000);
	}
	if (with_podman)
		start_podman(bench.quick);
	if (with_load)
		load_run_all();
	if (with_load && !bench.only_case) {
		picture_latency(output);
		picture_sizes(output);
	}
	report_goals();
	snprintf(path, sizeof(path), "%s/bench.json", output);
	if (report_json(path, machine, bench.quick))
		bench_die("cannot write %s", path);
	printf("\nwritten: %s%s\n", path, with_load && !bench.only_case ? ", latency.svg, set-size.svg" : "");
	return 0;
}
