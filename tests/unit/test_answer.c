/* dns/answer.h: answer_parse() */
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
#define SOA(zone, ttl, minimum) zone " " #ttl " IN SOA ns." zone " admin." zone " 1 7200 3600 86400 " #minimum

static struct answer answer;

static struct question question_of(const char *name, unsigned type)
{
	struct question question = {.id = 7, .type = (uint16_t)type, .class = MESSAGE_CLASS_IN, .udp_size = 512, .has_name = true};

	assert_int_equal(name_from_text(&question.name, name, strlen(name)), 0);
	memcpy(question.asked, question.name.wire, question.name.length);
	return question;
}

static int parse(const struct wire *wire, const struct question *question, const struct answer_filter *filter)
{
	uint8_t *exact = wire_exact(wire);
	int result = answer_parse(exact, wire->length, ID, question, filter, &answer);

	free(exact);
	return result;
}

/* "192.0.2.1 2001:db8::1": what was learned. */
static void assert_addresses(const char *what, const char *expected)
{
	cleanup_text struct text text = {0};

	text_add(&text, "");
	for (size_t i = 0; i < answer.address_count; i++) {
		char address[ADDR_TEXT_MAX];

		text_add(&text, i ? " " : "");
		text_add(&text, addr_format(&answer.addresses[i], address));
	}
	if (strcmp(text.data, expected))
		fail_msg("%s: learned \"%s\", not \"%s\"", what, text.data, expected);
}

/* An answer is written as lines of "an", "ns" or "ar" for the section, '+' or '-' for whether it is to be kept, and the record. */
struct line_case {
	const char *what;
	const char *name;
	unsigned type;
	const char *lines[8];
	int result;
	bool clean, negative, filtered;
	const char *addresses;
	uint32_t ttl_s, lease_s;
};

static enum wire_section line_section(const char *line)
{
	return line[0] == 'n' ? WIRE_AUTHORITY : line[1] == 'n' ? WIRE_ANSWER : WIRE_ADDITIONAL;
}

static void assert_kept(const struct line_case *c)
{
	size_t at = 0, kept[2] = {0};

	for (size_t i = 0; i < COUNT(c->lines) && c->lines[i] && line_section(c->lines[i]) != WIRE_ADDITIONAL; i++) {
		if (answer.keep[at] != (c->lines[i][2] == '+'))
			fail_msg("%s: %s is %s", c->what, c->lines[i] + 3, answer.keep[at] ? "kept" : "removed");
		kept[line_section(c->lines[i]) == WIRE_AUTHORITY] += answer.keep[at];
		at++;
	}
	assert_int_equal(answer.record_count, at);
	assert_int_equal(answer.answer_count, kept[0]);
	assert_int_equal(answer.authority_count, kept[1]);
}

static void check_line_case(const struct line_case *c, bool dnssec_ok)
{
	struct question question = question_of(c->name, c->type);
	const struct answer_filter filter = {0};
	struct wire wire;
	int result;

	question.dnssec_ok = dnssec_ok;
	wire_start(&wire, ID, MESSAGE_QR | MESSAGE_RD | MESSAGE_RA);
	wire_question(&wire, c->name, c->type);
	for (size_t i = 0; i < COUNT(c->lines) && c->lines[i]; i++)
		wire_line(&wire, line_section(c->lines[i]), c->lines[i] + 3);
	result = parse(&wire, &question, &filter);
	if (result != c->result)
		fail_msg("%s: %d, not %d", c->what, result, c->result);
	if (result)
		return;
	assert_kept(c);
	if (answer.clean != c->clean || answer.negative != c->negative || answer.filtered != c->filtered)
		fail_msg("%s: clean %d negative %d filtered %d", c->what, answer.clean, answer.negative, answer.filtered);
	assert_addresses(c->what, c->addresses ? c->addresses : "");
	if (answer.ttl_s != c->ttl_s || answer.lease_s != c->lease_s)
		fail_msg("%s: for %u s, lease %u s; not %u and %u", c->what, answer.ttl_s, answer.lease_s, c->ttl_s, c->lease_s);
}

static void only_the_chain_is_kept(void **state)
{
	static const struct line_case cases[] = {
		{"one address", "www.example.com", TYPE_A, {"an+" WWW " 300 IN A 192.0.2.1"}, 0, true, false, false, "192.0.2.1", 300, 300},
		{"the least TTL counts for the cache, the greatest for the lease", "www.example.com", TYPE_A,
		 {"an+" WWW " 300 IN A 192.0.2.1", "an+" WWW " 60 IN A 192.0.2.2"}, 0, true, false, false, "192.0.2.1 192.0.2.2", 60, 300},
		{"the same address twice is learned once", "www.example.com", TYPE_A,
		 {"an+" WWW " 300 IN A 192.0.2.1", "an+" WWW " 300 IN A 192.0.2.1"}, 0, true, false, false, "192.0.2.1", 300, 300},
		{"owner in another case", "www.example.com", TYPE_A, {"an+WWW.eXample.com. 300 IN A 192.0.2.1"}, 0, true, false, false, "192.0.2.1", 300, 300},
		{"IPv6", "www.example.com", TYPE_AAAA, {"an+" WWW " 300 IN AAAA 2001:db8::1"}, 0, true, false, false, "2001:db8::1", 300, 300},
		{"an address of the other family", "www.example.com", TYPE_A,
		 {"an+" WWW " 300 IN A 192.0.2.1", "an-" WWW " 300 IN AAAA 2001:db8::1"}, 0, false, false, false, "192.0.2.1", 300, 300},
		{"unrelated owner", "www.example.com", TYPE_A,
		 {"an+" WWW " 300 IN A 192.0.2.1", "an-evil.example. 300 IN A 192.0.2.66", "an-example.com. 300 IN A 192.0.2.67", "an-x." WWW " 300 IN A 192.0.2.68"},
		 0, false, false, false, "192.0.2.1", 300, 300},
		{"only an unrelated owner", "www.example.com", TYPE_A, {"an-evil.example. 300 IN A 192.0.2.66"}, 0, false, true, false, "", 0, 0},
		{"class CH", "www.example.com", TYPE_A, {"an+" WWW " 300 IN A 192.0.2.1", "an-" WWW " 300 CH A 192.0.2.66"}, 0, false, false, false, "192.0.2.1", 300, 300},
		{"authority and additional are cut off", "www.example.com", TYPE_A,
		 {"an+" WWW " 300 IN A 192.0.2.1", "ns-example.com. 30 IN NS ns.example.com.", "ns-" WWW " 30 IN A 192.0.2.66", "ar-" WWW " 30 IN A 192.0.2.67", "ar-ns.example.com. 30 IN A 192.0.2.53"},
		 0, true, false, false, "192.0.2.1", 300, 300},
		{"an OPT within the answer", "www.example.com", TYPE_A, {"an+" WWW " 300 IN A 192.0.2.1", "an-. 0 IN TYPE41 \\# 0"}, 0, false, false, false, "192.0.2.1", 300, 300},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_line_case(&cases[i], false);
}

static void a_chain_is_followed_in_any_order(void **state)
{
	static const struct line_case cases[] = {
		{"CNAME", "www.example.com", TYPE_A,
		 {"an+" WWW " 300 IN CNAME a.example.net.", "an+a.example.net. 60 IN CNAME b.example.org.", "an+b.example.org. 20 IN A 198.51.100.7"},
		 0, true, false, false, "198.51.100.7", 20, 300},
		{"CNAME after A", "www.example.com", TYPE_A,
		 {"an+b.example.org. 20 IN A 198.51.100.7", "an+a.example.net. 60 IN CNAME b.example.org.", "an+" WWW " 300 IN CNAME a.example.net."},
		 0, true, false, false, "198.51.100.7", 20, 300},
		{"an address off the chain", "www.example.com", TYPE_A,
		 {"an+" WWW " 300 IN CNAME a.example.net.", "an-c.example.net. 60 IN A 192.0.2.66", "an+a.example.net. 20 IN A 198.51.100.7"},
		 0, false, false, false, "198.51.100.7", 20, 300},
		{"a CNAME that leads into the chain is not of it", "www.example.com", TYPE_A,
		 {"an-evil.example. 300 IN CNAME " WWW, "an+" WWW " 20 IN A 198.51.100.7"}, 0, false, false, false, "198.51.100.7", 20, 20},
		{"the same CNAME twice", "www.example.com", TYPE_A,
		 {"an+" WWW " 300 IN CNAME a.example.net.", "an-" WWW " 300 IN CNAME A.example.net.", "an+a.example.net. 20 IN A 198.51.100.7"},
		 0, false, false, false, "198.51.100.7", 20, 300},
		{"two CNAMEs of one owner", "www.example.com", TYPE_A,
		 {"an+" WWW " 300 IN CNAME a.example.net.", "an+" WWW " 300 IN CNAME b.example.net.", "an+a.example.net. 20 IN A 198.51.100.7"}, -EPROTO},
		{"two CNAMEs further on", "www.example.com", TYPE_A,
		 {"an+" WWW " 300 IN CNAME a.example.net.", "an+a.example.net. 300 IN CNAME b.example.net.", "an+a.example.net. 300 IN CNAME c.example.net."}, -EPROTO},
		{"CNAME to itself", "www.example.com", TYPE_A, {"an+" WWW " 300 IN CNAME WWW.example.com."}, -EPROTO},
		{"CNAME loop of two", "www.example.com", TYPE_A, {"an+" WWW " 300 IN CNAME a.example.net.", "an+a.example.net. 300 IN CNAME " WWW}, -EPROTO},
		{"a CNAME that was asked for is not followed", "www.example.com", TYPE_CNAME,
		 {"an+" WWW " 300 IN CNAME a.example.net.", "an-a.example.net. 20 IN CNAME b.example.net."}, 0, false, false, false, "", 300, 300},
		{"any type", "www.example.com", 15, {"an+" WWW " 300 IN MX 10 mail.example.com.", "ar-mail.example.com. 300 IN A 192.0.2.25"}, 0, true, false, false, "", 300, 300},
		{"an unknown type", "www.example.com", 65280, {"an+" WWW " 300 IN TYPE65280 \\# 3 010203"}, 0, true, false, false, "", 300, 300},
		{"from the root", ".", TYPE_A, {"an+. 300 IN A 192.0.2.1"}, 0, true, false, false, "192.0.2.1", 300, 300},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_line_case(&cases[i], false);
}

static void a_dname_is_followed_and_its_cname_must_agree(void **state)
{
	static const struct line_case cases[] = {
		{"with its CNAME", "a.b.c.example.com", TYPE_A,
		 {"an+c.example.com. 300 IN DNAME d.example.net.", "an+a.b.c.example.com. 0 IN CNAME a.b.d.example.net.", "an+a.b.d.example.net. 60 IN A 192.0.2.9"},
		 0, true, false, false, "192.0.2.9", 0, 300},
		{"CNAME first", "a.b.c.example.com", TYPE_A,
		 {"an+a.b.c.example.com. 300 IN CNAME a.b.d.example.net.", "an+c.example.com. 300 IN DNAME d.example.net.", "an+a.b.d.example.net. 60 IN A 192.0.2.9"},
		 0, true, false, false, "192.0.2.9", 60, 300},
		{"without", "a.b.c.example.com", TYPE_A,
		 {"an+c.example.com. 300 IN DNAME d.example.net.", "an+a.b.d.example.net. 60 IN A 192.0.2.9"}, 0, true, false, false, "192.0.2.9", 60, 300},
		{"to a shorter name", "a.b.c.example.com", TYPE_A,
		 {"an+c.example.com. 300 IN DNAME d.", "an+a.b.d. 60 IN A 192.0.2.9"}, 0, true, false, false, "192.0.2.9", 60, 300},
		{"of the top to the top", "a.example", TYPE_A,
		 {"an+example. 300 IN DNAME test.", "an+a.test. 60 IN A 192.0.2.9"}, 0, true, false, false, "192.0.2.9", 60, 300},
		{"two, one after the other", "a.example.com", TYPE_A,
		 {"an+example.com. 300 IN DNAME example.net.", "an+example.net. 300 IN DNAME example.org.", "an+a.example.org. 60 IN A 192.0.2.9"},
		 0, true, false, false, "192.0.2.9", 60, 300},
		{"then a CNAME", "a.example.com", TYPE_A,
		 {"an+example.com. 300 IN DNAME example.net.", "an+a.example.net. 300 IN CNAME b.example.org.", "an+b.example.org. 60 IN A 192.0.2.9"},
		 0, true, false, false, "192.0.2.9", 60, 300},
		{"a CNAME that does not follow from it", "a.b.c.example.com", TYPE_A,
		 {"an+c.example.com. 300 IN DNAME d.example.net.", "an+a.b.c.example.com. 0 IN CNAME a.b.evil.example.", "an+a.b.evil.example. 60 IN A 192.0.2.9"}, -EPROTO},
		{"a DNAME does not redirect its own owner", "c.example.com", TYPE_A,
		 {"an-c.example.com. 300 IN DNAME d.example.net.", "an-d.example.net. 60 IN A 192.0.2.9"}, 0, false, true, false, "", 0, 0},
		{"nor its siblings", "a.x.example.com", TYPE_A,
		 {"an-c.example.com. 300 IN DNAME d.example.net.", "an-a.d.example.net. 60 IN A 192.0.2.9"}, 0, false, true, false, "", 0, 0},
		{"nor a name that ends in the same letters", "ac.example.com", TYPE_A,
		 {"an-c.example.com. 300 IN DNAME d.example.net.", "an-ad.example.net. 60 IN A 192.0.2.9"}, 0, false, true, false, "", 0, 0},
		{"that grows for ever", "a.example.com", TYPE_A, {"an+example.com. 300 IN DNAME example.com.example.com."}, -EPROTO},
		{"that leads back", "a.example.com", TYPE_A, {"an+example.com. 300 IN DNAME example.net.", "an+example.net. 300 IN DNAME example.com."}, -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_line_case(&cases[i], false);
}

static void a_dname_that_makes_the_name_too_long_is_an_error(void **state)
{
	static const char label[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; /* 63 */
	static char name[4 * 64], line[3 * 64 + 64];
	struct line_case c = {"too long", name, TYPE_A, {line}, -EPROTO};

	(void)state;
	snprintf(name, sizeof(name), "%s.%s.x.example", label, label);
	snprintf(line, sizeof(line), "an+x.example. 300 IN DNAME %s.%s.", label, label);
	check_line_case(&c, false);
}

static void a_negative_answer_lives_as_long_as_its_soa_says(void **state)
{
	static const struct line_case cases[] = {
		{"the SOA's minimum", "www.example.com", TYPE_A, {"ns+" SOA("example.com.", 900, 60)}, 0, true, true, false, "", 60, 900},
		{"the SOA's own TTL", "www.example.com", TYPE_A, {"ns+" SOA("example.com.", 30, 600)}, 0, true, true, false, "", 30, 30},
		{"at most an hour", "www.example.com", TYPE_A, {"ns+" SOA("example.com.", 86400, 86400)}, 0, true, true, false, "", 3600, 86400},
		{"a minimum of no sense", "www.example.com", TYPE_A, {"ns+" SOA("example.com.", 900, 4294967295)}, 0, true, true, false, "", 900, 900},
		{"SOA of a parent", "www.example.com", TYPE_A, {"ns+" SOA("com.", 900, 60)}, 0, true, true, false, "", 60, 900},
		{"SOA of the root", "www.example.com", TYPE_A, {"ns+. 900 IN SOA a. b. 1 2 3 4 60"}, 0, true, true, false, "", 60, 900},
		{"SOA of the name", "www.example.com", TYPE_A, {"ns+" SOA(WWW, 900, 60)}, 0, true, true, false, "", 60, 900},
		{"SOA of a foreign zone", "www.example.com", TYPE_A, {"ns-" SOA("example.net.", 900, 60)}, 0, false, true, false, "", 0, 0},
		{"SOA of a name below", "www.example.com", TYPE_A, {"ns-" SOA("a." WWW, 900, 60)}, 0, false, true, false, "", 0, 0},
		{"two SOAs", "www.example.com", TYPE_A, {"ns+" SOA("example.com.", 900, 60), "ns-" SOA("com.", 900, 30)}, 0, false, true, false, "", 60, 900},
		{"no SOA", "www.example.com", TYPE_A, {NULL}, 0, true, true, false, "", 0, 0},
		{"a referral", "www.example.com", TYPE_A,
		 {"ns-example.com. 900 IN NS ns.example.com.", "ar-ns.example.com. 900 IN A 192.0.2.66"}, 0, false, true, false, "", 0, 0},
		{"SOA and NS", "www.example.com", TYPE_A,
		 {"ns+" SOA("example.com.", 900, 60), "ns-example.com. 900 IN NS ns.example.com."}, 0, false, true, false, "", 60, 900},
		{"an address in the authority", "www.example.com", TYPE_A,
		 {"ns+" SOA("example.com.", 900, 60), "ns-" WWW " 900 IN A 192.0.2.66"}, 0, false, true, false, "", 60, 900},
		{"a chain that ends in nothing", "www.example.com", TYPE_A,
		 {"an+" WWW " 30 IN CNAME a.example.net.", "ns+" SOA("example.net.", 900, 60)}, 0, true, true, false, "", 30, 900},
		{"a chain with the SOA of where it began", "www.example.com", TYPE_A,
		 {"an+" WWW " 30 IN CNAME a.example.net.", "ns-" SOA("example.com.", 900, 60)}, 0, false, true, false, "", 0, 30},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_line_case(&cases[i], false);
}

#define RRSIG(owner, type) owner " 300 IN RRSIG " type " 13 3 300 20300101000000 20200101000000 1 example.com. AAAA"

static void signatures_go_to_who_asked_for_them(void **state)
{
	static const struct {
		struct line_case c;
		bool dnssec_ok;
	} cases[] = {
		{{"DO", "www.example.com", TYPE_A, {"an+" WWW " 300 IN A 192.0.2.1", "an+" RRSIG(WWW, "A")}, 0, true, false, false, "192.0.2.1", 300, 300}, true},
		{{"no DO", "www.example.com", TYPE_A, {"an+" WWW " 300 IN A 192.0.2.1", "an-" RRSIG(WWW, "A")}, 0, false, false, false, "192.0.2.1", 300, 300}, false},
		{{"DO, of another name", "www.example.com", TYPE_A, {"an+" WWW " 300 IN A 192.0.2.1", "an-" RRSIG("x.example.com.", "A")}, 0, false, false, false, "192.0.2.1", 300, 300}, true},
		{{"DO, of a DNAME", "a.c.example.com", TYPE_A,
		  {"an+c.example.com. 300 IN DNAME d.example.net.", "an+" RRSIG("c.example.com.", "DNAME"), "an+a.d.example.net. 60 IN A 192.0.2.9"}, 0, true, false, false, "192.0.2.9", 60, 300}, true},
		{{"DO, a proof", "www.example.com", TYPE_A,
		  {"ns+" SOA("example.com.", 300, 60), "ns+" RRSIG("example.com.", "SOA"), "ns+" WWW " 300 IN NSEC x.example.com. TXT RRSIG NSEC", "ns+" RRSIG(WWW, "NSEC")}, 0, true, true, false, "", 60, 300}, true},
		{{"DO, name servers and their signature", "www.example.com", TYPE_A,
		  {"an+" WWW " 300 IN CNAME a.example.net.", "an+" RRSIG(WWW, "CNAME"), "ns-example.com. 300 IN NS ns.example.com.", "ns-" RRSIG("example.com.", "NS")}, 0, false, true, false, "", 0, 300}, true},
		{{"no DO, a proof", "www.example.com", TYPE_A,
		  {"ns+" SOA("example.com.", 300, 60), "ns-" RRSIG("example.com.", "SOA"), "ns-" WWW " 300 IN NSEC x.example.com. TXT RRSIG NSEC"}, 0, false, true, false, "", 60, 300}, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_line_case(&cases[i].c, cases[i].dnssec_ok);
}

#define RRSIG_OF(owner, type, labels) owner " 300 IN RRSIG " type " 13 " labels " 300 20300101000000 20200101000000 1 example.com. AAAA"
#define EXPANDED "an+" WWW " 300 IN A 192.0.2.1", "an+" RRSIG_OF(WWW, "A", "2")
#define PROOF "a.example.com. 60 IN NSEC x.example.com. A RRSIG NSEC"

static void what_a_wildcard_made_keeps_its_proof(void **state)
{
	static const struct {
		struct line_case c;
		bool dnssec_ok;
	} cases[] = {
		{{"NSEC", "www.example.com", TYPE_A, {EXPANDED, "ns+" PROOF, "ns+" RRSIG("a.example.com.", "NSEC")}, 0, true, false, false, "192.0.2.1", 60, 300}, true},
		{{"NSEC3", "www.example.com", TYPE_A,
		  {EXPANDED, "ns+0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example.com. 60 IN NSEC3 1 0 1 ab 2t7b4g4vsa5smi47k61mv5bv1a22bojr A"}, 0, true, false, false, "192.0.2.1", 60, 300}, true},
		{{"name servers go", "www.example.com", TYPE_A,
		  {EXPANDED, "ns-example.com. 300 IN NS ns.example.com.", "ns-" RRSIG("example.com.", "NS"), "ns+" PROOF, "ns+" RRSIG("a.example.com.", "NSEC")},
		  0, false, false, false, "192.0.2.1", 60, 300}, true},
		{{"no proof came", "www.example.com", TYPE_A, {EXPANDED, "ns-example.com. 300 IN NS ns.example.com."}, 0, true, false, false, "192.0.2.1", 300, 300}, true},
		{{"in a chain", "www.example.com", TYPE_A,
		  {"an+" WWW " 300 IN CNAME b.example.com.", "an+" RRSIG_OF(WWW, "CNAME", "2"), "an+b.example.com. 300 IN A 192.0.2.1", "ns+" PROOF}, 0, true, false, false, "192.0.2.1", 60, 300}, true},
		{{"no wildcard", "www.example.com", TYPE_A, {"an+" WWW " 300 IN A 192.0.2.1", "an+" RRSIG(WWW, "A"), "ns-" PROOF}, 0, true, false, false, "192.0.2.1", 300, 300}, true},
		{{"the wildcard itself", "*.example.com", TYPE_A,
		  {"an+*.example.com. 300 IN A 192.0.2.1", "an+" RRSIG_OF("*.example.com.", "A", "2"), "ns-" PROOF}, 0, true, false, false, "192.0.2.1", 300, 300}, true},
		{{"no DO", "www.example.com", TYPE_A, {"an+" WWW " 300 IN A 192.0.2.1", "an-" RRSIG_OF(WWW, "A", "2"), "ns-" PROOF}, 0, false, false, false, "192.0.2.1", 300, 300}, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_line_case(&cases[i].c, cases[i].dnssec_ok);
}

static void inside_addresses_are_neither_learned_nor_kept(void **state)
{
	static const struct {
		unsigned type;
		const char *inside;
	} cases[] = {
		{TYPE_A, "0.0.0.0"}, {TYPE_A, "10.1.2.3"}, {TYPE_A, "100.64.0.1"}, {TYPE_A, "127.0.0.1"}, {TYPE_A, "169.254.169.254"}, {TYPE_A, "172.31.255.255"},
		{TYPE_A, "192.168.1.1"}, {TYPE_A, "224.0.0.1"}, {TYPE_A, "255.255.255.255"}, {TYPE_A, "192.0.0.8"},
		{TYPE_AAAA, "::"}, {TYPE_AAAA, "::1"}, {TYPE_AAAA, "fc00::1"}, {TYPE_AAAA, "fdff::1"}, {TYPE_AAAA, "fe80::1"}, {TYPE_AAAA, "fec0::1"}, {TYPE_AAAA, "ff02::1"},
		{TYPE_AAAA, "::ffff:10.0.0.1"}, {TYPE_AAAA, "::ffff:192.0.2.1"}, {TYPE_AAAA, "::127.0.0.1"}, {TYPE_AAAA, "::ffff:0:10.0.0.1"},
		{TYPE_AAAA, "64:ff9b::10.0.0.1"}, {TYPE_AAAA, "64:ff9b::169.254.169.254"}, {TYPE_AAAA, "64:ff9b:1::192.0.2.1"},
		{TYPE_AAAA, "2002:0a00:0001::1"}, {TYPE_AAAA, "2002:7f00:0001::"}, {TYPE_AAAA, "2001:0:1:2:3:4:f5ff:fffe"}, {TYPE_AAAA, "2001:db8::5efe:10.0.0.1"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *type = cases[i].type == TYPE_A ? "A" : "AAAA", *good = cases[i].type == TYPE_A ? "192.0.2.1" : "2001:db8::1";
		char inside_line[128], good_line[128];
		struct line_case alone = {cases[i].inside, "www.example.com", cases[i].type, {inside_line}, 0, false, true, true, "", 0, 0};
		struct line_case mixed = {cases[i].inside, "www.example.com", cases[i].type, {good_line, inside_line}, 0, false, false, true, good, 300, 300};

		snprintf(inside_line, sizeof(inside_line), "an-" WWW " 300 IN %s %s", type, cases[i].inside);
		snprintf(good_line, sizeof(good_line), "an+" WWW " 300 IN %s %s", type, good);
		check_line_case(&alone, false);
		check_line_case(&mixed, false);
	}
}

static void an_inside_address_passes_where_a_network_of_the_policy_covers_it(void **state)
{
	static const struct {
		const char *line;
		bool with_net, unfiltered;
		const char *addresses;
	} cases[] = {
		{WWW " 300 IN A 10.1.2.3", true, false, "10.1.2.3"},
		{WWW " 300 IN A 10.2.2.3", true, false, ""},
		{WWW " 300 IN A 10.1.2.3", false, false, ""},
		{WWW " 300 IN A 10.2.2.3", false, true, "10.2.2.3"},
		{WWW " 300 IN A 127.0.0.1", true, true, "127.0.0.1"},
	};
	const struct rule rule = {.kind = RULE_NET, .net = {.addr = {.family = ADDR_V4, .octets = {10, 1}}, .prefix_length = 16}};
	struct question question = question_of("www.example.com", TYPE_A);
	struct netset set = {0};

	(void)state;
	assert_int_equal(netset_add(&set, &rule), 0);
	netset_normalize(&set);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct answer_filter filter = {.allowed = cases[i].with_net ? &set : NULL, .unfiltered = cases[i].unfiltered};
		struct wire wire;

		wire_start(&wire, ID, MESSAGE_QR);
		wire_question(&wire, WWW, TYPE_A);
		wire_line(&wire, WIRE_ANSWER, cases[i].line);
		assert_int_equal(parse(&wire, &question, &filter), 0);
		assert_addresses(cases[i].line, cases[i].addresses);
		assert_int_equal(answer.filtered, !*cases[i].addresses);
		assert_int_equal(answer.clean, *cases[i].addresses != 0);
	}
	netset_free(&set);
}

/* A record of the type with these octets as its data, beside a good one. */
static void hints_are_learned_or_their_record_goes(void **state)
{
#define V4(last) "\xc0\0\2" last
#define V6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"
	static const struct {
		const char *what;
		const char *data;
		size_t length;
		bool kept, filtered;
		const char *addresses;
	} cases[] = {
#define DATA(literal) literal, sizeof(literal) - 1
		{"no hints", DATA("\0\1\0\0\1\0\3\2h3"), true, false, ""},
		{"alias", DATA("\0\0\3svc\7example\0"), true, false, ""},
		{"v4 hints", DATA("\0\1\0\0\4\0\x08" V4("\1") V4("\2")), true, false, "192.0.2.1 192.0.2.2"},
		{"v6 hint", DATA("\0\1\0\0\6\0\x10" V6 "\1"), true, false, "2001:db8::1"},
		{"both, with others between", DATA("\0\1\0\0\1\0\3\2h3\0\4\0\4" V4("\1") "\0\5\0\2xx\0\6\0\x10" V6 "\1"), true, false, "192.0.2.1 2001:db8::1"},
		{"the same key twice", DATA("\0\1\0\0\4\0\4" V4("\1") "\0\4\0\4" V4("\2")), true, false, "192.0.2.1 192.0.2.2"},
		{"an alias with hints", DATA("\0\0\0\0\4\0\4" V4("\1")), true, false, "192.0.2.1"},
		{"inside", DATA("\0\1\0\0\4\0\4\x0a\0\0\1"), false, true, ""},
		{"inside after a good one", DATA("\0\1\0\0\4\0\x08" V4("\1") "\x7f\0\0\1"), false, true, ""},
		{"inside v6 after a good v4", DATA("\0\1\0\0\4\0\4" V4("\1") "\0\6\0\x10\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1"), false, true, ""},
		{"v4 hint of 3", DATA("\0\1\0\0\4\0\3\xc0\0\2"), false, false, ""},
		{"v4 hint of 5", DATA("\0\1\0\0\4\0\5" V4("\1") "x"), false, false, ""},
		{"v4 hint of 0", DATA("\0\1\0\0\4\0\0"), false, false, ""},
		{"v6 hint of 4", DATA("\0\1\0\0\6\0\4" V4("\1")), false, false, ""},
		{"hint longer than the record", DATA("\0\1\0\0\4\0\x08" V4("\1")), false, false, ""},
		{"key without length", DATA("\0\1\0\0\4\0"), false, false, ""},
		{"octet behind", DATA("\0\1\0\0\4\0\4" V4("\1") "x"), false, false, ""},
		{"no target", DATA("\0\1"), false, false, ""},
		{"target cut", DATA("\0\1\3www"), false, false, ""},
		{"target compressed", DATA("\0\1\xc0\x0c\0\4\0\4" V4("\1")), false, false, ""},
		{"target compressed behind a label", DATA("\0\1\1a\xc0\x0c\0\4\0\4" V4("\1")), false, false, ""},
		{"empty", DATA(""), false, false, ""},
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		unsigned type = i % 2 ? TYPE_HTTPS : TYPE_SVCB;
		struct question question = question_of("www.example.com", type);
		const struct answer_filter filter = {0};
		struct wire wire;

		wire_start(&wire, ID, MESSAGE_QR);
		wire_question(&wire, WWW, type);
		wire_record(&wire, WIRE_ANSWER, WWW, type, 300, cases[i / 2].data, cases[i / 2].length);
		assert_int_equal(parse(&wire, &question, &filter), 0);
		if (answer.keep[0] != cases[i / 2].kept || answer.clean != cases[i / 2].kept || answer.filtered != cases[i / 2].filtered)
			fail_msg("%s: kept %d, clean %d, filtered %d", cases[i / 2].what, answer.keep[0], answer.clean, answer.filtered);
		assert_addresses(cases[i / 2].what, cases[i / 2].addresses);
	}
}

/* What a record that goes had in common with one that stays is still learned. */
static void a_hint_is_forgotten_only_with_the_last_record_that_has_it(void **state)
{
	struct question question = question_of("www.example.com", TYPE_HTTPS);
	const struct answer_filter filter = {0};
	struct wire wire;

	(void)state;
	wire_start(&wire, ID, MESSAGE_QR);
	wire_question(&wire, WWW, TYPE_HTTPS);
	wire_record(&wire, WIRE_ANSWER, WWW, TYPE_HTTPS, 300, "\0\1\0\0\4\0\4\xc0\0\2\1", 11);
	wire_record(&wire, WIRE_ANSWER, WWW, TYPE_HTTPS, 300, "\0\1\0\0\4\0\x0c\xc0\0\2\1\xc0\0\2\2\x0a\0\0\1", 19);
	wire_record(&wire, WIRE_ANSWER, WWW, TYPE_HTTPS, 300, "\0\1\0\0\4\0\4\xc0\0\2\3", 11);
	assert_int_equal(parse(&wire, &question, &filter), 0);
	assert_true(answer.keep[0] && !answer.keep[1] && answer.keep[2]);
	assert_addresses("hints", "192.0.2.1 192.0.2.3");
}

static void malformed_addresses_are_removed(void **state)
{
	static const struct {
		unsigned type;
		size_t length;
	} cases[] = {{TYPE_A, 0}, {TYPE_A, 3}, {TYPE_A, 5}, {TYPE_A, 16}, {TYPE_AAAA, 0}, {TYPE_AAAA, 4}, {TYPE_AAAA, 15}, {TYPE_AAAA, 17}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question = question_of("www.example.com", cases[i].type);
		const struct answer_filter filter = {0};
		struct wire wire;

		wire_start(&wire, ID, MESSAGE_QR);
		wire_question(&wire, WWW, cases[i].type);
		wire_record(&wire, WIRE_ANSWER, WWW, cases[i].type, 300, "\x20\1\2\3\4\5\6\7\1\1\1\1\1\1\1\1\1", cases[i].length);
		assert_int_equal(parse(&wire, &question, &filter), 0);
		assert_false(answer.keep[0] || answer.clean || answer.address_count);
	}
}

/* The name in a record's data must be malformed to no one who reads the message: the client reads what is relayed. */
static void names_in_data_are_checked(void **state)
{
	static const struct {
		const char *what;
		unsigned asked, type;
		const char *data;
		size_t length;
		int result;
	} cases[] = {
		{"CNAME, forwards", TYPE_A, TYPE_CNAME, DATA("\xc0\xff"), -EPROTO},
		{"CNAME, to itself", TYPE_A, TYPE_CNAME, DATA("\xc0\x2d"), -EPROTO},
		{"CNAME, octets behind", TYPE_A, TYPE_CNAME, DATA("\1a\0x"), -EPROTO},
		{"CNAME, cut", TYPE_A, TYPE_CNAME, DATA("\3aa"), -EPROTO},
		{"CNAME, empty", TYPE_A, TYPE_CNAME, DATA(""), -EPROTO},
		{"CNAME, into the header", TYPE_A, TYPE_CNAME, DATA("\xc0\x04"), -EPROTO},
		{"CNAME, compressed", TYPE_A, TYPE_CNAME, DATA("\1a\xc0\x0c"), 0},
		{"CNAME that was asked for, to itself", TYPE_CNAME, TYPE_CNAME, DATA("\xc0\x2d"), -EPROTO},
		{"MX", 15, 15, DATA("\0\12\1a\xc0\x0c"), 0},
		{"MX, to itself", 15, 15, DATA("\0\12\xc0\x2f"), -EPROTO},
		{"MX without a name", 15, 15, DATA("\0\12"), -EPROTO},
		{"NAPTR", 35, 35, DATA("\0\1\0\1\1U\0\2xx\0"), 0},
		{"NAPTR, strings cut", 35, 35, DATA("\0\1\0\1\1U\0\377xx\0"), -EPROTO},
		{"NAPTR, to itself", 35, 35, DATA("\0\1\0\1\0\0\0\xc0\x34"), -EPROTO},
		{"a type without names", 16, 16, DATA("\2\xc0\xff"), 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question = question_of("www.example.com", cases[i].asked);
		const struct answer_filter filter = {0};
		struct wire wire;
		int result;

		wire_start(&wire, ID, MESSAGE_QR);
		wire_question(&wire, WWW, cases[i].asked);
		wire_add(&wire, "\xc0\x0c", 2);
		wire_rest(&wire, WIRE_ANSWER, cases[i].type, 300, cases[i].data, cases[i].length);
		result = parse(&wire, &question, &filter);
		if (result != cases[i].result)
			fail_msg("%s: %d", cases[i].what, result);
	}
}

static void an_soa_with_malformed_names_is_an_error(void **state)
{
	static const struct {
		const char *data;
		size_t length;
		int result;
	} cases[] = {
		{DATA("\xc0\x0c\1a\xc0\x0c" "11112222333344445555"), 0},
		{DATA("\xc0\x0c\xc0\xff" "11112222333344445555"), -EPROTO},
		{DATA("\xc0\x0c\xc0\x0c" "x11112222333344445555"), -EPROTO},
		{DATA("\xc0\x0c\xc0\x0c" "1112222333344445555"), -EPROTO},
		{DATA("aaaaaaaaaaaaaaaaaaaaaaaaaaaa"), -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question = question_of("www.example.com", TYPE_A);
		const struct answer_filter filter = {0};
		struct wire wire;

		wire_start(&wire, ID, MESSAGE_QR);
		wire_question(&wire, WWW, TYPE_A);
		wire_record(&wire, WIRE_AUTHORITY, "example.com.", TYPE_SOA, 300, cases[i].data, cases[i].length);
		assert_int_equal(parse(&wire, &question, &filter), cases[i].result);
	}
}

static void what_is_not_the_answer_is_passed_over(void **state)
{
	static const struct {
		const char *what;
		size_t at;
		uint8_t octet; /* put there */
		int result;
	} cases[] = {
		{"as it is", 0, ID >> 8, 0},
		{"wrong id", 1, 0x35, -EBADMSG},
		{"wrong id", 0, 0x92, -EBADMSG},
		{"a question", 2, 0x01, -EBADMSG},
		{"another opcode", 2, 0xa1, -EBADMSG},
		{"QDCOUNT 0", 5, 0, -EBADMSG},
		{"QDCOUNT 2", 5, 2, -EBADMSG},
		{"QDCOUNT 257", 4, 1, -EBADMSG},
		{"another name", 13, 'x', -EBADMSG},
		{"another name", 18, 'y', -EBADMSG},
		{"another case", 13, 'W', 0},
		{"a shorter name", 12, 0, -EBADMSG},
		{"another type", 30, TYPE_AAAA, -EBADMSG},
		{"another class", 32, 3, -EBADMSG},
		{"ANCOUNT 2", 7, 2, -EPROTO},
		{"ANCOUNT 65281", 6, 0xff, -EPROTO},
		{"NSCOUNT 1", 9, 1, -EPROTO},
		{"more additional records are announced than there are", 11, 9, -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question = question_of("www.example.com", TYPE_A);
		const struct answer_filter filter = {0};
		struct wire wire;
		int result;

		wire_start(&wire, ID, MESSAGE_QR);
		wire_question(&wire, WWW, TYPE_A);
		wire_line(&wire, WIRE_ANSWER, WWW " 300 IN A 192.0.2.1");
		wire.octets[cases[i].at] = cases[i].octet;
		result = parse(&wire, &question, &filter);
		if (result != cases[i].result)
			fail_msg("%s: %d, not %d", cases[i].what, result, cases[i].result);
	}
}

/* A pointer there would be overwritten with the client's spelling, and what points behind it would change its meaning. */
static void a_compressed_question_is_not_an_answer(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	const struct answer_filter filter = {0};
	struct wire wire;

	(void)state;
	wire_start(&wire, ID, MESSAGE_QR);
	wire_count(&wire, WIRE_QUESTION);
	wire_add(&wire, "\xc0\x21\4evil\7example\0", 16); /* as long as www.example.com, with its last octet */
	wire_add(&wire, "\0", 1);
	wire_add(&wire, "\0\1\0\1", 4);
	wire_add_name(&wire, WWW); /* at 0x21 */
	assert_int_equal(parse(&wire, &question, &filter), -EBADMSG);
}

static void an_answer_cut_anywhere_is_not_accepted(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	const struct answer_filter filter = {0};
	struct wire wire;
	size_t header;

	(void)state;
	wire_start(&wire, ID, MESSAGE_QR);
	wire_question(&wire, WWW, TYPE_A);
	header = wire.length;
	wire_line(&wire, WIRE_ANSWER, WWW " 300 IN CNAME a.example.net.");
	wire_line(&wire, WIRE_ANSWER, "a.example.net. 300 IN A 192.0.2.1");
	wire_line(&wire, WIRE_AUTHORITY, "example.net. 300 IN NS ns.example.net.");
	assert_int_equal(parse(&wire, &question, &filter), 0);
	while (wire.length--)
		assert_int_equal(parse(&wire, &question, &filter), wire.length < header ? -EBADMSG : -EPROTO);
}

static void truncation_and_flags_are_reported(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	const struct answer_filter filter = {0};
	struct wire wire;

	(void)state;
	wire_start(&wire, ID, MESSAGE_QR | MESSAGE_TC);
	wire_question(&wire, WWW, TYPE_A);
	wire_count(&wire, WIRE_ANSWER); /* cut off */
	assert_int_equal(parse(&wire, &question, &filter), 0);
	assert_true(answer.truncated);
	assert_int_equal(answer.address_count, 0);
	wire_start(&wire, ID, MESSAGE_QR | MESSAGE_AD | MESSAGE_AA | RCODE_NXDOMAIN);
	wire_question(&wire, WWW, TYPE_A);
	assert_int_equal(parse(&wire, &question, &filter), 0);
	assert_true(answer.authentic && !answer.truncated && answer.negative);
	assert_int_equal(answer.rcode, RCODE_NXDOMAIN);
	assert_int_equal(answer.end, wire.length);
}

static void the_upper_bits_of_the_rcode_are_in_the_opt_record(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	const struct answer_filter filter = {0};
	struct wire wire;
	size_t whole;

	(void)state;
	wire_start(&wire, ID, MESSAGE_QR | 7);
	wire_question(&wire, WWW, TYPE_A);
	wire_line(&wire, WIRE_ANSWER, WWW " 300 IN A 192.0.2.1");
	wire_line(&wire, WIRE_ADDITIONAL, "ns.example.com. 300 IN A 192.0.2.2");
	wire_opt(&wire, 1232, 0x0100, 0, NULL, 0); /* the octet before the version */
	assert_int_equal(parse(&wire, &question, &filter), 0);
	assert_int_equal(answer.rcode, 23); /* BADCOOKIE */
	assert_int_equal(answer.address_count, 0);
	whole = wire.length;
	while (wire.length-- > whole - 11)
		assert_int_equal(parse(&wire, &question, &filter), -EPROTO);
	wire.length = whole;
	wire_opt(&wire, 1232, 0, 0, NULL, 0);
	assert_int_equal(parse(&wire, &question, &filter), -EPROTO);
	wire_start(&wire, ID, MESSAGE_QR);
	wire_question(&wire, WWW, TYPE_A);
	wire_record(&wire, WIRE_ADDITIONAL, WWW, TYPE_OPT, 0, NULL, 0);
	assert_int_equal(parse(&wire, &question, &filter), -EPROTO);
}

static void the_additional_section_is_bounded(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	const struct answer_filter filter = {0};
	struct wire wire;

	(void)state;
	wire_start(&wire, ID, MESSAGE_QR);
	wire_question(&wire, WWW, TYPE_A);
	wire_line(&wire, WIRE_ANSWER, WWW " 300 IN A 192.0.2.1");
	for (unsigned i = 0; i < ANSWER_RECORDS_MAX; i++)
		wire_line(&wire, WIRE_ADDITIONAL, WWW " 300 IN A 192.0.2.2");
	assert_int_equal(parse(&wire, &question, &filter), 0);
	assert_int_equal(answer.address_count, 1);
	wire_line(&wire, WIRE_ADDITIONAL, WWW " 300 IN A 192.0.2.2");
	assert_int_equal(parse(&wire, &question, &filter), -EPROTO);
}

static void an_error_has_no_records(void **state)
{
	struct question question = question_of("a.c.example.com", TYPE_A);
	const struct answer_filter filter = {0};
	struct wire wire;
	size_t end;

	(void)state;
	wire_start(&wire, ID, MESSAGE_QR | 6); /* YXDOMAIN: RFC 6672 section 2.2 */
	wire_question(&wire, "a.c.example.com.", TYPE_A);
	end = wire.length;
	wire_line(&wire, WIRE_ANSWER, "c.example.com. 300 IN DNAME too.long.example.net.");
	wire_line(&wire, WIRE_ANSWER, "a.c.example.com. 300 IN A 192.0.2.1");
	assert_int_equal(parse(&wire, &question, &filter), 0);
	assert_int_equal(answer.rcode, 6);
	assert_true(answer.clean && answer.negative);
	assert_int_equal(answer.end, end);
	assert_int_equal(answer.answer_count + answer.authority_count, 0);
	assert_int_equal(answer.address_count, 0);
	assert_int_equal(answer.ttl_s, 0);
}

static void a_name_that_does_not_exist_has_no_address(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	const struct answer_filter filter = {0};
	struct wire wire;

	(void)state;
	wire_start(&wire, ID, MESSAGE_QR | RCODE_NXDOMAIN);
	wire_question(&wire, "www.example.com.", TYPE_A);
	wire_line(&wire, WIRE_ANSWER, "www.example.com. 300 IN CNAME gone.example.net.");
	wire_line(&wire, WIRE_ANSWER, "gone.example.net. 300 IN A 192.0.2.1");
	assert_int_equal(parse(&wire, &question, &filter), 0);
	assert_int_equal(answer.rcode, RCODE_NXDOMAIN);
	assert_true(answer.negative && !answer.clean);
	assert_int_equal(answer.answer_count, 1); /* the alias */
	assert_int_equal(answer.address_count, 0);
}

static void ttls_are_capped_and_the_top_bit_means_zero(void **state)
{
	static const struct {
		uint32_t ttl_s, cached_s, lease_s;
	} cases[] = {
		{0, 0, 0}, {1, 1, 1}, {86400, 86400, 86400}, {86401, 86400, 86400}, {0x7fffffff, 86400, 86400}, {0x80000000, 0, 0}, {0x8000003c, 0, 0}, {0xffffffff, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question = question_of("www.example.com", TYPE_A);
		const struct answer_filter filter = {0};
		struct wire wire;

		wire_start(&wire, ID, MESSAGE_QR);
		wire_question(&wire, WWW, TYPE_A);
		wire_record(&wire, WIRE_ANSWER, WWW, TYPE_A, cases[i].ttl_s, "\xc0\0\2\1", 4);
		assert_int_equal(parse(&wire, &question, &filter), 0);
		assert_int_equal(answer.ttl_s, cases[i].cached_s);
		assert_int_equal(answer.lease_s, cases[i].lease_s);
		wire_start(&wire, ID, MESSAGE_QR);
		wire_question(&wire, WWW, TYPE_A);
		wire_record(&wire, WIRE_AUTHORITY, "example.com.", TYPE_SOA, cases[i].ttl_s, "\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\xff\xff", 22);
		assert_int_equal(parse(&wire, &question, &filter), 0);
		assert_int_equal(answer.ttl_s, cases[i].cached_s > 3600 ? 3600 : cases[i].cached_s);
	}
}

/* `count` addresses behind a compressed owner. */
static void many_write(struct wire *wire, size_t count)
{
	wire_start(wire, ID, MESSAGE_QR);
	wire_question(wire, WWW, TYPE_A);
	for (size_t i = 0; i < count; i++) {
		wire_add(wire, "\xc0\x0c", 2);
		wire_rest(wire, WIRE_ANSWER, TYPE_A, 300, (const uint8_t[]){198, 51, (uint8_t)(i >> 8), (uint8_t)i}, 4);
	}
}

static void many_addresses_are_learned_up_to_the_bound(void **state)
{
	static const struct {
		size_t count;
		int result;
		size_t learned;
		bool clean;
	} cases[] = {
		{25, 0, 25, true}, {256, 0, 256, true}, {257, 0, 256, false}, {512, 0, 256, false}, {513, -EPROTO, 0, false}, {1000, -EPROTO, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct question question = question_of("www.example.com", TYPE_A);
		const struct answer_filter filter = {0};
		struct wire wire;

		many_write(&wire, cases[i].count);
		assert_int_equal(parse(&wire, &question, &filter), cases[i].result);
		if (cases[i].result)
			continue;
		assert_int_equal(answer.address_count, cases[i].learned);
		assert_int_equal(answer.answer_count, cases[i].learned);
		assert_int_equal(answer.clean, cases[i].clean);
		assert_int_equal(answer.keep[cases[i].learned - 1], true);
	}
}

static void records_of_both_sections_count_together(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	const struct answer_filter filter = {0};
	struct wire wire;

	(void)state;
	many_write(&wire, 512);
	wire_line(&wire, WIRE_AUTHORITY, SOA("example.com.", 300, 60));
	assert_int_equal(parse(&wire, &question, &filter), -EPROTO);
}

static void a_chain_has_at_most_sixteen_steps(void **state)
{
	(void)state;
	for (unsigned steps = 15; steps <= 40; steps++) {
		struct question question = question_of("n0.example.com", TYPE_A);
		const struct answer_filter filter = {0};
		struct wire wire;
		char line[80];

		wire_start(&wire, ID, MESSAGE_QR);
		wire_question(&wire, "n0.example.com.", TYPE_A);
		for (unsigned i = 0; i < steps; i++) {
			snprintf(line, sizeof(line), "n%u.example.com. 300 IN CNAME n%u.example.com.", i, i + 1);
			wire_line(&wire, WIRE_ANSWER, line);
		}
		snprintf(line, sizeof(line), "n%u.example.com. 300 IN A 192.0.2.1", steps);
		wire_line(&wire, WIRE_ANSWER, line);
		assert_int_equal(parse(&wire, &question, &filter), steps <= ANSWER_CHAIN_MAX ? 0 : -EPROTO);
		if (steps <= ANSWER_CHAIN_MAX)
			assert_addresses("chain", "192.0.2.1");
	}
}

static void strange_labels_are_compared_octet_by_octet(void **state)
{
	static const struct line_case cases[] = {
		{"NUL", "a\\000b.example.com", TYPE_A, {"an+a\\000b.example.com. 300 IN A 192.0.2.1", "an-a.example.com. 300 IN A 192.0.2.66"}, 0, false, false, false, "192.0.2.1", 300, 300},
		{"dot", "a\\.b.example.com", TYPE_A, {"an+a\\.b.example.com. 300 IN A 192.0.2.1", "an-a.b.example.com. 300 IN A 192.0.2.66"}, 0, false, false, false, "192.0.2.1", 300, 300},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_line_case(&cases[i], false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_chain_is_kept),
		cmocka_unit_test(a_chain_is_followed_in_any_order),
		cmocka_unit_test(a_dname_is_followed_and_its_cname_must_agree),
		cmocka_unit_test(a_dname_that_makes_the_name_too_long_is_an_error),
		cmocka_unit_test(a_negative_answer_lives_as_long_as_its_soa_says),
		cmocka_unit_test(signatures_go_to_who_asked_for_them),
		cmocka_unit_test(what_a_wildcard_made_keeps_its_proof),
		cmocka_unit_test(inside_addresses_are_neither_learned_nor_kept),
		cmocka_unit_test(an_inside_address_passes_where_a_network_of_the_policy_covers_it),
		cmocka_unit_test(hints_are_learned_or_their_record_goes),
		cmocka_unit_test(a_hint_is_forgotten_only_with_the_last_record_that_has_it),
		cmocka_unit_test(malformed_addresses_are_removed),
		cmocka_unit_test(names_in_data_are_checked),
		cmocka_unit_test(an_soa_with_malformed_names_is_an_error),
		cmocka_unit_test(what_is_not_the_answer_is_passed_over),
		cmocka_unit_test(a_compressed_question_is_not_an_answer),
		cmocka_unit_test(an_answer_cut_anywhere_is_not_accepted),
		cmocka_unit_test(truncation_and_flags_are_reported),
		cmocka_unit_test(the_upper_bits_of_the_rcode_are_in_the_opt_record),
		cmocka_unit_test(the_additional_section_is_bounded),
		cmocka_unit_test(an_error_has_no_records),
		cmocka_unit_test(a_name_that_does_not_exist_has_no_address),
		cmocka_unit_test(ttls_are_capped_and_the_top_bit_means_zero),
		cmocka_unit_test(many_addresses_are_learned_up_to_the_bound),
		cmocka_unit_test(records_of_both_sections_count_together),
		cmocka_unit_test(a_chain_has_at_most_sixteen_steps),
		cmocka_unit_test(strange_labels_are_compared_octet_by_octet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
