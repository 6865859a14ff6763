/* rules: the state, who may be reached, and what nft prints. Made to be watched: the order is stable. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/container.h"
#include "cli/inside.h"
#include "fw/nft.h"
#include "fw/setwriter.h"
#include "fw/verify.h"

struct elements {
	struct setwriter_element *list;
	size_t count, capacity;
};

static int element_collect(void *context, const struct setwriter_element *element)
{
	struct elements *elements = context;
	if (elements->count == elements->capacity) {
		size_t capacity = elements->capacity ? elements->capacity * 2 : 256;
		struct setwriter_element *grown = reallocarray(elements->list, capacity, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		elements->list = grown;
		elements->capacity = capacity;
	}
	elements->list[elements->count++] = *element;
	return 0;
}

static int element_compare(const void *a, const void *b)
{
	const struct setwriter_element *left = a, *right = b;
	int order = strcmp(left->comment, right->comment);
	if (order == 0)
		order = (int)left->key.addr.family - (int)right->key.addr.family;
	if (order == 0)
		order = memcmp(left->key.addr.octets, right->key.addr.octets, sizeof(left->key.addr.octets));
	if (order == 0)
		order = (int)left->key.port - (int)right->key.port;
	return order ? order : (int)left->key.protocol - (int)right->key.protocol;
}

static void lifetime_format(char text[24], uint64_t ms)
{
	uint64_t seconds = ms / 1000;
	if (seconds >= 3600)
		snprintf(text, 24, "%" PRIu64 "h%02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		snprintf(text, 24, "%" PRIu64 "m%02" PRIu64 "s", seconds / 60, seconds % 60);
	else
		snprintf(text, 24, "%" PRIu64 "s", seconds);
}

static void table_print(const struct elements *elements, struct text *output)
{
	int name_width = 4, address_width = 7;
	for (size_t i = 0; i < elements->count; i++) {
		char address[ADDR_TEXT_MAX];
		int name = (int)strlen(elements->list[i].comment), length = (int)strlen(addr_format(&elements->list[i].key.addr, address));
		name_width = name > name_width ? name : name_width;
		address_width = length > address_width ? length : address_width;
	}
	text_addf(output, "%-*s  %-*s  %-9s  %8s  %10s  %12s\n", name_width, "NAME", address_width, "ADDRESS", "PORT", "EXPIRES", "PACKETS", "BYTES");
	for (size_t i = 0; i < elements->count; i++) {
		const struct setwriter_element *element = &elements->list[i];
		char address[ADDR_TEXT_MAX], port[16] = "any", lifetime[24];
		if (element->key.port)
			snprintf(port, sizeof(port), "%u/%s", element->key.port, element->key.protocol == RULE_TCP ? "tcp" : "udp");
		lifetime_format(lifetime, element->expires_ms);
		text_addf(output, "%-*s  %-*s  %-9s  %8s  %10" PRIu64 "  %12" PRIu64 "\n", name_width, element->comment, address_width,
			  addr_format(&element->key.addr, address), port, lifetime, element->packets, element->bytes);
	}
}

static int learned_print(struct text *output, struct error *error)
{
	struct setwriter *writer;
	struct elements elements = {0};
	int rc = setwriter_open(&writer, error);
	if (rc)
		return rc;
	rc = setwriter_each(writer, element_collect, &elements);
	setwriter_close(writer);
	if (rc == 0) {
		qsort(elements.list, elements.count, sizeof(*elements.list), element_compare);
		text_addf(output, "\nLearned names: %zu addresses\n", elements.count);
		if (elements.count > 0)
			table_print(&elements, output);
		text_add(output, "\n");
	}
	free(elements.list);
	return rc ? error_errno(error, -rc, "cannot list the learned addresses") : 0;
}

struct listing {
	const struct ruleset *ruleset;
	bool raw;
};

static int listing_work(void *context, struct text *output, struct error *error)
{
	const struct listing *listing = context;
	cleanup_free char *json = NULL;
	cleanup_free char *text = NULL;
	int rc = 0;
	if (!listing->raw) {
		struct error difference = {0};
		rc = nft_list_json(&json, error);
		if (rc)
			return rc;
		enum shield_state state = verify_state(listing->ruleset, json, &difference);
		text_addf(output, "State: %s\n", shield_state_name(state));
		if (state == SHIELD_ERROR)
			text_addf(output, "Difference: %s\n", difference.text);
		rc = learned_print(output, error);
	}
	if (!rc)
		rc = nft_list_text(&text, false, error);
	if (!rc)
		text_add(output, text);
	return rc;
}

enum command_exit cmd_rules(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	cleanup_policy struct policy *policy = NULL;
	cleanup_text struct text output = {0};
	struct ruleset ruleset;
	if (container_open(&container, options, error))
		return COMMAND_FAILED;
	if (!container.running) {
		printf("No rules found for %s\n", container.identity.container);
		return COMMAND_FAILED;
	}
	if (container_ruleset(&container, &ruleset, &policy, error))
		return COMMAND_FAILED;
	struct listing listing = {.ruleset = &ruleset, .raw = options->raw};
	int rc = inside_run(&container.runtime, listing_work, &listing, &output, error);
	if (rc == -ENOENT || rc == -ESRCH) {
		printf("No rules found for %s\n", container.identity.container);
		return COMMAND_FAILED;
	}
	if (rc)
		return COMMAND_FAILED;
	fputs(output.data, stdout);
	return COMMAND_DONE;
}
