/* The list of checks: names, verdicts, and how they are shown. */
#include "cli/checks.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"

#define FOUR(name) name "-udp-v4", name "-tcp-v4", name "-udp-v6", name "-tcp-v6"

static const char *const names[CHECK_COUNT] = {
	"table",
	"policies",
	"sets",
	"rules",
	"elements",
	"other-tables",
	"forwarder",
	"control",
	"port-53",
	"capabilities",
	"resolv-conf",
	"next-start",
	FOUR("answer"),
	FOUR("capture"),
	"denied-name-v4",
	"denied-name-v6",
	FOUR("denied-address"),
	FOUR("private-address"),
	FOUR("metadata"),
};

const char *check_name(enum check_id id)
{
	return names[id];
}

void checks_set(struct checks *checks, enum check_id id, enum check_verdict verdict, const char *format, ...)
{
	struct check *check = &checks->list[id];
	va_list arguments;
	if (check->verdict != CHECK_UNTRIED && check->verdict != CHECK_OK)
		return;
	check->verdict = verdict;
	va_start(arguments, format);
	vsnprintf(check->reason, sizeof(check->reason), format, arguments);
	va_end(arguments);
}

/* A verdict as it counts and as it is written. */
static const struct word {
	const char *table, *json;
	bool counts;
} words[] = {
	[CHECK_UNTRIED] = {"NOT TRIED", "not-tried", true},
	[CHECK_OK] = {"ok", "ok", false},
	[CHECK_FAILED] = {"FAILED", "failed", true},
	[CHECK_NEEDLESS] = {"not tried", "not-tried", false},
	[CHECK_UNKNOWN] = {"NOT TRIED", "not-tried", true},
};

static const char *reason_of(const struct check *check)
{
	return check->verdict == CHECK_UNTRIED ? "the verification ended before it came to this" : check->reason;
}

bool checks_hold(const struct checks *checks)
{
	for (unsigned i = 0; i < CHECK_COUNT; i++) {
		if (words[checks->list[i].verdict].counts)
			return false;
	}
	return true;
}

static const char *verdict_style(enum check_verdict verdict)
{
	switch (verdict) {
	case CHECK_OK:
		return output_style(OUTPUT_GOOD);
	case CHECK_NEEDLESS:
		return output_style(OUTPUT_FAINT);
	case CHECK_UNTRIED:
	case CHECK_FAILED:
	case CHECK_UNKNOWN:
		return output_style(OUTPUT_BAD);
	}
	return "";
}

void checks_print(const struct checks *checks, const char *container, const char *state)
{
	unsigned good = 0, failed = 0, needless = 0, unknown = 0;
	int width = 5;
	for (unsigned i = 0; i < CHECK_COUNT; i++) {
		int length = (int)strlen(names[i]);
		width = length > width ? length : width;
	}
	printf("%-*s  %-9s  %s\n", width, "CHECK", "VERDICT", "REASON");
	for (unsigned i = 0; i < CHECK_COUNT; i++) {
		const struct check *check = &checks->list[i];
		good += check->verdict == CHECK_OK;
		failed += check->verdict == CHECK_FAILED;
		needless += check->verdict == CHECK_NEEDLESS;
		unknown += check->verdict == CHECK_UNKNOWN || check->verdict == CHECK_UNTRIED;
		printf("%-*s  %s%-9s%s  %s\n", width, names[i], verdict_style(check->verdict), words[check->verdict].table,
			output_style(OUTPUT_PLAIN), reason_of(check));
	}
	bool holds = checks_hold(checks);
	printf("The shield of %s %s%s%s in state %s: %u ok, %u FAILED, %u NOT TRIED, %u not tried for want of need\n", container,
		output_style(holds ? OUTPUT_GOOD : OUTPUT_BAD), holds ? "holds" : "DOES NOT HOLD", output_style(OUTPUT_PLAIN), state, good,
		failed, unknown, needless);
}

int checks_print_json(const struct checks *checks, const char *container, const char *state, struct error *error)
{
	cJSON *root = cJSON_CreateObject(), *array = cJSON_CreateArray();
	bool out_of_memory = false;
	for (unsigned i = 0; i < CHECK_COUNT; i++) {
		const struct check *check = &checks->list[i];
		cJSON *object = cJSON_CreateObject();
		output_add(object, "name", output_string(names[i]), &out_of_memory);
		output_add(object, "where", output_string(i < CHECK_INSIDE ? "outside" : "inside"), &out_of_memory);
		output_add(object, "verdict", output_string(words[check->verdict].json), &out_of_memory);
		output_add(object, "counts", cJSON_CreateBool(words[check->verdict].counts), &out_of_memory);
		output_add(object, "reason", output_string(reason_of(check)), &out_of_memory);
		output_add(array, NULL, object, &out_of_memory);
	}
	output_add(root, "container", output_string(container), &out_of_memory);
	output_add(root, "state", output_string(state), &out_of_memory);
	output_add(root, "holds", cJSON_CreateBool(checks_hold(checks)), &out_of_memory);
	output_add(root, "checks", array, &out_of_memory);
	return output_json(root, out_of_memory, error);
}
