/* The bundle of a pod: see node.h. */
#include "node/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "node/configuration.h"
#include "node/ports.h"
#include "node/prune.h"
#include "state/bundle.h"

#define LOCK_TIMEOUT_MS 3000
#define SEPARATORS      ",: \t\r\n"
#define ID_MIN          12
#define ID_MAX          64

/* ---- words ---- */

/* containerd's and CRI-O's ids. It becomes a part of a path. */
static int sandbox_check(const char *sandbox, struct error *error)
{
	size_t length = strspn(sandbox, "0123456789abcdef");

	if (sandbox[length] == '\0' && length >= ID_MIN && length <= ID_MAX)
		return 0;
	return error_set(error, EINVAL, "'%s' is not the id of a sandbox", text_escaped((char[160]){0}, 160, sandbox));
}

static int identity_add(struct bundle_identity *identity, const char *name, size_t length, struct error *error)
{
	if (identity->profile_count == BUNDLE_PROFILES_MAX)
		return error_set(error, EINVAL, "more than %d profiles", BUNDLE_PROFILES_MAX);
	identity->profiles[identity->profile_count] = strndup(name, length);
	if (!identity->profiles[identity->profile_count])
		return error_set(error, ENOMEM, "no memory for the profiles' names");
	identity->profile_count++;
	return 0;
}

static int identity_fill(struct bundle_identity *identity, const struct node_order *order, const struct config *config, struct error *error)
{
	int rc = 0;

	snprintf(identity->container, sizeof(identity->container), "%s", order->sandbox);
	snprintf(identity->version, sizeof(identity->version), "%s", SHIELD_VERSION);
	for (size_t i = 0; !order->profiles && rc == 0 && i < config->default_profile_count; i++)
		rc = identity_add(identity, config->default_profiles[i], strlen(config->default_profiles[i]), error);
	for (const char *at = order->profiles; at && rc == 0 && *(at += strspn(at, SEPARATORS));) {
		size_t length = strcspn(at, SEPARATORS);

		rc = identity_add(identity, at, length, error);
		at += length;
	}
	return rc;
}

static int bundle_path(const struct node_paths *paths, const char *sandbox, char path[PATH_MAX], struct error *error)
{
	int rc = sandbox_check(sandbox, error);
	int length = rc ? 0 : snprintf(path, PATH_MAX, "%s/containers/%s", paths->state, sandbox);

	if (length >= PATH_MAX)
		return error_set(error, ENAMETOOLONG, "the path of the state folder is too long");
	return rc;
}

/* ---- the bundle ---- */

static int list_stage(struct bundle_stage *stage, enum bundle_list list, const struct text *text, struct error *error)
{
	if (text_failed(text))
		return error_set(error, ENOMEM, "no memory for the profiles");
	return bundle_stage_add(stage, bundle_list_file(list), text->data ? text->data : "", text->length, error);
}

static int idle_check(const struct bundle *bundle, struct error *error)
{
	struct bundle_runtime runtime;
	cleanup_fd int init_fd = -1;

	if (bundle_runtime_read(bundle, &runtime, NULL) != 0)
		return 0;
	init_fd = bundle_process_open(runtime.init_pid, runtime.init_start);
	return init_fd < 0 ? 0 : error_set(error, EBUSY, "sandbox %.12s runs already", runtime.container_id);
}

static int bundle_fill(const struct bundle *bundle, const struct bundle_identity *identity, const struct settings *settings,
	const struct profile_set *set, struct error *error)
{
	cleanup_fd int lock_fd = bundle_lock(bundle, LOCK_TIMEOUT_MS, error);
	cleanup_bundle_stage struct bundle_stage stage = {.bundle = bundle};
	cleanup_text struct text networks = {0};
	cleanup_text struct text names = {0};
	int rc = lock_fd < 0 ? lock_fd : idle_check(bundle, error);

	profile_render(set, &networks, &names);
	if (!rc)
		rc = list_stage(&stage, BUNDLE_PROFILE_ALLOWED, &networks, error);
	if (!rc)
		rc = list_stage(&stage, BUNDLE_PROFILE_DOMAINS, &names, error);
	if (!rc)
		rc = bundle_stage_add_settings(&stage, identity, settings, error);
	return rc ? rc : bundle_stage_commit(&stage, error);
}

static int make_with(const struct node_paths *paths, const struct node_order *order, struct config *config,
	struct bundle_identity *identity, const char *path, struct error *error)
{
	cleanup_profile_set struct profile_set set = {0};
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct settings *settings = &config->settings;
	int rc = configuration_load(config, paths, error);

	if (!rc)
		rc = identity_fill(identity, order, config, error);
	for (size_t i = 0; rc == 0 && i < identity->profile_count; i++)
		rc = configuration_profile_load(&set, paths, identity->profiles[i], error);
	if (!rc && order->ports)
		rc = ports_parse(settings, order->ports, error);
	if (settings->via == SETTINGS_VIA_AUTO)
		settings->via = SETTINGS_VIA_HOST;
	if (!rc)
		rc = bundle_create(&bundle, path, error);
	return rc ? rc : bundle_fill(&bundle, identity, settings, &set, error);
}

int node_make(const struct node_paths *paths, const struct node_order *order, char path[PATH_MAX], struct error *error)
{
	struct bundle_identity identity = {0};
	struct config config = {0};
	char folder[PATH_MAX];
	int rc = bundle_path(paths, order->sandbox, path, error);

	if (!rc)
		rc = make_with(paths, order, &config, &identity, path, error);
	config_free(&config);
	bundle_identity_free(&identity);
	if (!rc && snprintf(folder, sizeof(folder), "%s/containers", paths->state) < (int)sizeof(folder))
		prune(folder, NODE_ENDED_MAX);
	return rc;
}

int node_check(const struct node_paths *paths, const char *sandbox, char path[PATH_MAX], struct error *error)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_runtime runtime;
	cleanup_fd int init_fd = -1;
	cleanup_fd int proxy_fd = -1;
	struct error missing = {0};
	int rc = bundle_path(paths, sandbox, path, error);

	if (!rc)
		rc = bundle_open(&bundle, path, &missing);
	if (!rc)
		rc = bundle_runtime_read(&bundle, &runtime, &missing);
	if (rc == -ENOENT)
		return error_set(error, ENOENT,
			"sandbox %.12s has no shield: containers are started only in one that was created by this runtime "
			"(CRI-O needs drop_infra_ctr = false, see docs/kubernetes.md)",
			sandbox);
	if (rc)
		return missing.code ? error_set(error, missing.code, "%s", missing.text) : rc;
	init_fd = bundle_process_open(runtime.init_pid, runtime.init_start);
	proxy_fd = bundle_process_open(runtime.proxy_pid, runtime.proxy_start);
	if (init_fd < 0 || proxy_fd < 0)
		return error_set(error, ESRCH, "%s of sandbox %.12s is gone: delete the pod", init_fd < 0 ? "the process" : "the forwarder",
			sandbox);
	return 0;
}
