/* DNS messages on the wire: the parts that queries and answers share (RFC 1035 section 4).
 *
 * This reader is our own since it runs for every packet: no allocation, no copy, every offset checked against the length before it is used.
 * A compression pointer must point strictly before the name that contains it, so a name ends after at most 127 jumps and loops cannot be built.
 * The fuzz targets compare it with ldns.
 */
#ifndef DNS_MESSAGE_H
#define DNS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/name.h"

#define MESSAGE_HEADER 12
#define MESSAGE_MAX 65535
#define MESSAGE_UDP_PLAIN 512	/* RFC 1035 section 2.3.4 */
#define MESSAGE_UDP_EDNS 1232	/* what is offered and sent with EDNS: no fragments (DNS flag day 2020) */

/* Octets of the header's flags. */
enum message_flag {
	MESSAGE_QR = 0x8000,
	MESSAGE_OPCODE = 0x7800,
	MESSAGE_AA = 0x0400,
	MESSAGE_TC = 0x0200,
	MESSAGE_RD = 0x0100,
	MESSAGE_RA = 0x0080,
	MESSAGE_AD = 0x0020, /* RFC 4035 section 3.2 */
	MESSAGE_CD = 0x0010,
	MESSAGE_RCODE = 0x000f,
};

/* IANA's rcodes; above 15 only with EDNS. */
enum message_rcode {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_BADVERS = 16,
};

/* The record types that are treated in a way of their own. */
enum message_type {
	TYPE_A = 1,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	TYPE_NULL = 10,
	TYPE_PTR = 12,
	TYPE_AAAA = 28,
	TYPE_DNAME = 39,
	TYPE_OPT = 41,
	TYPE_RRSIG = 46,
	TYPE_NSEC = 47,
	TYPE_NSEC3 = 50,
	TYPE_SVCB = 64,
	TYPE_HTTPS = 65,
	TYPE_IXFR = 251,
	TYPE_AXFR = 252,
	TYPE_ANY = 255,
};

#define MESSAGE_CLASS_IN 1

/* A type's mnemonic, "TYPE65534" for one without (RFC 3597 section 5). text has MESSAGE_TYPE_TEXT_MAX octets. Returns text. */
#define MESSAGE_TYPE_TEXT_MAX 16
const char *message_type_text(uint16_t type, char *text);

/* Extended DNS Errors (RFC 8914 section 4) that are sent. */
enum message_ede {
	EDE_NONE = -1,
	EDE_OTHER = 0,
	EDE_BLOCKED = 15,
	EDE_FILTERED = 17,
	EDE_NO_REACHABLE_AUTHORITY = 22,
	EDE_NETWORK_ERROR = 23,
};

static inline uint16_t message_get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t message_get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void message_put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void message_put32(uint8_t *at, uint32_t value)
{
	message_put16(at, (uint16_t)(value >> 16));
	message_put16(at + 2, (uint16_t)value);
}

/* Steps over the name at offset. Returns the offset behind it, or 0 when it is malformed or cut short. */
size_t message_name_skip(const uint8_t *wire, size_t length, size_t offset);

/* Expands the name at offset, lowered. Returns the offset behind it in the message, or 0 when it is malformed. */
size_t message_name_expand(const uint8_t *wire, size_t length, size_t offset, struct name *name);

/* True when the name at offset, which message_name_skip() accepted, is `name`, letters compared without case. */
bool message_name_is(const uint8_t *wire, size_t length, size_t offset, const struct name *name);

/* A resource record, located: all offsets lie in the message. */
struct message_record {
	uint16_t owner;	      /* offset of the name */
	uint16_t type;
	uint16_t class;
	uint16_t ttl;	      /* offset of the TTL */
	uint16_t data;	      /* offset of the RDATA */
	uint16_t data_length;
};

/* Locates the record at offset. Returns the offset behind it, or 0 when it is malformed or cut short. */
size_t message_record_read(const uint8_t *wire, size_t length, size_t offset, struct message_record *record);

/* True when the domain names in the data of a record that message_record_read() located are well-formed and end where its type says. Types whose
 * data holds no name that could be compressed (RFC 3597 section 4 lists those that do) are not looked into. */
bool message_data_is_whole(const uint8_t *wire, const struct message_record *record);

/* The offsets of the record's names: its owner, and those in its data, which message_data_is_whole() accepted. Returns how many. */
#define MESSAGE_RECORD_NAMES 3
unsigned message_record_names(const uint8_t *wire, const struct message_record *record, size_t offsets[MESSAGE_RECORD_NAMES]);

#endif
