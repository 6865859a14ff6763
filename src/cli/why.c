/* The verdict on a destination, in the order in which the kernel's chains and the forwarder decide: see fw/ruleset.c and proxy/query.c. */
#include "cli/why.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/idn.h"

#define DNS_PORT 53

#define SHOWN(word) text_escaped((char[200]){0}, 200, word)

/* ---- the destination ---- */

/* Cuts ":PORT[/tcp|/udp]" off. Returns what is left, or -EINVAL. */
static int port_cut(const char *text, size_t length, struct why_destination *destination)
{
	static const struct {
		const char *word;
		uint8_t protocol;
	} protocols[] = {{"/tcp", RULE_TCP}, {"/udp", RULE_UDP}};
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
		size_t word = strlen(protocols[i].word);
		if (length > word && memcmp(text + length - word, protocols[i].word, word) == 0) {
			destination->protocol = protocols[i].protocol;
			length -= word;
			break;
		}
	}
	const char *colon = memrchr(text, ':', length);
	bool bracketed = text[0] == '[';
	bool many = colon && memchr(text, ':', (size_t)(colon - text)); /* an IPv6 address */
	if (!colon || (bracketed ? colon[-1] != ']' : many))
		return destination->protocol ? -EINVAL : (int)length;
	unsigned port = 0;
	for (const char *digit = colon + 1; digit < text + length; digit++) {
		if (*digit < '0' || *digit > '9' || (port = port * 10 + (unsigned)(*digit - '0')) > UINT16_MAX)
			return -EINVAL;
	}
	destination->port = (uint16_t)port;
	return port == 0 ? -EINVAL : (int)(colon - text);
}

static int name_parse(struct name *name, const char *text, size_t length, struct error *error)
{
	char ascii[IDN_ASCII_MAX];
	for (size_t i = 0; i < length; i++) {
		if ((unsigned char)text[i] < 0x80)
			continue;
		int rc = idn_to_ascii(text, length, ascii, error);
		if (rc)
			return rc;
		text = ascii;
		length = strlen(ascii);
		break;
	}
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	for (size_t i = 0; i < length; i++) {
		if (!memchr(plain, text[i], sizeof(plain) - 1))
			return -EINVAL;
	}
	/* What is all digits behind its last dot is meant as an address, and is none. */
	size_t end = length > 0 && text[length - 1] == '.' ? length - 1 : length, label = end;
	while (label > 0 && text[label - 1] >= '0' && text[label - 1] <= '9')
		label--;
	if (end == 0 || text[0] == '-' || (label < end && (label == 0 || text[label - 1] == '.')))
		return -EINVAL;
	return name_from_text(name, text, length);
}

int why_destination_parse(struct why_destination *destination, const char *text, struct error *error)
{
	struct addr_net net;
	*destination = (struct why_destination){0};
	size_t given = strnlen(text, 1024);
	int rest = given == 1024 ? -EINVAL : port_cut(text, given, destination);
	if (rest > 0) {
		size_t length = (size_t)rest;
		bool bracketed = text[0] == '[' && length > 2 && text[length - 1] == ']';
		const char *inner = bracketed ? text + 1 : text;
		size_t inner_length = bracketed ? length - 2 : length;
		if (addr_parse(&destination->addr, inner, inner_length) == 0 && (!bracketed || destination->addr.family == ADDR_V6))
			return 0;
		if (memchr(text, '/', length) && addr_net_parse(&net, text, length) == 0)
			return error_set(error, EINVAL, "'%s' is a whole network; name one address of it", SHOWN(text));
		destination->is_name = true;
		int rc = name_parse(&destination->name, text, length, error);
		if (rc == 0)
			return 0;
		if (error && error->code)
			return rc;
	}
	return error_set(error, EINVAL, "'%s' is no destination: a name or an address, with :PORT or :PORT/tcp or :PORT/udp behind",
		SHOWN(text));
}

const char *why_destination_text(const struct why_destination *destination, char text[NAME_TEXT_MAX])
{
	if (destination->is_name)
		name_to_text(&destination->name, text);
	else
		addr_format(&destination->addr, text);
	return text;
}

/* ---- the verdict ---- */

static bool port_matches(const struct why_destination *destination, uint16_t port, uint8_t protocol)
{
	return destination->port == 0 || port == 0 ||
	       (destination->port == port && (!destination->protocol || !protocol || destination->protocol == protocol));
}

static bool match_opens(const struct policy_match *match, const struct why_destination *destination)
{
	if (match->verdict != POLICY_ALLOWED)
		return false;
	if (match->any_port || destination->port == 0)
		return true;
	for (unsigned i = 0; i < policy_match_port_count(match); i++) {
		struct policy_port port = policy_match_port(match, i);
		if (port_matches(destination, port.port, port.protocol))
			return true;
	}
	return false;
}

/* policy_lookup_addr() names the narrowest network; a wider one may open a port that it does not. */
static bool nets_open(const struct policy *policy, const struct why_destination *destination)
{
	const struct netset *allowed = policy_allowed_nets(policy);
	for (size_t i = 0; i < allowed->count; i++) {
		const struct netset_entry *entry = &allowed->entries[i];
		if (addr_net_contains(&entry->net, &destination->addr) && port_matches(destination, entry->port, entry->protocol))
			return true;
	}
	return false;
}

bool why_is_denied(const struct policy *policy, const struct addr *addr)
{
	return netset_contains(policy_denied_nets(policy), addr);
}

/* The ranges that the ruleset refuses as private; addr_scope() knows more of them, which the ruleset leaves to "not listed". */
static bool is_private(const struct addr *addr)
{
	static const char *const ranges[] = {
		"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"};
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		struct addr_net net;
		if (addr_net_parse(&net, ranges[i], strlen(ranges[i])) == 0 && addr_net_contains(&net, addr))
			return true;
	}
	return false;
}

/* Of the container itself. Not the IPv6 forms that only carry such an address: they leave through the network. */
static bool is_loopback(const struct addr *addr)
{
	static const uint8_t v6[16] = {[15] = 1};
	return addr->family == ADDR_V4 ? addr->octets[0] == 127 : memcmp(addr->octets, v6, sizeof(v6)) == 0;
}

static int element_note(struct why *why, size_t index)
{
	size_t *grown = reallocarray(why->elements, why->element_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	why->elements = grown;
	grown[why->element_count++] = index;
	return 0;
}

static int elements_collect(struct why *why, const struct why_view *view, const struct why_destination *destination)
{
	char text[NAME_TEXT_MAX];
	int rc = 0;
	why_destination_text(destination, text);
	for (size_t i = 0; rc == 0 && i < view->learned->count; i++) {
		const struct setwriter_element *element = &view->learned->list[i];
		bool meant = destination->is_name ? strncmp(element->comment, text, SETWRITER_COMMENT_MAX) == 0
						  : addr_equal(&element->key.addr, &destination->addr);
		if (meant && port_matches(destination, element->key.port, element->key.protocol))
			rc = element_note(why, i);
	}
	return rc;
}

static void conclude(struct why *why, enum why_verdict verdict, enum why_reason reason)
{
	why->verdict = verdict;
	why->reason = reason;
}

static void name_decide(struct why *why, const struct why_view *view, const struct why_destination *destination)
{
	size_t denied = 0;
	policy_lookup(view->policy, destination->name.wire, destination->name.length, &why->match);
	why->has_match = why->match.verdict != POLICY_UNLISTED;
	for (size_t i = 0; i < why->element_count; i++)
		denied += why_is_denied(view->policy, &view->learned->list[why->elements[i]].key.addr);
	bool bypass = view->state == SHIELD_DOWN || view->state == SHIELD_DOWN_ALL;
	if (view->state == SHIELD_BLOCK)
		conclude(why, WHY_REFUSED, WHY_BLOCK);
	else if (why->match.verdict == POLICY_DENIED)
		conclude(why, WHY_REFUSED, WHY_DENIED);
	else if (destination->port == DNS_PORT && (bypass || why->match.verdict == POLICY_ALLOWED))
		conclude(why, WHY_CAPTURED, WHY_DNS);
	else if (denied > 0 && denied == why->element_count)
		conclude(why, WHY_REFUSED, WHY_NO_ADDRESS);
	else if (match_opens(&why->match, destination))
		conclude(why, WHY_ALLOWED, WHY_LISTED);
	else if (bypass)
		conclude(why, WHY_ALLOWED, WHY_BYPASS);
	else if (why->match.verdict == POLICY_ALLOWED)
		conclude(why, WHY_REFUSED, WHY_PORT);
	else
		conclude(why, WHY_REFUSED, why->match.verdict == POLICY_EXCLUDED ? WHY_EXCLUDED : WHY_UNLISTED);
}

static bool is_opened_loopback(const struct settings *settings, const struct why_destination *destination)
{
	if (!settings->host_gateway.family || !addr_equal(&settings->host_gateway, &destination->addr) || destination->protocol == RULE_UDP)
		return false;
	for (size_t i = 0; i < settings->loopback_port_count; i++) {
		if (destination->port == 0 || settings->loopback_ports[i] == destination->port)
			return true;
	}
	return false;
}

static void addr_decide(struct why *why, const struct why_view *view, const struct why_destination *destination)
{
	bool loopback = is_loopback(&destination->addr);
	policy_lookup_addr(view->policy, &destination->addr, &why->match);
	why->has_match = why->match.verdict != POLICY_UNLISTED;
	if (view->state == SHIELD_BLOCK)
		conclude(why, WHY_REFUSED, WHY_BLOCK);
	else if (destination->port == DNS_PORT && !loopback)
		conclude(why, WHY_CAPTURED, WHY_DNS);
	else if (why->match.verdict == POLICY_DENIED)
		conclude(why, WHY_REFUSED, WHY_DENIED);
	else if (loopback)
		conclude(why, WHY_ALLOWED, WHY_LOOPBACK);
	else if (is_opened_loopback(view->settings, destination))
		conclude(why, WHY_ALLOWED, WHY_LOOPBACK_PORT);
	else if (match_opens(&why->match, destination) || nets_open(view->policy, destination))
		conclude(why, WHY_ALLOWED, WHY_LISTED);
	else if (why->element_count > 0)
		conclude(why, WHY_ALLOWED, WHY_LEARNED);
	else if (view->state == SHIELD_DOWN_ALL)
		conclude(why, WHY_ALLOWED, WHY_BYPASS);
	else if (is_private(&destination->addr))
		conclude(why, WHY_REFUSED, WHY_PRIVATE);
	else if (view->state == SHIELD_DOWN)
		conclude(why, WHY_ALLOWED, WHY_BYPASS);
	else
		conclude(why, WHY_REFUSED, why->has_match ? WHY_PORT : WHY_UNLISTED);
	/* The line of a narrower network is not the reason where a wider one opens the port. */
	if (why->reason == WHY_LISTED && !match_opens(&why->match, destination))
		why->has_match = false;
	/* An address that a name brought is decided by the name's line. */
	if (why->reason == WHY_LEARNED) {
		const char *owner = view->learned->list[why->elements[0]].comment;
		struct name name;
		why->has_match = name_from_text(&name, owner, strlen(owner)) == 0;
		if (why->has_match)
			policy_lookup(view->policy, name.wire, name.length, &why->match);
		why->has_match = why->has_match && why->match.verdict == POLICY_ALLOWED;
	}
}

int why_decide(struct why *why, const struct why_view *view, const struct why_destination *destination)
{
	*why = (struct why){.match.source = ""};
	int rc = elements_collect(why, view, destination);
	if (rc)
		return rc;
	if (destination->is_name)
		name_decide(why, view, destination);
	else
		addr_decide(why, view, destination);
	return 0;
}

void why_free(struct why *why)
{
	free(why->elements);
	why->elements = NULL;
	why->element_count = 0;
}

/* ---- words ---- */

const char *why_verdict_name(enum why_verdict verdict)
{
	static const char *const names[] = {[WHY_ALLOWED] = "allowed", [WHY_REFUSED] = "refused", [WHY_CAPTURED] = "captured"};
	return names[verdict];
}

static const struct {
	const char *name, *text;
} reasons[] = {
	[WHY_BLOCK] = {"block", "the shield is in state block: nothing passes"},
	[WHY_BYPASS] = {"bypass", "the shield is down: what no line refuses passes"},
	[WHY_LISTED] = {"listed", "a line allows it"},
	[WHY_LEARNED] = {"learned", "an allowed name has this address now"},
	[WHY_LOOPBACK] = {"loopback", "it is the container itself"},
	[WHY_LOOPBACK_PORT] = {"loopback-port", "loopback_ports of the configuration opens it on the host's loopback"},
	[WHY_DENIED] = {"denied", "a line denies it"},
	[WHY_EXCLUDED] = {"excluded", "a '!' line takes it out"},
	[WHY_UNLISTED] = {"not-listed", "no line names it"},
	[WHY_PORT] = {"port", "its line allows other ports only"},
	[WHY_PRIVATE] = {"private-range", "it is in a private range, and no line names it"},
	[WHY_DNS] = {"dns", "whatever goes to port 53 is answered by the shield's own forwarder"},
	[WHY_NO_ADDRESS] = {"address-denied", "the name is allowed, but every address that it has now is denied"},
};

const char *why_reason_name(enum why_reason reason)
{
	return reasons[reason].name;
}

const char *why_reason_text(enum why_reason reason)
{
	return reasons[reason].text;
}
