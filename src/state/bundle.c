/* The files in the bundle's folder: locked, read and replaced. bundle_open.c has the folder. */
#include "state/bundle_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define LOCK          "lock"
#define LOCK_PAUSE_MS 5u
#define NAME_SAFE_MAX 128

#define SHOWN(word) text_escaped((char[300]){0}, 300, word)

static bool is_word_octet(char octet)
{
	return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') || (octet >= '0' && octet <= '9') || octet == '_';
}

bool bundle_name_is_safe(const char *name)
{
	size_t length = 0;

	for (; name[length] != '\0'; length++)
		if (!is_word_octet(name[length]) && (length == 0 || (name[length] != '.' && name[length] != '-')))
			return false;
	return length > 0 && length <= NAME_SAFE_MAX;
}

const char *bundle_remedy(int code)
{
	switch (code) {
	case ENOSPC:
	case EDQUOT:
		return "; make room there and say it again";
	case EROFS:
		return "; make the file system writable, or name another folder with --state-dir";
	case EMFILE:
	case ENFILE:
		return "; raise the limit (ulimit -n) or end other programs";
	default:
		return "";
	}
}

int bundle_hooks_open(int bundle_fd, struct error *error)
{
	cleanup_fd int fd = openat(bundle_fd, BUNDLE_HOOKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &status))
		return error_set(error, EPERM, "%s: it is not a folder, or a link: %s", BUNDLE_HOOKS, strerror(errno));
	if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)))
		return error_set(error, EPERM, "%s: it belongs to another user or can be written by group or others", BUNDLE_HOOKS);
	return take_fd(fd);
}

void bundle_close(struct bundle *bundle)
{
	cleanup_close_fd(&bundle->fd);
	bundle->fd = -1;
}

int bundle_file_folder(const struct bundle *bundle, const char *name, const char **base, struct error *error)
{
	bool in_hooks = strncmp(name, BUNDLE_HOOKS "/", sizeof(BUNDLE_HOOKS)) == 0;
	int fd;

	*base = in_hooks ? name + sizeof(BUNDLE_HOOKS) : name;
	if (**base == '\0' || strchr(*base, '/') || strcmp(*base, ".") == 0 || strcmp(*base, "..") == 0)
		return error_set(error, EINVAL, "'%s' is no file of a state folder", SHOWN(name));
	if (in_hooks)
		return bundle_hooks_open(bundle->fd, error);
	fd = fcntl(bundle->fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? error_errno(error, errno, "%s", SHOWN(bundle->path)) : fd;
}

static int file_check(const struct stat *status, const char *name, struct error *error)
{
	if (!S_ISREG(status->st_mode))
		return error_set(error, EPERM, "%s: it is not a regular file; remove it and prepare the container anew", SHOWN(name));
	if (status->st_uid != geteuid())
		return error_set(error, EPERM, "%s: it belongs to another user; remove it and prepare the container anew", SHOWN(name));
	if (status->st_mode & (S_IWGRP | S_IWOTH))
		return error_set(
			error, EPERM, "%s: it can be written by group or others; remove it and prepare the container anew", SHOWN(name));
	/* 0 is a file that was replaced after we had opened it: whole, and ours. */
	if (status->st_nlink > 1)
		return error_set(error, EPERM, "%s: it has another name elsewhere (a hard link); remove it and prepare the container anew",
			SHOWN(name));
	return 0;
}

int bundle_file_open(const struct bundle *bundle, const char *name, int flags, struct error *error)
{
	const char *base;
	cleanup_fd int folder = bundle_file_folder(bundle, name, &base, error);
	cleanup_fd int fd = -1;
	struct stat status;
	int result;

	if (folder < 0)
		return folder;
	/* O_NONBLOCK: a fifo must not hold us up before it is refused. */
	fd = openat(folder, base, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 && errno == ELOOP)
		return error_set(error, EPERM, "%s: it is a symbolic link; remove it and prepare the container anew", SHOWN(name));
	if (fd < 0 || fstat(fd, &status)) {
		result = errno;
		return error_set(error, result, "%s/%s: %s%s", SHOWN(bundle->path), SHOWN(name), strerror(result), bundle_remedy(result));
	}
	result = file_check(&status, name, error);
	return result ? result : take_fd(fd);
}

int bundle_lock(const struct bundle *bundle, unsigned timeout_ms, struct error *error)
{
	cleanup_fd int fd = bundle_file_open(bundle, LOCK, O_RDWR | O_CREAT, error);

	if (fd < 0)
		return fd == -ENOENT ? error_errno(error, ENOENT, "%s: cannot make the lock file", SHOWN(bundle->path)) : fd;
	for (unsigned waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB); waited_ms += LOCK_PAUSE_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_errno(error, errno, "%s: cannot lock", SHOWN(bundle->path));
		if (waited_ms >= timeout_ms)
			return error_set(error, ETIMEDOUT, "%s: another command has been changing it for %u ms; try again",
				SHOWN(bundle->path), timeout_ms);
		nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000L}, NULL);
	}
	return take_fd(fd);
}

int bundle_read(const struct bundle *bundle, const char *name, size_t max, char **data, size_t *length, struct error *error)
{
	cleanup_fd int fd = bundle_file_open(bundle, name, O_RDONLY, error);
	int result;

	if (fd == -ENOENT)
		return error_errno(error, ENOENT, "%s", SHOWN(name));
	if (fd < 0)
		return fd;
	result = file_read_fd(fd, max, data, length);
	return result ? error_errno(error, -result, "%s", SHOWN(name)) : 0;
}

mode_t bundle_file_mode(const char *name)
{
	return strcmp(name, BUNDLE_RESOLV_CONF) == 0 ? 0644 : 0600;
}

int bundle_write_failed(const struct bundle *bundle, const char *name, int code, struct error *error)
{
	return error_set(error, code, "%s/%s: cannot replace it: %s%s", SHOWN(bundle->path), SHOWN(name), strerror(code),
		code == ENOENT ? "; the folder was removed meanwhile: run the container anew" : bundle_remedy(code));
}

static int file_write(const struct bundle *bundle, const char *name, bool durable, const void *data, size_t length, struct error *error)
{
	const char *base;
	cleanup_fd int folder = bundle_file_folder(bundle, name, &base, error);
	mode_t mode = bundle_file_mode(name);
	int result;

	if (folder < 0)
		return folder == -ENOENT ? bundle_write_failed(bundle, name, ENOENT, error) : folder;
	if (durable)
		result = file_replace(folder, base, mode, data, length);
	else
		result = file_replace_volatile(folder, base, mode, (uid_t)-1, (gid_t)-1, data, length);
	return result ? bundle_write_failed(bundle, name, -result, error) : 0;
}

int bundle_write(const struct bundle *bundle, const char *name, const void *data, size_t length, struct error *error)
{
	return file_write(bundle, name, true, data, length, error);
}

int bundle_write_volatile(const struct bundle *bundle, const char *name, const void *data, size_t length, struct error *error)
{
	return file_write(bundle, name, false, data, length, error);
}

int bundle_remove(const struct bundle *bundle, const char *name, struct error *error)
{
	const char *base;
	cleanup_fd int folder = bundle_file_folder(bundle, name, &base, error);
	int result;

	if (folder == -ENOENT)
		return 0;
	if (folder < 0)
		return folder;
	if (unlinkat(folder, base, 0) && errno != ENOENT) {
		result = errno;
		return error_set(error, result, "%s/%s: cannot remove it: %s%s", SHOWN(bundle->path), SHOWN(name), strerror(result),
			bundle_remedy(result));
	}
	return 0;
}
