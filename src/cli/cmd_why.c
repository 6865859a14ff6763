/* why: what would happen to a destination, which line decides it, and how to change that. Nothing is looked up: asking has no effect. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/container.h"
#include "cli/look.h"
#include "cli/output.h"
#include "cli/why.h"

struct answer {
	const struct container *container;
	const struct why_destination *destination;
	const struct look *look;
	const struct policy *policy;
	enum shield_state wanted;
	struct why why;
	char rule[NAME_TEXT_MAX + 32]; /* the deciding line's rule, "" when there is none */
	char place[PATH_MAX + 16];     /* FILE:LINE, "" */
	char change[NAME_TEXT_MAX + 256];
};

/* ---- the deciding line ---- */

/* True for the line in a bundle's list that match names: of a profile by the comment "# FILE:LINE", of the others by its number. */
static bool line_is_meant(const char *file, const char *line, size_t length, uint32_t number, const struct policy_match *match)
{
	char comment[PATH_MAX + 32];
	int wanted = snprintf(comment, sizeof(comment), " # %s:%u", match->source, match->line);
	if (strcmp(match->source, file) == 0)
		return number == match->line;
	return wanted > 0 && (size_t)wanted < sizeof(comment) && length > (size_t)wanted &&
	       memcmp(line + length - (size_t)wanted, comment, (size_t)wanted) == 0;
}

static bool rule_find_in(const struct bundle *bundle, const char *file, const struct policy_match *match, char *rule, size_t size)
{
	cleanup_free char *content = NULL;
	size_t length;
	uint32_t number = 0;
	if (bundle_read(bundle, file, BUNDLE_LIST_MAX, &content, &length, NULL))
		return false;
	for (const char *line = content, *end; line < content + length; line = end + 1) {
		end = memchr(line, '\n', (size_t)(content + length - line));
		end = end ? end : content + length;
		if (!line_is_meant(file, line, (size_t)(end - line), ++number, match))
			continue;
		const char *text = line;
		size_t text_length = rule_strip(&text, (size_t)(end - line));
		snprintf(rule, size, "%.*s", (int)text_length, text);
		return true;
	}
	return false;
}

static void rule_find(struct answer *answer)
{
	const struct policy_match *match = &answer->why.match;
	const struct bundle *bundle = &answer->container->bundle;
	bool found = false;
	if (!answer->why.has_match || !*match->source)
		return;
	for (int list = 0; !found && list < BUNDLE_LIST_COUNT; list++)
		found = rule_find_in(bundle, bundle_list_file((enum bundle_list)list), match, answer->rule, sizeof(answer->rule));
	bool own = strchr(match->source, '/') == NULL; /* a list of the bundle */
	snprintf(answer->place, sizeof(answer->place), "%s%s%s:%u", own ? bundle->path : "", own ? "/" : "", match->source, match->line);
}

/* ---- how to change it ---- */

static void destination_with_port(const struct why_destination *destination, char *text, size_t size)
{
	char plain[NAME_TEXT_MAX];
	bool bracket = destination->port && !destination->is_name && destination->addr.family == ADDR_V6;
	int length = snprintf(text, size, "%s%s%s", bracket ? "[" : "", why_destination_text(destination, plain), bracket ? "]" : "");
	if (destination->port && length > 0)
		snprintf(text + length, size - (size_t)length, ":%u%s", destination->port,
			destination->protocol == RULE_TCP   ? "/tcp"
			: destination->protocol == RULE_UDP ? "/udp"
							    : "");
}

static void change_find(struct answer *answer)
{
	const struct why *why = &answer->why;
	char plain[NAME_TEXT_MAX], with_port[NAME_TEXT_MAX + 16];
	const char *name = answer->container->identity.container, *verb = NULL, *what = with_port;
	why_destination_text(answer->destination, plain);
	destination_with_port(answer->destination, with_port, sizeof(with_port));
	switch (why->reason) {
	case WHY_BLOCK:
	case WHY_BYPASS:
		snprintf(answer->change, sizeof(answer->change), "terok-shield up %s", name);
		return;
	case WHY_LISTED:
	case WHY_LEARNED:
		verb = "deny";
		what = plain;
		break;
	case WHY_DENIED: /* an allow of what was denied takes the denial back; a narrower one does not help an address */
		verb = "allow";
		what = answer->rule[0] ? answer->rule : plain;
		break;
	case WHY_EXCLUDED: /* `allow x` does not bring back what a `!=x` took out; `allow =x` does */
		snprintf(answer->change, sizeof(answer->change), "terok-shield allow %s %s%s", name,
			why->match.kind == RULE_EXACT ? "=" : "", plain);
		return;
	case WHY_UNLISTED:
	case WHY_PORT:
	case WHY_PRIVATE:
		verb = "allow";
		break;
	case WHY_NO_ADDRESS:
		snprintf(answer->change, sizeof(answer->change), "allow the denied address: terok-shield why %s ADDRESS says which line it is", name);
		return;
	case WHY_LOOPBACK_PORT:
		snprintf(answer->change, sizeof(answer->change), "take the port out of loopback_ports and start %s anew", name);
		return;
	case WHY_LOOPBACK:
	case WHY_DNS:
		return;
	}
	snprintf(answer->change, sizeof(answer->change), "terok-shield %s %s %s", verb, name, what);
}

/* ---- text ---- */

static void ports_format(const struct policy_match *match, struct text *text)
{
	if (match->any_port)
		text_add(text, "every");
	for (unsigned i = 0; !match->any_port && i < policy_match_port_count(match); i++) {
		struct policy_port port = policy_match_port(match, i);
		text_addf(text, "%s%u/%s", i > 0 ? ", " : "", port.port, port.protocol == RULE_TCP ? "tcp" : "udp");
	}
}

static void state_print(const struct answer *answer)
{
	enum shield_state state = answer->look->state;
	if (state == SHIELD_INACTIVE)
		printf("  state:    %s (it will start in %s)\n", shield_state_name(state), shield_state_name(answer->wanted));
	else if (state == SHIELD_ERROR)
		printf("  state:    %serror%s, should be %s: %s\n", output_style(OUTPUT_BAD), output_style(OUTPUT_PLAIN),
			shield_state_name(answer->wanted), answer->look->difference.text);
	else
		printf("  state:    %s\n", shield_state_name(state));
}

static void element_print(const struct answer *answer, const struct setwriter_element *element)
{
	char address[ADDR_TEXT_MAX], lifetime[OUTPUT_LIFETIME_MAX], port[16] = "";
	if (element->key.port)
		snprintf(port, sizeof(port), " %u/%s", element->key.port, element->key.protocol == RULE_TCP ? "tcp" : "udp");
	printf("  address:  %s%s, %s left, %" PRIu64 " packets, %" PRIu64 " bytes", addr_format(&element->key.addr, address), port,
		output_lifetime(lifetime, element->expires_ms), element->packets, element->bytes);
	if (!answer->destination->is_name && element->comment[0])
		printf(", of %s", element->comment);
	printf("%s\n", why_is_denied(answer->policy, &element->key.addr) ? " (denied)" : "");
}

static void until_print(const struct why *why)
{
	char moment[CLOCK_TEXT_MAX], lifetime[OUTPUT_LIFETIME_MAX];
	int64_t left_s = why->match.until - clock_lasting_s();
	if (why->match.until)
		printf("  until:    %s, %s left\n", clock_wall_text(moment, sizeof(moment), why->match.until),
			output_lifetime(lifetime, left_s > 0 ? (uint64_t)left_s * 1000 : 0));
}

static int text_print(const struct answer *answer, struct error *error)
{
	static const enum output_style styles[] = {
		[WHY_ALLOWED] = OUTPUT_GOOD, [WHY_REFUSED] = OUTPUT_BAD, [WHY_CAPTURED] = OUTPUT_FAINT};
	const struct why *why = &answer->why;
	char shown[NAME_TEXT_MAX + 16];
	destination_with_port(answer->destination, shown, sizeof(shown));
	printf("%s is %s%s%s for %s\n", shown, output_style(styles[why->verdict]), why_verdict_name(why->verdict),
		output_style(OUTPUT_PLAIN), answer->container->identity.container);
	state_print(answer);
	printf("  because:  %s\n", why_reason_text(why->reason));
	if (answer->place[0])
		printf("  line:     %s%s%s%s\n", answer->place, answer->rule[0] ? ": " : "", why->match.verdict == POLICY_DENIED ? "deny " : "",
			answer->rule);
	if (why->has_match && why->match.verdict == POLICY_ALLOWED) {
		cleanup_text struct text ports = {0};
		ports_format(&why->match, &ports);
		if (text_failed(&ports))
			return error_set(error, ENOMEM, "out of memory");
		printf("  ports:    %s\n", ports.data);
		until_print(why);
	}
	for (size_t i = 0; i < why->element_count; i++)
		element_print(answer, &answer->look->learned.list[why->elements[i]]);
	if (answer->destination->is_name && why->element_count == 0 && why->verdict == WHY_ALLOWED)
		printf("  address:  none yet; they come when the container asks for the name\n");
	if (answer->change[0])
		printf("  change:   %s\n", answer->change);
	return 0;
}

/* ---- JSON ---- */

static cJSON *ports_json(const struct why *why, bool *failed)
{
	if (!why->has_match || why->match.verdict != POLICY_ALLOWED || why->match.any_port)
		return cJSON_CreateNull();
	cJSON *array = cJSON_CreateArray();
	for (unsigned i = 0; i < policy_match_port_count(&why->match); i++) {
		struct policy_port port = policy_match_port(&why->match, i);
		char text[16];
		snprintf(text, sizeof(text), "%u/%s", port.port, port.protocol == RULE_TCP ? "tcp" : "udp");
		output_add(array, NULL, cJSON_CreateString(text), failed);
	}
	return array;
}

static cJSON *element_json(const struct answer *answer, const struct setwriter_element *element, bool *failed)
{
	cJSON *object = cJSON_CreateObject();
	char address[ADDR_TEXT_MAX];
	output_add(object, "address", cJSON_CreateString(addr_format(&element->key.addr, address)), failed);
	output_add(object, "name", output_string(element->comment[0] ? element->comment : NULL), failed);
	output_add(object, "port", element->key.port ? cJSON_CreateNumber(element->key.port) : cJSON_CreateNull(), failed);
	output_add(object, "protocol",
		element->key.port ? cJSON_CreateString(element->key.protocol == RULE_TCP ? "tcp" : "udp") : cJSON_CreateNull(), failed);
	output_add(object, "expires", cJSON_CreateNumber((double)(element->expires_ms / 1000)), failed);
	output_add(object, "packets", cJSON_CreateNumber((double)element->packets), failed);
	output_add(object, "bytes", cJSON_CreateNumber((double)element->bytes), failed);
	output_add(object, "denied", cJSON_CreateBool(why_is_denied(answer->policy, &element->key.addr)), failed);
	return object;
}

static int json_print(const struct answer *answer, struct error *error)
{
	const struct why *why = &answer->why;
	char plain[NAME_TEXT_MAX], moment[CLOCK_TEXT_MAX];
	bool failed = false;
	cJSON *object = cJSON_CreateObject(), *addresses = cJSON_CreateArray();
	const struct why_destination *destination = answer->destination;
	output_add(object, "container", cJSON_CreateString(answer->container->identity.container), &failed);
	output_add(object, "state", cJSON_CreateString(shield_state_name(answer->look->state)), &failed);
	output_add(object, "wanted_state", cJSON_CreateString(shield_state_name(answer->wanted)), &failed);
	output_add(object, "destination", cJSON_CreateString(why_destination_text(destination, plain)), &failed);
	output_add(object, "port", destination->port ? cJSON_CreateNumber(destination->port) : cJSON_CreateNull(), &failed);
	output_add(object, "verdict", cJSON_CreateString(why_verdict_name(why->verdict)), &failed);
	output_add(object, "reason", cJSON_CreateString(why_reason_name(why->reason)), &failed);
	output_add(object, "text", cJSON_CreateString(why_reason_text(why->reason)), &failed);
	output_add(object, "rule", output_string(answer->rule[0] ? answer->rule : NULL), &failed);
	output_add(object, "place", output_string(answer->place[0] ? answer->place : NULL), &failed);
	output_add(object, "ports", ports_json(why, &failed), &failed);
	bool ends = why->has_match && why->match.until;
	output_add(object, "until", output_string(ends ? clock_wall_text(moment, sizeof(moment), why->match.until) : NULL), &failed);
	for (size_t i = 0; i < why->element_count; i++)
		output_add(addresses, NULL, element_json(answer, &answer->look->learned.list[why->elements[i]], &failed), &failed);
	output_add(object, "addresses", addresses, &failed);
	output_add(object, "change", output_string(answer->change[0] ? answer->change : NULL), &failed);
	return output_json(object, failed, error);
}

enum command_exit cmd_why(const struct command_options *options, struct error *error)
{
	struct why_destination destination;
	if (why_destination_parse(&destination, options->operands[0], error))
		return COMMAND_USAGE;
	cleanup_container struct container container = CONTAINER_INIT;
	cleanup_policy struct policy *policy = NULL;
	cleanup_look struct look look = {0};
	struct ruleset ruleset;
	if (container_open(&container, options, error) || container_ruleset(&container, &ruleset, &policy, error) ||
		look_take(&look, &container, &ruleset, error))
		return COMMAND_FAILED;
	struct why_view view = {.policy = policy, .settings = &container.settings, .state = ruleset.state, .learned = &look.learned};
	struct answer answer = {
		.container = &container, .destination = &destination, .look = &look, .policy = policy, .wanted = ruleset.state};
	int rc = why_decide(&answer.why, &view, &destination);
	if (rc) {
		error_errno(error, -rc, "cannot decide about %s", options->operands[0]);
	} else {
		rule_find(&answer);
		change_find(&answer);
		rc = options->json ? json_print(&answer, error) : text_print(&answer, error);
	}
	why_free(&answer.why);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
