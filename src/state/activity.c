/* What a container has asked for and reached: reading and writing activity.json's lines. */
#include "state/activity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "policy/protocol.h"
#include "state/json.h"

#define TIME_TEXT_MAX 32

static const char *const kinds[] = {
	[ACTIVITY_NAME] = "name", [ACTIVITY_CONNECTION] = "connection", [ACTIVITY_ADDRESS] = "address", [ACTIVITY_SHARED] = "shared"};

static const char *const verdicts[ACTIVITY_VERDICTS] = {
	[ACTIVITY_ALLOWED] = "allowed",
	[ACTIVITY_BYPASSED] = "bypassed",
	[ACTIVITY_REFUSED] = "refused",
	[ACTIVITY_BLOCKED] = "blocked",
	[ACTIVITY_DENIED] = "denied",
	[ACTIVITY_PRIVATE] = "private",
};

const char *activity_verdict_name(enum activity_verdict verdict)
{
	return verdicts[verdict];
}

/* ---- writing ---- */

void activity_print_head(struct text *text, const struct activity *head)
{
	char buffer[512], when[TIME_TEXT_MAX];
	struct json_line line;

	json_line_begin(&line, buffer, sizeof(buffer));
	json_line_number(&line, "format", ACTIVITY_FORMAT);
	json_line_string(&line, "container", head->container);
	json_line_string(&line, "since", clock_wall_text(when, sizeof(when), head->since));
	json_line_number(&line, "full", head->full);
	text_add_bytes(text, line.data, line.length);
	text_add(text, ",\"rows\":[");
}

static void print_name_or_null(struct json_line *line, const char *name)
{
	if (name)
		json_line_string(line, "name", name);
	else
		json_line_null(line, "name");
}

static void print_port(struct json_line *line, const struct activity_row *row)
{
	char protocol[PROTOCOL_TEXT_MAX];

	if (row->has_port)
		json_line_number(line, "port", row->port);
	else
		json_line_null(line, "port");
	json_line_string(line, "proto", protocol_format(row->protocol, protocol));
}

static bool kind_has_verdict(enum activity_kind kind)
{
	return kind == ACTIVITY_NAME || kind == ACTIVITY_CONNECTION;
}

bool activity_print_row(struct json_line *line, char *buffer, size_t size, const struct activity_row *row)
{
	char address[ADDR_TEXT_MAX], when[TIME_TEXT_MAX];

	json_line_begin(line, buffer, size);
	json_line_string(line, "kind", kinds[row->kind]);
	print_name_or_null(line, row->name);
	if (row->kind != ACTIVITY_NAME)
		json_line_string(line, "dest", addr_format(&row->dest, address));
	if (row->kind == ACTIVITY_CONNECTION || row->has_port)
		print_port(line, row);
	if (row->kind == ACTIVITY_ADDRESS) {
		json_line_number(line, "packets", row->packets);
		json_line_number(line, "bytes", row->bytes);
	}
	if (kind_has_verdict(row->kind))
		json_line_string(line, "verdict", verdicts[row->verdict]);
	json_line_string(line, "first", clock_wall_text(when, sizeof(when), row->first));
	json_line_string(line, "last", clock_wall_text(when, sizeof(when), row->last));
	if (kind_has_verdict(row->kind))
		json_line_number(line, "count", row->count);
	if (row->kind == ACTIVITY_CONNECTION)
		json_line_number(line, "made", row->made);
	return json_line_end(line);
}

/* ---- reading ---- */

static int read_word(const struct json *json, const char *key, const char *const *words, size_t count, unsigned *number)
{
	const char *value;
	int result = json_string(json, key, &value);

	if (result)
		return result;
	for (*number = 0; *number < count; ++*number)
		if (words[*number] && !strcmp(words[*number], value))
			return 0;
	return json_bad(json, key, value, "is not one of its words");
}

static int read_time(const struct json *json, const char *key, int64_t *wall_s)
{
	const char *value;
	int result = json_string(json, key, &value);

	if (result)
		return result;
	return clock_wall_parse(value, wall_s) ? json_bad(json, key, value, "is not a time as the audit log has it") : 0;
}

static int read_address(const struct json *json, struct addr *addr)
{
	const char *value;
	int result = json_string(json, "dest", &value);

	if (result)
		return result;
	return addr_parse(addr, value, strlen(value)) ? json_bad(json, "dest", value, "is not an address") : 0;
}

/* A name in the one spelling that name_to_text() has, or null. */
static int read_name(const struct json *json, struct activity_row *row)
{
	char text[NAME_TEXT_MAX];
	const char *value;
	struct name name;
	int result;

	if ((row->kind == ACTIVITY_CONNECTION || row->kind == ACTIVITY_ADDRESS) && json_is_null(json, "name"))
		return 0;
	result = json_string(json, "name", &value);
	if (result)
		return result;
	if (name_from_text(&name, value, strlen(value)))
		return json_bad(json, "name", value, "is not a domain name");
	name_to_text(&name, text);
	row->name = strdup(text);
	return row->name ? 0 : error_errno(json->error, ENOMEM, BUNDLE_ACTIVITY);
}

static int read_port(const struct json *json, struct activity_row *row)
{
	const char *protocol;
	uint64_t port = 0;
	int result = json_string(json, "proto", &protocol);

	row->has_port = !json_is_null(json, "port");
	if (!result && row->has_port)
		result = json_number(json, "port", UINT16_MAX, &port);
	if (result)
		return result;
	row->port = (uint16_t)port;
	return protocol_parse(&row->protocol, row->dest.family, protocol) ? json_bad(json, "proto", protocol, "is not a protocol") : 0;
}

/* An address of a name that is allowed for one port only has that port. keys: the last two are that port's. */
static int read_element(const struct json *json, const char *const *keys, size_t count, struct activity_row *row)
{
	bool for_port = json_has(json, "port");
	int result = json_check_keys(json, keys, count - (for_port ? 0 : 2)) ?: read_address(json, &row->dest);

	return result || !for_port ? result : read_port(json, row);
}

static int read_shared_row(const struct json *json, struct activity_row *row)
{
	static const char *const keys[] = {"kind", "name", "dest", "first", "last", "port", "proto"};

	return read_element(json, keys, sizeof(keys) / sizeof(*keys), row);
}

static int read_address_row(const struct json *json, struct activity_row *row)
{
	static const char *const keys[] = {"kind", "name", "dest", "packets", "bytes", "first", "last", "port", "proto"};
	int result = read_element(json, keys, sizeof(keys) / sizeof(*keys), row);

	result = result ?: json_number(json, "packets", JSON_NUMBER_MAX, &row->packets);
	return result ?: json_number(json, "bytes", JSON_NUMBER_MAX, &row->bytes);
}

static int read_members(const struct json *json, struct activity_row *row)
{
	static const char *const name_keys[] = {"kind", "name", "verdict", "first", "last", "count"};
	static const char *const connection_keys[] = {"kind", "name", "dest", "port", "proto", "verdict", "first", "last", "count", "made"};
	unsigned kind = 0, verdict = 0;
	int result = read_word(json, "kind", kinds, sizeof(kinds) / sizeof(*kinds), &kind);

	if (result)
		return result;
	row->kind = kind;
	switch (row->kind) {
	case ACTIVITY_NAME:
		result = json_check_keys(json, name_keys, sizeof(name_keys) / sizeof(*name_keys));
		break;
	case ACTIVITY_CONNECTION:
		result = json_check_keys(json, connection_keys, sizeof(connection_keys) / sizeof(*connection_keys))
				 ?: read_address(json, &row->dest) ?: read_port(json, row)
				 ?: json_number(json, "made", JSON_NUMBER_MAX, &row->made);
		break;
	case ACTIVITY_ADDRESS:
		result = read_address_row(json, row);
		break;
	case ACTIVITY_SHARED:
		result = read_shared_row(json, row);
		break;
	}
	if (!result && kind_has_verdict(row->kind))
		result = read_word(json, "verdict", verdicts, ACTIVITY_VERDICTS, &verdict)
				 ?: json_number(json, "count", JSON_NUMBER_MAX, &row->count);
	row->verdict = verdict;
	return result ?: read_time(json, "first", &row->first) ?: read_time(json, "last", &row->last) ?: read_name(json, row);
}

/* number: of the line, from 1 on. */
static int read_row(const char *line, size_t length, size_t number, struct activity_row *row, struct error *error)
{
	cleanup_json struct json json = {0};
	char file[64];
	int result;

	snprintf(file, sizeof(file), BUNDLE_ACTIVITY " line %zu", number);
	result = json_open(&json, file, line, length, error);

	*row = (struct activity_row){0};
	return result ?: read_members(&json, row);
}

static int read_head(const char *line, size_t length, struct activity *head, struct error *error)
{
	static const char *const keys[] = {"format", "container", "since", "full", "rows"};
	cleanup_json struct json json = {0};
	cleanup_text struct text whole = {0};
	const char *container = "";
	uint64_t format = 0;
	int result;

	text_add_bytes(&whole, line, length);
	text_add(&whole, "]}");
	if (text_failed(&whole))
		return error_errno(error, ENOMEM, BUNDLE_ACTIVITY);
	result = json_open(&json, BUNDLE_ACTIVITY, whole.data, whole.length, error)
			 ?: json_number(&json, "format", JSON_NUMBER_MAX, &format);
	if (!result && format != ACTIVITY_FORMAT)
		return error_set(error, EPROTO, BUNDLE_ACTIVITY " is of another version of terok-shield; remove it to begin anew");
	result = result ?: json_check_keys(&json, keys, sizeof(keys) / sizeof(*keys)) ?: json_string(&json, "container", &container)
		?: read_time(&json, "since", &head->since) ?: json_number(&json, "full", JSON_NUMBER_MAX, &head->full);
	if (!result && snprintf(head->container, sizeof(head->container), "%s", container) >= (int)sizeof(head->container))
		return json_bad(&json, "container", container, "is too long for a name");
	return result;
}

/* The next line without its newline and without the comma that ends a row. False at the end. */
static bool next_line(const char **at, const char *end, const char **line, size_t *length)
{
	const char *newline;

	if (*at == end)
		return false;
	newline = memchr(*at, '\n', (size_t)(end - *at));
	newline = newline ? newline : end;
	*line = *at;
	*length = (size_t)(newline - *at);
	if (*length && (*line)[*length - 1] == ',')
		--*length;
	*at = newline == end ? end : newline + 1;
	return true;
}

int activity_parse(const char *data, size_t size, struct activity *head, int (*visit)(void *context, const struct activity_row *row),
	void *context, struct error *error)
{
	const char *at = data, *end = data + size, *line = "";
	size_t length = 0, number = 1;
	int result;

	if (!next_line(&at, end, &line, &length))
		return error_set(error, EINVAL, BUNDLE_ACTIVITY " is empty");
	result = read_head(line, length, head, error);
	while (!result && next_line(&at, end, &line, &length)) {
		struct activity_row row;

		if (length == 2 && !memcmp(line, "]}", 2) && at == end)
			return 0;
		result = read_row(line, length, ++number, &row, error) ?: visit(context, &row);
		free(row.name);
	}
	return result ?: error_set(error, EINVAL, BUNDLE_ACTIVITY " was cut off");
}

int activity_each(const struct bundle *bundle, struct activity *head, int (*visit)(void *context, const struct activity_row *row),
	void *context, struct error *error)
{
	cleanup_free char *data = NULL;
	size_t length;
	int result = bundle_read(bundle, BUNDLE_ACTIVITY, ACTIVITY_FILE_MAX, &data, &length, error);

	*head = (struct activity){0};
	return result ?: activity_parse(data, length, head, visit, context, error);
}

static int keep_row(void *context, const struct activity_row *row)
{
	struct activity *activity = context;
	struct activity_row *kept;

	if (!(activity->count & (activity->count - 1))) { /* full at each power of two, and at none */
		struct activity_row *rows = realloc(activity->rows, (activity->count ? activity->count * 2 : 1) * sizeof(*rows));

		if (!rows)
			return -ENOMEM;
		activity->rows = rows;
	}
	kept = &activity->rows[activity->count];
	*kept = *row;
	if (row->name && !(kept->name = strdup(row->name)))
		return -ENOMEM;
	activity->count++;
	return 0;
}

int activity_read(const struct bundle *bundle, struct activity *activity, struct error *error)
{
	struct activity rows = {0}, head;
	struct error missing = {0};
	int result = activity_each(bundle, &head, keep_row, &rows, &missing);

	if (result == -ENOMEM)
		error_errno(&missing, ENOMEM, "reading " BUNDLE_ACTIVITY);
	*activity = head;
	activity->rows = rows.rows;
	activity->count = rows.count;
	if (!result || result == -ENOENT)
		return 0;
	activity_free(activity);
	return error_set(error, -result, "%s", missing.text);
}

void activity_free(struct activity *activity)
{
	for (size_t i = 0; i < activity->count; i++)
		free(activity->rows[i].name);
	free(activity->rows);
	*activity = (struct activity){0};
}
