/* The timeline: when each destination was first and last seen, below a band with the states of the shield and what was decided. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/text.h"
#include "cli/html.h"
#include "cli/report_page.h"

#define WIDTH       1080
#define LEFT        250 /* of what has a time: left of it are labels */
#define RIGHT       1060
#define LANE        20
#define BAND_TOP    22
#define BAND_HEIGHT 16
#define LANES_TOP   52
#define LABEL_MAX   32
#define TICKS_MAX   8

/* Lanes by class. */
static const size_t lanes_max[REPORT_CLASSES] = {[REPORT_REACHED] = 18, [REPORT_BYPASSED] = 6, [REPORT_REFUSED] = 12};

struct timeline {
	struct text *html;
	const struct report *report;
	int64_t from, to; /* to > from */
	unsigned y;       /* of the next lane */
};

static double time_x(const struct timeline *timeline, int64_t at)
{
	at = at < timeline->from ? timeline->from : at > timeline->to ? timeline->to : at;
	return LEFT + (double)(at - timeline->from) * (RIGHT - LEFT) / (double)(timeline->to - timeline->from);
}

/* ---- the axis ---- */

static int64_t tick_step(int64_t range)
{
	static const int64_t steps[] = {
		1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600};
	size_t i = 0, last = sizeof(steps) / sizeof(*steps) - 1;
	while (i < last && range / steps[i] > TICKS_MAX)
		i++;
	return range / steps[i] > TICKS_MAX ? range / TICKS_MAX + 1 : steps[i];
}

static void tick_add(const struct timeline *timeline, int64_t at, int64_t step, unsigned bottom)
{
	time_t seconds = at;
	struct tm parts;
	char text[16];
	double x = time_x(timeline, at);
	if (!gmtime_r(&seconds, &parts) || strftime(text, sizeof(text), step < 60 ? "%H:%M:%S" : step < 86400 ? "%H:%M" : "%m-%d", &parts) == 0)
		return;
	text_addf(timeline->html,
		"<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%u\"/><text x=\"%.1f\" y=\"%u\" text-anchor=\"middle\">%s</text>\n",
		x, x, BAND_TOP, bottom, x, bottom + 16, text);
}

static void axis_add(const struct timeline *timeline, unsigned bottom)
{
	int64_t step = tick_step(timeline->to - timeline->from);
	for (int64_t at = timeline->from - timeline->from % step + step; at <= timeline->to; at += step)
		tick_add(timeline, at, step, bottom);
}

/* ---- the states ---- */

static bool is_state(enum report_event_kind kind)
{
	return kind == REPORT_UP || kind == REPORT_DOWN || kind == REPORT_DOWN_ALL || kind == REPORT_BLOCK;
}

static void band_add(const struct timeline *timeline, enum report_event_kind kind, int64_t from, int64_t to)
{
	double x = time_x(timeline, from), width = time_x(timeline, to) - x;
	if (width <= 0)
		return;
	text_addf(timeline->html, "<rect class=\"b-%s\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"><title>%s</title></rect>",
		report_event_style(kind), x, BAND_TOP, width, BAND_HEIGHT, report_event_name(kind));
	if (width > 110)
		text_addf(timeline->html, "<text class=\"%s\" x=\"%.1f\" y=\"%d\">%s</text>", report_event_style(kind), x + 5,
			BAND_TOP + 12, report_event_name(kind));
	text_add(timeline->html, "\n");
}

/* A container starts in the state that is wanted: what was said last, or up. */
static void states_add(const struct timeline *timeline)
{
	const struct report_events *events = &timeline->report->events;
	enum report_event_kind state = REPORT_UP;
	int64_t since = -1; /* it has not begun, or that is among the records that are left out */
	for (size_t i = 0; i < events->count; i++) {
		const struct report_event *event = &events->list[i];
		if (event->kind == REPORT_START && since < 0)
			since = event->at;
		if (!is_state(event->kind))
			continue;
		if (since >= 0)
			band_add(timeline, state, since, event->at);
		state = event->kind;
		since = event->at;
	}
	if (since >= 0)
		band_add(timeline, state, since, timeline->to);
}

static void mark_add(const struct timeline *timeline, const struct report_event *event)
{
	double x = time_x(timeline, event->at);
	text_addf(timeline->html, "<path class=\"%s\" d=\"M%.1f %dl-5 -9h10z\"><title>", report_event_style(event->kind), x, BAND_TOP - 1);
	report_add_time(timeline->html, event->at);
	text_addf(timeline->html, " %s ", report_event_name(event->kind));
	html_add_short(timeline->html, event->subject, 100);
	text_add(timeline->html, "</title></path>\n");
}

static void marks_add(const struct timeline *timeline)
{
	const struct report_events *events = &timeline->report->events;
	for (size_t i = 0; i < events->count; i++)
		mark_add(timeline, &events->list[i]);
}

/* ---- destinations ---- */

static void lane_add(struct timeline *timeline, const struct report_destination *destination)
{
	char address[ADDR_TEXT_MAX];
	const char *label = report_label(destination, address);
	double x = time_x(timeline, destination->first), end = time_x(timeline, destination->last);
	text_addf(timeline->html, "<g><title>");
	html_add(timeline->html, label);
	text_add(timeline->html, ", ");
	report_add_time(timeline->html, destination->first);
	text_add(timeline->html, " to ");
	report_add_time(timeline->html, destination->last);
	text_addf(timeline->html, "</title><text class=\"l\" x=\"%d\" y=\"%u\" text-anchor=\"end\">", LEFT - 10, timeline->y + 14);
	html_add_short(timeline->html, label, LABEL_MAX);
	text_addf(timeline->html, "</text><rect class=\"%s\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"8\" rx=\"4\"/></g>\n",
		report_class_style(destination->class), x - 4, timeline->y + 6, end - x + 8);
	timeline->y += LANE;
}

static int by_first(const void *a, const void *b)
{
	const struct report_destination *left = *(const struct report_destination *const *)a,
					*right = *(const struct report_destination *const *)b;
	if (left->first != right->first)
		return left->first < right->first ? -1 : 1;
	return left < right ? -1 : 1;
}

/* The heaviest of a class, in the order in which they came. */
static void class_add(struct timeline *timeline, enum report_class class)
{
	const struct report_destination *shown[32];
	size_t all = timeline->report->class_count[class], count = all < lanes_max[class] ? all : lanes_max[class];
	for (size_t i = 0; i < count; i++)
		shown[i] = &timeline->report->destinations[timeline->report->class_first[class] + i];
	qsort(shown, count, sizeof(*shown), by_first);
	for (size_t i = 0; i < count; i++)
		lane_add(timeline, shown[i]);
	if (all <= count)
		return;
	text_addf(timeline->html, "<text class=\"%s\" x=\"%d\" y=\"%u\" text-anchor=\"end\">and ", report_class_style(class), LEFT - 10,
		timeline->y + 14);
	report_add_number(timeline->html, all - count);
	text_add(timeline->html, " more</text>\n");
	timeline->y += LANE;
}

/* How far down the lanes go. */
static unsigned lanes_bottom(const struct report *report)
{
	size_t lanes = 0;
	for (int class = 0; class < REPORT_CLASSES; class ++) {
		size_t count = report->class_count[class];
		lanes += count <= lanes_max[class] ? count : lanes_max[class] + 1;
	}
	return (unsigned)(LANES_TOP + lanes * LANE + 4);
}

void report_timeline(struct text *html, const struct report *report)
{
	struct timeline timeline = {.html = html, .report = report, .from = report->from, .to = report->to, .y = LANES_TOP};
	unsigned bottom = lanes_bottom(report);
	if (timeline.to <= timeline.from)
		timeline.to = timeline.from + 1;
	text_addf(html, "<svg viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"Timeline\">\n", WIDTH, bottom + 24);
	axis_add(&timeline, bottom);
	text_addf(html, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">shield</text>\n", LEFT - 10, BAND_TOP + 12);
	states_add(&timeline);
	marks_add(&timeline);
	for (int class = 0; class < REPORT_CLASSES; class ++)
		class_add(&timeline, (enum report_class) class);
	text_add(html, "</svg>\n");
}
