/* podman's hook files, oci-hooks(5): their text, and the folders where podman looks for them by itself. */
#ifndef CLI_HOOK_FILE_H
#define CLI_HOOK_FILE_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

#define HOOK_FILE_STAGES 2
extern const char *const hook_file_stages[HOOK_FILE_STAGES]; /* createRuntime, poststop */

/* The file "terok-shield-STAGE.json". program: of terok-shield-hook, absolute. */
int hook_file_render(struct text *text, const char *stage, const char *program, struct error *error);

/* Makes the folder (with its parents, readable for all) and puts both files in it, whole and only where they change. */
int hook_file_install(const char *folder, const char *program, struct error *error);

enum hook_file_state {
	HOOK_FILE_NONE,
	HOOK_FILE_STALE, /* some are there, but not both, or not as this installation would write them */
	HOOK_FILE_GOOD,
};
enum hook_file_state hook_file_look(const char *folder, const char *program);

/* The folders that podman reads, from what `podman --help` prints as the default of --hooks-dir: all configuration files are in it then. Returns
 * how many, 0 when it does not say. */
#define HOOK_FILE_FOLDERS_MAX 16
size_t hook_file_folders_parse(const char *help, char folders[HOOK_FILE_FOLDERS_MAX][PATH_MAX]);

/* The same, asking podman. -ENOENT and the like when there is none. */
int hook_file_folders(char folders[HOOK_FILE_FOLDERS_MAX][PATH_MAX], size_t *count, struct error *error);

/* The drop-in for containers.conf that names these folders. -EINVAL for a folder that TOML's plain strings cannot hold. */
int hook_file_dropin_render(struct text *text, char folders[HOOK_FILE_FOLDERS_MAX][PATH_MAX], size_t count, struct error *error);

/* Our folder and drop-in of a user. */
int hook_file_user_folder(char path[PATH_MAX], struct error *error);
int hook_file_user_dropin(char path[PATH_MAX], struct error *error);

#define HOOK_FILE_SYSTEM_FOLDER   "/usr/share/containers/oci/hooks.d" /* read unless a configuration says otherwise */
#define HOOK_FILE_OVERRIDE_FOLDER "/etc/containers/oci/hooks.d"       /* read only where a configuration names it */

#endif
