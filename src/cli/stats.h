/* What a forwarder's worker answers to `stats`: lines "KEY NUMBER". */
#ifndef CLI_STATS_H
#define CLI_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "state/bundle.h"

#define STATS_KEY_MAX 47
#define STATS_MAX     256

struct stats {
	struct stat_line {
		char key[STATS_KEY_MAX + 1];
		uint64_t number;
	} lines[STATS_MAX];
	size_t count; /* 0: it was not asked, or did not answer */
};

/* Asks. Errors: those of control_request(); -EPROTO. */
int stats_ask(const struct bundle *bundle, unsigned timeout_ms, struct stats *stats, struct error *error);

/* Takes an answer apart. -EPROTO for anything but such lines with words of [a-z0-9_], and for more than STATS_MAX. */
int stats_parse(struct stats *stats, const char *answer);

/* False when the worker does not say: it is of another version. */
bool stats_find(const struct stats *stats, const char *key, uint64_t *number);

#endif
