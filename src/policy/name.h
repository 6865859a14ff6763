/* Domain names in their canonical wire form: uncompressed, ASCII letters lowered, with the root label. */
#ifndef POLICY_NAME_H
#define POLICY_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_WIRE_MAX 255  /* RFC 1035 section 3.1, the root label's zero octet counted */
#define NAME_LABEL_MAX 63
#define NAME_TEXT_MAX 1009 /* 252 octets, each \DDD, and a NUL */

struct name {
	uint8_t length; /* 1..255 */
	uint8_t wire[NAME_WIRE_MAX];
};

/* Presentation format (RFC 1035 section 5.1, RFC 4343): labels separated by dots, one dot at the end allowed, \DDD and \X
 * escapes. "." is the root. Any octet is a legal label octet here; what a profile may hold is rule.h's business.
 * Errors: -EINVAL (empty label, bad escape, label over 63, name over 255 octets). */
int name_from_text(struct name *name, const char *text, size_t length);

/* Uncompressed wire form, lowered on the way. Errors: -EINVAL (pointer or over-long label, name cut short,
 * octets behind the root label). */
int name_from_wire(struct name *name, const uint8_t *wire, size_t length);

/* Presentation format without the dot at the end ("." for the root). Letters, digits, '-', '_' stay; every other octet
 * becomes \DDD, so the result is safe in a log, on a terminal and in nft's comment. text has NAME_TEXT_MAX
 * octets. Returns the length without the NUL. */
size_t name_to_text(const struct name *name, char text[NAME_TEXT_MAX]);

/* The number of labels, the root label not counted. */
unsigned name_label_count(const struct name *name);

bool name_equal(const struct name *a, const struct name *b);

/* True when name is parent or lies below it. Everything is below the root. */
bool name_is_within(const struct name *name, const struct name *parent);

#endif
