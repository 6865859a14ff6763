/* dns/reply.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../support/wire.h"
#include "dns/answer.h"
#include "dns/reply.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WWW "www.example.com."

/* A client's question, parsed from its message. */
static int asked(struct question *question, const char *name, unsigned flags, bool edns, unsigned size, unsigned opt_flags)
{
	struct wire wire;

	wire_start(&wire, 0x4321, flags);
	wire_question(&wire, name, TYPE_A);
	if (edns)
		wire_opt(&wire, size, 0, opt_flags, "", 0);
	return question_parse(wire.octets, wire.length, question);
}

static ldns_pkt *read_back(const uint8_t *wire, size_t length)
{
	ldns_pkt *packet = NULL;

	assert_int_equal(ldns_wire2pkt(&packet, wire, length), LDNS_STATUS_OK);
	assert_true(ldns_pkt_qr(packet) && ldns_pkt_ra(packet));
	return packet;
}

static void an_error_repeats_the_question_as_it_was_spelled(void **state)
{
	static const uint8_t expected[] = "\x43\x21\x81\x83\0\1\0\0\0\0\0\0\3wWw\7Example\3com\0\0\1\0\1";
	uint8_t out[MESSAGE_UDP_PLAIN + REPLY_EDE_TEXT_MAX];
	struct question question;

	(void)state;
	assert_int_equal(asked(&question, "wWw.Example.com.", MESSAGE_RD, false, 0, 0), 0);
	assert_int_equal(reply_error(&question, RCODE_NXDOMAIN, EDE_BLOCKED, "not sent without EDNS", out), sizeof(expected) - 1);
	assert_memory_equal(out, expected, sizeof(expected) - 1);
}

static void an_error_without_a_question_is_a_header(void **state)
{
	uint8_t out[MESSAGE_UDP_PLAIN + REPLY_EDE_TEXT_MAX];
	struct question question;
	struct wire wire;

	(void)state;
	wire_start(&wire, 0x4321, 5 << 11 | MESSAGE_RD);
	assert_int_equal(question_parse(wire.octets, wire.length, &question), RCODE_NOTIMP);
	assert_int_equal(reply_error(&question, RCODE_NOTIMP, EDE_NONE, NULL, out), MESSAGE_HEADER);
	assert_memory_equal(out, "\x43\x21\xa9\x84\0\0\0\0\0\0\0\0", MESSAGE_HEADER);
}

static void ede_tells_an_edns_client_why(void **state)
{
	static const char longest[] = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
				      "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
	static const struct {
		int rcode, ede;
		const char *text;
		size_t text_length;
	} cases[] = {
		{RCODE_NXDOMAIN, EDE_BLOCKED, "blocked by a shield", 19}, {RCODE_SERVFAIL, EDE_OTHER, NULL, 0},	 {RCODE_REFUSED, EDE_BLOCKED, "", 0},
		{RCODE_SERVFAIL, EDE_NETWORK_ERROR, longest, 200},	   {RCODE_FORMERR, EDE_NONE, "unused", 0}, {RCODE_BADVERS, EDE_NONE, NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t out[MESSAGE_UDP_PLAIN + REPLY_EDE_TEXT_MAX];
		struct question question;
		const uint8_t *options;
		ldns_pkt *packet;
		size_t length;

		assert_int_equal(asked(&question, WWW, 0, true, 1232, 0x8000), 0);
		length = reply_error(&question, cases[i].rcode, cases[i].ede, cases[i].text, out);
		packet = read_back(out, length);
		assert_true(ldns_pkt_edns(packet) && ldns_pkt_edns_do(packet));
		assert_int_equal(ldns_pkt_edns_udp_size(packet), MESSAGE_UDP_EDNS);
		assert_int_equal(ldns_pkt_edns_version(packet), 0);
		assert_int_equal(ldns_pkt_edns_extended_rcode(packet) << 4 | ldns_pkt_get_rcode(packet), cases[i].rcode);
		if (cases[i].ede == EDE_NONE) {
			assert_null(ldns_pkt_edns_data(packet));
		} else {
			assert_non_null(ldns_pkt_edns_data(packet));
			options = ldns_rdf_data(ldns_pkt_edns_data(packet));
			assert_int_equal(ldns_rdf_size(ldns_pkt_edns_data(packet)), 6 + cases[i].text_length);
			assert_int_equal(message_get16(options), 15);
			assert_int_equal(message_get16(options + 2), 2 + cases[i].text_length);
			assert_int_equal(message_get16(options + 4), cases[i].ede);
			if (cases[i].text_length)
				assert_memory_equal(options + 6, cases[i].text, cases[i].text_length);
		}
		ldns_pkt_free(packet);
	}
}

static void a_longer_text_is_cut_and_the_longest_error_fits(void **state)
{
	static char text[1000];
	uint8_t out[MESSAGE_UDP_PLAIN + REPLY_EDE_TEXT_MAX];
	struct question question;
	struct wire wire;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	wire_start(&wire, 1, 0);
	for (int i = 0; i < 127; i++)
		wire_add(&wire, "\1a", 2);
	wire_add(&wire, "\0\0\1\0\1", 5);
	wire_count(&wire, WIRE_QUESTION);
	wire_opt(&wire, 512, 0, 0, "", 0);
	assert_int_equal(question_parse(wire.octets, wire.length, &question), 0);
	assert_int_equal(reply_error(&question, RCODE_SERVFAIL, EDE_OTHER, text, out), MESSAGE_HEADER + 255 + 4 + 11 + 6 + REPLY_EDE_TEXT_MAX);
	assert_true(MESSAGE_HEADER + 255 + 4 + 11 + 6 + REPLY_EDE_TEXT_MAX <= MESSAGE_UDP_PLAIN);
}

/* An upstream's answer, and the source made from it. */
struct relay {
	struct wire wire;
	struct answer answer;
	uint16_t ttls[ANSWER_RECORDS_MAX];
	struct reply_source source;
};

static struct relay relay;

static void relay_make(const struct question *question, unsigned flags, const char *const *lines)
{
	const struct answer_filter filter = {0};

	wire_start(&relay.wire, 0x1234, MESSAGE_QR | MESSAGE_AA | flags);
	wire_question(&relay.wire, WWW, TYPE_A);
	for (; *lines; lines++)
		wire_line(&relay.wire, strstr(*lines, " SOA ") ? WIRE_AUTHORITY : WIRE_ANSWER, *lines);
	wire_opt(&relay.wire, 4096, 0, 0, "\0\12\0\10COOKIE!!", 12);
	assert_int_equal(answer_parse(relay.wire.octets, relay.wire.length, 0x1234, question, &filter, &relay.answer), 0);
	assert_true(relay.answer.clean);
	relay.source = (struct reply_source){
		.wire = relay.wire.octets,
		.length = relay.answer.end,
		.rcode = relay.answer.rcode,
		.answer_count = relay.answer.answer_count,
		.authority_count = relay.answer.authority_count,
		.authentic = relay.answer.authentic,
		.ttls = relay.ttls,
		.ttl_count = (size_t)relay.answer.answer_count + relay.answer.authority_count,
		.ttl_max_s = ANSWER_TTL_MAX_S,
	};
	for (size_t i = 0; i < relay.source.ttl_count; i++)
		relay.ttls[i] = relay.answer.records[i].ttl;
}

static void an_answer_is_relayed_with_the_clients_id_spelling_and_flags(void **state)
{
	static const char *const lines[] = {WWW " 300 IN CNAME a.example.net.", "a.example.net. 60 IN A 192.0.2.1", NULL};
	uint8_t out[MESSAGE_MAX];
	struct question question;
	ldns_pkt *packet;
	size_t length;

	(void)state;
	assert_int_equal(asked(&question, "WWW.eXample.com.", MESSAGE_RD | MESSAGE_CD, false, 0, 0), 0);
	relay_make(&question, MESSAGE_RD, lines);
	length = reply_answer(&question, &relay.source, EDE_NONE, NULL, 512, out);
	packet = read_back(out, length);
	assert_int_equal(ldns_pkt_id(packet), 0x4321);
	assert_true(ldns_pkt_rd(packet) && ldns_pkt_cd(packet));
	assert_false(ldns_pkt_aa(packet) || ldns_pkt_tc(packet) || ldns_pkt_ad(packet) || ldns_pkt_edns(packet));
	assert_int_equal(ldns_pkt_ancount(packet), 2);
	assert_int_equal(ldns_pkt_nscount(packet), 0);
	assert_int_equal(ldns_pkt_arcount(packet), 0);
	assert_memory_equal(out + MESSAGE_HEADER, "\3WWW\7eXample\3com", 17);
	assert_int_equal(length, relay.answer.end);
	ldns_pkt_free(packet);
}

/* RFC 6840 section 5.7 and 5.8. */
static void ad_is_for_who_asked_for_it(void **state)
{
	static const char *const lines[] = {WWW " 300 IN A 192.0.2.1", NULL};
	static const struct {
		bool authentic;
		unsigned flags, opt_flags;
		bool expected;
	} cases[] = {
		{true, 0, 0, false}, {true, MESSAGE_AD, 0, true}, {true, 0, 0x8000, true}, {false, MESSAGE_AD, 0x8000, false}, {false, 0, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t out[MESSAGE_MAX];
		struct question question;
		ldns_pkt *packet;

		assert_int_equal(asked(&question, WWW, cases[i].flags, true, 1232, cases[i].opt_flags), 0);
		relay_make(&question, cases[i].authentic ? MESSAGE_AD : 0, lines);
		packet = read_back(out, reply_answer(&question, &relay.source, EDE_NONE, NULL, 1232, out));
		assert_int_equal(ldns_pkt_ad(packet), cases[i].expected);
		assert_int_equal(ldns_pkt_edns_do(packet), cases[i].opt_flags != 0);
		assert_null(ldns_pkt_edns_data(packet)); /* nothing of the upstream's OPT */
		ldns_pkt_free(packet);
	}
}

static void ttls_are_capped_then_taken_down(void **state)
{
	static const struct {
		uint32_t ttl_s, age_s, expected_s;
	} cases[] = {
		{300, 0, 300}, {300, 7, 293}, {300, 299, 1}, {300, 300, 0}, {300, 301, 0}, {300, 0xffffffff, 0}, {0, 0, 0}, {86400, 0, 86400},
		{86401, 0, 86400}, {0x7fffffff, 10, 86390}, {0x80000000, 0, 0}, {0x8000012c, 1, 0}, {0xffffffff, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		static const char *const lines[] = {WWW " 300 IN A 192.0.2.1", WWW " 600 IN A 192.0.2.2", NULL};
		uint8_t out[MESSAGE_MAX];
		struct question question;

		assert_int_equal(asked(&question, WWW, 0, false, 0, 0), 0);
		relay_make(&question, 0, lines);
		message_put32(relay.wire.octets + relay.ttls[0], cases[i].ttl_s);
		relay.source.age_s = cases[i].age_s;
		reply_answer(&question, &relay.source, EDE_NONE, NULL, 512, out);
		assert_int_equal(message_get32(out + relay.ttls[0]), cases[i].expected_s);
		assert_int_equal(message_get32(out + relay.ttls[1]), cases[i].age_s < 600 ? 600 - cases[i].age_s : 0);
		assert_int_equal(message_get32(relay.wire.octets + relay.ttls[0]), cases[i].ttl_s); /* the source stays as it is */
	}
}

static void a_negative_answer_takes_its_soa_along(void **state)
{
	static const char *const lines[] = {"example.com. 900 IN SOA ns.example.com. admin.example.com. 1 7200 3600 86400 60", NULL};
	uint8_t out[MESSAGE_MAX];
	struct question question;
	ldns_pkt *packet;

	(void)state;
	assert_int_equal(asked(&question, WWW, 0, true, 1232, 0), 0);
	relay_make(&question, RCODE_NXDOMAIN, lines);
	relay.source.age_s = 10;
	packet = read_back(out, reply_answer(&question, &relay.source, EDE_FILTERED, "filtered", 1232, out));
	assert_int_equal(ldns_pkt_get_rcode(packet), LDNS_RCODE_NXDOMAIN);
	assert_int_equal(ldns_pkt_nscount(packet), 1);
	assert_int_equal(ldns_rr_ttl(ldns_rr_list_rr(ldns_pkt_authority(packet), 0)), 890);
	assert_int_equal(ldns_rdf_size(ldns_pkt_edns_data(packet)), 6 + 8);
	ldns_pkt_free(packet);
}

static void expect_answers(const uint8_t *out, size_t length, bool edns, bool cut, unsigned answers)
{
	ldns_pkt *packet = read_back(out, length);

	assert_int_equal(ldns_pkt_tc(packet), cut);
	assert_int_equal(ldns_pkt_qdcount(packet), 1);
	assert_int_equal(ldns_pkt_ancount(packet), answers);
	assert_int_equal(ldns_pkt_edns(packet), edns);
	for (unsigned i = 0; i < answers; i++)
		assert_int_equal(ldns_rr_ttl(ldns_rr_list_rr(ldns_pkt_answer(packet), i)), 290);
	ldns_pkt_free(packet);
}

/* At the limit to the octet, with and without EDNS. Of what is longer the explanation goes first, then answers, each as a whole. */
static void an_answer_longer_than_the_client_takes_is_truncated(void **state)
{
	static const char *const lines[] = {WWW " 300 IN A 192.0.2.1", WWW " 300 IN A 192.0.2.2", NULL};
	const size_t record = strlen(WWW) + 1 + 14;
	static const struct {
		bool edns;
		int ede;
		const char *text;
		size_t opt, explanation; /* octets that are added */
	} cases[] = {
		{false, EDE_NONE, NULL, 0, 0}, {true, EDE_NONE, NULL, 11, 0}, {true, EDE_FILTERED, "why", 11, 6 + 3}, {false, EDE_FILTERED, "why", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t out[MESSAGE_MAX];
		struct question question;
		size_t full;

		assert_int_equal(asked(&question, WWW, 0, cases[i].edns, 1232, 0), 0);
		relay_make(&question, 0, lines);
		relay.source.age_s = 10;
		full = relay.source.length + cases[i].opt + cases[i].explanation;
		for (size_t limit = full; limit >= MESSAGE_UDP_PLAIN / 8; limit--) {
			size_t length = reply_answer(&question, &relay.source, cases[i].ede, cases[i].text, limit, out);
			size_t whole = full - cases[i].explanation;
			unsigned answers = limit >= whole ? 2 : limit >= whole - record ? 1 : 0;

			assert_int_equal(length, limit >= full ? full : whole - (2 - answers) * record);
			expect_answers(out, length, cases[i].edns, limit < whole, answers);
		}
	}
}

static void a_client_takes_what_it_says_within_bounds(void **state)
{
	static const struct {
		bool edns;
		unsigned size, limit;
	} cases[] = {
		{false, 0, 512}, {true, 0, 512}, {true, 511, 512}, {true, 512, 512}, {true, 600, 600}, {true, 1232, 1232}, {true, 1233, 1232}, {true, 65535, 1232},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question;

		assert_int_equal(asked(&question, WWW, 0, cases[i].edns, cases[i].size, 0), 0);
		assert_int_equal(reply_udp_limit(&question), cases[i].limit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_repeats_the_question_as_it_was_spelled),
		cmocka_unit_test(an_error_without_a_question_is_a_header),
		cmocka_unit_test(ede_tells_an_edns_client_why),
		cmocka_unit_test(a_longer_text_is_cut_and_the_longest_error_fits),
		cmocka_unit_test(an_answer_is_relayed_with_the_clients_id_spelling_and_flags),
		cmocka_unit_test(ad_is_for_who_asked_for_it),
		cmocka_unit_test(ttls_are_capped_then_taken_down),
		cmocka_unit_test(a_negative_answer_takes_its_soa_along),
		cmocka_unit_test(an_answer_longer_than_the_client_takes_is_truncated),
		cmocka_unit_test(a_client_takes_what_it_says_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
