/* Files: read whole with a bound, replaced whole, appended to by the line.
 * All names are relative to a directory descriptor (AT_FDCWD allowed) and are opened
 * with O_NOFOLLOW and O_CLOEXEC; the last component is never followed through a link. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/text.h"

/* Reads a regular file of at most max octets.
 * data: caller frees; a NUL is put behind the content. length may be NULL.
 * Errors: -ENOENT and the like from open; -EFBIG when it is larger than max; -EINVAL when it is not a regular file. */
int file_read(int dir_fd, const char *name, size_t max, char **data, size_t *length);

/* Replaces a file whole: writes a temporary beside it (O_EXCL, unpredictable name), fsync, rename,
 * fsync of the directory. A crash leaves the old or the new content. On an
 * error the temporary is removed and the old file stays. */
int file_replace(int dir_fd, const char *name, mode_t mode, const void *data, size_t length);

/* The first half of file_replace(), for whoever replaces several files together: the new content, on the disk, beside the file. What is
 * left to do is renameat(2) from temporary and fsync(2) of the folder, or unlinkat(2). name: without a folder. Nothing is left on an
 * error. */
int file_stage(int folder_fd, const char *name, mode_t mode, const void *data, size_t length, char temporary[NAME_MAX + 1]);

/* The same as file_replace() without waiting for the disk, for what means nothing after a crash of the machine: that may leave the old
 * content, the new, or none. A few fsync(2) cost more than the rest of a container's start. owner, group: of the new file; -1 leaves them
 * as the process makes them. */
int file_replace_volatile(int dir_fd, const char *name, mode_t mode, uid_t owner, gid_t group, const void *data, size_t length);

/* Writes all octets to fd, going on after short writes and EINTR. */
int file_write_all(int fd, const void *data, size_t length);

/* Reads fd to its end, at most max octets (-EFBIG beyond). data: caller frees, NUL behind it. */
int file_read_fd(int fd, size_t max, char **data, size_t *length);

/* Adds what another process writes to fd, a pipe, up to its end: at most max octets (-EFBIG) and timeout_ms (-ETIMEDOUT). */
int file_read_pipe(int fd, size_t max, unsigned timeout_ms, struct text *text);

#endif
