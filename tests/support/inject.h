/* Faults for tests: one system call of a program fails, or the program is killed just before it.
 *
 * The program runs under ptrace(2) with all that it starts, so nothing is built in for it and every call that it makes counts, the
 * libraries' too. A call is named by the role of the program that makes it, its number, and how many of that number the role made
 * before; a child between fork and exec, and a thread, have the role of who started them. What is made fail does not happen. After that
 * everything runs on untraced. */
#ifndef TESTS_SUPPORT_INJECT_H
#define TESTS_SUPPORT_INJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define INJECT_ROLES_MAX   4
#define INJECT_NUMBERS_MAX 512 /* of system calls */
#define INJECT_SITES_MAX   16384
#define INJECT_KILL        0 /* instead of an errno */

struct inject_site {
	uint8_t role;     /* index into the names */
	uint16_t number;  /* of the system call */
	uint16_t ordinal; /* from 0 */
	uint32_t first;   /* lower half of its first argument; not asked when it is to fail */
};

/* Shared with the tracing process. */
struct inject {
	const char *roles[INJECT_ROLES_MAX]; /* names of programs, as executed; NULL-terminated when fewer */
	/* the order */
	bool armed; /* otherwise the calls are only recorded */
	struct inject_site site;
	int error; /* a positive errno, or INJECT_KILL */
	/* what happened */
	bool done;
	unsigned count; /* sites recorded, in the order of time */
	struct inject_site sites[INJECT_SITES_MAX];
	/* between the two processes */
	pid_t tracer; /* 0: none, or reaped */
	int status;
	bool ended;
};

/* Why this cannot be had here, or NULL. */
const char *inject_missing(void);

/* Memory for an order; the test program's until it ends. */
struct inject *inject_new(void);

/* Starts become(context), which executes a program, and traces it. */
void inject_start(struct inject *inject, void (*become)(void *context), void *context);
/* Waits until the program has ended, not what it started. Returns its wait(2) status. */
int inject_wait(struct inject *inject);
/* Lets everything run on untraced. What the program has left behind belongs to the nearest subreaper. */
void inject_stop(struct inject *inject);

/* The name of a system call, and an errno that it may well have. error: 0 for those that cannot fail and those that are not to. */
const char *inject_name(unsigned number, int *error);

#endif
