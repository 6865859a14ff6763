/* logs: the last records of one container, or of all, merged by time. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/container.h"
#include "cli/paths.h"
#include "state/audit.h"

#define COUNT_DEFAULT 50

struct record {
	char *line; /* owned */
	char time[32];
	size_t order; /* among records of one second, as they were read */
};

struct records {
	struct record *list;
	size_t count, capacity;
};

static int record_add(struct records *records, const char *line)
{
	if (records->count == records->capacity) {
		size_t capacity = records->capacity ? records->capacity * 2 : 64;
		struct record *grown = reallocarray(records->list, capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		records->list = grown;
		records->capacity = capacity;
	}
	struct record *record = &records->list[records->count];
	*record = (struct record){.line = strdup(line), .order = records->count};
	if (!record->line)
		return -ENOMEM;
	records->count++;
	cJSON *object = cJSON_Parse(line);
	const cJSON *time = cJSON_GetObjectItemCaseSensitive(object, "ts");
	if (cJSON_IsString(time))
		snprintf(record->time, sizeof(record->time), "%s", time->valuestring);
	cJSON_Delete(object);
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct record *left = a, *right = b;
	int order = strcmp(left->time, right->time); /* one format, all in UTC */
	return order ? order : left->order < right->order ? -1 : left->order > right->order;
}

static int bundle_collect(struct records *records, const struct bundle *bundle, size_t count, struct error *error)
{
	char **lines;
	size_t line_count, damaged = 0;
	int rc = audit_tail(bundle, count, &lines, &line_count, &damaged, error);
	if (rc)
		return rc;
	for (size_t i = 0; rc == 0 && i < line_count; i++)
		rc = record_add(records, lines[i]);
	audit_lines_free(lines, line_count);
	if (damaged > 0)
		fprintf(stderr, "note: %zu damaged lines in %s/" BUNDLE_AUDIT " were passed over\n", damaged, bundle->path);
	return rc ? error_errno(error, -rc, "cannot read the audit log") : 0;
}

static int all_collect(struct records *records, const struct command_options *options, size_t count, struct error *error)
{
	char **names;
	size_t name_count;
	int rc = container_names(options, &names, &name_count, error);
	for (size_t i = 0; rc == 0 && i < name_count; i++) {
		cleanup_bundle struct bundle bundle = BUNDLE_INIT;
		struct error refused = {0};
		char path[PATH_MAX];
		rc = paths_bundle(options, names[i], path, error);
		if (rc)
			break;
		if (bundle_open(&bundle, path, &refused))
			fprintf(stderr, "note: %s\n", refused.text); /* one that cannot be trusted does not hide the others */
		else
			rc = bundle_collect(records, &bundle, count, error);
	}
	container_names_free(names, name_count);
	return rc;
}

enum command_exit cmd_logs(const struct command_options *options, struct error *error)
{
	struct records records = {0};
	size_t count = options->count ? options->count : COUNT_DEFAULT;
	int rc;
	if (options->container) {
		cleanup_container struct container container = CONTAINER_INIT;
		rc = container_open(&container, options, error);
		if (!rc)
			rc = bundle_collect(&records, &container.bundle, count, error);
	} else {
		rc = all_collect(&records, options, count, error);
		qsort(records.list, records.count, sizeof(*records.list), by_time);
	}
	if (!rc && records.count == 0)
		puts("No audit logs found.");
	for (size_t i = 0; i < records.count; i++) {
		if (!rc && i + count >= records.count)
			puts(records.list[i].line);
		free(records.list[i].line);
	}
	free(records.list);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
