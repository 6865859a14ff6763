/* A strict scanner of JSON text (RFC 8259): it checks the whole document and tells where in the text something stands, and makes no values.
 *
 * For whoever changes a document and leaves every other octet of it as it is: a JSON library keeps numbers as doubles, and would print
 * a limit of 2^64-1 as another number. A visitor is called at each member or element of the levels that it wants to see; below it calls
 * scan_value(). Keys and strings are to be compared after scan_decode(), as whoever reads the document will. Pure. */
#ifndef HOOK_SCAN_H
#define HOOK_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define SCAN_DEPTH_MAX 64 /* of nested arrays and objects */

struct scan {
	const char *at, *end;
	unsigned depth;
};

/* Called with the scan at a member's value; must scan it. key and its length: between the quotes, escapes as they are. */
typedef bool member_visitor(struct scan *scan, void *context, const char *key, size_t length);
/* The same for an element of an array. */
typedef bool element_visitor(struct scan *scan, void *context);

/* All return false where the text is not what it should be, with the scan at that place. visit: NULL to check only. */
bool scan_value(struct scan *scan);
bool scan_object(struct scan *scan, member_visitor *visit, void *context);
bool scan_array(struct scan *scan, element_visitor *visit, void *context);
/* text and length: between the quotes. */
bool scan_string(struct scan *scan, const char **text, size_t *length);
void scan_blanks(struct scan *scan);

static inline bool scan_is(const struct scan *scan, char character)
{
	return scan->at < scan->end && *scan->at == character;
}

/* Undoes the escapes of a string that was scanned; cut at size - 1. Characters above U+007F become '?': nothing we look for has one. */
void scan_decode(const char *text, size_t length, char *buffer, size_t size);

#endif
