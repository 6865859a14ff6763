/* Domain names in their canonical wire form. */
#include "policy/name.h"

#include <errno.h>
#include <string.h>

static uint8_t name_lower(uint8_t octet)
{
	return octet >= 'A' && octet <= 'Z' ? octet | 0x20 : octet;
}

static bool name_octet_is_plain(uint8_t octet)
{
	return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9') || octet == '-' ||
	       octet == '_';
}

static bool name_is_digit(char character)
{
	return character >= '0' && character <= '9';
}

/* Reads one octet of a label, which may be written as an escape. Returns how many characters it took, or -EINVAL. */
static int name_read_octet(uint8_t *octet, const char *text, size_t length)
{
	unsigned value;

	if (text[0] != '\\') {
		*octet = (uint8_t)text[0];
		return 1;
	}
	if (length < 2)
		return -EINVAL;
	if (!name_is_digit(text[1])) {
		*octet = (uint8_t)text[1];
		return 2;
	}
	if (length < 4 || !name_is_digit(text[2]) || !name_is_digit(text[3]))
		return -EINVAL;
	value = (unsigned)(text[1] - '0') * 100 + (unsigned)(text[2] - '0') * 10 + (unsigned)(text[3] - '0');
	if (value > 255)
		return -EINVAL;
	*octet = (uint8_t)value;
	return 4;
}

/* Reads a label up to its dot or the end of the text into out, as a length octet and the label.
 * Returns how many characters it took, or -EINVAL. */
static int name_read_label(uint8_t out[1 + NAME_LABEL_MAX], const char *text, size_t length)
{
	size_t at = 0;
	uint8_t used = 0;

	while (at < length && text[at] != '.') {
		uint8_t octet;
		int taken = name_read_octet(&octet, text + at, length - at);

		if (taken < 0 || used == NAME_LABEL_MAX)
			return -EINVAL;
		out[++used] = name_lower(octet);
		at += (size_t)taken;
	}
	out[0] = used;
	return used > 0 ? (int)at : -EINVAL;
}

int name_from_text(struct name *name, const char *text, size_t length)
{
	struct name result = {0};
	size_t used = 0;
	size_t at = 0;

	if (length == 0)
		return -EINVAL;
	if (length == 1 && text[0] == '.')
		at = 1;
	while (at < length) {
		uint8_t label[1 + NAME_LABEL_MAX];
		int taken = name_read_label(label, text + at, length - at);

		if (taken < 0 || used + 1 + label[0] > NAME_WIRE_MAX - 1)
			return -EINVAL;
		memcpy(result.wire + used, label, 1u + label[0]);
		used += 1u + label[0];
		at += (size_t)taken;
		if (at < length)
			at++; /* the dot; a last one stands for the root */
	}
	result.wire[used] = 0;
	result.length = (uint8_t)(used + 1);
	*name = result;
	return 0;
}

int name_from_wire(struct name *name, const uint8_t *wire, size_t length)
{
	struct name result = {0};
	size_t at = 0;

	if (length == 0 || length > NAME_WIRE_MAX)
		return -EINVAL;
	while (wire[at] != 0) {
		size_t end = at + 1 + wire[at];

		if (wire[at] > NAME_LABEL_MAX || end >= length)
			return -EINVAL;
		result.wire[at] = wire[at];
		for (at++; at < end; at++)
			result.wire[at] = name_lower(wire[at]);
	}
	if (at + 1 != length)
		return -EINVAL;
	result.length = (uint8_t)length;
	*name = result;
	return 0;
}

size_t name_to_text(const struct name *name, char text[NAME_TEXT_MAX])
{
	size_t used = 0;

	for (size_t at = 0; name->wire[at] != 0;) {
		size_t end = at + 1 + name->wire[at];

		if (at > 0)
			text[used++] = '.';
		for (at++; at < end; at++) {
			uint8_t octet = name->wire[at];

			if (name_octet_is_plain(octet)) {
				text[used++] = (char)octet;
				continue;
			}
			text[used++] = '\\';
			text[used++] = (char)('0' + octet / 100);
			text[used++] = (char)('0' + octet / 10 % 10);
			text[used++] = (char)('0' + octet % 10);
		}
	}
	if (used == 0)
		text[used++] = '.';
	text[used] = '\0';
	return used;
}

unsigned name_label_count(const struct name *name)
{
	unsigned count = 0;

	for (size_t at = 0; name->wire[at] != 0; at += 1u + name->wire[at])
		count++;
	return count;
}

bool name_equal(const struct name *a, const struct name *b)
{
	return a->length == b->length && memcmp(a->wire, b->wire, a->length) == 0;
}

bool name_is_within(const struct name *name, const struct name *parent)
{
	size_t at = 0;

	/* Only where a label begins: "badexample.com" is not within "example.com". */
	while (name->length - at > parent->length)
		at += 1u + name->wire[at];
	return name->length - at == parent->length && memcmp(name->wire + at, parent->wire, parent->length) == 0;
}
