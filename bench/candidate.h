/* What is measured: the forwarder, the floor, the peers. One runs at a time, on port 53 of the rig's inside. */
#ifndef BENCH_CANDIDATE_H
#define BENCH_CANDIDATE_H

#include "bench.h"
#include "support/rig.h"

enum candidate_id {
	CANDIDATE_SHIELD,
	CANDIDATE_FLOOR,
	CANDIDATE_RELAY, /* the floor without set write */
	CANDIDATE_DNSMASQ,
	CANDIDATE_DNSMASQ_INTERVAL,
	CANDIDATE_SMARTDNS,
	CANDIDATE_UNBOUND,
	CANDIDATE_COUNT,
};

struct candidate {
	const char *name;          /* in results */
	const char *title;         /* for people */
	const char *program;       /* of a peer, looked up in PATH and the sbin folders; NULL: built beside this one */
	const char *package;       /* Debian's, for the message when it is missing */
	const char *configuration; /* in peers/ */
	bool writes_sets;
	bool forks;    /* a process for each TCP connection, whose processor time is not seen */
	bool bare;     /* a relay: no cache, no policy, no TCP, no IPv6, one address an answer */
	bool interval; /* the learned sets are interval sets for it, as most guides for such peers declare them, in place of our hash sets */
};

extern const struct candidate candidates[CANDIDATE_COUNT];

/* Whether it can be had here; a missing one is told on stderr. */
bool candidate_find(enum candidate_id id);

/* Starts it and waits until it answers. Returns its pid, or -1 after a message. */
pid_t candidate_start(struct rig *rig, enum candidate_id id);
void candidate_stop(struct rig *rig, pid_t pid);

/* Resident and proportional size of the process and all below it, in KiB. */
void candidate_memory(pid_t pid, double *rss_kib, double *pss_kib);
/* Binds the calling process, or the process and all below it with their threads, to one processor; or lets them run on all again. */
void candidate_bind_self(bool one);
void candidate_bind(pid_t pid, bool one);
/* Processor time of the process and all below it. */
uint64_t candidate_cpu_ns(pid_t pid);

#endif
