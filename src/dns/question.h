/* What a client asks: parsed strictly, so that only a plain question can have any effect; and the query that is built anew from it. */
#ifndef DNS_QUESTION_H
#define DNS_QUESTION_H

#include "base/hash.h"
#include "dns/message.h"

struct question {
	struct name name;	      /* lowered: for policy, cache and the upstream query */
	uint8_t asked[NAME_WIRE_MAX]; /* as it was sent, name.length octets: the case goes back to the client */
	uint16_t id;
	uint16_t type;
	uint16_t class;
	uint16_t opcode;	      /* in place, as MESSAGE_OPCODE */
	uint16_t udp_size;	      /* the client's, at least 512; 512 without EDNS */
	bool has_name;		      /* name, type and class are set: the question can be repeated in a reply */
	bool edns;
	bool recursion, checking_disabled, authentic_data, dnssec_ok; /* RD, CD, AD, DO */
};

/* Parses a message from a client.
 * Returns RCODE_NOERROR for a question that may be looked at by the policy, another rcode that is to be sent back, or a negative value when
 * nothing is to be sent (shorter than a header, or QR set: an answer to an answer would loop).
 * FORMERR: QDCOUNT is not 1, answer or authority records, a malformed or compressed name, anything behind the last record, two OPT records or one that
 * does not belong to the root (RFC 6891 section 6.1.1). NOTIMP: an opcode other than QUERY. BADVERS: an EDNS version above 0. REFUSED: a class other
 * than IN, and the types ANY, NULL, AXFR, IXFR and OPT. */
int question_parse(const uint8_t *wire, size_t length, struct question *question);

/* A keyed hash of what makes two questions the same: name, type, DO and CD; and whether they are. */
uint64_t question_hash(const struct question *question, const struct hash_key *key);
bool question_same(const struct question *a, const struct question *b);

/* Writes the query for the upstream: a fresh header with `id`, RD and AD set, CD as asked, the lowered name, and an OPT record of our own (1232 octets,
 * DO as asked, no options). Nothing else of the client's message leaves. out: at least QUESTION_QUERY_MAX octets. Returns the length. */
#define QUESTION_QUERY_MAX (MESSAGE_HEADER + NAME_WIRE_MAX + 4 + 11)
size_t question_query(const struct question *question, uint16_t id, uint8_t *out);

/* The same for a connection that hides what is said but not how much: padded to whole blocks of 128 octets (RFC 7830, RFC 8467 section 4.1). out: at least
 * QUESTION_PADDED_MAX octets. */
#define QUESTION_PADDED_MAX 384
size_t question_query_padded(const struct question *question, uint16_t id, uint8_t *out);

#endif
