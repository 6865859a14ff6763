/* The learned elements of a listing: what the forwarder put into the kernel's sets. */
#ifndef CLI_LEARNED_H
#define CLI_LEARNED_H

#include "base/error.h"
#include "fw/setwriter.h"

struct learned {
	struct setwriter_element *list;
	size_t count, capacity;
};

/* From nft_list_json(): the elements of the four learned sets, sorted by name, address, port. A setwriter would list them
 * too, but it has to try the kernel out first, which a command that is run every two seconds should not. Free learned in either case.
 * Errors: -EPROTO when it is no listing; elements that are not understood are passed over and counted in *unknown. */
int learned_parse(struct learned *learned, const char *json, size_t *unknown, struct error *error);
void learned_free(struct learned *learned);

#endif
