/* The end of a bundle.
 *
 * Theory of operation. Only files that the shield itself makes are removed, each by its name relative to the folder's descriptor, so
 * nothing behind a link is touched; what else lies there stays, and with it the folder. The order is one in which a crash halfway
 * leaves nothing weaker than before: first the settings, without which no hook starts a container; then what allows; then what
 * denies; then the rest. A second time takes the remainder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "state/bundle_file.h"

#define TAIL_DIGITS 16 /* of file_replace()'s temporaries: .NAME.DIGITS */

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
	BUNDLE_DOSSIER,
	BUNDLE_META_PATH,
	BUNDLE_AUDIT,
	BUNDLE_AUDIT ".1",
	BUNDLE_ACTIVITY,
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
	int fd = openat(bundle->fd, *prefix ? BUNDLE_HOOKS : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
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

int bundle_erase(const struct bundle *bundle, struct error *error)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < FILES_COUNT; i++) {
		rc = bundle_remove(bundle, files[i], error);
		if (!rc && i == 0 && fsync(bundle->fd)) /* before anything else goes */
			rc = error_errno(error, errno, "%s", bundle->path);
	}
	if (!rc)
		rc = temporaries_remove(bundle, "", error);
	return rc ? rc : temporaries_remove(bundle, BUNDLE_HOOKS "/", error);
}

int bundle_erase_folder(const struct bundle *bundle, struct error *error)
{
	if ((unlinkat(bundle->fd, BUNDLE_HOOKS, AT_REMOVEDIR) == 0 || errno == ENOENT) && rmdir(bundle->path) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return error_errno(error, errno, "cannot remove %s", bundle->path);
	return error_set(error, ENOTEMPTY, "%s is kept: there are files in it that are not the shield's", bundle->path);
}
