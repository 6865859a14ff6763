/* An event as a line for people. */
#ifndef CLI_EVENT_TEXT_H
#define CLI_EVENT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "cli/event.h"

struct event_style {
	const char *good, *bad, *faint, *plain; /* sequences, "" for none: output_style() */
	size_t width;                           /* columns that a line may have; 0: any number */
	size_t container_width;                 /* of a column with the container; 0: none, since there is only one */
};

/* Adds the line without a newline. It is printable ASCII but for the style's sequences. */
void event_text_add(struct text *text, const struct event *event, const struct event_style *style);

/* What happened in a word or two: "refused", "BLOCKED". */
const char *event_word(const struct event *event);

/* Adds what it happened to: "other.test AAAA", "192.0.2.1:443/tcp (other.test)". */
void event_subject_add(struct text *text, const struct event *event);

/* Adds as much of a string as fits into width columns; where it is longer the middle gives way, since the end of a long name is what tells
 * whose it is. Returns the columns used. */
size_t event_fit(struct text *text, const char *string, size_t width);

#endif
