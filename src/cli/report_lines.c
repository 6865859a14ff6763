/* The lines of a container's lists. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "policy/rule.h"

/* A line of a profile has "# FILE:LINE" behind it; that of another list is where it stands. */
static int source_take(struct report_line *line, const char *text, size_t length, const char *file, uint32_t number)
{
	const char *mark = memmem(text, length, " # ", 3), *end = text + length;
	const char *colon = mark ? memrchr(mark, ':', (size_t)(end - mark)) : NULL;
	line->number = number;
	if (colon && colon + 1 < end && strspn(colon + 1, "0123456789") >= (size_t)(end - colon - 1)) {
		line->source = strndup(mark + 3, (size_t)(colon - mark - 3));
		line->number = (uint32_t)strtoul(colon + 1, NULL, 10);
	} else {
		line->source = strdup(file);
	}
	return line->source ? 0 : -ENOMEM;
}

static int line_add(struct report_lines *lines, enum bundle_list list, const char *text, size_t length, uint32_t number)
{
	const char *rule = text;
	size_t rule_length = rule_strip(&rule, length);
	if (rule_length == 0)
		return 0;
	if (lines->count == REPORT_LINES_MAX) {
		lines->more++;
		return 0;
	}
	if ((lines->count & (lines->count - 1)) == 0) { /* full: a power of two */
		struct report_line *grown = reallocarray(lines->list, lines->count ? lines->count * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		lines->list = grown;
	}
	struct report_line *line = &lines->list[lines->count++];
	*line = (struct report_line){.rule = strndup(rule, rule_length)};
	line->refuses = *rule == '!' || list == BUNDLE_DENY_LIST || list == BUNDLE_DENIED_DOMAINS;
	return line->rule ? source_take(line, text, length, bundle_list_file(list), number) : -ENOMEM;
}

int report_lines_add(struct report_lines *lines, enum bundle_list list, const char *content)
{
	uint32_t number = 0;
	int rc = 0;
	for (const char *at = content; rc == 0 && *at;) {
		size_t length = strcspn(at, "\n");
		rc = line_add(lines, list, at, length, ++number);
		at += length + (at[length] == '\n');
	}
	return rc;
}

static int place_compare(const char *source, uint32_t number, const struct report_line *line)
{
	int order = strcmp(source, line->source);
	return order ? order : (number > line->number) - (number < line->number);
}

static int by_place(const void *a, const void *b)
{
	const struct report_line *left = a;
	return place_compare(left->source, left->number, b);
}

void report_lines_sort(struct report_lines *lines)
{
	if (lines->count > 0)
		qsort(lines->list, lines->count, sizeof(*lines->list), by_place);
}

static int match_compare(const void *key, const void *element)
{
	const struct policy_match *match = key;
	return place_compare(match->source, match->line, element);
}

struct report_line *report_line_find(const struct report_lines *lines, const struct policy_match *match)
{
	if (match->verdict == POLICY_UNLISTED || lines->count == 0)
		return NULL;
	return bsearch(match, lines->list, lines->count, sizeof(*lines->list), match_compare);
}

void report_lines_free(struct report_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++) {
		free(lines->list[i].rule);
		free(lines->list[i].source);
	}
	free(lines->list);
	*lines = (struct report_lines){0};
}
