/* What clearance asks and what an answer means. */
#include "cli/clearance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/since.h"
#include "policy/name_guess.h"
#include "policy/rule.h"
#include "state/bundle.h"

/* ---- questions ---- */

/* True for a name that a rule can hold. */
static bool is_writable(const struct name *name)
{
	char text[NAME_TEXT_MAX], line[NAME_TEXT_MAX + 1];
	struct rule rule;
	name_to_text(name, text);
	snprintf(line, sizeof(line), "=%s", text);
	return rule_parse(&rule, line, strlen(line), NULL) == 0;
}

static bool is_reverse(const struct name *name)
{
	static const char *const trees[] = {"in-addr.arpa", "ip6.arpa"};
	struct name tree;
	for (size_t i = 0; i < sizeof(trees) / sizeof(*trees); i++) {
		if (name_from_text(&tree, trees[i], strlen(trees[i])) == 0 && name_is_within(name, &tree))
			return true;
	}
	return false;
}

bool clearance_question_of(struct clearance_question *question, const struct event *event)
{
	*question = (struct clearance_question){.is_name = event->kind == EVENT_REFUSED};
	bool named = event->domain[0] && name_from_text(&question->name, event->domain, strlen(event->domain)) == 0 &&
		     name_label_count(&question->name) > 0 && is_writable(&question->name);
	if (!named)
		question->name.length = 0;
	if (event->kind == EVENT_REFUSED) /* a budget is no rule that an answer could change, and a deny was one */
		return named && !is_reverse(&question->name) && strcmp(event->detail, "denied") != 0 &&
		       strcmp(event->detail, "budget") != 0;
	if (event->kind != EVENT_BLOCKED || addr_parse(&question->addr, event->dest, strlen(event->dest)))
		return false;
	question->port = event->port;
	snprintf(question->protocol, sizeof(question->protocol), "%s", event->proto);
	return true;
}

bool clearance_is_settled(const struct clearance_question *question, const struct policy *policy)
{
	struct policy_match match;
	if (question->is_name) {
		policy_lookup(policy, question->name.wire, question->name.length, &match);
		return match.verdict == POLICY_ALLOWED || match.verdict == POLICY_DENIED;
	}
	policy_lookup_addr(policy, &question->addr, &match);
	if (match.verdict == POLICY_DENIED || (match.verdict == POLICY_ALLOWED && match.any_port))
		return true;
	for (unsigned i = 0; i < policy_match_port_count(&match); i++) {
		if (policy_match_port(&match, i).port == question->port)
			return true;
	}
	if (!question->name.length)
		return false;
	/* Where a profile allows the name, the address is one that it no longer has. */
	policy_lookup(policy, question->name.wire, question->name.length, &match);
	return match.verdict == POLICY_DENIED || (match.verdict == POLICY_ALLOWED && match.any_port && match.layer == POLICY_LIVE);
}

void clearance_prompt(const struct clearance_question *question, struct text *text)
{
	char name[NAME_TEXT_MAX] = "", address[ADDR_TEXT_MAX];
	if (question->name.length)
		name_to_text(&question->name, name);
	text_addf(text, "[BLOCKED] %s", question->is_name ? name : addr_format(&question->addr, address));
	if (!question->is_name && *name)
		text_addf(text, " (%s)", name);
	if (question->port)
		text_addf(text, " :%u", question->port);
	text_add(text, " — allow/deny? ");
}

bool clearance_is_same(const struct clearance_question *a, const struct clearance_question *b)
{
	if (a->is_name || b->is_name)
		return a->is_name == b->is_name && name_equal(&a->name, &b->name);
	return addr_equal(&a->addr, &b->addr) && a->port == b->port && strcmp(a->protocol, b->protocol) == 0;
}

void clearance_queue_add(struct clearance_queue *queue, const struct clearance_question *question)
{
	for (size_t i = 0; i < queue->count; i++) {
		if (clearance_is_same(&queue->questions[(queue->first + i) % CLEARANCE_QUEUE_MAX], question))
			return;
	}
	if (queue->count == CLEARANCE_QUEUE_MAX) {
		queue->dropped++;
		return;
	}
	queue->questions[(queue->first + queue->count++) % CLEARANCE_QUEUE_MAX] = *question;
}

bool clearance_queue_take(struct clearance_queue *queue, struct clearance_question *question)
{
	if (queue->count == 0)
		return false;
	*question = queue->questions[queue->first];
	queue->first = (queue->first + 1) % CLEARANCE_QUEUE_MAX;
	queue->count--;
	return true;
}

/* ---- answers ---- */

enum aim {
	AIM_SHOWN, /* what the question shows first */
	AIM_NAME,
	AIM_ADDRESS,
	AIM_PORT,
	AIM_LIKE,
	AIM_ALL, /* the name and the address */
	AIM_NONE,
};

static const struct {
	const char *letter, *word;
	enum clearance_act act;
	enum aim aim;
	const char *help;
} words[] = {
	{"a", "allow", CLEARANCE_ALLOW, AIM_SHOWN, "allow it"},
	{"t", "time", CLEARANCE_ALLOW, AIM_SHOWN, "allow it for " CLEARANCE_SHORT},
	{"n", "name", CLEARANCE_ALLOW, AIM_NAME, "allow this name, and nothing below it"},
	{"i", "address", CLEARANCE_ALLOW, AIM_ADDRESS, "allow this address"},
	{"p", "port", CLEARANCE_ALLOW, AIM_PORT, "allow this address at this port"},
	{"l", "like", CLEARANCE_ALLOW, AIM_LIKE, "allow everything like it"},
	{"d", "deny", CLEARANCE_DENY, AIM_SHOWN, "deny it"},
	{"v", "never", CLEARANCE_DENY, AIM_ALL, "deny the name and the address, and do not ask again"},
	{"s", "skip", CLEARANCE_SKIP, AIM_NONE, "leave it as it is"},
	{"q", "quit", CLEARANCE_QUIT, AIM_NONE, "stop asking"},
	{"?", "help", CLEARANCE_HELP, AIM_NONE, "what can be answered"},
};
#define WORDS (sizeof(words) / sizeof(*words))

/* How `allow` writes a name: with what is below it, which a top-level domain cannot have. */
static void name_write(const struct name *name, bool alone, char *out, size_t size)
{
	char text[NAME_TEXT_MAX];
	name_to_text(name, text);
	snprintf(out, size, "%s%s", alone || name_label_count(name) == 1 ? "=" : "", text);
}

static bool has_port(const struct clearance_question *question)
{
	return question->port && (strcmp(question->protocol, "tcp") == 0 || strcmp(question->protocol, "udp") == 0);
}

static void address_write(const struct clearance_question *question, bool with_port, char *out, size_t size)
{
	char text[ADDR_TEXT_MAX];
	bool v6 = question->addr.family == ADDR_V6;
	addr_format(&question->addr, text);
	if (with_port)
		snprintf(out, size, "%s%s%s:%u/%s", v6 ? "[" : "", text, v6 ? "]" : "", question->port, question->protocol);
	else
		snprintf(out, size, "%s", text);
}

/* The domain that its owner has registered: never a suffix below which others have names too. */
static bool like_find(const struct clearance_question *question, struct name *owner)
{
	return question->name.length > 0 && name_guess_owner(&question->name, owner) && !name_guess_hosting_under(owner) &&
	       !name_guess_hosting_over(owner);
}

/* Writes what is aimed at. Returns what is wrong, or NULL. */
static const char *targets_write(struct clearance_answer *answer, const struct clearance_question *question, enum aim aim)
{
	size_t size = sizeof(answer->targets[0]);
	struct name owner;
	answer->target_count = 1;
	switch (aim) {
	case AIM_SHOWN:
		if (question->is_name)
			name_write(&question->name, false, answer->targets[0], size);
		else
			address_write(question, false, answer->targets[0], size);
		return NULL;
	case AIM_NAME:
		name_write(&question->name, true, answer->targets[0], size);
		return question->name.length ? NULL : "no name is known of it";
	case AIM_ADDRESS:
		address_write(question, false, answer->targets[0], size);
		return question->is_name ? "it is a name, and was not looked up" : NULL;
	case AIM_PORT:
		address_write(question, true, answer->targets[0], size);
		return question->is_name || !has_port(question) ? "it has no port" : NULL;
	case AIM_LIKE:
		if (!like_find(question, &owner))
			return question->name.length ? "what others have names below is not allowed as a whole; allow the name itself"
						     : "no name is known of it";
		name_write(&owner, false, answer->targets[0], size);
		return NULL;
	case AIM_ALL:
		answer->target_count = 0;
		if (question->name.length)
			name_write(&question->name, false, answer->targets[answer->target_count++], size);
		if (!question->is_name)
			address_write(question, false, answer->targets[answer->target_count++], size);
		return NULL;
	case AIM_NONE:
		answer->target_count = 0;
		return NULL;
	}
	return NULL;
}

static bool is_time(const char *word)
{
	int64_t seconds;
	return since_parse_duration(&seconds, word, BUNDLE_FOR_MAX_S, NULL) == 0;
}

/* The word's place in the table, WORDS when it is not there. */
static size_t word_find(const char *word)
{
	size_t i = 0;
	while (i < WORDS && strcasecmp(words[i].letter, word) != 0 && strcasecmp(words[i].word, word) != 0)
		i++;
	return i;
}

int clearance_answer_parse(
	struct clearance_answer *answer, const struct clearance_question *question, const char *line, struct error *error)
{
	char word[16] = "", lasting[16] = "", more[2];
	char shown[64];
	*answer = (struct clearance_answer){.act = CLEARANCE_SKIP};
	int count = sscanf(line, " %15s %15s %1s", word, lasting, more);
	if (count <= 0)
		return 0;
	if (count == 1 && is_time(word)) {
		strcpy(lasting, word);
		strcpy(word, "a");
	}
	size_t which = word_find(word);
	if (which == WORDS || count > 2)
		return error_set(error, EINVAL, "'%s' is no answer; ? says what is", text_escaped(shown, sizeof(shown), line));
	if (words[which].letter[0] == 't' && !*lasting)
		strcpy(lasting, CLEARANCE_SHORT);
	if (*lasting && (words[which].act != CLEARANCE_ALLOW || !is_time(lasting)))
		return error_set(error, EINVAL, "'%s' is no time that can be given here: 90s, 10m, 2h, 7d, behind what allows",
			text_escaped(shown, sizeof(shown), lasting));
	answer->act = words[which].act;
	strcpy(answer->lasting, lasting);
	const char *wrong = targets_write(answer, question, words[which].aim);
	return wrong ? error_set(error, EINVAL, "%s", wrong) : 0;
}

void clearance_help(const struct clearance_question *question, struct text *text)
{
	for (size_t i = 0; i < WORDS; i++) {
		struct clearance_answer answer = {0};
		if (targets_write(&answer, question, words[i].aim))
			continue;
		text_addf(text, "  %s, %-8s %s%s%s\n", words[i].letter, words[i].word, words[i].help, answer.target_count ? ": " : "",
			answer.target_count ? answer.targets[0] : "");
	}
	text_add(text, "  behind what allows, or alone, a time: 90s, 10m, 2h, 7d\n");
}
