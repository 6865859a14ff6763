/* What runs in a container's name, and the state that is wanted of it: runtime.json and `state`. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "state/bundle_file.h"
#include "state/bundle_parse.h"
#include "state/json.h"

#define RUNTIME_OCTETS_MAX 4096
#define STATE_OCTETS_MAX   64

static const char *const keys[] = {"container_id", "init_pid", "init_start", "proxy_pid", "proxy_start"};

static bool is_container_id(const char *id)
{
	size_t length = strspn(id, "0123456789abcdef");

	return id[length] == '\0' && length <= 64;
}

int bundle_runtime_parse(const char *data, size_t length, struct bundle_runtime *runtime, struct error *error)
{
	cleanup_json struct json json = {0};
	uint64_t init_pid, proxy_pid;
	const char *id;
	int result = json_open(&json, BUNDLE_RUNTIME, data, length, error);

	*runtime = (struct bundle_runtime){0};
	if (result || (result = json_check_keys(&json, keys, sizeof(keys) / sizeof(keys[0]))) ||
		(result = json_string(&json, "container_id", &id)) || (result = json_number(&json, "init_pid", INT32_MAX, &init_pid)) ||
		(result = json_number(&json, "init_start", JSON_NUMBER_MAX, &runtime->init_start)) ||
		(result = json_number(&json, "proxy_pid", INT32_MAX, &proxy_pid)) ||
		(result = json_number(&json, "proxy_start", JSON_NUMBER_MAX, &runtime->proxy_start)))
		return result;
	if (!is_container_id(id))
		return json_bad(&json, "container_id", id, "is no container id");
	snprintf(runtime->container_id, sizeof(runtime->container_id), "%s", id);
	runtime->init_pid = (pid_t)init_pid;
	runtime->proxy_pid = (pid_t)proxy_pid;
	return 0;
}

int bundle_runtime_write(const struct bundle *bundle, const struct bundle_runtime *runtime, struct error *error)
{
	cJSON *root = cJSON_CreateObject();
	cleanup_free char *printed = NULL;
	struct bundle_runtime back;
	int result;

	if (root && cJSON_AddStringToObject(root, "container_id", runtime->container_id) &&
		cJSON_AddNumberToObject(root, "init_pid", runtime->init_pid) &&
		cJSON_AddNumberToObject(root, "init_start", (double)runtime->init_start) &&
		cJSON_AddNumberToObject(root, "proxy_pid", runtime->proxy_pid) &&
		cJSON_AddNumberToObject(root, "proxy_start", (double)runtime->proxy_start))
		printed = cJSON_Print(root);
	cJSON_Delete(root);
	if (!printed)
		return error_errno(error, ENOMEM, "%s", BUNDLE_RUNTIME);
	result = bundle_runtime_parse(printed, strlen(printed), &back, error);
	return result ? result : bundle_write_volatile(bundle, BUNDLE_RUNTIME, printed, strlen(printed), error);
}

/* Of several containers in one namespace, one that lives stands for it. */
static void member_take(const struct bundle *bundle, struct bundle_runtime *runtime)
{
	cleanup_fd int init_fd = bundle_process_open(runtime->init_pid, runtime->init_start);
	struct bundle_members members;

	if (init_fd != -ESRCH || bundle_members_read(bundle, &members, NULL) || members.count == 0)
		return;
	runtime->init_pid = members.list[0].pid;
	runtime->init_start = members.list[0].start;
	snprintf(runtime->container_id, sizeof(runtime->container_id), "%s", members.list[0].id);
}

int bundle_runtime_read(const struct bundle *bundle, struct bundle_runtime *runtime, struct error *error)
{
	cleanup_free char *data = NULL;
	size_t length;
	int result;

	*runtime = (struct bundle_runtime){0};
	result = bundle_read(bundle, BUNDLE_RUNTIME, RUNTIME_OCTETS_MAX, &data, &length, error);
	if (!result)
		result = bundle_runtime_parse(data, length, runtime, error);
	if (!result)
		member_take(bundle, runtime);
	return result;
}

int bundle_state_write(const struct bundle *bundle, enum shield_state state, struct error *error)
{
	char line[STATE_OCTETS_MAX];
	int length;

	if (state == SHIELD_INACTIVE || state == SHIELD_ERROR)
		return error_set(error, EINVAL, "%s: '%s' is no state that can be wanted", BUNDLE_STATE, shield_state_name(state));
	length = snprintf(line, sizeof(line), "%s\n", shield_state_name(state));
	return bundle_write(bundle, BUNDLE_STATE, line, (size_t)length, error);
}

int bundle_learning_write(const struct bundle *bundle, struct error *error)
{
	return bundle_write(bundle, BUNDLE_STATE, BUNDLE_LEARN, strlen(BUNDLE_LEARN), error);
}

/* The word of the file and its newline; -ENOENT without an error text. */
static int state_file_read(const struct bundle *bundle, char **data, size_t *length, struct error *error)
{
	struct error unread = {0};
	int result = bundle_read(bundle, BUNDLE_STATE, STATE_OCTETS_MAX, data, length, &unread);

	return result && result != -ENOENT ? error_set(error, unread.code, "%s", unread.text) : result;
}

bool bundle_learns(const struct bundle *bundle)
{
	cleanup_free char *data = NULL;
	size_t length;

	return state_file_read(bundle, &data, &length, NULL) == 0 && length == strlen(BUNDLE_LEARN) && memcmp(data, BUNDLE_LEARN, length) == 0;
}

int bundle_state_read(const struct bundle *bundle, enum shield_state *state, struct error *error)
{
	cleanup_free char *data = NULL;
	enum shield_state found;
	size_t length;
	int result = state_file_read(bundle, &data, &length, error);

	if (result == -ENOENT)
		*state = SHIELD_UP;
	if (result)
		return result == -ENOENT ? 0 : result;
	if (strcmp(data, BUNDLE_LEARN) == 0 && length == strlen(BUNDLE_LEARN)) {
		*state = SHIELD_DOWN;
		return 0;
	}
	if (length > 0 && data[length - 1] == '\n')
		data[--length] = '\0';
	if (strlen(data) != length || shield_state_parse(&found, data) || found == SHIELD_INACTIVE || found == SHIELD_ERROR)
		return error_set(error, EINVAL, "%s: '%s' is no state; expected up, down, down_all, block or learn", BUNDLE_STATE,
			text_escaped((char[128]){0}, 128, data));
	*state = found;
	return 0;
}
