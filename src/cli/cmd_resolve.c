/* resolve: has the forwarder look up every name of the profiles, several at a time, so that dead names do not add up. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/container.h"
#include "cli/output.h"
#include "state/control.h"

#define WORKERS            16
#define RESOLVE_TIMEOUT_MS 10000

struct lookup {
	char name[NAME_TEXT_MAX];
	struct text answer;
	struct error error;
};

struct lookups {
	const struct bundle *bundle;
	struct lookup *list;
	size_t count, capacity;
	size_t next; /* taken by the workers */
};

/* Names that are asked for as they stand; what lies below `*.x` is not known. */
static int lookup_add(void *context, const struct rule *rule, enum policy_layer layer, const char *source, uint32_t line)
{
	struct lookups *lookups = context;
	(void)layer, (void)source, (void)line;
	if (rule->exclude || rule->kind == RULE_BELOW)
		return 0;
	if (lookups->count == lookups->capacity) {
		size_t capacity = lookups->capacity ? lookups->capacity * 2 : 64;
		struct lookup *grown = reallocarray(lookups->list, capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		lookups->list = grown;
		lookups->capacity = capacity;
	}
	struct lookup *lookup = &lookups->list[lookups->count++];
	memset(lookup, 0, sizeof(*lookup));
	name_to_text(&rule->name, lookup->name);
	return 0;
}

static void *worker(void *context)
{
	struct lookups *lookups = context;
	for (;;) {
		size_t index = __atomic_fetch_add(&lookups->next, 1, __ATOMIC_RELAXED);
		if (index >= lookups->count)
			return NULL;
		struct lookup *lookup = &lookups->list[index];
		char request[CONTROL_LINE_MAX];
		snprintf(request, sizeof(request), "resolve %s", lookup->name);
		control_request(lookups->bundle, request, RESOLVE_TIMEOUT_MS, &lookup->answer, &lookup->error);
	}
}

static void lookups_run(struct lookups *lookups)
{
	pthread_t threads[WORKERS];
	size_t started = 0;
	while (started < WORKERS - 1 && started < lookups->count && pthread_create(&threads[started], NULL, worker, lookups) == 0)
		started++;
	worker(lookups);
	while (started > 0)
		pthread_join(threads[--started], NULL);
}

static int by_addr(const void *a, const void *b)
{
	const struct addr *left = a, *right = b;
	return left->family != right->family ? (int)left->family - (int)right->family
					     : memcmp(left->octets, right->octets, sizeof(left->octets));
}

/* Adds the addresses of one answer. */
static int addresses_take(const struct lookup *lookup, struct addr **addresses, size_t *count)
{
	for (const char *line = lookup->answer.data ? lookup->answer.data : ""; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		struct addr parsed;
		if (strncmp(line, "address ", 8) != 0 || addr_parse(&parsed, line + 8, strcspn(line + 8, " \n")))
			continue;
		struct addr *grown = reallocarray(*addresses, *count + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*addresses = grown;
		grown[(*count)++] = parsed;
	}
	return 0;
}

static int report_json(const struct lookups *lookups, const char *container, struct error *error)
{
	cJSON *object = cJSON_CreateObject(), *names = cJSON_CreateArray();
	bool failed = false;
	for (size_t i = 0; i < lookups->count; i++) {
		const struct lookup *lookup = &lookups->list[i];
		cleanup_free struct addr *addresses = NULL;
		size_t count = 0;
		cJSON *entry = cJSON_CreateObject(), *list = cJSON_CreateArray();
		failed = addresses_take(lookup, &addresses, &count) || failed;
		for (size_t j = 0; j < count; j++) {
			char text[ADDR_TEXT_MAX];
			output_add(list, NULL, cJSON_CreateString(addr_format(&addresses[j], text)), &failed);
		}
		output_add(entry, "name", cJSON_CreateString(lookup->name), &failed);
		output_add(entry, "addresses", list, &failed);
		output_add(entry, "problem",
			output_string(count > 0            ? NULL
				      : lookup->error.code ? lookup->error.text
							   : "it has no address"),
			&failed);
		output_add(names, NULL, entry, &failed);
	}
	output_add(object, "container", cJSON_CreateString(container), &failed);
	output_add(object, "names", names, &failed);
	return output_json(object, failed, error);
}

static int report(const struct lookups *lookups, const struct command_options *options, const char *container, struct error *error)
{
	cleanup_free struct addr *addresses = NULL;
	size_t count = 0, unique = 0, resolved = 0;
	for (size_t i = 0; i < lookups->count; i++) {
		const struct lookup *lookup = &lookups->list[i];
		size_t before = count;
		if (addresses_take(lookup, &addresses, &count))
			return error_set(error, ENOMEM, "out of memory");
		if (count == before)
			fprintf(stderr, "note: %s does not resolve%s%s\n", lookup->name, lookup->error.code ? ": " : "",
				lookup->error.code ? lookup->error.text : "");
		resolved += count > before;
	}
	if (resolved < lookups->count)
		fprintf(stderr, "note: %zu of %zu names resolve\n", resolved, lookups->count);
	if (count > 0)
		qsort(addresses, count, sizeof(*addresses), by_addr);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || !addr_equal(&addresses[i], &addresses[unique - 1]))
			addresses[unique++] = addresses[i];
	}
	printf("Resolved %zu IPs for %s%s\n", unique, container, options->force ? " (forced)" : "");
	for (size_t i = 0; i < unique; i++) {
		char text[ADDR_TEXT_MAX];
		printf("  %s\n", addr_format(&addresses[i], text));
	}
	return 0;
}

enum command_exit cmd_resolve(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	cleanup_policy struct policy *policy = NULL;
	struct ruleset ruleset;
	if (container_open(&container, options, error))
		return COMMAND_FAILED;
	if (!container.running) {
		error_set(error, ESRCH, "%s does not run, and names are looked up by its forwarder", container.identity.container);
		return COMMAND_FAILED;
	}
	struct lookups lookups = {.bundle = &container.bundle};
	int rc = container_ruleset(&container, &ruleset, &policy, error);
	if (!rc)
		rc = control_request(&container.bundle, "ping", RESOLVE_TIMEOUT_MS, NULL, error);
	if (!rc && policy_each_name(policy, lookup_add, &lookups))
		rc = error_set(error, ENOMEM, "out of memory");
	if (!rc) {
		lookups_run(&lookups);
		rc = options->json ? report_json(&lookups, container.identity.container, error)
				   : report(&lookups, options, container.identity.container, error);
	}
	for (size_t i = 0; i < lookups.count; i++)
		text_free(&lookups.list[i].answer);
	free(lookups.list);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
