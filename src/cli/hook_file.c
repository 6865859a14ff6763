/* podman's hook files. Which folders podman reads is asked of podman itself: it depends on its version and on up to five
 * configuration files, and hooks in a folder that it does not read are worse than none. */
#include "cli/hook_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/paths.h"
#include "cli/podman.h"

#define HOOK_TIMEOUT_S 20
#define FILE_MAX       65536

const char *const hook_file_stages[HOOK_FILE_STAGES] = {"createRuntime", "poststop"};

int hook_file_render(struct text *text, const char *stage, const char *program, struct error *error)
{
	text_add(text, "{\n  \"version\": \"1.0.0\",\n  \"hook\": {\n    \"path\": \"");
	for (const char *at = program; *at; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return error_set(error, EINVAL, "the installation's path has a control character");
		text_addf(text, "%s%c", *at == '"' || *at == '\\' ? "\\" : "", *at);
	}
	text_addf(text,
		"\",\n    \"args\": [\"terok-shield-hook\", \"%s\"],\n"
		"    \"env\": [\"PATH=/usr/sbin:/usr/bin:/sbin:/bin\"],\n    \"timeout\": %d\n  },\n"
		"  \"when\": {\"annotations\": {\"^terok\\\\.shield\\\\.profiles$\": \".*\"}},\n  \"stages\": [\"%s\"]\n}\n",
		stage, HOOK_TIMEOUT_S, stage);
	return text_failed(text) ? error_set(error, ENOMEM, "out of memory") : 0;
}

/* ---- a folder ---- */

/* Makes the folder and its parents, whatever the umask, and opens it. */
static int folder_make(const char *folder, struct error *error)
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof(path), "%s/", folder);
	if (length < 0 || (size_t)length >= sizeof(path))
		return error_set(error, ENAMETOOLONG, "the path of the hooks folder is too long");
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) == 0)
			chmod(path, 0755);
		else if (errno != EEXIST)
			return error_errno(error, errno, "cannot make %s", path);
		*slash = '/';
	}
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno(error, errno, "cannot open %s", folder) : fd;
}

/* 1 when the file is as wanted, 0 when it differs, -ENOENT when there is none. */
static int file_compare(int folder_fd, const char *name, const struct text *wanted)
{
	cleanup_free char *content = NULL;
	size_t length;
	int rc = file_read(folder_fd, name, FILE_MAX, &content, &length);
	if (rc)
		return rc == -ENOENT ? rc : 0;
	return length == wanted->length && memcmp(content, wanted->data, length) == 0;
}

int hook_file_install(const char *folder, const char *program, struct error *error)
{
	cleanup_fd int folder_fd = folder_make(folder, error);
	int rc = folder_fd < 0 ? folder_fd : 0;
	for (size_t i = 0; rc == 0 && i < HOOK_FILE_STAGES; i++) {
		cleanup_text struct text text = {0};
		char name[64];
		snprintf(name, sizeof(name), "terok-shield-%s.json", hook_file_stages[i]);
		rc = hook_file_render(&text, hook_file_stages[i], program, error);
		if (rc || file_compare(folder_fd, name, &text) == 1)
			continue;
		rc = file_replace(folder_fd, name, 0644, text.data, text.length);
		if (rc)
			error_errno(error, -rc, "cannot write %s/%s", folder, name);
	}
	return rc;
}

enum hook_file_state hook_file_look(const char *folder, const char *program)
{
	cleanup_fd int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t there = 0, good = 0;
	for (size_t i = 0; folder_fd >= 0 && i < HOOK_FILE_STAGES; i++) {
		cleanup_text struct text text = {0};
		char name[64];
		snprintf(name, sizeof(name), "terok-shield-%s.json", hook_file_stages[i]);
		if (hook_file_render(&text, hook_file_stages[i], program, NULL))
			continue;
		int same = file_compare(folder_fd, name, &text);
		there += same != -ENOENT;
		good += same == 1;
	}
	return there == 0 ? HOOK_FILE_NONE : good == HOOK_FILE_STAGES ? HOOK_FILE_GOOD : HOOK_FILE_STALE;
}

/* ---- what podman reads ---- */

size_t hook_file_folders_parse(const char *help, char folders[HOOK_FILE_FOLDERS_MAX][PATH_MAX])
{
	static const char mark[] = "(default [";
	const char *option = strstr(help, "--hooks-dir "), *end, *list;
	size_t count = 0;
	if (!option)
		return 0;
	end = option + strcspn(option, "\n");
	list = memmem(option, (size_t)(end - option), mark, sizeof(mark) - 1);
	if (!list)
		return 0;
	for (list += sizeof(mark) - 1; list < end && *list != ']' && count < HOOK_FILE_FOLDERS_MAX;) {
		size_t length = strcspn(list, ",]\n");
		if (length >= PATH_MAX || list[0] != '/')
			return 0; /* not what we know how to read */
		memcpy(folders[count], list, length);
		folders[count++][length] = '\0';
		list += length + (list[length] == ',');
	}
	return count;
}

int hook_file_folders(char folders[HOOK_FILE_FOLDERS_MAX][PATH_MAX], size_t *count, struct error *error)
{
	char podman[PATH_MAX];
	cleanup_free char *help = NULL;
	if (podman_find_program("podman", podman))
		return error_set(error, ENOENT, "podman is not in $PATH: install it");
	int rc = podman_capture((char *[]){podman, "--help", NULL}, &help, error);
	if (rc)
		return rc;
	*count = hook_file_folders_parse(help, folders);
	return *count > 0 ? 0 : error_set(error, EPROTO, "podman --help does not say which hooks folders it reads");
}

int hook_file_dropin_render(struct text *text, char folders[HOOK_FILE_FOLDERS_MAX][PATH_MAX], size_t count, struct error *error)
{
	text_add(text, "# Written by `terok-shield setup --user`. The list takes the place of podman's own, so it names what podman read before too.\n"
		       "[engine]\nhooks_dir = [");
	for (size_t i = 0; i < count; i++) {
		for (const char *at = folders[i]; *at; at++) {
			if ((unsigned char)*at < 0x20 || *at == 0x7f || *at == '"' || *at == '\\')
				return error_set(error, EINVAL, "the path of a hooks folder has a character that containers.conf cannot hold");
		}
		text_addf(text, "%s\"%s\"", i > 0 ? ", " : "", folders[i]);
	}
	text_add(text, "]\n");
	return text_failed(text) ? error_set(error, ENOMEM, "out of memory") : 0;
}

int hook_file_user_folder(char path[PATH_MAX], struct error *error)
{
	return paths_user(path, "XDG_DATA_HOME", ".local/share", "/terok/shield/hooks.d", error);
}

int hook_file_user_dropin(char path[PATH_MAX], struct error *error)
{
	return paths_user(path, "XDG_CONFIG_HOME", ".config", "/containers/containers.conf.d/terok-shield.conf", error);
}
