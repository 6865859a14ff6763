/* logs: the last records of one container, or of all, merged by time; and what is added from then on. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/container.h"
#include "cli/follow.h"
#include "cli/paths.h"
#include "cli/since.h"
#include "state/audit.h"

#define COUNT_DEFAULT   50
#define COUNT_SINCE     1000000 /* with --since and without -n: all that one log can hold */
#define FOLLOW_PAUSE_MS 250
#define FOLLOW_SCAN_MS  2000 /* how often new containers are looked for */
#define FOLLOWED_MAX    1024

struct record {
	char *line; /* owned */
	char time[32];
	size_t order; /* among records of one second, as they were read */
};

struct records {
	struct record *list;
	size_t count, capacity;
};

/* The time of a record; false when the line is no JSON object. */
static bool record_time(const char *line, char text[32])
{
	cJSON *object = cJSON_Parse(line);
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, "ts");
	bool good = cJSON_IsObject(object);
	snprintf(text, 32, "%s", cJSON_IsString(member) ? member->valuestring : "");
	cJSON_Delete(object);
	return good;
}

/* since: as the records have it, "" for all. */
static int record_add(struct records *records, const char *line, const char *since)
{
	char time_text[32];
	if (!record_time(line, time_text) || strcmp(time_text, since) < 0) /* one format, all in UTC */
		return 0;
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
	strcpy(record->time, time_text);
	records->count++;
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct record *left = a, *right = b;
	int order = strcmp(left->time, right->time); /* one format, all in UTC */
	return order ? order : left->order < right->order ? -1 : left->order > right->order;
}

struct reading {
	struct records records;
	size_t count;
	char since[32];
	struct follow *followed; /* with -f */
	size_t followed_count;
};

static int bundle_collect(struct reading *reading, const struct bundle *bundle, struct error *error)
{
	char **lines;
	size_t line_count, damaged = 0;
	int rc = audit_tail(bundle, reading->count, &lines, &line_count, &damaged, error);
	if (rc)
		return rc;
	for (size_t i = 0; rc == 0 && i < line_count; i++)
		rc = record_add(&reading->records, lines[i], reading->since);
	audit_lines_free(lines, line_count);
	if (damaged > 0)
		fprintf(stderr, "note: %zu damaged lines in %s/" BUNDLE_AUDIT " were passed over\n", damaged, bundle->path);
	return rc ? error_errno(error, -rc, "cannot read the audit log") : 0;
}

/* ---- -f ---- */

static int line_print(void *context, const char *line)
{
	const struct reading *reading = context;
	char time_text[32];
	if (!record_time(line, time_text) || strcmp(time_text, reading->since) < 0)
		return 0;
	puts(line);
	return fflush(stdout) ? -EPIPE : 0;
}

/* Takes the bundle. from_start: the container is new, so all of its log is. */
static void bundle_follow(struct reading *reading, const char *name, struct bundle bundle, bool from_start)
{
	if (reading->followed_count == FOLLOWED_MAX) {
		bundle_close(&bundle);
		return;
	}
	struct follow *follow = &reading->followed[reading->followed_count++];
	follow_open(follow, name, bundle);
	if (from_start)
		follow_rewind(follow);
}

static bool is_followed(const struct reading *reading, const char *name)
{
	for (size_t i = 0; i < reading->followed_count; i++) {
		if (strcmp(reading->followed[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Containers that appeared since. One that was removed and made anew under its name has another folder. */
static void new_follow(struct reading *reading, const struct command_options *options)
{
	char **names, path[PATH_MAX];
	size_t count;
	for (size_t i = 0; i < reading->followed_count; i++) {
		struct stat status;
		if (fstat(reading->followed[i].bundle.fd, &status) == 0 && status.st_nlink > 0)
			continue;
		follow_close(&reading->followed[i]);
		reading->followed[i--] = reading->followed[--reading->followed_count];
	}
	if (container_names(options, &names, &count, NULL))
		count = 0, names = NULL;
	for (size_t i = 0; i < count; i++) {
		struct bundle bundle = BUNDLE_INIT;
		if (!is_followed(reading, names[i]) && paths_bundle(options, names[i], path, NULL) == 0 && bundle_open(&bundle, path, NULL) == 0)
			bundle_follow(reading, names[i], bundle, true);
	}
	container_names_free(names, count);
}

static int follow_run(struct reading *reading, const struct command_options *options, struct error *error)
{
	int64_t scan_ms = clock_now_ms() + FOLLOW_SCAN_MS;
	for (;;) {
		for (size_t i = 0; i < reading->followed_count; i++) {
			int rc = follow_read(&reading->followed[i], line_print, reading);
			if (rc)
				return error_errno(error, -rc, "cannot follow the audit log of %s", reading->followed[i].name);
		}
		nanosleep(&(struct timespec){.tv_nsec = FOLLOW_PAUSE_MS * 1000000L}, NULL);
		if (!options->container && clock_now_ms() >= scan_ms) {
			new_follow(reading, options);
			scan_ms = clock_now_ms() + FOLLOW_SCAN_MS;
		}
	}
}

/* ---- the command ---- */

/* What is there now, and from then on: the place to go on from is taken before the log is read, so nothing is lost; what was added in
 * between is read twice, which the second look at the size finds out. */
static int bundle_read_on(struct reading *reading, const char *name, const struct bundle *bundle, struct error *error)
{
	if (!reading->followed)
		return bundle_collect(reading, bundle, error);
	for (unsigned attempt = 0;; attempt++) {
		struct bundle own = BUNDLE_INIT;
		size_t before = reading->records.count;
		int rc = bundle_open(&own, bundle->path, error);
		if (rc)
			return rc;
		bundle_follow(reading, name, own, false);
		rc = bundle_collect(reading, bundle, error);
		if (rc || !is_followed(reading, name))
			return rc;
		struct follow *follow = &reading->followed[reading->followed_count - 1];
		struct stat status;
		if (attempt == 10 || fstatat(bundle->fd, BUNDLE_AUDIT, &status, AT_SYMLINK_NOFOLLOW) || status.st_size == follow->offset)
			return 0;
		follow_close(follow);
		reading->followed_count--;
		while (reading->records.count > before)
			free(reading->records.list[--reading->records.count].line);
	}
}

static int all_collect(struct reading *reading, const struct command_options *options, struct error *error)
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
			rc = bundle_read_on(reading, names[i], &bundle, error);
	}
	container_names_free(names, name_count);
	return rc;
}

static int collect(struct reading *reading, const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	if (!options->container) {
		int rc = all_collect(reading, options, error);
		if (reading->records.count > 0)
			qsort(reading->records.list, reading->records.count, sizeof(*reading->records.list), by_time);
		return rc;
	}
	int rc = container_open(&container, options, error);
	return rc ? rc : bundle_read_on(reading, container.identity.container, &container.bundle, error);
}

static void records_print(const struct records *records, size_t count)
{
	size_t first = records->count > count ? records->count - count : 0;
	for (size_t i = first; i < records->count; i++)
		puts(records->list[i].line);
	fflush(stdout);
}

static void reading_free(struct reading *reading)
{
	for (size_t i = 0; i < reading->records.count; i++)
		free(reading->records.list[i].line);
	free(reading->records.list);
	for (size_t i = 0; i < reading->followed_count; i++)
		follow_close(&reading->followed[i]);
	free(reading->followed);
}

enum command_exit cmd_logs(const struct command_options *options, struct error *error)
{
	struct reading reading = {.count = options->count ? options->count : options->since ? COUNT_SINCE : COUNT_DEFAULT};
	int64_t since_s;
	if (options->since) {
		if (since_parse(&since_s, options->since, clock_wall_s(), error))
			return COMMAND_USAGE;
		clock_wall_text(reading.since, sizeof(reading.since), since_s);
	}
	if (options->follow && !(reading.followed = calloc(FOLLOWED_MAX, sizeof(*reading.followed)))) {
		error_set(error, ENOMEM, "out of memory");
		return COMMAND_FAILED;
	}
	int rc = collect(&reading, options, error);
	if (!rc)
		records_print(&reading.records, reading.count);
	if (!rc && options->follow)
		rc = follow_run(&reading, options, error);
	else if (!rc && reading.records.count == 0)
		puts("No audit logs found.");
	reading_free(&reading);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
