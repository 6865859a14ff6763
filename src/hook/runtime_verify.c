/* Verifying before a start: see runtime_verify.h. */
#include "hook/runtime_verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "hook/oci_state.h"
#include "hook/program.h"

#define STATE_TIMEOUT_MS  10000
#define VERIFY_TIMEOUT_MS 90000 /* more than verify takes when nothing answers */

/* ---- programs ---- */

/* The real runtime with the caller's global options and another command. */
static int runtime_ask(
	const struct runtime_call *call, const char *real, char *const argv[], const char *const words[], struct text *output)
{
	size_t count = (size_t)call->command, extra = 0;
	char **arguments;
	int rc;

	while (words[extra])
		extra++;
	arguments = calloc(count + extra + 1, sizeof(*arguments));
	if (!arguments)
		return -ENOMEM;
	arguments[0] = (char *)real;
	for (size_t i = 1; i < count; i++)
		arguments[i] = argv[i];
	for (size_t i = 0; i < extra; i++)
		arguments[count + i] = (char *)words[i];
	rc = program_capture(arguments, false, STATE_TIMEOUT_MS, output);
	free(arguments);
	return rc;
}

/* ---- the container ---- */

static int state_read(
	const struct runtime_call *call, const char *real, char *const argv[], const char *id, struct oci_state *state, struct error *error)
{
	cleanup_text struct text json = {0};
	int rc = runtime_ask(call, real, argv, (const char *const[]){"state", id, NULL}, &json);

	if (rc != 0 || text_failed(&json) || json.length == 0)
		return error_set(error, EIO, "the runtime does not say what container it is to start");
	return oci_state_parse(state, json.data, json.length, error);
}

/* An installation has it in ../../bin, a build tree beside this program. */
static int verifier_find(char path[PATH_MAX], struct error *error)
{
	if (program_beside(path, "../../bin/terok-shield", NULL) == 0)
		return 0;
	return program_beside(path, "terok-shield", error);
}

static int shield_verify(const struct oci_state *state, struct error *error)
{
	const struct oci_annotations *annotations = &state->annotations;
	cleanup_text struct text output = {0};
	char program[PATH_MAX];
	int rc = verifier_find(program, error);

	if (rc)
		return rc;
	/* Whatever the annotations are, as options' values they are no options. */
	rc = program_capture((char *[]){program, "verify", "--starting", "--task-state-dir", (char *)annotations->state_dir,
				     "--container-id", (char *)annotations->name, NULL},
		true, VERIFY_TIMEOUT_MS, &output);
	if (rc == 0)
		return 0;
	if (!text_failed(&output) && output.length > 0)
		file_write_all(STDERR_FILENO, output.data, output.length);
	if (rc < 0)
		return error_errno(error, -rc, "the shield could not be verified");
	return error_set(error, EPERM,
		"the shield was verified and does not hold: the container is not started; podman stop it before it is started again");
}

int runtime_verify(const struct runtime_call *call, const char *real, int argc, char *const argv[], struct error *error)
{
	struct oci_state state;
	const char *id = argv[argc - 1];
	int rc;

	if (call->command && strcmp(argv[call->command], "run") == 0)
		return error_set(error, ENOTSUP, "`run` leaves no moment at which the shield could be verified: use create and start");
	if (call->action != RUNTIME_START)
		return 0;
	rc = state_read(call, real, argv, id, &state, error);
	if (!rc && !state.annotations.profiles)
		rc = error_set(
			error, EINVAL, "the container has no annotation terok.shield.profiles: there is no shield that could be verified");
	/* podman 5 takes a container whose start failed for one that is still to be started, until it is told to stop it. */
	if (!rc && state.pid == 0)
		return error_set(error, ESRCH, "the container has ended before it was started: podman stop it, then start it again");
	if (!rc)
		rc = shield_verify(&state, error);
	if (rc) {
		cleanup_text struct text nothing = {0};

		runtime_ask(call, real, argv, (const char *const[]){"kill", id, "KILL", NULL}, &nothing);
	}
	return rc;
}
