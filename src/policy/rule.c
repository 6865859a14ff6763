/* One line of a profile or of a list. */
#include "policy/rule.h"

#include <errno.h>
#include <string.h>

#define RULE_WORD_SHOWN 300 /* octets of the user's word in an error text */

/* A piece of the line; not NUL-terminated. */
struct rule_word {
	const char *text;
	size_t length;
};

/* Refuses the line. Every text ends in the remedy. */
static int rule_refuse(struct error *error, struct rule_word line, const char *reason)
{
	cleanup_text struct text shown = {0};

	text_add_escaped(&shown, line.text, line.length, RULE_WORD_SHOWN);
	return error_set(error, EINVAL, "'%s': %s", text_failed(&shown) ? "?" : shown.data, reason);
}

static bool rule_is_digit(char character)
{
	return character >= '0' && character <= '9';
}

static bool rule_is_blank(char character)
{
	return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

static bool rule_is_name_octet(char character)
{
	return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') || rule_is_digit(character) ||
	       character == '-' || character == '_' || character == '.';
}

/* Takes a prefix off the front. */
static bool rule_take(struct rule_word *word, const char *prefix)
{
	size_t length = strlen(prefix);

	if (word->length < length || memcmp(word->text, prefix, length) != 0)
		return false;
	word->text += length;
	word->length -= length;
	return true;
}

static bool rule_word_is(struct rule_word word, const char *text)
{
	return word.length == strlen(text) && memcmp(word.text, text, word.length) == 0;
}

/* Splits at the first mark: word keeps what is before it, rest gets what is behind it. False when there is no mark. */
static bool rule_split(struct rule_word *word, char mark, struct rule_word *rest)
{
	const char *found = word->length > 0 ? memchr(word->text, mark, word->length) : NULL;

	if (!found)
		return false;
	rest->text = found + 1;
	rest->length = word->length - (size_t)(found + 1 - word->text);
	word->length = (size_t)(found - word->text);
	return true;
}

/* "443", "22/tcp". Returns what is wrong, or NULL. */
static const char *rule_parse_port(struct rule *rule, struct rule_word word)
{
	struct rule_word protocol;
	unsigned port = 0;

	if (rule_split(&word, '/', &protocol)) {
		if (rule_word_is(protocol, "tcp"))
			rule->protocol = RULE_TCP;
		else if (rule_word_is(protocol, "udp"))
			rule->protocol = RULE_UDP;
		else
			return "behind a port only /tcp or /udp may stand";
	}
	if (word.length == 0 || word.length > 5 || word.text[0] == '0')
		return "a port is a number from 1 to 65535";
	for (size_t i = 0; i < word.length; i++) {
		if (!rule_is_digit(word.text[i]))
			return "a port is a number from 1 to 65535";
		port = port * 10 + (unsigned)(word.text[i] - '0');
	}
	if (port > UINT16_MAX)
		return "a port is a number from 1 to 65535";
	rule->port = (uint16_t)port;
	return NULL;
}

static const char *rule_parse_net(struct rule *rule, struct rule_word word)
{
	rule->kind = RULE_NET;
	if (addr_net_parse(&rule->net, word.text, word.length))
		return "not an address or network; write 192.0.2.1, 192.0.2.0/24, 2001:db8::/32 or, with a port, [2001:db8::1]:443 "
		       "(the bits behind the prefix must be zero)";
	if (rule->net.prefix_length == 0)
		return "a network of prefix length 0 is everything; name the networks that are needed, or use `terok-shield down`";
	return NULL;
}

/* "[2001:db8::/32]:443/tcp" from behind the bracket on. */
static const char *rule_parse_bracketed(struct rule *rule, struct rule_word word)
{
	struct rule_word behind;

	if (!rule_split(&word, ']', &behind) || word.length == 0 || !memchr(word.text, ':', word.length))
		return "brackets hold an IPv6 address or network: [2001:db8::1]:443";
	if (behind.length > 0) {
		const char *reason = rule_take(&behind, ":") ? rule_parse_port(rule, behind)
							     : "behind the bracket only a port may stand: [2001:db8::1]:443";

		if (reason)
			return reason;
	}
	return rule_parse_net(rule, word);
}

/* What cannot be a name, because it has a slash, or because a last label of digits only makes every reader see an address. */
static bool rule_looks_like_net(struct rule_word word)
{
	size_t at = word.length;

	if (word.length > 0 && memchr(word.text, '/', word.length))
		return true;
	if (at > 0 && word.text[at - 1] == '.')
		at--;
	while (at > 0 && rule_is_digit(word.text[at - 1]))
		at--;
	return at < word.length && rule_is_digit(word.text[at]) && (at == 0 || word.text[at - 1] == '.');
}

static const char *rule_parse_name(struct rule *rule, struct rule_word word)
{
	for (size_t i = 0; i < word.length; i++) {
		if ((unsigned char)word.text[i] >= 0x80)
			return "a name must be in its ASCII form here (xn--...)";
		if (word.text[i] == '*')
			return "'*' may only be the first label: *.example.com";
		if (!rule_is_name_octet(word.text[i]))
			return "not a name; names have letters, digits, '-', '_' and dots; a comment stands behind a blank and '#'";
	}
	if (name_from_text(&rule->name, word.text, word.length))
		return "not a name; a label has 1 to 63 characters, a name at most 253";
	if (rule->name.length == 1)
		return "the root is every name there is; name the domains that are needed";
	if (rule->kind != RULE_EXACT && name_label_count(&rule->name) == 1)
		return "a rule for a whole top-level domain is refused; name the domains below it, or write =NAME for that one name";
	return NULL;
}

/* Returns what is wrong, or NULL. */
static const char *rule_parse_target(struct rule *rule, struct rule_word word)
{
	struct rule_word port;
	const char *colon;
	bool prefixed = true;

	if (word.length > 0 && memmem(word.text, word.length, "://", 3))
		return "not a URL but the name of its host is what can be allowed: example.com or example.com:443";
	if (rule_take(&word, "="))
		rule->kind = RULE_EXACT;
	else if (rule_take(&word, "*."))
		rule->kind = RULE_BELOW;
	else
		prefixed = false;

	if (!prefixed && rule_take(&word, "["))
		return rule_parse_bracketed(rule, word);
	colon = word.length > 0 ? memchr(word.text, ':', word.length) : NULL;
	if (!prefixed && colon && memchr(colon + 1, ':', word.length - (size_t)(colon + 1 - word.text)))
		return rule_parse_net(rule, word);
	if (rule_split(&word, ':', &port)) {
		const char *reason = rule_parse_port(rule, port);

		if (reason)
			return reason;
	}
	if (!rule_looks_like_net(word))
		return rule_parse_name(rule, word);
	if (prefixed)
		return "'=' and '*.' stand before names only, and the last label of a name is not a number";
	return rule_parse_net(rule, word);
}

int rule_parse(struct rule *rule, const char *line, size_t length, struct error *error)
{
	struct rule_word word = {line, length};
	struct rule result = {.kind = RULE_TREE};
	const char *reason;

	result.exclude = rule_take(&word, "!");
	reason = rule_parse_target(&result, word);
	if (!reason && result.exclude && result.kind == RULE_NET)
		reason = "'!' takes out names only; list narrower networks, or use `terok-shield deny`";
	if (!reason && result.exclude && result.port != 0)
		reason = "'!' takes no port; leave the port out, or list the ports that are allowed";
	if (reason)
		return rule_refuse(error, (struct rule_word){line, length}, reason);
	*rule = result;
	return 0;
}

void rule_format(const struct rule *rule, struct text *text)
{
	char shown[NAME_TEXT_MAX];
	bool bracketed = rule->kind == RULE_NET && rule->port != 0 && rule->net.addr.family == ADDR_V6;

	text_add(text, rule->exclude ? "!" : "");
	switch (rule->kind) {
	case RULE_TREE:
		break;
	case RULE_BELOW:
		text_add(text, "*.");
		break;
	case RULE_EXACT:
		text_add(text, "=");
		break;
	case RULE_NET:
		addr_net_format(&rule->net, shown);
		break;
	}
	if (rule->kind != RULE_NET)
		name_to_text(&rule->name, shown);
	text_addf(text, bracketed ? "[%s]" : "%s", shown);
	if (rule->port != 0)
		text_addf(text, ":%u%s", rule->port, rule->protocol == RULE_TCP ? "/tcp" : rule->protocol == RULE_UDP ? "/udp" : "");
}

bool rule_equal(const struct rule *a, const struct rule *b)
{
	if (a->kind != b->kind || a->exclude != b->exclude || a->port != b->port || a->protocol != b->protocol)
		return false;
	if (a->kind != RULE_NET)
		return name_equal(&a->name, &b->name);
	return a->net.prefix_length == b->net.prefix_length && addr_equal(&a->net.addr, &b->net.addr);
}

size_t rule_strip(const char **line, size_t length)
{
	const char *text = *line;

	for (size_t i = 0; i < length; i++)
		if (text[i] == '#' && (i == 0 || rule_is_blank(text[i - 1])))
			length = i;
	while (length > 0 && rule_is_blank(*text)) {
		text++;
		length--;
	}
	while (length > 0 && rule_is_blank(text[length - 1]))
		length--;
	*line = text;
	return length;
}
