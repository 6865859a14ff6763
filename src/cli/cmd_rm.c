/* rm: what is kept of a stopped container. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/container.h"
#include "cli/paths.h"

#define LOCK_TIMEOUT_MS 10000

static int stopped_check(const struct bundle *bundle, const char *name, struct error *error)
{
	struct bundle_runtime runtime;
	struct error unreadable = {0};
	int rc = bundle_runtime_read(bundle, &runtime, &unreadable);
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return error_set(error, unreadable.code, "%s", unreadable.text);
	cleanup_fd int init_fd = bundle_process_open(runtime.init_pid, runtime.init_start);
	cleanup_fd int proxy_fd = bundle_process_open(runtime.proxy_pid, runtime.proxy_start);
	if (init_fd == -ESRCH && proxy_fd == -ESRCH)
		return 0;
	return error_set(error, EBUSY, "%s runs; stop it first: podman stop %s", name, name);
}

/* Of one that is under another's shield, that one's bundle says whether it lives. Where that is gone, or no bundle, it is nobody's. */
static int member_check(const struct bundle *bundle, char name[129], struct error *error)
{
	cleanup_bundle struct bundle shield = BUNDLE_INIT;
	struct bundle_shared shared;
	struct bundle_members members;
	if (bundle_shared_read(bundle, &shared, NULL))
		return 0;
	snprintf(name, 129, "%s", shared.member);
	if (bundle_open(&shield, shared.path, NULL))
		return 0;
	int rc = bundle_members_read(&shield, &members, error);
	for (size_t i = 0; !rc && i < members.count; i++) {
		if (strcmp(members.list[i].name, name) == 0)
			rc = error_set(error, EBUSY, "%s runs; stop it first: podman stop %s", name, name);
	}
	return rc;
}

static int bundle_empty(const struct bundle *bundle, const char *name, struct error *error)
{
	cleanup_fd int lock_fd = bundle_lock(bundle, LOCK_TIMEOUT_MS, error);
	int rc = lock_fd < 0 ? lock_fd : stopped_check(bundle, name, error);
	return rc ? rc : bundle_erase(bundle, error);
}

static int folder_remove(const struct bundle *bundle, bool shared, struct error *error)
{
	struct error kept = {0};
	int rc = bundle_erase_folder(bundle, &kept);
	if (rc == 0 || (rc == -ENOTEMPTY && shared)) /* --task-state-dir: others keep things there too */
		return 0;
	return error_set(error, kept.code, "%s", kept.text);
}

/* A folder that somebody named is a bundle when a file in it can only be the shield's: others are called `lock` and `state` too. */
static bool is_bundle(const struct bundle *bundle)
{
	static const char *const own[] = {BUNDLE_SETTINGS, BUNDLE_SHARED, "profile.allowed", "profile.domains", "live.allowed",
		"live.domains", "deny.list", "denied.domains", BUNDLE_AUDIT, "hooks/terok-shield-createRuntime.json",
		"hooks/terok-shield-poststop.json"};
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		if (faccessat(bundle->fd, own[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	}
	return false;
}

/* The bundle, also one that an earlier rm left without settings, or whose settings cannot be read. */
static int bundle_find(struct bundle *bundle, char name[129], const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	struct error missing = {0};
	char path[PATH_MAX];
	int rc = container_open(&container, options, &missing);
	snprintf(name, 129, "%s", rc ? options->container : container.identity.container);
	if (rc == 0)
		return bundle_open(bundle, container.own, error);
	if (paths_bundle(options, options->container, path, NULL) == 0 && bundle_open(bundle, path, NULL) == 0 &&
		(!options->task_state_dir || is_bundle(bundle)))
		return 0;
	return error_set(error, missing.code, "%s", missing.text);
}

enum command_exit cmd_rm(const struct command_options *options, struct error *error)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	char name[129];
	if (bundle_find(&bundle, name, options, error) || member_check(&bundle, name, error) || bundle_empty(&bundle, name, error) ||
		folder_remove(&bundle, options->task_state_dir, error))
		return COMMAND_FAILED;
	printf("Removed %s\n", name);
	return COMMAND_DONE;
}
