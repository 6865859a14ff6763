/* How long things took. */
#include "proxy/latency.h"

/* 1, 2.5, 5 from what the kernel's sets take to beyond what a question in flight may. */
const uint32_t latency_bounds_us[LATENCY_BUCKETS] = {
	10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
};

void latency_add(struct latency *latency, int64_t duration_ns)
{
	uint64_t ns = duration_ns > 0 ? (uint64_t)duration_ns : 0;
	unsigned bucket = 0;

	while (bucket < LATENCY_BUCKETS && ns > latency_bounds_us[bucket] * UINT64_C(1000))
		bucket++;
	latency->counts[bucket]++;
	latency->sum_ns += ns;
}
