/* The walk to the bundle's folder, by a path that a hostile caller may have chosen.
 *
 * Theory of operation. The walk starts at "/" and opens one component at a time with O_PATH and O_NOFOLLOW, relative to the
 * descriptor of the folder before. What is checked is what fstat(2) says of a descriptor, and the next step goes from that same
 * descriptor, so nothing can be swapped between check and use.
 *
 * A parent must belong to root or to the caller, and nobody else may be able to rename what is in it: not writable by group or
 * others, or else sticky (/tmp). A link is followed only where the folder that holds it can be written by root and the caller
 * alone and the link is theirs (/home -> /var/home, /var/run -> /run); its target is walked in the same way. The last
 * component, the bundle, is never a link. The path as it came out, without links, has to pass bundle_check_path() again.
 *
 * In podman's user namespace the files of the host's root belong to the overflow uid. There, and only there, it counts as root
 * for parents and their links; never for the bundle or what is in it.
 */
#include "state/bundle_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define PROC_MAX 65536

#define LINKS_MAX 16

#define SHOWN(path) text_escaped((char[400]){0}, 400, path)

static const char *const system_folders[] = {"/etc", "/proc", "/sys", "/dev", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/boot", "/root"};

static bool is_at_or_below(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* Rootful podman keeps its default state below root's home. */
static bool home_is_below_root(void)
{
	struct passwd entry, *found = NULL;
	char buffer[4096];

	if (geteuid() != 0 || getpwuid_r(0, &entry, buffer, sizeof(buffer), &found) || !found)
		return false;
	return is_at_or_below(entry.pw_dir, "/root");
}

static bool has_odd_component(const char *path)
{
	for (const char *slash = path; slash; slash = strchr(slash + 1, '/')) {
		size_t length = strcspn(slash + 1, "/");

		if (length == 0 || (length == 1 && slash[1] == '.') || (length == 2 && slash[1] == '.' && slash[2] == '.'))
			return true;
	}
	return false;
}

int bundle_check_path(const char *path, struct error *error)
{
	if (path[0] != '/')
		return error_set(error, EPERM, "state folder '%s': the path is not absolute; give one that starts with '/'", SHOWN(path));
	if (strlen(path) >= PATH_MAX)
		return error_set(error, EPERM, "state folder: the path has more than %d octets", PATH_MAX - 1);
	if (has_odd_component(path))
		return error_set(
			error, EPERM, "state folder '%s': the path has an empty, '.' or '..' component; write it without", SHOWN(path));
	for (size_t i = 0; i < sizeof(system_folders) / sizeof(system_folders[0]); i++) {
		const char *folder = system_folders[i];

		if (is_at_or_below(path, folder) && (strcmp(folder, "/root") != 0 || !home_is_below_root()))
			return error_set(error, EPERM, "state folder '%s': it lies in the system folder %s; choose another place",
				SHOWN(path), folder);
	}
	return 0;
}

struct walk {
	const char *path; /* as it was given, for messages */
	int folder_fd;    /* of the folder reached so far, checked */
	struct stat folder;
	char resolved[PATH_MAX]; /* its path without links; "" for "/" */
	char rest[2 * PATH_MAX]; /* what is still to be walked begins at rest[at] */
	size_t at;
	unsigned links;
	int bundle_fd; /* -1 until the walk is over */
	bool create;
	uid_t self;
	uid_t overflow; /* (uid_t)-1 where it stands for nobody we trust */
	struct error *error;
};

/* The overflow uid, when this is a user namespace in which the host's root is not mapped. */
static uid_t overflow_uid(void)
{
	cleanup_free char *map = NULL;
	cleanup_free char *number = NULL;
	unsigned long inside, outside, count, uid;

	/* A map that cannot be read is taken for the host's: then nobody else is trusted. */
	if (file_read(AT_FDCWD, "/proc/self/uid_map", PROC_MAX, &map, NULL) || sscanf(map, "%lu %lu %lu", &inside, &outside, &count) != 3)
		return (uid_t)-1;
	if (inside == 0 && outside == 0 && count == UINT32_MAX)
		return (uid_t)-1;
	if (file_read(AT_FDCWD, "/proc/sys/kernel/overflowuid", PROC_MAX, &number, NULL) || sscanf(number, "%lu", &uid) != 1)
		return (uid_t)-1;
	return (uid_t)uid;
}

static bool is_trusted(const struct walk *walk, uid_t uid)
{
	return uid == 0 || uid == walk->self || (walk->overflow != (uid_t)-1 && uid == walk->overflow);
}

static bool others_can_write(const struct stat *status)
{
	return (status->st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

static int refuse(const struct walk *walk, const char *component, const char *why)
{
	return error_set(walk->error, EPERM, "state folder '%s': %s%s%s %s", SHOWN(walk->path), SHOWN(walk->resolved),
		component[0] == '/' ? "" : "/", SHOWN(component), why);
}

static int resolved_add(struct walk *walk, const char *component)
{
	size_t length = strlen(walk->resolved), room = sizeof(walk->resolved) - length;
	char *slash = strrchr(walk->resolved, '/');

	if (strcmp(component, "/") == 0) {
		walk->resolved[0] = '\0';
		return 0;
	}
	if (strcmp(component, "..") == 0) { /* of a link's target */
		if (slash)
			*slash = '\0';
		return 0;
	}
	if ((size_t)snprintf(walk->resolved + length, room, "/%s", component) >= room)
		return error_set(
			walk->error, ENAMETOOLONG, "state folder '%s': the path is too long with its links followed", SHOWN(walk->path));
	return 0;
}

/* Makes fd, which was opened as `component`, the folder the walk stands in. Takes fd. */
static int walk_enter(struct walk *walk, int fd, const struct stat *status, const char *component)
{
	cleanup_fd int entered = fd;
	int result;

	if (!is_trusted(walk, status->st_uid))
		return refuse(walk, component, "belongs to another user, who could put something else in its place; choose another folder");
	if (others_can_write(status) && !(status->st_mode & S_ISVTX))
		return refuse(walk, component, "can be written by group or others; take that away (chmod go-w) or choose another folder");
	result = resolved_add(walk, component);
	if (result)
		return result;
	cleanup_close_fd(&walk->folder_fd);
	walk->folder_fd = take_fd(entered);
	walk->folder = *status;
	return 0;
}

static int walk_enter_root(struct walk *walk)
{
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat status;

	if (root < 0 || fstat(root, &status))
		return error_errno(walk->error, errno, "cannot open /");
	return walk_enter(walk, take_fd(root), &status, "/");
}

/* Puts a link's target in front of what is still to be walked. fd: of the link itself. */
static int walk_follow(struct walk *walk, int fd, const struct stat *status, const char *component)
{
	char target[PATH_MAX], rest[sizeof(walk->rest)];
	ssize_t length;
	int written;

	if (walk->rest[walk->at] == '\0')
		return refuse(walk, component, "is a symbolic link; the state folder has to be a real one");
	if (others_can_write(&walk->folder) || !is_trusted(walk, status->st_uid))
		return refuse(walk, component, "is a symbolic link that others could have made; use the path behind it");
	if (++walk->links > LINKS_MAX)
		return refuse(walk, component, "leads through too many symbolic links");
	length = readlinkat(fd, "", target, sizeof(target) - 1);
	if (length <= 0)
		return error_errno(
			walk->error, length ? errno : ENOENT, "state folder '%s': cannot read a link on the way", SHOWN(walk->path));
	target[length] = '\0';
	written = snprintf(rest, sizeof(rest), "%s/%s", target, walk->rest + walk->at);
	if (written < 0 || (size_t)written >= sizeof(rest))
		return error_set(
			walk->error, ENAMETOOLONG, "state folder '%s': the path is too long with its links followed", SHOWN(walk->path));
	memcpy(walk->rest, rest, (size_t)written + 1);
	walk->at = 0;
	return target[0] == '/' ? walk_enter_root(walk) : 0;
}

/* Opens the component for checking, and makes it first where that is wanted. */
static int component_open(const struct walk *walk, const char *component)
{
	int fd = openat(walk->folder_fd, component, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT || !walk->create)
		return fd;
	if (mkdirat(walk->folder_fd, component, 0700) && errno != EEXIST)
		return -1;
	return openat(walk->folder_fd, component, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/* The last component: the bundle itself. */
static int walk_finish(struct walk *walk, int fd, const struct stat *status, const char *component)
{
	if (status->st_uid != walk->self)
		return refuse(walk, component, "belongs to another user; the state folder has to be the caller's own");
	if (others_can_write(status))
		return refuse(walk, component,
			"can be written by group or others, so its content cannot be trusted; remove it and prepare the container anew");
	walk->bundle_fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (walk->bundle_fd < 0)
		return error_errno(walk->error, errno, "state folder '%s'", SHOWN(walk->path));
	return resolved_add(walk, component);
}

/* Takes the next component off what is still to be walked. */
static int walk_next(struct walk *walk, char component[NAME_MAX + 1])
{
	size_t length;

	walk->at += strspn(walk->rest + walk->at, "/");
	length = strcspn(walk->rest + walk->at, "/");
	if (length > NAME_MAX)
		return error_set(
			walk->error, ENAMETOOLONG, "state folder '%s': a component has more than %d octets", SHOWN(walk->path), NAME_MAX);
	memcpy(component, walk->rest + walk->at, length);
	component[length] = '\0';
	walk->at += length;
	walk->at += strspn(walk->rest + walk->at, "/");
	return 0;
}

static int walk_step(struct walk *walk)
{
	char component[NAME_MAX + 1];
	cleanup_fd int fd = -1;
	struct stat status;
	int result = walk_next(walk, component);

	if (result)
		return result;
	if (strcmp(component, ".") == 0) /* of a link's target; the path itself has none */
		return 0;
	fd = component_open(walk, component);
	if (fd < 0 || fstat(fd, &status)) {
		result = errno;
		return error_set(walk->error, result, "state folder '%s': %s/%s: %s%s", SHOWN(walk->path), SHOWN(walk->resolved),
			SHOWN(component), strerror(result), bundle_remedy(result));
	}
	if (S_ISLNK(status.st_mode))
		return walk_follow(walk, fd, &status, component);
	if (!S_ISDIR(status.st_mode))
		return refuse(walk, component, "is not a folder");
	if (walk->rest[walk->at] == '\0')
		return walk_finish(walk, fd, &status, component);
	return walk_enter(walk, take_fd(fd), &status, component);
}

int bundle_path_open(const char *path, bool create, struct error *error)
{
	struct walk walk = {.path = path,
		.folder_fd = -1,
		.bundle_fd = -1,
		.create = create,
		.self = geteuid(),
		.overflow = overflow_uid(),
		.error = error};
	int result;

	snprintf(walk.rest, sizeof(walk.rest), "%s", path);
	result = walk_enter_root(&walk);
	while (result == 0 && walk.bundle_fd < 0)
		result = walk_step(&walk);
	cleanup_close_fd(&walk.folder_fd);
	/* A link may have led into a folder that is refused by name. */
	if (result == 0 && walk.links > 0)
		result = bundle_check_path(walk.resolved, error);
	if (result) {
		cleanup_close_fd(&walk.bundle_fd);
		return result;
	}
	return walk.bundle_fd;
}
