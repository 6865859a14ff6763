/* The names of addresses. */
#include "dns/reverse.h"

#include <string.h>

static const uint8_t zone_v4[] = "\7in-addr\4arpa"; /* with the root's zero */
static const uint8_t zone_v6[] = "\3ip6\4arpa";

/* One label of decimal digits. Returns the octets it takes, 0 when it is no octet's number. */
static size_t octet_read(const uint8_t *at, uint8_t *octet)
{
	unsigned value = 0;

	if (at[0] < 1 || at[0] > 3 || (at[0] > 1 && at[1] == '0'))
		return 0;
	for (unsigned i = 1; i <= at[0]; i++) {
		if (at[i] < '0' || at[i] > '9')
			return 0;
		value = value * 10 + at[i] - '0';
	}
	*octet = (uint8_t)value;
	return value <= 255 ? 1u + at[0] : 0;
}

static bool v4_parse(const struct name *name, struct addr *addr)
{
	uint8_t octets[4];
	size_t at = 0;

	for (unsigned i = 4; i--;) {
		size_t size = octet_read(name->wire + at, &octets[i]);

		if (!size)
			return false;
		at += size;
	}
	*addr = addr_v4(octets);
	return name->length - at == sizeof(zone_v4) && !memcmp(name->wire + at, zone_v4, sizeof(zone_v4));
}

static int nibble_read(uint8_t digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1; /* names are lowered */
}

static bool v6_parse(const struct name *name, struct addr *addr)
{
	uint8_t octets[16] = {0};

	if (name->length != 64 + sizeof(zone_v6) || memcmp(name->wire + 64, zone_v6, sizeof(zone_v6)))
		return false;
	for (size_t i = 0; i < 32; i++) {
		int nibble = nibble_read(name->wire[2 * i + 1]);

		if (name->wire[2 * i] != 1 || nibble < 0)
			return false;
		octets[15 - i / 2] |= (uint8_t)(nibble << 4 * (i % 2));
	}
	*addr = addr_v6(octets);
	return true;
}

bool reverse_parse(const struct name *name, struct addr *addr)
{
	return v4_parse(name, addr) || v6_parse(name, addr);
}

size_t reverse_write(const struct question *question, const struct name *names, size_t count, uint32_t ttl_s, uint16_t *ttls, uint8_t *out)
{
	size_t at = MESSAGE_HEADER + question->name.length;

	memset(out, 0, MESSAGE_HEADER);
	memcpy(out + MESSAGE_HEADER, question->name.wire, question->name.length);
	message_put16(out + at, TYPE_PTR);
	message_put16(out + at + 2, MESSAGE_CLASS_IN);
	at += 4;
	for (size_t i = 0; i < count; i++) {
		message_put16(out + at, 0xc000 | MESSAGE_HEADER);
		message_put16(out + at + 2, TYPE_PTR);
		message_put16(out + at + 4, MESSAGE_CLASS_IN);
		ttls[i] = (uint16_t)(at + 6);
		message_put32(out + at + 6, ttl_s);
		message_put16(out + at + 10, names[i].length);
		memcpy(out + at + 12, names[i].wire, names[i].length);
		at += 12u + names[i].length;
	}
	return at;
}
