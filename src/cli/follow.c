/* Audit logs as they grow.
 *
 * Looked at a few times a second rather than by inotify: a log is replaced on rotation, containers come and go, and what is followed
 * by people needs no more. A line longer than any that the log has (4096 octets) is not the shield's and is dropped. */
#include "cli/follow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINE_MAX_OCTETS 8192

/* The log as it is named now: a regular file of ours, or -errno. */
static int log_open(const struct follow *follow, struct stat *status)
{
	cleanup_fd int fd = openat(follow->bundle.fd, BUNDLE_AUDIT, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, status))
		return -errno;
	return S_ISREG(status->st_mode) && status->st_uid == geteuid() ? take_fd(fd) : -EPERM;
}

void follow_open(struct follow *follow, const char *name, struct bundle bundle)
{
	struct stat status;
	*follow = (struct follow){.bundle = bundle, .fd = -1};
	strncpy(follow->name, name, sizeof(follow->name) - 1);
	int fd = log_open(follow, &status);
	if (fd >= 0) {
		follow->fd = fd;
		follow->offset = status.st_size;
	}
}

void follow_close(struct follow *follow)
{
	if (follow->fd >= 0)
		close(follow->fd);
	follow->fd = -1;
	text_free(&follow->partial);
	bundle_close(&follow->bundle);
}

void follow_rewind(struct follow *follow)
{
	follow->offset = 0;
}

static int line_end(struct follow *follow, int (*visit)(void *context, const char *line), void *context)
{
	bool whole = follow->partial.length > 0 && !follow->overlong && !text_failed(&follow->partial);
	int rc = whole ? visit(context, follow->partial.data) : 0;
	text_free(&follow->partial);
	follow->overlong = false;
	return rc;
}

/* Reads the open file to its end. */
static int rest_read(struct follow *follow, int (*visit)(void *context, const char *line), void *context)
{
	char buffer[65536];
	for (;;) {
		ssize_t length = pread(follow->fd, buffer, sizeof(buffer), follow->offset);
		if (length < 0 && errno == EINTR)
			continue;
		if (length <= 0)
			return length < 0 ? -errno : 0;
		follow->offset += length;
		for (char *at = buffer, *end = buffer + length; at < end;) {
			char *newline = memchr(at, '\n', (size_t)(end - at));
			size_t piece = (size_t)((newline ? newline : end) - at);
			follow->overlong = follow->overlong || follow->partial.length + piece > LINE_MAX_OCTETS;
			if (!follow->overlong)
				text_add_bytes(&follow->partial, at, piece);
			int rc = newline ? line_end(follow, visit, context) : 0;
			if (rc)
				return rc;
			at += piece + (newline != NULL);
		}
	}
}

int follow_read(struct follow *follow, int (*visit)(void *context, const char *line), void *context)
{
	struct stat now, held;
	int rc = follow->fd >= 0 ? rest_read(follow, visit, context) : 0;
	if (rc)
		return rc;
	int fd = log_open(follow, &now);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (follow->fd >= 0 && fstat(follow->fd, &held) == 0 && held.st_ino == now.st_ino && held.st_dev == now.st_dev) {
		close(fd);
		return 0;
	}
	/* Rotated: once more, for what came between the reading and the renaming. */
	rc = follow->fd >= 0 ? rest_read(follow, visit, context) : 0;
	if (follow->fd >= 0)
		close(follow->fd);
	follow->fd = fd;
	follow->offset = 0;
	text_free(&follow->partial);
	follow->overlong = false;
	return rc ? rc : rest_read(follow, visit, context);
}
