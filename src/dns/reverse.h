/* The names of addresses: in-addr.arpa (RFC 1035 section 3.5) and ip6.arpa (RFC 3596 section 2.5). */
#ifndef DNS_REVERSE_H
#define DNS_REVERSE_H

#include "dns/question.h"
#include "policy/addr.h"

#define REVERSE_NAMES_MAX 16
/* Header, question, and each name with a pointer as its owner. */
#define REVERSE_ANSWER_MAX (MESSAGE_HEADER + NAME_WIRE_MAX + 4 + REVERSE_NAMES_MAX * (12 + NAME_WIRE_MAX))

/* The address whose name this is. False when it is none: a part of an address, numbers that are no octets or have zeros in front, anything below. */
bool reverse_parse(const struct name *name, struct addr *addr);

/* Writes an answer with a PTR record for each of the count names (at most REVERSE_NAMES_MAX), as a source for reply_answer(): its flags and id mean nothing.
 * ttls: the offsets of their TTLs, count of them. out: REVERSE_ANSWER_MAX octets. Returns the length. */
size_t reverse_write(const struct question *question, const struct name *names, size_t count, uint32_t ttl_s, uint16_t *ttls, uint8_t *out);

#endif
