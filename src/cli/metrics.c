/* Prometheus' text format.
 *
 * Families are tables: those of a worker's `stats` say which word becomes which metric; the others have a function that writes a container's samples. Names follow
 * Prometheus' conventions: base units, _total behind what only grows. What grows may begin anew (a worker is replaced, rules are replaced), which rate() understands.
 */
#include "cli/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "terok_shield_"

const char *const metrics_learned_sets[METRICS_LEARNED_SETS] = {"learned_v4", "learned_port_v4", "learned_v6", "learned_port_v6"};

/* ---- samples ---- */

/* In label values '\\', '"' and the newline are escaped; what is no printable ASCII has no business in one. */
static void add_label_value(struct text *output, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			text_addf(output, "\\%c", *value);
		else if (*value == '\n')
			text_add(output, "\\n");
		else
			text_addf(output, "%c", *value < ' ' || *value > '~' ? '?' : *value);
	}
}

static void add_label(struct text *output, const char *name, const char *value)
{
	text_addf(output, ",%s=\"", name);
	add_label_value(output, value);
	text_add(output, "\"");
}

/* name: without the prefix; label: may be NULL. */
static void add_labels(
	struct text *output, const char *name, const char *suffix, const char *container, const char *label, const char *value)
{
	text_addf(output, PREFIX "%s%s{container=\"", name, suffix);
	add_label_value(output, container);
	text_add(output, "\"");
	if (label)
		add_label(output, label, value);
}

static void add_sample(struct text *output, const char *name, const char *container, const char *label, const char *value, uint64_t number)
{
	add_labels(output, name, "", container, label, value);
	text_addf(output, "} %" PRIu64 "\n", number);
}

static void add_head(struct text *output, const char *name, const char *type, const char *help)
{
	text_addf(output, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

/* ---- what is known without the worker ---- */

static void add_up(struct text *output, const char *name, const struct metrics_sample *sample)
{
	add_sample(output, name, sample->container, NULL, NULL, sample->up);
}

static void add_state(struct text *output, const char *name, const struct metrics_sample *sample)
{
	for (enum shield_state state = SHIELD_UP; state <= SHIELD_ERROR; state++)
		add_sample(output, name, sample->container, "state", shield_state_name(state), state == sample->state);
}

static void add_worker(struct text *output, const char *name, const struct metrics_sample *sample)
{
	if (sample->up && sample->version[0])
		add_sample(output, name, sample->container, "version", sample->version, 1);
}

static void add_restarts(struct text *output, const char *name, const struct metrics_sample *sample)
{
	if (sample->up)
		add_sample(output, name, sample->container, NULL, NULL, sample->restarts);
}

static void add_lists(struct text *output, const char *name, const struct metrics_sample *sample)
{
	for (int list = 0; sample->has_lists && list < BUNDLE_LIST_COUNT; list++)
		add_sample(output, name, sample->container, "list", bundle_list_file((enum bundle_list)list), sample->lists[list]);
}

static void add_learned(struct text *output, const char *name, const struct metrics_sample *sample)
{
	for (size_t set = 0; sample->looked && set < METRICS_LEARNED_SETS; set++)
		add_sample(output, name, sample->container, "set", metrics_learned_sets[set], sample->learned[set]);
}

static void add_learned_names(struct text *output, const char *name, const struct metrics_sample *sample)
{
	if (sample->looked)
		add_sample(output, name, sample->container, NULL, NULL, sample->learned_names);
}

static void add_refused(struct text *output, const char *name, const struct metrics_sample *sample)
{
	for (int chain = 0; sample->looked && chain < COUNTERS_CHAINS; chain++)
		add_sample(output, name, sample->container, "chain", counters_chain_name((enum counters_chain)chain),
			sample->refused.packets[chain]);
}

static const struct family {
	const char *name, *type, *help;
	void (*add)(struct text *output, const char *name, const struct metrics_sample *sample);
} families[] = {
	{"up", "gauge", "Whether the container runs and its forwarder answers.", add_up},
	{"state", "gauge", "1 for the state that the shield is in, 0 for the others.", add_state},
	{"worker_info", "gauge", "Always 1; the label has the version of the forwarder's worker.", add_worker},
	{"worker_restarts_total", "counter", "Times that the worker was started again after it had died or hung.", add_restarts},
	{"list_rules", "gauge", "Rules in each list that the container's policy is made of.", add_lists},
	{"learned_elements", "gauge", "Elements that allowed names have brought into each of the kernel's sets.", add_learned},
	{"learned_names", "gauge", "Names that have addresses in the kernel's sets.", add_learned_names},
	{"refused_packets_total", "counter",
		"Packets that the rules refused, by the chain that did; output: in state block. Begins anew when the state changes.",
		add_refused},
};

/* ---- the worker's stats ---- */

/* Rows of one metric stand together; the first has its help. */
static const struct stat_metric {
	const char *key; /* in `stats` */
	const char *name, *type, *label, *value, *help;
} stat_metrics[] = {
	{"queries", "dns_queries_total", "counter", NULL, NULL, "Messages from the container's resolvers."},
	{"dropped", "dns_queries_dropped_total", "counter", NULL, NULL, "Messages that are no query and got no answer."},
	{"malformed", "dns_queries_malformed_total", "counter", NULL, NULL, "Queries answered with an error for their form."},
	{"blocked", "dns_queries_refused_total", "counter", NULL, NULL, "Queries for names that the policy does not allow."},
	{"budget", "dns_queries_over_budget_total", "counter", NULL, NULL,
		"Queries refused since the rule's budget of new names was spent."},
	{"cached", "dns_queries_cached_total", "counter", NULL, NULL, "Queries answered from what the forwarder holds."},
	{"merged", "dns_queries_merged_total", "counter", NULL, NULL, "Queries that joined the same question in flight."},
	{"failed", "dns_questions_failed_total", "counter", NULL, NULL, "Questions that no upstream server answered."},
	{"pending", "dns_questions_pending", "gauge", NULL, NULL, "Questions in flight."},
	{"upstream", "dns_upstream_queries_total", "counter", NULL, NULL, "Queries sent to upstream servers by UDP."},
	{"upstream_tcp", "dns_upstream_tcp_queries_total", "counter", NULL, NULL, "Queries sent to upstream servers by TCP."},
	{"upstream_tls", "dns_upstream_tls_queries_total", "counter", NULL, NULL, "Queries sent to upstream servers by TLS."},
	{"tls_connections", "dns_upstream_tls_connections_total", "counter", NULL, NULL,
		"Connections by TLS to upstream servers with a good certificate."},
	{"answered", "dns_upstream_answers_total", "counter", NULL, NULL, "Answers of upstream servers that were accepted."},
	{"rewritten", "dns_upstream_answers_rewritten_total", "counter", NULL, NULL,
		"Answers with records that do not belong, which were removed."},
	{"filtered", "dns_upstream_answers_filtered_total", "counter", NULL, NULL, "Answers with inside addresses, which were removed."},
	{"mismatched", "dns_upstream_answers_mismatched_total", "counter", NULL, NULL,
		"Messages from upstream that belong to no question in flight."},
	{"bad_answers", "dns_upstream_answers_malformed_total", "counter", NULL, NULL, "Answers of upstream servers that were malformed."},
	{"timeouts", "dns_upstream_timeouts_total", "counter", NULL, NULL, "Queries that an upstream server did not answer in time."},
	{"set_failures", "set_failures_total", "counter", NULL, NULL, "Answers withheld since the kernel did not take their addresses."},
	{"doubts", "table_changes_total", "counter", NULL, NULL, "Times that somebody else changed the kernel's table."},
	{"leases", "leases", "gauge", NULL, NULL, "Elements of the kernel's sets that the forwarder keeps."},
	{"renewals", "lease_renewals_total", "counter", NULL, NULL, "Names asked again since their addresses are in use."},
	{"names", "policy_names", "gauge", NULL, NULL, "Rules for names in the policy that is in force."},
	{"landlock", "worker_landlock", "gauge", NULL, NULL, "Whether the worker is confined by Landlock too."},
	{"pending_full", "limit_hits_total", "counter", "limit", "questions",
		"Times that a bound was hit: questions in flight, clients that wait, TCP connections, leases."},
	{"clients_full", "limit_hits_total", "counter", "limit", "clients", NULL},
	{"tcp_full", "limit_hits_total", "counter", "limit", "connections", NULL},
	{"leases_full", "limit_hits_total", "counter", "limit", "leases", NULL},
	{"packet_log", "packet_log", "gauge", NULL, NULL,
		"Whether the packet log can be read; without it nothing is known of connections."},
	{"connections_allowed", "connections_total", "counter", "verdict", "allowed",
		"Connections in the packet log, by what became of them."},
	{"connections_bypassed", "connections_total", "counter", "verdict", "bypassed", NULL},
	{"connections_blocked", "connections_total", "counter", "verdict", "blocked", NULL},
	{"connections_denied", "connections_total", "counter", "verdict", "denied", NULL},
	{"connections_private", "connections_total", "counter", "verdict", "private", NULL},
	{"made_unasked", "connections_unasked_total", "counter", NULL, NULL,
		"Connections of which the kernel was not asked whether they were made: too many at once."},
	{"events", "events_total", "counter", NULL, NULL, "Events of the stream that `watch` reads."},
	{"folded", "events_folded_total", "counter", NULL, NULL, "Events that are told as repeats of others."},
	{"lost_kernel", "events_lost_total", "counter", "by", "kernel",
		"Events that were lost: by the kernel's packet log, or by readers that were too slow."},
	{"lost_readers", "events_lost_total", "counter", "by", "readers", NULL},
	{"readers", "event_readers", "gauge", NULL, NULL, "Who reads the stream of events now."},
	{"activity", "activity_rows", "gauge", NULL, NULL, "Rows of what was asked and reached."},
	{"activity_full", "activity_rows_dropped_total", "counter", NULL, NULL, "Rows that had to go for others."},
};
#define STAT_METRICS (sizeof(stat_metrics) / sizeof(*stat_metrics))

const char *metrics_stat_key(size_t index)
{
	return index < STAT_METRICS ? stat_metrics[index].key : NULL;
}

/* The rows of one metric, [first, end). */
static void add_stat_family(struct text *output, size_t first, size_t end, const struct metrics_sample *samples, size_t count)
{
	add_head(output, stat_metrics[first].name, stat_metrics[first].type, stat_metrics[first].help);
	for (size_t i = 0; i < count; i++) {
		for (size_t row = first; row < end; row++) {
			const struct stat_metric *metric = &stat_metrics[row];
			uint64_t number;
			if (samples[i].up && stats_find(&samples[i].stats, metric->key, &number))
				add_sample(output, metric->name, samples[i].container, metric->label, metric->value, number);
		}
	}
}

static void add_stats(struct text *output, const struct metrics_sample *samples, size_t count)
{
	for (size_t first = 0, end; first < STAT_METRICS; first = end) {
		for (end = first + 1; end < STAT_METRICS && !stat_metrics[end].help; end++)
			;
		add_stat_family(output, first, end, samples, count);
	}
}

/* ---- durations ---- */

static const struct duration_metric {
	const char *key; /* in `stats`, before "_us_" */
	const char *name, *label, *value, *help;
} duration_metrics[] = {
	{"answer_local", "dns_answer_duration_seconds", "source", "local",
		"From a query to its answer, by who had it: the forwarder itself (local), or an upstream server."},
	{"answer_upstream", "dns_answer_duration_seconds", "source", "upstream", NULL},
	{"set", "dns_to_set_duration_seconds", NULL, NULL,
		"From an upstream answer, or one of the cache whose addresses have to be put back, to the kernel's acknowledgement that its sets hold them."},
};
#define DURATION_METRICS (sizeof(duration_metrics) / sizeof(*duration_metrics))

const char *metrics_duration_key(size_t index)
{
	return index < DURATION_METRICS ? duration_metrics[index].key : NULL;
}

uint64_t metrics_bucket_us(const struct stat_line *line, const char *duration)
{
	static const char middle[] = "_us_le_";
	size_t length = strlen(duration);
	if (strncmp(line->key, duration, length) != 0 || strncmp(line->key + length, middle, sizeof(middle) - 1) != 0)
		return 0;
	return strtoull(line->key + length + sizeof(middle) - 1, NULL, 10);
}

/* Microseconds as seconds, without zeros at the end. */
static const char *seconds_text(char text[32], uint64_t us)
{
	int length = snprintf(text, 32, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
	while (text[length - 1] == '0')
		text[--length] = '\0';
	if (text[length - 1] == '.')
		text[length - 1] = '\0';
	return text;
}

static void add_bucket(struct text *output, const struct duration_metric *metric, const char *container, const char *bound, uint64_t number)
{
	add_labels(output, metric->name, "_bucket", container, metric->label, metric->value);
	add_label(output, "le", bound);
	text_addf(output, "} %" PRIu64 "\n", number);
}

static void add_histogram(struct text *output, const struct duration_metric *metric, const struct metrics_sample *sample)
{
	char key[STATS_KEY_MAX + 1], seconds[32];
	uint64_t count, sum_us;
	snprintf(key, sizeof(key), "%s_us_count", metric->key);
	if (!sample->up || !stats_find(&sample->stats, key, &count))
		return;
	for (size_t i = 0; i < sample->stats.count; i++) {
		uint64_t bound_us = metrics_bucket_us(&sample->stats.lines[i], metric->key);
		if (bound_us)
			add_bucket(output, metric, sample->container, seconds_text(seconds, bound_us), sample->stats.lines[i].number);
	}
	add_bucket(output, metric, sample->container, "+Inf", count);
	snprintf(key, sizeof(key), "%s_us_sum", metric->key);
	if (!stats_find(&sample->stats, key, &sum_us))
		sum_us = 0;
	add_labels(output, metric->name, "_sum", sample->container, metric->label, metric->value);
	text_addf(output, "} %s\n", seconds_text(seconds, sum_us));
	add_labels(output, metric->name, "_count", sample->container, metric->label, metric->value);
	text_addf(output, "} %" PRIu64 "\n", count);
}

static void add_durations(struct text *output, const struct metrics_sample *samples, size_t count)
{
	for (size_t first = 0, end; first < DURATION_METRICS; first = end) {
		for (end = first + 1; end < DURATION_METRICS && !duration_metrics[end].help; end++)
			;
		add_head(output, duration_metrics[first].name, "histogram", duration_metrics[first].help);
		for (size_t i = 0; i < count; i++) {
			for (size_t row = first; row < end; row++)
				add_histogram(output, &duration_metrics[row], &samples[i]);
		}
	}
}

int metrics_render(struct text *output, const char *version, const struct metrics_sample *samples, size_t count)
{
	add_head(output, "build_info", "gauge", "Always 1; the label has the version of terok-shield.");
	text_addf(output, PREFIX "build_info{version=\"%s\"} 1\n", version);
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		add_head(output, families[i].name, families[i].type, families[i].help);
		for (size_t j = 0; j < count; j++)
			families[i].add(output, families[i].name, &samples[j]);
	}
	add_stats(output, samples, count);
	add_durations(output, samples, count);
	return text_failed(output) ? -ENOMEM : 0;
}
