/* Events of a container, read from their lines.
 *
 * The forwarder's worker faces hostile input, and much in a line is the workload's own choice: a line's strings are bounded, and what JSON
 * may hide in them (\u001b) does not come out of here as it is. */
#include "cli/event.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct {
	const char *source, *action; /* NULL: every other */
	enum event_kind kind;
} kinds[] = {
	{"dns", "blocked_query", EVENT_REFUSED},
	{"dns", "learned", EVENT_LEARNED},
	{"dns", "renewed", EVENT_RENEWED},
	{"dns", "ended", EVENT_EXPIRED},
	{"nflog", "queued_connection", EVENT_BLOCKED},
	{"nflog", "blocked_connection", EVENT_DENIED},
	{"nflog", "private_range", EVENT_PRIVATE},
	{"nflog", "allowed_connection", EVENT_REACHED},
	{"nflog", "bypass_connection", EVENT_BYPASSED},
	{"audit", NULL, EVENT_AUDIT},
	{"shield", "lost", EVENT_LOST},
	{"shield", "hello", EVENT_HELLO},
	{"shield", "ended", EVENT_ENDED},
};

#define AT(member) offsetof(struct event, member), sizeof(((struct event *)NULL)->member)

static const struct {
	const char *name;
	size_t offset, size;
} strings[] = {
	{"ts", AT(time)},
	{"source", AT(source)},
	{"action", AT(action)},
	{"container", AT(container)},
	{"domain", AT(domain)},
	{"query_type", AT(query_type)},
	{"dest", AT(dest)},
	{"detail", AT(detail)},
	{"proto", AT(proto)},
};

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	{"count", offsetof(struct event, count)},
	{"lifetime_s", offsetof(struct event, lifetime_s)},
	{"seq", offsetof(struct event, seq)},
};

static enum event_kind kind_of(const struct event *event)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(event->source, kinds[i].source) == 0 && (!kinds[i].action || strcmp(event->action, kinds[i].action) == 0))
			return kinds[i].kind;
	}
	return EVENT_OTHER;
}

/* As it is where that is printable and fits, so that a name with a backslash stays what a command would take. */
static void string_take(char *out, size_t size, const char *string)
{
	size_t length = 0;
	while (length < size && string[length] >= ' ' && string[length] <= '~')
		length++;
	if (length < size && string[length] == '\0')
		memcpy(out, string, length + 1);
	else
		text_escaped(out, size, string);
}

static int string_read(struct event *event, const cJSON *object, size_t which, struct error *error)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, strings[which].name);
	if (member && !cJSON_IsString(member))
		return error_set(error, EINVAL, "an event's '%s' is not a string", strings[which].name);
	if (member)
		string_take((char *)event + strings[which].offset, strings[which].size, member->valuestring);
	return 0;
}

static int number_read(const cJSON *object, const char *name, uint64_t max, uint64_t *number, struct error *error)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);
	if (!member)
		return 0;
	/* Written so that a NaN is refused too. */
	if (!cJSON_IsNumber(member) || !(member->valuedouble >= 0 && member->valuedouble <= (double)max))
		return error_set(error, EINVAL, "an event's '%s' is not a number of that kind", name);
	*number = (uint64_t)member->valuedouble;
	return 0;
}

static int members_read(struct event *event, const cJSON *object, struct error *error)
{
	int rc = 0;
	uint64_t port = 0;
	for (size_t i = 0; rc == 0 && i < sizeof(strings) / sizeof(*strings); i++)
		rc = string_read(event, object, i, error);
	for (size_t i = 0; rc == 0 && i < sizeof(numbers) / sizeof(*numbers); i++)
		rc = number_read(object, numbers[i].name, UINT64_C(1) << 53, (uint64_t *)((char *)event + numbers[i].offset), error);
	if (!rc)
		rc = number_read(object, "port", UINT16_MAX, &port, error);
	event->port = (uint16_t)port;
	return rc;
}

int event_parse(struct event *event, const char *line, struct error *error)
{
	cJSON *object = cJSON_ParseWithOpts(line, NULL, 1);
	*event = (struct event){0};
	int rc = cJSON_IsObject(object) ? members_read(event, object, error) : error_set(error, EINVAL, "an event is not a JSON object");
	cJSON_Delete(object);
	if (!rc && (!event->source[0] || !event->action[0]))
		rc = error_set(error, EINVAL, "an event without source or action");
	event->kind = kind_of(event);
	event->count += event->count == 0;
	return rc;
}

bool event_is_refusal(const struct event *event)
{
	switch (event->kind) {
	case EVENT_REFUSED:
	case EVENT_BLOCKED:
	case EVENT_DENIED:
	case EVENT_PRIVATE:
		return true;
	case EVENT_LEARNED:
	case EVENT_RENEWED:
	case EVENT_EXPIRED:
	case EVENT_REACHED:
	case EVENT_BYPASSED:
	case EVENT_AUDIT:
	case EVENT_LOST:
	case EVENT_HELLO:
	case EVENT_ENDED:
	case EVENT_OTHER:
		return false;
	}
	return false;
}

const char *event_peer(char text[EVENT_PEER_MAX], const char *dest, uint16_t port, const char *proto)
{
	bool v6 = strchr(dest, ':') != NULL;
	if (port)
		snprintf(
			text, EVENT_PEER_MAX, "%s%.264s%s:%u%s%.16s", v6 ? "[" : "", dest, v6 ? "]" : "", port, proto[0] ? "/" : "", proto);
	else
		snprintf(text, EVENT_PEER_MAX, "%.264s%s%.16s", dest, proto[0] ? " " : "", proto);
	return text;
}
