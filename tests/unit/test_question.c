/* dns/question.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../support/wire.h"
#include "dns/question.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID 0x1234

/* A plain question for www.example.com A with RD. */
static void plain(struct wire *wire)
{
	wire_start(wire, ID, MESSAGE_RD);
	wire_question(wire, "wWw.Example.com.", TYPE_A);
}

static int parse(const struct wire *wire, struct question *question)
{
	uint8_t *exact = wire_exact(wire);
	int result = question_parse(exact, wire->length, question);

	free(exact);
	return result;
}

static void a_plain_question_is_read(void **state)
{
	struct question question;
	struct wire wire;
	struct name name;

	(void)state;
	plain(&wire);
	assert_int_equal(parse(&wire, &question), RCODE_NOERROR);
	assert_int_equal(name_from_text(&name, "www.example.com", 15), 0);
	assert_true(question.has_name && name_equal(&question.name, &name));
	assert_memory_equal(question.asked, "\3wWw\7Example\3com", 17);
	assert_int_equal(question.id, ID);
	assert_int_equal(question.type, TYPE_A);
	assert_int_equal(question.class, MESSAGE_CLASS_IN);
	assert_int_equal(question.udp_size, MESSAGE_UDP_PLAIN);
	assert_true(question.recursion);
	assert_false(question.edns || question.checking_disabled || question.authentic_data || question.dnssec_ok);
}

static void flags_and_edns_are_read(void **state)
{
	static const struct {
		unsigned flags, size, opt_flags;
		bool edns;
		bool recursion, checking_disabled, authentic_data, dnssec_ok;
		unsigned udp_size;
	} cases[] = {
		{0, 0, 0, false, false, false, false, false, 512},
		{MESSAGE_CD, 0, 0, false, false, true, false, false, 512},
		{MESSAGE_AD | MESSAGE_RD, 0, 0, false, true, false, true, false, 512},
		{MESSAGE_RD, 1232, 0, true, true, false, false, false, 1232},
		{MESSAGE_RD, 65535, 0x8000, true, true, false, false, true, 65535},
		{MESSAGE_RD, 0, 0x7fff, true, true, false, false, false, 512},
		{MESSAGE_RD, 511, 0xffff, true, true, false, false, true, 512},
		/* what has no meaning in a query is passed over: AA, TC, RA, Z and an rcode */
		{0x0400 | 0x0200 | 0x0080 | 0x0040 | 0x000f, 0, 0, false, false, false, false, false, 512},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question;
		struct wire wire;

		wire_start(&wire, ID, cases[i].flags);
		wire_question(&wire, "example.com.", TYPE_AAAA);
		if (cases[i].edns)
			wire_opt(&wire, cases[i].size, 0, cases[i].opt_flags, "\0\3\0\2ns", 6);
		assert_int_equal(parse(&wire, &question), RCODE_NOERROR);
		assert_int_equal(question.edns, cases[i].edns);
		assert_int_equal(question.recursion, cases[i].recursion);
		assert_int_equal(question.checking_disabled, cases[i].checking_disabled);
		assert_int_equal(question.authentic_data, cases[i].authentic_data);
		assert_int_equal(question.dnssec_ok, cases[i].dnssec_ok);
		assert_int_equal(question.udp_size, cases[i].udp_size);
	}
}

/* What else a message can be: each writes one, and the rcode that has to come of it. */

static void answer_to_an_answer(struct wire *wire)
{
	plain(wire);
	wire->octets[2] |= 0x80;
}

static void short_header(struct wire *wire)
{
	wire_start(wire, ID, MESSAGE_RD);
	wire->length--;
}

static void empty(struct wire *wire)
{
	wire->length = 0;
}

static void header_alone(struct wire *wire)
{
	wire_start(wire, ID, MESSAGE_RD);
}

static void count_without_question(struct wire *wire)
{
	wire_start(wire, ID, MESSAGE_RD);
	wire_count(wire, WIRE_QUESTION);
}

static void two_questions(struct wire *wire)
{
	plain(wire);
	wire_question(wire, "evil.example.", TYPE_A);
}

static void no_question_but_its_octets(struct wire *wire)
{
	plain(wire);
	wire->octets[5] = 0;
}

static void many_questions(struct wire *wire)
{
	plain(wire);
	wire->octets[4] = 1;
}

static void cut_type(struct wire *wire)
{
	plain(wire);
	wire->length -= 3;
}

static void pointer_as_name(struct wire *wire)
{
	wire_start(wire, ID, MESSAGE_RD);
	wire_add(wire, "\xc0\x0c\0\1\0\1", 6);
	wire_count(wire, WIRE_QUESTION);
}

static void pointer_into_the_header(struct wire *wire)
{
	wire_start(wire, 0, MESSAGE_RD); /* the id would be a root label */
	wire_add(wire, "\3www\xc0\x00\0\1\0\1", 10);
	wire_count(wire, WIRE_QUESTION);
}

static void long_name(struct wire *wire)
{
	wire_start(wire, ID, MESSAGE_RD);
	for (int i = 0; i < 128; i++)
		wire_add(wire, "\1a", 2);
	wire_add(wire, "\0\0\1\0\1", 5);
	wire_count(wire, WIRE_QUESTION);
}

static void long_label(struct wire *wire)
{
	wire_start(wire, ID, MESSAGE_RD);
	wire_add(wire, "\x40", 1);
	wire_add(wire, (const uint8_t[64]){1}, 64);
	wire_add(wire, "\0\0\1\0\1", 5);
	wire_count(wire, WIRE_QUESTION);
}

static void octets_behind(struct wire *wire)
{
	plain(wire);
	wire_add(wire, "x", 1);
}

static void octets_behind_opt(struct wire *wire)
{
	plain(wire);
	wire_opt(wire, 1232, 0, 0, "", 0);
	wire_add(wire, "secret", 6);
}

static void uncounted_record(struct wire *wire)
{
	plain(wire);
	wire_line(wire, WIRE_ADDITIONAL, "secret.example. 1 IN TXT x");
	wire->octets[11] = 0;
}

static void answer_record(struct wire *wire)
{
	plain(wire);
	wire_line(wire, WIRE_ANSWER, "www.example.com. 1 IN A 192.0.2.1");
}

static void counted_answer_missing(struct wire *wire)
{
	plain(wire);
	wire_count(wire, WIRE_ANSWER);
}

static void counted_authority_missing(struct wire *wire)
{
	plain(wire);
	wire_count(wire, WIRE_AUTHORITY);
}

static void authority_record(struct wire *wire)
{
	plain(wire);
	wire_line(wire, WIRE_AUTHORITY, "www.example.com. 1 IN NS ns.example.com.");
}

static void counted_record_missing(struct wire *wire)
{
	plain(wire);
	wire_count(wire, WIRE_ADDITIONAL);
}

static void two_opt(struct wire *wire)
{
	plain(wire);
	wire_opt(wire, 1232, 0, 0, "", 0);
	wire_opt(wire, 1232, 0, 0, "", 0);
}

static void opt_of_a_name(struct wire *wire)
{
	plain(wire);
	wire_record(wire, WIRE_ADDITIONAL, "example.com.", TYPE_OPT, 0, "", 0);
}

static void opt_of_a_pointer(struct wire *wire)
{
	plain(wire);
	wire_add(wire, "\xc0\x1c", 2); /* the qname's root label */
	wire_rest(wire, WIRE_ADDITIONAL, TYPE_OPT, 0, "", 0);
}

static void opt_cut(struct wire *wire)
{
	plain(wire);
	wire_opt(wire, 1232, 0, 0, "\0\3\0\0", 4);
	wire->length--;
}

static void edns_version_1(struct wire *wire)
{
	plain(wire);
	wire_opt(wire, 1232, 1, 0, "", 0);
}

static void edns_version_255_and_two_opt(struct wire *wire)
{
	plain(wire);
	wire_opt(wire, 1232, 255, 0, "", 0);
	wire_opt(wire, 1232, 255, 0, "", 0);
}

static void additional_record(struct wire *wire)
{
	plain(wire);
	wire_line(wire, WIRE_ADDITIONAL, "secret.example. 1 IN TXT x");
}

static void notify(struct wire *wire)
{
	plain(wire);
	wire->octets[2] |= 4 << 3;
}

static void update_of_nothing(struct wire *wire)
{
	wire_start(wire, ID, 5 << 11);
}

static void iquery(struct wire *wire)
{
	plain(wire);
	wire->octets[2] |= 1 << 3;
}

static void class_set(struct wire *wire, unsigned class)
{
	plain(wire);
	message_put16(wire->octets + wire->length - 2, (uint16_t)class);
}

static void class_chaos(struct wire *wire)
{
	class_set(wire, 3);
}

static void class_any(struct wire *wire)
{
	class_set(wire, 255);
}

static void class_none(struct wire *wire)
{
	class_set(wire, 254);
}

static void class_zero(struct wire *wire)
{
	class_set(wire, 0);
}

static void other_messages_get_the_rcode_of_the_rfcs(void **state)
{
	static const struct {
		const char *what;
		void (*write)(struct wire *wire);
		int rcode; /* -1: nothing is sent */
	} cases[] = {
		{"plain", plain, RCODE_NOERROR},
		{"an additional record is passed over", additional_record, RCODE_NOERROR},
		{"empty", empty, -1},
		{"short header", short_header, -1},
		{"QR set", answer_to_an_answer, -1},
		{"header alone", header_alone, RCODE_FORMERR},
		{"QDCOUNT 1 without a question", count_without_question, RCODE_FORMERR},
		{"QDCOUNT 0 with a question", no_question_but_its_octets, RCODE_FORMERR},
		{"QDCOUNT 2", two_questions, RCODE_FORMERR},
		{"QDCOUNT 257", many_questions, RCODE_FORMERR},
		{"cut within type", cut_type, RCODE_FORMERR},
		{"name is a pointer", pointer_as_name, RCODE_FORMERR},
		{"name points into the header", pointer_into_the_header, RCODE_FORMERR},
		{"name of 257 octets", long_name, RCODE_FORMERR},
		{"label of 64", long_label, RCODE_FORMERR},
		{"an octet behind", octets_behind, RCODE_FORMERR},
		{"octets behind OPT", octets_behind_opt, RCODE_FORMERR},
		{"a record that is not counted", uncounted_record, RCODE_FORMERR},
		{"an answer record", answer_record, RCODE_FORMERR},
		{"an authority record", authority_record, RCODE_FORMERR},
		{"ANCOUNT 1 without a record", counted_answer_missing, RCODE_FORMERR},
		{"NSCOUNT 1 without a record", counted_authority_missing, RCODE_FORMERR},
		{"ARCOUNT 1 without a record", counted_record_missing, RCODE_FORMERR},
		{"two OPT", two_opt, RCODE_FORMERR},
		{"OPT of a name", opt_of_a_name, RCODE_FORMERR},
		{"OPT of a pointer", opt_of_a_pointer, RCODE_FORMERR},
		{"OPT cut short", opt_cut, RCODE_FORMERR},
		{"EDNS version 1", edns_version_1, RCODE_BADVERS},
		{"EDNS version 255 twice", edns_version_255_and_two_opt, RCODE_FORMERR},
		{"NOTIFY", notify, RCODE_NOTIMP},
		{"UPDATE", update_of_nothing, RCODE_NOTIMP},
		{"IQUERY", iquery, RCODE_NOTIMP},
		{"class CH", class_chaos, RCODE_REFUSED},
		{"class ANY", class_any, RCODE_REFUSED},
		{"class NONE", class_none, RCODE_REFUSED},
		{"class 0", class_zero, RCODE_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question;
		struct wire wire;
		int rcode;

		cases[i].write(&wire);
		rcode = parse(&wire, &question);
		if (cases[i].rcode < 0 ? rcode >= 0 : rcode != cases[i].rcode)
			fail_msg("%s: %d, not %d", cases[i].what, rcode, cases[i].rcode);
	}
}

static void types_without_a_plain_answer_are_refused(void **state)
{
	static const struct {
		unsigned type;
		int rcode;
	} cases[] = {
		{TYPE_ANY, RCODE_REFUSED}, {TYPE_NULL, RCODE_REFUSED}, {TYPE_AXFR, RCODE_REFUSED}, {TYPE_IXFR, RCODE_REFUSED}, {TYPE_OPT, RCODE_REFUSED},
		{TYPE_A, RCODE_NOERROR},   {TYPE_PTR, RCODE_NOERROR},  {16, RCODE_NOERROR},	   {33, RCODE_NOERROR},		{TYPE_HTTPS, RCODE_NOERROR},
		{TYPE_SOA, RCODE_NOERROR}, {48, RCODE_NOERROR},	       {65280, RCODE_NOERROR},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question;
		struct wire wire;

		wire_start(&wire, ID, 0);
		wire_question(&wire, "example.com.", cases[i].type);
		assert_int_equal(parse(&wire, &question), cases[i].rcode);
		assert_true(question.has_name);
	}
}

static void a_message_cut_anywhere_is_never_accepted(void **state)
{
	struct question question;
	struct wire wire;

	(void)state;
	plain(&wire);
	wire_opt(&wire, 4096, 0, 0x8000, "\0\12\0\10COOKIE!!", 12);
	assert_int_equal(parse(&wire, &question), RCODE_NOERROR);
	while (wire.length--)
		assert_int_not_equal(parse(&wire, &question), RCODE_NOERROR);
}

/* Everything by which a client could carry data out: id, case, flags, EDNS size, version, options, additional records. */
static void nothing_but_the_question_leaves(void **state)
{
	static const uint8_t expected[] = "\xab\xcd\x01\x20\0\1\0\0\0\0\0\1\3www\7example\3com\0\0\1\0\1"
					  "\0\0\x29\x04\xd0\0\0\0\0\0";
	struct question question;
	struct wire wire;
	uint8_t out[QUESTION_QUERY_MAX];

	(void)state;
	wire_start(&wire, 0xdead, 0x0400 | 0x0200 | 0x0080 | 0x0040 | 0x000b);
	wire_question(&wire, "WwW.eXaMpLe.CoM.", TYPE_A);
	wire_line(&wire, WIRE_ADDITIONAL, "secret.example. 1 IN TXT secret");
	wire_opt(&wire, 0xbeef, 0, 0x7fff, "\xff\xfe\0\6secret", 10);
	assert_int_equal(parse(&wire, &question), RCODE_NOERROR);
	assert_int_equal(question_query(&question, 0xabcd, out), sizeof(expected));
	assert_memory_equal(out, expected, sizeof(expected));
}

static void do_and_cd_go_along(void **state)
{
	struct question question;
	struct wire wire;
	uint8_t out[QUESTION_QUERY_MAX];
	size_t length;

	(void)state;
	wire_start(&wire, ID, MESSAGE_CD);
	wire_question(&wire, ".", 48);
	wire_opt(&wire, 512, 0, 0x8000, "", 0);
	assert_int_equal(parse(&wire, &question), RCODE_NOERROR);
	length = question_query(&question, 1, out);
	assert_int_equal(length, MESSAGE_HEADER + 1 + 4 + 11);
	assert_int_equal(message_get16(out + 2), MESSAGE_RD | MESSAGE_AD | MESSAGE_CD);
	assert_int_equal(message_get32(out + length - 6), 0x8000);
}

static void the_longest_name_fits_the_query(void **state)
{
	struct question question;
	struct wire wire;
	uint8_t out[QUESTION_QUERY_MAX];

	(void)state;
	wire_start(&wire, ID, 0);
	for (int i = 0; i < 127; i++)
		wire_add(&wire, "\1.", 2);
	wire_add(&wire, "\0\0\1\0\1", 5);
	wire_count(&wire, WIRE_QUESTION);
	assert_int_equal(parse(&wire, &question), RCODE_NOERROR);
	assert_int_equal(question.name.length, NAME_WIRE_MAX);
	assert_int_equal(question_query(&question, 1, out), QUESTION_QUERY_MAX);
}

static void padding_makes_whole_blocks_and_leaves_all_else_as_it_is(void **state)
{
	(void)state;
	for (unsigned labels = 0; labels <= 127; labels++) {
		struct question question;
		struct wire wire;
		uint8_t plain[QUESTION_QUERY_MAX], padded[QUESTION_PADDED_MAX];
		size_t plain_length, padded_length, data;

		wire_start(&wire, ID, 0);
		for (unsigned i = 0; i < labels; i++)
			wire_add(&wire, "\1.", 2);
		wire_add(&wire, "\0\0\1\0\1", 5);
		wire_count(&wire, WIRE_QUESTION);
		wire_opt(&wire, 1232, 0, 0x8000, "", 0);
		assert_int_equal(parse(&wire, &question), RCODE_NOERROR);
		plain_length = question_query(&question, 7, plain);
		padded_length = question_query_padded(&question, 7, padded);
		assert_int_equal(padded_length % 128, 0);
		assert_in_range(padded_length, plain_length + 4, sizeof(padded));
		assert_true(padded_length < plain_length + 4 + 128);
		assert_memory_equal(padded, plain, plain_length - 2);
		data = message_get16(padded + plain_length - 2);
		assert_int_equal(plain_length + data, padded_length);
		assert_int_equal(message_get16(padded + plain_length), 12);
		assert_int_equal(message_get16(padded + plain_length + 2), data - 4);
		for (size_t at = plain_length + 4; at < padded_length; at++)
			assert_int_equal(padded[at], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_question_is_read),
		cmocka_unit_test(flags_and_edns_are_read),
		cmocka_unit_test(other_messages_get_the_rcode_of_the_rfcs),
		cmocka_unit_test(types_without_a_plain_answer_are_refused),
		cmocka_unit_test(a_message_cut_anywhere_is_never_accepted),
		cmocka_unit_test(nothing_but_the_question_leaves),
		cmocka_unit_test(do_and_cd_go_along),
		cmocka_unit_test(the_longest_name_fits_the_query),
		cmocka_unit_test(padding_makes_whole_blocks_and_leaves_all_else_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
