/* The folder of a container that is under another shield: shared.json says whose. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "state/bundle.h"
#include "state/bundle_file.h"
#include "state/bundle_parse.h"
#include "state/json.h"

#define SHARED_OCTETS_MAX (2 * PATH_MAX)

static const char *const keys[] = {"member", "shield", "kind", "folder"};

static int name_take(struct json *json, const char *key, char name[129])
{
	const char *value;
	int result = json_string(json, key, &value);

	if (result)
		return result;
	if (!bundle_name_is_safe(value))
		return json_bad(json, key, value, "is no safe name");
	snprintf(name, 129, "%s", value);
	return 0;
}

int bundle_shared_parse(const char *data, size_t length, struct bundle_shared *shared, struct error *error)
{
	cleanup_json struct json json = {0};
	const char *kind, *path;
	int result = json_open(&json, BUNDLE_SHARED, data, length, error);

	*shared = (struct bundle_shared){0};
	if (result || (result = json_check_keys(&json, keys, sizeof(keys) / sizeof(keys[0]))) ||
		(result = name_take(&json, "member", shared->member)) || (result = name_take(&json, "shield", shared->shield)) ||
		(result = json_string(&json, "kind", &kind)) || (result = json_string(&json, "folder", &path)))
		return result;
	shared->pod = strcmp(kind, "pod") == 0;
	if (!shared->pod && strcmp(kind, "container") != 0)
		return json_bad(&json, "kind", kind, "is neither pod nor container");
	if (strlen(path) >= sizeof(shared->path))
		return json_bad(&json, "folder", path, "is too long");
	strcpy(shared->path, path);
	return bundle_check_path(path, error);
}

int bundle_shared_write(const struct bundle *bundle, const struct bundle_shared *shared, struct error *error)
{
	cJSON *root = cJSON_CreateObject();
	cleanup_free char *printed = NULL;
	struct bundle_shared back;
	int result;

	if (root && cJSON_AddStringToObject(root, "member", shared->member) && cJSON_AddStringToObject(root, "shield", shared->shield) &&
		cJSON_AddStringToObject(root, "kind", shared->pod ? "pod" : "container") &&
		cJSON_AddStringToObject(root, "folder", shared->path))
		printed = cJSON_Print(root);
	cJSON_Delete(root);
	if (!printed)
		return error_errno(error, ENOMEM, "%s", BUNDLE_SHARED);
	result = bundle_shared_parse(printed, strlen(printed), &back, error);
	return result ? result : bundle_write(bundle, BUNDLE_SHARED, printed, strlen(printed), error);
}

int bundle_shared_read(const struct bundle *bundle, struct bundle_shared *shared, struct error *error)
{
	cleanup_free char *data = NULL;
	size_t length;
	int result;

	*shared = (struct bundle_shared){0};
	result = bundle_read(bundle, BUNDLE_SHARED, SHARED_OCTETS_MAX, &data, &length, error);
	return result ? result : bundle_shared_parse(data, length, shared, error);
}
