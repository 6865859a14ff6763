/* rules: the state, who may be reached, and the table as nft prints it. Made to be watched: the order is stable, and what it costs does
 * not depend on libnftables reading every learned element. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/container.h"
#include "cli/inside.h"
#include "cli/look.h"
#include "cli/output.h"
#include "fw/nft.h"

#define ELEMENT_INDENT "\t\t\t     "

/* ---- who may be reached ---- */

static void port_format(char port[16], const struct setwriter_key *key, const char *any)
{
	if (key->port)
		snprintf(port, 16, "%u/%s", key->port, key->protocol == RULE_TCP ? "tcp" : "udp");
	else
		snprintf(port, 16, "%s", any);
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
		char address[ADDR_TEXT_MAX], port[16], lifetime[OUTPUT_LIFETIME_MAX];
		port_format(port, &element->key, "any");
		text_addf(output, "%-*s  %-*s  %-9s  %8s  %10" PRIu64 "  %12" PRIu64 "\n", name_width, element->comment, address_width,
			addr_format(&element->key.addr, address), port, output_lifetime(lifetime, element->expires_ms), element->packets,
			element->bytes);
	}
}

static void reachable_print(const struct look *look, struct text *output)
{
	text_addf(output, "\nLearned names: %zu address%s\n", look->learned.count, look->learned.count == 1 ? "" : "es");
	if (look->learned.count > 0)
		table_print(&look->learned, output);
	text_add(output, "\n");
}

/* ---- sets and chains ---- */

/* nft's "1d2h3m4s". */
static const char *duration_format(char text[32], uint64_t ms)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	uint64_t seconds = ms / 1000;
	size_t length = 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (seconds >= units[i].seconds)
			length += (size_t)snprintf(text + length, 32 - length, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].unit);
		seconds %= units[i].seconds;
	}
	return length > 0 ? text : strcpy(text, "0s");
}

static void element_print(const struct setwriter_element *element, struct text *output)
{
	char address[ADDR_TEXT_MAX], port[32] = "", timeout[32], expires[32];
	if (element->key.port)
		snprintf(port, sizeof(port), " . %s . %u", element->key.protocol == RULE_TCP ? "tcp" : "udp", element->key.port);
	text_addf(output, "%s%s counter packets %" PRIu64 " bytes %" PRIu64 " timeout %s expires %s%s%s%s",
		addr_format(&element->key.addr, address), port, element->packets, element->bytes,
		duration_format(timeout, element->timeout_ms), duration_format(expires, element->expires_ms),
		element->comment[0] ? " comment \"" : "", element->comment, element->comment[0] ? "\"" : "");
}

static int by_address(const void *a, const void *b)
{
	const struct setwriter_key *left = &(*(const struct setwriter_element *const *)a)->key;
	const struct setwriter_key *right = &(*(const struct setwriter_element *const *)b)->key;
	int order = memcmp(left->addr.octets, right->addr.octets, sizeof(left->addr.octets));
	if (order == 0)
		order = (int)left->port - (int)right->port;
	return order ? order : (int)left->protocol - (int)right->protocol;
}

/* What the listing leaves out because it is terse: "elements = { A, B }" of the set. */
struct filling {
	const struct look *look;
	const struct setwriter_element **elements; /* all learned ones, by address */
	struct text *output;
	size_t written;
};

static void filling_next(struct filling *filling)
{
	text_add(filling->output, filling->written++ ? ",\n" ELEMENT_INDENT : "\t\telements = { ");
}

static void set_fill(struct filling *filling, const char *set, size_t length)
{
	filling->written = 0;
	bool learned = strncmp(set, "learned_", strlen("learned_")) == 0;
	for (size_t i = 0; learned && i < filling->look->learned.count; i++) {
		const char *name = learned_set(filling->elements[i]);
		if (strlen(name) != length || memcmp(name, set, length) != 0)
			continue;
		filling_next(filling);
		element_print(filling->elements[i], filling->output);
	}
	const char *line = filling->look->elements.data ? filling->look->elements.data : "";
	for (; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *name = line + strlen("element ");
		if (strncmp(name, set, length) != 0 || name[length] != ' ')
			continue;
		filling_next(filling);
		text_add_bytes(filling->output, name + length + 1, strcspn(name + length + 1, "\n"));
	}
	if (filling->written > 0)
		text_add(filling->output, " }\n");
}

static int listing_print(const struct look *look, struct text *output)
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

static int text_print(const struct look *look, struct error *error)
{
	cleanup_text struct text output = {0};
	text_addf(&output, "State: %s\n", shield_state_name(look->state));
	if (look->state == SHIELD_ERROR)
		text_addf(&output, "Difference: %s\n", look->difference.text);
	reachable_print(look, &output);
	if (listing_print(look, &output))
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
		char address[ADDR_NET_TEXT_MAX];
		unsigned port = 0;
		char protocol[4] = "";
		if (strncmp(set, kind, strlen(kind)) != 0 || sscanf(net, "%49s . %3s . %u", address, protocol, &port) < 1)
			continue;
		cJSON *object = cJSON_CreateObject();
		output_add(object, "network", output_string(address), failed);
		output_add(object, "port", port ? cJSON_CreateNumber(port) : cJSON_CreateNull(), failed);
		output_add(object, "protocol", port ? output_string(protocol) : cJSON_CreateNull(), failed);
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
	return (options->json ? json_print(&container, &look, error) : text_print(&look, error)) ? COMMAND_FAILED : COMMAND_DONE;
}
