/* The audit log: its lines made and read. audit_append.c writes them. */
#include "state/audit.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "state/bundle_file.h"
#include "state/field.h"

#define FIELD_OCTETS_MAX 1024u /* of one string, before escaping */
#define FIELD_OCTETS_MIN 32u
#define TAIL_OCTETS_MAX  (AUDIT_ROTATE_OCTETS + (1u << 20))
#define ATTEMPTS         4 /* at a log that others rotate meanwhile */

/* ---- the line ---- */

static bool field_add(cJSON *object, const char *key, const char *value, size_t max)
{
	cleanup_free char *clean = NULL;

	if (!value)
		return true;
	clean = field_clean(value, max);
	return clean && cJSON_AddStringToObject(object, key, clean);
}

static char *line_print(const char *container, const struct audit_event *event, size_t max)
{
	cJSON *object = cJSON_CreateObject();
	char when[32], *printed = NULL;

	if (object && cJSON_AddStringToObject(object, "ts", clock_wall_text(when, sizeof(when), clock_wall_s())) &&
		field_add(object, "container", container, max) && field_add(object, "action", event->action, max) &&
		field_add(object, "dest", event->dest, max) && (!event->port || cJSON_AddNumberToObject(object, "port", event->port)) &&
		field_add(object, "proto", event->protocol, max) && field_add(object, "domain", event->domain, max) &&
		field_add(object, "detail", event->detail, max) &&
		(event->count < 2 || cJSON_AddNumberToObject(object, "count", (double)event->count)) &&
		(!event->dossier || cJSON_AddRawToObject(object, "dossier", event->dossier)))
		printed = cJSON_PrintUnformatted(object);
	cJSON_Delete(object);
	return printed;
}

/* The longest line that fits: its strings are cut shorter until it does. Without newline; caller frees. */
static char *line_fit(const char *container, const struct audit_event *event)
{
	for (size_t max = FIELD_OCTETS_MAX;; max /= 2) {
		char *line = line_print(container, event, max);

		/* One octet for the newline behind it, one for a newline that a cut-off line before it may need. */
		if (!line || strlen(line) + 2 <= AUDIT_LINE_MAX || max <= FIELD_OCTETS_MIN)
			return line;
		free(line);
	}
}

int audit_write(const struct bundle *bundle, const char *container, const struct audit_event *event)
{
	cleanup_free char *line = line_fit(container, event);

	return line ? audit_append(bundle, line) : -ENOMEM;
}

/* ---- reading ---- */

/* A generation of the log: its last TAIL_OCTETS_MAX octets from the beginning of a line on. */
struct generation {
	char *data; /* owned; NULL when there is none */
	size_t length;
	dev_t dev;
	ino_t ino;
};

static int generation_read(const struct bundle *bundle, const char *name, struct generation *generation, struct error *error)
{
	cleanup_fd int fd = bundle_file_open(bundle, name, O_RDONLY, error);
	struct stat status;
	off_t from;
	int result;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;
	if (fstat(fd, &status))
		return error_errno(error, errno, "%s", name);
	generation->dev = status.st_dev;
	generation->ino = status.st_ino;
	/* The older tool let its logs grow without bound. */
	from = status.st_size > TAIL_OCTETS_MAX ? status.st_size - TAIL_OCTETS_MAX : 0;
	if (lseek(fd, from, SEEK_SET) < 0)
		return error_errno(error, errno, "%s", name);
	/* Others append meanwhile. */
	result = file_read_fd(fd, 2 * (size_t)TAIL_OCTETS_MAX, &generation->data, &generation->length);
	if (result)
		return error_errno(error, -result, "%s", name);
	if (from > 0) {
		char *newline = memchr(generation->data, '\n', generation->length);
		size_t cut = newline ? (size_t)(newline + 1 - generation->data) : generation->length;

		generation->length -= cut;
		memmove(generation->data, generation->data + cut, generation->length);
	}
	return 0;
}

/* Both generations, the newer first. When the log was rotated in between, the older is what we have already: again then. */
static int generations_read(const struct bundle *bundle, struct generation generations[2], struct error *error)
{
	for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
		int result = generation_read(bundle, BUNDLE_AUDIT, &generations[0], error);

		if (result == 0)
			result = generation_read(bundle, BUNDLE_AUDIT_ROTATED, &generations[1], error);
		if (result)
			return result;
		if (!generations[0].data || !generations[1].data || generations[0].ino != generations[1].ino ||
			generations[0].dev != generations[1].dev)
			return 0;
		free(generations[0].data);
		free(generations[1].data);
		generations[0] = generations[1] = (struct generation){0};
	}
	return error_set(error, EAGAIN, "%s: it is rotated faster than it can be read", BUNDLE_AUDIT);
}

static bool is_json_object(const char *line, size_t length)
{
	const char *end = NULL;
	cJSON *parsed = cJSON_ParseWithLengthOpts(line, length, &end, 0);
	bool is_object = cJSON_IsObject(parsed) && end == line + length;

	cJSON_Delete(parsed);
	return is_object;
}

struct tail {
	char **lines; /* the newest first until it is turned round */
	size_t count, wanted;
	size_t damaged;
};

/* Collects from the end of a generation until enough lines are there. */
static int tail_collect(struct tail *tail, const struct generation *generation)
{
	size_t end = generation->length;

	while (end > 0 && tail->count < tail->wanted) {
		const char *newline;
		size_t start;

		if (generation->data[end - 1] == '\n')
			end--;
		newline = memrchr(generation->data, '\n', end);
		start = newline ? (size_t)(newline + 1 - generation->data) : 0;
		if (is_json_object(generation->data + start, end - start)) {
			char **grown = reallocarray(tail->lines, tail->count + 1, sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			tail->lines = grown;
			tail->lines[tail->count] = strndup(generation->data + start, end - start);
			if (!tail->lines[tail->count])
				return -ENOMEM;
			tail->count++;
		} else if (start < end) {
			tail->damaged++;
		}
		end = start;
	}
	return 0;
}

int audit_tail(const struct bundle *bundle, size_t count, char ***lines, size_t *line_count, size_t *damaged, struct error *error)
{
	struct generation generations[2] = {0};
	struct tail tail = {.wanted = count};
	int result = generations_read(bundle, generations, error);

	for (size_t i = 0; i < 2 && result == 0; i++)
		if (generations[i].data && (result = tail_collect(&tail, &generations[i])))
			error_errno(error, -result, "%s", BUNDLE_AUDIT);
	free(generations[0].data);
	free(generations[1].data);
	if (result) {
		audit_lines_free(tail.lines, tail.count);
		return result;
	}
	for (size_t i = 0; i < tail.count / 2; i++) {
		char *line = tail.lines[i];

		tail.lines[i] = tail.lines[tail.count - 1 - i];
		tail.lines[tail.count - 1 - i] = line;
	}
	*lines = tail.lines;
	*line_count = tail.count;
	if (damaged)
		*damaged = tail.damaged;
	return 0;
}

void audit_lines_free(char **lines, size_t line_count)
{
	for (size_t i = 0; i < line_count; i++)
		free(lines[i]);
	free(lines);
}
