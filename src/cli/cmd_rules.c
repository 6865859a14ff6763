/* rules: the state, who may be reached, and the table as nft prints it. Made to be watched: the order is stable, and what it costs does
 * not depend on libnftables reading every learned element. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/container.h"
#include "cli/inside.h"
#include "cli/listing.h"
#include "cli/look.h"
#include "cli/output.h"
#include "fw/nft.h"

/* ---- who may be reached ---- */

/* A column and the gap behind it; to the left, or to the right. */
static void add_column(struct text *output, const char *word, int width, bool right)
{
	static const char blanks[] = "                                                                ";
	size_t length = strlen(word), missing = (size_t)width > length ? (size_t)width - length : 0;
	if (!right)
		text_add_bytes(output, word, length);
	for (size_t part; missing > 0; missing -= part) {
		part = missing < sizeof(blanks) - 1 ? missing : sizeof(blanks) - 1;
		text_add_bytes(output, blanks, part);
	}
	if (right)
		text_add_bytes(output, word, length);
}

static void row_print(const struct setwriter_element *element, int name_width, int address_width, struct text *output)
{
	char address[ADDR_TEXT_MAX], port[16] = "any", number[OUTPUT_DECIMAL_MAX], lifetime[OUTPUT_LIFETIME_MAX];
	if (element->key.port)
		snprintf(port, sizeof(port), "%u/%s", element->key.port, element->key.protocol == RULE_TCP ? "tcp" : "udp");
	add_column(output, element->comment, name_width + 2, false);
	add_column(output, addr_format(&element->key.addr, address), address_width + 2, false);
	add_column(output, port, 11, false);
	add_column(output, output_lifetime(lifetime, element->expires_ms), 8, true);
	add_column(output, output_decimal(number, element->packets), 12, true);
	add_column(output, output_decimal(number, element->bytes), 14, true);
	text_add(output, "\n");
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
	for (size_t i = 0; i < learned->count; i++)
		row_print(&learned->list[i], name_width, address_width, output);
}

static void reachable_print(const struct look *look, struct text *output)
{
	text_addf(output, "\nLearned names: %zu address%s\n", look->learned.count, look->learned.count == 1 ? "" : "es");
	if (look->learned.count > 0)
		table_print(&look->learned, output);
	text_add(output, "\n");
}

/* ---- the command ---- */

/* Only printable ASCII and nft's own layout reach the terminal: a comment in a set may be of anybody who can write there. */
static int raw_work(void *context, struct text *output, struct error *error)
{
	cleanup_free char *text = NULL;
	(void)context;
	int rc = nft_list_text(&text, false, error);
	for (char *at = rc ? NULL : text; at && *at; at++) {
		if ((*at < ' ' && *at != '\n' && *at != '\t') || *at > '~')
			*at = '?';
	}
	if (!rc)
		text_add(output, text);
	return rc;
}

static int raw_print(const struct container *container, struct error *error)
{
	cleanup_text struct text output = {0};
	int rc = inside_run(&container->runtime, raw_work, NULL, &output, error);
	if (!rc)
		fputs(output.data, stdout);
	return rc;
}

static int text_print(const struct container *container, const struct look *look, struct error *error)
{
	cleanup_text struct text output = {0};
	text_addf(&output, "State: %s\n", shield_state_name(look->state));
	if (look->state == SHIELD_ERROR)
		text_addf(&output, "Difference: %s\n", look->difference.text);
	if (bundle_learns(&container->bundle))
		text_add(&output, "Learning: what is used is recorded for `terok-shield suggest`\n");
	reachable_print(look, &output);
	if (listing_add(&output, look))
		return error_set(error, ENOMEM, "out of memory");
	fwrite(output.data, 1, output.length, stdout);
	return 0;
}

static cJSON *element_json(const struct setwriter_element *element, bool *failed)
{
	cJSON *object = cJSON_CreateObject();
	char address[ADDR_TEXT_MAX];
	output_add(object, "name", element->comment[0] ? output_string(element->comment) : cJSON_CreateNull(), failed);
	output_add(object, "address", output_string(addr_format(&element->key.addr, address)), failed);
	output_add(object, "port", element->key.port ? cJSON_CreateNumber(element->key.port) : cJSON_CreateNull(), failed);
	output_add(object, "protocol",
		element->key.port ? output_string(element->key.protocol == RULE_TCP ? "tcp" : "udp") : cJSON_CreateNull(), failed);
	output_add(object, "timeout", cJSON_CreateNumber((double)(element->timeout_ms / 1000)), failed);
	output_add(object, "expires", cJSON_CreateNumber((double)(element->expires_ms / 1000)), failed);
	output_add(object, "packets", cJSON_CreateNumber((double)element->packets), failed);
	output_add(object, "bytes", cJSON_CreateNumber((double)element->bytes), failed);
	return object;
}

/* The networks of the allow sets, or of the deny sets. */
static cJSON *networks_json(const struct look *look, const char *kind, bool *failed)
{
	cJSON *array = cJSON_CreateArray();
	const char *line = look->elements.data ? look->elements.data : "";
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *set = line + strlen("element "), *net = strchr(set, ' ') + 1;
		char address[ADDR_NET_TEXT_MAX], until[CLOCK_TEXT_MAX] = "";
		unsigned port = 0;
		char protocol[4] = "";
		if (strncmp(set, kind, strlen(kind)) != 0 || sscanf(net, "%49s . %3s . %u", address, protocol, &port) < 1)
			continue;
		const char *ends = memmem(net, strcspn(net, "\n"), " " RULESET_UNTIL, strlen(" " RULESET_UNTIL));
		if (ends)
			snprintf(until, sizeof(until), "%.*s", CLOCK_TEXT_MAX - 1, ends + strlen(" " RULESET_UNTIL));
		cJSON *object = cJSON_CreateObject();
		output_add(object, "network", output_string(address), failed);
		output_add(object, "port", port ? cJSON_CreateNumber(port) : cJSON_CreateNull(), failed);
		output_add(object, "protocol", port ? output_string(protocol) : cJSON_CreateNull(), failed);
		output_add(object, "until", output_string(*until ? until : NULL), failed);
		output_add(array, NULL, object, failed);
	}
	return array;
}

static int json_print(const struct container *container, const struct look *look, struct error *error)
{
	cJSON *root = cJSON_CreateObject(), *array = cJSON_CreateArray();
	bool failed = false;
	output_add(root, "container", output_string(container->identity.container), &failed);
	output_add(root, "state", output_string(shield_state_name(look->state)), &failed);
	output_add(root, "difference", look->state == SHIELD_ERROR ? output_string(look->difference.text) : cJSON_CreateNull(), &failed);
	output_add(root, "learning", cJSON_CreateBool(bundle_learns(&container->bundle)), &failed);
	for (size_t i = 0; i < look->learned.count; i++)
		output_add(array, NULL, element_json(&look->learned.list[i], &failed), &failed);
	output_add(root, "learned", array, &failed);
	output_add(root, "allowed", networks_json(look, "allow_", &failed), &failed);
	output_add(root, "denied", networks_json(look, "deny_", &failed), &failed);
	return output_json(root, failed, error);
}

static enum command_exit nothing_found(const struct container *container, struct error *error)
{
	*error = (struct error){0};
	printf("No rules found for %s\n", container->identity.container);
	return COMMAND_FAILED;
}

enum command_exit cmd_rules(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	cleanup_look struct look look = {0};
	if (container_open(&container, options, error))
		return COMMAND_FAILED;
	if (!container.running)
		return nothing_found(&container, error);
	if (options->raw) {
		int rc = raw_print(&container, error);
		return rc == -ENOENT || rc == -ESRCH ? nothing_found(&container, error) : rc ? COMMAND_FAILED : COMMAND_DONE;
	}
	if (look_take_parts(&look, &container, LOOK_LEARNED | (options->json ? 0 : LOOK_LISTING), error))
		return COMMAND_FAILED;
	if (look.state == SHIELD_INACTIVE || look.difference.code == ENOENT)
		return nothing_found(&container, error);
	return (options->json ? json_print(&container, &look, error) : text_print(&container, &look, error)) ? COMMAND_FAILED : COMMAND_DONE;
}
