/* Addresses, networks and endpoints, and which addresses are inside ones. */
#include "policy/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint8_t addr_bits(uint8_t family)
{
	return family == ADDR_V4 ? 32 : 128;
}

int addr_parse(struct addr *addr, const char *text, size_t length)
{
	char copy[ADDR_TEXT_MAX];
	struct addr result = {0};

	if (length == 0 || length >= sizeof(copy) || memchr(text, '\0', length))
		return -EINVAL;
	memcpy(copy, text, length);
	copy[length] = '\0';
	result.family = memchr(text, ':', length) ? ADDR_V6 : ADDR_V4;
	if (inet_pton(result.family == ADDR_V6 ? AF_INET6 : AF_INET, copy, result.octets) != 1)
		return -EINVAL;
	*addr = result;
	return 0;
}

/* inet_ntop(3) takes IPv4 through printf: a listing of thousands would be spent there. */
static void addr_format_v4(const uint8_t octets[4], char *text)
{
	for (size_t i = 0; i < 4; i++) {
		uint8_t octet = octets[i];

		if (octet >= 100)
			*text++ = (char)('0' + octet / 100);
		if (octet >= 10)
			*text++ = (char)('0' + octet / 10 % 10);
		*text++ = (char)('0' + octet % 10);
		*text++ = i < 3 ? '.' : '\0';
	}
}

const char *addr_format(const struct addr *addr, char *text)
{
	if (addr->family == ADDR_V4)
		addr_format_v4(addr->octets, text);
	else
		inet_ntop(AF_INET6, addr->octets, text, ADDR_TEXT_MAX);
	return text;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->octets, b->octets, sizeof(a->octets)) == 0;
}

struct addr addr_v4(const uint8_t octets[4])
{
	struct addr addr = {.family = ADDR_V4};

	memcpy(addr.octets, octets, 4);
	return addr;
}

struct addr addr_v6(const uint8_t octets[16])
{
	struct addr addr = {.family = ADDR_V6};

	memcpy(addr.octets, octets, 16);
	return addr;
}

/* True when the first `bits` bits are the same. */
static bool addr_prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8;
	unsigned rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

/* A decimal number as people write it: no sign, no zero in front, at most max. */
static int addr_number_parse(unsigned *number, const char *text, size_t length, unsigned max)
{
	unsigned value = 0;

	if (length == 0 || length > 5 || (length > 1 && text[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(text[i] - '0');
	}
	if (value > max)
		return -EINVAL;
	*number = value;
	return 0;
}

int addr_net_parse(struct addr_net *net, const char *text, size_t length)
{
	const char *slash = memchr(text, '/', length);
	struct addr_net result = {0};
	unsigned bits;

	if (addr_parse(&result.addr, text, slash ? (size_t)(slash - text) : length))
		return -EINVAL;
	bits = addr_bits(result.addr.family);
	if (slash && addr_number_parse(&bits, slash + 1, length - (size_t)(slash + 1 - text), bits))
		return -EINVAL;
	result.prefix_length = (uint8_t)bits;
	for (unsigned bit = bits; bit < addr_bits(result.addr.family); bit++)
		if (result.addr.octets[bit / 8] & 0x80 >> bit % 8)
			return -EINVAL;
	*net = result;
	return 0;
}

const char *addr_net_format(const struct addr_net *net, char *text)
{
	addr_format(&net->addr, text);
	if (net->prefix_length < addr_bits(net->addr.family)) {
		size_t used = strlen(text);

		snprintf(text + used, ADDR_NET_TEXT_MAX - used, "/%u", net->prefix_length);
	}
	return text;
}

bool addr_net_contains(const struct addr_net *net, const struct addr *addr)
{
	return net->addr.family == addr->family && addr_prefix_equal(net->addr.octets, addr->octets, net->prefix_length);
}

bool addr_net_covers(const struct addr_net *outer, const struct addr_net *inner)
{
	return outer->prefix_length <= inner->prefix_length && addr_net_contains(outer, &inner->addr);
}

/* Splits an endpoint's text: where its address ends, and where its port begins (NULL when there is none). */
static int addr_endpoint_split(const char **text, size_t *length, const char **port, size_t *port_length)
{
	const char *end = *text + *length;
	const char *first = memchr(*text, ':', *length);
	const char *hash = memchr(*text, '#', *length);
	const char *mark = NULL;

	if (*length > 0 && **text == '[') {
		const char *bracket = memchr(*text, ']', *length);

		if (!bracket || !first || first > bracket || (bracket + 1 < end && bracket[1] != ':'))
			return -EINVAL;
		mark = bracket + 1 < end ? bracket + 1 : NULL;
		(*text)++;
		*length = (size_t)(bracket - *text);
	} else {
		if (hash)
			mark = hash;
		else if (first && !memchr(first + 1, ':', (size_t)(end - first - 1)))
			mark = first;
		if (mark)
			*length = (size_t)(mark - *text);
	}
	*port = mark ? mark + 1 : NULL;
	*port_length = mark ? (size_t)(end - mark - 1) : 0;
	return 0;
}

int addr_endpoint_parse(struct addr_endpoint *endpoint, const char *text, size_t length, uint16_t default_port)
{
	struct addr_endpoint result = {0};
	const char *port_text;
	size_t port_length;
	unsigned port = default_port;

	if (addr_endpoint_split(&text, &length, &port_text, &port_length) || addr_parse(&result.addr, text, length))
		return -EINVAL;
	if (port_text && (addr_number_parse(&port, port_text, port_length, UINT16_MAX) || port == 0))
		return -EINVAL;
	result.port = (uint16_t)port;
	*endpoint = result;
	return 0;
}

bool addr_endpoint_equal(const struct addr_endpoint *a, const struct addr_endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

const char *addr_endpoint_format(const struct addr_endpoint *endpoint, char *text)
{
	char addr[ADDR_TEXT_MAX];

	addr_format(&endpoint->addr, addr);
	snprintf(text, ADDR_ENDPOINT_TEXT_MAX, endpoint->addr.family == ADDR_V4 ? "%s:%u" : "[%s]:%u", addr, endpoint->port);
	return text;
}

/* The special ranges, the first that fits decides. Sources: the IANA registries of special-purpose addresses (RFC 6890),
 * RFC 3879 (fec0), RFC 4291 (multicast), RFC 6598, RFC 9602 (5f00). The documentation ranges are left out on purpose. */
struct addr_range {
	uint8_t octets[16];
	uint8_t prefix_length;
	uint8_t scope; /* enum addr_scope */
};

static const struct addr_range addr_ranges_v4[] = {
	{{0}, 8, ADDR_UNSPECIFIED},
	{{10}, 8, ADDR_PRIVATE},
	{{100, 64}, 10, ADDR_SHARED},
	{{127}, 8, ADDR_LOOPBACK},
	{{169, 254}, 16, ADDR_LINK_LOCAL},
	{{172, 16}, 12, ADDR_PRIVATE},
	{{192, 0, 0}, 24, ADDR_RESERVED},   /* protocol assignments */
	{{192, 88, 99}, 24, ADDR_RESERVED}, /* 6to4 relays, withdrawn */
	{{192, 168}, 16, ADDR_PRIVATE},
	{{198, 18}, 15, ADDR_RESERVED}, /* benchmarks */
	{{224}, 4, ADDR_MULTICAST},
	{{240}, 4, ADDR_RESERVED},
};

static const struct addr_range addr_ranges_v6[] = {
	{{[15] = 0}, 128, ADDR_UNSPECIFIED},
	{{[15] = 1}, 128, ADDR_LOOPBACK},
	{{0xfc}, 7, ADDR_PRIVATE},
	{{0xfe, 0x80}, 10, ADDR_LINK_LOCAL},
	{{0xfe, 0xc0}, 10, ADDR_PRIVATE},
	{{0xff}, 8, ADDR_MULTICAST},
	{{0x00, 0x64, 0xff, 0x9b}, 96, ADDR_GLOBAL}, /* NAT64: decided by the address in it */
	{{0x20, 0x01, 0, 0}, 32, ADDR_GLOBAL},       /* Teredo: likewise */
	{{0x20, 0x01, 0}, 23, ADDR_RESERVED},        /* protocol assignments: benchmarks, ORCHID, ... */
	{{0x20}, 3, ADDR_GLOBAL},                    /* 2000::/3, all that was ever given to hosts */
	{{0}, 0, ADDR_RESERVED},
};

static enum addr_scope addr_range_scope(const struct addr_range *ranges, size_t count, const uint8_t *octets)
{
	for (size_t i = 0; i < count; i++)
		if (addr_prefix_equal(ranges[i].octets, octets, ranges[i].prefix_length))
			return (enum addr_scope)ranges[i].scope;
	return ADDR_GLOBAL;
}

static enum addr_scope addr_scope_v4(const uint8_t *octets)
{
	return addr_range_scope(addr_ranges_v4, sizeof(addr_ranges_v4) / sizeof(addr_ranges_v4[0]), octets);
}

/* Where v6 addresses carry v4 ones. */
static const struct {
	uint8_t octets[16];
	uint8_t prefix_length;
	uint8_t at;       /* first octet of the v4 address */
	uint8_t inverted; /* xor of its octets */
} addr_carriers[] = {
	{{[10] = 0xff, 0xff}, 96, 12, 0},            /* mapped */
	{{[8] = 0xff, 0xff}, 96, 12, 0},             /* translated, RFC 2765 */
	{{0}, 96, 12, 0},                            /* compatible */
	{{0x00, 0x64, 0xff, 0x9b}, 96, 12, 0},       /* NAT64, RFC 6052 */
	{{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48, 12, 0}, /* NAT64 for local use, RFC 8215 */
	{{0x20, 0x02}, 16, 2, 0},                    /* 6to4, RFC 3056 */
	{{0x20, 0x01, 0, 0}, 32, 12, 0xff},          /* Teredo, RFC 4380 */
};

static enum addr_scope addr_carried_scope(const uint8_t *octets, unsigned at, uint8_t inverted)
{
	uint8_t v4[4];

	for (unsigned i = 0; i < 4; i++)
		v4[i] = octets[at + i] ^ inverted;
	return addr_scope_v4(v4);
}

/* ISATAP (RFC 5214): below any prefix, an interface identifier of [02]00:5efe and a v4 address. */
static bool addr_is_isatap(const uint8_t *octets)
{
	return (octets[8] & ~0x02) == 0 && octets[9] == 0 && octets[10] == 0x5e && octets[11] == 0xfe;
}

static enum addr_scope addr_scope_v6(const uint8_t *octets)
{
	enum addr_scope own = addr_range_scope(addr_ranges_v6, sizeof(addr_ranges_v6) / sizeof(addr_ranges_v6[0]), octets);
	enum addr_scope carried = ADDR_GLOBAL;

	/* What is named in the table keeps its name; ADDR_RESERVED may only mean "nothing that we know". */
	if (own != ADDR_GLOBAL && own != ADDR_RESERVED)
		return own;
	for (size_t i = 0; i < sizeof(addr_carriers) / sizeof(addr_carriers[0]); i++)
		if (addr_prefix_equal(addr_carriers[i].octets, octets, addr_carriers[i].prefix_length)) {
			carried = addr_carried_scope(octets, addr_carriers[i].at, addr_carriers[i].inverted);
			break;
		}
	if (carried == ADDR_GLOBAL && addr_is_isatap(octets))
		carried = addr_carried_scope(octets, 12, 0);
	return carried != ADDR_GLOBAL ? carried : own;
}

enum addr_scope addr_scope(const struct addr *addr)
{
	return addr->family == ADDR_V4 ? addr_scope_v4(addr->octets) : addr_scope_v6(addr->octets);
}

const char *addr_scope_name(enum addr_scope scope)
{
	static const char *const names[] = {
		[ADDR_GLOBAL] = "global",
		[ADDR_UNSPECIFIED] = "unspecified",
		[ADDR_LOOPBACK] = "loopback",
		[ADDR_PRIVATE] = "private",
		[ADDR_LINK_LOCAL] = "link-local",
		[ADDR_SHARED] = "shared",
		[ADDR_MULTICAST] = "multicast",
		[ADDR_RESERVED] = "reserved",
	};

	return names[scope];
}
