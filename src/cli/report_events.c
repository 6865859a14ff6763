/* What was decided about a container, and what went wrong: lines of its audit log. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/report.h"

static const struct {
	const char *action;
	enum report_event_kind kind;
} actions[] = {
	{"setup", REPORT_START},
	{"shield_up", REPORT_UP},
	{"shield_down", REPORT_DOWN},
	{"shield_block", REPORT_BLOCK},
	{"allowed", REPORT_ALLOW},
	{"denied", REPORT_DENY},
	{"budget", REPORT_BUDGET},
	{"error", REPORT_ERROR},
	{"note", REPORT_NOTE},
};

static const char *member(const cJSON *object, const char *name)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, name);
	return cJSON_IsString(value) ? value->valuestring : "";
}

static void kind_find(struct report_event *event, const char *action)
{
	event->kind = REPORT_NOTE;
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (strcmp(actions[i].action, action) == 0)
			event->kind = actions[i].kind;
	}
}

/* 1: taken; 0: passed over. */
static int event_parse(struct report_event *event, const cJSON *object)
{
	const char *action = member(object, "action"), *detail = member(object, "detail");
	*event = (struct report_event){0};
	if (!*action || strcmp(action, "blocked") == 0 || clock_wall_parse(member(object, "ts"), &event->at))
		return 0;
	kind_find(event, action);
	if (event->kind == REPORT_DOWN && *detail)
		event->kind = REPORT_DOWN_ALL; /* it says "all traffic" */
	event->subject = strdup(member(object, "dest"));
	event->detail = strdup(detail);
	return event->subject && event->detail ? 1 : -ENOMEM;
}

static void event_free(struct report_event *event)
{
	free(event->subject);
	free(event->detail);
	*event = (struct report_event){0};
}

int report_events_take(struct report_events *events, char *const *lines, size_t count)
{
	size_t taken = 0;
	events->list = calloc(REPORT_EVENTS_MAX, sizeof(*events->list));
	if (!events->list)
		return -ENOMEM;
	/* From the end, into the place that it has when all fit. */
	for (size_t i = count; i-- > 0;) {
		struct report_event event;
		cJSON *object = cJSON_Parse(lines[i]);
		int rc = event_parse(&event, object);
		cJSON_Delete(object);
		if (rc < 0 || (rc > 0 && taken == REPORT_EVENTS_MAX))
			event_free(&event);
		if (rc < 0)
			return rc;
		if (rc > 0 && taken == REPORT_EVENTS_MAX)
			events->more++;
		else if (rc > 0)
			events->list[REPORT_EVENTS_MAX - ++taken] = event;
	}
	memmove(events->list, events->list + REPORT_EVENTS_MAX - taken, taken * sizeof(*events->list));
	events->count = taken;
	return 0;
}

void report_events_free(struct report_events *events)
{
	for (size_t i = 0; i < events->count; i++)
		event_free(&events->list[i]);
	free(events->list);
	*events = (struct report_events){0};
}
