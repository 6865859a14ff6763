/* The upstream that all candidates ask: answers any name at once, from its number. */
#ifndef BENCH_STUB_H
#define BENCH_STUB_H

#include <sys/types.h>

/* Starts it as a process that listens on 127.0.0.1 port BENCH_UPSTREAM_PORT, UDP and TCP, here and in the other network namespace. It ends with its parent. */
pid_t stub_start(int other_netns_fd);

#endif
