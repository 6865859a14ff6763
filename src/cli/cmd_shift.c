/* up, down, block and learn: one transaction from one state to another, read back, with the learned elements kept.
 *
 * Theory of operation. Under the bundle's lock the wanted state is written, then the kernel is changed and verified. If the kernel
 * step fails the wanted state is put back. The forwarder is told last: when it opens (down) the rules are open already, when it
 * closes (up, block) they are closed already. Rules and sets are made from all records, and the forwarder reads all lists: so whatever
 * an earlier command left half done when it was killed is done with this.
 *
 * Learning is the state `down` with a word of its own in the bundle: kernel and forwarder do the same, and it is written down why. Each of
 * the other commands writes another word, so each ends it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/container.h"
#include "cli/inside.h"
#include "fw/shift.h"

static int kernel_work(void *context, struct text *output, struct error *error)
{
	(void)output;
	return shift_to(context, error);
}

/* What is written down as wanted. */
struct wanted {
	enum shield_state state;
	bool learns; /* with SHIELD_DOWN only */
};

static int wanted_write(const struct container *container, const struct wanted *wanted, struct error *error)
{
	return wanted->learns ? bundle_learning_write(&container->bundle, error)
			      : bundle_state_write(&container->bundle, wanted->state, error);
}

/* What closes the shield. */
static bool closes(const struct wanted *wanted)
{
	return wanted->state == SHIELD_UP || wanted->state == SHIELD_BLOCK;
}

static int kernel_shift(const struct container *container, enum shield_state state, struct error *error)
{
	cleanup_policy struct policy *policy = NULL;
	struct ruleset ruleset;
	int rc = container_ruleset(container, &ruleset, &policy, error);
	if (rc)
		return rc;
	ruleset.state = state;
	return inside_run(&container->runtime, kernel_work, &ruleset, NULL, error);
}

/* A state file that cannot be read does not keep `up` and `block` from closing the shield. */
static int wanted_before(const struct container *container, const struct wanted *wanted, struct wanted *old, struct error *error)
{
	struct error unreadable = {0};
	*old = (struct wanted){.state = SHIELD_UP, .learns = bundle_learns(&container->bundle)};
	int rc = bundle_state_read(&container->bundle, &old->state, &unreadable);
	if (rc && !closes(wanted))
		return error_set(error, unreadable.code, "%s", unreadable.text);
	if (rc)
		*old = (struct wanted){.state = SHIELD_UP};
	return 0;
}

static int shift(const struct container *container, const struct wanted *wanted, struct error *error)
{
	struct wanted old;
	cleanup_fd int lock_fd = container_lock(container, error);
	if (lock_fd < 0)
		return lock_fd;
	int rc = wanted_before(container, wanted, &old, error);
	if (!rc)
		rc = wanted_write(container, wanted, error);
	if (rc || !container->running)
		return rc;
	rc = kernel_shift(container, wanted->state, error);
	if (rc) {
		bool restored = wanted_write(container, &old, NULL) == 0;
		return error_prefix(error, "the shield of %s could not be changed%s", container->identity.container,
			restored ? "" : ", and its next start would be in the new state");
	}
	rc = container_tell(container, wanted->state, NULL, error);
	return rc ? error_prefix(error, "the rules are changed, but the forwarder was not told") : 0;
}

/* The hub knows no word for `block`. */
static void shift_announce(const struct container *container, enum shield_state state)
{
	static const char *const types[] = {
		[SHIELD_UP] = "shield_up", [SHIELD_DOWN] = "shield_down", [SHIELD_DOWN_ALL] = "shield_down_all", [SHIELD_BLOCK] = NULL};
	if (types[state])
		container_announce(container, types[state]);
}

static enum command_exit shift_opened(
	const struct container *container, const struct wanted *wanted, const char *action, const char *detail, struct error *error)
{
	if (!container->running && !closes(wanted)) {
		error_set(error, ESRCH, "%s does not run; only a running container's shield is taken down", container->identity.container);
		return COMMAND_FAILED;
	}
	if (shift(container, wanted, error))
		return COMMAND_FAILED;
	container_audit(container, action, NULL, detail);
	shift_announce(container, wanted->state);
	if (!container->running)
		fprintf(stderr, "note: %s does not run; it holds from its next start\n", container->identity.container);
	return COMMAND_DONE;
}

static enum command_exit shift_run(const struct command_options *options, enum shield_state state, const char *action, const char *detail,
	struct container *container, struct error *error)
{
	if (container_open(container, options, error))
		return COMMAND_FAILED;
	return shift_opened(container, &(struct wanted){.state = state}, action, detail, error);
}

enum command_exit cmd_up(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	enum command_exit code = shift_run(options, SHIELD_UP, "shield_up", NULL, &container, error);
	if (code == COMMAND_DONE)
		printf("Shield up for %s\n", container.identity.container);
	return code;
}

enum command_exit cmd_down(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	enum command_exit code = shift_run(options, options->all ? SHIELD_DOWN_ALL : SHIELD_DOWN, "shield_down",
		options->all ? "all traffic" : NULL, &container, error);
	if (code == COMMAND_DONE)
		printf("Shield down for %s%s\n", container.identity.container, options->all ? " (all traffic)" : "");
	return code;
}

enum command_exit cmd_block(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	enum command_exit code = shift_run(options, SHIELD_BLOCK, "shield_block", NULL, &container, error);
	if (code == COMMAND_DONE)
		printf("Shield BLOCKED for %s \u2014 all traffic dropped\n", container.identity.container);
	return code;
}

static enum command_exit learn_begin(const struct container *container, struct error *error)
{
	const struct wanted wanted = {.state = SHIELD_DOWN, .learns = true};
	enum command_exit code = shift_opened(container, &wanted, "shield_down", "learning", error);
	if (code == COMMAND_DONE)
		printf("Shield down for %s (learning)\n", container->identity.container);
	return code;
}

/* One that is down for another reason stays so: its user said that, and not this. */
static enum command_exit learn_end(const struct container *container, struct error *error)
{
	if (!bundle_learns(&container->bundle)) {
		printf("%s does not learn\n", container->identity.container);
		return COMMAND_DONE;
	}
	enum command_exit code = shift_opened(container, &(struct wanted){.state = SHIELD_UP}, "shield_up", "learning ended", error);
	if (code == COMMAND_DONE)
		printf("Shield up for %s\n", container->identity.container);
	return code;
}

enum command_exit cmd_learn(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	if (container_open(&container, options, error))
		return COMMAND_FAILED;
	return strcmp(options->operands[0], "on") == 0 ? learn_begin(&container, error) : learn_end(&container, error);
}
