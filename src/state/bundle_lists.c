/* The six lists of rules: loaded into a policy, and changed by `allow` and `deny`.
 *
 * A list is text, one rule a line, and people look at it and edit it. So a change keeps every line that it does not concern,
 * and what cannot be read is an error, never passed over: a deny that is not understood must not be lost.
 *
 * Lines with an end. `allow --for` writes "RULE # from TIME until TIME", which who knows nothing of ends takes for a comment. The line
 * holds from the one to the other by the wall clock, since it has to be understood by every process and after a reboot. A clock that was set
 * forward ends it too early. One that was set back would prolong it: by no more than it was set back, and not at all when that leads to before
 * the beginning, where the line does not hold either. (The kernel and the forwarder, as long as they run, count the time that passes, and
 * are not misled.) Such lines are taken out by whoever changes the list next.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "state/bundle_parse.h"

#define SOURCE_OCTETS_MAX 4096
#define BEGIN_SLACK_S     60 /* by which clocks are set right without anything being meant by it */

#define SHOWN(word) text_escaped((char[200]){0}, 200, word)

/* What a list is, so that a rule in the wrong one is found. */
static const struct {
	const char *file;
	enum policy_layer layer;
	bool networks; /* otherwise names */
	bool denies;
} lists[BUNDLE_LIST_COUNT] = {
	[BUNDLE_PROFILE_ALLOWED] = {"profile.allowed", POLICY_PROFILE, true, false},
	[BUNDLE_PROFILE_DOMAINS] = {"profile.domains", POLICY_PROFILE, false, false},
	[BUNDLE_LIVE_ALLOWED] = {"live.allowed", POLICY_LIVE, true, false},
	[BUNDLE_LIVE_DOMAINS] = {"live.domains", POLICY_LIVE, false, false},
	[BUNDLE_DENY_LIST] = {"deny.list", POLICY_LIVE, true, true},
	[BUNDLE_DENIED_DOMAINS] = {"denied.domains", POLICY_LIVE, false, true},
};

const char *bundle_list_file(enum bundle_list list)
{
	return lists[list].file;
}

/* One line of a list, with its newline cut off. */
struct line {
	const char *start;
	size_t length;
	uint32_t number; /* from 1 */
};

/* Goes on to the next line; false at the end. Begin with a zeroed line whose start is the data. */
static bool line_next(struct line *line, const char *data, size_t length)
{
	const char *end = data + length, *start = line->number ? line->start + line->length + 1 : data;
	const char *newline;

	if (start >= end)
		return false;
	newline = memchr(start, '\n', (size_t)(end - start));
	line->start = start;
	line->length = (size_t)((newline ? newline : end) - start);
	line->number++;
	return true;
}

/* The rule of a line; *says is false when there is none. */
static int line_rule(enum bundle_list list, const struct line *line, struct rule *rule, bool *says, struct error *error)
{
	const char *text = line->start;
	size_t length = rule_strip(&text, line->length);

	*says = length > 0;
	if (!*says)
		return 0;
	if (rule_parse(rule, text, length, error))
		return error_prefix(error, "%s:%u", lists[list].file, line->number);
	if ((rule->kind == RULE_NET) != lists[list].networks)
		return error_set(error, EINVAL, "%s:%u: this list is for %s only", lists[list].file, line->number,
			lists[list].networks ? "addresses and networks" : "names");
	if (rule->exclude && lists[list].layer == POLICY_LIVE)
		return error_set(error, EINVAL, "%s:%u: '!' has no place here; what is denied stands in %s", lists[list].file, line->number,
			lists[lists[list].networks ? BUNDLE_DENY_LIST : BUNDLE_DENIED_DOMAINS].file);
	if (rule->port && lists[list].denies)
		return error_set(error, EINVAL, "%s:%u: what is denied takes no port", lists[list].file, line->number);
	return 0;
}

/* Takes a word and a time off the front of a comment. */
static bool take_time(const char **at, const char *end, const char *word, int64_t *time_s)
{
	size_t length = strlen(word), left = (size_t)(end - *at);
	char text[CLOCK_TEXT_MAX] = "";

	if (left < length + sizeof(text) - 1 || memcmp(*at, word, length) != 0)
		return false;
	memcpy(text, *at + length, sizeof(text) - 1);
	if (clock_wall_parse(text, time_s))
		return false;
	*at += length + CLOCK_TEXT_MAX - 1;
	return true;
}

/* When a live line holds: from *from_s (0: always did) until *until_s (0: for good). What looks like an end and is none is an error: it would
 * be for good, and nobody meant that. */
static int line_times(enum bundle_list list, const struct line *line, int64_t *from_s, int64_t *until_s, struct error *error)
{
	const char *end = line->start + line->length, *text = line->start, *at;
	size_t length = rule_strip(&text, line->length);

	*from_s = *until_s = 0;
	at = memchr(text + length, '#', (size_t)(end - (text + length)));
	if (lists[list].layer != POLICY_LIVE || lists[list].denies || !at)
		return 0;
	for (at++; at < end && *at == ' '; at++)
		;
	while (end > at && (end[-1] == ' ' || end[-1] == '\r'))
		end--;
	if (end - at < 7 || !((memcmp(at, "from ", 5) == 0 && at[5] >= '0' && at[5] <= '9') || memcmp(at, "until ", 6) == 0))
		return 0;
	if ((*at == 'u' || (take_time(&at, end, "from ", from_s) && at < end && *at++ == ' ')) && take_time(&at, end, "until ", until_s) &&
		at == end && *until_s > 0 && *from_s < *until_s && (*from_s == 0 || *until_s - *from_s <= BUNDLE_FOR_MAX_S))
		return 0;
	return error_set(error, EINVAL,
		"%s:%u: a comment that begins with 'until' is an end: '# until 2026-01-31T08:00:00+00:00', or '# from TIME until TIME'",
		lists[list].file, line->number);
}

/* True when a line no longer holds, or not yet: then a clock was set back, and it is over as well. */
static bool is_over(int64_t from_s, int64_t until_s, int64_t now_s)
{
	return until_s && (now_s >= until_s || now_s < from_s - BEGIN_SLACK_S);
}

/* "RULE # FILE:LINE": the place in the profile from which the rule came. Without it, the place in the list. */
static void line_source(enum bundle_list list, const struct line *line, char source[SOURCE_OCTETS_MAX], uint32_t *number)
{
	const char *end = line->start + line->length, *text = line->start, *colon;
	size_t length = rule_strip(&text, line->length);
	const char *comment = memchr(text + length, '#', (size_t)(end - (text + length)));
	uint64_t value = 0;

	strcpy(source, lists[list].file);
	*number = line->number;
	if (lists[list].layer != POLICY_PROFILE || !comment)
		return;
	comment++;
	while (comment < end && *comment == ' ')
		comment++;
	colon = memrchr(comment, ':', (size_t)(end - comment));
	if (!colon || colon == comment || end - colon - 1 < 1 || end - colon - 1 > 9 || colon - comment >= SOURCE_OCTETS_MAX ||
		memchr(comment, '\0', (size_t)(end - comment)))
		return;
	for (const char *digit = colon + 1; digit < end; digit++) {
		if (*digit < '0' || *digit > '9')
			return;
		value = value * 10 + (uint64_t)(*digit - '0');
	}
	memcpy(source, comment, (size_t)(colon - comment));
	source[colon - comment] = '\0';
	*number = (uint32_t)value;
}

int bundle_list_parse(enum bundle_list list, const char *data, size_t length, int64_t now_s, struct policy *policy, struct error *error)
{
	struct line line = {0};

	while (line_next(&line, data, length)) {
		char source[SOURCE_OCTETS_MAX];
		uint32_t number;
		struct rule rule;
		int64_t from_s;
		bool says;
		int result = line_rule(list, &line, &rule, &says, error);

		if (result)
			return result;
		if (!says)
			continue;
		result = line_times(list, &line, &from_s, &rule.until, error);
		if (result)
			return result;
		line_source(list, &line, source, &number);
		if (lists[list].denies)
			rule.exclude = true;
		if (!is_over(from_s, rule.until, now_s))
			result = policy_add(policy, &rule, lists[list].layer, source, number);
		else if (rule.kind == RULE_NET)
			result = policy_add_ended(policy, &rule);
		if (result)
			return error_errno(error, -result, "%s:%u: cannot be taken into the policy", lists[list].file, line.number);
	}
	return 0;
}

/* The content of a list; a list of the live layer that is not there is empty. One whose last line has no end was cut short: what is left of
 * an address or a network in it may well be another one. */
static int list_read(const struct bundle *bundle, enum bundle_list list, char **data, size_t *length, struct error *error)
{
	struct error unread = {0};
	int result = bundle_read(bundle, lists[list].file, BUNDLE_LIST_MAX, data, length, &unread);

	if (result == -ENOENT && lists[list].layer == POLICY_LIVE) {
		*length = 0;
		*data = strdup("");
		return *data ? 0 : error_errno(error, ENOMEM, "%s", lists[list].file);
	}
	if (result)
		return error_set(error, unread.code, "%s", unread.text);
	if (*length > 0 && (*data)[*length - 1] != '\n')
		return error_set(error, EUCLEAN,
			"%s: its last line does not end: it was cut short, or edited; complete the line, with a newline", lists[list].file);
	return 0;
}

/* sum: what a profile list must have; NULL for a list that changes by itself. */
static int list_load(const struct bundle *bundle, enum bundle_list list, const uint64_t *sum, struct policy *policy, struct error *error)
{
	cleanup_free char *data = NULL;
	size_t length;
	int result = list_read(bundle, list, &data, &length, error);

	if (result)
		return result;
	if (sum && bundle_sum(data, length) != *sum)
		return error_set(error, EUCLEAN,
			"%s: it is not the one that %s was written with: a `run` or `prepare` was interrupted, or it was damaged or edited; "
			"remove the container and run it anew",
			lists[list].file, BUNDLE_SETTINGS);
	return bundle_list_parse(list, data, length, clock_lasting_s(), policy, error);
}

static const uint64_t *list_sum(const struct bundle_sums *sums, enum bundle_list list)
{
	return list == BUNDLE_PROFILE_ALLOWED ? &sums->allowed : list == BUNDLE_PROFILE_DOMAINS ? &sums->domains : NULL;
}

int bundle_policy_load(const struct bundle *bundle, const struct bundle_sums *sums, struct policy **policy, struct error *error)
{
	cleanup_policy struct policy *loaded = policy_new();
	int result;

	if (!loaded)
		return error_errno(error, ENOMEM, "%s: policy", SHOWN(bundle->path));
	for (enum bundle_list list = BUNDLE_PROFILE_ALLOWED; list <= BUNDLE_DENIED_DOMAINS; list++) {
		result = list_load(bundle, list, list_sum(sums, list), loaded, error);
		if (result)
			return result;
	}
	result = policy_seal(loaded);
	if (result)
		return error_errno(error, -result, "%s: policy", SHOWN(bundle->path));
	*policy = take_pointer(loaded);
	return 0;
}

/* ---- changes ---- */

/* Equal but for the ports. A deny takes no port, so `deny x` and `allow x:443` are about the same thing, and
 * the later one has to win wholly: an allow that a forgotten deny defeats would only look kept. */
static bool names_the_same(const struct rule *a, const struct rule *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == RULE_NET)
		return a->net.prefix_length == b->net.prefix_length && addr_equal(&a->net.addr, &b->net.addr);
	return name_equal(&a->name, &b->name);
}

/* The line of a rule that is new, or has a new end. */
static void line_write(const struct rule *rule, int64_t now_s, struct text *text)
{
	char from[CLOCK_TEXT_MAX], until[CLOCK_TEXT_MAX];

	rule_format(rule, text);
	if (rule->until)
		text_addf(text, " # from %s until %s", clock_wall_text(from, sizeof(from), now_s),
			clock_wall_text(until, sizeof(until), rule->until));
	text_add(text, "\n");
}

/* Whether the line of an equal rule, which ends at until_s, says what was asked for, or more. */
static bool lasts_as_long(int64_t until_s, const struct rule *rule)
{
	return !until_s || (rule->until && until_s >= rule->until);
}

int bundle_list_edit(enum bundle_list list, const char *data, size_t length, enum bundle_edit edit, const struct rule *rule, int64_t now_s,
	struct text *result, bool *changed, struct error *error)
{
	struct line line = {0};
	bool there = false;
	size_t ends = 0;

	*changed = false;
	while (line_next(&line, data, length)) {
		int64_t from_s = 0, until_s = 0;
		struct rule found;
		bool says;
		int failed = line_rule(list, &line, &found, &says, error);

		if (!failed && says)
			failed = line_times(list, &line, &from_s, &until_s, error);
		if (failed)
			return failed;
		if (says && is_over(from_s, until_s, now_s)) {
			*changed = true;
			continue;
		}
		if (says && (edit == BUNDLE_EDIT_DROP_SAME ? names_the_same(&found, rule) : rule_equal(&found, rule))) {
			if (edit != BUNDLE_EDIT_ADD || there || !lasts_as_long(until_s, rule)) {
				*changed = true;
				continue;
			}
			there = true;
		}
		ends += until_s != 0;
		text_add_bytes(result, line.start, line.length);
		text_add(result, "\n");
	}
	if (edit == BUNDLE_EDIT_ADD && !there) {
		if (rule->until && ends >= BUNDLE_ENDS_MAX)
			return error_set(error, ENOSPC, "%s: it has %d lines with an end; wait for some of them to end", lists[list].file,
				BUNDLE_ENDS_MAX);
		line_write(rule, now_s, result);
		*changed = true;
	}
	return text_failed(result) ? error_errno(error, ENOMEM, "%s", lists[list].file) : 0;
}

static int list_edit_file(const struct bundle *bundle, enum bundle_list list, enum bundle_edit edit, const struct rule *rule, bool *changed,
	struct error *error)
{
	cleanup_free char *data = NULL;
	cleanup_text struct text edited = {0};
	size_t length;
	bool differs;
	int result = list_read(bundle, list, &data, &length, error);

	if (result || (result = bundle_list_edit(list, data, length, edit, rule, clock_lasting_s(), &edited, &differs, error)) || !differs)
		return result;
	if (edited.length > BUNDLE_LIST_MAX)
		return error_set(error, EFBIG, "%s: the list is full", lists[list].file);
	result = bundle_write(bundle, lists[list].file, edited.length ? edited.data : "", edited.length, error);
	if (result == 0)
		*changed = true;
	return result;
}

/* An allow with an end would take a deny away for good. -EPERM when the rule is on the deny list. */
static int refuse_denied(const struct bundle *bundle, enum bundle_list denied, const struct rule *rule, struct error *error)
{
	cleanup_free char *data = NULL;
	cleanup_text struct text shown = {0};
	struct line line = {0};
	struct rule found;
	size_t length;
	bool says;
	int result = list_read(bundle, denied, &data, &length, error);

	while (!result && line_next(&line, data, length)) {
		result = line_rule(denied, &line, &found, &says, error);
		if (result || !says || !names_the_same(&found, rule))
			continue;
		rule_format(rule, &shown);
		result = error_set(error, EPERM,
			"%s is denied (%s line %u), and an allow with an end does not take that back; allow it without an end, or not at all",
			text_failed(&shown) ? "it" : shown.data, lists[denied].file, line.number);
	}
	return result;
}

int bundle_list_change(const struct bundle *bundle, enum bundle_change change, const struct rule *rule, bool *changed, struct error *error)
{
	bool network = rule->kind == RULE_NET;
	enum bundle_list live = network ? BUNDLE_LIVE_ALLOWED : BUNDLE_LIVE_DOMAINS;
	enum bundle_list denied = network ? BUNDLE_DENY_LIST : BUNDLE_DENIED_DOMAINS;
	int result;

	*changed = false;
	if (rule->exclude)
		return error_set(error, EINVAL, "a rule with '!' belongs into a profile; use `deny`, without '!'");
	if (change == BUNDLE_DENY && rule->port)
		return error_set(error, EINVAL, "a deny takes no port; deny the name or address itself");
	/* Added first, taken away second: after a crash in between both lists have it, and the deny holds. */
	switch (change) {
	case BUNDLE_ALLOW:
		result = rule->until ? refuse_denied(bundle, denied, rule, error) : 0;
		if (!result)
			result = list_edit_file(bundle, live, BUNDLE_EDIT_ADD, rule, changed, error);
		return result || rule->until ? result : list_edit_file(bundle, denied, BUNDLE_EDIT_DROP_SAME, rule, changed, error);
	case BUNDLE_DENY:
		result = list_edit_file(bundle, denied, BUNDLE_EDIT_ADD, rule, changed, error);
		return result ? result : list_edit_file(bundle, live, BUNDLE_EDIT_DROP_SAME, rule, changed, error);
	case BUNDLE_FORGET:
		result = list_edit_file(bundle, live, BUNDLE_EDIT_DROP_EQUAL, rule, changed, error);
		return result ? result : list_edit_file(bundle, denied, BUNDLE_EDIT_DROP_EQUAL, rule, changed, error);
	}
	return error_set(error, EINVAL, "no such change");
}
