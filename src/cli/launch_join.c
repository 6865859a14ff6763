/* A container that joins a network namespace comes under the shield of that namespace.
 *
 * Theory of operation. A shield belongs to a namespace. With --network container:OTHER it is OTHER's; with --pod it is the pod's, in a
 * folder of the pod's name (podman has no container of that name then), made by the first `run` in the pod. A container that joins
 * decides nothing: two lists of rules in one namespace would open for each what was meant for the other, so whoever names other profiles
 * than the shield has is refused, and so is everything else that would change it. Its own folder has only shared.json, which says whose
 * shield it is, and what belongs to its own start.
 *
 * What has no shield is not joined. Rules around a container that runs already would cut off what it has open and came too late for
 * what it has sent; and what is not started through `run` may have capabilities that undo them. The hook sees who is in the namespace at
 * each start and refuses strangers; here they are refused earlier, with their names. */
#include "cli/launch_join.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/container.h"
#include "cli/paths.h"
#include "cli/pod.h"

#define LOCK_TIMEOUT_MS 5000
#define SHOWN(string)   text_escaped((char[160]){0}, 160, string)

/* ---- the shield ---- */

static bool has_profiles(const struct bundle_identity *identity, const struct command_options *options)
{
	bool same = options->profile_count == identity->profile_count;
	for (size_t i = 0; same && i < identity->profile_count; i++)
		same = strcmp(options->profiles[i], identity->profiles[i]) == 0;
	return same;
}

static bool has_loopback_port(const struct settings *settings, uint16_t port)
{
	for (size_t i = 0; i < settings->loopback_port_count; i++) {
		if (settings->loopback_ports[i] == port)
			return true;
	}
	return false;
}

/* The container that joins takes the shield as it is. */
static int wishes_check(const struct container *shield, const struct command_options *options, struct error *error)
{
	const char *name = shield->identity.container;
	if (options->profile_count > 0 && !has_profiles(&shield->identity, options)) {
		cleanup_text struct text profiles = {0};
		for (size_t i = 0; i < shield->identity.profile_count; i++)
			text_addf(&profiles, " %s", shield->identity.profiles[i]);
		return error_set(error, EINVAL,
			"--profiles is refused: the network namespace has the shield of %s, with the profiles%s, and other rules would hold for "
			"all in it; leave out --profiles, or give the container a network of its own",
			name,
			text_failed(&profiles) ? " it has"
			: profiles.data        ? profiles.data
					       : " (none)");
	}
	for (size_t i = 0; i < options->loopback_port_count; i++) {
		if (!has_loopback_port(&shield->settings, options->loopback_ports[i]))
			return error_set(error, EINVAL, "--loopback-port %u is refused: the shield of %s does not open it",
				options->loopback_ports[i], name);
	}
	if (options->no_audit && shield->settings.audit)
		return error_set(error, EINVAL, "--no-audit is refused: the shield of %s has an audit log", name);
	return 0;
}

/* A bypass is for the containers that it was said for. */
static int state_check(const struct container *shield, struct error *error)
{
	enum shield_state state;
	int rc = bundle_state_read(&shield->bundle, &state, error);
	if (rc || state == SHIELD_UP)
		return rc;
	if (state == SHIELD_BLOCK) {
		fprintf(stderr, "note: the shield of %s is in state block; `terok-shield up %s` opens it\n", shield->identity.container,
			shield->identity.container);
		return 0;
	}
	return error_set(error, EINVAL, "the shield of %s is %s, and a new container would run without one: `terok-shield up %s` first",
		shield->identity.container, shield_state_name(state), shield->identity.container);
}

static int shield_take(
	struct bundle_shared *shared, const struct container *shield, const struct command_options *options, struct error *error)
{
	int rc = wishes_check(shield, options, error);
	if (!rc)
		rc = state_check(shield, error);
	snprintf(shared->shield, sizeof(shared->shield), "%s", shield->identity.container);
	snprintf(shared->path, sizeof(shared->path), "%s", shield->bundle.path);
	return rc;
}

static int container_join(
	struct bundle_shared *shared, const struct command_options *options, const struct podman_flags *podman, struct error *error)
{
	cleanup_container struct container other = CONTAINER_INIT;
	struct command_options of_other = *options;
	struct error unknown = {0};
	of_other.container = podman->joins;
	of_other.task_state_dir = NULL;
	if (container_open(&other, &of_other, &unknown))
		return error_set(error, EINVAL,
			"--network container:%s is refused: no shield of it is known (%s), and one that comes while it runs would cut off what it has "
			"open and miss what it has sent; start it with terok-shield run",
			SHOWN(podman->joins), unknown.text);
	return shield_take(shared, &other, options, error);
}

static const struct bundle_member *member_find(const struct container *shield, const char *id)
{
	for (size_t i = 0; i < shield->members.count; i++) {
		if (strcmp(shield->members.list[i].id, id) == 0)
			return &shield->members.list[i];
	}
	return NULL;
}

/* Nobody in the pod runs but under its shield. */
static int strangers_check(const struct pod *pod, const struct container *shield, struct error *error)
{
	for (size_t i = 0; i < pod->container_count; i++) {
		if (pod->containers[i].runs && !member_find(shield, pod->containers[i].id))
			return error_set(error, EINVAL,
				"--pod %s is refused: container %s runs in it without the pod's shield; stop it, and start it with terok-shield run too",
				pod->name, SHOWN(pod->containers[i].name));
	}
	return 0;
}

/* The pod's folder, written as a container's would be that has the pod's networks and ports. */
static int pod_shield_make(const struct pod *pod, const struct command_options *of_pod, struct error *error)
{
	struct launch launch = LAUNCH_INIT;
	int rc = launch_prepare(&launch, of_pod, &pod->flags, error);
	launch_free(&launch);
	return rc ? error_prefix(error, "making the shield of pod %s", pod->name) : 0;
}

static int pod_join(
	struct bundle_shared *shared, const struct command_options *options, const struct podman_flags *podman, struct error *error)
{
	cleanup_container struct container shield = CONTAINER_INIT;
	struct command_options of_pod = *options;
	struct error unknown = {0};
	struct pod pod;
	int rc = pod_find(&pod, podman->pod, error);
	if (rc)
		return rc;
	of_pod.container = pod.name;
	of_pod.task_state_dir = NULL;
	/* A pod without containers may be another one than that which had the name, and the folder, before. */
	bool known = container_open(&shield, &of_pod, &unknown) == 0 && (pod.container_count > 0 || shield.members.count > 0);
	rc = strangers_check(&pod, &shield, error);
	if (!rc && !known) {
		container_close(&shield);
		shield = (struct container)CONTAINER_INIT;
		rc = pod_shield_make(&pod, &of_pod, error);
		if (!rc)
			rc = container_open(&shield, &of_pod, error);
	}
	shared->pod = true;
	return rc ? rc : shield_take(shared, &shield, options, error);
}

/* ---- the container's own folder ---- */

/* What another container of the name has left, with a shield of its own, would be taken for this one's. */
static int folder_check(const struct bundle *bundle, const char *name, struct error *error)
{
	cleanup_free char *content = NULL;
	if (bundle_read(bundle, BUNDLE_SETTINGS, BUNDLE_LIST_MAX, &content, NULL, NULL) == -ENOENT)
		return 0;
	return error_set(error, EEXIST,
		"there is a shield of an earlier container %s, with rules of its own: `terok-shield rm %s` first, or choose another name",
		name, name);
}

static int folder_fill(struct launch *launch, const struct bundle_shared *shared, const struct podman_flags *podman, struct error *error)
{
	const struct bundle *bundle = &launch->bundle;
	cleanup_fd int lock_fd = bundle_lock(bundle, LOCK_TIMEOUT_MS, error);
	if (lock_fd < 0)
		return lock_fd;
	cleanup_bundle_stage struct bundle_stage stage = {.bundle = bundle};
	int rc = folder_check(bundle, shared->member, error);
	if (!rc)
		rc = launch_name_check(launch, podman, error);
	if (!rc)
		rc = launch_stage_start(&stage, error);
	if (!rc)
		rc = bundle_remove(bundle, BUNDLE_HOOK_ERROR, error);
	if (!rc)
		rc = bundle_remove(bundle, BUNDLE_CONTAINER_ID, error);
	if (!rc)
		rc = bundle_stage_commit(&stage, error);
	return rc ? rc : bundle_shared_write(bundle, shared, error);
}

/* The shield's, under the container's own name. */
static int identity_take(struct launch *launch, const struct bundle_shared *shared, struct error *error)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	int rc = bundle_open(&bundle, shared->path, error);
	if (!rc)
		rc = bundle_settings_read(&bundle, &launch->identity, &launch->settings, error);
	if (!rc)
		snprintf(launch->identity.container, sizeof(launch->identity.container), "%s", shared->member);
	return rc;
}

int launch_join(struct launch *launch, const struct command_options *options, const struct podman_flags *podman, struct error *error)
{
	struct bundle_shared shared = {0};
	char path[PATH_MAX], runtime[PATH_MAX], upstream[SETTINGS_UPSTREAM_TEXT_MAX];
	/* It would be open to those who are there already, and those who come later would be let in to it. */
	if (options->learn)
		return error_set(error, EINVAL,
			"--learn is refused with %s: all in the network namespace would reach everything outside; start it without, and say "
			"`terok-shield learn %s on` when that is meant",
			podman->pod ? "--pod" : "--network container:", options->container);
	int rc = paths_bundle(options, options->container, path, error);
	snprintf(shared.member, sizeof(shared.member), "%s", options->container);
	if (!rc && !options->hooks)
		rc = launch_runtime_find(options->verify, runtime, error);
	if (!rc)
		rc = podman->pod ? pod_join(&shared, options, podman, error) : container_join(&shared, options, podman, error);
	if (!rc && strcmp(path, shared.path) == 0)
		rc = error_set(error, EINVAL, "%s cannot be under its own shield a second time: choose another name", shared.member);
	if (!rc)
		rc = identity_take(launch, &shared, error);
	if (!rc)
		rc = bundle_create(&launch->bundle, path, error);
	if (!rc)
		rc = folder_fill(launch, &shared, podman, error);
	if (rc)
		return rc;
	launch_upstream_text(&launch->settings, upstream);
	return launch_flags_make(launch, LAUNCH_NETWORK_CUSTOM, upstream, options->hooks ? NULL : runtime, error);
}
