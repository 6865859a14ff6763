/* The learned elements: what the forwarder put into the kernel's sets. */
#ifndef CLI_LEARNED_H
#define CLI_LEARNED_H

#include "base/error.h"
#include "base/text.h"
#include "fw/setwriter.h"

struct learned {
	struct setwriter_element *list;
	size_t count;
};

/* Reads the kernel's four learned sets in the network namespace of the calling thread and adds them to packed, for learned_unpack() in
 * the process that waits outside. */
int learned_pack(struct text *packed, struct error *error);
/* The same, for who does it again and again: *reader is NULL at first, and stays open; close it with setwriter_close(). */
int learned_pack_kept(struct setwriter **reader, struct text *packed, struct error *error);

/* Takes apart what learned_pack() wrote; sorted by name, address, port. Free learned in either case. */
int learned_unpack(struct learned *learned, const char *packed, size_t length, struct error *error);
void learned_free(struct learned *learned);

/* The order of learned_unpack(), for bsearch(3) and the like. */
int learned_compare(const void *element, const void *other);

/* The name of the set that an element is in. */
const char *learned_set(const struct setwriter_element *element);

#endif
