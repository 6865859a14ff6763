/* Where things are. */
#include "cli/paths.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "state/bundle.h"
#include "state/hub.h"

static int path_join(char path[PATH_MAX], const char *folder, const char *rest, struct error *error)
{
	int length = snprintf(path, PATH_MAX, "%s%s", folder, rest);
	if (length < 0 || length >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "the path of a folder is longer than %d octets", PATH_MAX);
	return 0;
}

/* A path that the caller named, made absolute, and without the slashes at its end that bundle_check_path() would refuse. */
static int path_absolute(char path[PATH_MAX], const char *given, const char *rest, struct error *error)
{
	char folder[PATH_MAX], shown[160];
	while (given[0] == '.' && given[1] == '/') {
		given += 2;
		given += strspn(given, "/");
	}
	size_t length = strlen(given);
	while (length > 1 && given[length - 1] == '/')
		length--;
	bool here = length == 0 || (length == 1 && given[0] == '.');
	int written;
	if (given[0] == '/') {
		written = snprintf(folder, sizeof(folder), "%.*s", (int)length, given);
	} else {
		char cwd[PATH_MAX];
		if (!getcwd(cwd, sizeof(cwd)))
			return error_errno(
				error, errno, "cannot find the current folder for '%s'", text_escaped(shown, sizeof(shown), given));
		written = snprintf(folder, sizeof(folder), "%s%s%.*s", cwd, here ? "" : "/", here ? 0 : (int)length, given);
	}
	if (written < 0 || (size_t)written >= sizeof(folder))
		return error_set(error, ENAMETOOLONG, "the path '%s' is too long", text_escaped(shown, sizeof(shown), given));
	return path_join(path, folder, rest, error);
}

static int home_find(char path[PATH_MAX], struct error *error)
{
	const char *home = getenv("HOME");
	if (home && home[0] == '/')
		return path_absolute(path, home, "", error);
	const struct passwd *user = getpwuid(getuid());
	if (!user || !user->pw_dir || user->pw_dir[0] != '/')
		return error_set(error, ENOENT, "no home folder is known: set HOME");
	return path_absolute(path, user->pw_dir, "", error);
}

int paths_user(char path[PATH_MAX], const char *variable, const char *fallback, const char *rest, struct error *error)
{
	const char *value = getenv(variable);
	if (value && value[0] == '/')
		return path_absolute(path, value, rest, error);
	char home[PATH_MAX], below[256];
	int rc = home_find(home, error);
	if (rc)
		return rc;
	snprintf(below, sizeof(below), "/%s%s", fallback, rest);
	return path_join(path, strcmp(home, "/") == 0 ? "" : home, below, error);
}

/* $variable itself, or $xdg (only when absolute, as the XDG specification wants) or HOME/fallback with /terok/shield behind. */
static int folder_find(char path[PATH_MAX], const char *variable, const char *xdg, const char *fallback, struct error *error)
{
	const char *value = getenv(variable);
	if (value && *value)
		return path_absolute(path, value, "", error);
	return paths_user(path, xdg, fallback, "/terok/shield", error);
}

int paths_state_root(const struct command_options *options, char path[PATH_MAX], struct error *error)
{
	if (options->state_dir)
		return path_absolute(path, options->state_dir, "", error);
	return folder_find(path, "TEROK_SHIELD_STATE_DIR", "XDG_STATE_HOME", ".local/state", error);
}

int paths_bundle(const struct command_options *options, const char *name, char path[PATH_MAX], struct error *error)
{
	char shown[160];
	if (!bundle_name_is_safe(name))
		return error_set(error, EINVAL, "Unsafe container name: '%s'", text_escaped(shown, sizeof(shown), name));
	if (options->task_state_dir)
		return path_absolute(path, options->task_state_dir, "", error);
	char root[PATH_MAX];
	int rc = paths_state_root(options, root, error);
	if (rc)
		return rc;
	char rest[256];
	snprintf(rest, sizeof(rest), "/containers/%s", name);
	return path_join(path, root, rest, error);
}

int paths_config(char path[PATH_MAX], struct error *error)
{
	return folder_find(path, "TEROK_SHIELD_CONFIG_DIR", "XDG_CONFIG_HOME", ".config", error);
}

/* The folder of our own executable, without "/bin" for what lies beside it. */
static int own_folder(char path[PATH_MAX], struct error *error)
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	if (length <= 0)
		return error_errno(error, errno ? errno : ENOENT, "cannot find this program's own folder through /proc/self/exe");
	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	return 0;
}

int paths_libexec(const char *program, char path[PATH_MAX], struct error *error)
{
	char own[PATH_MAX], rest[128];
	int rc = own_folder(own, error);
	if (rc)
		return rc;
	snprintf(rest, sizeof(rest), "/libexec/terok-shield/%s", program);
	char *slash = strrchr(own, '/');
	if (slash)
		*slash = '\0';
	rc = path_join(path, own, rest, error);
	if (rc || access(path, X_OK) == 0)
		return rc;
	return error_set(error, ENOENT, "the installation is not complete: there is no %s; install terok-shield again", path);
}

int paths_bundled_profiles(char path[PATH_MAX], struct error *error)
{
	char own[PATH_MAX];
	int rc = own_folder(own, error);
	if (rc)
		return rc;
	char *slash = strrchr(own, '/');
	if (slash)
		*slash = '\0';
	return path_join(path, own, "/share/terok-shield/profiles", error);
}

void paths_hub(char path[SETTINGS_HUB_MAX])
{
	const char *folder = getenv("XDG_RUNTIME_DIR");
	int length;
	if (folder && folder[0] == '/')
		length = snprintf(path, SETTINGS_HUB_MAX, "%s/" HUB_SOCKET, folder);
	else
		length = snprintf(path, SETTINGS_HUB_MAX, "/run/user/%u/" HUB_SOCKET, (unsigned)getuid());
	if (length >= SETTINGS_HUB_MAX)
		path[0] = '\0';
}
