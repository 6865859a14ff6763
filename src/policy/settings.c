/* The defaults, and the words of the configuration. */
#include "policy/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/name.h"

static const char *const reject_words[] = {
	[SETTINGS_REJECT_ICMP] = "icmp",
	[SETTINGS_REJECT_RESET] = "reset",
};

static const char *const via_words[] = {
	[SETTINGS_VIA_AUTO] = "auto",
	[SETTINGS_VIA_HOST] = "host",
	[SETTINGS_VIA_CONTAINER] = "container",
};

static const char *const deny_words[] = {
	[SETTINGS_DENY_NXDOMAIN] = "nxdomain",
	[SETTINGS_DENY_REFUSED] = "refused",
};

#define TLS_SCHEME "tls://"
#define DNS_PORT   53

#define WORD_COUNT(words) (sizeof(words) / sizeof((words)[0]))

/* The index of a word, or -EINVAL. */
static int settings_word_find(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return (int)i;
	return -EINVAL;
}

void settings_init(struct settings *settings)
{
	*settings = (struct settings){
		.reject = SETTINGS_REJECT_ICMP,
		.via = SETTINGS_VIA_AUTO,
		.deny = SETTINGS_DENY_NXDOMAIN,
		.audit = true,
		.budget_names = SETTINGS_BUDGET_NAMES,
		.budget_octets = SETTINGS_BUDGET_OCTETS,
		.ca = SETTINGS_CA_FILE,
	};
}

const char *settings_reject_name(enum settings_reject reject)
{
	return reject_words[reject];
}

int settings_reject_parse(enum settings_reject *reject, const char *word)
{
	int found = settings_word_find(reject_words, WORD_COUNT(reject_words), word);

	if (found < 0)
		return found;
	*reject = (enum settings_reject)found;
	return 0;
}

const char *settings_via_name(enum settings_via via)
{
	return via_words[via];
}

int settings_via_parse(enum settings_via *via, const char *word)
{
	int found = settings_word_find(via_words, WORD_COUNT(via_words), word);

	if (found < 0)
		return found;
	*via = (enum settings_via)found;
	return 0;
}

const char *settings_deny_name(enum settings_deny deny)
{
	return deny_words[deny];
}

int settings_deny_parse(enum settings_deny *deny, const char *word)
{
	int found = settings_word_find(deny_words, WORD_COUNT(deny_words), word);

	if (found < 0)
		return found;
	*deny = (enum settings_deny)found;
	return 0;
}

/* A host name as certificates have it, lowered: letters, digits and hyphens, no dot at its end, and something else than digits behind the
 * last dot, as addresses and ports have there. */
static int tls_name_take(char tls_name[SETTINGS_TLS_NAME_MAX], const char *text)
{
	size_t length = strlen(text);
	const char *dot = strrchr(text, '.'), *last = dot ? dot + 1 : text;
	struct name name;

	if (length >= SETTINGS_TLS_NAME_MAX || name_from_text(&name, text, length) || !last[strspn(last, "0123456789")])
		return -EDOM;
	for (size_t i = 0; i < length; i++) {
		char letter = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + ('a' - 'A')) : text[i];

		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-.", letter))
			return -EDOM;
		tls_name[i] = letter;
	}
	tls_name[length] = '\0';
	return 0;
}

int settings_upstream_parse(struct settings_upstream *upstream, const char *text)
{
	const char *address = text, *name;
	size_t length;

	*upstream = (struct settings_upstream){0};
	if (strncmp(text, TLS_SCHEME, strlen(TLS_SCHEME)))
		return addr_endpoint_parse(&upstream->endpoint, text, strlen(text), DNS_PORT) || !upstream->endpoint.port ? -EINVAL : 0;
	address += strlen(TLS_SCHEME);
	name = strchr(address, '#');
	length = name ? (size_t)(name - address) : strlen(address);
	if (addr_endpoint_parse(&upstream->endpoint, address, length, SETTINGS_TLS_PORT) || !upstream->endpoint.port)
		return -EINVAL;
	if (upstream->endpoint.addr.family == ADDR_V6 && *address != '[') /* as in any URL: where a port begins must be plain */
		return -EINVAL;
	return name && name[1] ? tls_name_take(upstream->tls_name, name + 1) : -ENODATA;
}

const char *settings_upstream_format(const struct settings_upstream *upstream, char *text)
{
	char endpoint[ADDR_ENDPOINT_TEXT_MAX];
	bool tls = *upstream->tls_name;

	addr_endpoint_format(&upstream->endpoint, endpoint);
	snprintf(text, SETTINGS_UPSTREAM_TEXT_MAX, "%s%s%s%s", tls ? TLS_SCHEME : "", endpoint, tls ? "#" : "", upstream->tls_name);
	return text;
}

bool settings_use_tls(const struct settings *settings)
{
	return settings->upstream_count && *settings->upstreams[0].tls_name;
}
