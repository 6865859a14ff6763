/* The node's configuration: see configuration.h. */
#include "node/configuration.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

#define SHOWN(string) text_escaped((char[300]){0}, 300, string)

/* -ENOENT without a text when there is nothing. A link is followed: who may put one there may as well put the file there. */
static int owner_check(const char *path, uid_t owner, struct error *error)
{
	struct stat status;

	if (stat(path, &status) != 0)
		return errno == ENOENT ? -ENOENT : error_errno(error, errno, "cannot examine %s", SHOWN(path));
	if (status.st_uid != owner)
		return error_set(error, EPERM, "%s does not belong to root: chown root it when its content is what you want", SHOWN(path));
	if (status.st_mode & (S_IWGRP | S_IWOTH))
		return error_set(
			error, EPERM, "%s can be written by group or others: chmod go-w it when its content is what you want", SHOWN(path));
	return 0;
}

static int path_join(char path[PATH_MAX], const struct node_paths *paths, const char *below, const char *name, struct error *error)
{
	int length = snprintf(path, PATH_MAX, "%s/%s%s", paths->config, below, name);

	return length < 0 || length >= PATH_MAX ? error_set(error, ENAMETOOLONG, "the path of the configuration is too long") : 0;
}

int configuration_load(struct config *config, const struct node_paths *paths, struct error *error)
{
	char path[PATH_MAX];
	int rc = path_join(path, paths, "", "config.yml", error);

	memset(config, 0, sizeof(*config));
	if (!rc)
		rc = owner_check(paths->config, paths->owner, error);
	if (!rc)
		rc = owner_check(path, paths->owner, error);
	if (rc == -ENOENT)
		return error_set(error, ENOENT,
			"this node is not configured for shielded pods: there is no %s (it may be empty; see docs/kubernetes.md)",
			SHOWN(path));
	return rc ? rc : config_load(config, path, error);
}

int configuration_profile_load(struct profile_set *set, const struct node_paths *paths, const char *name, struct error *error)
{
	char folder[PATH_MAX], file[PATH_MAX], base[96];
	struct profile_path path = {.folders = {folder, paths->bundled}, .count = 2};
	int rc;

	if (!profile_name_is_safe(name))
		return error_set(error, EINVAL, "terok.shield.profiles: '%s' is no name of a profile", SHOWN(name));
	snprintf(base, sizeof(base), "%s.txt", name);
	rc = path_join(folder, paths, "profiles", "", error);
	if (!rc)
		rc = path_join(file, paths, "profiles/", base, error);
	if (!rc)
		rc = owner_check(folder, paths->owner, error);
	if (!rc)
		rc = owner_check(file, paths->owner, error);
	return rc && rc != -ENOENT ? rc : profile_load(set, &path, name, error);
}
