/* DNS messages for tests, written from what people read: records in presentation format, through ldns, so that the tests do not
 * lean on the code they test. What ldns would not write is written octet by octet. */
#ifndef SUPPORT_WIRE_H
#define SUPPORT_WIRE_H

#include <stdbool.h> /* before ldns, which makes bool a signed char where it is not known yet */

#include <ldns/ldns.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"

enum wire_section {
	WIRE_QUESTION,
	WIRE_ANSWER,
	WIRE_AUTHORITY,
	WIRE_ADDITIONAL,
};

struct wire {
	size_t length;
	uint8_t octets[MESSAGE_MAX + 1024];
};

static inline void wire_add(struct wire *wire, const void *octets, size_t length)
{
	if (length > sizeof(wire->octets) - wire->length)
		abort();
	if (length) /* nothing may come from nowhere */
		memcpy(wire->octets + wire->length, octets, length);
	wire->length += length;
}

static inline void wire_add16(struct wire *wire, unsigned value)
{
	uint8_t octets[2];

	message_put16(octets, (uint16_t)value);
	wire_add(wire, octets, 2);
}

static inline void wire_add32(struct wire *wire, uint32_t value)
{
	uint8_t octets[4];

	message_put32(octets, value);
	wire_add(wire, octets, 4);
}

/* A header with no records. */
static inline void wire_start(struct wire *wire, unsigned id, unsigned flags)
{
	wire->length = 0;
	wire_add16(wire, id);
	wire_add16(wire, flags);
	wire_add(wire, (const uint8_t[8]){0}, 8);
}

/* One more record in the section, says the header. */
static inline void wire_count(struct wire *wire, enum wire_section section)
{
	uint8_t *at = wire->octets + 4 + 2 * section;

	message_put16(at, (uint16_t)(message_get16(at) + 1));
}

/* Presentation format, the case as it is. */
static inline void wire_add_name(struct wire *wire, const char *text)
{
	ldns_rdf *name = ldns_dname_new_frm_str(text);

	if (!name) {
		fprintf(stderr, "not a name: %s\n", text);
		abort();
	}
	wire_add(wire, ldns_rdf_data(name), ldns_rdf_size(name));
	ldns_rdf_deep_free(name);
}

static inline void wire_question(struct wire *wire, const char *name, unsigned type)
{
	wire_add_name(wire, name);
	wire_add16(wire, type);
	wire_add16(wire, MESSAGE_CLASS_IN);
	wire_count(wire, WIRE_QUESTION);
}

/* A record whose owner was just added. */
static inline void wire_rest(struct wire *wire, enum wire_section section, unsigned type, uint32_t ttl_s, const void *data, size_t length)
{
	wire_add16(wire, type);
	wire_add16(wire, MESSAGE_CLASS_IN);
	wire_add32(wire, ttl_s);
	wire_add16(wire, (unsigned)length);
	wire_add(wire, data, length);
	wire_count(wire, section);
}

static inline void wire_record(struct wire *wire, enum wire_section section, const char *owner, unsigned type, uint32_t ttl_s, const void *data, size_t length)
{
	wire_add_name(wire, owner);
	wire_rest(wire, section, type, ttl_s, data, length);
}

/* A line of a zone file. */
static inline void wire_line(struct wire *wire, enum wire_section section, const char *line)
{
	ldns_rr *record = NULL;
	uint8_t *octets = NULL;
	size_t length = 0;

	if (ldns_rr_new_frm_str(&record, line, 0, NULL, NULL) != LDNS_STATUS_OK || ldns_rr2wire(&octets, record, LDNS_SECTION_ANSWER, &length) != LDNS_STATUS_OK) {
		fprintf(stderr, "not a record: %s\n", line);
		abort();
	}
	wire_add(wire, octets, length);
	wire_count(wire, section);
	LDNS_FREE(octets);
	ldns_rr_free(record);
}

/* An OPT record: size, version, flags, options. */
static inline void wire_opt(struct wire *wire, unsigned size, unsigned version, unsigned flags, const void *options, size_t length)
{
	wire_add(wire, "", 1);
	wire_add16(wire, TYPE_OPT);
	wire_add16(wire, size);
	wire_add16(wire, version);
	wire_add16(wire, flags);
	wire_add16(wire, (unsigned)length);
	wire_add(wire, options, length);
	wire_count(wire, WIRE_ADDITIONAL);
}

/* A copy that ends where the message ends, so that a sanitizer sees the first octet behind. Caller frees. */
static inline uint8_t *wire_exact(const struct wire *wire)
{
	uint8_t *copy = malloc(wire->length ? wire->length : 1);

	if (!copy)
		abort();
	memcpy(copy, wire->octets, wire->length);
	return copy;
}

#endif
