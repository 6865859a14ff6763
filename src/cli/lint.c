/* Profiles looked over.
 *
 * The rules that are rules are sorted by name or network, so that what could cover one is found by a search for each of its parents:
 * a list of a million lines takes seconds, not days. */
#include "cli/lint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "config/profile.h"
#include "policy/name_guess.h"

const char *lint_kind_name(enum lint_kind kind)
{
	static const char *const names[] = {[LINT_ERROR] = "error",
		[LINT_SHARED] = "shared-hosting",
		[LINT_DUPLICATE] = "duplicate",
		[LINT_COVERED] = "covered"};
	return names[kind];
}

struct entry {
	struct rule rule;
	uint32_t line;
};

struct entries {
	struct entry *list; /* sorted once all are there */
	size_t count, capacity;
};

static int finding_add(struct lint *lint, uint32_t line, enum lint_kind kind, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static int finding_add(struct lint *lint, uint32_t line, enum lint_kind kind, const char *format, ...)
{
	if (lint->count == lint->capacity) {
		size_t capacity = lint->capacity ? lint->capacity * 2 : 16;
		struct lint_finding *grown = reallocarray(lint->findings, capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		lint->findings = grown;
		lint->capacity = capacity;
	}
	struct lint_finding *finding = &lint->findings[lint->count++];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(finding->text, sizeof(finding->text), format, arguments);
	va_end(arguments);
	finding->line = line;
	finding->kind = kind;
	return 0;
}

static int entry_add(struct entries *entries, const struct rule *rule, uint32_t line)
{
	if (entries->count == entries->capacity) {
		size_t capacity = entries->capacity ? entries->capacity * 2 : 64;
		struct entry *grown = reallocarray(entries->list, capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		entries->list = grown;
		entries->capacity = capacity;
	}
	entries->list[entries->count++] = (struct entry){.rule = *rule, .line = line};
	return 0;
}

/* ---- order ---- */

/* By what a rule names, whatever it says about it: networks and names apart. */
static int subject_compare(const struct rule *a, const struct rule *b)
{
	bool net_a = a->kind == RULE_NET, net_b = b->kind == RULE_NET;
	if (net_a != net_b)
		return net_a ? 1 : -1;
	if (!net_a) {
		if (a->name.length != b->name.length)
			return (int)a->name.length - (int)b->name.length;
		return memcmp(a->name.wire, b->name.wire, a->name.length);
	}
	if (a->net.addr.family != b->net.addr.family)
		return (int)a->net.addr.family - (int)b->net.addr.family;
	if (a->net.prefix_length != b->net.prefix_length)
		return (int)a->net.prefix_length - (int)b->net.prefix_length;
	return memcmp(a->net.addr.octets, b->net.addr.octets, sizeof(a->net.addr.octets));
}

static int entry_compare(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = subject_compare(&a->rule, &b->rule);
	return order ? order : a->line < b->line ? -1 : a->line > b->line;
}

/* The first entry about the subject, or NULL; the others follow it. */
static const struct entry *entries_find(const struct entries *entries, const struct rule *subject)
{
	size_t first = 0, end = entries->count;
	while (first < end) {
		size_t middle = first + (end - first) / 2;
		if (subject_compare(&entries->list[middle].rule, subject) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first < entries->count && subject_compare(&entries->list[first].rule, subject) == 0 ? &entries->list[first] : NULL;
}

/* ---- findings ---- */

static int shared_check(struct lint *lint, const struct entry *entry)
{
	const struct rule *rule = &entry->rule;
	if (rule->kind == RULE_NET || rule->exclude)
		return 0;
	const struct name_guess_hosting *host = name_guess_hosting_under(&rule->name);
	char text[NAME_TEXT_MAX];
	name_to_text(&rule->name, text);
	bool itself = host && strcmp(host->suffix, text) == 0;
	if (!host || host->pages || (rule->kind == RULE_EXACT && !(itself && host->whole)))
		return 0;
	return finding_add(lint, entry->line, LINT_SHARED, "%s%.300s%s%s is shared hosting (%s); name the hosts that are meant",
		rule->kind == RULE_BELOW ? "*." : "", text, itself ? "" : ", which covers ", itself ? "" : host->suffix, host->who);
}

static bool ports_cover(const struct rule *outer, const struct rule *inner)
{
	return outer->port == 0 || (outer->port == inner->port && (outer->protocol == 0 || outer->protocol == inner->protocol));
}

/* What about one subject, a parent of entry's or its own, says the same already. stop: set when a '!' rule about it makes entry's rule
 * an exception that is needed. */
static const struct entry *cover_among(const struct entries *entries, const struct entry *first, const struct entry *entry, bool own, bool *stop)
{
	const struct entry *found = NULL;
	for (const struct entry *at = first; at && at < entries->list + entries->count && subject_compare(&at->rule, &first->rule) == 0; at++) {
		bool same = at->rule.kind == entry->rule.kind && at->rule.port == entry->rule.port && at->rule.protocol == entry->rule.protocol;
		if (at == entry || (own && same))
			continue; /* itself, or a duplicate, which is told as such */
		if (at->rule.exclude != entry->rule.exclude) {
			*stop = true;
			continue;
		}
		bool reaches = at->rule.kind == RULE_NET || at->rule.kind == RULE_TREE || (at->rule.kind == RULE_BELOW && !own);
		if (reaches && ports_cover(&at->rule, &entry->rule) && !found)
			found = at;
	}
	return found;
}

static int cover_tell(struct lint *lint, const struct entry *entry, const struct entry *cover)
{
	cleanup_text struct text inner = {0};
	cleanup_text struct text outer = {0};
	rule_format(&entry->rule, &inner);
	rule_format(&cover->rule, &outer);
	if (text_failed(&inner) || text_failed(&outer))
		return -ENOMEM;
	return finding_add(lint, entry->line, LINT_COVERED, "%.400s is covered by %.400s in line %u", inner.data, outer.data, cover->line);
}

static int name_cover_check(struct lint *lint, const struct entries *entries, const struct entry *entry)
{
	bool stop = false;
	size_t at = 0;
	for (unsigned depth = name_label_count(&entry->rule.name); depth > 0 && !stop; depth--) {
		struct rule subject = {.kind = RULE_TREE, .name.length = (uint8_t)(entry->rule.name.length - at)};
		memcpy(subject.name.wire, entry->rule.name.wire + at, subject.name.length);
		const struct entry *first = entries_find(entries, &subject);
		const struct entry *cover = first ? cover_among(entries, first, entry, at == 0, &stop) : NULL;
		if (cover && !stop)
			return cover_tell(lint, entry, cover);
		at += 1u + entry->rule.name.wire[at];
	}
	return 0;
}

static int net_cover_check(struct lint *lint, const struct entries *entries, const struct entry *entry)
{
	bool stop = false;
	struct rule subject = entry->rule;
	for (unsigned length = entry->rule.net.prefix_length; length > 0; length--) {
		subject.net.prefix_length = (uint8_t)length;
		const struct entry *first = entries_find(entries, &subject);
		bool own = length == entry->rule.net.prefix_length;
		const struct entry *cover = first ? cover_among(entries, first, entry, own, &stop) : NULL;
		if (cover)
			return cover_tell(lint, entry, cover);
		unsigned bit = length - 1; /* is no longer part of the prefix */
		subject.net.addr.octets[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
	}
	return 0;
}

static int duplicate_check(struct lint *lint, const struct entries *entries, const struct entry *entry, bool *duplicate)
{
	*duplicate = false;
	for (const struct entry *at = entries_find(entries, &entry->rule); at && at < entry; at++) {
		if (!rule_equal(&at->rule, &entry->rule))
			continue;
		*duplicate = true;
		return finding_add(lint, entry->line, LINT_DUPLICATE, "the same rule stands in line %u", at->line);
	}
	return 0;
}

static int line_take(struct lint *lint, struct entries *entries, const char *line, size_t length, uint32_t number)
{
	struct rule rule;
	struct error error = {0};
	length = rule_strip(&line, length);
	if (length == 0)
		return 0;
	if (profile_rule_parse(&rule, line, length, &error))
		return finding_add(lint, number, LINT_ERROR, "%s", error.text);
	if (rule.kind == RULE_NET && rule.exclude)
		return finding_add(lint, number, LINT_ERROR, "'!' takes names out, not networks; use `terok-shield deny`");
	return entry_add(entries, &rule, number);
}

static int finding_compare(const void *left, const void *right)
{
	const struct lint_finding *a = left, *b = right;
	return a->line != b->line ? (a->line < b->line ? -1 : 1) : (int)a->kind - (int)b->kind;
}

int lint_profile(struct lint *lint, const char *data, size_t length)
{
	struct entries entries = {0};
	uint32_t number = 0;
	int rc = 0;
	for (const char *line = data, *end; rc == 0 && line < data + length; line = end + 1) {
		end = memchr(line, '\n', (size_t)(data + length - line));
		end = end ? end : data + length;
		rc = line_take(lint, &entries, line, (size_t)(end - line), ++number);
	}
	if (entries.count > 0)
		qsort(entries.list, entries.count, sizeof(*entries.list), entry_compare);
	for (size_t i = 0; rc == 0 && i < entries.count; i++) {
		const struct entry *entry = &entries.list[i];
		bool duplicate = false;
		rc = duplicate_check(lint, &entries, entry, &duplicate);
		if (!rc && !duplicate)
			rc = shared_check(lint, entry);
		if (!rc && !duplicate)
			rc = entry->rule.kind == RULE_NET ? net_cover_check(lint, &entries, entry) : name_cover_check(lint, &entries, entry);
	}
	free(entries.list);
	if (lint->count > 0)
		qsort(lint->findings, lint->count, sizeof(*lint->findings), finding_compare);
	return rc;
}

void lint_free(struct lint *lint)
{
	free(lint->findings);
	*lint = (struct lint){0};
}
