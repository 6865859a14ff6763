/* The audit log's file: audit.jsonl, appended to by several processes at once, rotated by whoever finds it full.
 *
 * Theory of operation. A writer opens the file by name, appends its line with one write(2), and that is all: O_APPEND makes the lines
 * of several processes follow each other. Who finds the file full tries for an exclusive lock on it, looks whether the name still
 * leads to this very file, and only then renames it. The name can only be moved by the holder of the lock on what it leads to, so of
 * several at once exactly one rotates. Nobody waits for a lock: while another rotates, a line may still go into the file that is being
 * renamed, where it is kept. Only a line that came to a file two rotations old is without a name, and is then written again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "state/audit.h"
#include "state/bundle_file.h"

#define SECOND_LOOK_MS 1
#define ATTEMPTS       4 /* at a file that others rotate away */

/* Moves a full file out of the way, unless somebody else is at it. */
static void rotate(const struct bundle *bundle, int fd, const struct stat *status)
{
	struct stat named;

	if (flock(fd, LOCK_EX | LOCK_NB))
		return;
	if (fstatat(bundle->fd, BUNDLE_AUDIT, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == status->st_dev &&
		named.st_ino == status->st_ino)
		(void)renameat(bundle->fd, BUNDLE_AUDIT, bundle->fd,
			BUNDLE_AUDIT_ROTATED); /* when it fails the log grows, and the next writer tries again */
	flock(fd, LOCK_UN);
}

static bool last_is_newline(int fd, off_t size)
{
	char last;

	return size == 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n';
}

/* Whether the file ends inside a line: a disk was full, or a writer was killed. A line that is being written at this moment
 * looks the same, since a file grows by the page, so we look twice. To be wrong would cost an empty line. */
static bool ends_inside_line(int fd, off_t size)
{
	struct stat later;

	if (last_is_newline(fd, size))
		return false;
	nanosleep(&(struct timespec){.tv_nsec = SECOND_LOOK_MS * 1000000L}, NULL);
	return fstat(fd, &later) == 0 && later.st_size == size && !last_is_newline(fd, size);
}

/* One attempt. Returns 1 when the line has to be written again. */
static int append(const struct bundle *bundle, const char *line)
{
	cleanup_fd int fd = bundle_file_open(bundle, BUNDLE_AUDIT, O_RDWR | O_APPEND | O_CREAT, NULL);
	char whole[AUDIT_LINE_MAX + 1];
	struct stat status;
	int length;
	ssize_t written;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status))
		return -errno;
	length = snprintf(whole, sizeof(whole), "%s%s\n", ends_inside_line(fd, status.st_size) ? "\n" : "", line);
	if (length < 0 || length > AUDIT_LINE_MAX)
		return -EMSGSIZE;
	if (status.st_size > 0 && (uint64_t)status.st_size + (uint64_t)length > AUDIT_ROTATE_OCTETS) {
		struct stat named;

		rotate(bundle, fd, &status);
		if (fstatat(bundle->fd, BUNDLE_AUDIT, &named, AT_SYMLINK_NOFOLLOW) || named.st_ino != status.st_ino ||
			named.st_dev != status.st_dev)
			return 1;
	}
	do
		written = write(fd, whole, (size_t)length);
	while (written < 0 && errno == EINTR);
	if (written != length)
		return written < 0 ? -errno : -ENOSPC;
	return fstat(fd, &status) == 0 && status.st_nlink == 0 ? 1 : 0;
}

int audit_append(const struct bundle *bundle, const char *line)
{
	int result = 1;

	for (unsigned attempt = 0; result == 1 && attempt < ATTEMPTS; attempt++)
		result = append(bundle, line);
	return result == 1 ? -EAGAIN : result;
}
