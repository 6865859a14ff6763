/* What clearance asks and what an answer means. Pure. */
#ifndef CLI_CLEARANCE_H
#define CLI_CLEARANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/event.h"
#include "policy/policy.h"

#define CLEARANCE_SHORT     "10m" /* what `t` allows for */
#define CLEARANCE_QUEUE_MAX 256

/* What is asked about: a name that was refused, or a connection that no rule allows. */
struct clearance_question {
	bool is_name;
	struct name name; /* length 0: of a connection, none is known */
	struct addr addr; /* of a connection */
	uint16_t port;    /* 0: none */
	char protocol[16];
};

/* True when the event is something to ask about: not what a rule denies, which was answered, nor an inside address, nor a reverse name or
 * another that no rule can hold. */
bool clearance_question_of(struct clearance_question *question, const struct event *event);

/* True when one answer is meant for both. */
bool clearance_is_same(const struct clearance_question *a, const struct clearance_question *b);

/* Whether the rules have answered it by now. */
bool clearance_is_settled(const struct clearance_question *question, const struct policy *policy);

/* "[BLOCKED] A (NAME) :PORT — allow/deny? " */
void clearance_prompt(const struct clearance_question *question, struct text *text);

/* The questions that wait, each once. Zero-initialise. */
struct clearance_queue {
	struct clearance_question questions[CLEARANCE_QUEUE_MAX];
	size_t first, count;
	uint64_t dropped; /* for which there was no place */
};
void clearance_queue_add(struct clearance_queue *queue, const struct clearance_question *question);
/* The first; false when there is none. */
bool clearance_queue_take(struct clearance_queue *queue, struct clearance_question *question);

enum clearance_act {
	CLEARANCE_ALLOW,
	CLEARANCE_DENY,
	CLEARANCE_SKIP, /* stays as it is; asked again when it is tried again */
	CLEARANCE_HELP,
	CLEARANCE_QUIT,
};

struct clearance_answer {
	enum clearance_act act;
	char targets[2][NAME_TEXT_MAX + 32]; /* what `allow` or `deny` is given */
	size_t target_count;
	char lasting[16]; /* for --for; "" for good */
};

/* Reads an answer to the question: WORD [TIME], see clearance_help(). Errors: -EINVAL with what is wrong with it, for the person who gave it. */
int clearance_answer_parse(
	struct clearance_answer *answer, const struct clearance_question *question, const char *line, struct error *error);

/* What may be answered: lines. */
void clearance_help(const struct clearance_question *question, struct text *text);

#endif
