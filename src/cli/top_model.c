/* What the screen of `top` knows.
 *
 * A sample replaces the one before; both are sorted alike, so that one walk finds for each address what it had counted. Refusals come at
 * once as events, and their repeats from the container's activity, which counts each, some seconds later. A workload can make up as many as
 * it likes, so there is a bound: the one that was counted least, and of those the oldest, goes. */
#include "cli/top_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"
#include "policy/protocol.h"

#define SAID_MS 6000

int top_model_init(struct top_model *model, const char *container)
{
	*model = (struct top_model){.page = 1, .key = hash_key_random()};
	snprintf(model->container, sizeof(model->container), "%s", container);
	model->refusals = calloc(TOP_REFUSALS_MAX, sizeof(*model->refusals));
	return model->refusals ? 0 : -ENOMEM;
}

void top_model_free(struct top_model *model)
{
	free(model->addresses);
	free(model->shown);
	free(model->refusals);
	*model = (struct top_model){0};
}

/* ---- addresses ---- */

uint64_t top_address_packets(const struct top_address *address)
{
	return address->carried_packets + address->element.packets;
}

uint64_t top_address_bytes(const struct top_address *address)
{
	return address->carried_bytes + address->element.bytes;
}

/* Continues what was known of the address. On older kernels a renewal begins the counters anew. */
static void address_continue(struct top_address *address, const struct top_address *before, int64_t elapsed_ms)
{
	uint64_t moved = address->element.bytes;
	address->rank = before->rank;
	address->carried_packets = before->carried_packets;
	address->carried_bytes = before->carried_bytes;
	if (address->element.bytes < before->element.bytes || address->element.packets < before->element.packets) {
		address->carried_packets += before->element.packets;
		address->carried_bytes += before->element.bytes;
	} else {
		moved -= before->element.bytes;
	}
	address->bytes_rate = (double)moved * 1000 / (double)elapsed_ms;
}

/* One that was not in the sample before has moved all its bytes since, if it is as young as that; a listing may miss one that is old. */
static void address_begin(struct top_address *address, int64_t elapsed_ms)
{
	const struct setwriter_element *element = &address->element;
	if (element->timeout_ms - element->expires_ms <= (uint64_t)elapsed_ms)
		address->bytes_rate = (double)element->bytes * 1000 / (double)elapsed_ms;
}

static void addresses_fill(struct top_model *model, struct top_address *fresh, const struct learned *learned, int64_t elapsed_ms)
{
	const struct top_address *before = model->addresses, *end = before + model->address_count;
	size_t count = 0;
	model->name_count = 0;
	for (size_t i = 0; i < learned->count; i++) {
		const struct setwriter_element *element = &learned->list[i];
		if (i > 0 && learned_compare(element, &learned->list[i - 1]) == 0)
			continue; /* a listing may have one twice */
		model->name_count += i == 0 || strcmp(element->comment, learned->list[i - 1].comment) != 0;
		struct top_address *address = &fresh[count++];
		*address = (struct top_address){.element = *element, .rank = SIZE_MAX};
		while (before < end && learned_compare(&before->element, element) < 0)
			before++;
		if (before < end && learned_compare(&before->element, element) == 0)
			address_continue(address, before, elapsed_ms);
		else if (model->sampled_ms)
			address_begin(address, elapsed_ms);
	}
	free(model->addresses);
	model->addresses = fresh;
	model->address_count = count;
}

static void selection_check(struct top_model *model)
{
	struct top_selection *selection = &model->selection;
	if (selection->any && top_model_selected(model, selection->pane) == SIZE_MAX)
		selection->any = false;
}

int top_model_sample(struct top_model *model, const struct learned *learned, int64_t now_ms)
{
	int64_t elapsed_ms = now_ms > model->sampled_ms ? now_ms - model->sampled_ms : 1;
	struct top_address *fresh = calloc(learned->count + 1, sizeof(*fresh));
	struct top_address **shown = calloc(learned->count + 1, sizeof(*shown));
	if (!fresh || !shown) {
		free(fresh);
		free(shown);
		return -ENOMEM;
	}
	addresses_fill(model, fresh, learned, elapsed_ms);
	free(model->shown);
	model->shown = shown;
	for (size_t i = 0; i < model->address_count; i++)
		shown[i] = &fresh[i];
	model->sampled_ms = now_ms;
	top_model_sort(model);
	selection_check(model);
	return 0;
}

/* ---- refusals ---- */

static struct top_refusal *refusal_find(const struct top_model *model, uint64_t hash, const char *what)
{
	for (size_t i = 0; i < model->refusal_count; i++) {
		struct top_refusal *refusal = &model->refusals[i];
		if (refusal->hash == hash && strcmp(refusal->what, what) == 0)
			return refusal;
	}
	return NULL;
}

static const struct top_refusal *refusal_least(const struct top_model *model)
{
	const struct top_refusal *least = model->refusals;
	for (size_t i = 1; i < model->refusal_count; i++) {
		const struct top_refusal *refusal = &model->refusals[i];
		if (refusal->count < least->count || (refusal->count == least->count && refusal->last_ms < least->last_ms))
			least = refusal;
	}
	return least;
}

/* The line of something that was refused: the one that it has, or a new one, in the place of the least where there is no more room. */
static struct top_refusal *refusal_of(struct top_model *model, const char *what)
{
	uint64_t hash = hash_bytes(&model->key, what, strlen(what));
	struct top_refusal *refusal = refusal_find(model, hash, what);
	if (refusal)
		return refusal;
	if (model->refusal_count < TOP_REFUSALS_MAX) {
		refusal = &model->refusals[model->refusal_count++];
	} else {
		refusal = &model->refusals[refusal_least(model) - model->refusals];
		model->forgotten++;
	}
	*refusal = (struct top_refusal){.hash = hash};
	strcpy(refusal->what, what);
	return refusal;
}

static const char *why_of(enum event_kind kind, const char *detail)
{
	switch (kind) {
	case EVENT_BLOCKED:
		return "nothing allows it";
	case EVENT_DENIED:
		return "denied";
	case EVENT_PRIVATE:
		return "a private range";
	case EVENT_REFUSED:
	case EVENT_LEARNED:
	case EVENT_RENEWED:
	case EVENT_EXPIRED:
	case EVENT_REACHED:
	case EVENT_BYPASSED:
	case EVENT_AUDIT:
	case EVENT_LOST:
	case EVENT_HELLO:
	case EVENT_ENDED:
	case EVENT_OTHER:
		return detail;
	}
	return "";
}

static void refusal_count(struct top_model *model, const struct event *event, int64_t now_ms)
{
	char peer[EVENT_PEER_MAX];
	bool is_name = event->kind == EVENT_REFUSED;
	struct top_refusal *refusal = refusal_of(model, is_name ? event->domain : event_peer(peer, event->dest, event->port, event->proto));
	snprintf(refusal->name, sizeof(refusal->name), "%s", is_name ? "" : event->domain);
	snprintf(refusal->dest, sizeof(refusal->dest), "%.63s", is_name ? "" : event->dest);
	snprintf(refusal->why, sizeof(refusal->why), "%.95s", why_of(event->kind, event->detail));
	refusal->kind = event->kind;
	refusal->told += event->count;
	refusal->count = refusal->told > refusal->kept ? refusal->told : refusal->kept;
	refusal->last_ms = now_ms;
	selection_check(model);
}

void top_model_event(struct top_model *model, const struct event *event, int64_t now_ms)
{
	if (event_is_refusal(event))
		refusal_count(model, event, now_ms);
	else if (event->kind == EVENT_LOST)
		model->lost += event->count;
}

/* ---- what the container's activity has of them ---- */

/* False for what was no refusal. */
static bool kind_of_row(const struct activity_row *row, enum event_kind *kind)
{
	bool is_name = row->kind == ACTIVITY_NAME;
	if (row->kind == ACTIVITY_ADDRESS || row->kind == ACTIVITY_SHARED)
		return false;
	switch (row->verdict) {
	case ACTIVITY_ALLOWED:
	case ACTIVITY_BYPASSED:
		return false;
	case ACTIVITY_REFUSED:
	case ACTIVITY_BLOCKED:
		*kind = is_name ? EVENT_REFUSED : EVENT_BLOCKED;
		return true;
	case ACTIVITY_DENIED:
		*kind = is_name ? EVENT_REFUSED : EVENT_DENIED;
		return true;
	case ACTIVITY_PRIVATE:
		*kind = EVENT_PRIVATE;
		return true;
	}
	return false;
}

static bool was_settled(const struct top_model *model, const char *what, const char *dest, int64_t last)
{
	for (size_t i = 0; i < model->settled_count && i < TOP_SETTLED_MAX; i++) {
		const struct top_settled *settled = &model->settled[i];
		if (last <= settled->wall_s && (strcmp(settled->target, what) == 0 || strcmp(settled->target, dest) == 0))
			return true;
	}
	return false;
}

void top_model_activity(struct top_model *model, const struct activity_row *row, int64_t opened_wall_s, int64_t wall_s, int64_t now_ms)
{
	enum event_kind kind;
	char what[TOP_TARGET_MAX], address[ADDR_TEXT_MAX] = "", protocol[PROTOCOL_TEXT_MAX];
	int64_t last_ms = now_ms - (wall_s > row->last ? wall_s - row->last : 0) * 1000;
	if (row->last < opened_wall_s - TOP_LOOK_BACK_S || !kind_of_row(row, &kind))
		return;
	if (row->kind == ACTIVITY_NAME)
		snprintf(what, sizeof(what), "%s", row->name);
	else
		event_peer(what, addr_format(&row->dest, address), row->has_port ? row->port : 0, protocol_format(row->protocol, protocol));
	/* Of thousands that are as rare as the rarest here none would stay. */
	bool hopeless = model->refusal_count == TOP_REFUSALS_MAX && row->count <= model->least_count;
	if (was_settled(model, what, address, row->last) ||
		(hopeless && !refusal_find(model, hash_bytes(&model->key, what, strlen(what)), what)))
		return;
	struct top_refusal *refusal = refusal_of(model, what);
	if (refusal->count == 0) {
		refusal->kind = kind;
		refusal->last_ms = last_ms;
		strcpy(refusal->dest, address);
		snprintf(refusal->name, sizeof(refusal->name), "%s", row->kind == ACTIVITY_NAME || !row->name ? "" : row->name);
		strcpy(refusal->why, why_of(kind, row->verdict == ACTIVITY_DENIED ? "denied" : "not in the profile"));
	}
	refusal->kept = row->count > refusal->kept ? row->count : refusal->kept;
	refusal->count = refusal->told > refusal->kept ? refusal->told : refusal->kept;
	refusal->last_ms = last_ms > refusal->last_ms ? last_ms : refusal->last_ms;
	if (model->refusal_count == TOP_REFUSALS_MAX)
		model->least_count = refusal_least(model)->count;
	selection_check(model);
}

void top_model_settled(struct top_model *model, const char *target, int64_t wall_s)
{
	size_t kept = 0;
	for (size_t i = 0; i < model->refusal_count; i++) {
		const struct top_refusal *refusal = &model->refusals[i];
		if (strcmp(refusal->what, target) != 0 && strcmp(refusal->dest, target) != 0)
			model->refusals[kept++] = *refusal;
	}
	model->refusal_count = kept;
	struct top_settled *settled = &model->settled[model->settled_count++ % TOP_SETTLED_MAX];
	snprintf(settled->target, sizeof(settled->target), "%s", target);
	settled->wall_s = wall_s;
	selection_check(model);
}

/* ---- order ---- */

static int by_rate(const void *a, const void *b)
{
	const struct top_address *left = *(struct top_address *const *)a, *right = *(struct top_address *const *)b;
	uint64_t left_bytes = top_address_bytes(left), right_bytes = top_address_bytes(right);
	if (left->bytes_rate < right->bytes_rate || left->bytes_rate > right->bytes_rate)
		return left->bytes_rate < right->bytes_rate ? 1 : -1;
	if (left_bytes != right_bytes)
		return left_bytes < right_bytes ? 1 : -1;
	return left < right ? -1 : left > right; /* by name, as they lie */
}

static int by_rank(const void *a, const void *b)
{
	const struct top_address *left = *(struct top_address *const *)a, *right = *(struct top_address *const *)b;
	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return left < right ? -1 : left > right;
}

static int by_count(const void *a, const void *b)
{
	const struct top_refusal *left = a, *right = b;
	if (left->count != right->count)
		return left->count < right->count ? 1 : -1;
	if (left->last_ms != right->last_ms)
		return left->last_ms < right->last_ms ? 1 : -1;
	return strcmp(left->what, right->what);
}

void top_model_sort(struct top_model *model)
{
	bool still = model->selection.any;
	if (model->address_count > 0)
		qsort(model->shown, model->address_count, sizeof(struct top_address *), still ? by_rank : by_rate);
	for (size_t i = 0; i < model->address_count; i++)
		model->shown[i]->rank = i;
	if (!still)
		qsort(model->refusals, model->refusal_count, sizeof(*model->refusals), by_count);
}

/* ---- the selected line ---- */

size_t top_model_selected(const struct top_model *model, enum top_pane pane)
{
	const struct top_selection *selection = &model->selection;
	if (!selection->any || selection->pane != pane)
		return SIZE_MAX;
	for (size_t i = 0; pane == TOP_ADDRESSES && i < model->address_count; i++) {
		if (learned_compare(&model->shown[i]->element, &selection->element) == 0)
			return i;
	}
	for (size_t i = 0; pane == TOP_REFUSALS && i < model->refusal_count; i++) {
		if (model->refusals[i].hash == selection->hash && strcmp(model->refusals[i].what, selection->what) == 0)
			return i;
	}
	return SIZE_MAX;
}

static void select_line(struct top_model *model, enum top_pane pane, size_t line)
{
	size_t count = pane == TOP_ADDRESSES ? model->address_count : model->refusal_count;
	if (count == 0)
		return;
	line = line < count ? line : count - 1;
	model->selection = (struct top_selection){.any = true, .pane = pane};
	if (pane == TOP_ADDRESSES) {
		model->selection.element = model->shown[line]->element;
	} else {
		model->selection.hash = model->refusals[line].hash;
		strcpy(model->selection.what, model->refusals[line].what);
	}
}

/* Up and down go through both lists as they stand one above the other. */
static void select_move(struct top_model *model, long step)
{
	enum top_pane pane = model->selection.pane;
	size_t line = top_model_selected(model, pane), count = pane == TOP_ADDRESSES ? model->address_count : model->refusal_count;
	if (line == SIZE_MAX)
		select_line(model, step > 0 && model->address_count > 0 ? TOP_ADDRESSES : TOP_REFUSALS, step > 0 ? 0 : SIZE_MAX);
	else if (step > 0 && line + 1 == count && pane == TOP_ADDRESSES)
		select_line(model, TOP_REFUSALS, 0);
	else if (step < 0 && line == 0 && pane == TOP_REFUSALS)
		select_line(model, TOP_ADDRESSES, SIZE_MAX);
	else
		select_line(model, pane, step < 0 && (size_t)-step > line ? 0 : line + (size_t)step);
}

/* What of the selected line a verdict is about: a name where the line is about one; else the address, to allow it with the port that was
 * tried, to deny it as a whole. */
static enum top_wish verdict(struct top_model *model, enum top_wish wish)
{
	const struct top_selection *selection = &model->selection;
	size_t line = top_model_selected(model, selection->pane);
	if (line == SIZE_MAX)
		return TOP_WISH_NOTHING;
	if (selection->pane == TOP_ADDRESSES) {
		const struct setwriter_element *element = &model->shown[line]->element;
		if (element->comment[0])
			snprintf(model->target, sizeof(model->target), "%s", element->comment);
		else
			addr_format(&element->key.addr, model->target);
		return wish;
	}
	const struct top_refusal *refusal = &model->refusals[line];
	bool has_port = strchr(refusal->what, '/') != NULL;
	snprintf(model->target, sizeof(model->target), "%s",
		refusal->dest[0] && (wish == TOP_WISH_DENY || !has_port) ? refusal->dest : refusal->what);
	return wish;
}

enum top_wish top_model_key(struct top_model *model, enum top_key key)
{
	if (model->help) {
		model->help = false;
		return key == TOP_QUIT ? TOP_WISH_QUIT : TOP_WISH_NOTHING;
	}
	switch (key) {
	case TOP_UP:
	case TOP_DOWN:
		select_move(model, key == TOP_UP ? -1 : 1);
		break;
	case TOP_PAGE_UP:
	case TOP_PAGE_DOWN:
		select_move(model, (key == TOP_PAGE_UP ? -1 : 1) * (long)model->page);
		break;
	case TOP_OTHER_PANE:
		select_line(model, !model->selection.any || model->selection.pane == TOP_ADDRESSES ? TOP_REFUSALS : TOP_ADDRESSES, 0);
		break;
	case TOP_UNSELECT:
		model->selection.any = false;
		break;
	case TOP_ALLOW:
		return verdict(model, TOP_WISH_ALLOW);
	case TOP_DENY:
		return verdict(model, TOP_WISH_DENY);
	case TOP_HELP:
		model->help = true;
		break;
	case TOP_QUIT:
		return TOP_WISH_QUIT;
	case TOP_OTHER_KEY:
		break;
	}
	return TOP_WISH_NOTHING;
}

void top_model_say(struct top_model *model, bool bad, const char *text, int64_t now_ms)
{
	text_escaped(model->said, sizeof(model->said), text);
	model->said_bad = bad;
	model->said_until_ms = now_ms + SAID_MS;
}

void top_model_blind(struct top_model *model, const char *text)
{
	text_escaped(model->blind, sizeof(model->blind), text);
}
