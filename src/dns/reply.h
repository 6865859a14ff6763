/* What goes back to the client: an error, or an answer relayed from its wire image. */
#ifndef DNS_REPLY_H
#define DNS_REPLY_H

#include "dns/question.h"

#define REPLY_EDE_TEXT_MAX 200

/* A message that answer_parse() found clean, cut at its end. */
struct reply_source {
	const uint8_t *wire;
	size_t length;
	uint16_t rcode;
	uint16_t answer_count, authority_count;
	bool authentic;
	const uint16_t *ttls; /* offsets of the TTLs */
	size_t ttl_count;
	uint32_t age_s;	      /* taken off each TTL */
	uint32_t ttl_max_s;   /* and each is at most this, before the age is taken off */
};

/* An answer without records: header, the question where there is one, and for a client that sent EDNS an OPT record with an Extended DNS Error (RFC 8914)
 * when ede is not EDE_NONE. text: may be NULL, cut at REPLY_EDE_TEXT_MAX, printable ASCII is the caller's duty. out: at least MESSAGE_UDP_PLAIN
 * octets plus REPLY_EDE_TEXT_MAX. Returns the length. */
size_t reply_error(const struct question *question, int rcode, int ede, const char *text, uint8_t *out);

/* The answer: source with the client's id, its flags, the question as it was spelled, TTLs taken down, and an OPT of our own for a client that sent one.
 * limit: octets that the client takes; when the answer is longer the explanation goes first, then it is cut behind the last record that fits, with TC set.
 * out: limit octets are enough, and MESSAGE_UDP_PLAIN when the limit is less. Returns the length. */
size_t reply_answer(const struct question *question, const struct reply_source *source, int ede, const char *text, size_t limit, uint8_t *out);

/* Octets that a client takes by UDP: its EDNS size, at most MESSAGE_UDP_EDNS (at least 512). */
size_t reply_udp_limit(const struct question *question);

#endif
