/* verify: what holds of a running container's shield, seen from outside and tried inside.
 *
 * Theory of operation. The bundle says what is to hold: lists, settings, state. It is locked meanwhile, so that nobody changes what is
 * being compared. A child inside the container's network namespace reads the kernel's tables, has an unprivileged child of its own send
 * the probes, and reads the counters around them; the rest is looked at from outside. Every check starts as "not tried", which counts:
 * whatever goes wrong on the way makes no check good. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/checks.h"
#include "cli/container.h"
#include "cli/inside.h"
#include "cli/learned.h"
#include "cli/outside.h"
#include "cli/probe.h"
#include "fw/counters.h"
#include "fw/readback.h"

#define XTABLES_MAX 65536

struct verification {
	const struct container *container;
	const struct ruleset *ruleset;
	const struct policy *policy;
};

/* ---- inside, with privileges: the kernel's tables ---- */

static void table_check(const struct ruleset *ruleset, struct checks *checks)
{
	static const char *const fine[VERIFY_KINDS] = {[VERIFY_TABLE] = "table inet terok_shield is there, with nothing unknown in it",
		[VERIFY_CHAINS] = "the chains have the hooks, priorities and policies of the state",
		[VERIFY_SETS] = "the sets are declared as they must be",
		[VERIFY_RULES] = "the rules are those of settings and state, in their order",
		[VERIFY_ELEMENTS] = "the allow and deny sets hold what the lists say"};
	struct error differences[VERIFY_KINDS] = {0}, error = {0};
	int rc = readback_each(ruleset, differences, &error);
	if (rc)
		checks_set(checks, CHECK_TABLE, rc == -ENOENT ? CHECK_FAILED : CHECK_UNKNOWN, "%s", error.text);
	for (unsigned kind = 0; kind < VERIFY_KINDS; kind++) {
		enum check_id id = (enum check_id)(CHECK_TABLE + kind);
		if (rc)
			checks_set(checks, id, CHECK_UNKNOWN, "the table could not be read");
		else if (differences[kind].code)
			checks_set(checks, id, CHECK_FAILED, "%s", differences[kind].text);
		else
			checks_set(checks, id, CHECK_OK, "%s", fine[kind]);
	}
}

/* The older kind of tables: a line for each one that is in use. The file is not there where the kernel has none. */
static void xtables_check(const char *name, struct checks *checks)
{
	cleanup_free char *content = NULL;
	char path[64], shown[128];
	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", name);
	int rc = file_read(AT_FDCWD, path, XTABLES_MAX, &content, NULL);
	if (rc == -ENOENT)
		return;
	if (rc)
		checks_set(checks, CHECK_OTHER_TABLES, CHECK_UNKNOWN, "cannot read %s: %s", path, strerror(-rc));
	else if (*content)
		checks_set(checks, CHECK_OTHER_TABLES, CHECK_FAILED, "there are tables of iptables, whose rules are not looked at (%s: %s)",
			name, text_escaped(shown, sizeof(shown), content));
}

/* None can make pass what ours refuses; but one may redirect, mark or untrack a packet before ours sees it. */
static void other_tables_check(struct checks *checks)
{
	cleanup_text struct text names = {0};
	struct error error = {0};
	if (readback_other_tables(&names, &error)) {
		checks_set(checks, CHECK_OTHER_TABLES, CHECK_UNKNOWN, "%s", error.text);
		return;
	}
	if (names.length > 0)
		checks_set(checks, CHECK_OTHER_TABLES, CHECK_FAILED, "there is another table, whose rules are not looked at: %.*s",
			(int)strcspn(names.data, "\n"), names.data);
	xtables_check("ip_tables_names", checks);
	xtables_check("ip6_tables_names", checks);
	checks_set(checks, CHECK_OTHER_TABLES, CHECK_OK, "there is no other");
}

static bool tables_hold(const struct checks *checks)
{
	for (unsigned id = CHECK_TABLE; id <= CHECK_ELEMENTS; id++) {
		if (checks->list[id].verdict != CHECK_OK)
			return false;
	}
	return true;
}

/* ---- inside: trying ---- */

static int plan_make(const struct verification *verification, const struct checks *checks, struct probe_plan *plan, struct error *error)
{
	cleanup_text struct text packed = {0};
	struct learned learned = {0};
	uint8_t random[PROBE_RANDOM_SIZE];
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return error_errno(error, errno, "no random numbers");
	/* Without the table nothing has been learned either. */
	int rc = learned_pack(&packed, error);
	if (rc == -ENOENT)
		rc = 0;
	else if (!rc)
		rc = learned_unpack(&learned, packed.data ? packed.data : "", packed.length, error);
	struct why_view view = {.policy = verification->policy,
		.settings = verification->ruleset->settings,
		.state = verification->ruleset->state,
		.learned = &learned};
	if (!rc && probe_plan_make(plan, &view, tables_hold(checks), random))
		rc = error_set(error, ENOMEM, "out of memory");
	learned_free(&learned);
	return rc;
}

static int probe(const struct verification *verification, struct checks *checks, struct error *error)
{
	struct probe_outcome outcomes[PROBE_COUNT];
	struct counters before, after;
	struct probe_plan plan;
	int rc = plan_make(verification, checks, &plan, error);
	if (!rc)
		rc = counters_read(&before, error);
	if (!rc)
		rc = probe_run(&plan, outcomes, error);
	if (!rc)
		rc = counters_read(&after, error);
	if (!rc)
		probe_plan_judge(&plan, outcomes, &before, &after, checks);
	return rc;
}

static int inside_work(void *context, struct text *output, struct error *error)
{
	const struct verification *verification = context;
	struct checks checks = {0};
	struct error failed = {0};
	(void)error; /* what fails here is a check's verdict */
	table_check(verification->ruleset, &checks);
	other_tables_check(&checks);
	outside_check_resolv_conf(verification->container, &checks);
	if (probe(verification, &checks, &failed)) {
		for (unsigned id = CHECK_INSIDE; id < CHECK_COUNT; id++)
			checks_set(&checks, id, CHECK_UNKNOWN, "%s", failed.text);
	}
	text_add_bytes(output, &checks, sizeof(checks));
	return 0;
}

/* ---- the whole ---- */

static int inside_check(const struct verification *verification, struct checks *checks, struct error *error)
{
	cleanup_text struct text output = {0};
	struct error failed = {0};
	int rc = inside_run(&verification->container->runtime, inside_work, (void *)verification, &output, &failed);
	if (rc == -ESRCH)
		return error_set(error, ESRCH, "the container does not run any more");
	if (!rc && output.length == sizeof(*checks)) {
		memcpy(checks, output.data, sizeof(*checks));
		return 0;
	}
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		if (id <= CHECK_OTHER_TABLES || id == CHECK_RESOLV_CONF || id >= CHECK_INSIDE)
			checks_set(checks, id, CHECK_UNKNOWN, "%s", rc ? failed.text : "the look inside was cut short");
	}
	return 0;
}

/* Nobody may be looking: a start by podman itself, or by a script. */
static void failure_audit(const struct container *container, const struct checks *checks)
{
	for (unsigned id = 0; id < CHECK_COUNT; id++) {
		const struct check *check = &checks->list[id];
		char detail[sizeof(check->reason) + 64];
		if (check->verdict == CHECK_OK || check->verdict == CHECK_NEEDLESS)
			continue;
		snprintf(detail, sizeof(detail), "verify: %s: %s", check_name(id), check->reason);
		container_audit(container, "error", NULL, detail);
		return;
	}
}

static int verify(const struct container *container, const struct command_options *options, struct checks *checks, enum shield_state *state,
	struct error *error)
{
	cleanup_policy struct policy *policy = NULL;
	struct ruleset ruleset;
	cleanup_fd int lock_fd = container_lock(container, error);
	if (lock_fd < 0)
		return lock_fd;
	int rc = container_ruleset(container, &ruleset, &policy, error);
	if (rc)
		return rc;
	struct verification verification = {.container = container, .ruleset = &ruleset, .policy = policy};
	*state = ruleset.state;
	rc = inside_check(&verification, checks, error);
	if (rc)
		return rc;
	outside_check_forwarder(container, checks);
	outside_check_capabilities(container, checks);
	outside_check_next_start(container, options, options->starting, checks);
	return 0;
}

enum command_exit cmd_verify(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	struct checks checks = {0};
	enum shield_state state;
	if (container_open(&container, options, error))
		return COMMAND_FAILED;
	if (!container.running) {
		error_set(error, ESRCH, "%s does not run: there is nothing to verify", container.identity.container);
		return COMMAND_FAILED;
	}
	if (verify(&container, options, &checks, &state, error))
		return COMMAND_FAILED;
	bool holds = checks_hold(&checks);
	if (!holds)
		failure_audit(&container, &checks);
	if (!options->json)
		checks_print(&checks, container.identity.container, shield_state_name(state));
	else if (checks_print_json(&checks, container.identity.container, shield_state_name(state), error))
		return COMMAND_FAILED;
	return holds ? COMMAND_DONE : COMMAND_FAILED;
}
