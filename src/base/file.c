/* Files: read whole with a bound, replaced whole. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"

#define FILE_CHUNK    4096
#define FILE_ATTEMPTS 16 /* at a temporary name that nobody has */

/* Reads to the end. expected: the size there probably is, so that a file is read into one piece of memory. */
static int file_read_whole(int fd, size_t expected, size_t max, char **data, size_t *length)
{
	size_t limit = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2;
	size_t capacity = expected < limit ? expected + 2 : limit + 2; /* one octet to see the end or the excess, one for the NUL */
	size_t used = 0;
	cleanup_free char *buffer = malloc(capacity);

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		ssize_t got = read(fd, buffer + used, capacity - 1 - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
		if (used > limit)
			return -EFBIG;
		if (used == capacity - 1) {
			size_t grown = capacity < limit / 2 ? capacity * 2 : limit + 2;
			char *moved = realloc(buffer, grown);

			if (!moved)
				return -ENOMEM;
			buffer = moved;
			capacity = grown;
		}
	}
	buffer[used] = '\0';
	*data = take_pointer(buffer);
	if (length)
		*length = used;
	return 0;
}

int file_read_fd(int fd, size_t max, char **data, size_t *length)
{
	return file_read_whole(fd, FILE_CHUNK, max, data, length);
}

int file_read(int dir_fd, const char *name, size_t max, char **data, size_t *length)
{
	/* Not blocking: somebody may have put a FIFO there. */
	cleanup_fd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if ((uintmax_t)status.st_size > max)
		return -EFBIG;
	/* files of /proc say 0, and some of them give the rest only to a read that takes it whole */
	return file_read_whole(fd, status.st_size ? (size_t)status.st_size : FILE_CHUNK, max, data, length);
}

int file_write_all(int fd, const void *data, size_t length)
{
	const char *octets = data;

	while (length > 0) {
		ssize_t put = write(fd, octets, length);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		if (put == 0)
			return -EIO;
		octets += put;
		length -= (size_t)put;
	}
	return 0;
}

/* Opens the folder that `name` lies in and points base at the last component. Returns the descriptor, or a negative errno. */
static int file_open_folder(int dir_fd, const char *name, const char **base)
{
	const char *slash = strrchr(name, '/');
	char folder[PATH_MAX] = ".";
	int fd;

	*base = slash ? slash + 1 : name;
	if (**base == '\0')
		return -EINVAL;
	if (slash) {
		size_t length = slash == name ? 1 : (size_t)(slash - name);

		if (length >= sizeof(folder))
			return -ENAMETOOLONG;
		memcpy(folder, name, length);
		folder[length] = '\0';
	}
	fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Makes a file of a name that nobody could foresee. Returns its descriptor, or a negative errno. */
static int file_open_temporary(int folder_fd, const char *base, char name[NAME_MAX + 1])
{
	for (int attempt = 0; attempt < FILE_ATTEMPTS; attempt++) {
		int fd;

		snprintf(name, NAME_MAX + 1, ".%.200s.%04x%04x%04x%04x", base, hash_random16(), hash_random16(), hash_random16(),
			hash_random16());
		fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

/* What a new file shall be. */
struct file_shape {
	mode_t mode;
	uid_t owner; /* -1: left alone */
	gid_t group;
	bool durable; /* on the disk when the call returns */
};

/* fchmod(2) rather than the mode at creation, so that the umask has no say. */
static int file_fill(int fd, const struct file_shape *shape, const void *data, size_t length)
{
	int result = file_write_all(fd, data, length);

	if (result)
		return result;
	if (fchown(fd, shape->owner, shape->group) < 0 || fchmod(fd, shape->mode) < 0 || (shape->durable && fsync(fd) < 0))
		return -errno;
	return 0;
}

/* Makes the new file beside the one that it shall replace. */
static int file_stage_as(
	int folder_fd, const char *base, const struct file_shape *shape, const void *data, size_t length, char temporary[NAME_MAX + 1])
{
	cleanup_fd int fd = file_open_temporary(folder_fd, base, temporary);
	int result = fd < 0 ? fd : file_fill(fd, shape, data, length);

	if (fd >= 0 && result)
		unlinkat(folder_fd, temporary, 0);
	return result;
}

static int file_replace_as(int dir_fd, const char *name, const struct file_shape *shape, const void *data, size_t length)
{
	char temporary[NAME_MAX + 1];
	const char *base;
	cleanup_fd int folder_fd = file_open_folder(dir_fd, name, &base);
	int result;

	if (folder_fd < 0)
		return folder_fd;
	result = file_stage_as(folder_fd, base, shape, data, length, temporary);
	if (result)
		return result;
	if (renameat(folder_fd, temporary, folder_fd, base) < 0) {
		result = -errno;
		unlinkat(folder_fd, temporary, 0);
		return result;
	}
	return shape->durable && fsync(folder_fd) < 0 ? -errno : 0;
}

int file_stage(int folder_fd, const char *name, mode_t mode, const void *data, size_t length, char temporary[NAME_MAX + 1])
{
	struct file_shape shape = {.mode = mode, .owner = (uid_t)-1, .group = (gid_t)-1, .durable = true};

	return file_stage_as(folder_fd, name, &shape, data, length, temporary);
}

int file_replace(int dir_fd, const char *name, mode_t mode, const void *data, size_t length)
{
	struct file_shape shape = {.mode = mode, .owner = (uid_t)-1, .group = (gid_t)-1, .durable = true};

	return file_replace_as(dir_fd, name, &shape, data, length);
}

int file_replace_volatile(int dir_fd, const char *name, mode_t mode, uid_t owner, gid_t group, const void *data, size_t length)
{
	struct file_shape shape = {.mode = mode, .owner = owner, .group = group};

	return file_replace_as(dir_fd, name, &shape, data, length);
}

int file_read_pipe(int fd, size_t max, unsigned timeout_ms, struct text *text)
{
	int64_t deadline_ms = clock_now_ms() + timeout_ms;
	char buffer[65536];

	for (;;) {
		struct pollfd waiting = {.fd = fd, .events = POLLIN};
		int64_t left_ms = deadline_ms - clock_now_ms();
		ssize_t length;
		int ready;

		if (left_ms <= 0)
			return -ETIMEDOUT;
		ready = poll(&waiting, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready <= 0)
			continue;
		length = read(fd, buffer, sizeof(buffer));
		if (length < 0 && errno != EINTR)
			return -errno;
		if (length == 0)
			return text_failed(text) ? -ENOMEM : 0;
		if (length > 0)
			text_add_bytes(text, buffer, (size_t)length);
		if (text->length > max)
			return -EFBIG;
	}
}
