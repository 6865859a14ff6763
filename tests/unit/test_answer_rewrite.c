/* dns/answer.h: answer_rewrite() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../support/wire.h"
#include "base/text.h"
#include "dns/answer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID 0x1234
#define WWW "www.example.com."
#define SOA "example.com. 900 IN SOA ns.example.com. admin.example.com. 1 7200 3600 86400 60"
#define FLAGS (MESSAGE_QR | MESSAGE_RD | MESSAGE_RA | MESSAGE_AD)

static struct answer answer;
static const struct answer_filter no_filter;

static struct question question_of(const char *name, unsigned type)
{
	struct question question = {.id = 7, .type = (uint16_t)type, .class = MESSAGE_CLASS_IN, .udp_size = 512, .has_name = true};

	assert_int_equal(name_from_text(&question.name, name, strlen(name)), 0);
	memcpy(question.asked, question.name.wire, question.name.length);
	return question;
}

static int parse(const struct wire *wire, const struct question *question)
{
	return answer_parse(wire->octets, wire->length, ID, question, &no_filter, &answer);
}

/* Parses, rewrites in place and parses again. */
static void rewrite(struct wire *wire, const struct question *question)
{
	uint8_t out[4096];
	uint8_t *exact;

	assert_int_equal(parse(wire, question), 0);
	assert_false(answer.clean);
	exact = wire_exact(wire);
	wire->length = answer_rewrite(exact, wire->length, &answer, out, sizeof(out));
	free(exact);
	assert_int_not_equal(wire->length, 0);
	memcpy(wire->octets, out, wire->length);
	assert_int_equal(parse(wire, question), 0);
}

/* The records of both sections as ldns writes them. */
static void records_text(const struct wire *wire, struct text *text)
{
	ldns_pkt *packet = NULL;
	ldns_rr_list *all;
	char *written;

	assert_int_equal(ldns_wire2pkt(&packet, wire->octets, wire->length), LDNS_STATUS_OK);
	all = ldns_rr_list_cat_clone(ldns_pkt_answer(packet), ldns_pkt_authority(packet));
	written = ldns_rr_list2str(all);
	for (char *at = written; *at; at++)
		if (*at == '\t')
			*at = ' ';
	text_add(text, written);
	free(written);
	ldns_rr_list_deep_free(all);
	ldns_pkt_free(packet);
}

static void what_is_kept_is_there_and_nothing_else_and_it_is_clean(void **state)
{
	static const struct {
		const char *what;
		unsigned type;
		const char *answer[5], *authority[4];
		const char *expected;
	} cases[] = {
		{"unrelated owner", TYPE_A, {WWW " 300 IN A 192.0.2.1", "evil.example. 300 IN A 192.0.2.66", WWW " 60 IN A 192.0.2.2"}, {NULL},
		 WWW " 300 IN A 192.0.2.1\n" WWW " 60 IN A 192.0.2.2\n"},
		{"inside addresses", TYPE_A, {WWW " 300 IN A 10.0.0.1", WWW " 300 IN A 192.0.2.1", WWW " 300 IN A 127.0.0.1"}, {NULL}, WWW " 300 IN A 192.0.2.1\n"},
		{"nothing is left", TYPE_AAAA, {WWW " 300 IN AAAA ::ffff:10.0.0.1"}, {NULL}, ""},
		{"a chain with more", TYPE_A, {"a.example.net. 60 IN A 192.0.2.1", WWW " 300 IN CNAME a.example.net.", "b.example.net. 60 IN A 192.0.2.66"}, {NULL},
		 "a.example.net. 60 IN A 192.0.2.1\n" WWW " 300 IN CNAME a.example.net.\n"},
		{"the authority goes", TYPE_A, {WWW " 300 IN A 192.0.2.1", "x. 1 IN A 192.0.2.2"}, {"example.com. 300 IN NS ns.example.com."}, WWW " 300 IN A 192.0.2.1\n"},
		{"negative", TYPE_A, {NULL}, {"example.com. 300 IN NS ns.example.com.", SOA, WWW " 300 IN A 192.0.2.66"}, SOA "\n"},
		{"a signature nobody asked for", TYPE_A, {WWW " 300 IN A 192.0.2.1", WWW " 300 IN RRSIG A 13 3 300 20300101000000 20200101000000 1 example.com. AAAA"}, {NULL},
		 WWW " 300 IN A 192.0.2.1\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question = question_of("www.example.com", cases[i].type);
		cleanup_text struct text text = {0};
		struct wire wire;

		wire_start(&wire, ID, FLAGS);
		wire_question(&wire, WWW, cases[i].type);
		for (size_t j = 0; cases[i].answer[j]; j++)
			wire_line(&wire, WIRE_ANSWER, cases[i].answer[j]);
		for (size_t j = 0; cases[i].authority[j]; j++)
			wire_line(&wire, WIRE_AUTHORITY, cases[i].authority[j]);
		wire_line(&wire, WIRE_ADDITIONAL, WWW " 300 IN A 192.0.2.67");
		rewrite(&wire, &question);
		assert_true(answer.clean);
		assert_int_equal(answer.end, wire.length);
		text_add(&text, "");
		records_text(&wire, &text);
		if (strcmp(text.data, cases[i].expected))
			fail_msg("%s:\n%s", cases[i].what, text.data);
	}
}

static void the_header_and_the_question_survive(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	struct wire wire;

	(void)state;
	wire_start(&wire, ID, FLAGS | RCODE_NXDOMAIN);
	wire_question(&wire, "wWw.Example.com.", TYPE_A);
	wire_line(&wire, WIRE_ANSWER, WWW " 300 IN CNAME a.example.com.");
	wire_line(&wire, WIRE_ANSWER, "x.example. 300 IN A 192.0.2.66");
	wire_line(&wire, WIRE_AUTHORITY, SOA);
	rewrite(&wire, &question);
	assert_true(answer.clean && answer.authentic && answer.negative);
	assert_int_equal(answer.rcode, RCODE_NXDOMAIN);
	assert_int_equal(answer.answer_count, 1);
	assert_int_equal(answer.authority_count, 1);
	assert_int_equal(answer.ttl_s, 60);
}

/* RFC 6840 section 5.8: AD says that every record was validated; where one was taken out, that is no longer said. */
static void a_filtered_answer_is_not_authentic(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	struct wire wire;

	(void)state;
	wire_start(&wire, ID, FLAGS);
	wire_question(&wire, WWW, TYPE_A);
	wire_line(&wire, WIRE_ANSWER, WWW " 300 IN A 192.0.2.1");
	wire_line(&wire, WIRE_ANSWER, WWW " 300 IN A 10.0.0.1");
	rewrite(&wire, &question);
	assert_true(answer.clean);
	assert_false(answer.authentic);
}

/* ldns would read past such data and take the following records for others. */
static void a_malformed_record_that_goes_spoils_none_that_stays(void **state)
{
	static const struct {
		const char *what;
		unsigned type;
		const char *data;
		size_t length;
	} cases[] = {
		{"DNAME whose name goes on behind it", TYPE_DNAME, "\1d\46", 3},
		{"CNAME that points at itself", TYPE_CNAME, "\xc0\x30", 2},
		{"SOA cut short", TYPE_SOA, "\1a", 2},
		{"address of 3 octets", TYPE_A, "\1\2\3", 3},
		{"text that is longer than its record", 16, "\377abc", 4},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question = question_of("www.example.com", TYPE_A);
		struct wire wire;

		wire_start(&wire, ID, FLAGS);
		wire_question(&wire, WWW, TYPE_A);
		wire_record(&wire, WIRE_ANSWER, "evil.example.", cases[i].type, 300, cases[i].data, cases[i].length);
		wire_line(&wire, WIRE_ANSWER, WWW " 300 IN A 192.0.2.1");
		rewrite(&wire, &question);
		if (!answer.clean || answer.answer_count != 1 || answer.address_count != 1 || answer.addresses[0].octets[3] != 1)
			fail_msg("%s", cases[i].what);
	}
}

/* A name may read on from anywhere before it. What it reads from a TTL is another name when the answer is relayed and its TTLs are taken down. */
static void a_name_that_reads_from_a_ttl_is_written_out(void **state)
{
	static const struct {
		const char *what;
		uint32_t ttl_s;	    /* of an alias */
		const char *target; /* its data */
		size_t target_length;
		const char *owner; /* of the addresses behind it */
	} cases[] = {
		{"a label", 0x01610000, "\xc0\x27", 2, "\xc0\x27"},
		{"a pointer", 0x0000c00c, "\1a\0", 3, "\xc0\x29"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question = question_of("www.example.com", TYPE_A);
		struct wire wire;

		wire_start(&wire, ID, FLAGS);
		wire_question(&wire, WWW, TYPE_A);
		wire_add(&wire, "\xc0\x0c", 2);
		wire_rest(&wire, WIRE_ANSWER, TYPE_CNAME, cases[i].ttl_s, cases[i].target, cases[i].target_length);
		for (uint8_t last = 1; last <= 2; last++) {
			wire_add(&wire, cases[i].owner, 2);
			wire_rest(&wire, WIRE_ANSWER, TYPE_A, 60, (const uint8_t[]){192, 0, 2, last}, 4);
		}
		rewrite(&wire, &question);
		if (!answer.clean || answer.answer_count != 3 || answer.address_count != 2)
			fail_msg("%s: clean %d, %u records, %zu addresses", cases[i].what, answer.clean, answer.answer_count, answer.address_count);
	}
}

/* The digit 0, read as a length, is a label of 48 octets, that goes from the question on through the TTL of the alias; the alias' target is the same name, spelled out. */
static void a_name_that_reads_a_ttl_from_the_question_on_is_written_out(void **state)
{
	enum {
		DIGIT = MESSAGE_HEADER + 1,
		TARGET = MESSAGE_HEADER + 18 + 4 + 12, /* behind the question and the alias' own fields */
		LABEL = '0',
	};
	struct question question = question_of("0.aaaaaaaaaaaaaa", TYPE_A);
	struct wire wire;

	(void)state;
	wire_start(&wire, ID, FLAGS);
	wire_question(&wire, "0.aaaaaaaaaaaaaa.", TYPE_A);
	wire_add(&wire, "\xc0\x0c", 2);
	wire_rest(&wire, WIRE_ANSWER, TYPE_CNAME, 300, (const uint8_t[LABEL + 2]){LABEL}, LABEL + 2);
	for (size_t i = 1; i <= LABEL; i++) /* octet after octet: the label has its own beginning in it */
		wire.octets[TARGET + i] = wire.octets[DIGIT + i];
	wire_add(&wire, (const uint8_t[]){0xc0, DIGIT}, 2);
	wire_rest(&wire, WIRE_ANSWER, TYPE_A, 60, (const uint8_t[]){192, 0, 2, 1}, 4);
	rewrite(&wire, &question);
	assert_true(answer.clean);
	assert_int_equal(answer.answer_count, 2);
	assert_int_equal(answer.address_count, 1);
}

static void hints_beside_inside_ones_survive(void **state)
{
	struct question question = question_of("www.example.com", TYPE_HTTPS);
	struct wire wire;

	(void)state;
	wire_start(&wire, ID, FLAGS);
	wire_question(&wire, WWW, TYPE_HTTPS);
	wire_record(&wire, WIRE_ANSWER, WWW, TYPE_HTTPS, 300, "\0\1\0\0\1\0\3\2h3\0\4\0\4\xc0\0\2\1", 18);
	wire_record(&wire, WIRE_ANSWER, WWW, TYPE_HTTPS, 300, "\0\2\0\0\4\0\4\x0a\0\0\1", 11);
	rewrite(&wire, &question);
	assert_true(answer.clean);
	assert_int_equal(answer.answer_count, 1);
	assert_int_equal(answer.address_count, 1);
}

static void large_answers_are_cut_to_the_bound_of_addresses(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	struct wire wire;

	(void)state;
	wire_start(&wire, ID, FLAGS);
	wire_question(&wire, WWW, TYPE_A);
	for (unsigned i = 0; i < ANSWER_RECORDS_MAX; i++) {
		wire_add(&wire, "\xc0\x0c", 2);
		wire_rest(&wire, WIRE_ANSWER, TYPE_A, 300, (const uint8_t[]){198, 51, (uint8_t)(i >> 8), (uint8_t)i}, 4);
	}
	assert_int_equal(parse(&wire, &question), 0);
	{
		static uint8_t out[MESSAGE_MAX];
		size_t length = answer_rewrite(wire.octets, wire.length, &answer, out, sizeof(out));

		assert_int_equal(answer_parse(out, length, ID, &question, &no_filter, &answer), 0);
		assert_true(answer.clean);
		assert_int_equal(answer.address_count, ANSWER_ADDRESSES_MAX);
		assert_int_equal(answer.answer_count, ANSWER_ADDRESSES_MAX);
	}
}

static void what_does_not_fit_is_not_written(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	struct wire wire;
	uint8_t out[512];
	size_t length;

	(void)state;
	wire_start(&wire, ID, FLAGS);
	wire_question(&wire, WWW, TYPE_A);
	wire_line(&wire, WIRE_ANSWER, WWW " 300 IN A 192.0.2.1");
	wire_line(&wire, WIRE_ANSWER, "x. 300 IN A 192.0.2.1");
	assert_int_equal(parse(&wire, &question), 0);
	length = answer_rewrite(wire.octets, wire.length, &answer, out, sizeof(out));
	assert_true(length > 0);
	assert_int_equal(answer_rewrite(wire.octets, wire.length, &answer, out, length), length);
	assert_int_equal(answer_rewrite(wire.octets, wire.length, &answer, out, length - 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_is_there_and_nothing_else_and_it_is_clean),
		cmocka_unit_test(the_header_and_the_question_survive),
		cmocka_unit_test(a_filtered_answer_is_not_authentic),
		cmocka_unit_test(a_malformed_record_that_goes_spoils_none_that_stays),
		cmocka_unit_test(a_name_that_reads_from_a_ttl_is_written_out),
		cmocka_unit_test(a_name_that_reads_a_ttl_from_the_question_on_is_written_out),
		cmocka_unit_test(hints_beside_inside_ones_survive),
		cmocka_unit_test(large_answers_are_cut_to_the_bound_of_addresses),
		cmocka_unit_test(what_does_not_fit_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
