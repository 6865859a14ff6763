/* The client: asks a candidate, takes the time of each answer, and looks the addresses up in the kernel's set. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "bench.h"

#define LOAD_SAMPLES_MAX 65536

enum load_names {
	LOAD_NEW,     /* each name once */
	LOAD_CACHED,  /* LOAD_CACHED_NAMES names, asked before the clock starts */
	LOAD_REFUSED, /* names that nobody allows */
};
#define LOAD_CACHED_NAMES 1000

struct load {
	enum load_names names;
	unsigned in_flight; /* 1..64 */
	bool tcp;
	bool v6;           /* ask over ::1, for AAAA */
	bool many;         /* names with eight addresses */
	bool check;        /* look each address up at once (one in flight), or a sample of them at the end */
	bool bound;        /* the client on one processor, with stub and candidate */
	uint32_t first;    /* number of the first name */
	unsigned count;    /* names to ask, at most LOAD_SAMPLES_MAX */
	unsigned limit_ms; /* ends earlier then */
};

/* Shared memory between the client's process and this one. */
struct load_result {
	bool valid;
	double seconds;
	unsigned answered, lost, wrong, checked, missing;
	uint32_t samples_ns[LOAD_SAMPLES_MAX]; /* of each answer */
};

struct load_result *load_result_new(void);

/* Runs the client as a process of its own in the namespace and waits for it, at most limit_ms and a little. result->valid says whether it came to its end. */
void load_run(int netns_fd, const struct load *load, struct load_result *result);

/* Asks once by UDP: true when an answer came within timeout_ms. */
bool load_probe(int netns_fd, unsigned timeout_ms);

#endif
