/* What a client asks, and the query that is built from it. */
#include "dns/question.h"

#include <string.h>

#define OPTION_PADDING 12  /* RFC 7830 section 3 */
#define OPTION_HEAD    4   /* octets: code and length */
#define PADDING_BLOCK  128 /* octets */
#define OPT_DO 0x8000u /* in the low half of OPT's TTL: RFC 6891 section 6.1.3 */

static bool type_is_refused(uint16_t type)
{
	return type == TYPE_ANY || type == TYPE_NULL || type == TYPE_AXFR || type == TYPE_IXFR || type == TYPE_OPT;
}

/* Reads the additional records; only OPT counts, the rest is stepped over and goes nowhere. */
static int additional_parse(const uint8_t *wire, size_t length, size_t offset, unsigned count, struct question *question)
{
	int rcode = RCODE_NOERROR;

	for (unsigned i = 0; i < count; i++) {
		struct message_record record;
		size_t end = message_record_read(wire, length, offset, &record);
		uint32_t ttl;

		if (!end)
			return RCODE_FORMERR;
		if (record.type == TYPE_OPT) {
			if (question->edns || wire[record.owner] != 0)
				return RCODE_FORMERR;
			ttl = message_get32(wire + record.ttl);
			question->edns = true;
			question->dnssec_ok = ttl & OPT_DO;
			question->udp_size = record.class < MESSAGE_UDP_PLAIN ? MESSAGE_UDP_PLAIN : record.class;
			if (ttl >> 16 & 0xff)
				rcode = RCODE_BADVERS;
		}
		offset = end;
	}
	return offset == length ? rcode : RCODE_FORMERR;
}

int question_parse(const uint8_t *wire, size_t length, struct question *question)
{
	uint16_t flags;
	size_t end;
	int rcode;

	if (length < MESSAGE_HEADER)
		return -1;
	flags = message_get16(wire + 2);
	if (flags & MESSAGE_QR)
		return -1;
	question->id = message_get16(wire);
	question->opcode = flags & MESSAGE_OPCODE;
	question->recursion = flags & MESSAGE_RD;
	question->checking_disabled = flags & MESSAGE_CD;
	question->authentic_data = flags & MESSAGE_AD;
	question->udp_size = MESSAGE_UDP_PLAIN;
	question->has_name = question->edns = question->dnssec_ok = false;
	if (question->opcode)
		return RCODE_NOTIMP;
	if (message_get16(wire + 4) != 1 || message_get16(wire + 6) || message_get16(wire + 8))
		return RCODE_FORMERR;
	end = message_name_expand(wire, length, MESSAGE_HEADER, &question->name);
	if (!end || end - MESSAGE_HEADER != question->name.length || length - end < 4)
		return RCODE_FORMERR;
	memcpy(question->asked, wire + MESSAGE_HEADER, question->name.length);
	question->type = message_get16(wire + end);
	question->class = message_get16(wire + end + 2);
	question->has_name = true;
	rcode = additional_parse(wire, length, end + 4, message_get16(wire + 10), question);
	if (rcode)
		return rcode;
	if (question->class != MESSAGE_CLASS_IN || type_is_refused(question->type))
		return RCODE_REFUSED;
	return RCODE_NOERROR;
}

uint64_t question_hash(const struct question *question, const struct hash_key *key)
{
	uint8_t octets[NAME_WIRE_MAX + 3];

	memcpy(octets, question->name.wire, question->name.length);
	message_put16(octets + question->name.length, question->type);
	octets[question->name.length + 2] = (uint8_t)(question->dnssec_ok << 1 | question->checking_disabled);
	return hash_bytes(key, octets, question->name.length + 3u);
}

bool question_same(const struct question *a, const struct question *b)
{
	return a->type == b->type && a->dnssec_ok == b->dnssec_ok && a->checking_disabled == b->checking_disabled && name_equal(&a->name, &b->name);
}

size_t question_query(const struct question *question, uint16_t id, uint8_t *out)
{
	uint8_t *at = out + MESSAGE_HEADER;

	memset(out, 0, MESSAGE_HEADER);
	message_put16(out, id);
	message_put16(out + 2, MESSAGE_RD | MESSAGE_AD | (question->checking_disabled ? MESSAGE_CD : 0));
	out[5] = 1;
	out[11] = 1;
	memcpy(at, question->name.wire, question->name.length);
	at += question->name.length;
	message_put16(at, question->type);
	message_put16(at + 2, MESSAGE_CLASS_IN);
	at += 4;
	*at++ = 0;
	message_put16(at, TYPE_OPT);
	message_put16(at + 2, MESSAGE_UDP_EDNS);
	message_put32(at + 4, question->dnssec_ok ? OPT_DO : 0);
	message_put16(at + 8, 0);
	return (size_t)(at + 10 - out);
}

_Static_assert(QUESTION_PADDED_MAX % PADDING_BLOCK == 0 && QUESTION_PADDED_MAX >= QUESTION_QUERY_MAX + OPTION_HEAD, "room for the longest name");

size_t question_query_padded(const struct question *question, uint16_t id, uint8_t *out)
{
	size_t length = question_query(question, id, out);
	size_t padded = (length + OPTION_HEAD + PADDING_BLOCK - 1) / PADDING_BLOCK * PADDING_BLOCK;
	uint8_t *option = out + length;

	message_put16(option - 2, (uint16_t)(padded - length)); /* the length of OPT's data, which stands at the end */
	message_put16(option, OPTION_PADDING);
	message_put16(option + 2, (uint16_t)(padded - length - OPTION_HEAD));
	memset(option + OPTION_HEAD, 0, padded - length - OPTION_HEAD);
	return padded;
}
