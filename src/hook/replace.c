/* Replacing files without waiting for the disk. */
#include "hook/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"

int replace_file(
	int folder_fd, const char *name, mode_t mode, uid_t owner, gid_t group, const void *data, size_t length, struct error *error)
{
	char temporary[128];
	cleanup_fd int fd = -1;
	int rc;

	if ((size_t)snprintf(temporary, sizeof(temporary), ".%s.%04x%04x", name, hash_random16(), hash_random16()) >= sizeof(temporary))
		return error_set(error, ENAMETOOLONG, "%s: the name is too long", name);
	fd = openat(folder_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(error, errno, "%s: cannot make a file beside it", name);
	rc = file_write_all(fd, data, length);
	if (!rc && (fchown(fd, owner, group) != 0 || fchmod(fd, mode) != 0 || renameat(folder_fd, temporary, folder_fd, name) != 0))
		rc = -errno;
	if (!rc)
		return 0;
	unlinkat(folder_fd, temporary, 0);
	return error_errno(error, -rc, "%s: cannot replace it", name);
}
