/* How long things took: counts in fixed buckets, for `stats`.
 *
 * The clock is read three times a turn of the loop, however many queries the turn serves: when its first query or answer comes up, when the kernel has acknowledged its
 * batch, and when its replies are sent. None of this is a system call where the vDSO has the clock. A duration is therefore too long by at most the turn that it began in,
 * and never too short. It counts from when the worker took the message: how long that lay in the socket before (while a worker was being replaced, say) is not in it.
 */
#ifndef PROXY_LATENCY_H
#define PROXY_LATENCY_H

#include <stdint.h>

#define LATENCY_BUCKETS 18 /* with an upper bound; one more takes the rest */

struct latency {
	uint64_t counts[LATENCY_BUCKETS + 1]; /* each of its bucket alone */
	uint64_t sum_ns;
};

/* The upper bounds, inclusive, in microseconds; rising. */
extern const uint32_t latency_bounds_us[LATENCY_BUCKETS];

/* A negative duration counts as none. */
void latency_add(struct latency *latency, int64_t duration_ns);

#endif
