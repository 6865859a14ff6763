/* policy/netset.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "policy/netset.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Adds the networks of a text, one a word; "@5" behind one: it ends at 5. */
static void netset_add_words(struct netset *set, const char *words)
{
	while (*words) {
		size_t length = strcspn(words, " ");
		struct error error = {0};
		struct rule rule;

		size_t end = strcspn(words, "@ ");

		if (rule_parse(&rule, words, end, &error))
			fail_msg("%s", error.text);
		rule.until = words[end] == '@' ? words[end + 1] - '0' : 0;
		assert_int_equal(netset_add(set, &rule), 0);
		words += length;
		words += strspn(words, " ");
	}
}

static void netset_write(const struct netset *set, struct text *text)
{
	text_add(text, "");
	for (size_t i = 0; i < set->count; i++) {
		const struct netset_entry *entry = &set->entries[i];
		const struct rule rule = {.kind = RULE_NET, .net = entry->net, .port = entry->port, .protocol = entry->protocol};

		text_add(text, i > 0 ? " " : "");
		rule_format(&rule, text);
		if (entry->until)
			text_addf(text, "@%d", (int)entry->until);
	}
}

static void a_set_becomes_disjoint_sorted_and_joined(void **state)
{
	static const char *const cases[][2] = {
		{"", ""},
		{"192.0.2.1 192.0.2.1", "192.0.2.1"},
		{"192.0.2.1 192.0.2.0/24 192.0.2.128/25", "192.0.2.0/24"},
		{"192.0.2.128/25 192.0.2.0/25", "192.0.2.0/24"},
		{"192.0.2.0 192.0.2.1 192.0.2.2 192.0.2.3", "192.0.2.0/30"},
		{"192.0.2.1 192.0.2.2", "192.0.2.1 192.0.2.2"},
		{"192.0.2.0/26 192.0.2.64/26 192.0.2.128/25 192.0.2.200 192.0.3.0/24", "192.0.2.0/23"},
		{"203.0.113.1 10.0.0.0/8 2001:db8::1 10.1.2.3", "10.0.0.0/8 203.0.113.1 2001:db8::1"},
		{"2001:db8::/33 2001:db8:8000::/33 2001:db8::5", "2001:db8::/32"},
		/* The halves of everything stay two. */
		{"0.0.0.0/1 128.0.0.0/1", "0.0.0.0/1 128.0.0.0/1"},
		{"::/2 4000::/2 8000::/1", "::/1 8000::/1"},
		/* What ends is cut by what does not, or later. */
		{"192.0.2.1@5", "192.0.2.1@5"},
		{"192.0.2.1@5 192.0.2.1@7", "192.0.2.1@7"},
		{"192.0.2.1@5 192.0.2.1", "192.0.2.1"},
		{"192.0.2.1@5 192.0.2.0/24", "192.0.2.0/24"},
		{"192.0.2.0/30@5 192.0.2.1", "192.0.2.0@5 192.0.2.1 192.0.2.2/31@5"},
		{"192.0.2.0/30@5 192.0.2.1@7", "192.0.2.0@5 192.0.2.1@7 192.0.2.2/31@5"},
		{"192.0.2.0/30@7 192.0.2.1@5", "192.0.2.0/30@7"},
		{"192.0.2.0/31@5 192.0.2.2/31@5", "192.0.2.0/30@5"},
		{"192.0.2.0/31@5 192.0.2.2/31@6", "192.0.2.0/31@5 192.0.2.2/31@6"},
		{"192.0.2.0/31@5 192.0.2.2/31", "192.0.2.0/31@5 192.0.2.2/31"},
		{"0.0.0.0/1@5 128.0.0.0/1@5", "0.0.0.0/1@5 128.0.0.0/1@5"},
		{"192.0.2.1:443/tcp 192.0.2.1@5", "192.0.2.1@5 192.0.2.1:443/tcp"},
		{"192.0.2.1:443/tcp@5 192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:443/tcp@5 192.0.2.1@7", "192.0.2.1@7"},
		{"192.0.2.1:443/tcp@7 192.0.2.1@5", "192.0.2.1@5 192.0.2.1:443/tcp@7"},
		{"192.0.2.0/31:443/tcp@5 192.0.2.1", "192.0.2.1 192.0.2.0:443/tcp@5"},
		{"2001:db8::/127@5 2001:db8::1", "2001:db8::@5 2001:db8::1"},
		/* Ports. */
		{"192.0.2.1:443", "192.0.2.1:443/tcp 192.0.2.1:443/udp"},
		{"192.0.2.1:443 192.0.2.1:443/tcp", "192.0.2.1:443/tcp 192.0.2.1:443/udp"},
		{"192.0.2.1:443 192.0.2.0/24", "192.0.2.0/24"},
		{"192.0.2.0/24:443/tcp 192.0.2.1", "192.0.2.1 192.0.2.0/24:443/tcp"},
		{"192.0.2.0/25:443/tcp 192.0.2.128/25:443/udp", "192.0.2.0/25:443/tcp 192.0.2.128/25:443/udp"},
		{"192.0.2.0/25:443/tcp 192.0.2.128/25:443/tcp", "192.0.2.0/24:443/tcp"},
		{"192.0.2.0/25:443/tcp 192.0.2.128/25:444/tcp", "192.0.2.0/25:443/tcp 192.0.2.128/25:444/tcp"},
		/* Covered only by what two others came to. */
		{"192.0.2.0/24:443/tcp 192.0.2.0/25 192.0.2.128/25", "192.0.2.0/24"},
		/* Each family has its own networks for any port. */
		{"10.0.0.0/8 [2001:db8::1]:22/tcp 10.0.0.1:22/tcp 2001:db8:1::/48 [2001:db8:1::1]:22/tcp",
			"10.0.0.0/8 2001:db8:1::/48 [2001:db8::1]:22/tcp"},
		{"10.0.0.0/8 [2001:db8::1]:22/tcp", "10.0.0.0/8 [2001:db8::1]:22/tcp"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_text struct text text = {0};
		struct netset set = {0};

		netset_add_words(&set, cases[i][0]);
		netset_normalize(&set);
		netset_write(&set, &text);
		assert_string_equal(text.data, cases[i][1]);
		netset_normalize(&set);
		text_free(&text);
		netset_write(&set, &text);
		assert_string_equal(text.data, cases[i][1]);
		netset_free(&set);
		assert_int_equal(set.count, 0);
	}
}

static void an_address_is_found_whatever_the_port_of_its_network(void **state)
{
	static const struct {
		const char *addr;
		bool contained;
	} cases[] = {
		{"10.0.0.0", true},
		{"10.255.255.255", true},
		{"11.0.0.0", false},
		{"9.255.255.255", false},
		{"192.0.2.1", true},
		{"192.0.2.2", false},
		{"203.0.113.129", true},
		{"203.0.113.1", false},
		{"2001:db8::1", true},
		{"2001:db8:1::", false},
		{"::ffff:10.0.0.0", false},
		{"198.51.100.3", true},
	};
	struct netset set = {0};

	(void)state;
	netset_add_words(&set,
		"10.0.0.0/8 192.0.2.1:443 203.0.113.128/25:22/tcp 2001:db8::/48 198.51.100.0/30 198.51.100.64/26:1/udp 198.51.100.0:2");
	netset_normalize(&set);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr addr;

		assert_int_equal(addr_parse(&addr, cases[i].addr, strlen(cases[i].addr)), 0);
		if (netset_contains(&set, &addr) != cases[i].contained)
			fail_msg("%s", cases[i].addr);
	}
	netset_free(&set);
}

/* Random networks of a small space, and every address of it: before and after the normalizing the same addresses are in the set. */
static void normalizing_changes_no_address(void **state)
{
	uint32_t random = 12345;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct netset set = {0};
		bool expected[256] = {0};

		for (int i = 0; i < 12; i++) {
			struct rule rule = {.kind = RULE_NET, .net = {{ADDR_V4, {10, 0, 0, 0}}, 0}};
			unsigned prefix_length, first, size;

			random = random * 1664525u + 1013904223u;
			prefix_length = 26 + (random >> 8) % 7;
			size = 1u << (32 - prefix_length);
			first = (random >> 16) % 256 / size * size;
			rule.net.prefix_length = (uint8_t)prefix_length;
			rule.net.addr.octets[3] = (uint8_t)first;
			if ((random >> 28) % 3 == 0)
				rule.port = 443;
			assert_int_equal(netset_add(&set, &rule), 0);
			memset(expected + first, true, size);
		}
		netset_normalize(&set);
		for (unsigned last = 0; last < 256; last++) {
			struct addr addr = addr_v4((uint8_t[]){10, 0, 0, (uint8_t)last});

			assert_int_equal(netset_contains(&set, &addr), expected[last]);
		}
		for (size_t a = 0; a < set.count; a++)
			for (size_t b = 0; b < set.count; b++)
				if (a != b && (set.entries[a].port == 0 || (set.entries[a].port == set.entries[b].port &&
										   set.entries[a].protocol == set.entries[b].protocol)))
					assert_false(addr_net_covers(&set.entries[a].net, &set.entries[b].net));
		netset_free(&set);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_becomes_disjoint_sorted_and_joined),
		cmocka_unit_test(an_address_is_found_whatever_the_port_of_its_network),
		cmocka_unit_test(normalizing_changes_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
