/* The createRuntime stage.
 *
 * Theory of operation. The order is by what must be known before what, and so that the forwarder starts while the rules are made:
 *
 *	admit		annotations and bundle agree; the container has nothing that undoes a shield
 *	namespace	a pidfd of the init, its network namespace; neither is the host's nor used by another shield
 *	forwarder	started, gets ready meanwhile
 *	rules		rendered from the bundle, applied in one transaction, read back, compared
 *	records		ruleset.nft, runtime.json, container.id
 *	ready		the forwarder says so
 *
 * The bundle's lock is held from before its lists are read until runtime.json is there: whoever changes a list before has it
 * in the rules, whoever does after finds a container that runs. It is not held while the forwarder is waited for.
 *
 * Failure. Any error ends the forwarder, removes runtime.json, and makes the hook exit 1: the runtime then removes the container,
 * whose workload never ran. Rules that were applied stay, since a namespace can outlive its container (a pod) and rules without a
 * forwarder only refuse more. When they are not what they should be, they are replaced by those of `block`. A watchdog ends the hook
 * itself; a forwarder then ends with the init's death.
 *
 * The threat. The annotations may be anybody's, the bundle may have been tampered with by another user, the container's options
 * may undo the shield.
 */
#include "hook/create_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "fw/netns.h"
#include "fw/nft.h"
#include "fw/ruleset.h"
#include "fw/verify.h"
#include "hook/admit.h"
#include "hook/forwarder.h"
#include "hook/watchdog.h"
#include "state/audit.h"
#include "state/bundle.h"

#define LOCK_TIMEOUT_MS           3000
#define READY_TIMEOUT_MS          5000
#define OLD_FORWARDER_PATIENCE_MS 500
#define NOTES_MAX                 64  /* audit lines about wide networks */
#define LARGE_PREFIX_V4           16u /* shorter ones are noted */
#define LARGE_PREFIX_V6           32u
#define SHOWN(string)             text_escaped((char[256]){0}, 256, string)

/* What has been acquired so far. */
struct creation {
	const struct oci_state *state;
	struct bundle bundle;
	struct bundle_identity identity;
	struct settings settings;
	struct policy *policy;
	struct ruleset ruleset;
	struct text commands; /* the ruleset as text */
	int lock_fd, init_fd, netns_fd;
	struct forwarder forwarder;
	struct bundle_runtime runtime;
	bool recorded; /* runtime.json is ours */
};

/* ---- admit ---- */

static int bundle_admit(struct creation *creation, struct error *error)
{
	const struct oci_annotations *annotations = &creation->state->annotations;
	int rc;

	if (!annotations->profiles)
		return error_set(error, EINVAL, "the container has no annotation terok.shield.profiles: the hook was called by mistake");
	if (!*annotations->state_dir || !*annotations->name || !*annotations->version)
		return error_set(error, EINVAL,
			"the annotations terok.shield.state_dir, .name and .version are not all there: use terok-shield run");
	rc = bundle_open(&creation->bundle, annotations->state_dir, error);
	if (rc)
		return rc;
	watchdog_report_to(creation->bundle.fd);
	rc = bundle_remove(&creation->bundle, BUNDLE_HOOK_ERROR, error);
	if (rc)
		return rc;
	if (strcmp(annotations->version, SHIELD_VERSION) != 0)
		return error_set(error, EPROTO,
			"the container was made for terok-shield %s and this is %s: remove it and use terok-shield run again",
			SHOWN(annotations->version), SHIELD_VERSION);
	rc = bundle_settings_read(&creation->bundle, &creation->identity, &creation->settings, error);
	if (rc)
		return rc;
	if (strcmp(creation->identity.container, annotations->name) != 0)
		return error_set(error, EPERM, "the state folder belongs to container '%s', not to '%s'",
			SHOWN(creation->identity.container), SHOWN(annotations->name));
	if (strcmp(creation->identity.version, annotations->version) != 0)
		return error_set(error, EPROTO,
			"the state folder was written by terok-shield %s, the container by %s: remove it and use terok-shield run again",
			SHOWN(creation->identity.version), SHOWN(annotations->version));
	return 0;
}

/* ---- namespace ---- */

static int port_probe(void *context, struct error *error)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(RULESET_DNS_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cleanup_fd int probe_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)context;
	/* Other failures (a loopback interface that is still down) are the forwarder's to judge. */
	if (probe_fd >= 0 && bind(probe_fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno == EADDRINUSE)
		return error_set(error, EADDRINUSE,
			"port 53 in the container's network namespace is taken, by a DNS server or another shield: do not share it");
	return 0;
}

static int namespace_open(struct creation *creation, struct error *error)
{
	pid_t pid = creation->state->pid;

	if (pid <= 0)
		return error_set(error, EINVAL, "the container's state has no process id");
	creation->init_fd = pidfd_open(pid, 0);
	if (creation->init_fd < 0)
		return error_errno(error, errno, "cannot open the container's process %d", (int)pid);
	creation->netns_fd = netns_open(pid, error);
	if (creation->netns_fd < 0)
		return creation->netns_fd;
	/* Alive still: the namespace is the one of this process, not of a later one with its number. */
	if (pidfd_send_signal(creation->init_fd, 0, NULL, 0) != 0)
		return error_errno(error, errno, "the container's process %d is gone", (int)pid);
	if (netns_is_own(creation->netns_fd))
		return error_set(error, EPERM,
			"the container shares the host's network, where a shield would close the host's own: leave out --network host");
	creation->runtime.init_pid = pid;
	strcpy(creation->runtime.container_id, creation->state->id);
	return bundle_process_start(pid, &creation->runtime.init_start)
		       ? error_set(error, ESRCH, "the container's process %d is gone", (int)pid)
		       : 0;
}

/* Of an earlier container of this bundle, or of this one when the hook is called twice. */
static int predecessor_end(struct creation *creation, struct error *error)
{
	struct bundle_runtime old;
	struct error unreadable = {0};
	cleanup_fd int init_fd = -1;
	cleanup_fd int proxy_fd = -1;
	int rc = bundle_runtime_read(&creation->bundle, &old, &unreadable);

	if (rc == -EPERM)
		return error_set(error, EPERM, "%s", unreadable.text);
	if (rc) /* none; or cut short by a crash, and then what it named is gone */
		return 0;
	init_fd = bundle_process_open(old.init_pid, old.init_start);
	proxy_fd = bundle_process_open(old.proxy_pid, old.proxy_start);
	if ((init_fd < 0 && init_fd != -ESRCH) || (proxy_fd < 0 && proxy_fd != -ESRCH))
		return error_errno(error, init_fd < 0 && init_fd != -ESRCH ? -init_fd : -proxy_fd,
			"cannot tell whether container %.12s still runs with this state folder", old.container_id);
	if (init_fd >= 0 && (old.init_pid != creation->runtime.init_pid || old.init_start != creation->runtime.init_start))
		return error_set(error, EBUSY,
			"container %.12s runs with this state folder already: stop it, or choose another name or --state-dir",
			old.container_id);
	if (proxy_fd >= 0)
		forwarder_end(proxy_fd, OLD_FORWARDER_PATIENCE_MS);
	return 0;
}

/* ---- rules ---- */

static int ruleset_load(struct creation *creation, struct error *error)
{
	struct ruleset *ruleset = &creation->ruleset;
	int rc = bundle_policy_load(&creation->bundle, &creation->identity.sums, &creation->policy, error);

	if (!rc)
		rc = bundle_state_read(&creation->bundle, &ruleset->state, error);
	if (rc)
		return rc;
	ruleset->settings = &creation->settings;
	ruleset->allowed = policy_allowed_nets(creation->policy);
	ruleset->denied = policy_denied_nets(creation->policy);
	ruleset_render(ruleset, &creation->commands);
	return text_failed(&creation->commands) ? error_set(error, ENOMEM, "no memory for the ruleset") : 0;
}

/* In the container's namespace: what holds instead of rules that are not what they should be. */
static void ruleset_block(const struct creation *creation)
{
	struct ruleset block = creation->ruleset;
	cleanup_text struct text commands = {0};

	block.state = SHIELD_BLOCK;
	ruleset_render(&block, &commands);
	if (!text_failed(&commands))
		nft_apply(commands.data, NULL);
}

static int ruleset_apply(void *context, struct error *error)
{
	const struct creation *creation = context;
	cleanup_free char *json = NULL;
	int rc = nft_apply(creation->commands.data, error);

	if (rc)
		return rc;
	rc = nft_list_json(&json, error);
	if (!rc)
		rc = verify_ruleset(&creation->ruleset, json, error);
	if (rc) {
		ruleset_block(creation);
		return error_prefix(error, "cannot verify the ruleset");
	}
	return 0;
}

/* ---- records ---- */

static int records_write(struct creation *creation, struct error *error)
{
	int rc;

	creation->runtime.proxy_pid = creation->forwarder.pid;
	if (bundle_process_start(creation->forwarder.pid, &creation->runtime.proxy_start))
		return error_set(error, ECHILD, "the forwarder is gone");
	rc = bundle_runtime_write(&creation->bundle, &creation->runtime, error);
	if (rc)
		return rc;
	creation->recorded = true;
	return bundle_write_volatile(&creation->bundle, BUNDLE_RULESET, creation->commands.data, creation->commands.length, error);
}

/* container.id comes last: `run` takes it for the word that the shield is up. */
static int success_write(const struct creation *creation, struct error *error)
{
	char line[14];
	int length = snprintf(line, sizeof(line), "%.12s\n", creation->state->id);

	int rc = bundle_write_volatile(&creation->bundle, BUNDLE_OCI, creation->state->bundle, strlen(creation->state->bundle), error);

	return rc ? rc : bundle_write_volatile(&creation->bundle, BUNDLE_CONTAINER_ID, line, (size_t)length, error);
}

static void audit(const struct creation *creation, const char *action, const char *dest, const char *detail)
{
	const struct audit_event event = {.action = action, .dest = dest, .detail = detail};
	const char *name = *creation->identity.container ? creation->identity.container : creation->state->annotations.name;

	if (creation->settings.audit)
		audit_write(&creation->bundle, name, &event); /* a full disk does not stop the container */
}

static void audit_wide_networks(const struct creation *creation)
{
	const struct netset *allowed = creation->ruleset.allowed;
	size_t notes = 0;

	for (size_t i = 0; i < allowed->count; i++) {
		const struct addr_net *net = &allowed->entries[i].net;
		enum addr_scope scope = addr_scope(&net->addr);
		char text[ADDR_NET_TEXT_MAX], detail[64];

		if (scope != ADDR_GLOBAL)
			snprintf(detail, sizeof(detail), "%s network allowed", addr_scope_name(scope));
		else if (net->prefix_length < (net->addr.family == ADDR_V4 ? LARGE_PREFIX_V4 : LARGE_PREFIX_V6))
			snprintf(detail, sizeof(detail), "very large network allowed");
		else
			continue;
		if (++notes > NOTES_MAX) {
			audit(creation, "note", NULL, "more private or very large networks allowed, see profile.allowed and live.allowed");
			return;
		}
		audit(creation, "note", addr_net_format(net, text), detail);
	}
}

static void audit_setup(const struct creation *creation)
{
	cleanup_text struct text profiles = {0};

	for (size_t i = 0; i < creation->identity.profile_count; i++)
		text_addf(&profiles, "%s%s", i ? "," : "", creation->identity.profiles[i]);
	audit(creation, "setup", NULL, text_failed(&profiles) ? NULL : profiles.data);
	audit_wide_networks(creation);
}

/* ---- the whole ---- */

static int creation_prepare(struct creation *creation, struct error *error)
{
	int rc = bundle_admit(creation, error);

	if (!rc)
		rc = admit_container(creation->state->bundle, error);
	if (!rc)
		rc = namespace_open(creation, error);
	if (rc)
		return rc;
	creation->lock_fd = bundle_lock(&creation->bundle, LOCK_TIMEOUT_MS, error);
	if (creation->lock_fd < 0)
		return creation->lock_fd;
	rc = predecessor_end(creation, error);
	return rc ? rc : netns_run(creation->netns_fd, port_probe, NULL, error);
}

static int creation_carry_out(struct creation *creation, struct error *error)
{
	const struct forwarder_order order = {
		.bundle = &creation->bundle,
		.container = creation->identity.container,
		.netns_fd = creation->netns_fd,
		.init_fd = creation->init_fd,
		.settings = &creation->settings,
	};
	int rc = forwarder_start(&creation->forwarder, &order, error);

	if (!rc)
		rc = ruleset_load(creation, error);
	if (!rc)
		rc = netns_run(creation->netns_fd, ruleset_apply, creation, error);
	if (!rc)
		rc = records_write(creation, error);
	close(take_fd(creation->lock_fd));
	if (!rc)
		rc = forwarder_wait_ready(&creation->forwarder, READY_TIMEOUT_MS, error);
	return rc ? rc : success_write(creation, error);
}

static void creation_undo(struct creation *creation, const struct error *error)
{
	cleanup_text struct text line = {0};

	forwarder_stop(&creation->forwarder);
	if (creation->bundle.fd < 0)
		return;
	if (creation->recorded)
		bundle_remove(&creation->bundle, BUNDLE_RUNTIME, NULL);
	text_addf(&line, "%s\n", error->text);
	if (!text_failed(&line))
		bundle_write(&creation->bundle, BUNDLE_HOOK_ERROR, line.data, line.length, NULL);
	audit(creation, "error", NULL, error->text);
}

static void creation_release(struct creation *creation)
{
	forwarder_release(&creation->forwarder);
	for (size_t i = 0; i < 3; i++) {
		int fd = (int[]){creation->lock_fd, creation->netns_fd, creation->init_fd}[i];

		if (fd >= 0)
			close(fd);
	}
	text_free(&creation->commands);
	policy_free(creation->policy);
	bundle_identity_free(&creation->identity);
	bundle_close(&creation->bundle);
}

int create_runtime(const struct oci_state *state, struct error *error)
{
	struct creation creation = {
		.state = state, .bundle = BUNDLE_INIT, .lock_fd = -1, .init_fd = -1, .netns_fd = -1, .forwarder = FORWARDER_NONE};
	int rc;

	settings_init(&creation.settings); /* audit is on until the bundle says otherwise */
	rc = creation_prepare(&creation, error);
	if (!rc)
		rc = creation_carry_out(&creation, error);
	if (rc)
		creation_undo(&creation, error);
	else
		audit_setup(&creation);
	creation_release(&creation);
	return rc;
}
