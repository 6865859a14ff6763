/* The set writer's parsers with any octets as what the kernel answers. */
#include <stdint.h>
#include <stdlib.h>

#include "fw/setwriter_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visit(void *context, const struct setwriter_element *element)
{
	const struct setwriter_listing *listing = context;
	size_t length = strnlen(element->comment, sizeof(element->comment));

	if (length == sizeof(element->comment) || element->key.addr.family != listing->family)
		abort();
	for (size_t i = 0; i < length; i++)
		if (element->comment[i] < ' ' || element->comment[i] > '~')
			abort();
	return 0;
}

/* The first octet chooses the kind of set. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct setwriter_replies replies = {.first = 1, .last = 3};
	struct setwriter_listing listing = {.sequence = 1, .visit = visit, .context = &listing};
	struct netlink_span datagram;

	if (!size)
		return 0;
	datagram = (struct netlink_span){data + 1, size - 1};
	listing.family = data[0] & 1 ? ADDR_V6 : ADDR_V4;
	listing.with_port = data[0] & 2;
	setwriter_parse_replies(&replies, datagram);
	if (replies.status > 0)
		abort();
	setwriter_parse_listing(&listing, datagram);
	setwriter_parse_foreign(datagram, 1, "terok_shield");
	return 0;
}
