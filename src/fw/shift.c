/* From one ruleset to another in a table that is there. */
#include "fw/shift.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fw/flows.h"
#include "fw/netlink_open.h"
#include "fw/nft.h"
#include "fw/readback.h"
#include "fw/verify.h"

static int end_flows(enum shield_state state, struct error *error)
{
	cleanup_fd int flows_fd = netlink_open_flows(error);

	if (flows_fd < 0)
		return flows_fd;
	/* What was open before a block is not to go on after it, although nothing of it passes meanwhile. */
	return state == SHIELD_BLOCK ? flows_end(flows_fd, NULL, 0, NULL, error)
				     : flows_end_marked(flows_fd, ruleset_flow_mark(state), NULL, error);
}

/* True when the allow and deny sets are what they are to be. Then they are left alone: see "Sets and transactions" in fw/ruleset.c. */
static bool holds_sets(const struct ruleset *ruleset)
{
	cleanup_text struct text wanted = {0}, found = {0};

	ruleset_expect_elements(ruleset, &wanted);
	return !readback_elements(&found, NULL) && !text_failed(&wanted) && wanted.length == found.length &&
	       (!wanted.length || !memcmp(wanted.data, found.data, wanted.length));
}

int shift_to(const struct ruleset *ruleset, struct error *error)
{
	cleanup_text struct text commands = {0};
	int result;

	if (holds_sets(ruleset))
		ruleset_render_rules(ruleset, &commands);
	else
		ruleset_render_change(ruleset, &commands);
	if (text_failed(&commands))
		return error_errno(error, ENOMEM, "cannot render the ruleset");
	result = nft_apply(commands.data, error);
	if (!result)
		result = readback_verify(ruleset, error);
	return result ? result : end_flows(ruleset->state, error);
}

/* ---- the sets alone ---- */

struct lines {
	char **lines;
	size_t count;
};

/* How the sets differ: what to write, and whose flows to end. */
struct difference {
	struct text additions; /* commands that add what is missing */
	bool takes_away;
	struct addr_net *ended;
	size_t ended_count;
};

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Cuts the text into lines, in place, and sorts them. */
static int lines_split(struct text *text, struct lines *lines)
{
	size_t count = 0;
	char *next = text->data;

	for (size_t i = 0; i < text->length; i++)
		count += text->data[i] == '\n';
	lines->lines = calloc(count + 1, sizeof(*lines->lines));
	if (!lines->lines || text_failed(text))
		return -ENOMEM;
	while (lines->count < count) {
		lines->lines[lines->count++] = next;
		next += strcspn(next, "\n");
		*next++ = '\0';
	}
	qsort(lines->lines, lines->count, sizeof(*lines->lines), compare_lines);
	return 0;
}

static void addition_add(struct text *additions, const char *set, const char *element)
{
	const char *until = strstr(element, " " RULESET_UNTIL);
	int64_t until_s;

	text_addf(additions, "add element inet " RULESET_TABLE " %.*s { %.*s", (int)strcspn(set, " "), set,
		(int)(until ? (size_t)(until - element) : strlen(element)), element);
	if (until && !clock_wall_parse(until + 1 + strlen(RULESET_UNTIL), &until_s))
		ruleset_add_end(additions, until_s);
	text_add(additions, " }\n");
}

/* "element SET NETWORK[ . PROTOCOL . PORT][ until TIME]" is missing in the kernel, or there without reason. */
static void difference_add(struct difference *difference, const char *line, bool missing)
{
	const char *set = strchr(line, ' ') + 1, *net = strchr(set, ' ') + 1;
	bool denied = !strncmp(set, "deny_", strlen("deny_"));

	if (missing)
		addition_add(&difference->additions, set, net);
	else
		difference->takes_away = true;
	if (missing == denied && !addr_net_parse(&difference->ended[difference->ended_count], net, strcspn(net, " ")))
		difference->ended_count++;
}

static int difference_find(const struct lines *wanted, const struct lines *found, struct difference *difference)
{
	size_t i = 0, j = 0;

	difference->ended = calloc(wanted->count + found->count + 1, sizeof(*difference->ended));
	if (!difference->ended)
		return -ENOMEM;
	while (i < wanted->count || j < found->count) {
		int order = i == wanted->count ? 1 : j == found->count ? -1 : strcmp(wanted->lines[i], found->lines[j]);

		if (order < 0)
			difference_add(difference, wanted->lines[i++], true);
		else if (order > 0)
			difference_add(difference, found->lines[j++], false);
		else
			i++, j++;
	}
	return text_failed(&difference->additions) ? -ENOMEM : 0;
}

/* Additions alone spare the kernel the grace period that it waits for after any deletion. */
static int difference_apply(const struct ruleset *ruleset, const struct difference *difference, bool whole, struct error *error)
{
	cleanup_text struct text commands = {0};

	if (whole)
		return shift_to(ruleset, error);
	if (!difference->takes_away)
		return nft_apply(difference->additions.data, error);
	ruleset_render_sets(ruleset, &commands);
	return text_failed(&commands) ? error_errno(error, ENOMEM, "cannot render the sets") : nft_apply(commands.data, error);
}

static int difference_end_flows(const struct difference *difference, struct error *error)
{
	cleanup_fd int flows_fd = -1;

	if (!difference->ended_count)
		return 0;
	flows_fd = netlink_open_flows(error);
	return flows_fd < 0 ? flows_fd : flows_end(flows_fd, difference->ended, difference->ended_count, NULL, error);
}

int shift_sets(const struct ruleset *ruleset, bool *changed, struct error *error)
{
	cleanup_free char *json = NULL;
	cleanup_text struct text wanted_text = {0}, found_text = {0};
	struct lines wanted = {0}, found = {0};
	struct difference difference = {0};
	struct error unlike = {0};
	int result = nft_list_json_terse(&json, error);
	bool whole, writes = false;

	if (result)
		return result;
	ruleset_expect_elements(ruleset, &wanted_text);
	/* Elements that no shield writes are a difference like any other: the whole is written anew. */
	whole = text_failed(&wanted_text) || verify_parts(ruleset, json, wanted_text.data ? wanted_text.data : "", &unlike) ||
		readback_elements(&found_text, &unlike);
	result = lines_split(&wanted_text, &wanted) ?: lines_split(&found_text, &found) ?: difference_find(&wanted, &found, &difference);
	if (result)
		error_errno(error, -result, "cannot compare the sets");
	writes = whole || difference.takes_away || difference.additions.length;
	if (!result && writes)
		result = difference_apply(ruleset, &difference, whole, error) ?: difference_end_flows(&difference, error);
	if (changed)
		*changed = writes;
	free(wanted.lines);
	free(found.lines);
	free(difference.ended);
	text_free(&difference.additions);
	return result;
}
