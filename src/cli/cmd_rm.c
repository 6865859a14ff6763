/* rm: what is kept of a stopped container.
 *
 * Theory of operation. Only files that the shield itself makes are removed, each by its name relative to the folder's descriptor, so
 * nothing behind a link is touched; what else lies there stays, and with it the folder. The order is one in which a crash halfway
 * leaves nothing weaker than before: first the settings, without which no hook starts a container; then what allows; then what
 * denies; then the rest. A second `rm` takes the remainder. */
#include <dirent.h>
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
#define TAIL_DIGITS     16 /* of file_replace()'s temporaries: .NAME.DIGITS */

static const char *const files[] = {
	BUNDLE_SETTINGS,
	BUNDLE_SHARED,
	"live.allowed",
	"live.domains",
	"profile.allowed",
	"profile.domains",
	"deny.list",
	"denied.domains",
	BUNDLE_STATE,
	BUNDLE_RUNTIME,
	BUNDLE_MEMBERS,
	BUNDLE_RULESET,
	BUNDLE_RESOLV_CONF,
	BUNDLE_UPSTREAM,
	BUNDLE_CONTAINER_ID,
	BUNDLE_OCI,
	BUNDLE_CONTROL_SOCKET,
	BUNDLE_HOOK_ERROR,
	"run.nonce",
	"meta_path",
	BUNDLE_AUDIT,
	BUNDLE_AUDIT ".1",
	"hooks/terok-shield-createRuntime.json",
	"hooks/terok-shield-poststop.json",
	"lock",
};
#define FILES_COUNT (sizeof(files) / sizeof(*files))

/* What a crash in the middle of replacing one of the files has left. */
static bool is_temporary(const char *entry)
{
	size_t length = strlen(entry);
	if (entry[0] != '.' || length < TAIL_DIGITS + 3 || strspn(entry + length - TAIL_DIGITS, "0123456789abcdef") != TAIL_DIGITS ||
		entry[length - TAIL_DIGITS - 1] != '.')
		return false;
	for (size_t i = 0; i < FILES_COUNT; i++) {
		const char *base = strrchr(files[i], '/') ? strrchr(files[i], '/') + 1 : files[i];
		if (strlen(base) == length - TAIL_DIGITS - 2 && strncmp(entry + 1, base, strlen(base)) == 0)
			return true;
	}
	return false;
}

/* prefix: "" or "hooks/". */
static int temporaries_remove(const struct bundle *bundle, const char *prefix, struct error *error)
{
	int fd = openat(bundle->fd, *prefix ? "hooks" : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(error, errno, "%s", bundle->path);
	cleanup_dir DIR *folder = fdopendir(fd);
	if (!folder) {
		close(fd);
		return error_errno(error, errno, "%s", bundle->path);
	}
	int rc = 0;
	for (const struct dirent *entry; rc == 0 && (entry = readdir(folder));) {
		char name[NAME_MAX + 8];
		snprintf(name, sizeof(name), "%s%s", prefix, entry->d_name);
		if (is_temporary(entry->d_name))
			rc = bundle_remove(bundle, name, error);
	}
	return rc;
}

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
	if (init_fd < 0 && proxy_fd < 0)
		return 0;
	return error_set(error, EBUSY, "%s runs; stop it first: podman stop %s", name, name);
}

/* One that is under another's shield: that one's bundle says whether it lives. */
static int member_check(const struct container *container, const char *name, struct error *error)
{
	for (size_t i = 0; i < container->members.count; i++) {
		if (strcmp(container->members.list[i].name, name) == 0)
			return error_set(error, EBUSY, "%s runs; stop it first: podman stop %s", name, name);
	}
	return 0;
}

static int bundle_empty(const struct bundle *bundle, const char *name, struct error *error)
{
	cleanup_fd int lock_fd = bundle_lock(bundle, LOCK_TIMEOUT_MS, error);
	int rc = lock_fd < 0 ? lock_fd : stopped_check(bundle, name, error);
	for (size_t i = 0; rc == 0 && i < FILES_COUNT; i++) {
		rc = bundle_remove(bundle, files[i], error);
		if (!rc && i == 0 && fsync(bundle->fd)) /* before anything else goes */
			rc = error_errno(error, errno, "%s", bundle->path);
	}
	if (!rc)
		rc = temporaries_remove(bundle, "", error);
	return rc ? rc : temporaries_remove(bundle, "hooks/", error);
}

static int folder_remove(const struct bundle *bundle, bool shared, struct error *error)
{
	if ((unlinkat(bundle->fd, "hooks", AT_REMOVEDIR) == 0 || errno == ENOENT) && rmdir(bundle->path) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return error_errno(error, errno, "cannot remove %s", bundle->path);
	if (shared) /* --task-state-dir: others keep things there too */
		return 0;
	return error_set(error, ENOTEMPTY, "%s is kept: there are files in it that are not the shield's", bundle->path);
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
	struct bundle_shared shared;
	int rc = container_open(&container, options, &missing);
	snprintf(name, 129, "%s", rc ? options->container : container.identity.container);
	if (rc == 0) {
		rc = bundle_open(bundle, container.own, error);
		if (rc || bundle_shared_read(bundle, &shared, NULL))
			return rc;
		snprintf(name, 129, "%s", shared.member);
		return member_check(&container, name, error);
	}
	if (paths_bundle(options, options->container, path, NULL) == 0 && bundle_open(bundle, path, NULL) == 0 &&
		(!options->task_state_dir || is_bundle(bundle)))
		return 0;
	return error_set(error, missing.code, "%s", missing.text);
}

enum command_exit cmd_rm(const struct command_options *options, struct error *error)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	char name[129];
	if (bundle_find(&bundle, name, options, error) || bundle_empty(&bundle, name, error) ||
		folder_remove(&bundle, options->task_state_dir, error))
		return COMMAND_FAILED;
	printf("Removed %s\n", name);
	return COMMAND_DONE;
}
