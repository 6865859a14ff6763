/* IP protocol numbers in words. */
#include "policy/protocol.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint8_t number;
	const char *name;
} names[] = {
	{IPPROTO_TCP, "tcp"},
	{IPPROTO_UDP, "udp"},
	{IPPROTO_ICMP, "icmp"},
	{IPPROTO_ICMPV6, "icmp"},
};

const char *protocol_format(uint8_t protocol, char *text)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].number == protocol) {
			strcpy(text, names[i].name);
			return text;
		}
	snprintf(text, PROTOCOL_TEXT_MAX, "%u", protocol);
	return text;
}

int protocol_parse(uint8_t *protocol, enum addr_family family, const char *text)
{
	unsigned number = 0;
	size_t length = strlen(text);

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i].name, text) && (family != ADDR_V6 || names[i].number != IPPROTO_ICMP)) {
			*protocol = names[i].number;
			return 0;
		}
	if (!length || length > 3)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		number = number * 10 + (unsigned)(*text - '0');
	}
	if (number > UINT8_MAX)
		return -EINVAL;
	*protocol = (uint8_t)number;
	return 0;
}
