/* DNS messages on the wire: names and records. */
#include "dns/message.h"

#include <stdio.h>
#include <string.h>

#define LABEL_POINTER 0xc0
#define RECORD_FIXED 10 /* type, class, TTL, RDLENGTH */

static uint8_t lower(uint8_t octet)
{
	return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + ('a' - 'A')) : octet;
}

/* Walks the labels of the name at offset; for each calls for nothing, but copies when name is not NULL. */
static size_t name_walk(const uint8_t *wire, size_t length, size_t offset, struct name *name)
{
	size_t at = offset, end = 0, bound = offset, total = 0;

	for (;;) {
		uint8_t size;

		if (at >= length)
			return 0;
		size = wire[at];
		if ((size & LABEL_POINTER) == LABEL_POINTER) {
			size_t target;

			if (at + 1 >= length)
				return 0;
			target = message_get16(wire + at) & 0x3fff;
			if (!end)
				end = at + 2;
			if (target >= bound || target < MESSAGE_HEADER) /* only backwards: no loop, no name in the header */
				return 0;
			at = bound = target;
			continue;
		}
		if (size > NAME_LABEL_MAX || total + size + 1 > NAME_WIRE_MAX || at + 1 + size > length)
			return 0;
		if (name) {
			name->wire[total] = size;
			for (size_t i = 1; i <= size; i++)
				name->wire[total + i] = lower(wire[at + i]);
		}
		total += size + 1u;
		at += size + 1u;
		if (!size)
			break;
	}
	if (name)
		name->length = (uint8_t)total;
	return end ? end : at;
}

size_t message_name_skip(const uint8_t *wire, size_t length, size_t offset)
{
	return name_walk(wire, length, offset, NULL);
}

size_t message_name_expand(const uint8_t *wire, size_t length, size_t offset, struct name *name)
{
	return name_walk(wire, length, offset, name);
}

bool message_name_is(const uint8_t *wire, size_t length, size_t offset, const struct name *name)
{
	size_t at = offset, done = 0, jumps = 0;

	while (at < length) {
		uint8_t size = wire[at];

		if ((size & LABEL_POINTER) == LABEL_POINTER) {
			if (at + 1 >= length || ++jumps > NAME_WIRE_MAX)
				return false;
			at = message_get16(wire + at) & 0x3fff;
			continue;
		}
		if (at + 1 + size > length || done + 1 + size > name->length || name->wire[done] != size)
			return false;
		for (size_t i = 1; i <= size; i++)
			if (lower(wire[at + i]) != name->wire[done + i])
				return false;
		if (!size)
			return true;
		at += size + 1u;
		done += size + 1u;
	}
	return false;
}

size_t message_record_read(const uint8_t *wire, size_t length, size_t offset, struct message_record *record)
{
	size_t at = message_name_skip(wire, length, offset);

	if (!at || length - at < RECORD_FIXED)
		return 0;
	record->owner = (uint16_t)offset;
	record->type = message_get16(wire + at);
	record->class = message_get16(wire + at + 2);
	record->ttl = (uint16_t)(at + 4);
	record->data_length = message_get16(wire + at + 8);
	record->data = (uint16_t)(at + RECORD_FIXED);
	at += RECORD_FIXED;
	if (length - at < record->data_length)
		return 0;
	return at + record->data_length;
}

/* Where the names are in the data: behind so many octets and character strings; then come so many octets more. */
struct data_layout {
	uint16_t type;
	uint8_t octets_before, strings_before, names, octets_after;
};

#define ANY_OCTETS 255

static const struct data_layout data_layouts[] = {
	{TYPE_CNAME, 0, 0, 1, 0},
	{TYPE_SOA, 0, 0, 2, 20},
	{TYPE_PTR, 0, 0, 1, 0},
	{TYPE_DNAME, 0, 0, 1, 0},
	{TYPE_RRSIG, 18, 0, 1, ANY_OCTETS},
	{TYPE_NSEC, 0, 0, 1, ANY_OCTETS},
	{2, 0, 0, 1, 0},	   /* NS */
	{3, 0, 0, 1, 0},	   /* MD */
	{4, 0, 0, 1, 0},	   /* MF */
	{7, 0, 0, 1, 0},	   /* MB */
	{8, 0, 0, 1, 0},	   /* MG */
	{9, 0, 0, 1, 0},	   /* MR */
	{14, 0, 0, 2, 0},	   /* MINFO */
	{15, 2, 0, 1, 0},	   /* MX */
	{17, 0, 0, 2, 0},	   /* RP */
	{18, 2, 0, 1, 0},	   /* AFSDB */
	{21, 2, 0, 1, 0},	   /* RT */
	{24, 18, 0, 1, ANY_OCTETS}, /* SIG */
	{26, 2, 0, 2, 0},	   /* PX */
	{30, 0, 0, 1, ANY_OCTETS}, /* NXT */
	{33, 6, 0, 1, 0},	   /* SRV */
	{35, 4, 3, 1, 0},	   /* NAPTR */
	{36, 2, 0, 1, 0},	   /* KX */
};

static const struct data_layout *layout_of(uint16_t type)
{
	for (size_t i = 0; i < sizeof(data_layouts) / sizeof(data_layouts[0]); i++)
		if (data_layouts[i].type == type)
			return &data_layouts[i];
	return NULL;
}

/* The offset of the first name in the data; at or behind its end when the data is too short for one. */
static size_t data_names_begin(const uint8_t *wire, const struct message_record *record, const struct data_layout *layout)
{
	size_t at = (size_t)record->data + layout->octets_before, end = (size_t)record->data + record->data_length;

	for (unsigned i = 0; i < layout->strings_before && at < end; i++)
		at += 1u + wire[at];
	return at;
}

bool message_data_is_whole(const uint8_t *wire, const struct message_record *record)
{
	const struct data_layout *layout = layout_of(record->type);
	size_t end = (size_t)record->data + record->data_length, at;

	if (!layout)
		return true;
	at = data_names_begin(wire, record, layout);
	if (at >= end)
		return false;
	for (unsigned i = 0; i < layout->names; i++) {
		at = message_name_skip(wire, end, at);
		if (!at)
			return false;
	}
	return layout->octets_after == ANY_OCTETS || end - at == layout->octets_after;
}

unsigned message_record_names(const uint8_t *wire, const struct message_record *record, size_t offsets[MESSAGE_RECORD_NAMES])
{
	const struct data_layout *layout = layout_of(record->type);
	size_t end = (size_t)record->data + record->data_length;
	unsigned count = 0;

	offsets[count++] = record->owner;
	if (!layout)
		return count;
	offsets[count++] = data_names_begin(wire, record, layout);
	if (layout->names == 2) {
		offsets[count] = message_name_skip(wire, end, offsets[1]);
		count++;
	}
	return count;
}

const char *message_type_text(uint16_t type, char *text)
{
	static const struct {
		uint16_t type;
		const char *name;
	} names[] = {
		{TYPE_A, "A"},
		{2, "NS"},
		{TYPE_CNAME, "CNAME"},
		{TYPE_SOA, "SOA"},
		{TYPE_PTR, "PTR"},
		{15, "MX"},
		{16, "TXT"},
		{TYPE_AAAA, "AAAA"},
		{33, "SRV"},
		{35, "NAPTR"},
		{43, "DS"},
		{44, "SSHFP"},
		{48, "DNSKEY"},
		{52, "TLSA"},
		{TYPE_SVCB, "SVCB"},
		{TYPE_HTTPS, "HTTPS"},
		{257, "CAA"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].type == type) {
			strcpy(text, names[i].name);
			return text;
		}
	snprintf(text, MESSAGE_TYPE_TEXT_MAX, "TYPE%u", type);
	return text;
}
