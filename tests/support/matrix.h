/* The fault matrix: rows of a fault and what came of it, tried in support/arena.h and printed.
 *
 * Each row is a container that attacks from its first moment to its last, and one fault: in the bundle, in a program, in what the machine
 * has, in one system call, or a process that is killed. In no row does a packet leave towards what is forbidden, nor a name; the judge is
 * outside. A container that could not be shielded did not start, and the next start without the fault works. One that started has its
 * allowed names, again by itself after what can be mended while it runs.
 *
 * SHIELD_FULL in the environment: everything that can be tried; SHIELD_SEED repeats a draw. */
#ifndef TESTS_SUPPORT_MATRIX_H
#define TESTS_SUPPORT_MATRIX_H

#include "support/arena.h"

#define MATRIX_DISK "/run" /* a tmpfs of the test's own, where the bundle is */

/* How a row may come out. */
#define STOPS 1u /* the container does not start */
#define HOLDS 2u /* it starts and has its names, in the end */
#define MUTE  4u /* it starts, and has no names until its next start */

struct matrix {
	struct arena arena;
	struct inject *inject;
	bool full;
	unsigned rows, stopped, held, mute;
	unsigned wrong; /* rows that came out as they must not */
};

/* Functions may be NULL. */
struct fault {
	const char *what;
	void (*before)(void); /* the start */
	void (*during)(void); /* its life, when it has its names */
	void (*after)(void);  /* it: mends */
	unsigned may;         /* come out so */
};

/* Why it cannot be tried here, or NULL. */
const char *matrix_missing(void);
/* Makes the arena, on a disk of its own. */
void matrix_make(struct matrix *matrix);
/* Prints the sum. False when there were fewer than forty rows. */
bool matrix_free(struct matrix *matrix);

/* Tries a fault, and prints its row. with: NULL, or the call that fails or the moment of a kill, in the hook's start and all that comes of
 * it. */
void matrix_try(struct matrix *matrix, const struct fault *fault, struct inject *with);
/* Prints a row. complaint: "", or what is wrong with it. */
void matrix_row(struct matrix *matrix, const char *what, const char *came, unsigned left, const char *complaint);
/* A container without a fault is shielded, has its names, and leaves nothing behind. */
bool matrix_next_start_works(struct matrix *matrix);
/* Waits until the container has its names, not at all when its supervisor is gone. Returns the milliseconds, or -1. */
int matrix_names_wait(struct matrix *matrix);
/* Whether the hook ended with 0. */
bool matrix_hook(struct matrix *matrix, const char *stage, struct inject *with);

/* What a fault does: to the worker of the moment, if there is one; to the supervisor of the row. */
void matrix_worker_kill(struct matrix *matrix, int signal);
void matrix_worker_retire(struct matrix *matrix);

void matrix_pause_ms(unsigned ms);

#endif
