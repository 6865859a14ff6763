/* What the parts of the benchmark share: the names that are asked, and what one measurement comes to.
 *
 * A name is one letter and seven digits below bench.test: `a0000017.bench.test` has one address, `m0000017.bench.test` eight; both are made of the number,
 * so stub and client agree without a table. `x0000017.blocked.test` is what nobody allows.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "policy/addr.h"
#include "state/bundle.h"

#define BENCH_UPSTREAM_PORT  5301 /* as in peers/ *.conf */
#define BENCH_ADDRESSES_MANY 8
#define BENCH_DIGITS         7

/* The i-th address of a name. */
static inline struct addr bench_address(bool many, bool v6, uint32_t number, unsigned i)
{
	uint32_t value = many ? 0x28000000u + number * BENCH_ADDRESSES_MANY + i : 0x14000000u + number; /* 40.0.0.0, 20.0.0.0 */
	struct addr addr = {.family = v6 ? ADDR_V6 : ADDR_V4};
	uint8_t *at = addr.octets + (v6 ? 12 : 0);

	if (v6)
		memcpy(addr.octets, (const uint8_t[]){0x26, 0x20, 0, 0xbe}, 4);
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
	return addr;
}

/* One measurement, or the medians of several. A time that is not known is NAN. */
struct figures {
	double rate; /* answers a second */
	double p50_us, p90_us, p99_us, max_us;
	double cpu_us;                  /* processor time of the candidate, for each answer */
	unsigned answered, lost, wrong; /* lost: no answer in time; wrong: an answer that is not the right one */
	unsigned checked, missing;      /* addresses looked up in the kernel's set, and those not there */
};

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t bench_now_ns(void);

void __attribute__((noreturn, format(printf, 1, 2))) bench_die(const char *format, ...);

/* The settings and the policy of a bundle, as hook and forwarder read them; caller frees the policy. */
struct policy *bench_policy_load(const struct bundle *bundle);

#endif
