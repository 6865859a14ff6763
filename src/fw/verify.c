/* Does the kernel hold what was generated?
 *
 * Theory of operation. The listing (libnftables-json(5), numeric output) is put into the words of ruleset_expect(), a line for each thing
 * in it. Both sides are sorted by kind and name, rules keep their order within a chain, and the first line that differs is the finding.
 * The decompiler knows exactly what ruleset.c writes: every member of every object is looked at, and what it does not know makes a line
 * "... unknown JSON", which is never expected. Strings become words only when they consist of letters, digits and a few signs, so that no
 * string can spell more than one word. Networks may come back as addresses, prefixes or ranges, joined or not; they go through a netset,
 * like those that were rendered.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fw/verify.h"
#include "fw/verify_json.h"

#define LINE_SHOWN_MAX 400 /* octets of a line in a message */

/* ---- objects: each adds its line without the newline ---- */

static bool add_table(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "family", "name", "handle");

	text_add(text, "table inet " RULESET_TABLE);
	return values_known && verify_json_in_table(values[0], values[1]);
}

static bool add_chain(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "family", "table", "name", "handle", "type", "hook", "prio", "policy");
	long long priority;

	text_add(text, "chain ");
	if (!values_known || !verify_json_in_table(values[0], values[1]) || !verify_json_add_word(text, values[2]))
		return false;
	if (!values[4] && !values[5] && !values[6] && !values[7])
		return true;
	text_add(text, " type ");
	if (!verify_json_add_word(text, values[4]))
		return false;
	text_add(text, " hook ");
	if (!verify_json_add_word(text, values[5]) || !verify_json_number(values[6], INT32_MIN, INT32_MAX, &priority))
		return false;
	text_addf(text, " priority %lld policy ", priority);
	return verify_json_add_word(text, values[7]);
}

/* ---- the listing ---- */

static const struct {
	const char *name;
	bool (*add)(struct text *text, const cJSON *json);
} objects[] = {
	{"table", add_table},
	{"chain", add_chain},
	{"set", verify_set_add},
	{"rule", verify_rule_add},
};

static void add_object(struct text *text, const cJSON *json)
{
	const cJSON *member = verify_json_only_member(json);

	if (member && !strcmp(member->string, "metainfo"))
		return;
	for (size_t i = 0; member && i < sizeof(objects) / sizeof(*objects); i++) {
		if (strcmp(objects[i].name, member->string))
			continue;
		if (!objects[i].add(text, member)) {
			text_add(text, " ");
			verify_json_add_unknown(text, member);
		}
		text_add(text, "\n");
		return;
	}
	verify_json_add_unknown(text, json);
	text_add(text, "\n");
}

/* An object of another table: none of ours to judge. */
static bool is_foreign(const cJSON *object)
{
	const cJSON *member = verify_json_only_member(object);
	const cJSON *family = cJSON_GetObjectItemCaseSensitive(member, "family");
	const cJSON *table = cJSON_GetObjectItemCaseSensitive(member, member && !strcmp(member->string, "table") ? "name" : "table");

	return cJSON_IsString(family) && cJSON_IsString(table) && !verify_json_in_table(family, table);
}

/* elements: lines that the listing does not have; NULL when it has them, and is of one table only. */
static int decompile(const char *json, const char *elements, struct text *text, struct error *error)
{
	cJSON *document = cJSON_ParseWithOpts(json, NULL, true);
	const cJSON *list = verify_json_only_member(document), *item;
	int result = 0;

	if (list && !strcmp(list->string, "nftables") && cJSON_IsArray(list)) {
		cJSON_ArrayForEach(item, list)
		{
			if (!elements || !is_foreign(item))
				add_object(text, item);
		}
	} else {
		result = error_set(error, EBADMSG, "the listing of table inet " RULESET_TABLE " is not nftables' JSON");
	}
	cJSON_Delete(document);
	if (elements)
		text_add(text, elements);
	if (!result && text_failed(text))
		result = error_errno(error, ENOMEM, "cannot verify the ruleset");
	return result;
}

/* ---- comparing ---- */

struct line {
	const char *text;
	size_t key_length; /* the kind and the name */
	size_t index;
};

struct lines {
	struct line *lines;
	size_t count;
};

static int compare_keys(const struct line *a, const struct line *b)
{
	size_t shorter = a->key_length < b->key_length ? a->key_length : b->key_length;
	int order = memcmp(a->text, b->text, shorter);

	return order ? order : (a->key_length > b->key_length) - (a->key_length < b->key_length);
}

static int compare_lines(const void *left, const void *right)
{
	const struct line *a = left, *b = right;
	int order = compare_keys(a, b);

	if (order)
		return order;
	/* Elements have no order of their own; the rules of a chain have. */
	if (!strncmp(a->text, "element ", strlen("element ")))
		return strcmp(a->text, b->text);
	return (a->index > b->index) - (a->index < b->index);
}

/* Cuts the text into lines, in place, and sorts them. */
static int split_lines(struct text *text, struct lines *lines)
{
	size_t count = 0;
	char *next = text->data, *end;

	for (size_t i = 0; i < text->length; i++)
		count += text->data[i] == '\n';
	lines->lines = calloc(count ? count : 1, sizeof(*lines->lines));
	if (!lines->lines)
		return -ENOMEM;
	while (lines->count < count && (end = strchr(next, '\n'))) {
		struct line *line = &lines->lines[lines->count];
		size_t kind = strcspn(next, " \n");

		*end = '\0';
		line->text = next;
		line->key_length = next[kind] ? kind + 1 + strcspn(next + kind + 1, " ") : kind;
		line->index = lines->count++;
		next = end + 1;
	}
	qsort(lines->lines, lines->count, sizeof(*lines->lines), compare_lines);
	return 0;
}

/* Lines can be shown as they are: what is unknown in them is escaped already, and the rest are words. */
static int report(const struct line *expected, const struct line *found, struct error *error)
{
	int order = !expected ? 1 : !found ? -1 : compare_keys(expected, found);

	if (order < 0)
		return error_set(
			error, EBADMSG, "the kernel's ruleset is not the expected one: it lacks '%.*s'", LINE_SHOWN_MAX, expected->text);
	if (order > 0)
		return error_set(
			error, EBADMSG, "the kernel's ruleset is not the expected one: it has '%.*s'", LINE_SHOWN_MAX, found->text);
	return error_set(error, EBADMSG, "the kernel's ruleset is not the expected one: expected '%.*s', found '%.*s'", LINE_SHOWN_MAX,
		expected->text, LINE_SHOWN_MAX, found->text);
}

/* What is not understood says more than what is missing because of it. */
static const struct line *find_unknown(const struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		if (!strncmp(lines->lines[i].text, "unknown ", strlen("unknown ")) || strstr(lines->lines[i].text, " unknown "))
			return &lines->lines[i];
	return NULL;
}

/* True for an element that ends about now: the kernel may have ended it already. */
static bool is_ending(const struct line *line)
{
	const char *until = strstr(line->text, " " RULESET_UNTIL);
	int64_t until_s;

	return !strncmp(line->text, "element ", strlen("element ")) && until &&
	       !clock_wall_parse(until + 1 + strlen(RULESET_UNTIL), &until_s) && until_s - clock_lasting_s() <= RULESET_END_SLACK_S;
}

static int compare_split(const struct lines *expected, const struct lines *found, struct error *error)
{
	const struct line *unknown;
	size_t i = 0, j = 0;

	while (i < expected->count || j < found->count) {
		if (i < expected->count && j < found->count && !strcmp(expected->lines[i].text, found->lines[j].text))
			j++;
		else if (i == expected->count || !is_ending(&expected->lines[i]))
			break;
		i++;
	}
	if (i == expected->count && j == found->count)
		return 0;
	unknown = find_unknown(found);
	if (unknown)
		return report(NULL, unknown, error);
	return report(i < expected->count ? &expected->lines[i] : NULL, j < found->count ? &found->lines[j] : NULL, error);
}

/* text holds what the lines point into. */
static int expect_lines(const struct ruleset *ruleset, struct text *text, struct lines *expected, struct error *error)
{
	text_add(text, "table inet " RULESET_TABLE "\n");
	ruleset_expect(ruleset, text);
	if (text_failed(text) || split_lines(text, expected))
		return error_errno(error, ENOMEM, "cannot verify the ruleset");
	return 0;
}

static int compare(const struct ruleset *ruleset, const struct lines *found, struct error *error)
{
	cleanup_text struct text text = {0};
	struct lines expected = {0};
	int result = expect_lines(ruleset, &text, &expected, error);

	if (!result)
		result = compare_split(&expected, found, error);
	free(expected.lines);
	return result;
}

int verify_parts(const struct ruleset *ruleset, const char *json, const char *elements, struct error *error)
{
	cleanup_text struct text text = {0};
	struct lines found = {0};
	int result = decompile(json, elements, &text, error);

	if (result)
		return result;
	if (split_lines(&text, &found))
		return error_errno(error, ENOMEM, "cannot verify the ruleset");
	result = compare(ruleset, &found, error);
	free(found.lines);
	return result;
}

int verify_ruleset(const struct ruleset *ruleset, const char *json, struct error *error)
{
	return verify_parts(ruleset, json, NULL, error);
}

enum shield_state verify_parts_state(const struct ruleset *ruleset, const char *json, const char *elements, struct error *error)
{
	static const enum shield_state states[] = {SHIELD_UP, SHIELD_DOWN, SHIELD_DOWN_ALL, SHIELD_BLOCK};
	cleanup_text struct text text = {0};
	struct ruleset other = *ruleset;
	enum shield_state state = SHIELD_ERROR;
	struct lines found = {0};

	if (decompile(json, elements, &text, error))
		return SHIELD_ERROR;
	if (split_lines(&text, &found)) {
		error_errno(error, ENOMEM, "cannot verify the ruleset");
		return SHIELD_ERROR;
	}
	for (size_t i = 0; state == SHIELD_ERROR && i < sizeof(states) / sizeof(*states); i++) {
		other.state = states[i];
		if (!compare(&other, &found, NULL))
			state = states[i];
	}
	if (state == SHIELD_ERROR)
		compare(ruleset, &found, error);
	free(found.lines);
	return state;
}

/* ---- by kind ---- */

static enum verify_kind line_kind(const struct line *line)
{
	static const struct {
		const char *word;
		enum verify_kind kind;
	} words[] = {{"chain ", VERIFY_CHAINS}, {"set ", VERIFY_SETS}, {"rule ", VERIFY_RULES}, {"element ", VERIFY_ELEMENTS}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strncmp(line->text, words[i].word, strlen(words[i].word)))
			return words[i].kind;
	return VERIFY_TABLE; /* and whatever in it no shield makes */
}

/* The lines of one kind, in their order. -ENOMEM. */
static int lines_of(const struct lines *all, enum verify_kind kind, struct lines *some)
{
	some->lines = calloc(all->count ? all->count : 1, sizeof(*some->lines));
	if (!some->lines)
		return -ENOMEM;
	for (size_t i = 0; i < all->count; i++)
		if (line_kind(&all->lines[i]) == kind)
			some->lines[some->count++] = all->lines[i];
	return 0;
}

static int compare_kind(
	const struct lines *expected, const struct lines *found, enum verify_kind kind, struct error *difference, struct error *error)
{
	struct lines wanted = {0}, there = {0};
	int result = lines_of(expected, kind, &wanted) ?: lines_of(found, kind, &there);

	if (result)
		error_errno(error, ENOMEM, "cannot verify the ruleset");
	else
		compare_split(&wanted, &there, difference);
	free(wanted.lines);
	free(there.lines);
	return result;
}

int verify_parts_each(const struct ruleset *ruleset, const char *json, const char *elements, struct error differences[VERIFY_KINDS],
	struct error *error)
{
	cleanup_text struct text found_text = {0}, expected_text = {0};
	struct lines found = {0}, expected = {0};
	int result = decompile(json, elements, &found_text, error);

	if (!result)
		result = expect_lines(ruleset, &expected_text, &expected, error);
	if (!result && split_lines(&found_text, &found))
		result = error_errno(error, ENOMEM, "cannot verify the ruleset");
	for (unsigned kind = 0; !result && kind < VERIFY_KINDS; kind++)
		result = compare_kind(&expected, &found, kind, &differences[kind], error);
	free(expected.lines);
	free(found.lines);
	return result;
}

enum shield_state verify_state(const struct ruleset *ruleset, const char *json, struct error *error)
{
	return verify_parts_state(ruleset, json, NULL, error);
}
