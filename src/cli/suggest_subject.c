/* From rows of the record to subjects: see suggest.h. */
#include "cli/suggest_subject.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* ---- ports ---- */

static void port_add(struct suggest_ports *ports, uint16_t port, uint8_t protocol)
{
	for (size_t i = 0; i < ports->count; i++)
		if (ports->list[i].port == port && (port == 0 || ports->list[i].protocol == protocol))
			return;
	if (ports->count == SUGGEST_PORTS_MAX)
		ports->more = true;
	else
		ports->list[ports->count++] = (struct policy_port){.port = port, .protocol = protocol};
}

void suggest_ports_join(struct suggest_ports *to, const struct suggest_ports *from)
{
	for (size_t i = 0; i < from->count; i++)
		port_add(to, from->list[i].port, from->list[i].protocol);
	to->more = to->more || from->more;
}

/* A rule has TCP and UDP ports only; everything else needs the whole destination. */
static void row_port_add(struct suggest_ports *ports, const struct activity_row *row)
{
	bool has_port = row->has_port && row->port && (row->protocol == IPPROTO_TCP || row->protocol == IPPROTO_UDP);
	port_add(ports, has_port ? row->port : 0, row->protocol);
}

/* Names that a profile can hold, and that are somebody's: no reverse names. */
static bool name_is_fit(const struct name *name)
{
	cleanup_text struct text text = {0};
	struct rule rule = {.kind = RULE_EXACT, .name = *name}, back;
	static const uint8_t reverse[] = "\4arpa";
	rule_format(&rule, &text);
	if (text_failed(&text) || rule_parse(&back, text.data, text.length, NULL))
		return false;
	return name->length < sizeof(reverse) || memcmp(name->wire + name->length - sizeof(reverse), reverse, sizeof(reverse)) != 0;
}

static void subject_fill(struct suggest_subject *subject, const struct activity_row *row, int64_t refused_from)
{
	subject->first = row->first;
	subject->last = row->last;
	subject->denied = row->verdict == ACTIVITY_DENIED;
	subject->refused =
		(row->verdict == ACTIVITY_REFUSED || row->verdict == ACTIVITY_BLOCKED || subject->denied) && row->last >= refused_from;
	if (row->kind == ACTIVITY_NAME) {
		subject->questions = row->count;
		return;
	}
	subject->attempts = row->count;
	subject->made = row->made;
	subject->inside = row->verdict == ACTIVITY_PRIVATE;
	if (!subject->denied)
		row_port_add(row->made ? &subject->used : subject->refused ? &subject->refused_at : &subject->tried, row);
}

static void loan_join(struct suggest_loan *to, const struct suggest_loan *from)
{
	suggest_ports_join(&to->used, &from->used);
	suggest_ports_join(&to->refused_at, &from->refused_at);
	to->made += from->made;
	to->attempts += from->attempts;
	to->refusals += from->refusals;
}

static void subject_join(struct suggest_subject *to, const struct suggest_subject *from)
{
	to->first = from->first < to->first ? from->first : to->first;
	to->last = from->last > to->last ? from->last : to->last;
	to->questions += from->questions;
	to->attempts += from->attempts;
	to->made += from->made;
	to->refused = to->refused || from->refused;
	to->inside = to->inside || from->inside;
	to->denied = to->denied && from->denied;
	suggest_ports_join(&to->used, &from->used);
	suggest_ports_join(&to->refused_at, &from->refused_at);
	suggest_ports_join(&to->tried, &from->tried);
	loan_join(&to->loan, &from->loan);
}

int suggest_name_compare(const struct name *a, const struct name *b)
{
	const uint8_t *labels[2][128];
	size_t counts[2] = {0};
	const struct name *names[] = {a, b};
	for (size_t i = 0; i < 2; i++)
		for (const uint8_t *at = names[i]->wire; *at; at += 1 + *at)
			labels[i][counts[i]++] = at;
	for (size_t left = counts[0], right = counts[1]; left > 0 && right > 0;) {
		const uint8_t *x = labels[0][--left], *y = labels[1][--right];
		int order = memcmp(x + 1, y + 1, *x < *y ? *x : *y);
		if (order || *x != *y)
			return order ? order : *x - *y;
	}
	return counts[0] < counts[1] ? -1 : counts[0] > counts[1];
}

int suggest_addr_compare(const struct addr *a, const struct addr *b)
{
	return a->family != b->family ? (int)a->family - (int)b->family : memcmp(a->octets, b->octets, sizeof(a->octets));
}

static int subject_compare(const void *left, const void *right)
{
	const struct suggest_subject *a = left, *b = right;
	if (a->is_name != b->is_name)
		return a->is_name ? -1 : 1;
	if (a->is_name)
		return suggest_name_compare(&a->name, &b->name);
	return suggest_addr_compare(&a->addr, &b->addr);
}

bool suggest_row_counts(const struct activity_row *row)
{
	if (row->kind != ACTIVITY_CONNECTION)
		return row->kind == ACTIVITY_NAME;
	return addr_scope(&row->dest) != ADDR_MULTICAST || row->protocol == IPPROTO_TCP || row->protocol == IPPROTO_UDP;
}

/* ---- addresses of several names ---- */

static int by_dest(const void *left, const void *right)
{
	return suggest_addr_compare(
		&(*(const struct activity_row *const *)left)->dest, &(*(const struct activity_row *const *)right)->dest);
}

/* The record's connections that had a name, by address. */
struct traffic {
	const struct activity_row **rows;
	size_t count;
};

static int traffic_gather(const struct activity *activity, struct traffic *traffic)
{
	traffic->rows = calloc(activity->count + 1, sizeof(*traffic->rows));
	if (!traffic->rows)
		return -ENOMEM;
	for (size_t i = 0; i < activity->count; i++)
		if (activity->rows[i].kind == ACTIVITY_CONNECTION && activity->rows[i].name)
			traffic->rows[traffic->count++] = &activity->rows[i];
	if (traffic->count > 0)
		qsort(traffic->rows, traffic->count, sizeof(*traffic->rows), by_dest);
	return 0;
}

static size_t traffic_first(const struct traffic *traffic, const struct addr *addr)
{
	size_t low = 0, high = traffic->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (suggest_addr_compare(&traffic->rows[middle]->dest, addr) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether the connection may have been meant for a name that shares its address: it was asked for by then, and where a rule let it through,
 * one for that port. */
static bool may_be_meant(const struct activity_row *shared, const struct activity_row *connection)
{
	bool fits = !shared->has_port || (shared->port == connection->port && shared->protocol == connection->protocol);
	return shared->first <= connection->last && (fits || connection->verdict != ACTIVITY_ALLOWED);
}

static void loan_add(struct suggest_loan *loan, const struct activity_row *row, int64_t refused_from)
{
	if (row->verdict == ACTIVITY_BLOCKED && row->last >= refused_from) {
		loan->refusals += row->count;
		row_port_add(&loan->refused_at, row);
	} else if ((row->verdict == ACTIVITY_ALLOWED || row->verdict == ACTIVITY_BYPASSED) && row->made) {
		loan->attempts += row->count;
		loan->made += row->made;
		row_port_add(&loan->used, row);
	}
}

#define LENDERS_MAX 1024 /* of one address; a workload can make as many as the record has rows, and names too */

static void subject_lend(
	struct suggest_subject *subject, const struct activity_row *shared, const struct traffic *traffic, int64_t refused_from)
{
	size_t first = traffic_first(traffic, &shared->dest), last = first;
	subject->first = shared->first;
	subject->last = shared->last;
	while (last < traffic->count && last - first < LENDERS_MAX && addr_equal(&traffic->rows[last]->dest, &shared->dest)) {
		if (may_be_meant(shared, traffic->rows[last]))
			loan_add(&subject->loan, traffic->rows[last], refused_from);
		last++;
	}
}

/* What a name has of its own says enough. */
static void loan_take(struct suggest_subject *subject)
{
	const struct suggest_loan *loan = &subject->loan;
	subject->lent_use = !subject->made && loan->made;
	subject->lent_refusal = !subject->refused && loan->refusals;
	if (subject->lent_use) {
		subject->used = loan->used;
		subject->made = loan->made;
		subject->attempts += loan->attempts;
	}
	if (subject->lent_refusal) {
		subject->refused = true;
		subject->refused_at = loan->refused_at;
		subject->attempts += loan->refusals;
	}
}

/* ---- all subjects ---- */

static void subjects_merge(struct suggest_subjects *subjects)
{
	size_t kept = 0;
	if (subjects->count > 0)
		qsort(subjects->list, subjects->count, sizeof(*subjects->list), subject_compare);
	for (size_t i = 0; i < subjects->count; i++) {
		if (kept > 0 && subject_compare(&subjects->list[kept - 1], &subjects->list[i]) == 0)
			subject_join(&subjects->list[kept - 1], &subjects->list[i]);
		else
			subjects->list[kept++] = subjects->list[i];
	}
	subjects->count = kept;
	for (size_t i = 0; i < kept; i++)
		loan_take(&subjects->list[i]);
}

int suggest_subjects_gather(const struct activity *activity, int64_t refused_from, struct suggest_subjects *subjects)
{
	struct traffic traffic = {0};
	subjects->list = calloc(activity->count + 1, sizeof(*subjects->list));
	if (!subjects->list || traffic_gather(activity, &traffic))
		return -ENOMEM;
	for (size_t i = 0; i < activity->count; i++) {
		const struct activity_row *row = &activity->rows[i];
		bool is_shared = row->kind == ACTIVITY_SHARED;
		struct suggest_subject subject = {.is_name = row->name, .addr = row->dest};
		if (!suggest_row_counts(row) && !is_shared)
			continue;
		if (row->name && (name_from_text(&subject.name, row->name, strlen(row->name)) || !name_is_fit(&subject.name))) {
			subjects->unwritable += !is_shared;
			continue;
		}
		if (is_shared)
			subject_lend(&subject, row, &traffic, refused_from);
		else
			subject_fill(&subject, row, refused_from);
		if (is_shared && !subject.loan.made && !subject.loan.refusals)
			continue;
		subjects->list[subjects->count++] = subject;
	}
	free(traffic.rows);
	subjects_merge(subjects);
	return 0;
}
