/* Files that mean nothing after a crash of the machine: replaced whole, as file_replace() does it, but without waiting for the disk.
 * Two fsync(2) cost more than all the rest of a container's start. */
#ifndef HOOK_REPLACE_H
#define HOOK_REPLACE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define REPLACE_OWN_UID ((uid_t)-1) /* leave the owner as the process makes it */
#define REPLACE_OWN_GID ((gid_t)-1)

/* name: in the folder folder_fd. Readers see the old or the new content. On an error the old file stays. */
int replace_file(
	int folder_fd, const char *name, mode_t mode, uid_t owner, gid_t group, const void *data, size_t length, struct error *error);

#endif
