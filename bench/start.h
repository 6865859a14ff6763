/* What is measured without a load: the hook, many containers, a large profile, and podman in the bed. Everything goes into the report. */
#ifndef BENCH_START_H
#define BENCH_START_H

#include <stdbool.h>

/* The createRuntime hook against `nft -f` of the same ruleset, `runs` times, with a profile of 200 entries; then `containers` hooks at once. */
void start_measure(unsigned runs, unsigned containers);
/* A profile of so many names in the forwarder's own loader. */
void start_profile(unsigned names);
/* bench/podman.sh in the bed: run, status, allow, deny, rules. Loud when there is no bed. */
void start_podman(bool quick);

#endif
