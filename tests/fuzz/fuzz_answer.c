/* Answers: THE invariant. What is relayed is read again by ldns and by a small reader of hints here, and must hold no address that was not learned, no address learned
 * that it does not hold, no inside address, and no record that the question does not lead to.
 *
 * With DO signatures and proofs are relayed as they are, readable or not; who asks for them checks them.
 *
 * The first octet chooses flags, the second the type, the third the name of the question; the upstream's message follows. */
#include <stdbool.h> /* before ldns, which makes bool a signed char where it is not known yet */

#include <ctype.h>
#include <ldns/ldns.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"
#include "dns/reply.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID 0x1234

enum choice {
	CHOICE_DO = 1,
	CHOICE_EDNS = 2,
	CHOICE_UNFILTERED = 4,
	CHOICE_NETWORK = 8, /* 10.0.0.0/8 is allowed */
	CHOICE_AGED = 16,
	CHOICE_SMALL = 32,
	CHOICE_CAPITALS = 64, /* the client has spelled the name so */
};

static const uint16_t types[] = {TYPE_A, TYPE_AAAA, TYPE_HTTPS, TYPE_SVCB, TYPE_CNAME, TYPE_DNAME, TYPE_SOA, TYPE_PTR, 15, 2, 33, 35, TYPE_RRSIG, 65280};
/* A digit may be read as a length. */
static const char *const names[] = {"www.example.com", "a.b.c.example.com", ".", "x", "0.aaaaaaaaaaaaaa", "9-1.example"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct netset ten;

static void ten_set(void)
{
	const struct rule rule = {.kind = RULE_NET, .net = {.addr = {.family = ADDR_V4, .octets = {10}}, .prefix_length = 8}};

	if (ten.count)
		return;
	if (netset_add(&ten, &rule))
		abort();
	netset_normalize(&ten);
}

struct seen {
	const struct answer *answer;
	unsigned choice;
	bool found[ANSWER_ADDRESSES_MAX];
};

static void check_address(struct seen *seen, const struct addr *addr)
{
	bool ten_net = addr->family == ADDR_V4 && addr->octets[0] == 10 && seen->choice & CHOICE_NETWORK;

	if (!(seen->choice & CHOICE_UNFILTERED) && !ten_net && addr_scope(addr) != ADDR_GLOBAL)
		abort(); /* an inside address is relayed */
	for (size_t i = 0; i < seen->answer->address_count; i++)
		if (addr_equal(addr, &seen->answer->addresses[i])) {
			seen->found[i] = true;
			return;
		}
	abort(); /* relayed, not learned */
}

static void check_hints(struct seen *seen, const uint8_t *at, const uint8_t *end)
{
	at += 2;
	while (at < end && *at) { /* uncompressed: RFC 9460 section 2.2 */
		if (*at > 63)
			abort();
		at += 1 + *at;
	}
	at++;
	while (at < end) {
		unsigned key, length;

		if (end - at < 4)
			abort();
		key = message_get16(at);
		length = message_get16(at + 2);
		at += 4;
		if ((size_t)(end - at) < length)
			abort();
		for (unsigned i = 0; key == 4 && i < length; i += 4) {
			struct addr addr = addr_v4(at + i);

			check_address(seen, &addr);
		}
		for (unsigned i = 0; key == 6 && i < length; i += 16) {
			struct addr addr = addr_v6(at + i);

			check_address(seen, &addr);
		}
		at += length;
	}
}

/* As ldns sees it. */
static void check_record(struct seen *seen, const ldns_rr *record)
{
	const ldns_rdf *field = ldns_rr_rd_count(record) ? ldns_rr_rdf(record, 0) : NULL;
	const uint8_t *at = field ? ldns_rdf_data(field) : NULL;
	size_t length = field ? ldns_rdf_size(field) : 0;
	struct addr addr;

	switch ((unsigned)ldns_rr_get_type(record)) {
	case TYPE_A:
		if (length != 4)
			abort();
		addr = addr_v4(at);
		check_address(seen, &addr);
		break;
	case TYPE_AAAA:
		if (length != 16)
			abort();
		addr = addr_v6(at);
		check_address(seen, &addr);
		break;
	default:
		break;
	}
}

static bool owner_is_led_to(const struct name *chain, size_t count, const struct name *owner, uint16_t type)
{
	for (size_t i = 0; i < count; i++)
		if (name_equal(&chain[i], owner) || ((type == TYPE_DNAME || type == TYPE_RRSIG) && name_is_within(&chain[i], owner)))
			return true;
	return false;
}

/* Adds what the record leads to from a name of the chain. */
static size_t chain_extend(struct name *chain, size_t count, const ldns_rr *record, const struct name *owner)
{
	const ldns_rdf *field = ldns_rr_rdf(record, 0);
	struct name target, next;

	if (name_from_wire(&target, ldns_rdf_data(field), ldns_rdf_size(field)))
		abort();
	for (size_t i = 0; i < count; i++) {
		bool equal = name_equal(&chain[i], owner);
		size_t prefix, j;

		if (ldns_rr_get_type(record) == LDNS_RR_TYPE_CNAME && equal) {
			next = target;
		} else if (ldns_rr_get_type(record) == LDNS_RR_TYPE_DNAME && !equal && name_is_within(&chain[i], owner)) {
			prefix = (size_t)chain[i].length - owner->length;
			if (prefix + target.length > NAME_WIRE_MAX)
				continue;
			memcpy(next.wire, chain[i].wire, prefix);
			memcpy(next.wire + prefix, target.wire, target.length);
			next.length = (uint8_t)(prefix + target.length);
		} else {
			continue;
		}
		for (j = 0; j < count && !name_equal(&chain[j], &next); j++)
			;
		if (j == count && count < 40)
			chain[count++] = next;
	}
	return count;
}

static struct name owner_name(const ldns_rr *record)
{
	struct name name;

	if (name_from_wire(&name, ldns_rdf_data(ldns_rr_owner(record)), ldns_rdf_size(ldns_rr_owner(record))))
		abort();
	return name;
}

/* Every record of the answer section is led to from the question. */
static void check_chain(const ldns_rr_list *records, const struct question *question)
{
	struct name chain[40] = {question->name};
	size_t count = 1, before;

	do {
		before = count;
		for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
			const ldns_rr *record = ldns_rr_list_rr(records, i);
			struct name owner = owner_name(record);

			if (ldns_rr_get_type(record) == LDNS_RR_TYPE_CNAME || ldns_rr_get_type(record) == LDNS_RR_TYPE_DNAME)
				count = chain_extend(chain, count, record, &owner);
		}
	} while (count > before);
	for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++) {
		const ldns_rr *record = ldns_rr_list_rr(records, i);
		struct name owner = owner_name(record);

		if (!owner_is_led_to(chain, count, &owner, (uint16_t)ldns_rr_get_type(record)))
			abort();
	}
}

static bool is_cut(const uint8_t *wire)
{
	return message_get16(wire + 2) & MESSAGE_TC;
}

/* Without ldns: some builds of it do not know the types with hints, and none likes all that may be in a signature or a proof. */
static void check_addresses(struct seen *seen, const uint8_t *wire, size_t length)
{
	unsigned count = message_get16(wire + 6) + message_get16(wire + 8);
	size_t at = message_name_skip(wire, length, MESSAGE_HEADER) + 4;

	for (unsigned i = 0; i < count; i++) {
		struct message_record record;
		struct addr addr;

		at = message_record_read(wire, length, at, &record);
		if (!at)
			abort();
		if (record.type == TYPE_A || record.type == TYPE_AAAA) {
			if (record.data_length != (record.type == TYPE_A ? 4 : 16))
				abort();
			addr = record.type == TYPE_A ? addr_v4(wire + record.data) : addr_v6(wire + record.data);
			check_address(seen, &addr);
		} else if (record.type == TYPE_HTTPS || record.type == TYPE_SVCB) {
			check_hints(seen, wire + record.data, wire + at);
		}
	}
	for (size_t i = 0; i < seen->answer->address_count && !is_cut(wire); i++)
		if (!seen->found[i])
			abort(); /* learned, not relayed */
}

static void check_packet(struct seen *seen, ldns_pkt *packet, const struct question *question)
{
	if (!ldns_pkt_qr(packet) || ldns_pkt_id(packet) != question->id || ldns_pkt_qdcount(packet) != 1 || ldns_pkt_arcount(packet) || ldns_pkt_edns(packet) != question->edns)
		abort();
	if (!ldns_pkt_tc(packet)) /* else a step may be missing */
		check_chain(ldns_pkt_answer(packet), question);
	for (size_t i = 0; i < ldns_pkt_ancount(packet); i++)
		check_record(seen, ldns_rr_list_rr(ldns_pkt_answer(packet), i));
	for (size_t i = 0; i < ldns_pkt_nscount(packet); i++)
		check_record(seen, ldns_rr_list_rr(ldns_pkt_authority(packet), i));
}

static void check_relayed(const uint8_t *wire, size_t length, const struct question *question, const struct answer *answer, unsigned choice)
{
	struct seen seen = {.answer = answer, .choice = choice};
	ldns_pkt *packet = NULL;

	if (memcmp(wire + MESSAGE_HEADER, question->asked, question->name.length))
		abort();
	if (message_get16(wire + 6) > answer->answer_count || message_get16(wire + 8) != (is_cut(wire) ? 0 : answer->authority_count))
		abort();
	check_addresses(&seen, wire, length);
	if (ldns_wire2pkt(&packet, wire, length) == LDNS_STATUS_OK)
		check_packet(&seen, packet, question);
	else if (!question->dnssec_ok)
		abort();
	ldns_pkt_free(packet);
}

static void relay(const uint8_t *wire, const struct question *question, const struct answer *answer, unsigned choice)
{
	static uint8_t out[MESSAGE_MAX + 32];
	uint16_t ttls[ANSWER_RECORDS_MAX];
	struct reply_source source = {
		.wire = wire,
		.length = answer->end,
		.rcode = answer->rcode,
		.answer_count = answer->answer_count,
		.authority_count = answer->authority_count,
		.authentic = answer->authentic,
		.ttls = ttls,
		.ttl_count = (size_t)answer->answer_count + answer->authority_count,
		.age_s = choice & CHOICE_AGED ? 7 : 0,
		.ttl_max_s = ANSWER_TTL_MAX_S,
	};
	size_t limit = choice & CHOICE_SMALL ? MESSAGE_UDP_PLAIN : MESSAGE_MAX, length;

	for (size_t i = 0; i < source.ttl_count; i++)
		ttls[i] = answer->records[i].ttl;
	length = reply_answer(question, &source, EDE_NONE, NULL, limit, out);
	if (length > limit)
		abort();
	check_relayed(out, length, question, answer, choice);
}

static void check_settled(const struct answer *answer, size_t length)
{
	if (answer->end > length || answer->address_count > ANSWER_ADDRESSES_MAX || answer->ttl_s > ANSWER_TTL_MAX_S || answer->lease_s > ANSWER_TTL_MAX_S)
		abort();
	if (answer->address_count && (answer->negative || answer->lease_s < answer->ttl_s))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t rewritten[MESSAGE_MAX];
	static struct answer answer;
	struct question question = {.id = 0x4321, .class = MESSAGE_CLASS_IN, .udp_size = MESSAGE_UDP_PLAIN, .has_name = true};
	struct answer_filter filter = {0};
	const char *text;
	unsigned choice;

	if (size < 3 || size - 3 > MESSAGE_MAX)
		return 0;
	ten_set();
	choice = data[0];
	question.type = types[data[1] % COUNT(types)];
	text = names[data[2] % COUNT(names)];
	if (name_from_text(&question.name, text, strlen(text)))
		abort();
	for (size_t i = 0; i < question.name.length; i++)
		question.asked[i] = (uint8_t)(choice & CHOICE_CAPITALS ? toupper(question.name.wire[i]) : question.name.wire[i]);
	question.dnssec_ok = choice & CHOICE_DO;
	question.edns = choice & (CHOICE_DO | CHOICE_EDNS);
	filter.unfiltered = choice & CHOICE_UNFILTERED;
	filter.allowed = choice & CHOICE_NETWORK ? &ten : NULL;
	data += 3;
	size -= 3;
	if (answer_parse(data, size, ID, &question, &filter, &answer) || answer.truncated)
		return 0;
	check_settled(&answer, size);
	if (!answer.clean) {
		unsigned kept = answer.answer_count + answer.authority_count;

		size = answer_rewrite(data, size, &answer, rewritten, sizeof(rewritten));
		if (!size || answer_parse(rewritten, size, ID, &question, &filter, &answer))
			return 0;
		if (!answer.clean || answer.answer_count + answer.authority_count != kept)
			abort();
		check_settled(&answer, size);
		data = rewritten;
	}
	relay(data, &question, &answer, choice);
	return 0;
}
