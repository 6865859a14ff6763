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
#include "cli/learned.h"
#include "fw/nft.h"
#include "fw/verify.h"

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

static void table_print(const struct learned *learned, struct text *output)
{
	int name_width = 4, address_width = 7;
	for (size_t i = 0; i < learned->count; i++) {
		char address[ADDR_TEXT_MAX];
		int name = (int)strlen(learned->list[i].comment), length = (int)strlen(addr_format(&learned->list[i].key.addr, address));
		name_width = name > name_width ? name : name_width;
		address_width = length > address_width ? length : address_width;
	}
	text_addf(output, "%-*s  %-*s  %-9s  %8s  %10s  %12s\n", name_width, "NAME", address_width, "ADDRESS", "PORT", "EXPIRES", "PACKETS",
		"BYTES");
	for (size_t i = 0; i < learned->count; i++) {
		const struct setwriter_element *element = &learned->list[i];
		char address[ADDR_TEXT_MAX], port[16] = "any", lifetime[24];
		if (element->key.port)
			snprintf(port, sizeof(port), "%u/%s", element->key.port, element->key.protocol == RULE_TCP ? "tcp" : "udp");
		lifetime_format(lifetime, element->expires_ms);
		text_addf(output, "%-*s  %-*s  %-9s  %8s  %10" PRIu64 "  %12" PRIu64 "\n", name_width, element->comment, address_width,
			addr_format(&element->key.addr, address), port, lifetime, element->packets, element->bytes);
	}
}

static int learned_print(const char *json, struct text *output, struct error *error)
{
	struct learned learned = {0};
	size_t unknown;
	int rc = learned_parse(&learned, json, &unknown, error);
	if (rc == 0) {
		text_addf(output, "\nLearned names: %zu address%s\n", learned.count, learned.count == 1 ? "" : "es");
		if (learned.count > 0)
			table_print(&learned, output);
		if (unknown > 0)
			text_addf(output, "%zu more that were not understood, see below\n", unknown);
		text_add(output, "\n");
	}
	learned_free(&learned);
	return rc;
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
		rc = learned_print(json, output, error);
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
