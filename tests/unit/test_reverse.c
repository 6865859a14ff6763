/* dns/reverse.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../support/wire.h"
#include "dns/reverse.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ZEROS_8 "0.0.0.0.0.0.0.0."

static struct name name_of(const char *text)
{
	struct name name;

	assert_int_equal(name_from_text(&name, text, strlen(text)), 0);
	return name;
}

static void the_address_is_in_the_name(void **state)
{
	static const struct {
		const char *name, *address;
	} cases[] = {
		{"10.100.51.198.in-addr.arpa", "198.51.100.10"},
		{"0.0.0.0.IN-ADDR.ARPA", "0.0.0.0"},
		{"255.255.255.255.in-addr.arpa", "255.255.255.255"},
		{"1.0.0.0.0.0.0.0." ZEROS_8 "f.e.D.C.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "2001:db8:0:cdef::1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct name name = name_of(cases[i].name);
		char text[ADDR_TEXT_MAX];
		struct addr addr;

		assert_true(reverse_parse(&name, &addr));
		assert_string_equal(addr_format(&addr, text), cases[i].address);
	}
}

static void what_names_no_whole_address_is_none(void **state)
{
	static const char *const names[] = {
		".", "in-addr.arpa", "51.198.in-addr.arpa", "1.10.100.51.198.in-addr.arpa", "256.100.51.198.in-addr.arpa", "010.100.51.198.in-addr.arpa",
		"00.100.51.198.in-addr.arpa", "1000.100.51.198.in-addr.arpa", "a.100.51.198.in-addr.arpa", "-1.100.51.198.in-addr.arpa", "10.100.51.198.in-addr.arpa.test",
		"10.100.51.198.in-addr", "10.100.51.198", "10.100.51.198.ip6.arpa", "ip6.arpa", ZEROS_8 ZEROS_8 ZEROS_8 "0.0.0.0.0.0.0.ip6.arpa",
		ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 "0.ip6.arpa", "g." ZEROS_8 ZEROS_8 ZEROS_8 "0.0.0.0.0.0.0.ip6.arpa", "00." ZEROS_8 ZEROS_8 ZEROS_8 "0.0.0.0.0.0.ip6.arpa",
		ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 "in-addr.arpa",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct name name = name_of(names[i]);
		struct addr addr;

		if (reverse_parse(&name, &addr))
			fail_msg("%s is taken for an address", names[i]);
	}
}

/* With as many names of 255 octets as there may be. */
static void ldns_reads_what_is_written(void **state)
{
	static uint8_t out[REVERSE_ANSWER_MAX];
	struct question question = {.name = name_of("10.100.51.198.in-addr.arpa"), .type = TYPE_PTR};
	struct name names[REVERSE_NAMES_MAX];
	uint16_t ttls[REVERSE_NAMES_MAX];
	ldns_pkt *packet = NULL;
	size_t length;

	(void)state;
	for (size_t i = 0; i < REVERSE_NAMES_MAX; i++) {
		names[i].length = NAME_WIRE_MAX;
		memset(names[i].wire, 'a' + (int)i, NAME_WIRE_MAX);
		names[i].wire[0] = names[i].wire[64] = names[i].wire[128] = 63;
		names[i].wire[192] = 61;
		names[i].wire[254] = 0;
	}
	length = reverse_write(&question, names, REVERSE_NAMES_MAX, 77, ttls, out);
	assert_true(length <= sizeof(out));
	message_put16(out + 4, 1);
	message_put16(out + 6, REVERSE_NAMES_MAX);
	assert_int_equal(ldns_wire2pkt(&packet, out, length), LDNS_STATUS_OK);
	assert_int_equal(ldns_pkt_ancount(packet), REVERSE_NAMES_MAX);
	for (size_t i = 0; i < REVERSE_NAMES_MAX; i++) {
		const ldns_rr *record = ldns_rr_list_rr(ldns_pkt_answer(packet), i);

		assert_int_equal(ldns_rr_get_type(record), LDNS_RR_TYPE_PTR);
		assert_int_equal(ldns_rr_ttl(record), 77);
		assert_int_equal(message_get32(out + ttls[i]), 77);
		assert_memory_equal(ldns_rdf_data(ldns_rr_owner(record)), question.name.wire, question.name.length);
		assert_memory_equal(ldns_rdf_data(ldns_rr_rdf(record, 0)), names[i].wire, NAME_WIRE_MAX);
	}
	ldns_pkt_free(packet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_address_is_in_the_name),
		cmocka_unit_test(what_names_no_whole_address_is_none),
		cmocka_unit_test(ldns_reads_what_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
