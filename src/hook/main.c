/* terok-shield-hook STAGE: called by the OCI runtime (crun, runc, youki) with the container's state as JSON on stdin. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "hook/create_runtime.h"
#include "hook/join.h"
#include "hook/oci_state.h"
#include "hook/poststop.h"
#include "hook/watchdog.h"

#define HEAP_STEP  (4 << 20) /* octets by which the heap grows */
#define DEADLINE_S 15 /* shorter than the time the runtime gives the hook: then the reason gets written */

/* libnftables takes and returns a megabyte and a half in pieces of all sizes, once to apply the rules and once to list them: one heap, that keeps what is
 * freed, since the first touch of each page costs the kernel some microseconds. */
static void heap_settle(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, HEAP_STEP);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_MMAP_THRESHOLD, 2 * HEAP_STEP);
}

static int create_or_join(const struct oci_state *state, struct error *error)
{
	return *state->annotations.sandbox ? join(state, error) : create_runtime(state, error);
}

static const struct {
	const char *name;
	int (*run)(const struct oci_state *state, struct error *error);
} stages[] = {
	{"createRuntime", create_or_join},
	{"poststop", poststop},
};

/* Nothing of the caller's reaches what we start: neither variables nor descriptors. */
static void environment_settle(void)
{
	int null_fd;

	do
		null_fd = open("/dev/null", O_RDWR); /* for the standard streams that are closed */
	while (null_fd >= 0 && null_fd <= STDERR_FILENO);
	if (null_fd < 0 || close_range(STDERR_FILENO + 1, ~0u, 0) != 0 || clearenv() != 0 ||
		setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1) != 0) {
		perror("terok-shield-hook: cannot settle the environment");
		exit(1);
	}
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	watchdog_start(DEADLINE_S);
}

static int stage_run(const char *name, struct error *error)
{
	cleanup_free char *json = NULL;
	static struct oci_state state;
	size_t length;
	int rc;

	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++) {
		if (strcmp(name, stages[i].name) != 0)
			continue;
		rc = file_read_fd(STDIN_FILENO, OCI_STATE_MAX, &json, &length);
		if (rc)
			return error_errno(error, -rc, "cannot read the container's state from standard input");
		rc = oci_state_parse(&state, json, length, error);
		return rc ? rc : stages[i].run(&state, error);
	}
	return error_set(error, EINVAL, "the stage is none of createRuntime and poststop");
}

int main(int argc, char **argv)
{
	struct error error = {0};

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("terok-shield-hook " SHIELD_VERSION);
		return 0;
	}
	if (argc != 2) {
		fputs("usage: terok-shield-hook createRuntime|poststop <STATE.json\n", stderr);
		return 2;
	}
	heap_settle();
	environment_settle();
	if (stage_run(argv[1], &error) == 0)
		return 0;
	fprintf(stderr, "terok-shield-hook: %s\n", error.text);
	return 1;
}
