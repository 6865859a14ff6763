/* Private to this folder: how the bundle's folder and files are reached, with every check. */
#ifndef STATE_BUNDLE_FILE_H
#define STATE_BUNDLE_FILE_H

#include "state/bundle.h"

/* Walks to the folder one component at a time, each relative to the descriptor of the one before, and checks each on the
 * way. path: must have passed bundle_check_path(). create: missing folders are made, 0700.
 * Returns a readable directory descriptor, or a negative errno as bundle_open(). */
int bundle_path_open(const char *path, bool create, struct error *error);

/* The checks that the bundle's folder had, for hooks/ in it. Returns its descriptor, -ENOENT when there is none, -EPERM. */
#define BUNDLE_HOOKS "hooks"
int bundle_hooks_open(int bundle_fd, struct error *error);

/* Opens a file of the bundle ("NAME" or "hooks/NAME") and checks what was opened: regular, owned by geteuid(), not writable by group or
 * others, one link. flags: access mode, O_CREAT, O_APPEND; a created file has mode 0600. No error text for -ENOENT.
 * Returns a descriptor in non-blocking mode (which means nothing to a regular file), or a negative errno. */
int bundle_file_open(const struct bundle *bundle, const char *name, int flags, struct error *error);

/* The folder of "NAME" or "hooks/NAME", checked, for the caller to close, and in *base the name within it. No error text for -ENOENT. */
int bundle_file_folder(const struct bundle *bundle, const char *name, const char **base, struct error *error);

/* The mode that a file of the bundle has. */
mode_t bundle_file_mode(const char *name);

/* What to do about it, to be put behind a text about a file that cannot be opened, written or removed: "; ...", or "". code: an errno. */
const char *bundle_remedy(int code);

/* Says that a file could not be written, for which reason, and what to do about it. Returns -code. */
int bundle_write_failed(const struct bundle *bundle, const char *name, int code, struct error *error);

#endif
