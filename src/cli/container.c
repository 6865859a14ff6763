/* A container that has a bundle.
 *
 * A word is tried as a name first, then as an id: the bundles' container.id files have the first 12 digits. A container started
 * with a state folder of its own is known to podman only; its annotation terok.shield.state_dir says where, and bundle_open()
 * trusts it no further than anything else. A folder with shared.json in it leads to the bundle of the shield that the container shares. */
#include "cli/container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/json_line.h"
#include "base/text.h"
#include "cli/paths.h"
#include "cli/podman.h"
#include "state/audit.h"
#include "state/control.h"
#include "state/hub.h"

#define LOCK_TIMEOUT_MS   10000
#define TELL_TIMEOUT_MS   10000
#define EVENTS_TIMEOUT_MS 500
#define ID_SHORT          12
#define ID_LONG           64
#define CONTAINERS_MAX    65536

static bool is_id(const char *word)
{
	size_t length = strlen(word);
	return length >= ID_SHORT && length <= ID_LONG && strspn(word, "0123456789abcdef") == length;
}

static int folder_path(const struct command_options *options, char path[PATH_MAX], struct error *error)
{
	char root[PATH_MAX];
	int rc = paths_state_root(options, root, error);
	if (rc)
		return rc;
	int length = snprintf(path, PATH_MAX, "%s/containers", root);
	return length < 0 || length >= PATH_MAX ? error_set(error, ENAMETOOLONG, "the path of the state folder is too long") : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int container_names(const struct command_options *options, char ***names, size_t *count, struct error *error)
{
	char path[PATH_MAX];
	*names = NULL;
	*count = 0;
	int rc = folder_path(options, path, error);
	if (rc)
		return rc;
	cleanup_dir DIR *folder = opendir(path);
	if (!folder)
		return errno == ENOENT ? 0 : error_errno(error, errno, "cannot read %s", path);
	size_t capacity = 0;
	for (const struct dirent *entry; (entry = readdir(folder)) && *count < CONTAINERS_MAX;) {
		if (!bundle_name_is_safe(entry->d_name))
			continue;
		if (*count == capacity) {
			capacity = capacity ? capacity * 2 : 64;
			char **grown = realloc(*names, capacity * sizeof(*grown));
			if (!grown)
				return error_set(error, ENOMEM, "out of memory");
			*names = grown;
		}
		(*names)[*count] = strdup(entry->d_name);
		if (!(*names)[*count])
			return error_set(error, ENOMEM, "out of memory");
		++*count;
	}
	if (*count > 0)
		qsort(*names, *count, sizeof(**names), by_text);
	return 0;
}

/* A folder whose shield is another's has no state, counters or events of its own. */
static bool is_shared(const char *root, const char *name)
{
	char path[PATH_MAX];
	struct stat status;
	int length = snprintf(path, sizeof(path), "%s/%s/" BUNDLE_SHARED, root, name);
	return length > 0 && length < PATH_MAX && lstat(path, &status) == 0;
}

int container_shields(const struct command_options *options, char ***names, size_t *count, struct error *error)
{
	char root[PATH_MAX];
	size_t kept = 0;
	int rc = container_names(options, names, count, error);
	if (!rc)
		rc = folder_path(options, root, error);
	for (size_t i = 0; !rc && i < *count; i++) {
		if (is_shared(root, (*names)[i]))
			free((*names)[i]);
		else
			(*names)[kept++] = (*names)[i];
	}
	if (!rc)
		*count = kept;
	return rc;
}

void container_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

/* True when the bundle at path is of the container with this id (full or its first 12 digits). */
static bool bundle_has_id(const char *path, const char *id)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	cleanup_free char *content = NULL;
	return bundle_open(&bundle, path, NULL) == 0 && bundle_read(&bundle, BUNDLE_CONTAINER_ID, 128, &content, NULL, NULL) == 0 &&
	       strlen(content) >= ID_SHORT && strncmp(content, id, ID_SHORT) == 0;
}

static int find_by_id(const struct command_options *options, const char *id, char path[PATH_MAX], struct error *error)
{
	char **names;
	size_t count;
	int rc = container_names(options, &names, &count, error);
	bool found = false;
	for (size_t i = 0; rc == 0 && !found && i < count; i++)
		found = paths_bundle(options, names[i], path, NULL) == 0 && bundle_has_id(path, id);
	container_names_free(names, count);
	return rc ? rc : found ? 0 : -ENOENT;
}

/* Where podman's annotation says that the bundle is. */
static int find_by_annotation(const char *word, char path[PATH_MAX])
{
	char podman[PATH_MAX];
	cleanup_free char *output = NULL;
	if (podman_find_program("podman", podman) ||
		podman_capture((char *[]){podman, "container", "inspect", "--format",
				       "{{index .Config.Annotations \"terok.shield.state_dir\"}}", "--", (char *)word, NULL},
			&output, NULL))
		return -ENOENT;
	output[strcspn(output, "\n")] = '\0';
	if (output[0] != '/' || strlen(output) >= PATH_MAX)
		return -ENOENT;
	strcpy(path, output);
	return 0;
}

static int find(const struct command_options *options, char path[PATH_MAX], struct error *error)
{
	const char *word = options->container;
	struct stat status;
	char shown[160];
	int rc = paths_bundle(options, word, path, error);
	if (rc || lstat(path, &status) == 0)
		return rc; /* what is wrong with it, if anything, bundle_open() says */
	if (is_id(word) && !options->task_state_dir) {
		rc = find_by_id(options, word, path, error);
		if (rc != -ENOENT)
			return rc;
	}
	if (!options->task_state_dir && find_by_annotation(word, path) == 0)
		return 0;
	return error_set(error, ENOENT, "no shielded container '%s': start it with `terok-shield run %s -- IMAGE`, or name its --state-dir",
		text_escaped(shown, sizeof(shown), word), shown);
}

/* Opens the folder, or the one that it leads to. shared: empty when there is no such. */
static int shield_open(struct container *container, struct bundle_shared *shared, struct error *error)
{
	struct error unread = {0};
	int rc = bundle_open(&container->bundle, container->own, error);
	if (rc)
		return rc;
	rc = bundle_shared_read(&container->bundle, shared, &unread);
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return error_set(error, unread.code, "%s", unread.text);
	bundle_close(&container->bundle);
	rc = bundle_open(&container->bundle, shared->path, &unread);
	if (rc)
		return error_set(error, -rc, "the shield of '%s', which %s shares: %s", shared->shield, shared->member,
			unread.code ? unread.text : "it is gone");
	return 0;
}

static int members_find(struct container *container, struct error *error)
{
	int rc = bundle_members_read(&container->bundle, &container->members, error);
	if (rc || !container->running || bundle_members_find(&container->members, container->runtime.init_pid))
		return rc;
	struct bundle_member self = {.pid = container->runtime.init_pid, .start = container->runtime.init_start};
	snprintf(self.id, sizeof(self.id), "%s", container->runtime.container_id);
	snprintf(self.name, sizeof(self.name), "%s", container->identity.container);
	return bundle_members_add(&container->members, &self, error);
}

static int runtime_find(struct container *container, struct error *error)
{
	struct error unread = {0};
	int rc = bundle_runtime_read(&container->bundle, &container->runtime, &unread);
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return error_set(error, unread.code, "%s", unread.text);
	cleanup_fd int init_fd = bundle_process_open(container->runtime.init_pid, container->runtime.init_start);
	if (init_fd < 0 && init_fd != -ESRCH)
		return error_errno(error, -init_fd, "cannot tell whether the container runs");
	container->running = init_fd >= 0;
	return members_find(container, error);
}

int container_open(struct container *container, const struct command_options *options, struct error *error)
{
	struct bundle_shared shared = {0};
	char shown[160];
	int rc = find(options, container->own, error);
	if (!rc)
		rc = shield_open(container, &shared, error);
	if (!rc)
		rc = bundle_settings_read(&container->bundle, &container->identity, &container->settings, error);
	if (rc == -ENOENT && (!error || error->code == 0))
		rc = error_set(error, ENOENT, "no shielded container '%s'", text_escaped(shown, sizeof(shown), options->container));
	if (!rc && *shared.shield && strcmp(shared.shield, container->identity.container) != 0)
		rc = error_set(error, EPERM, "%s shares the shield of '%s', but the state folder is of '%s': remove it and run it again",
			shared.member, shared.shield, text_escaped(shown, sizeof(shown), container->identity.container));
	return rc ? rc : runtime_find(container, error);
}

bool container_is_sandbox(const struct container *container)
{
	return container->running && strcmp(container->identity.container, container->runtime.container_id) == 0;
}

void container_close(struct container *container)
{
	bundle_identity_free(&container->identity);
	bundle_close(&container->bundle);
}

int container_lock(const struct container *container, struct error *error)
{
	return bundle_lock(&container->bundle, LOCK_TIMEOUT_MS, error);
}

/* Whoever reads the container's events hears of it too. That there is no forwarder to tell them is no failure. */
static void events_tell(const struct container *container, const char *action, const char *dest, const char *detail)
{
	char request[CONTROL_LINE_MAX], shown[CONTROL_LINE_MAX / 2] = "";
	if (detail)
		text_escaped(shown, sizeof(shown), detail);
	snprintf(request, sizeof(request), "told %s %.300s%s%s", action, dest ? dest : "-", detail ? " " : "", shown);
	control_request(&container->bundle, request, EVENTS_TIMEOUT_MS, NULL, NULL);
}

void container_audit(const struct container *container, const char *action, const char *dest, const char *detail)
{
	events_tell(container, action, dest, detail);
	if (!container->settings.audit)
		return;
	int rc = audit_write(
		&container->bundle, container->identity.container, &(struct audit_event){.action = action, .dest = dest, .detail = detail});
	if (rc)
		fprintf(stderr, "note: %s/%s could not be written: %s\n", container->bundle.path, BUNDLE_AUDIT, strerror(-rc));
}

int container_ruleset(const struct container *container, struct ruleset *ruleset, struct policy **policy, struct error *error)
{
	int rc = bundle_policy_load(&container->bundle, &container->identity.sums, policy, error);
	if (!rc)
		rc = bundle_state_read(&container->bundle, &ruleset->state, error);
	if (rc)
		return rc;
	ruleset->settings = &container->settings;
	ruleset->allowed = policy_allowed_nets(*policy);
	ruleset->denied = policy_denied_nets(*policy);
	return 0;
}

int container_tell(const struct container *container, enum shield_state state, struct text *removed, struct error *error)
{
	char request[32];
	snprintf(request, sizeof(request), "state %s", shield_state_name(state));
	int rc = control_request(&container->bundle, "reload", TELL_TIMEOUT_MS, removed, error);
	return rc ? rc : control_request(&container->bundle, request, TELL_TIMEOUT_MS, NULL, error);
}

void container_announce(const struct container *container, const char *type)
{
	struct hub hub = {.path = container->settings.hub, .fd = -1};
	char buffer[512];
	struct json_line line;
	char id[HUB_ID_MAX];
	if (!container->running)
		return;
	snprintf(id, sizeof(id), "%.12s", container->runtime.container_id);
	json_line_begin(&line, buffer, sizeof(buffer) - 1);
	json_line_string(&line, "type", type);
	json_line_string(&line, "container", id);
	json_line_string(&line, "name", container->identity.container);
	if (!json_line_end(&line))
		return;
	buffer[line.length] = '\n';
	hub_send(&hub, buffer, line.length + 1);
	hub_close(&hub);
}
