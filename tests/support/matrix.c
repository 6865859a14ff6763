/* Rows of the fault matrix. */
#include "support/matrix.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "state/control.h"

#define PATIENCE_MS 6000
#define END_MS      10000 /* a sanitizer looks for leaks at the end */
#define ROWS_MIN    40

void matrix_pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

bool matrix_hook(struct matrix *matrix, const char *stage, struct inject *with)
{
	int status = arena_hook(&matrix->arena, stage, with);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool supervisor_is_gone(struct matrix *matrix)
{
	pid_t supervisor = arena_supervisor(&matrix->arena);

	return !supervisor || waitpid(supervisor, NULL, WNOHANG) == supervisor || kill(supervisor, 0);
}

int matrix_names_wait(struct matrix *matrix)
{
	int waited_ms = 0, ms;

	for (; waited_ms < PATIENCE_MS; waited_ms += 500) {
		bool gone = supervisor_is_gone(matrix);

		ms = arena_allowed(&matrix->arena, 500);
		if (ms >= 0)
			return waited_ms + ms;
		if (gone)
			break;
	}
	return -1;
}

bool matrix_next_start_works(struct matrix *matrix)
{
	bool works;

	arena_container_make(&matrix->arena);
	works = matrix_hook(matrix, "createRuntime", NULL);
	if (works) {
		arena_container_go(&matrix->arena);
		works = arena_allowed(&matrix->arena, PATIENCE_MS) >= 0;
	}
	arena_container_end(&matrix->arena);
	return matrix_hook(matrix, "poststop", NULL) && arena_is_empty(&matrix->arena, END_MS) && works;
}

void matrix_row(struct matrix *matrix, const char *what, const char *came, unsigned left, const char *complaint)
{
	printf("%-62.62s | %-70.70s | %u left%s%s\n", what, came, left, *complaint ? " | WRONG: " : "", complaint);
	fflush(stdout);
	matrix->rows++;
	matrix->wrong += *complaint != '\0';
}

/* The life of a container that was let go. */
static unsigned life(struct matrix *matrix, const struct fault *fault, char *came, size_t size)
{
	int first_ms, again_ms;

	arena_container_go(&matrix->arena);
	arena_round_wait(&matrix->arena);
	first_ms = matrix_names_wait(matrix);
	if (first_ms < 0 || !fault->during) {
		snprintf(came, size, first_ms < 0 ? "shielded, no names until the next start" : "shielded, names after %d ms", first_ms);
		return first_ms < 0 ? MUTE : HOLDS;
	}
	matrix->arena.rig.proxy = arena_supervisor(&matrix->arena);
	fault->during();
	again_ms = matrix_names_wait(matrix);
	matrix->arena.rig.proxy = -1;
	snprintf(came, size, again_ms < 0 ? "shielded, no names any more until the next start" : "shielded, names again after %d ms",
		again_ms);
	return again_ms < 0 ? MUTE : HOLDS;
}

void matrix_try(struct matrix *matrix, const struct fault *fault, struct inject *with)
{
	unsigned left = arena_left(&matrix->arena), outcome;
	const char *complaint = "";
	char came[ARENA_SAID_MAX + 32];

	arena_container_make(&matrix->arena);
	if (fault->before)
		fault->before();
	if (matrix_hook(matrix, "createRuntime", with)) {
		outcome = life(matrix, fault, came, sizeof(came));
		if (!matrix->arena.count->tried)
			complaint = "its workload did nothing";
	} else {
		outcome = STOPS;
		snprintf(came, sizeof(came), "not started: %s",
			strncmp(matrix->arena.said, "terok-shield-hook: ", 19) ? matrix->arena.said : matrix->arena.said + 19);
	}
	arena_container_end(&matrix->arena);
	if (with && !arena_is_empty(&matrix->arena, END_MS))
		complaint = "a process was left behind";
	if (with)
		inject_stop(with);
	matrix_hook(matrix, "poststop", NULL);
	if (!arena_is_empty(&matrix->arena, END_MS))
		complaint = "a process was left behind";
	left = arena_left(&matrix->arena) - left;
	if (fault->after)
		fault->after();
	if (left)
		complaint = "it got out";
	else if (!(outcome & fault->may))
		complaint = "that is not how it may come out";
	else if (outcome != HOLDS && !matrix_next_start_works(matrix))
		complaint = "the next start does not work";
	matrix->stopped += outcome == STOPS;
	matrix->held += outcome == HOLDS;
	matrix->mute += outcome == MUTE;
	matrix_row(matrix, fault->what, came, left, complaint);
}

/* ---- what a fault does ---- */

void matrix_worker_kill(struct matrix *matrix, int signal)
{
	pid_t worker = rig_worker(&matrix->arena.rig);

	if (worker > 0) /* there may be none at the moment */
		kill(worker, signal);
}

void matrix_worker_retire(struct matrix *matrix)
{
	control_request(&matrix->arena.rig.bundle, "retire", 2000, NULL, NULL);
	matrix_pause_ms(50);
}

/* ---- the whole ---- */

const char *matrix_missing(void)
{
	return rig_missing() ?: inject_missing();
}

void matrix_make(struct matrix *matrix)
{
	const char *seed_text = getenv("SHIELD_SEED"), *full_text = getenv("SHIELD_FULL");
	unsigned seed = seed_text && *seed_text ? (unsigned)strtoul(seed_text, NULL, 10) : (unsigned)time(NULL);

	*matrix = (struct matrix){.full = full_text && *full_text};
	srandom(seed);
	printf("SHIELD_SEED=%u%s\n", seed, matrix->full ? " SHIELD_FULL=1" : "");
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("tmpfs", MATRIX_DISK, "tmpfs", 0, "size=4m,mode=755")) {
		fprintf(stderr, "matrix: a disk of its own: %s\n", strerror(errno));
		exit(1);
	}
	matrix->inject = inject_new();
	matrix->inject->roles[ARENA_HOOK] = "terok-shield-hook";
	matrix->inject->roles[ARENA_SUPERVISOR] = "terok-shield-supervisor";
	matrix->inject->roles[ARENA_WORKER] = "terok-shield-proxy";
	arena_make(&matrix->arena);
}

bool matrix_free(struct matrix *matrix)
{
	arena_free(&matrix->arena);
	printf("%u faults: %u did not start, %u were shielded and had their names, %u were shielded and had none; %u came out wrong\n",
		matrix->rows, matrix->stopped, matrix->held, matrix->mute, matrix->wrong);
	umount2(MATRIX_DISK, MNT_DETACH);
	return matrix->rows >= ROWS_MIN;
}
