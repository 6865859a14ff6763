/* Questions, against ldns: what is accepted means the same to both; and the query built from it has one question, one OPT record without options, and nothing else. */
#include <stdbool.h> /* before ldns, which makes bool a signed char where it is not known yet */

#include <ldns/ldns.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/question.h"
#include "dns/reply.h"
#include "dns/reverse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const ldns_rr *record, const struct name *name)
{
	struct name theirs;

	if (name_from_wire(&theirs, ldns_rdf_data(ldns_rr_owner(record)), ldns_rdf_size(ldns_rr_owner(record))) || !name_equal(&theirs, name))
		abort();
}

/* Whether both see the same additional records. One that is longer than its type is stepped over by its length here; ldns goes on behind the octets that the type has, in the
 * middle of it, and may find an OPT there that is none. */
static bool records_are_same(const uint8_t *data, size_t size, const struct question *question)
{
	size_t at = MESSAGE_HEADER + question->name.length + 4u;

	for (unsigned i = message_get16(data + 10); i; i--) {
		struct message_record record;
		ldns_rr *theirs = NULL;
		size_t their_end = at, end = message_record_read(data, size, at, &record);

		if (!end)
			abort();
		if (ldns_wire2rr(&theirs, data, size, &their_end, LDNS_SECTION_ADDITIONAL) != LDNS_STATUS_OK)
			return false;
		ldns_rr_free(theirs);
		if (their_end != end)
			return false;
		at = end;
	}
	return true;
}

static void check_accepted(const uint8_t *data, size_t size, const struct question *question)
{
	ldns_pkt *packet = NULL;
	const ldns_rr *asked;

	if (ldns_wire2pkt(&packet, data, size) != LDNS_STATUS_OK)
		return; /* an additional record whose data is malformed: it is stepped over */
	if (ldns_pkt_qdcount(packet) != 1 || ldns_pkt_ancount(packet) || ldns_pkt_nscount(packet) || ldns_pkt_qr(packet) || ldns_pkt_get_opcode(packet) != LDNS_PACKET_QUERY)
		abort();
	asked = ldns_rr_list_rr(ldns_pkt_question(packet), 0);
	check_name(asked, &question->name);
	if (ldns_rr_get_type(asked) != question->type || ldns_rr_get_class(asked) != LDNS_RR_CLASS_IN || ldns_pkt_id(packet) != question->id)
		abort();
	if (ldns_pkt_rd(packet) != question->recursion || ldns_pkt_cd(packet) != question->checking_disabled || ldns_pkt_ad(packet) != question->authentic_data)
		abort();
	if (records_are_same(data, size, question) && ldns_pkt_edns(packet) && (!question->edns || ldns_pkt_edns_version(packet) || ldns_pkt_edns_do(packet) != question->dnssec_ok))
		abort();
	ldns_pkt_free(packet);
}

static void check_query(const struct question *question)
{
	uint8_t out[QUESTION_QUERY_MAX];
	size_t length = question_query(question, 0x4321, out);
	struct question again;
	ldns_pkt *packet = NULL;
	const ldns_rr *asked;

	if (length > sizeof(out) || ldns_wire2pkt(&packet, out, length) != LDNS_STATUS_OK)
		abort();
	/* ldns takes OPT out of the additional section and off its count */
	if (ldns_pkt_qdcount(packet) != 1 || ldns_pkt_ancount(packet) || ldns_pkt_nscount(packet) || ldns_pkt_arcount(packet) || message_get16(out + 10) != 1)
		abort();
	if (!ldns_pkt_edns(packet) || ldns_pkt_edns_data(packet) || ldns_pkt_edns_udp_size(packet) != MESSAGE_UDP_EDNS || ldns_pkt_edns_version(packet))
		abort();
	asked = ldns_rr_list_rr(ldns_pkt_question(packet), 0);
	check_name(asked, &question->name);
	if (memcmp(ldns_rdf_data(ldns_rr_owner(asked)), question->name.wire, question->name.length)) /* no upper case */
		abort();
	if (ldns_pkt_id(packet) != 0x4321 || ldns_rr_get_type(asked) != question->type || ldns_rr_get_class(asked) != LDNS_RR_CLASS_IN)
		abort();
	if (length != MESSAGE_HEADER + question->name.length + 4u + 11u)
		abort();
	ldns_pkt_free(packet);
	if (question_parse(out, length, &again) || again.type != question->type || !name_equal(&again.name, &question->name))
		abort();
}

static void check_error(const struct question *question, int rcode)
{
	static const char text[] = "a text of some length that explains what happened to the question and what to do about it";
	uint8_t out[MESSAGE_UDP_PLAIN + REPLY_EDE_TEXT_MAX];
	size_t length = reply_error(question, rcode, EDE_BLOCKED, text, out);
	ldns_pkt *packet = NULL;

	if (length > sizeof(out) || ldns_wire2pkt(&packet, out, length) != LDNS_STATUS_OK)
		abort();
	if (!ldns_pkt_qr(packet) || ldns_pkt_id(packet) != question->id || ldns_pkt_edns(packet) != question->edns || ldns_pkt_qdcount(packet) != question->has_name)
		abort();
	ldns_pkt_free(packet);
}

/* A name that stands for an address is the one that the address is written as. */
static void check_reverse(const struct question *question)
{
	char text[NAME_TEXT_MAX], expected[NAME_TEXT_MAX] = "", *at = expected;
	struct addr addr;

	if (!reverse_parse(&question->name, &addr))
		return;
	if (addr.family == ADDR_V4)
		at += sprintf(at, "%u.%u.%u.%u.in-addr.arpa", addr.octets[3], addr.octets[2], addr.octets[1], addr.octets[0]);
	else
		for (unsigned i = 16; i--;)
			at += sprintf(at, "%x.%x.%s", addr.octets[i] & 15u, addr.octets[i] >> 4, i ? "" : "ip6.arpa");
	name_to_text(&question->name, text);
	if (strcmp(text, expected))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct question question;
	int rcode;

	if (size > MESSAGE_MAX)
		return 0;
	rcode = question_parse(data, size, &question);
	if (rcode < 0)
		return 0;
	check_error(&question, rcode);
	if (rcode)
		return 0;
	check_accepted(data, size, &question);
	check_query(&question);
	check_reverse(&question);
	return 0;
}
