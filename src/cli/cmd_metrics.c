/* metrics: what is counted and measured of the containers, for Prometheus or as JSON. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/container.h"
#include "cli/look.h"
#include "cli/metrics.h"
#include "cli/output.h"
#include "policy/rule.h"

#define STATS_TIMEOUT_MS 2000
#define FILE_MODE        0644 /* the collector is another user */

/* ---- one container ---- */

/* Lines that are a rule. */
static size_t rules_count(const char *content)
{
	size_t count = 0;
	for (const char *line = content; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *text = line;
		count += rule_strip(&text, strcspn(line, "\n")) > 0;
	}
	return count;
}

static int lists_count(struct metrics_sample *sample, const struct bundle *bundle, struct error *error)
{
	for (int list = 0; list < BUNDLE_LIST_COUNT; list++) {
		cleanup_free char *content = NULL;
		int rc = bundle_read(bundle, bundle_list_file((enum bundle_list)list), BUNDLE_LIST_MAX, &content, NULL, error);
		if (rc && rc != -ENOENT)
			return rc;
		sample->lists[list] = content ? rules_count(content) : 0;
	}
	sample->has_lists = true;
	return 0;
}

static void kernel_take(struct metrics_sample *sample, const struct look *look)
{
	for (size_t i = 0; i < look->learned.count; i++) {
		for (size_t set = 0; set < METRICS_LEARNED_SETS; set++)
			sample->learned[set] += strcmp(learned_set(&look->learned.list[i]), metrics_learned_sets[set]) == 0;
	}
	sample->learned_names = look_name_count(look);
	sample->refused = look->counters;
	sample->looked = true;
}

/* One that look_take_parts() has asked in vain is not waited for again. */
static void worker_take(struct metrics_sample *sample, const struct container *container, const struct look *look)
{
	struct forwarder_worker worker = look->forwarder;
	if (look->state == SHIELD_ERROR && look->difference.code == ESRCH)
		return;
	sample->up = stats_ask(&container->bundle, STATS_TIMEOUT_MS, &sample->stats, NULL) == 0;
	if (sample->up && look->state == SHIELD_ERROR) /* whose rules are not as they should be: it was not asked before */
		forwarder_ask(container, STATS_TIMEOUT_MS, &worker, NULL);
	sample->restarts = worker.restarts;
	snprintf(sample->version, sizeof(sample->version), "%s", worker.version);
}

static int sample_take(struct metrics_sample *sample, const struct container *container, struct error *error)
{
	cleanup_look struct look look = {0};
	int rc = lists_count(sample, &container->bundle, error);
	if (!rc)
		rc = look_take_parts(&look, container, LOOK_LEARNED | LOOK_COUNTERS, error);
	if (rc)
		return rc;
	sample->state = look.state;
	if (look.state == SHIELD_INACTIVE)
		return 0;
	kernel_take(sample, &look);
	worker_take(sample, container, &look);
	if (look.state == SHIELD_ERROR)
		snprintf(sample->problem, sizeof(sample->problem), "%s", look.difference.text);
	return 0;
}

/* One that cannot be read does not hide the others: it is in state error, with the reason. */
static void sample_fill(struct metrics_sample *sample, const struct command_options *options, const char *name)
{
	cleanup_container struct container container = CONTAINER_INIT;
	struct command_options one = *options;
	struct error error = {0};
	one.container = name;
	snprintf(sample->container, sizeof(sample->container), "%s", name);
	sample->state = SHIELD_ERROR;
	if (container_open(&container, &one, &error) || sample_take(sample, &container, &error))
		snprintf(sample->problem, sizeof(sample->problem), "%s", error.text);
}

/* ---- JSON ---- */

static cJSON *lists_json(const struct metrics_sample *sample, bool *failed)
{
	if (!sample->has_lists)
		return cJSON_CreateNull();
	cJSON *object = cJSON_CreateObject();
	for (int list = 0; list < BUNDLE_LIST_COUNT; list++)
		output_add(object, bundle_list_file((enum bundle_list)list), cJSON_CreateNumber((double)sample->lists[list]), failed);
	return object;
}

static cJSON *learned_json(const struct metrics_sample *sample, bool *failed)
{
	if (!sample->looked)
		return cJSON_CreateNull();
	cJSON *object = cJSON_CreateObject();
	output_add(object, "names", cJSON_CreateNumber((double)sample->learned_names), failed);
	for (size_t set = 0; set < METRICS_LEARNED_SETS; set++)
		output_add(object, metrics_learned_sets[set], cJSON_CreateNumber((double)sample->learned[set]), failed);
	return object;
}

static cJSON *refused_json(const struct metrics_sample *sample, bool *failed)
{
	if (!sample->looked)
		return cJSON_CreateNull();
	cJSON *object = cJSON_CreateObject();
	for (int chain = 0; chain < COUNTERS_CHAINS; chain++)
		output_add(object, counters_chain_name((enum counters_chain)chain),
			cJSON_CreateNumber((double)sample->refused.packets[chain]), failed);
	return object;
}

static cJSON *stats_json(const struct metrics_sample *sample, bool *failed)
{
	if (!sample->up)
		return cJSON_CreateNull();
	cJSON *object = cJSON_CreateObject();
	const char *key;
	for (size_t i = 0; (key = metrics_stat_key(i)); i++) {
		uint64_t number;
		bool known = stats_find(&sample->stats, key, &number);
		output_add(object, key, known ? cJSON_CreateNumber((double)number) : cJSON_CreateNull(), failed);
	}
	return object;
}

static cJSON *buckets_json(const struct stats *stats, const char *duration, bool *failed)
{
	cJSON *array = cJSON_CreateArray();
	for (size_t i = 0; i < stats->count; i++) {
		uint64_t bound_us = metrics_bucket_us(&stats->lines[i], duration);
		if (!bound_us)
			continue;
		cJSON *bucket = cJSON_CreateObject();
		output_add(bucket, "at_most_us", cJSON_CreateNumber((double)bound_us), failed);
		output_add(bucket, "count", cJSON_CreateNumber((double)stats->lines[i].number), failed);
		output_add(array, NULL, bucket, failed);
	}
	return array;
}

static cJSON *duration_json(const struct metrics_sample *sample, const char *duration, bool *failed)
{
	char key[STATS_KEY_MAX + 1];
	uint64_t count, sum_us;
	snprintf(key, sizeof(key), "%s_us_count", duration);
	bool known = stats_find(&sample->stats, key, &count);
	snprintf(key, sizeof(key), "%s_us_sum", duration);
	if (!known || !stats_find(&sample->stats, key, &sum_us))
		return cJSON_CreateNull();
	cJSON *object = cJSON_CreateObject();
	output_add(object, "count", cJSON_CreateNumber((double)count), failed);
	output_add(object, "sum_us", cJSON_CreateNumber((double)sum_us), failed);
	output_add(object, "buckets", buckets_json(&sample->stats, duration, failed), failed);
	return object;
}

static cJSON *sample_json(const struct metrics_sample *sample, bool *failed)
{
	cJSON *object = cJSON_CreateObject();
	const char *key;
	output_add(object, "container", output_string(sample->container), failed);
	output_add(object, "up", cJSON_CreateBool(sample->up), failed);
	output_add(object, "state", output_string(shield_state_name(sample->state)), failed);
	output_add(object, "problem", output_string(sample->problem[0] ? sample->problem : NULL), failed);
	output_add(object, "forwarder", output_string(sample->version[0] ? sample->version : NULL), failed);
	output_add(object, "restarts", sample->up ? cJSON_CreateNumber(sample->restarts) : cJSON_CreateNull(), failed);
	output_add(object, "lists", lists_json(sample, failed), failed);
	output_add(object, "learned", learned_json(sample, failed), failed);
	output_add(object, "refused", refused_json(sample, failed), failed);
	output_add(object, "stats", stats_json(sample, failed), failed);
	for (size_t i = 0; (key = metrics_duration_key(i)); i++)
		output_add(object, key, duration_json(sample, key, failed), failed);
	return object;
}

/* The same text goes to a file or to standard output. */
static int samples_json(struct text *output, const struct metrics_sample *samples, size_t count)
{
	cJSON *array = cJSON_CreateArray();
	bool failed = false;
	for (size_t i = 0; i < count; i++)
		output_add(array, NULL, sample_json(&samples[i], &failed), &failed);
	cleanup_free char *printed = array && !failed ? cJSON_PrintUnformatted(array) : NULL;
	cJSON_Delete(array);
	if (!printed)
		return -ENOMEM;
	text_addf(output, "%s\n", printed);
	return text_failed(output) ? -ENOMEM : 0;
}

/* ---- the command ---- */

static int samples_put(const struct command_options *options, const struct metrics_sample *samples, size_t count, struct error *error)
{
	cleanup_text struct text output = {0};
	int rc = options->json ? samples_json(&output, samples, count) : metrics_render(&output, SHIELD_VERSION, samples, count);
	return rc ? error_errno(error, -rc, "cannot print the metrics") : output_put(&output, options->output, FILE_MODE, error);
}

static int names_find(const struct command_options *options, char ***names, size_t *count, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	if (!options->container)
		return container_shields(options, names, count, error);
	int rc = container_open(&container, options, error);
	if (rc)
		return rc;
	*names = calloc(1, sizeof(**names));
	if (!*names || !(**names = strdup(container.identity.container)))
		return error_set(error, ENOMEM, "out of memory");
	*count = 1;
	return 0;
}

enum command_exit cmd_metrics(const struct command_options *options, struct error *error)
{
	char **names = NULL;
	size_t count = 0;
	if (options->container && options->all) {
		error_set(error, EINVAL, "NAME and --all exclude each other; see `terok-shield metrics --help`");
		return COMMAND_USAGE;
	}
	int rc = names_find(options, &names, &count, error);
	cleanup_free struct metrics_sample *samples = calloc(count ? count : 1, sizeof(*samples));
	if (!rc && !samples)
		rc = error_set(error, ENOMEM, "out of memory");
	for (size_t i = 0; !rc && i < count; i++) {
		sample_fill(&samples[i], options, names[i]);
		if (samples[i].problem[0])
			fprintf(stderr, "note: %s: %s\n", samples[i].container, samples[i].problem);
	}
	if (!rc)
		rc = samples_put(options, samples, count, error);
	container_names_free(names, count);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
