/* Ports in words: see ports.h. */
#include "node/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/text.h"

#define SEPARATORS ",:"
#define BLANKS     " \t\r\n"

static const struct {
	const char *word;
	uint8_t number;
} protocols[] = {
	{"", IPPROTO_TCP},
	{"/tcp", IPPROTO_TCP},
	{"/udp", IPPROTO_UDP},
	{"/sctp", IPPROTO_SCTP},
};

/* Takes 1 to 65535 off the text. 0: that is not what stands there. */
static uint16_t port_take(const char **at, const char *end)
{
	unsigned port = 0;
	const char *first = *at;

	while (*at < end && **at >= '0' && **at <= '9' && *at - first < 5)
		port = port * 10 + (unsigned)(*(*at)++ - '0');
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

static bool word_parse(struct settings_published *published, const char *at, const char *end)
{
	published->first = published->last = port_take(&at, end);
	if (at < end && *at == '-') {
		at++;
		published->last = port_take(&at, end);
	}
	if (published->first == 0 || published->last < published->first)
		return false;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++) {
		size_t length = strlen(protocols[i].word);

		published->protocol = protocols[i].number;
		if ((size_t)(end - at) == length && memcmp(at, protocols[i].word, length) == 0)
			return true;
	}
	return false;
}

int ports_parse(struct settings *settings, const char *text, struct error *error)
{
	while (*(text += strspn(text, SEPARATORS BLANKS))) {
		size_t length = strcspn(text, SEPARATORS BLANKS);

		if (settings->published_count == SETTINGS_PUBLISHED_MAX)
			return error_set(error, EINVAL, "terok.shield.ports names more than %d ports", SETTINGS_PUBLISHED_MAX);
		if (!word_parse(&settings->published[settings->published_count], text, text + length))
			return error_set(error, EINVAL,
				"terok.shield.ports: '%s' begins with no port such as 8080, 53/udp or 9000-9010/tcp",
				text_escaped((char[64]){0}, 64, text));
		settings->published_count++;
		text += length;
	}
	return 0;
}
