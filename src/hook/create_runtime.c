/* The createRuntime stage.
 *
 * Theory of operation. The order is by what must be known before what, and so that the forwarder starts while the rules are made:
 *
 *	admit		annotations and bundle agree; the container has nothing that undoes a shield
 *	namespace	a pidfd of the init, its network namespace; neither is the host's nor used by another shield
 *	members		who is in it already: nobody, or those whom the bundle names
 *	dossier		what annotations say of the container, for the forwarder
 *	forwarder	started, gets ready meanwhile
 *	rules		rendered from the bundle, applied in one transaction, read back, compared
 *	records		ruleset.nft, runtime.json, members, container.id
 *	ready		the forwarder says so
 *
 * Sharing. A container may join the namespace of a shielded one, or a pod's. Its folder then says whose bundle holds (shared.json), and
 * the shield is that one's: the same rules, the same forwarder, once. `members` there has the containers that live in the namespace; each
 * hook adds its own under the lock, and the supervisor ends when none is left. Where a member and the forwarder live, the rules are only
 * read back and compared, and the forwarder is asked; where nobody lives, or the forwarder does not, everything is done anew. When the
 * owner of the namespace was started again (`podman pod restart` does that first), it has a new one, and the shield moves there: those
 * that still live in the old one are off the network anyway, get the rules of `block`, and are members again after their own restart.
 * (All this is podman's pods. A Kubernetes pod's other containers join its sandbox's shield by hook/join.h, and are no members.)
 *
 * The bundle's lock is held from before its lists are read until runtime.json is there: whoever changes a list before has it
 * in the rules, whoever does after finds a container that runs. It is not held while the forwarder is waited for.
 *
 * Failure. Any error ends the forwarder unless others use it, takes the container off the records, and makes the hook exit 1: the
 * runtime then removes the container, whose workload never ran. Rules that were applied stay, since a namespace can outlive its
 * container (a pod) and rules without a forwarder only refuse more. When they are not what they should be, they are replaced by those
 * of `block`. A watchdog ends the hook itself; a forwarder then ends with the init's death.
 *
 * The threat. The annotations may be anybody's, the bundle may have been tampered with by another user, the container's options
 * may undo the shield.
 */
#include "hook/create_runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
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
#include "fw/readback.h"
#include "fw/ruleset.h"
#include "fw/verify.h"
#include "hook/admit.h"
#include "hook/forwarder.h"
#include "hook/occupants.h"
#include "hook/watchdog.h"
#include "state/audit.h"
#include "state/bundle.h"
#include "state/control.h"
#include "state/dossier.h"

#define LOCK_TIMEOUT_MS           3000
#define READY_TIMEOUT_MS          5000
#define OLD_FORWARDER_PATIENCE_MS 500
#define SOCKET_TIMEOUT_MS         1000
#define SOCKET_PAUSE_MS           10
#define PORT_TIMEOUT_MS           1500
#define PORT_PAUSE_MS             20
#define NOTES_MAX                 64  /* audit lines about wide networks */
#define LARGE_PREFIX_V4           16u /* shorter ones are noted */
#define LARGE_PREFIX_V6           32u
#define SHOWN(string)             text_escaped((char[256]){0}, 256, string)

/* What has been acquired so far. */
struct creation {
	const struct oci_state *state;
	struct oci_config config;
	struct bundle own;    /* the container's folder */
	struct bundle bundle; /* the shield's: the same, or the one that shared names */
	struct bundle_shared shared;
	bool is_shared;
	struct bundle_members members; /* that live in this namespace; without this container before it is recorded */
	struct bundle_members left;    /* that live in one that the shield leaves */
	bool joins;                    /* rules and forwarder are there */
	struct bundle_identity identity;
	struct settings settings;
	struct policy *policy;
	struct ruleset ruleset;
	struct text commands; /* the ruleset as text */
	int lock_fd, init_fd, netns_fd;
	struct forwarder forwarder;
	struct bundle_runtime runtime;
	const char *meta; /* the path of the dossier's file, "" for none; borrowed */
	bool recorded, ready;
};

/* ---- admit ---- */

static int shield_open(struct creation *creation, struct error *error)
{
	struct error unread = {0};
	int rc = bundle_shared_read(&creation->own, &creation->shared, &unread);

	if (rc == -ENOENT)
		return bundle_open(&creation->bundle, creation->own.path, error);
	if (rc)
		return error_set(error, unread.code, "%s", unread.text);
	creation->is_shared = true;
	if (strcmp(creation->shared.member, creation->state->annotations.name) != 0)
		return error_set(error, EPERM, "the state folder belongs to container '%s', not to '%s'", creation->shared.member,
			SHOWN(creation->state->annotations.name));
	rc = bundle_open(&creation->bundle, creation->shared.path, &unread);
	return rc ? error_set(error, -rc, "the shield of '%s', which the container shares: %s", creation->shared.shield,
			    unread.code ? unread.text : "it is gone: remove the container and use terok-shield run again")
		  : 0;
}

static int identity_check(const struct creation *creation, struct error *error)
{
	const struct oci_annotations *annotations = &creation->state->annotations;
	const char *name = creation->is_shared ? creation->shared.shield : annotations->name;

	if (strcmp(creation->identity.container, name) != 0)
		return error_set(error, EPERM, "the state folder belongs to container '%s', not to '%s'",
			SHOWN(creation->identity.container), SHOWN(name));
	if (strcmp(creation->identity.version, annotations->version) != 0)
		return error_set(error, EPROTO,
			"the state folder was written by terok-shield %s, the container by %s: remove it and use terok-shield run again",
			SHOWN(creation->identity.version), SHOWN(annotations->version));
	return 0;
}

static int bundle_admit(struct creation *creation, struct error *error)
{
	const struct oci_annotations *annotations = &creation->state->annotations;
	int rc;

	if (!annotations->profiles)
		return error_set(error, EINVAL, "the container has no annotation terok.shield.profiles: the hook was called by mistake");
	if (!*annotations->state_dir || !*annotations->name || !*annotations->version)
		return error_set(error, EINVAL,
			"the annotations terok.shield.state_dir, .name and .version are not all there: use terok-shield run");
	rc = bundle_open(&creation->own, annotations->state_dir, error);
	if (rc)
		return rc;
	watchdog_report_to(creation->own.fd);
	rc = bundle_remove(&creation->own, BUNDLE_HOOK_ERROR, error);
	if (!rc)
		rc = shield_open(creation, error);
	if (rc)
		return rc;
	if (strcmp(annotations->version, SHIELD_VERSION) != 0)
		return error_set(error, EPROTO,
			"the container was made for terok-shield %s and this is %s: remove it and use terok-shield run again",
			SHOWN(annotations->version), SHIELD_VERSION);
	rc = bundle_settings_read(&creation->bundle, &creation->identity, &creation->settings, error);
	return rc ? rc : identity_check(creation, error);
}

/* ---- namespace ---- */

static bool port_is_taken(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(RULESET_DNS_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cleanup_fd int probe_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* Other failures (a loopback interface that is still down) are the forwarder's to judge. */
	return probe_fd >= 0 && bind(probe_fd, (struct sockaddr *)&address, sizeof(address)) != 0 && errno == EADDRINUSE;
}

static int port_probe(void *context, struct error *error)
{
	const struct creation *creation = context;

	/* A forwarder that a hook had started when it was killed is in no record, and ends by itself now that nobody lives. */
	for (unsigned waited_ms = 0; port_is_taken(); waited_ms += PORT_PAUSE_MS) {
		if (!creation->is_shared || waited_ms >= PORT_TIMEOUT_MS)
			return error_set(error, EADDRINUSE,
				"port 53 in the container's network namespace is taken, by a DNS server or another shield: do not share it");
		poll(NULL, 0, PORT_PAUSE_MS);
	}
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

/* ---- members ---- */

/* Whether another namespace is the one that the shield had before: a pod's containers are always in the infra container's, and a
 * container's guests stay where they are when it is started again. */
static bool is_left(const struct creation *creation, const struct bundle_member *member)
{
	if (creation->is_shared)
		return creation->shared.pod;
	return strcmp(member->name, creation->state->annotations.name) != 0;
}

/* Whoever is under the shield is in this namespace, or was left behind in an earlier one. */
static int members_sort(struct creation *creation, struct error *error)
{
	struct bundle_members *members = &creation->members;
	size_t kept = 0, count = members->count;

	for (size_t i = 0; i < count; i++) {
		const struct bundle_member member = members->list[i];
		cleanup_fd int alive_fd = -1;

		if (netns_is_of(creation->netns_fd, member.pid)) {
			members->list[kept++] = member;
			continue;
		}
		alive_fd = bundle_process_open(member.pid, member.start);
		if (alive_fd == -ESRCH)
			continue;
		if (alive_fd < 0)
			return error_errno(error, -alive_fd, "cannot tell whether %s still runs in another network namespace", member.name);
		if (!is_left(creation, &member))
			return error_set(error, EBUSY,
				"container %.12s runs with this state folder already, as %s in another network namespace: stop it first, or "
				"choose another name or --state-dir",
				member.id, member.name);
		creation->left.list[creation->left.count++] = member;
	}
	members->count = kept;
	return 0;
}

/* The owner of the namespace has to be under the shield, or the infra container of the pod whose shield it is. */
static int owner_check(const struct creation *creation, struct error *error)
{
	pid_t owner = creation->config.joined_pid;
	struct occupants occupants = {.netns_fd = creation->netns_fd, .init = creation->state->pid, .members = &creation->members};

	if (!creation->is_shared)
		return owner ? error_set(error, EPERM,
				       "the container would be in the network namespace of process %d, whose shield it does not share: "
				       "use terok-shield run with --pod or --network container:",
				       (int)owner)
			     : 0;
	if (!owner)
		return error_set(error, EPERM,
			"the container is under the shield of '%s' and would not be in its network namespace: remove it and use "
			"terok-shield run again",
			creation->shared.shield);
	if (!creation->config.own_pids)
		return error_set(error, EPERM, "the container would share process ids with others: make the pod without --share pid");
	if (!bundle_members_find(&creation->members, owner)) {
		if (!creation->shared.pod)
			return error_set(error, EPERM,
				"process %d, whose network namespace the container would be in, is not under the shield of '%s': start it "
				"with terok-shield run",
				(int)owner, creation->shared.shield);
		occupants.infra = owner;
	}
	return occupants_check(&occupants, error);
}

static int members_admit(struct creation *creation, struct error *error)
{
	struct error unreadable = {0};
	int rc = bundle_members_read(&creation->bundle, &creation->members, &unreadable);

	if (rc && rc != -EINVAL)
		return error_set(error, unreadable.code, "%s", unreadable.text);
	if (rc) /* cut short by a crash: whom it named is a stranger then */
		creation->members.count = 0;
	bundle_members_remove(&creation->members, creation->state->id); /* the hook is called twice */
	rc = members_sort(creation, error);
	return rc ? rc : owner_check(creation, error);
}

/* A supervisor whose last container has ended removes its socket before it ends itself; one that has just been started makes it. */
static bool socket_is_there(const struct bundle *bundle, int proxy_fd)
{
	struct pollfd end = {.fd = proxy_fd, .events = POLLIN};

	for (unsigned waited_ms = 0; waited_ms < SOCKET_TIMEOUT_MS; waited_ms += SOCKET_PAUSE_MS) {
		if (faccessat(bundle->fd, BUNDLE_CONTROL_SOCKET, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
		if (poll(&end, 1, SOCKET_PAUSE_MS) > 0)
			return false;
	}
	return false;
}

/* The forwarder that is there: the members', which this container joins; or of an earlier container, or of this one when the hook is
 * called twice. */
static int predecessor_settle(struct creation *creation, struct error *error)
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
	if (init_fd >= 0 && !bundle_members_find(&creation->members, old.init_pid) && !bundle_members_find(&creation->left, old.init_pid) &&
		(old.init_pid != creation->runtime.init_pid || old.init_start != creation->runtime.init_start))
		return error_set(error, EBUSY,
			"container %.12s runs with this state folder already: stop it, or choose another name or --state-dir",
			old.container_id);
	if (proxy_fd < 0)
		return 0;
	creation->joins = creation->members.count > 0 && creation->left.count == 0 && socket_is_there(&creation->bundle, proxy_fd);
	if (!creation->joins)
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

/* In the container's namespace: what holds instead of rules that are not what they should be; in one that the shield leaves. */
static int ruleset_block(void *context, struct error *error)
{
	const struct creation *creation = context;
	struct ruleset block = creation->ruleset;
	cleanup_text struct text commands = {0};

	block.state = SHIELD_BLOCK;
	ruleset_render(&block, &commands);
	return text_failed(&commands) ? error_set(error, ENOMEM, "no memory for the ruleset") : nft_apply(commands.data, error);
}

static int left_block(struct creation *creation, struct error *error)
{
	for (size_t i = 0; i < creation->left.count; i++) {
		const struct bundle_member *member = &creation->left.list[i];
		cleanup_fd int netns_fd = netns_open(member->pid, NULL);
		cleanup_fd int alive_fd = bundle_process_open(member->pid, member->start);

		if (alive_fd == -ESRCH) /* and the namespace may be another process' */
			continue;
		if (alive_fd < 0 || netns_fd < 0 || netns_run(netns_fd, ruleset_block, creation, error))
			return error_prefix(error,
				"container %s, which is left in an earlier network namespace, could not be blocked: stop it first",
				member->name);
	}
	return 0;
}

static int ruleset_check(void *context, struct error *error)
{
	const struct creation *creation = context;

	return readback_verify(&creation->ruleset, error);
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
		ruleset_block(context, NULL);
		return error_prefix(error, "cannot verify the ruleset");
	}
	return 0;
}

/* ---- records ---- */

static int member_record(struct creation *creation, struct error *error)
{
	struct bundle_member self = {.pid = creation->runtime.init_pid, .start = creation->runtime.init_start};
	int rc;

	strcpy(self.id, creation->state->id);
	strcpy(self.name, creation->state->annotations.name);
	rc = bundle_members_add(&creation->members, &self, error);
	creation->recorded = true;
	return rc ? rc : bundle_members_write(&creation->bundle, &creation->members, error);
}

static int records_write(struct creation *creation, struct error *error)
{
	int rc;

	creation->runtime.proxy_pid = creation->forwarder.pid;
	if (bundle_process_start(creation->forwarder.pid, &creation->runtime.proxy_start))
		return error_set(error, ECHILD, "the forwarder is gone");
	rc = bundle_runtime_write(&creation->bundle, &creation->runtime, error);
	if (!rc)
		rc = member_record(creation, error);
	return rc ? rc
		  : bundle_write_volatile(&creation->bundle, BUNDLE_RULESET, creation->commands.data, creation->commands.length, error);
}

/* container.id comes last: `run` takes it for the word that the shield is up. */
static int success_write(const struct creation *creation, struct error *error)
{
	char line[14];
	int length = snprintf(line, sizeof(line), "%.12s\n", creation->state->id);

	int rc = bundle_write_volatile(&creation->own, BUNDLE_OCI, creation->state->bundle, strlen(creation->state->bundle), error);

	return rc ? rc : bundle_write_volatile(&creation->own, BUNDLE_CONTAINER_ID, line, (size_t)length, error);
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
	char joined[224];

	if (creation->is_shared) {
		snprintf(joined, sizeof(joined), "container %s is under the shield", creation->state->annotations.name);
		audit(creation, "note", NULL, joined);
	}
	for (size_t i = 0; i < creation->left.count; i++) {
		snprintf(joined, sizeof(joined), "container %s is left in an earlier network namespace, and blocked: restart it",
			creation->left.list[i].name);
		audit(creation, "note", NULL, joined);
	}
	if (creation->joins)
		return;

	for (size_t i = 0; i < creation->identity.profile_count; i++)
		text_addf(&profiles, "%s%s", i ? "," : "", creation->identity.profiles[i]);
	audit(creation, "setup", NULL, text_failed(&profiles) ? NULL : profiles.data);
	audit_wide_networks(creation);
}

/* ---- dossier ---- */

/* The file's path may be anybody's. What it says goes to the audit log and the hub, so none of the system's is read. */
static void meta_check(struct creation *creation)
{
	const char *path = creation->state->annotations.meta_path;

	if (!*path || (bundle_check_path(path, NULL) == 0 && !strchr(path, '\n')))
		creation->meta = path;
	else
		audit(creation, "note", NULL,
			DOSSIER_META_PATH " is not read: it has to be an absolute path outside of the system's folders");
}

static int record_write(const struct creation *creation, const char *file, const char *text, struct error *error)
{
	cleanup_text struct text line = {0};

	if (!*text)
		return bundle_remove(&creation->bundle, file, error);
	text_addf(&line, "%s\n", text);
	return text_failed(&line) ? error_errno(error, ENOMEM, "%s", file)
				  : bundle_write_volatile(&creation->bundle, file, line.data, line.length, error);
}

/* For the forwarder, so before it starts. Of an earlier container nothing stays. */
static int dossier_write(struct creation *creation, struct error *error)
{
	meta_check(creation);
	return record_write(creation, BUNDLE_DOSSIER, creation->state->annotations.dossier, error)
		       ?: record_write(creation, BUNDLE_META_PATH, creation->meta, error);
}

/* ---- the whole ---- */

static int creation_prepare(struct creation *creation, struct error *error)
{
	int rc = bundle_admit(creation, error);

	if (!rc)
		rc = admit_container(&creation->config, creation->state->bundle, error);
	if (!rc)
		rc = namespace_open(creation, error);
	if (rc)
		return rc;
	creation->lock_fd = bundle_lock(&creation->bundle, LOCK_TIMEOUT_MS, error);
	if (creation->lock_fd < 0)
		return creation->lock_fd;
	rc = members_admit(creation, error);
	if (!rc)
		rc = predecessor_settle(creation, error);
	if (rc || creation->joins)
		return rc;
	rc = netns_run(creation->netns_fd, port_probe, creation, error);
	return rc ? rc : dossier_write(creation, error);
}

/* Rules and forwarder are others' too: nothing is changed. */
static int creation_join(struct creation *creation, struct error *error)
{
	int rc = ruleset_load(creation, error);

	if (!rc && netns_run(creation->netns_fd, ruleset_check, creation, error))
		rc = error_prefix(error,
			"the rules of the shared network namespace are not the shield's; `terok-shield up %s` puts them back",
			creation->identity.container);
	if (!rc)
		rc = member_record(creation, error);
	close(take_fd(creation->lock_fd));
	if (!rc && control_request(&creation->bundle, "ping", READY_TIMEOUT_MS, NULL, error))
		rc = error_prefix(error, "the forwarder of the shared network namespace");
	return rc ? rc : success_write(creation, error);
}

static int creation_carry_out(struct creation *creation, struct error *error)
{
	const struct forwarder_order order = {
		.bundle = &creation->bundle,
		.container = creation->identity.container,
		.netns_fd = creation->netns_fd,
		.init_fd = creation->init_fd,
		.settings = &creation->settings,
		.id = creation->state->id,
		.meta = creation->meta,
	};
	int rc = forwarder_start(&creation->forwarder, &order, error);

	if (!rc)
		rc = ruleset_load(creation, error);
	if (!rc)
		rc = left_block(creation, error);
	if (!rc)
		rc = netns_run(creation->netns_fd, ruleset_apply, creation, error);
	if (!rc)
		rc = records_write(creation, error);
	close(take_fd(creation->lock_fd));
	if (!rc)
		rc = forwarder_wait_ready(&creation->forwarder, READY_TIMEOUT_MS, error);
	creation->ready = rc == 0;
	return rc ? rc : success_write(creation, error);
}

/* Takes the container off the records. Others may have joined meanwhile: then they keep a forwarder that works. Without the lock nothing is
 * written: a record of one that has ended says nothing. */
static void records_undo(struct creation *creation)
{
	struct bundle_members *members = &creation->members;

	if (creation->recorded && creation->lock_fd < 0)
		creation->lock_fd = bundle_lock(&creation->bundle, LOCK_TIMEOUT_MS, NULL);
	if (!creation->recorded || creation->lock_fd < 0 || bundle_members_read(&creation->bundle, members, NULL)) {
		forwarder_stop(&creation->forwarder);
		return;
	}
	bundle_members_remove(members, creation->state->id);
	if (!creation->ready || members->count == 0)
		forwarder_stop(&creation->forwarder);
	if (members->count > 0 || creation->joins) {
		bundle_members_write(&creation->bundle, members, NULL);
	} else {
		bundle_remove(&creation->bundle, BUNDLE_RUNTIME, NULL);
		bundle_remove(&creation->bundle, BUNDLE_MEMBERS, NULL);
	}
}

static void creation_undo(struct creation *creation, const struct error *error)
{
	cleanup_text struct text line = {0};

	records_undo(creation);
	if (creation->own.fd < 0)
		return;
	text_addf(&line, "%s\n", error->text);
	if (!text_failed(&line))
		bundle_write(&creation->own, BUNDLE_HOOK_ERROR, line.data, line.length, NULL);
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
	bundle_close(&creation->own);
}

int create_runtime(const struct oci_state *state, struct error *error)
{
	struct creation creation = {.state = state,
		.own = BUNDLE_INIT,
		.bundle = BUNDLE_INIT,
		.lock_fd = -1,
		.init_fd = -1,
		.netns_fd = -1,
		.forwarder = FORWARDER_NONE,
		.meta = ""};
	int rc;

	settings_init(&creation.settings); /* audit is on until the bundle says otherwise */
	rc = creation_prepare(&creation, error);
	if (!rc)
		rc = creation.joins ? creation_join(&creation, error) : creation_carry_out(&creation, error);
	if (rc)
		creation_undo(&creation, error);
	else
		audit_setup(&creation);
	creation_release(&creation);
	return rc;
}
