/* The bundle's folder: made and opened. bundle_path.c has the way there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "state/bundle_file.h"

#define SHOWN(word) text_escaped((char[300]){0}, 300, word)

/* The folder cannot be made ready. Returns -code. */
static int folder_failed(const char *path, const char *what, int code, struct error *error)
{
	return error_set(error, code, "state folder '%s': cannot %s: %s%s", SHOWN(path), what, strerror(code), bundle_remedy(code));
}

/* Opens what bundle_path_open() allows and looks at what lies in it. */
static int bundle_open_checked(struct bundle *bundle, const char *path, bool create, struct error *error)
{
	cleanup_fd int fd = -1;
	int result = bundle_check_path(path, error), hooks;

	bundle->fd = -1;
	if (result)
		return result;
	fd = bundle_path_open(path, create, error);
	if (fd < 0)
		return fd;
	if (create && fchmod(fd, 0700))
		return folder_failed(path, "set its mode", errno, error);
	if (create && mkdirat(fd, BUNDLE_HOOKS, 0700) && errno != EEXIST)
		return folder_failed(path, "make " BUNDLE_HOOKS, errno, error);
	hooks = bundle_hooks_open(fd, error);
	if (hooks < 0 && hooks != -ENOENT)
		return error_prefix(error, "state folder '%s'", SHOWN(path));
	if (create && hooks >= 0 && fchmod(hooks, 0700))
		result = folder_failed(path, "set the mode of " BUNDLE_HOOKS, errno, error);
	cleanup_close_fd(&hooks);
	if (result)
		return result;
	snprintf(bundle->path, sizeof(bundle->path), "%s", path);
	bundle->fd = take_fd(fd);
	return 0;
}

int bundle_create(struct bundle *bundle, const char *path, struct error *error)
{
	return bundle_open_checked(bundle, path, true, error);
}

int bundle_open(struct bundle *bundle, const char *path, struct error *error)
{
	return bundle_open_checked(bundle, path, false, error);
}
