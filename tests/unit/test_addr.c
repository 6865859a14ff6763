/* policy/addr.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "policy/addr.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(&addr, text, strlen(text)), 0);
	return addr;
}

static struct addr_net net_of(const char *text)
{
	struct addr_net net;

	assert_int_equal(addr_net_parse(&net, text, strlen(text)), 0);
	return net;
}

static void addresses_are_parsed_and_written_in_their_shortest_form(void **state)
{
	static const char *const cases[][2] = {
		{"192.0.2.1", "192.0.2.1"},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"::", "::"},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
		{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr addr = addr_of(cases[i][0]);
		char text[ADDR_TEXT_MAX];

		assert_string_equal(addr_format(&addr, text), cases[i][1]);
	}
}

static void other_spellings_of_addresses_are_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"10.1",
		"1.2.3",
		"1.2.3.4.5",
		"01.2.3.4",
		"1.2.3.256",
		"0x7f.0.0.1",
		"1.2.3.4 ",
		" 1.2.3.4",
		"fe80::1%eth0",
		":::",
		"1::2::3",
		"[::1]",
		"::1/128",
		"12345::",
		"::ffff:1.2.3.400",
		"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
	};
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(addr_parse(&addr, cases[i], strlen(cases[i])), -EINVAL);
	assert_int_equal(addr_parse(&addr, "1.2.3.4\0", 8), -EINVAL);
}

static void the_octets_behind_an_ipv4_address_are_zero(void **state)
{
	const uint8_t octets[16] = {192, 0, 2, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
	struct addr made = addr_v4(octets), parsed = addr_of("192.0.2.1"), v6 = addr_v6(octets);

	(void)state;
	assert_true(addr_equal(&made, &parsed));
	assert_false(addr_equal(&made, &v6));
	assert_memory_equal(v6.octets, octets, 16);
}

static void networks_are_parsed_and_written(void **state)
{
	static const char *const cases[][2] = {
		{"192.0.2.0/24", "192.0.2.0/24"},
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1/32", "192.0.2.1"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"2001:db8::1/128", "2001:db8::1"},
		{"128.0.0.0/1", "128.0.0.0/1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr_net net = net_of(cases[i][0]);
		char text[ADDR_NET_TEXT_MAX];

		assert_string_equal(addr_net_format(&net, text), cases[i][1]);
	}
}

static void networks_with_host_bits_or_a_bad_prefix_are_refused(void **state)
{
	static const char *const cases[] = {
		"10.0.0.1/8",
		"192.0.2.128/24",
		"192.0.2.1/31",
		"2001:db8::1/127",
		"2001:db8::1/64",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/08",
		"10.0.0.0/-1",
		"10.0.0.0/+8",
		"10.0.0.0/8/8",
		"::/129",
		"::/1000000",
		"/8",
		"10/8",
		"10.0.0.0/8 ",
	};
	struct addr_net net;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(addr_net_parse(&net, cases[i], strlen(cases[i])), -EINVAL);
}

static void a_network_contains_its_addresses_and_covers_narrower_ones(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool covers;
	} cases[] = {
		{"192.0.2.0/24", "192.0.2.255", true},
		{"192.0.2.0/24", "192.0.3.0", false},
		{"192.0.2.0/25", "192.0.2.128", false},
		{"192.0.2.0/24", "192.0.2.0/23", false},
		{"192.0.2.0/24", "192.0.2.0/24", true},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "1.2.3.4", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::", false},
		{"2001:db8::1", "2001:db8::1", true},
		{"2001:db8::1", "2001:db8::2", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr_net outer = net_of(cases[i].outer);
		struct addr_net inner = net_of(cases[i].inner);

		assert_int_equal(addr_net_covers(&outer, &inner), cases[i].covers);
		if (inner.prefix_length >= outer.prefix_length)
			assert_int_equal(addr_net_contains(&outer, &inner.addr), cases[i].covers);
	}
}

static void endpoints_are_parsed_in_every_spelling_and_written_in_one(void **state)
{
	static const char *const cases[][2] = {
		{"192.0.2.1", "192.0.2.1:53"},
		{"192.0.2.1:5353", "192.0.2.1:5353"},
		{"192.0.2.1#5353", "192.0.2.1:5353"},
		{"2001:db8::1", "[2001:db8::1]:53"},
		{"[2001:db8::1]:5353", "[2001:db8::1]:5353"},
		{"2001:db8::1#5353", "[2001:db8::1]:5353"},
		{"[2001:db8::1]", "[2001:db8::1]:53"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr_endpoint endpoint;
		char text[ADDR_ENDPOINT_TEXT_MAX];

		assert_int_equal(addr_endpoint_parse(&endpoint, cases[i][0], strlen(cases[i][0]), 53), 0);
		assert_string_equal(addr_endpoint_format(&endpoint, text), cases[i][1]);
	}
}

static void malformed_endpoints_are_refused(void **state)
{
	static const char *const cases[] = {
		"",
		"[",
		"[]",
		"[]:53",
		"[192.0.2.1]:53",
		"192.0.2.1:",
		"192.0.2.1:0",
		"192.0.2.1:65536",
		"192.0.2.1:053",
		"192.0.2.1:5x",
		"192.0.2.1#",
		"[2001:db8::1]53",
		"[2001:db8::1]:",
		"[2001:db8::1",
		"2001:db8::1]:53",
		"192.0.2.1:53#53",
		"example.com:53",
		":53",
		"#53",
	};
	struct addr_endpoint endpoint;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(addr_endpoint_parse(&endpoint, cases[i], strlen(cases[i]), 53), -EINVAL);
}

static void every_address_has_the_scope_of_what_it_reaches(void **state)
{
	static const struct {
		const char *text;
		enum addr_scope scope;
	} cases[] = {
		{"0.0.0.0", ADDR_UNSPECIFIED},
		{"0.1.2.3", ADDR_UNSPECIFIED},
		{"1.0.0.0", ADDR_GLOBAL},
		{"127.0.0.1", ADDR_LOOPBACK},
		{"127.255.255.255", ADDR_LOOPBACK},
		{"128.0.0.0", ADDR_GLOBAL},
		{"9.255.255.255", ADDR_GLOBAL},
		{"10.0.0.0", ADDR_PRIVATE},
		{"10.255.255.255", ADDR_PRIVATE},
		{"11.0.0.0", ADDR_GLOBAL},
		{"172.15.255.255", ADDR_GLOBAL},
		{"172.16.0.0", ADDR_PRIVATE},
		{"172.31.255.255", ADDR_PRIVATE},
		{"172.32.0.0", ADDR_GLOBAL},
		{"192.167.255.255", ADDR_GLOBAL},
		{"192.168.0.0", ADDR_PRIVATE},
		{"192.168.255.255", ADDR_PRIVATE},
		{"192.169.0.0", ADDR_GLOBAL},
		{"169.253.255.255", ADDR_GLOBAL},
		{"169.254.169.254", ADDR_LINK_LOCAL},
		{"169.255.0.0", ADDR_GLOBAL},
		{"100.63.255.255", ADDR_GLOBAL},
		{"100.64.0.0", ADDR_SHARED},
		{"100.127.255.255", ADDR_SHARED},
		{"100.128.0.0", ADDR_GLOBAL},
		{"223.255.255.255", ADDR_GLOBAL},
		{"224.0.0.1", ADDR_MULTICAST},
		{"239.255.255.255", ADDR_MULTICAST},
		{"240.0.0.0", ADDR_RESERVED},
		{"255.255.255.255", ADDR_RESERVED},
		{"192.0.0.8", ADDR_RESERVED},
		{"192.0.1.0", ADDR_GLOBAL},
		{"192.88.99.1", ADDR_RESERVED},
		{"198.17.255.255", ADDR_GLOBAL},
		{"198.18.0.0", ADDR_RESERVED},
		{"198.19.255.255", ADDR_RESERVED},
		{"198.20.0.0", ADDR_GLOBAL},
		{"192.0.2.1", ADDR_GLOBAL},
		{"198.51.100.10", ADDR_GLOBAL},
		{"203.0.113.20", ADDR_GLOBAL},

		{"::", ADDR_UNSPECIFIED},
		{"::1", ADDR_LOOPBACK},
		{"2606:4700::1111", ADDR_GLOBAL},
		{"2001:db8::1", ADDR_GLOBAL},
		{"fc00::", ADDR_PRIVATE},
		{"fdff::1", ADDR_PRIVATE},
		{"fe80::1", ADDR_LINK_LOCAL},
		{"febf::1", ADDR_LINK_LOCAL},
		{"fec0::1", ADDR_PRIVATE},
		{"feff::1", ADDR_PRIVATE},
		{"ff02::1", ADDR_MULTICAST},
		{"100::1", ADDR_RESERVED},
		{"2001:2::1", ADDR_RESERVED},
		{"2001:10::1", ADDR_RESERVED},
		{"2001:200::1", ADDR_GLOBAL},
		{"3fff::1", ADDR_GLOBAL},
		{"4000::1", ADDR_RESERVED},
		{"5f00::1", ADDR_RESERVED},
		{"1fff::1", ADDR_RESERVED},

		{"::ffff:127.0.0.1", ADDR_LOOPBACK},
		{"::ffff:10.0.0.1", ADDR_PRIVATE},
		{"::ffff:169.254.169.254", ADDR_LINK_LOCAL},
		{"::ffff:100.64.0.1", ADDR_SHARED},
		{"::ffff:0.0.0.0", ADDR_UNSPECIFIED},
		{"::ffff:224.0.0.1", ADDR_MULTICAST},
		{"::ffff:8.8.8.8", ADDR_RESERVED},
		{"::127.0.0.1", ADDR_LOOPBACK},
		{"::10.0.0.1", ADDR_PRIVATE},
		{"::8.8.8.8", ADDR_RESERVED},
		{"::2", ADDR_UNSPECIFIED},
		{"::ffff:0:10.0.0.1", ADDR_PRIVATE},
		{"::ffff:0:8.8.8.8", ADDR_RESERVED},
		{"64:ff9b::10.0.0.1", ADDR_PRIVATE},
		{"64:ff9b::169.254.169.254", ADDR_LINK_LOCAL},
		{"64:ff9b::8.8.8.8", ADDR_GLOBAL},
		{"64:ff9b:1::10.0.0.1", ADDR_PRIVATE},
		{"64:ff9b:1::8.8.8.8", ADDR_RESERVED},
		{"64:ff9b:1:7:8::8.8.8.8", ADDR_RESERVED},
		{"64:ff9b:2::8.8.8.8", ADDR_RESERVED},
		{"2002:a00:1::1", ADDR_PRIVATE},
		{"2002:7f00:1::", ADDR_LOOPBACK},
		{"2002:a9fe:a9fe::1", ADDR_LINK_LOCAL},
		{"2002:808:808::1", ADDR_GLOBAL},
		{"2001:0:808:808::f5ff:fffe", ADDR_PRIVATE},
		{"2001:0:808:808::80ff:fffe", ADDR_LOOPBACK},
		{"2001:0:808:808::5601:5601", ADDR_LINK_LOCAL},
		{"2001:0:808:808::f7f7:f7f7", ADDR_GLOBAL},
		{"2606:4700::5efe:10.0.0.1", ADDR_PRIVATE},
		{"2606:4700::200:5efe:127.0.0.1", ADDR_LOOPBACK},
		{"2606:4700::5efe:8.8.8.8", ADDR_GLOBAL},
		{"2606:4700::100:5efe:127.0.0.1", ADDR_GLOBAL},
		{"fe80::5efe:8.8.8.8", ADDR_LINK_LOCAL},
		{"2002:808:808:0:0:5efe:10.0.0.1", ADDR_PRIVATE},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr addr = addr_of(cases[i].text);

		if (addr_scope(&addr) != cases[i].scope)
			fail_msg("%s is %s", cases[i].text, addr_scope_name(addr_scope(&addr)));
	}
}

static void every_scope_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(addr_scope_name(ADDR_GLOBAL), "global");
	assert_string_equal(addr_scope_name(ADDR_UNSPECIFIED), "unspecified");
	assert_string_equal(addr_scope_name(ADDR_LOOPBACK), "loopback");
	assert_string_equal(addr_scope_name(ADDR_PRIVATE), "private");
	assert_string_equal(addr_scope_name(ADDR_LINK_LOCAL), "link-local");
	assert_string_equal(addr_scope_name(ADDR_SHARED), "shared");
	assert_string_equal(addr_scope_name(ADDR_MULTICAST), "multicast");
	assert_string_equal(addr_scope_name(ADDR_RESERVED), "reserved");
}

static void ipv4_addresses_are_written_as_inet_ntop_writes_them(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4 * 256; i++) {
		uint8_t octets[4] = {(uint8_t)(i * 7), (uint8_t)(i * 13 + 99), (uint8_t)(i * 29 + 9), (uint8_t)i};
		struct addr addr = addr_v4(octets);
		char text[ADDR_TEXT_MAX], wanted[ADDR_TEXT_MAX];

		assert_string_equal(addr_format(&addr, text), inet_ntop(AF_INET, octets, wanted, sizeof(wanted)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_parsed_and_written_in_their_shortest_form),
		cmocka_unit_test(ipv4_addresses_are_written_as_inet_ntop_writes_them),
		cmocka_unit_test(other_spellings_of_addresses_are_refused),
		cmocka_unit_test(the_octets_behind_an_ipv4_address_are_zero),
		cmocka_unit_test(networks_are_parsed_and_written),
		cmocka_unit_test(networks_with_host_bits_or_a_bad_prefix_are_refused),
		cmocka_unit_test(a_network_contains_its_addresses_and_covers_narrower_ones),
		cmocka_unit_test(endpoints_are_parsed_in_every_spelling_and_written_in_one),
		cmocka_unit_test(malformed_endpoints_are_refused),
		cmocka_unit_test(every_address_has_the_scope_of_what_it_reaches),
		cmocka_unit_test(every_scope_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
