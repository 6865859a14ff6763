/* How many packets the rules of the table have counted, by chain. */
#ifndef FW_COUNTERS_H
#define FW_COUNTERS_H

#include <stdint.h>

#include "base/error.h"

/* The chains whose counters tell that a packet was refused: the last one is output itself, whose only counting rule is that of `block`. */
enum counters_chain {
	COUNTERS_DENIED,
	COUNTERS_PRIVATE,
	COUNTERS_BLOCKED,
	COUNTERS_OUTPUT,
};
#define COUNTERS_CHAINS 4

struct counters {
	uint64_t packets[COUNTERS_CHAINS];
};

const char *counters_chain_name(enum counters_chain chain);

/* json: of nft_list_json_counters(). What does not count in a chain of ours is passed over. Errors: -EBADMSG when it is no listing. */
int counters_parse(struct counters *counters, const char *json, struct error *error);

/* Reads them in the network namespace of the calling thread. All are 0 without the table. */
int counters_read(struct counters *counters, struct error *error);

#endif
