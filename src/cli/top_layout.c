/* The screen of `top` as lines of text.
 *
 *	title		container, state, what moves, what was refused
 *	head, lines	the addresses that may be reached, busiest first
 *	head, lines	what was refused, most often first
 *	foot		what is to be told, why there are no events, or else the keys
 *
 * Each list has half of what is left, and what the other one does not need. */
#include "cli/top_layout.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/event_text.h"
#include "cli/output.h"
#include "policy/rule.h"

#define FRAME      4 /* lines that are no list's: title, two heads, foot */
#define FRESH_MS   3000
#define WIDTH_MAX  512 /* a terminal that is wider has blanks there */
#define GAP        2
#define NAME_LEAST 12

struct layout {
	struct top_model *model;
	size_t width, height, row;
	int64_t now_ms;
	void (*put)(void *context, size_t row, enum top_style style, const char *text);
	void *context;
};

const char *top_number(char text[TOP_NUMBER_MAX], double number)
{
	static const char units[] = " KMGTPE";
	size_t unit = 0;
	while (number >= 999.5 && units[unit + 1]) {
		number /= 1000;
		unit++;
	}
	if (unit == 0)
		snprintf(text, TOP_NUMBER_MAX, "%.0f", number);
	else
		snprintf(text, TOP_NUMBER_MAX, number < 9.95 ? "%.1f%c" : "%.0f%c", number < 9999 ? number : 9999, units[unit]);
	return text;
}

/* Puts a line, cut to the width; one with a background is filled to it. */
static void line_put(struct layout *layout, enum top_style style, const struct text *text)
{
	char line[WIDTH_MAX + 1];
	size_t width = layout->width, length = text_failed(text) ? 0 : text->length < width ? text->length : width;
	if (layout->row >= layout->height)
		return;
	if (length > 0)
		memcpy(line, text->data, length);
	if (style == TOP_SELECTED || style == TOP_HEAD) {
		memset(line + length, ' ', width - length);
		length = width;
	}
	line[length] = '\0';
	layout->put(layout->context, layout->row++, style, line);
}

static void string_put(struct layout *layout, enum top_style style, const char *string)
{
	cleanup_text struct text text = {0};
	text_add(&text, string);
	line_put(layout, style, &text);
}

/* A column to the left, with the gap behind it. */
static void column_left(struct text *text, const char *string, size_t width)
{
	size_t used = event_fit(text, string, width);
	text_addf(text, "%*s", (int)(width - used + GAP), "");
}

/* ---- the title ---- */

static void title_put(struct layout *layout)
{
	const struct top_model *model = layout->model;
	cleanup_text struct text text = {0};
	char number[TOP_NUMBER_MAX];
	double rate = 0, refused = 0;
	for (size_t i = 0; i < model->address_count; i++)
		rate += model->addresses[i].bytes_rate;
	for (size_t i = 0; i < model->refusal_count; i++)
		refused += (double)model->refusals[i].count;
	event_fit(&text, model->container, layout->width / 3);
	text_addf(&text, "  %s  %zu name%s, %zu address%s, %sB/s", model->state, model->name_count, model->name_count == 1 ? "" : "s",
		model->address_count, model->address_count == 1 ? "" : "es", top_number(number, rate));
	text_addf(&text, "  %s refused", top_number(number, refused));
	if (model->lost > 0)
		text_addf(&text, "  %s events LOST", top_number(number, (double)model->lost));
	line_put(layout, TOP_TITLE, &text);
}

/* ---- addresses ---- */

#define NUMBERS_WIDTH 32
#define PACKETS_WIDTH 8 /* of these, left out where it is narrow */
#define NARROW        72

static void numbers_add(
	const struct layout *layout, struct text *text, const char *expires, const char *packets, const char *bytes, const char *rate)
{
	text_addf(text, "%8s ", expires);
	if (layout->width >= NARROW)
		text_addf(text, "%7s ", packets);
	text_addf(text, "%7s %7s", bytes, rate);
}

/* Name and address share what the numbers leave; the address has what the widest needs, as long as the name keeps half. */
static void address_widths(const struct layout *layout, size_t first, size_t count, size_t *name_width, size_t *peer_width)
{
	size_t taken = NUMBERS_WIDTH - (layout->width < NARROW ? PACKETS_WIDTH : 0) + 2 * GAP;
	size_t room = layout->width > taken + NAME_LEAST ? layout->width - taken : NAME_LEAST;
	*peer_width = strlen("ADDRESS");
	for (size_t i = first; i < first + count; i++) {
		const struct setwriter_key *key = &layout->model->shown[i]->element.key;
		char address[ADDR_TEXT_MAX], peer[EVENT_PEER_MAX];
		size_t length = strlen(event_peer(peer, addr_format(&key->addr, address), key->port, key->port ? "tcp" : ""));
		*peer_width = length > *peer_width ? length : *peer_width;
	}
	*peer_width = *peer_width < room / 2 ? *peer_width : room / 2;
	*name_width = room - *peer_width;
}

static void address_put(struct layout *layout, const struct top_address *address, size_t name_width, size_t peer_width, bool selected)
{
	const struct setwriter_key *key = &address->element.key;
	cleanup_text struct text text = {0};
	char plain[ADDR_TEXT_MAX], peer[EVENT_PEER_MAX], lifetime[OUTPUT_LIFETIME_MAX];
	char packets[TOP_NUMBER_MAX], bytes[TOP_NUMBER_MAX], rate[TOP_NUMBER_MAX];
	const char *protocol = key->port == 0 ? "" : key->protocol == RULE_TCP ? "tcp" : "udp";
	/* What was sampled goes on ageing until the next sample. */
	uint64_t aged_ms = layout->now_ms > layout->model->sampled_ms ? (uint64_t)(layout->now_ms - layout->model->sampled_ms) : 0;
	uint64_t left_ms = address->element.expires_ms > aged_ms ? address->element.expires_ms - aged_ms : 0;
	column_left(&text, address->element.comment[0] ? address->element.comment : "-", name_width);
	column_left(&text, event_peer(peer, addr_format(&key->addr, plain), key->port, protocol), peer_width);
	numbers_add(layout, &text, output_lifetime(lifetime, left_ms), top_number(packets, (double)top_address_packets(address)),
		top_number(bytes, (double)top_address_bytes(address)), top_number(rate, address->bytes_rate));
	line_put(layout, selected ? TOP_SELECTED : address->bytes_rate > 0 ? TOP_BUSY : TOP_PLAIN, &text);
}

/* The first line of a list that is shown so that the selected one is. */
static size_t first_shown(size_t selected, size_t lines)
{
	return selected == SIZE_MAX || selected < lines || lines == 0 ? 0 : selected + 1 - lines;
}

static void addresses_put(struct layout *layout, size_t lines)
{
	const struct top_model *model = layout->model;
	cleanup_text struct text head = {0};
	size_t selected = top_model_selected(model, TOP_ADDRESSES), first = first_shown(selected, lines);
	size_t count = model->address_count - first < lines ? model->address_count - first : lines, name_width, peer_width;
	address_widths(layout, first, count, &name_width, &peer_width);
	column_left(&head, "NAME", name_width);
	column_left(&head, "ADDRESS", peer_width);
	numbers_add(layout, &head, "EXPIRES", "PACKETS", "BYTES", "B/S");
	line_put(layout, TOP_HEAD, &head);
	for (size_t i = first; i < first + count; i++)
		address_put(layout, model->shown[i], name_width, peer_width, i == selected);
	for (size_t i = count; i < lines; i++)
		string_put(layout, TOP_FAINT, i == 0 ? "no name has been looked up yet" : "");
}

/* ---- refusals ---- */

#define COUNTS       "%7s %6s  "
#define COUNTS_WIDTH 16

static void refusal_put(struct layout *layout, const struct top_refusal *refusal, size_t what_width, bool selected)
{
	cleanup_text struct text text = {0}, what = {0};
	char count[TOP_NUMBER_MAX], age[OUTPUT_LIFETIME_MAX];
	int64_t age_ms = layout->now_ms > refusal->last_ms ? layout->now_ms - refusal->last_ms : 0;
	text_add(&what, refusal->what);
	if (refusal->name[0])
		text_addf(&what, " (%s)", refusal->name);
	text_addf(&text, COUNTS, top_number(count, (double)refusal->count), output_lifetime(age, (uint64_t)age_ms));
	column_left(&text, text_failed(&what) ? "" : what.data, what_width);
	text_add(&text, refusal->why);
	line_put(layout, selected ? TOP_SELECTED : age_ms < FRESH_MS ? TOP_REFUSED : TOP_PLAIN, &text);
}

static void refusals_put(struct layout *layout, size_t lines)
{
	const struct top_model *model = layout->model;
	cleanup_text struct text head = {0};
	size_t selected = top_model_selected(model, TOP_REFUSALS), first = first_shown(selected, lines);
	size_t count = model->refusal_count - first < lines ? model->refusal_count - first : lines;
	size_t room = layout->width > COUNTS_WIDTH + GAP ? layout->width - COUNTS_WIDTH - GAP : 0, what_width = room * 2 / 3;
	text_addf(&head, COUNTS, "REFUSED", "AGO");
	column_left(&head, "WHAT", what_width);
	text_add(&head, "WHY");
	line_put(layout, TOP_HEAD, &head);
	for (size_t i = first; i < first + count; i++)
		refusal_put(layout, &model->refusals[i], what_width, i == selected);
	for (size_t i = count; i < lines; i++)
		string_put(layout, TOP_FAINT, i == 0 ? "nothing has been refused lately" : "");
}

/* ---- the rest ---- */

static void foot_put(struct layout *layout)
{
	const struct top_model *model = layout->model;
	if (layout->now_ms < model->said_until_ms)
		string_put(layout, model->said_bad ? TOP_COMPLAINT : TOP_SAID, model->said);
	else if (model->blind[0])
		string_put(layout, TOP_COMPLAINT, model->blind);
	else
		string_put(layout, TOP_FAINT, "arrows, Tab select   a allow   d deny   ? help   q quit");
}

static void help_put(struct layout *layout)
{
	static const char *const lines[] = {
		"Up, Down, PgUp, PgDn   select a line; Tab goes to the other list; while one is selected",
		"                       lines keep their order, Esc lets them go",
		"a                      allow what the line is about, as `terok-shield allow` does:",
		"                       a name, or an address with the port that was tried",
		"d                      deny it, as `terok-shield deny` does: the name, or the address",
		"?                      this page; any key goes back",
		"q, Ctrl-C              quit",
		"",
		"Above stand the addresses that may be reached, busiest first: the name that brought",
		"each, how long it stays, and what went there and came back. Below stands what was",
		"refused lately, most often first, and how often in all; red is what was just refused.",
		"K, M, G are thousands, millions, thousand millions.",
	};
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		string_put(layout, TOP_PLAIN, lines[i]);
}

void top_layout(struct top_model *model, size_t width, size_t height, int64_t now_ms,
	void (*put)(void *context, size_t row, enum top_style style, const char *text), void *context)
{
	struct layout layout = {.model = model,
		.width = width < WIDTH_MAX ? width : WIDTH_MAX,
		.height = height,
		.now_ms = now_ms,
		.put = put,
		.context = context};
	title_put(&layout);
	if (model->help) {
		help_put(&layout);
		return;
	}
	size_t room = height > FRAME ? height - FRAME : 0, half = room / 2;
	size_t refusals = model->refusal_count > 0 ? model->refusal_count : 1; /* the line that says that there are none */
	size_t below = refusals < room - half ? refusals : room - half;
	size_t above = model->address_count < room - below ? model->address_count : room - below;
	above = above > 0 || room == below ? above : 1;
	below = room - above;
	model->page = model->selection.pane == TOP_ADDRESSES ? above : below;
	model->page = model->page > 0 ? model->page : 1;
	addresses_put(&layout, above);
	refusals_put(&layout, below);
	foot_put(&layout);
}
