/* Mounts and devices that would open the shield.
 *
 * A mount can hand the container a socket of something outside that acts for it (podman, docker, the user's service manager), the
 * shield's own state, or other processes' namespaces. The source is compared as it is written and with its links followed. */
#include "cli/podman_paths.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define WHY_ENGINE   "who holds a container engine's socket can start containers without a shield; mount only what is needed below it"
#define WHY_SERVICES "the services behind it would run programs outside for the container; mount the single socket that is needed"
#define WHY_NETNS    "network namespaces could be entered from it"
#define WHY_KERNEL   "the host's kernel settings could be changed through it; mount it read-only with :ro"

struct guarded {
	const char *path;
	bool above;      /* a source above it is refused too */
	bool below;      /* a source below it is refused too */
	bool ro_allowed; /* unless it is read-only */
	const char *why;
};

static const struct guarded guarded_table[] = {
	{"/run/podman", true, true, false, WHY_ENGINE},
	{"/run/docker.sock", true, true, false, WHY_ENGINE},
	{"/run/docker", false, true, false, WHY_ENGINE},
	{"/run/containerd", false, true, false, WHY_ENGINE},
	{"/run/crio", false, true, false, WHY_ENGINE},
	{"/run/containers", false, true, false, WHY_ENGINE},
	{"/var/lib/containers", true, true, false, "the engine's own storage would be changed behind its back"},
	{"/run/dbus", true, true, false, WHY_SERVICES},
	{"/run/systemd", true, true, false, WHY_SERVICES},
	{"/run/netns", true, true, false, WHY_NETNS},
	{"/run/user", true, false, false, WHY_SERVICES},
	{"/proc", true, true, true, WHY_KERNEL},
	{"/sys", true, true, true, WHY_KERNEL},
};

/* The same, below /run/user/UID. */
static const struct guarded user_table[] = {
	{"", true, false, false, WHY_SERVICES},
	{"/podman", false, true, false, WHY_ENGINE},
	{"/docker.sock", false, true, false, WHY_ENGINE},
	{"/docker", false, true, false, WHY_ENGINE},
	{"/containers", false, true, false, WHY_ENGINE},
	{"/libpod", false, true, false, WHY_ENGINE},
	{"/netns", false, true, false, WHY_NETNS},
	{"/bus", false, true, false, WHY_SERVICES},
	{"/systemd", false, true, false, WHY_SERVICES},
	{"/dbus-1", false, true, false, WHY_SERVICES},
};

static const struct guarded device_table[] = {
	{"/dev/mem", true, true, false, "the kernel's memory holds the rules; name the single device that is needed"},
	{"/dev/kmem", true, true, false, "the kernel's memory holds the rules; name the single device that is needed"},
	{"/dev/port", true, true, false, "it reaches the machine's hardware past the kernel"},
	{"/dev/vhost-net", true, true, false, "packets written there pass no rule"},
	{"/dev/vhost-vsock", true, true, false, "sockets of virtual machines pass no rule"},
};

/* Lexically: "." and empty parts go, ".." takes the part before it away. path is absolute. */
static void normalize(char *path)
{
	char *out = path;
	for (const char *at = path; *at;) {
		at += strspn(at, "/");
		size_t length = strcspn(at, "/");
		if (length == 2 && at[0] == '.' && at[1] == '.') {
			while (out > path && *--out != '/')
				;
		} else if (length > 0 && !(length == 1 && at[0] == '.')) {
			*out++ = '/';
			memmove(out, at, length);
			out += length;
		}
		at += length;
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

/* True when path is folder or lies below it; both normalized. */
static bool is_within(const char *path, const char *folder)
{
	size_t length = strlen(folder);
	if (strcmp(folder, "/") == 0)
		return true;
	return strncmp(path, folder, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool guard_hits(const struct guarded *guarded, const char *path, const char *place, bool read_only)
{
	if (guarded->ro_allowed && read_only)
		return false;
	return strcmp(path, place) == 0 || (guarded->above && is_within(place, path)) || (guarded->below && is_within(path, place));
}

static int refused(struct text *why, const char *reason)
{
	text_add(why, reason);
	return -EINVAL;
}

/* One spelling of a source: normalized, absolute. */
static int source_check_path(const char *path, bool read_only, const struct podman_guard *guard, struct text *why)
{
	const char *base = strrchr(path, '/') + 1;
	if (strcmp(base, "podman.sock") == 0 || strcmp(base, "docker.sock") == 0 || strcmp(base, "containerd.sock") == 0 ||
		strcmp(base, "crio.sock") == 0)
		return refused(why, WHY_ENGINE);
	for (size_t i = 0; i < sizeof(guarded_table) / sizeof(*guarded_table); i++) {
		if (guard_hits(&guarded_table[i], path, guarded_table[i].path, read_only))
			return refused(why, guarded_table[i].why);
	}
	if (strncmp(path, "/run/user/", 10) == 0) {
		size_t user = 10 + strcspn(path + 10, "/");
		for (size_t i = 0; i < sizeof(user_table) / sizeof(*user_table); i++) {
			char place[PATH_MAX + 32];
			snprintf(place, sizeof(place), "%.*s%s", (int)user, path, user_table[i].path);
			if (guard_hits(&user_table[i], path, place, read_only))
				return refused(why, user_table[i].why);
		}
	}
	for (size_t i = 0; i < sizeof(guard->folders) / sizeof(*guard->folders); i++) {
		const char *folder = guard->folders[i];
		if (folder && (is_within(path, folder) || is_within(folder, path))) {
			text_add(why, "the shield's own files are in it (");
			text_add_escaped(why, folder, strlen(folder), 200);
			text_add(why, "), and the container could change them; mount the folders that are needed one by one");
			return -EINVAL;
		}
	}
	return 0;
}

static int source_check(const char *source, bool read_only, const struct podman_guard *guard, struct text *why)
{
	char path[PATH_MAX];
	int length;
	if (source[0] == '/') {
		length = snprintf(path, sizeof(path), "%s", source);
	} else {
		char cwd[PATH_MAX];
		if (!getcwd(cwd, sizeof(cwd)))
			return refused(why, "the current folder cannot be found");
		length = snprintf(path, sizeof(path), "%s/%s", cwd, source);
	}
	if (length < 0 || (size_t)length >= sizeof(path))
		return refused(why, "the path is too long");
	cleanup_free char *real = realpath(path, NULL);
	normalize(path);
	/* /var/run is a link to /run on every system of today; where it is not there yet, realpath() cannot say so. */
	const char *plain = strncmp(path, "/var/run/", 9) == 0 || strcmp(path, "/var/run") == 0 ? path + 4 : path;
	int rc = source_check_path(plain, read_only, guard, why);
	if (rc == 0 && real && strcmp(real, plain) != 0)
		rc = source_check_path(real, read_only, guard, why);
	return rc;
}

static int target_check(const char *target, struct text *why)
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof(path), "/%s", target);
	if (length < 0 || (size_t)length >= sizeof(path))
		return refused(why, "the path is too long");
	normalize(path);
	if (is_within(path, "/etc/resolv.conf") || is_within("/etc/resolv.conf", path))
		return refused(
			why, "/etc/resolv.conf is the shield's, it names its forwarder; mount the single files of /etc that are needed");
	return 0;
}

/* True when a comma list of options has the word. */
static bool options_have(const char *options, const char *word)
{
	size_t wanted = strlen(word);
	for (const char *at = options;; at++) {
		size_t length = strcspn(at, ",");
		if (length == wanted && strncmp(at, word, length) == 0)
			return true;
		at += length;
		if (!*at)
			return false;
	}
}

/* A source that is a path; anything else is the name of a volume. */
static bool is_host_path(const char *source)
{
	return source[0] == '/' || source[0] == '.' || strchr(source, '/');
}

static int volume_check(char *value, const struct podman_guard *guard, struct text *why)
{
	char *target = strchr(value, ':');
	if (!target)
		return target_check(value, why);
	*target++ = '\0';
	char *options = strchr(target, ':');
	if (options)
		*options++ = '\0';
	int rc = target_check(target, why);
	if (rc)
		return rc;
	if (options && (strstr(options, "upperdir=") || strstr(options, "workdir=")))
		return refused(why, "the folders of an overlay cannot be checked; use :O without them");
	if (!is_host_path(value))
		return 0;
	/* The last word wins in podman; a list with both counts as writable. */
	bool read_only = options && options_have(options, "ro") && !options_have(options, "rw");
	return source_check(value, read_only, guard, why);
}

/* Leaves the folder that stands before the first wildcard. */
static void wildcard_cut(char *path)
{
	size_t plain = strcspn(path, "*?[\\");
	if (!path[plain])
		return;
	path[plain] = '\0';
	char *slash = strrchr(path, '/');
	*(slash ? slash + 1 : path) = '\0';
}

static int mount_check(char *value, const struct podman_guard *guard, struct text *why)
{
	static const char *const sources[] = {"source", "src"};
	static const char *const targets[] = {"target", "destination", "dst"};
	if (strpbrk(value, "\"\n"))
		return refused(why, "quotes in it cannot be checked");
	bool read_only = options_have(value, "ro") || options_have(value, "readonly") || options_have(value, "ro=true") ||
			 options_have(value, "readonly=true");
	bool glob = options_have(value, "type=glob"), volume = options_have(value, "type=volume");
	char *save = NULL;
	for (char *word = strtok_r(value, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char *argument = strchr(word, '=');
		if (!argument)
			continue;
		*argument++ = '\0';
		for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
			if (strcmp(word, targets[i]) == 0 && target_check(argument, why))
				return -EINVAL;
		}
		for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
			if (strcmp(word, sources[i]) != 0)
				continue;
			if (glob)
				wildcard_cut(argument);
			if ((!volume || is_host_path(argument)) && source_check(argument, read_only, guard, why))
				return -EINVAL;
		}
		if (strcmp(word, "volume-opt") == 0)
			return refused(why, "options of a volume's driver cannot be checked; make the volume with `podman volume create`");
	}
	return 0;
}

/* podman cuts at each comma, quoted or not, and the last target wins. One that is not absolute lies below /run/secrets. */
static int secret_check(char *value, struct text *why)
{
	char *save = NULL;
	for (char *word = strtok_r(value, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		char path[PATH_MAX];
		if (strncmp(word, "target=", 7) != 0)
			continue;
		int length = snprintf(path, sizeof(path), "%s%s", word[7] == '/' ? "" : "/run/secrets/", word + 7);
		if (length < 0 || (size_t)length >= sizeof(path))
			return refused(why, "the path is too long");
		int rc = target_check(path, why);
		if (rc)
			return rc;
	}
	return 0;
}

static int device_check_one(char *value, struct text *why)
{
	value[strcspn(value, ":")] = '\0';
	if (value[0] != '/')
		return 0;
	cleanup_free char *real = realpath(value, NULL);
	normalize(value);
	for (size_t i = 0; i < sizeof(device_table) / sizeof(*device_table); i++) {
		const struct guarded *guarded = &device_table[i];
		if (guard_hits(guarded, value, guarded->path, false) || (real && guard_hits(guarded, real, guarded->path, false)))
			return refused(why, guarded->why);
	}
	return 0;
}

/* podman 4 takes a comma list here, and quotes in it. */
static int device_check(char *value, struct text *why)
{
	if (strpbrk(value, "\"\n"))
		return refused(why, "quotes in it cannot be checked");
	char *save = NULL;
	int rc = 0;
	for (char *word = strtok_r(value, ",", &save); rc == 0 && word; word = strtok_r(NULL, ",", &save))
		rc = device_check_one(word, why);
	return rc;
}

int podman_paths_check(enum podman_paths_kind kind, const char *value, const struct podman_guard *guard, struct text *why)
{
	cleanup_free char *copy = strdup(value);
	if (!copy)
		return refused(why, "out of memory");
	switch (kind) {
	case PODMAN_PATHS_VOLUME:
		return volume_check(copy, guard, why);
	case PODMAN_PATHS_MOUNT:
		return mount_check(copy, guard, why);
	case PODMAN_PATHS_TMPFS:
		copy[strcspn(copy, ":")] = '\0';
		return target_check(copy, why);
	case PODMAN_PATHS_SECRET:
		return secret_check(copy, why);
	case PODMAN_PATHS_DEVICE:
		return device_check(copy, why);
	}
	return -EINVAL;
}
