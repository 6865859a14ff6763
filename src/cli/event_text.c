/* An event as a line for people: the time, the container where there are several, what happened, to what, how often and why. */
#include "cli/event_text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"

#define WORD_WIDTH   8
#define WORD_MAX     20
#define CLOCK_LENGTH 8

static const struct {
	const char *word; /* NULL: the action */
	enum output_style style;
} faces[] = {
	[EVENT_REFUSED] = {"refused", OUTPUT_BAD},
	[EVENT_LEARNED] = {"learned", OUTPUT_GOOD},
	[EVENT_RENEWED] = {"renewed", OUTPUT_FAINT},
	[EVENT_EXPIRED] = {"expired", OUTPUT_FAINT},
	[EVENT_BLOCKED] = {"BLOCKED", OUTPUT_BAD},
	[EVENT_DENIED] = {"DENIED", OUTPUT_BAD},
	[EVENT_PRIVATE] = {"PRIVATE", OUTPUT_BAD},
	[EVENT_REACHED] = {"reached", OUTPUT_GOOD},
	[EVENT_BYPASSED] = {"bypassed", OUTPUT_BAD},
	[EVENT_AUDIT] = {NULL, OUTPUT_PLAIN},
	[EVENT_LOST] = {"LOST", OUTPUT_BAD},
	[EVENT_HELLO] = {"watching", OUTPUT_FAINT},
	[EVENT_ENDED] = {"ended", OUTPUT_FAINT},
	[EVENT_OTHER] = {NULL, OUTPUT_PLAIN},
};

const char *event_word(const struct event *event)
{
	return faces[event->kind].word ? faces[event->kind].word : event->action;
}

static const char *style_begin(const struct event_style *style, enum output_style which)
{
	switch (which) {
	case OUTPUT_GOOD:
		return style->good;
	case OUTPUT_BAD:
		return style->bad;
	case OUTPUT_FAINT:
		return style->faint;
	case OUTPUT_PLAIN:
		return "";
	}
	return "";
}

/* The local time of day. What is no time of ours is shown as "--:--:--". */
static void clock_add(struct text *text, const char *time_text)
{
	struct tm utc = {0}, local;
	char shown[CLOCK_LENGTH + 1] = "--:--:--";
	const char *end = strptime(time_text, "%Y-%m-%dT%H:%M:%S", &utc);
	time_t seconds = end && strcmp(end, "+00:00") == 0 ? timegm(&utc) : -1;
	if (seconds != -1 && localtime_r(&seconds, &local))
		strftime(shown, sizeof(shown), "%H:%M:%S", &local);
	text_add(text, shown);
}

size_t event_fit(struct text *text, const char *string, size_t width)
{
	size_t length = strlen(string);
	if (length <= width) {
		text_add_bytes(text, string, length);
		return length;
	}
	size_t dots = width > 3 ? 3 : width, rest = width - dots, tail = (rest * 2 + 2) / 3;
	text_add_bytes(text, string, rest - tail);
	text_add_bytes(text, "...", dots);
	text_add(text, string + length - tail);
	return width;
}

/* A column: cut or filled to its width, and the gap behind it. */
static void column_add(struct text *text, const char *string, size_t width)
{
	for (size_t used = event_fit(text, string, width); used <= width; used++)
		text_add(text, " ");
}

void event_subject_add(struct text *text, const struct event *event)
{
	char peer[EVENT_PEER_MAX];
	event_peer(peer, event->dest, event->port, event->proto);
	switch (event->kind) {
	case EVENT_REFUSED:
		text_addf(text, "%s%s%s", event->domain, event->query_type[0] ? " " : "", event->query_type);
		return;
	case EVENT_LEARNED:
	case EVENT_RENEWED:
	case EVENT_EXPIRED:
		text_addf(text, "%s %s", event->domain, peer);
		return;
	case EVENT_BLOCKED:
	case EVENT_DENIED:
	case EVENT_PRIVATE:
	case EVENT_REACHED:
	case EVENT_BYPASSED:
	case EVENT_AUDIT:
	case EVENT_OTHER:
		text_add(text, event->dest[0] ? peer : event->domain);
		if (event->dest[0] && event->domain[0])
			text_addf(text, " (%s)", event->domain);
		return;
	case EVENT_LOST:
		text_addf(text, "%llu event%s, %s", (unsigned long long)event->count, event->count == 1 ? "" : "s",
			strcmp(event->detail, "kernel") == 0 ? "more than the forwarder could take" : "more than was read here in time");
		return;
	case EVENT_HELLO:
		text_addf(text, "from here on, forwarder %s", event->detail);
		return;
	case EVENT_ENDED:
		text_add(text, "the container has ended");
		return;
	}
}

/* Behind the subject: how often, for how long, why. */
static void tail_add(struct text *text, const struct event *event)
{
	char lifetime[OUTPUT_LIFETIME_MAX];
	if (event->kind == EVENT_LOST || event->kind == EVENT_HELLO || event->kind == EVENT_ENDED)
		return;
	if (event->count > 1)
		text_addf(text, " x%llu", (unsigned long long)event->count);
	if (event->lifetime_s > 0)
		text_addf(text, " %s", output_lifetime(lifetime, event->lifetime_s < UINT32_MAX ? event->lifetime_s * 1000 : UINT32_MAX));
	if (event->detail[0])
		text_addf(text, "  %s", event->detail);
}

/* Subject and tail in room columns. Of what is too long first the tail is cut, but not below a third; then the subject, in its middle. */
static void rest_add(struct text *text, const struct text *subject, const struct text *tail, size_t room)
{
	size_t behind = tail->length, least = behind < room / 3 ? behind : room / 3;
	if (subject->length + behind > room)
		behind = room > subject->length + least ? room - subject->length : least;
	event_fit(text, subject->data, room - behind);
	text_add_bytes(text, tail->data, behind);
}

void event_text_add(struct text *text, const struct event *event, const struct event_style *style)
{
	cleanup_text struct text subject = {0}, tail = {0};
	const char *word = event_word(event);
	size_t used = CLOCK_LENGTH + 1 + (style->container_width > 0 ? style->container_width + 1 : 0);
	size_t word_width = strlen(word) <= WORD_WIDTH ? WORD_WIDTH : strlen(word) <= WORD_MAX ? strlen(word) : WORD_MAX;
	text_add(&subject, "");
	text_add(&tail, "");
	event_subject_add(&subject, event);
	tail_add(&tail, event);
	if (text_failed(&subject) || text_failed(&tail)) {
		text->failed = true;
		return;
	}
	text_add(text, style->faint);
	clock_add(text, event->time);
	text_addf(text, "%s ", style->plain);
	if (style->container_width > 0)
		column_add(text, event->container, style->container_width);
	text_add(text, style_begin(style, faces[event->kind].style));
	column_add(text, word, word_width);
	text_add(text, style->plain);
	used += word_width + 1;
	rest_add(text, &subject, &tail, style->width == 0 ? SIZE_MAX / 2 : style->width > used ? style->width - used : 0);
}
