/* Activity, grouped by destination.
 *
 * Each row of the activity becomes a destination of its own; these are sorted by class and name, equals are merged, and what is left is
 * sorted for reading. So the cost is that of sorting, whatever the workload did. */
#include "cli/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Connections are counted under one name; that it may have been another is for suggest. */
static bool row_counts(const struct activity_row *row)
{
	return row->kind != ACTIVITY_SHARED;
}

static enum report_class row_class(const struct activity_row *row)
{
	if (row->kind == ACTIVITY_ADDRESS) /* in a learned set: an allowed name brought it */
		return REPORT_REACHED;
	switch (row->verdict) {
	case ACTIVITY_ALLOWED:
		return REPORT_REACHED;
	case ACTIVITY_BYPASSED:
		return REPORT_BYPASSED;
	case ACTIVITY_REFUSED:
	case ACTIVITY_BLOCKED:
	case ACTIVITY_DENIED:
	case ACTIVITY_PRIVATE:
		return REPORT_REFUSED;
	}
	return REPORT_REFUSED;
}

static void row_convert(struct report_destination *destination, const struct activity_row *row)
{
	bool is_name = row->kind == ACTIVITY_NAME, is_connection = row->kind == ACTIVITY_CONNECTION;
	*destination = (struct report_destination){
		.class = row_class(row),
		.name = row->name,
		.verdicts = row->kind == ACTIVITY_ADDRESS ? 1u << ACTIVITY_ALLOWED : 1u << row->verdict,
		.queries = is_name ? row->count : 0,
		.attempts = is_connection ? row->count : 0,
		.made = is_connection ? row->made : 0,
		.packets = row->packets,
		.bytes = row->bytes,
		.first = row->first,
		.last = row->last,
	};
	if (is_name)
		return;
	destination->addr = destination->addresses[0] = row->dest;
	destination->address_count = 1;
	if (!is_connection)
		return;
	destination->ports[0] = (struct report_port){row->port, row->protocol, row->has_port};
	destination->port_count = 1;
}

/* ---- merging ---- */

static int addr_compare(const struct addr *a, const struct addr *b)
{
	return a->family != b->family ? (int)a->family - (int)b->family : memcmp(a->octets, b->octets, sizeof(a->octets));
}

/* Of what they are: nameless ones by address. */
static int identity_compare(const struct report_destination *a, const struct report_destination *b)
{
	if (a->class != b->class)
		return (int)a->class - (int)b->class;
	if (!a->name || !b->name)
		return a->name ? -1 : b->name ? 1 : addr_compare(&a->addr, &b->addr);
	return strcmp(a->name, b->name);
}

/* Within one destination by address, so that an address which comes twice comes twice in a row; rows without one first. */
static int by_identity(const void *a, const void *b)
{
	const struct report_destination *left = a, *right = b;
	int order = identity_compare(left, right);
	if (order == 0)
		order = (int)(left->address_count > 0) - (int)(right->address_count > 0);
	return order ? order : addr_compare(&left->addr, &right->addr);
}

static void port_merge(struct report_destination *into, const struct report_port *port)
{
	for (size_t i = 0; i < into->port_count && i < REPORT_PORTS; i++) {
		const struct report_port *known = &into->ports[i];
		if (known->port == port->port && known->protocol == port->protocol && known->has_port == port->has_port)
			return;
	}
	if (into->port_count < REPORT_PORTS)
		into->ports[into->port_count] = *port;
	into->port_count++; /* beyond, one that comes twice counts twice: it says no more than that there are more */
}

static void destination_merge(struct report_destination *into, const struct report_destination *from)
{
	into->verdicts |= from->verdicts;
	into->queries += from->queries;
	into->attempts += from->attempts;
	into->made += from->made;
	into->packets += from->packets;
	into->bytes += from->bytes;
	into->first = from->first < into->first ? from->first : into->first;
	into->last = from->last > into->last ? from->last : into->last;
	if (from->address_count > 0 && (into->address_count == 0 || addr_compare(&into->addr, &from->addr) != 0)) {
		if (into->address_count < REPORT_ADDRESSES)
			into->addresses[into->address_count] = from->addr;
		into->address_count++;
		into->addr = from->addr; /* the last one, until all are merged */
	}
	for (size_t i = 0; i < from->port_count; i++)
		port_merge(into, &from->ports[i]);
}

static void destinations_merge(struct report *report)
{
	size_t kept = 0;
	for (size_t i = 0; i < report->count; i++) {
		struct report_destination *last = kept ? &report->destinations[kept - 1] : NULL;
		if (last && identity_compare(last, &report->destinations[i]) == 0)
			destination_merge(last, &report->destinations[i]);
		else
			report->destinations[kept++] = report->destinations[i];
	}
	report->count = kept;
}

/* ---- for reading ---- */

static int more_first(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static int by_weight(const void *a, const void *b)
{
	const struct report_destination *left = a, *right = b;
	if (left->class != right->class)
		return (int)left->class - (int)right->class;
	int order = more_first(left->bytes, right->bytes);
	if (order == 0)
		order = more_first(left->attempts + left->queries, right->attempts + right->queries);
	return order ? order : identity_compare(left, right);
}

static void line_find(struct report *report, const struct policy *policy, struct report_destination *destination)
{
	struct policy_match match = {.verdict = POLICY_UNLISTED, .source = ""};
	struct name name;
	if (!destination->name)
		policy_lookup_addr(policy, &destination->addr, &match);
	else if (name_from_text(&name, destination->name, strlen(destination->name)) == 0)
		policy_lookup(policy, name.wire, name.length, &match);
	destination->line = report_line_find(&report->lines, &match);
	if (!destination->line)
		return;
	destination->line_allows = match.verdict == POLICY_ALLOWED;
	destination->other_ports =
		destination->class == REPORT_REFUSED && destination->line_allows && destination->attempts > 0 && !match.any_port;
	/* It decided, unless it says the opposite of what happened: then it is newer. */
	if (destination->class == REPORT_BYPASSED || destination->line_allows != (destination->class == REPORT_REACHED))
		return;
	destination->line->destinations++;
	destination->line->made += destination->made;
	destination->line->bytes += destination->bytes;
}

static void period_extend(struct report *report, int64_t from, int64_t to)
{
	report->from = !report->from || from < report->from ? from : report->from;
	report->to = to > report->to ? to : report->to;
}

/* From the first thing that is known to the last; of a container that runs, to now. */
static void period_find(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		period_extend(report, report->destinations[i].first, report->destinations[i].last);
	for (size_t i = 0; i < report->events.count; i++)
		period_extend(report, report->events.list[i].at, report->events.list[i].at);
	if (report->activity->since)
		period_extend(report, report->activity->since, report->activity->since);
	if (report->state != SHIELD_INACTIVE || !report->from)
		period_extend(report, report->from ? report->from : report->made, report->made);
}

int report_build(struct report *report, const struct policy *policy)
{
	report->destinations = calloc(report->activity->count + 1, sizeof(*report->destinations));
	if (!report->destinations)
		return -ENOMEM;
	for (size_t i = 0; i < report->activity->count; i++)
		if (row_counts(&report->activity->rows[i]))
			row_convert(&report->destinations[report->count++], &report->activity->rows[i]);
	qsort(report->destinations, report->count, sizeof(*report->destinations), by_identity);
	destinations_merge(report);
	qsort(report->destinations, report->count, sizeof(*report->destinations), by_weight);
	for (size_t i = report->count; i-- > 0;) {
		struct report_destination *destination = &report->destinations[i];
		report->class_first[destination->class] = i;
		report->class_count[destination->class]++;
		line_find(report, policy, destination);
	}
	period_find(report);
	return 0;
}

void report_free(struct report *report)
{
	report_lines_free(&report->lines);
	report_events_free(&report->events);
	free(report->destinations);
	report->destinations = NULL;
}

const char *report_label(const struct report_destination *destination, char text[ADDR_TEXT_MAX])
{
	return destination->name ? destination->name : addr_format(&destination->addr, text);
}
