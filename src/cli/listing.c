/* The table as nft prints it. nft itself takes many times as long with many elements: so it prints the table without them, and they are
 * put in here. */
#include "cli/listing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/output.h"

#define ELEMENT_INDENT "\t\t\t     "

/* nft's "1d2h3m4s". */
static void add_duration(struct text *output, uint64_t ms)
{
	static const struct {
		uint64_t seconds;
		const char *unit;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
	uint64_t seconds = ms / 1000;
	if (seconds == 0)
		text_add(output, "0s");
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		char number[OUTPUT_DECIMAL_MAX];
		if (seconds < units[i].seconds)
			continue;
		text_add(output, output_decimal(number, seconds / units[i].seconds));
		text_add(output, units[i].unit);
		seconds %= units[i].seconds;
	}
}

static void add_element(struct text *output, const struct setwriter_element *element)
{
	char address[ADDR_TEXT_MAX], number[OUTPUT_DECIMAL_MAX];
	text_add(output, addr_format(&element->key.addr, address));
	if (element->key.port)
		text_addf(output, " . %s . %u", element->key.protocol == RULE_TCP ? "tcp" : "udp", element->key.port);
	text_add(output, " counter packets ");
	text_add(output, output_decimal(number, element->packets));
	text_add(output, " bytes ");
	text_add(output, output_decimal(number, element->bytes));
	text_add(output, " timeout ");
	add_duration(output, element->timeout_ms);
	text_add(output, " expires ");
	add_duration(output, element->expires_ms);
	if (!element->comment[0])
		return;
	text_add(output, " comment \"");
	text_add(output, element->comment);
	text_add(output, "\"");
}

static int by_address(const void *a, const void *b)
{
	const struct setwriter_key *left = &(*(const struct setwriter_element *const *)a)->key;
	const struct setwriter_key *right = &(*(const struct setwriter_element *const *)b)->key;
	int order = (int)left->addr.family - (int)right->addr.family;
	if (order == 0)
		order = (left->port != 0) - (right->port != 0);
	if (order == 0)
		order = memcmp(left->addr.octets, right->addr.octets, sizeof(left->addr.octets));
	if (order == 0)
		order = (int)left->port - (int)right->port;
	return order ? order : (int)left->protocol - (int)right->protocol;
}

/* NETWORK[ . PROTOCOL . PORT][ until TIME], up to the end of the line. */
static void add_network(struct text *output, const char *element)
{
	size_t length = strcspn(element, "\n");
	const char *until = memmem(element, length, " " RULESET_UNTIL, strlen(" " RULESET_UNTIL));
	char moment[CLOCK_TEXT_MAX];
	int64_t until_s, left_s;
	text_add_bytes(output, element, until ? (size_t)(until - element) : length);
	if (!until)
		return;
	snprintf(moment, sizeof(moment), "%.*s", CLOCK_TEXT_MAX - 1, until + strlen(" " RULESET_UNTIL));
	if (clock_wall_parse(moment, &until_s))
		return;
	left_s = until_s - clock_lasting_s();
	text_add(output, " expires ");
	add_duration(output, left_s > 0 ? (uint64_t)left_s * 1000 : 0);
	text_addf(output, " comment \"" RULESET_UNTIL "%s\"", moment);
}

/* What the listing leaves out because it is terse: "elements = { A, B }" of the set. */
struct filling {
	const struct look *look;
	const struct setwriter_element **elements; /* all learned ones, set by set and by address */
	struct text *output;
	size_t written;
};

static void filling_next(struct filling *filling)
{
	text_add(filling->output, filling->written++ ? ",\n" ELEMENT_INDENT : "\t\telements = { ");
}

static bool is_in_set(const struct setwriter_element *element, const char *set, size_t length)
{
	const char *name = learned_set(element);
	return strlen(name) == length && memcmp(name, set, length) == 0;
}

/* Where the elements of another set begin. */
static size_t set_end(const struct filling *filling, size_t at)
{
	size_t end = at;
	while (end < filling->look->learned.count && learned_set(filling->elements[end]) == learned_set(filling->elements[at]))
		end++;
	return end;
}

static void set_fill(struct filling *filling, const char *set, size_t length)
{
	filling->written = 0;
	size_t at = 0;
	while (at < filling->look->learned.count && !is_in_set(filling->elements[at], set, length))
		at = set_end(filling, at);
	for (size_t end = set_end(filling, at); at < end; at++) {
		filling_next(filling);
		add_element(filling->output, filling->elements[at]);
	}
	const char *line = filling->look->elements.data ? filling->look->elements.data : "";
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *name = line + strlen("element ");
		if (strncmp(name, set, length) != 0 || name[length] != ' ')
			continue;
		filling_next(filling);
		add_network(filling->output, name + length + 1);
	}
	if (filling->written > 0)
		text_add(filling->output, " }\n");
}

int listing_add(struct text *output, const struct look *look)
{
	struct filling filling = {.look = look, .output = output};
	const char *line = look->listing.data ? look->listing.data : "", *set = NULL;
	size_t set_length = 0;
	filling.elements = calloc(look->learned.count + 1, sizeof(*filling.elements));
	if (!filling.elements)
		return -ENOMEM;
	for (size_t i = 0; i < look->learned.count; i++)
		filling.elements[i] = &look->learned.list[i];
	qsort(filling.elements, look->learned.count, sizeof(*filling.elements), by_address);
	while (*line) {
		size_t length = strcspn(line, "\n");
		if (strncmp(line, "\tset ", 5) == 0) {
			set = line + 5;
			set_length = strcspn(set, " \n");
		} else if (set && strncmp(line, "\t}", 2) == 0) {
			set_fill(&filling, set, set_length);
			set = NULL;
		}
		text_add_bytes(output, line, length);
		text_add(output, "\n");
		line += length + (line[length] == '\n');
	}
	free(filling.elements);
	return text_failed(output) ? -ENOMEM : 0;
}
