/* Joining the shield of a sandbox: see join.h. */
#include "hook/join.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fw/netns.h"
#include "fw/readback.h"
#include "hook/admit.h"
#include "hook/watchdog.h"
#include "state/audit.h"
#include "state/bundle.h"

#define LOCK_TIMEOUT_MS 3000
#define SHOWN(string)   text_escaped((char[256]){0}, 256, string)

struct joining {
	const struct oci_state *state;
	struct bundle bundle;
	struct bundle_identity identity;
	struct settings settings;
	struct policy *policy;
};

/* ---- the sandbox ---- */

static int bundle_admit(struct joining *joining, struct error *error)
{
	const struct oci_annotations *annotations = &joining->state->annotations;
	int rc = bundle_open(&joining->bundle, annotations->state_dir, error);

	if (rc)
		return rc;
	watchdog_report_to(joining->bundle.fd);
	rc = bundle_settings_read(&joining->bundle, &joining->identity, &joining->settings, error);
	if (rc)
		return rc;
	if (strcmp(joining->identity.container, annotations->sandbox) != 0 || strcmp(annotations->name, annotations->sandbox) != 0)
		return error_set(error, EPERM, "the state folder belongs to sandbox '%s', not to '%s'", SHOWN(joining->identity.container),
			SHOWN(annotations->sandbox));
	return 0;
}

static bool namespaces_equal(int one_fd, int other_fd)
{
	struct stat one, other;

	return fstat(one_fd, &one) == 0 && fstat(other_fd, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* Returns a descriptor of the namespace that both are in, for the caller to close, or a negative errno. */
static int namespace_open(const struct joining *joining, struct error *error)
{
	struct bundle_runtime runtime;
	cleanup_fd int sandbox_fd = -1;
	cleanup_fd int forwarder_fd = -1;
	cleanup_fd int shared_fd = -1;
	cleanup_fd int own_fd = -1;
	int rc = bundle_runtime_read(&joining->bundle, &runtime, error);

	if (rc)
		return rc == -ENOENT ? error_set(error, ESRCH, "the sandbox has no shield that runs: delete the pod") : rc;
	sandbox_fd = bundle_process_open(runtime.init_pid, runtime.init_start);
	forwarder_fd = bundle_process_open(runtime.proxy_pid, runtime.proxy_start);
	if (sandbox_fd < 0 || forwarder_fd < 0)
		return error_set(error, ESRCH, "the sandbox's %s is gone: delete the pod", sandbox_fd < 0 ? "process" : "forwarder");
	shared_fd = netns_open(runtime.init_pid, error);
	if (shared_fd < 0)
		return shared_fd;
	own_fd = netns_open(joining->state->pid, error);
	if (own_fd < 0)
		return own_fd;
	if (pidfd_send_signal(sandbox_fd, 0, NULL, 0) != 0) /* alive still: what was opened is its namespace */
		return error_set(error, ESRCH, "the sandbox has just ended");
	if (netns_is_own(own_fd) || !namespaces_equal(own_fd, shared_fd))
		return error_set(error, EPERM, "the container is not in the network namespace of its sandbox");
	return take_fd(own_fd);
}

static int rules_check(void *context, struct error *error)
{
	return readback_verify(context, error);
}

static int joining_check(struct joining *joining, struct error *error)
{
	struct ruleset ruleset = {.settings = &joining->settings};
	/* Whoever changes lists and rules does it under the lock. */
	cleanup_fd int lock_fd = bundle_lock(&joining->bundle, LOCK_TIMEOUT_MS, error);
	cleanup_fd int netns_fd = -1;
	int rc = lock_fd < 0 ? lock_fd : bundle_policy_load(&joining->bundle, &joining->identity.sums, &joining->policy, error);

	if (!rc)
		rc = bundle_state_read(&joining->bundle, &ruleset.state, error);
	if (rc)
		return rc;
	netns_fd = namespace_open(joining, error);
	if (netns_fd < 0)
		return netns_fd;
	ruleset.allowed = policy_allowed_nets(joining->policy);
	ruleset.denied = policy_denied_nets(joining->policy);
	rc = netns_run(netns_fd, rules_check, &ruleset, error);
	/* Of another release the rules are as good when they are the same ones. */
	if (rc && strcmp(joining->identity.version, SHIELD_VERSION) != 0)
		return error_prefix(error, "the sandbox was made by terok-shield %s and this is %s, whose rules differ; delete the pod",
			SHOWN(joining->identity.version), SHIELD_VERSION);
	return rc ? error_prefix(error, "the rules of the sandbox are not what they should be") : 0;
}

/* ---- the whole ---- */

static void failure_write(const struct joining *joining, const struct error *error)
{
	const struct audit_event event = {.action = "error", .detail = error->text};
	cleanup_text struct text line = {0};

	if (joining->bundle.fd < 0)
		return;
	text_addf(&line, "%s\n", error->text);
	if (!text_failed(&line))
		bundle_write(&joining->bundle, BUNDLE_HOOK_ERROR, line.data, line.length, NULL);
	if (joining->settings.audit)
		audit_write(&joining->bundle, joining->state->annotations.sandbox, &event);
}

int join(const struct oci_state *state, struct error *error)
{
	struct joining joining = {.state = state, .bundle = BUNDLE_INIT};
	struct oci_config config;
	int rc = state->pid > 0 ? 0 : error_set(error, EINVAL, "the container's state has no process id");

	settings_init(&joining.settings);
	if (!rc)
		rc = bundle_admit(&joining, error);
	if (!rc)
		rc = admit_container(&config, state->bundle, error);
	if (!rc)
		rc = joining_check(&joining, error);
	if (rc)
		failure_write(&joining, error);
	policy_free(joining.policy);
	bundle_identity_free(&joining.identity);
	bundle_close(&joining.bundle);
	return rc;
}
