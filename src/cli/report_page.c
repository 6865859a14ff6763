/* The report as one HTML file. */
#include "cli/report_page.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/html.h"
#include "policy/protocol.h"

#define LABEL_MAX  120 /* characters of a name in a table; what a workload asks for may have a thousand */
#define UNUSED_MAX 150
#define DETAIL_MAX 400

/* ---- the head ---- */

static void page_begin(struct text *html, const struct report *report)
{
	text_add(html,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>");
	html_add(html, report->container);
	text_add(html, ": network report</title>\n<style>\n");
	text_add(html, report_style);
	text_add(html, "</style>\n</head>\n<body>\n<main>\n<header><div><div class=\"sub\">Network report of the container</div><h1>");
	html_add(html, report->container);
	text_addf(html, "</h1></div><div class=\"sub\">");
	report_add_time(html, report->from);
	text_add(html, " to ");
	report_add_time(html, report->to);
	text_addf(html, " UTC<br>state: %s &middot; profiles: ", shield_state_name(report->state));
	html_add(html, *report->profiles ? report->profiles : "none");
	text_add(html, "</div></header>\n");
}

/* "1 name", "12 names" */
static void add_count(struct text *html, uint64_t number, const char *one, const char *many)
{
	report_add_number(html, number);
	text_addf(html, " %s", number == 1 ? one : many);
}

struct totals {
	uint64_t queries[REPORT_CLASSES], attempts[REPORT_CLASSES], made[REPORT_CLASSES], bytes[REPORT_CLASSES];
	size_t connected; /* destinations of REPORT_REACHED with a connection or traffic */
	size_t faults, decisions;
	bool was_down;
};

static struct totals totals_of(const struct report *report)
{
	struct totals totals = {0};
	for (size_t i = 0; i < report->count; i++) {
		const struct report_destination *destination = &report->destinations[i];
		totals.queries[destination->class] += destination->queries;
		totals.attempts[destination->class] += destination->attempts;
		totals.made[destination->class] += destination->made;
		totals.bytes[destination->class] += destination->bytes;
		totals.connected += destination->class == REPORT_REACHED && (destination->made > 0 || destination->bytes > 0);
	}
	for (size_t i = 0; i < report->events.count; i++) {
		enum report_event_kind kind = report->events.list[i].kind;
		totals.faults += kind == REPORT_ERROR;
		totals.decisions += kind == REPORT_ALLOW || kind == REPORT_DENY;
		totals.was_down |= kind == REPORT_DOWN || kind == REPORT_DOWN_ALL;
	}
	return totals;
}

/* "It reached 14 destinations, was allowed one more without connecting to it, and was refused 13." */
static void add_numbers(struct text *html, const struct report *report, const struct totals *totals)
{
	size_t only_asked = report->class_count[REPORT_REACHED] - totals->connected;
	text_add(html, "It reached ");
	add_count(html, totals->connected, "destination", "destinations");
	if (only_asked > 0) {
		text_add(html, ", was allowed ");
		report_add_number(html, only_asked);
		text_add(html, " more that it was not seen to connect to,");
	}
	text_add(html, " and was refused ");
	report_add_number(html, report->class_count[REPORT_REFUSED]);
	text_add(html, ".");
}

static void add_verdict(struct text *html, const struct report *report, const struct totals *totals)
{
	bool bypassed = totals->was_down || report->class_count[REPORT_BYPASSED] > 0;
	bool faulty = report->state == SHIELD_ERROR || totals->faults > 0;
	text_addf(html, "<section class=\"verdict %s\"><p>", faulty ? "bad" : bypassed ? "open" : "good");
	if (report->count == 0)
		text_add(html, "Nothing is known of what it reached or tried to reach.");
	else
		add_numbers(html, report, totals);
	text_add(html, "</p><p>");
	if (faulty)
		text_add(html, report->state == SHIELD_ERROR ? "The shield is not as it should be now. "
							     : "There were faults, see the log below. ");
	if (bypassed) {
		text_add(html, "The shield was down for a time: ");
		add_count(html, report->class_count[REPORT_BYPASSED], "destination", "destinations");
		text_add(html, " passed that no line allows.");
	} else {
		text_add(html, "The shield was not taken down: what no line allows did not leave.");
	}
	text_add(html, "</p></section>\n");
}

static void tile_begin(struct text *html, const char *style)
{
	text_addf(html, "<div class=\"tile\"><b%s%s%s>", *style ? " class=\"" : "", style, *style ? "\"" : "");
}

static void tile_add(struct text *html, const char *style, uint64_t number, const char *what)
{
	tile_begin(html, style);
	report_add_number(html, number);
	text_addf(html, "</b><span>%s</span></div>\n", what);
}

static void add_tiles(struct text *html, const struct report *report, const struct totals *totals)
{
	text_add(html, "<div class=\"tiles\">\n");
	tile_add(html, "good", totals->connected, "destinations reached");
	tile_add(html, "good", totals->made[REPORT_REACHED], "connections made");
	tile_begin(html, "good");
	report_add_bytes(html, totals->bytes[REPORT_REACHED]);
	text_add(html, "</b><span>through allowed names</span></div>\n");
	tile_add(html, "bad", report->class_count[REPORT_REFUSED], "destinations refused");
	tile_add(html, "bad", totals->attempts[REPORT_REFUSED] + totals->queries[REPORT_REFUSED], "refusals");
	if (report->class_count[REPORT_BYPASSED] > 0 || totals->was_down)
		tile_add(html, "open", report->class_count[REPORT_BYPASSED], "let through by bypass");
	tile_add(html, "", totals->decisions, "decisions");
	text_add(html, "</div>\n");
}

/* ---- tables ---- */

static void section_begin(struct text *html, const char *title, const char *hint)
{
	text_addf(html, "<section><h2>%s</h2>\n<p class=\"hint\">%s</p>\n", title, hint);
}

static void more_add(struct text *html, size_t more)
{
	if (more == 0)
		return;
	text_add(html, "<p class=\"hint\">and ");
	report_add_number(html, more);
	text_add(html, " more, which are not shown</p>\n");
}

static void cell_name(struct text *html, const struct report_destination *destination)
{
	char text[ADDR_TEXT_MAX];
	text_add(html, "<td class=\"name\"><span class=\"mono\">");
	html_add_short(html, report_label(destination, text), LABEL_MAX);
	text_add(html, "</span>");
	if (destination->name && destination->address_count > 0) {
		text_add(html, "<small>");
		for (size_t i = 0; i < destination->address_count && i < REPORT_ADDRESSES; i++)
			text_addf(html, "%s%s", i > 0 ? ", " : "", addr_format(&destination->addresses[i], text));
		if (destination->address_count > REPORT_ADDRESSES)
			text_addf(html, " and %zu more", destination->address_count - REPORT_ADDRESSES);
		text_add(html, "</small>");
	} else if (!destination->name) {
		text_add(html, "<small>no name has brought it</small>");
	}
	text_add(html, "</td>");
}

static void cell_ports(struct text *html, const struct report_destination *destination)
{
	char protocol[PROTOCOL_TEXT_MAX];
	text_add(html, "<td class=\"mono\">");
	for (size_t i = 0; i < destination->port_count && i < REPORT_PORTS; i++) {
		const struct report_port *port = &destination->ports[i];
		text_add(html, i > 0 ? ", <span class=\"one\">" : "<span class=\"one\">");
		if (port->has_port)
			text_addf(html, "%u/", port->port);
		text_addf(html, "%s</span>", protocol_format(port->protocol, protocol));
	}
	text_add(html, destination->port_count > REPORT_PORTS ? " ...</td>" : "</td>");
}

/* First and last; the date once where it is one day. */
static void cell_times(struct text *html, int64_t first, int64_t last)
{
	cleanup_text struct text time = {0};
	text_add(html, "<td class=\"t\">");
	report_add_time(html, first);
	report_add_time(&time, last);
	if (first != last && time.data)
		text_addf(html, "<br>to %s", time.data + (first / 86400 == last / 86400 ? sizeof("2026-11-28") : 0));
	text_add(html, "</td>");
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The folder is left out: who gets the report need not know where somebody's home is. */
static void add_line(struct text *html, const struct report_line *line)
{
	text_add(html, "<span class=\"mono\">");
	html_add_short(html, line->rule, LABEL_MAX);
	text_add(html, "</span><small>");
	html_add(html, base_name(line->source));
	text_addf(html, ":%" PRIu32 "</small>", line->number);
}

/* Empty for none, so that what there is stands out. */
static void cell_number(struct text *html, uint64_t number)
{
	text_add(html, "<td class=\"n\">");
	if (number > 0)
		report_add_number(html, number);
	text_add(html, "</td>");
}

static void cell_connections(struct text *html, const struct report_destination *destination)
{
	text_add(html, "<td class=\"n\">");
	if (destination->attempts == 0)
		text_add(html, "<span class=\"sub\">none seen</span>");
	else
		report_add_number(html, destination->made);
	if (destination->attempts > destination->made) {
		text_add(html, "<small>of ");
		report_add_number(html, destination->attempts);
		text_add(html, " tried</small>");
	}
	text_add(html, "</td>");
}

static void cell_traffic(struct text *html, const struct report_destination *destination, uint64_t most_bytes)
{
	text_add(html, "<td class=\"n\">");
	if (destination->bytes > 0) {
		report_add_bytes(html, destination->bytes);
		text_addf(
			html, "<span class=\"bar\" style=\"width:%.0f%%\"></span>", (double)destination->bytes * 100 / (double)most_bytes);
	}
	text_add(html, "</td>");
}

/* What passed: by a line, or by a bypass. */
static void passed_row(struct text *html, const struct report_destination *destination, uint64_t most_bytes)
{
	text_add(html, "<tr>");
	cell_name(html, destination);
	cell_connections(html, destination);
	if (destination->class == REPORT_REACHED)
		cell_traffic(html, destination, most_bytes);
	cell_number(html, destination->queries);
	cell_ports(html, destination);
	cell_times(html, destination->first, destination->last);
	if (destination->class == REPORT_REACHED) {
		text_add(html, "<td class=\"line\">");
		if (!destination->line)
			text_add(html, "<span class=\"sub\">no line any more</span>");
		else if (!destination->line_allows)
			text_add(html, "<span class=\"sub\">denied since:</span> ");
		if (destination->line)
			add_line(html, destination->line);
		text_add(html, "</td>");
	}
	text_add(html, "</tr>\n");
}

static void why_add(struct text *html, const struct report_destination *destination)
{
	static const struct {
		enum activity_verdict verdict;
		const char *text;
	} reasons[] = {
		{ACTIVITY_REFUSED, "no line names it"},
		{ACTIVITY_DENIED, "denied"},
		{ACTIVITY_PRIVATE, "inside address"},
	};
	bool said = false;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		if (!(destination->verdicts & 1u << reasons[i].verdict))
			continue;
		text_addf(html, "<span class=\"tag bad\">%s</span> ", reasons[i].text);
		said = true;
	}
	if (destination->verdicts & 1u << ACTIVITY_BLOCKED && destination->other_ports)
		text_add(html, "<span class=\"tag bad\">other port</span> ");
	else if (destination->verdicts & 1u << ACTIVITY_BLOCKED && !said)
		text_addf(html, "<span class=\"tag bad\">%s</span> ", destination->name ? "address not allowed" : "no line names it");
	if (destination->line && destination->line_allows && !destination->other_ports)
		text_add(html, "<small>a line allows it now:</small>");
	if (destination->line)
		add_line(html, destination->line);
}

static void refused_row(struct text *html, const struct report_destination *destination)
{
	text_add(html, "<tr>");
	cell_name(html, destination);
	cell_number(html, destination->queries);
	cell_number(html, destination->attempts);
	cell_ports(html, destination);
	cell_times(html, destination->first, destination->last);
	text_add(html, "<td class=\"line\">");
	why_add(html, destination);
	text_add(html, "</td></tr>\n");
}

static const struct {
	const char *title, *hint, *head, *nothing;
} class_texts[REPORT_CLASSES] = {
	[REPORT_REACHED] = {"Reached",
		"What a line let through. Connections are those that the other side answered; traffic counts both ways, through addresses that names have brought.",
		"<th>Destination<th class=\"n\">Connections<th class=\"n\">Traffic<th class=\"n\">Questions<th>Ports<th>First and last<th>Allowed by",
		"Nothing was allowed."},
	[REPORT_BYPASSED] = {"Let through by a bypass", "What passed while the shield was down, and no line allows.",
		"<th>Destination<th class=\"n\">Connections<th class=\"n\">Questions<th>Ports<th>First and last", NULL},
	[REPORT_REFUSED] = {"Refused", "What it tried and did not get, the most often first.",
		"<th>Destination<th class=\"n\">Questions<th class=\"n\">Connections<th>Ports<th>First and last<th>Why",
		"Nothing was refused."},
};

static void add_class(struct text *html, const struct report *report, enum report_class class)
{
	const struct report_destination *list = report->destinations + report->class_first[class];
	size_t count = report->class_count[class], shown = count < REPORT_ROWS_MAX ? count : REPORT_ROWS_MAX;
	if (count == 0 && !class_texts[class].nothing)
		return;
	section_begin(html, class_texts[class].title, count ? class_texts[class].hint : class_texts[class].nothing);
	if (count > 0) {
		text_addf(html, "<div class=\"scroll\"><table>\n<thead><tr>%s</tr></thead>\n<tbody>\n", class_texts[class].head);
		for (size_t i = 0; i < shown; i++) {
			if (class == REPORT_REFUSED)
				refused_row(html, &list[i]);
			else
				passed_row(html, &list[i], list[0].bytes); /* sorted by it */
		}
		text_add(html, "</tbody></table></div>\n");
	}
	more_add(html, count - shown);
	text_add(html, "</section>\n");
}

/* ---- the log ---- */

static void add_events(struct text *html, const struct report_events *events)
{
	section_begin(html, "States and decisions", "What was done to the shield, by whoever runs the container, and what went wrong.");
	if (events->more > 0) {
		text_add(html, "<p class=\"hint\">The log has ");
		report_add_number(html, events->more);
		text_add(html, " older records, which are not shown.</p>\n");
	}
	if (events->count == 0)
		text_add(html, "<p class=\"hint\">There is no log.</p>\n");
	else
		text_add(html, "<div class=\"scroll\"><table>\n<thead><tr><th>Time<th>What<th>About</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < events->count; i++) {
		const struct report_event *event = &events->list[i];
		text_add(html, "<tr><td class=\"t\">");
		report_add_time(html, event->at);
		text_addf(html, "</td><td><span class=\"tag %s\">%s</span></td><td>", report_event_style(event->kind),
			report_event_name(event->kind));
		if (*event->subject) {
			text_add(html, "<span class=\"mono\">");
			html_add_short(html, event->subject, LABEL_MAX);
			text_add(html, "</span> ");
		}
		html_add_short(html, event->detail, DETAIL_MAX);
		text_add(html, "</td></tr>\n");
	}
	text_add(html, events->count ? "</tbody></table></div>\n</section>\n" : "</section>\n");
}

/* ---- the lines ---- */

static int by_use(const void *a, const void *b)
{
	const struct report_line *left = *(const struct report_line *const *)a, *right = *(const struct report_line *const *)b;
	if (left->bytes != right->bytes)
		return left->bytes > right->bytes ? -1 : 1;
	if (left->destinations != right->destinations)
		return left->destinations > right->destinations ? -1 : 1;
	return left < right ? -1 : 1; /* the order of the lists */
}

static void used_row(struct text *html, const struct report_line *line)
{
	text_add(html, "<tr><td>");
	add_line(html, line);
	text_addf(html, "</td><td><span class=\"tag %s\">%s</span></td><td class=\"n\">%zu</td><td class=\"n\">",
		line->refuses ? "bad" : "good", line->refuses ? "refuses" : "allows", line->destinations);
	report_add_number(html, line->made);
	text_add(html, "</td><td class=\"n\">");
	if (line->bytes > 0)
		report_add_bytes(html, line->bytes);
	text_add(html, "</td></tr>\n");
}

static void used_add(struct text *html, const struct report_line *const *lines, size_t count)
{
	size_t shown = count < REPORT_ROWS_MAX ? count : REPORT_ROWS_MAX;
	if (count == 0)
		return;
	text_add(html,
		"<div class=\"scroll\"><table>\n<thead><tr><th>Line<th>It<th class=\"n\">Destinations<th class=\"n\">Connections<th class=\"n\">Traffic</tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < shown; i++)
		used_row(html, lines[i]);
	text_add(html, "</tbody></table></div>\n");
	more_add(html, count - shown);
}

static void unused_add(struct text *html, const struct report_line *const *lines, size_t count)
{
	size_t shown = count < UNUSED_MAX ? count : UNUSED_MAX;
	if (count == 0)
		return;
	text_add(html,
		"<p class=\"hint\" style=\"margin-top:14px\">Not used by anything above, so it may do without them:</p>\n<ul class=\"unused\">\n");
	for (size_t i = 0; i < shown; i++) {
		text_add(html, "<li class=\"mono\">");
		html_add_short(html, lines[i]->rule, LABEL_MAX);
		text_add(html, "</li>\n");
	}
	text_add(html, "</ul>\n");
	more_add(html, count - shown);
}

static int add_lines(struct text *html, const struct report_lines *lines)
{
	const struct report_line **sorted = calloc(lines->count + 1, sizeof(*sorted));
	size_t used = 0;
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < lines->count; i++) {
		sorted[i] = &lines->list[i];
		used += lines->list[i].destinations > 0;
	}
	qsort(sorted, lines->count, sizeof(*sorted), by_use);
	section_begin(
		html, "Lines", "The profiles, and what was allowed and denied since, as they are now; which destinations each decided.");
	used_add(html, sorted, used);
	unused_add(html, sorted + used, lines->count - used);
	more_add(html, lines->more);
	text_add(html, "</section>\n");
	free(sorted);
	return 0;
}

static void page_end(struct text *html, const struct report *report)
{
	text_add(html, "<footer>\n<p>Written by terok-shield ");
	html_add(html, report->version);
	text_add(html, " at ");
	report_add_time(html, report->made);
	text_add(html, " UTC, from what the container's forwarder and the kernel have counted since ");
	report_add_time(html, report->activity->since ? report->activity->since : report->from);
	text_add(html, ", and from the audit log. All times are UTC.</p>\n");
	if (report->activity->full > 0) {
		text_add(html, "<p>The container did more than is kept: ");
		report_add_number(html, report->activity->full);
		text_add(html, " rows had to go for others, so destinations are missing above.</p>\n");
	}
	text_add(html,
		"<p>Names are as they were asked for. A name that was allowed and asked for need not have been connected to. The text of a connection is not looked into: what was sent is not known.</p>\n"
		"</footer>\n</main>\n</body>\n</html>\n");
}

int report_page(struct text *html, const struct report *report)
{
	struct totals totals = totals_of(report);
	page_begin(html, report);
	add_verdict(html, report, &totals);
	add_tiles(html, report, &totals);
	section_begin(html, "Timeline",
		"When each was seen first and last: <span class=\"good\">reached</span>, <span class=\"open\">let through by a bypass</span>, "
		"<span class=\"bad\">refused</span>. Marks above the band: decisions, changes of state.");
	text_add(html, "<div class=\"scroll\">\n");
	report_timeline(html, report);
	text_add(html, "</div></section>\n");
	add_class(html, report, REPORT_BYPASSED);
	add_class(html, report, REPORT_REACHED);
	add_class(html, report, REPORT_REFUSED);
	add_events(html, &report->events);
	int rc = add_lines(html, &report->lines);
	page_end(html, report);
	return rc ? rc : text_failed(html) ? -ENOMEM : 0;
}
