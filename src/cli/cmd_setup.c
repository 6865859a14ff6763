/* setup: the hooks in a folder that podman reads by itself, for all users or for one.
 *
 * For a user a drop-in of containers.conf adds a folder of ours to the folders that podman read before; a list that names ours alone
 * would silence the system's hooks. Afterwards podman is asked again: what it does not read is not installed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/hook_file.h"
#include "cli/paths.h"

struct folders {
	char list[HOOK_FILE_FOLDERS_MAX][PATH_MAX];
	size_t count;
};

static bool folders_have(const struct folders *folders, const char *folder)
{
	for (size_t i = 0; i < folders->count; i++) {
		if (strcmp(folders->list[i], folder) == 0)
			return true;
	}
	return false;
}

/* ---- for all users ---- */

/* Rootful podman runs the hook as root: nobody else may be able to change it or to put another in its place. */
static int program_check(const char *program, struct error *error)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s", program);
	for (;;) {
		struct stat status;
		if (stat(path, &status))
			return error_errno(error, errno, "cannot look at %s", path);
		if (status.st_uid != 0 || ((status.st_mode & (S_IWGRP | S_IWOTH)) && !(status.st_mode & S_ISVTX)))
			return error_set(error, EPERM,
				"%s can be changed by others than root, and hooks for all users run as root: install terok-shield in a "
				"system folder, or use --user",
				path);
		char *slash = strrchr(path, '/');
		if (!slash || slash == path)
			return 0;
		*slash = '\0';
	}
}

static int system_install(const struct folders *folders, const char *program, struct error *error)
{
	if (geteuid() != 0)
		return error_set(error, EPERM, "--root installs for all users and needs root: sudo terok-shield setup --root");
	int rc = program_check(program, error);
	if (rc)
		return rc;
	const char *folder = folders_have(folders, HOOK_FILE_SYSTEM_FOLDER)     ? HOOK_FILE_SYSTEM_FOLDER
			     : folders_have(folders, HOOK_FILE_OVERRIDE_FOLDER) ? HOOK_FILE_OVERRIDE_FOLDER
										: folders->list[0];
	return hook_file_install(folder, program, error);
}

/* ---- for one user ---- */

static int dropin_write(const struct folders *folders, const char *path, struct error *error)
{
	cleanup_text struct text text = {0};
	char folder[PATH_MAX];
	int rc = hook_file_dropin_render(&text, (char(*)[PATH_MAX])folders->list, folders->count, error);
	if (rc)
		return rc;
	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	for (char *slash = strchr(folder + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(folder, 0755) && errno != EEXIST)
			return error_errno(error, errno, "cannot make %s", folder);
		if (!slash)
			break;
		*slash = '/';
	}
	rc = file_replace(AT_FDCWD, path, 0644, text.data, text.length);
	return rc ? error_errno(error, -rc, "cannot write %s", path) : 0;
}

static int user_install(struct folders *folders, const char *program, struct error *error)
{
	char ours[PATH_MAX], dropin[PATH_MAX];
	struct folders after;
	if (geteuid() == 0)
		return error_set(error, EINVAL, "rootful podman reads no user's configuration: use --root");
	int rc = hook_file_user_folder(ours, error);
	if (!rc)
		rc = hook_file_user_dropin(dropin, error);
	if (!rc)
		rc = hook_file_install(ours, program, error);
	if (rc || folders_have(folders, ours))
		return rc;
	if (folders->count == HOOK_FILE_FOLDERS_MAX)
		return error_set(error, E2BIG, "podman reads %d hooks folders already", HOOK_FILE_FOLDERS_MAX);
	strcpy(folders->list[folders->count++], ours);
	rc = dropin_write(folders, dropin, error);
	if (!rc)
		rc = hook_file_folders(after.list, &after.count, error);
	if (!rc && !folders_have(&after, ours))
		rc = error_set(error, EIO, "podman does not read %s in spite of %s: another configuration file sets hooks_dir later; add the folder there", ours, dropin);
	return rc;
}

/* ---- the command ---- */

static int ask(bool *root, struct error *error)
{
	char answer[32];
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return error_set(error, EINVAL, "say --root (for all users) or --user (for this one)");
	printf("Install the hooks for all users (root) or for this user only (user)? ");
	fflush(stdout);
	if (!fgets(answer, sizeof(answer), stdin))
		return error_set(error, EINVAL, "no answer");
	answer[strcspn(answer, "\n")] = '\0';
	*root = strcmp(answer, "root") == 0 || strcmp(answer, "r") == 0;
	if (!*root && strcmp(answer, "user") != 0 && strcmp(answer, "u") != 0)
		return error_set(error, EINVAL, "the answer is neither root nor user");
	return 0;
}

enum command_exit cmd_setup(const struct command_options *options, struct error *error)
{
	static struct folders folders;
	char program[PATH_MAX];
	bool root = options->root;
	if (options->root && options->user) {
		error_set(error, EINVAL, "--root and --user exclude each other");
		return COMMAND_USAGE;
	}
	if (!options->root && !options->user && ask(&root, error))
		return COMMAND_USAGE;
	if (paths_libexec("terok-shield-hook", program, error) || hook_file_folders(folders.list, &folders.count, error))
		return COMMAND_FAILED;
	if (root ? system_install(&folders, program, error) : user_install(&folders, program, error))
		return COMMAND_FAILED;
	puts("Done. Global hooks installed.");
	return COMMAND_DONE;
}
