/* What is counted and measured of the containers, in Prometheus' text exposition format (version 0.0.4): samples in, text out. Pure. */
#ifndef CLI_METRICS_H
#define CLI_METRICS_H

#include "base/text.h"
#include "cli/stats.h"
#include "fw/counters.h"
#include "policy/shield_state.h"

#define METRICS_LEARNED_SETS 4

/* The names of the learned sets, in the order of struct metrics_sample. */
extern const char *const metrics_learned_sets[METRICS_LEARNED_SETS];

/* One container. */
struct metrics_sample {
	char container[129];
	enum shield_state state;
	char problem[sizeof(((struct error *)NULL)->text)]; /* in error: why, "" otherwise */
	bool has_lists;
	size_t lists[BUNDLE_LIST_COUNT]; /* rules in each of the bundle's lists */
	bool looked;                     /* it runs, and what follows was read from the kernel */
	size_t learned[METRICS_LEARNED_SETS], learned_names;
	struct counters refused;
	bool up;          /* the forwarder's worker answers, and says: */
	char version[32]; /* "" when it is of a version that does not tell */
	unsigned restarts;
	struct stats stats;
};

/* The families in a fixed order, in each the containers in theirs. What a sample does not know is left out. version: of terok-shield. -ENOMEM. */
int metrics_render(struct text *output, const char *version, const struct metrics_sample *samples, size_t count);

/* The words of `stats` that have a name among the metrics, in order; NULL behind the last. For --json and for tests. */
const char *metrics_stat_key(size_t index);

/* The durations among the words of `stats`: NULL behind the last. */
const char *metrics_duration_key(size_t index);

/* The bound of a bucket line of a duration, in microseconds; 0 for any other line. */
uint64_t metrics_bucket_us(const struct stat_line *line, const char *duration);

#endif
