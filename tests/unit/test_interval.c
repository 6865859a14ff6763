/* fw/interval.h: the elements of interval sets, as the kernel lists them, become networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fw/interval.h"

struct builder {
	uint8_t data[256];
	size_t length;
};

static void put(struct builder *builder, uint16_t type, const void *payload, size_t length)
{
	struct nlattr head = {.nla_type = type, .nla_len = (uint16_t)(sizeof(head) + length)};

	memcpy(builder->data + builder->length, &head, sizeof(head));
	memcpy(builder->data + builder->length + sizeof(head), payload, length);
	builder->length += NLMSG_ALIGN(sizeof(head) + length);
}

/* A key as in the kernel's listing: the address, and with a port also protocol and port. */
static void put_key(struct builder *builder, uint16_t type, const char *address, uint8_t protocol, uint16_t port)
{
	uint8_t key[24] = {0};
	struct builder value = {0};
	struct addr addr;
	size_t octets;

	assert_int_equal(addr_parse(&addr, address, strlen(address)), 0);
	octets = addr.family == ADDR_V4 ? 4 : 16;
	memcpy(key, addr.octets, octets);
	key[octets] = protocol;
	key[octets + 4] = (uint8_t)(port >> 8);
	key[octets + 5] = (uint8_t)port;
	put(&value, NFTA_DATA_VALUE, key, octets + (port ? 8 : 0));
	put(builder, type, value.data, value.length);
}

static void put_flags(struct builder *builder, uint32_t flags)
{
	flags = htobe32(flags);
	put(builder, NFTA_SET_ELEM_FLAGS, &flags, sizeof(flags));
}

static bool add(struct interval *interval, const struct builder *builder)
{
	return interval_add(interval, (struct netlink_span){builder->data, builder->length});
}

/* "+A" begins a range at A, "-A" ends one before A. Returns whether it was understood; text: the networks, each with a blank behind. */
static bool read_back(const char *const *ends, enum addr_family family, char *text)
{
	struct netset set = {0};
	struct interval interval = {.family = family, .set = &set};
	bool good = true;

	for (; *ends && good; ends++) {
		struct builder element = {0};

		put_key(&element, NFTA_SET_ELEM_KEY, *ends + 1, 0, 0);
		if (**ends == '-')
			put_flags(&element, NFT_SET_ELEM_INTERVAL_END);
		good = add(&interval, &element);
	}
	good = good && interval_finish(&interval);
	netset_normalize(&set);
	*text = '\0';
	for (size_t i = 0; good && i < set.count; i++) {
		char net[ADDR_NET_TEXT_MAX];

		strcat(strcat(text, addr_net_format(&set.entries[i].net, net)), " ");
	}
	interval_free(&interval);
	netset_free(&set);
	return good;
}

static void ends_become_networks_in_whatever_order_they_come(void **state)
{
	static const struct {
		enum addr_family family;
		const char *ends[8], *networks;
	} cases[] = {
		{ADDR_V4, {NULL}, ""},
		{ADDR_V4, {"-0.0.0.0", NULL}, ""},
		{ADDR_V4, {"+10.0.0.0", "-11.0.0.0", NULL}, "10.0.0.0/8 "},
		{ADDR_V4, {"-11.0.0.0", "-0.0.0.0", "+10.0.0.0", NULL}, "10.0.0.0/8 "},
		{ADDR_V4, {"+192.0.2.1", "-192.0.2.2", "+192.0.2.9", "-192.0.2.10", NULL}, "192.0.2.1 192.0.2.9 "},
		{ADDR_V4, {"+192.0.2.1", "-192.0.2.2", "+192.0.2.2", "-192.0.2.3", NULL}, "192.0.2.1 192.0.2.2 "},
		{ADDR_V4, {"+240.0.0.0", NULL}, "240.0.0.0/4 "},
		/* An end whose beginning has ended. */
		{ADDR_V4, {"-10.0.0.0", NULL}, ""},
		{ADDR_V4, {"+10.0.0.0", "-11.0.0.0", "-12.0.0.0", NULL}, "10.0.0.0/8 "},
		{ADDR_V4, {"-0.0.0.0", "-10.0.0.0", "+10.0.0.0", "-11.0.0.0", NULL}, "10.0.0.0/8 "},
		{ADDR_V4, {"+0.0.0.0", NULL}, "0.0.0.0/0 "},
		{ADDR_V4, {"+10.0.0.1", "-10.0.0.4", NULL}, "10.0.0.1 10.0.0.2/31 "},
		{ADDR_V6, {"-::", "+2001:db8::", "-2001:db9::", NULL}, "2001:db8::/32 "},
		{ADDR_V6, {"+fc00::", NULL}, "fc00::/6 "},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(read_back(cases[i].ends, cases[i].family, text));
		assert_string_equal(text, cases[i].networks);
	}
}

static void a_range_that_begins_within_another_is_refused(void **state)
{
	static const char *const cases[][5] = {
		{"+10.0.0.0", "+11.0.0.0", NULL},
		{"+10.0.0.0", "+11.0.0.0", "-12.0.0.0", NULL},
		{"+10.0.0.0", "+10.0.0.0", "-11.0.0.0", NULL},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (read_back(cases[i], ADDR_V4, text))
			fail_msg("case %zu: %s", i, text);
}

static void a_range_with_a_port_has_both_ends_in_one_element(void **state)
{
	struct netset set = {0};
	struct interval interval = {.family = ADDR_V6, .with_port = true, .set = &set};
	struct builder element = {0}, other_port = {0}, other_protocol = {0}, ended = {0};

	(void)state;
	put_key(&element, NFTA_SET_ELEM_KEY, "2001:db8::", RULE_UDP, 443);
	put_key(&element, NFTA_SET_ELEM_KEY_END, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", RULE_UDP, 443);
	assert_true(add(&interval, &element));
	put_key(&other_port, NFTA_SET_ELEM_KEY, "2001:db8::", RULE_UDP, 443);
	put_key(&other_port, NFTA_SET_ELEM_KEY_END, "2001:db8::1", RULE_UDP, 444);
	assert_false(add(&interval, &other_port));
	put_key(&other_protocol, NFTA_SET_ELEM_KEY, "2001:db8::", 132, 443);
	assert_false(add(&interval, &other_protocol));
	put_key(&ended, NFTA_SET_ELEM_KEY, "2001:db8::", RULE_TCP, 443);
	put_flags(&ended, NFT_SET_ELEM_INTERVAL_END);
	assert_false(add(&interval, &ended));
	assert_true(interval_finish(&interval));
	assert_int_equal(set.count, 1);
	assert_int_equal(set.entries[0].net.prefix_length, 32);
	assert_int_equal(set.entries[0].port, 443);
	assert_int_equal(set.entries[0].protocol, RULE_UDP);
	interval_free(&interval);
	netset_free(&set);
}

/* Whatever would make an element mean something else than a network that stays. */
static void what_no_shield_writes_is_refused(void **state)
{
	static const uint16_t types[] = {NFTA_SET_ELEM_TIMEOUT, NFTA_SET_ELEM_EXPIRATION, NFTA_SET_ELEM_EXPR, NFTA_SET_ELEM_DATA,
		NFTA_SET_ELEM_OBJREF, NFTA_SET_ELEM_EXPRESSIONS, NFTA_SET_ELEM_KEY_END, 99};
	struct netset set = {0};
	struct interval interval = {.family = ADDR_V4, .set = &set};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct builder element = {0};

		put_key(&element, NFTA_SET_ELEM_KEY, "192.0.2.1", 0, 0);
		put(&element, types[i], "\0\0\0\0\0\0\0\1", 8);
		if (add(&interval, &element))
			fail_msg("attribute %u", types[i]);
	}
	for (uint32_t flags = 2; flags < 8; flags++) {
		struct builder element = {0};

		put_key(&element, NFTA_SET_ELEM_KEY, "192.0.2.1", 0, 0);
		put_flags(&element, flags);
		assert_false(add(&interval, &element));
	}
	for (size_t length = 0; length < 4; length++) {
		struct builder element = {0}, value = {0};

		put(&value, NFTA_DATA_VALUE, "\1\2\3\4", length);
		put(&element, NFTA_SET_ELEM_KEY, value.data, value.length);
		assert_false(add(&interval, &element));
	}
	assert_false(interval_add(&interval, (struct netlink_span){NULL, 0}));
	assert_int_equal(interval.count, 0);
	interval_free(&interval);
}

static void put_u64(struct builder *builder, uint16_t type, uint64_t value)
{
	value = htobe64(value);
	put(builder, type, &value, sizeof(value));
}

/* As nft writes it, behind something else that nft puts there. */
static void put_comment(struct builder *builder, const char *comment)
{
	uint8_t udata[128] = {1, 4, 0, 0, 0, 1, 0, (uint8_t)(strlen(comment) + 1)};

	memcpy(udata + 8, comment, strlen(comment) + 1);
	put(builder, NFTA_SET_ELEM_USERDATA, udata, 8 + strlen(comment) + 1);
}

#define NOW_S 1767323045 /* 2026-01-02T03:04:05+00:00 */

static void an_element_with_an_end_says_when_and_for_how_long(void **state)
{
	static const struct {
		const char *comment;
		int64_t timeout_s, left_s; /* negative: there is none */
		bool good;
		int64_t until; /* what it is taken for, as seconds from now; 0: it is passed over, or stays */
	} cases[] = {
		{"until 2026-01-02T03:14:05+00:00", 600, 600, true, 600},
		{"until 2026-01-02T03:14:05+00:00", 600, 3, true, 600},
		{"until 2026-01-02T03:14:05+00:00", 700, 660, true, 600},
		{"until 2026-01-02T03:14:05+00:00", 700, 661, true, 661}, /* longer than it should */
		{"until 2026-01-02T03:04:05+00:00", 600, 60, true, 0},
		{"until 2026-01-02T03:04:05+00:00", 600, 61, true, 61},
		{"until 2026-01-02T03:14:05+00:00", -1, -1, false, 0},
		{"until 2026-01-02T03:14:05+00:00", 600, 601, false, 0},
		{"until 2026-01-02T03:14:05", 600, 600, false, 0},
		{"until 1970-01-01T00:00:00+00:00", 600, 600, false, 0},
		{"a comment", 600, 600, false, 0},
	};

	(void)state;
	clock_fake(1000, NOW_S);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
		struct netset set = {0};
		bool with_port = i % 2;
		struct interval interval = {.family = ADDR_V4, .with_port = with_port, .set = &set};
		struct builder element = {0}, end = {0};

		put_key(&element, NFTA_SET_ELEM_KEY, "192.0.2.0", RULE_TCP, with_port ? 443 : 0);
		put_comment(&element, cases[i / 2].comment);
		if (cases[i / 2].timeout_s >= 0) {
			put_u64(&element, NFTA_SET_ELEM_TIMEOUT, (uint64_t)cases[i / 2].timeout_s * 1000);
			put_u64(&element, NFTA_SET_ELEM_EXPIRATION, (uint64_t)cases[i / 2].left_s * 1000);
		}
		put_key(&end, NFTA_SET_ELEM_KEY, "192.0.2.1", 0, 0);
		put_flags(&end, NFT_SET_ELEM_INTERVAL_END);
		if (add(&interval, &element) != cases[i / 2].good)
			fail_msg("case %zu", i);
		if (!with_port)
			assert_true(add(&interval, &end));
		assert_true(interval_finish(&interval));
		assert_int_equal(set.count, cases[i / 2].until ? 1 : 0);
		if (set.count)
			assert_int_equal(set.entries[0].until, NOW_S + cases[i / 2].until);
		interval_free(&interval);
		netset_free(&set);
	}
	clock_fake(-1, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_become_networks_in_whatever_order_they_come),
		cmocka_unit_test(a_range_that_begins_within_another_is_refused),
		cmocka_unit_test(a_range_with_a_port_has_both_ends_in_one_element),
		cmocka_unit_test(what_no_shield_writes_is_refused),
		cmocka_unit_test(an_element_with_an_end_says_when_and_for_how_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
