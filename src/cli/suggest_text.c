/* Suggestions as the text of a profile, and as a change of one. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/suggest.h"

#define COLUMN        40  /* where comments begin */
#define MEMBERS_SHOWN 8   /* names of a tree */
#define QUIET_MAX     100 /* lines that are not active */
#define CONTEXT       3   /* lines of a diff */

static const struct {
	const char *name, *text;
} warnings[SUGGEST_WARNINGS] = {
	{"shared-hosting", "shared"},
	{"generated", "looks generated: it may be another name next time, or carry data out"},
	{"resolver", "a resolver: what is asked there in TLS is not seen by the shield"},
	{"inside", "an inside address"},
	{"taken-out", "a line with '!' takes it out"},
	{"unanswered", "tried, and nobody answered"},
};

const char *suggest_warning_name(unsigned i)
{
	return warnings[i].name;
}

void suggest_warning_add(const struct suggest_line *line, unsigned i, struct text *text)
{
	if (1u << i == SUGGEST_SHARED && line->hosting)
		text_addf(text, "%s: %s", warnings[i].text, line->hosting->who);
	else
		text_add(text, warnings[i].text);
}

/* ---- comments ---- */

#define MINUTE_S 60
#define DAY_S    86400

/* "2026-11-28 04:31", or the hour alone when the day is the same as that of `before`. */
static void add_time(int64_t wall_s, const int64_t *before, struct text *text)
{
	char when[32];
	clock_wall_text(when, sizeof(when), wall_s);
	if (!before || wall_s / DAY_S != *before / DAY_S)
		text_addf(text, "%.10s ", when);
	text_addf(text, "%.5s", when + 11);
}

static void add_times(int64_t first, int64_t last, struct text *text)
{
	add_time(first, NULL, text);
	if (first / MINUTE_S == last / MINUTE_S)
		return;
	text_add(text, " to ");
	add_time(last, &first, text);
}

static void add_count(struct text *text, uint64_t count, const char *noun)
{
	text_addf(text, "%llu %s%s", (unsigned long long)count, noun, count == 1 ? "" : "s");
}

/* Where a line says nothing about ports, the ones that were used. */
static void add_ports(const struct suggest_line *line, struct text *text)
{
	const char *before = ", ports ";
	bool others = false;
	if (line->rule.port)
		return;
	for (size_t i = 0; i < line->port_count; i++) {
		const struct policy_port *port = &line->ports[i];
		others = others || !port->port;
		if (!port->port)
			continue;
		text_addf(text, "%s%u/%s", before, port->port, port->protocol == RULE_TCP ? "tcp" : "udp");
		before = ", ";
	}
	text_add(text, line->more_ports ? " and more" : "");
	text_add(text, others ? ", by a protocol without ports" : "");
}

static void add_facts(const struct suggest_line *line, struct text *text)
{
	if (line->kind == SUGGEST_TREE) {
		add_count(text, line->member_count, "name");
		text_add(text, ", ");
	}
	if (line->made)
		add_count(text, line->made, "connection");
	else if (line->attempts)
		add_count(text, line->attempts, "attempt");
	else
		add_count(text, line->questions, "question");
	text_add(text, line->shares_address ? " to an address that it shares" : "");
	add_ports(line, text);
	text_add(text, ", ");
	add_times(line->first, line->last, text);
}

/* ---- lines ---- */

static void add_members(const struct suggest *suggest, const struct suggest_line *line, struct text *text)
{
	for (size_t i = 0; i < line->member_count && i < MEMBERS_SHOWN; i++) {
		const struct suggest_member *member = &suggest->members[line->member + i];
		char name[NAME_TEXT_MAX];
		name_to_text(&member->name, name);
		text_addf(text, "%s%s (%llu)", i ? ", " : "# ", name, (unsigned long long)member->count);
	}
	if (line->member_count > MEMBERS_SHOWN)
		text_addf(text, ", and %zu more", line->member_count - MEMBERS_SHOWN);
	text_add(text, line->member_count ? "\n" : "");
}

static void add_line(const struct suggest *suggest, const struct suggest_line *line, struct text *text)
{
	cleanup_text struct text rule = {0};
	add_members(suggest, line, text);
	for (unsigned i = 0; i < SUGGEST_WARNINGS; i++) {
		if (!(line->warnings & 1u << i) || 1u << i == SUGGEST_UNANSWERED)
			continue;
		text_add(text, "# warning: ");
		suggest_warning_add(line, i, text);
		text_add(text, "\n");
	}
	text_add(&rule, line->standing == SUGGEST_COMMENT ? "#" : "");
	rule_format(&line->rule, &rule);
	if (text_failed(&rule)) {
		text->failed = true;
		return;
	}
	text_addf(text, "%-*s # ", COLUMN - 1, rule.data);
	add_facts(line, text);
	text_add(text, "\n");
}

static const char *section_of(const struct suggest *suggest, const struct suggest_line *line)
{
	static const char *const used[] = {[SUGGEST_TREE] = "Several names of one owner: everything below what they have in common.",
		[SUGGEST_NAME] = "Names.",
		[SUGGEST_ADDRESS] = "Addresses that were reached without a name."};
	static const char *const refused[] = {
		[SUGGEST_TREE] = "Refused: several names of one owner; everything below what they have in common.",
		[SUGGEST_NAME] = "Refused: names.",
		[SUGGEST_ADDRESS] = "Refused: addresses, tried without a name."};
	switch (line->standing) {
	case SUGGEST_USED:
		return used[line->kind];
	case SUGGEST_REFUSED:
		return refused[line->kind];
	case SUGGEST_COMMENT:
		break;
	}
	return suggest->learned ? "Only tried, or something speaks against it. Remove the '#' before a line to allow it."
				: "Refused, and something speaks against it. Remove the '#' before a line to allow it.";
}

static void add_lines(const struct suggest *suggest, struct text *text)
{
	const char *section = NULL;
	size_t quiet = 0;
	for (size_t i = 0; i < suggest->count; i++) {
		const struct suggest_line *line = &suggest->lines[i];
		const char *own = section_of(suggest, line);
		if (own != section)
			text_addf(text, "\n# %s\n", own);
		section = own;
		if (line->standing != SUGGEST_COMMENT || quiet++ < QUIET_MAX)
			add_line(suggest, line, text);
	}
	if (quiet > QUIET_MAX)
		text_addf(text, "# ... and %zu more; with --json all of them\n", quiet - QUIET_MAX);
}

/* ---- the whole ---- */

static bool has_connections(const struct activity *activity)
{
	for (size_t i = 0; i < activity->count; i++)
		if (activity->rows[i].kind == ACTIVITY_CONNECTION)
			return true;
	return false;
}

static void add_head(const struct suggest *suggest, const struct suggest_head *head, struct text *text)
{
	int64_t first = head->activity->since, last = first;
	for (size_t i = 0; i < head->activity->count; i++) {
		const struct activity_row *row = &head->activity->rows[i];
		first = row->first < first ? row->first : first;
		last = row->last > last ? row->last : last;
	}
	text_addf(text, "# What %s %s, as terok-shield suggests it for a profile: look at each line before you use it.\n", head->container,
		suggest->learned ? "used" : "was refused");
	if (head->activity->since) {
		text_add(text, "# Recorded from ");
		add_times(first, last, text);
		text_add(text, " UTC.\n");
	} else {
		text_add(text, "# Nothing was recorded yet.\n");
	}
	if (head->profile)
		text_addf(text, "# What profile %s allows already is not in it: %zu destination%s.\n", head->profile, suggest->covered,
			suggest->covered == 1 ? "" : "s");
	if (suggest->denied)
		text_addf(text, "# %zu destination%s left out: `terok-shield deny` named %s.\n", suggest->denied,
			suggest->denied == 1 ? " is" : "s are", suggest->denied == 1 ? "it" : "them");
	if (suggest->unwritable)
		text_addf(text, "# %zu reverse name%s, or names that no profile can hold, left out.\n", suggest->unwritable,
			suggest->unwritable == 1 ? "" : "s");
	if (suggest->learned && suggest->count > 0 && !has_connections(head->activity))
		text_add(text,
			"# No connection was recorded. A container that an older release has started records none until it is restarted.\n");
	if (head->activity->full)
		text_addf(text, "# The record was full: %llu entries that were used longest ago are lost.\n",
			(unsigned long long)head->activity->full);
}

void suggest_render(const struct suggest *suggest, const struct suggest_head *head, struct text *text)
{
	add_head(suggest, head, text);
	add_lines(suggest, text);
	if (head->activity->since && suggest->count == 0)
		text_add(text, "\n# There is nothing to suggest.\n");
}

/* ---- a change ---- */

static size_t count_lines(const char *data, size_t length)
{
	size_t count = 0;
	for (size_t i = 0; i < length; i++)
		count += data[i] == '\n';
	return count + (length > 0 && data[length - 1] != '\n');
}

/* Each line of data behind mark. One at the end that has no newline is marked as such, as patch(1) wants it. */
static void add_marked(const char *data, size_t length, char mark, struct text *text)
{
	for (const char *at = data, *end = data + length, *stop; at < end; at = stop + 1) {
		stop = memchr(at, '\n', (size_t)(end - at));
		text_addf(text, "%c%.*s\n", mark, (int)((stop ? stop : end) - at), at);
		if (!stop) {
			text_add(text, "\\ No newline at end of file\n");
			break;
		}
	}
}

/* The beginning of the last `lines` lines. */
static const char *tail_of(const char *data, size_t length, size_t lines)
{
	size_t at = length > 0 && data[length - 1] == '\n' ? length - 1 : length;
	while (at > 0 && (data[at - 1] != '\n' || --lines > 0))
		at--;
	return data + at;
}

void suggest_diff(const char *path, const char *old, size_t old_length, const char *added, struct text *text)
{
	size_t lines = count_lines(old, old_length), context = lines < CONTEXT ? lines : CONTEXT;
	const char *tail = context ? tail_of(old, old_length, context) : old;
	bool open_end = old_length > 0 && old[old_length - 1] != '\n';
	size_t tail_length = (size_t)(old + old_length - tail), new_lines = count_lines(added, strlen(added)) + (lines > 0);
	text_addf(text, "--- %s\n+++ %s\n@@ -%zu,%zu +%zu,%zu @@\n", path, path, context ? lines - context + 1 : 0, context,
		lines - context + 1, context + new_lines);
	if (open_end) { /* its last line is replaced by the same with a newline */
		const char *last = tail_of(old, old_length, 1);
		add_marked(tail, (size_t)(last - tail), ' ', text);
		add_marked(last, (size_t)(old + old_length - last), '-', text);
		text_addf(text, "+%.*s\n", (int)(old + old_length - last), last);
	} else {
		add_marked(tail, tail_length, ' ', text);
	}
	text_add(text, lines > 0 ? "+\n" : "");
	add_marked(added, strlen(added), '+', text);
}
