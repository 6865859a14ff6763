/* Parsing of the OCI state and of config.json with cJSON. */
#include "hook/oci_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "hook/document.h"

/* They are a container's description, and not worth its start: what is too much of them is left out. */
static int dossier_parse(struct oci_annotations *annotations, const cJSON *object, struct error *error)
{
	cleanup_document cJSON *own = cJSON_CreateObject();
	cleanup_free char *printed = NULL, *merged = NULL;
	const cJSON *item;
	bool done = own, any = false;

	cJSON_ArrayForEach(item, object)
	{
		const char *name = item->string + strlen(DOSSIER_PREFIX);
		bool is_path = !strcmp(item->string, DOSSIER_META_PATH);

		if (strncmp(item->string, DOSSIER_PREFIX, strlen(DOSSIER_PREFIX)) != 0)
			continue;
		if (is_path && strlen(item->valuestring) < sizeof(annotations->meta_path))
			strcpy(annotations->meta_path, item->valuestring);
		if (!is_path) {
			done = done && cJSON_AddStringToObject(own, name, item->valuestring);
			any = true;
		}
	}
	if (!any)
		return 0;
	printed = done ? cJSON_PrintUnformatted(own) : NULL;
	merged = printed ? dossier_merge((struct dossier_source){printed, strlen(printed)}, (struct dossier_source){0}) : NULL;
	if (!merged)
		return error_errno(error, ENOMEM, "the annotations");
	strcpy(annotations->dossier, merged);
	return 0;
}

static int annotations_parse(struct oci_annotations *annotations, const cJSON *state, struct error *error)
{
	static const struct {
		const char *name;
		size_t offset, size;
	} wanted[] = {
		{"terok.shield.state_dir", offsetof(struct oci_annotations, state_dir), sizeof(annotations->state_dir)},
		{"terok.shield.name", offsetof(struct oci_annotations, name), sizeof(annotations->name)},
		{"terok.shield.version", offsetof(struct oci_annotations, version), sizeof(annotations->version)},
		{"terok.shield.sandbox", offsetof(struct oci_annotations, sandbox), sizeof(annotations->sandbox)},
	};
	const cJSON *object, *item;
	int rc = document_object(state, "annotations", &object, error);

	if (rc || !object)
		return rc;
	cJSON_ArrayForEach(item, object) if (!cJSON_IsString(item)) return error_set(
		error, EINVAL, "annotation '%s' is not a string", text_escaped((char[128]){0}, 128, item->string));
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		rc = document_find(object, wanted[i].name, &item, error);
		if (!rc && item)
			rc = document_string_copy(item, wanted[i].name, (char *)annotations + wanted[i].offset, wanted[i].size, error);
		if (rc)
			return rc;
	}
	rc = document_find(object, "terok.shield.profiles", &item, error);
	annotations->profiles = item != NULL;
	return rc ? rc : dossier_parse(annotations, object, error);
}

static int pid_parse(pid_t *pid, const cJSON *state, struct error *error)
{
	const cJSON *item;
	int rc = document_find(state, "pid", &item, error);

	*pid = 0;
	if (rc || !item) /* a stopped container has none */
		return rc;
	if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > INT_MAX || item->valuedouble != item->valueint)
		return error_set(error, EINVAL, "\"pid\" is not a process id");
	*pid = item->valueint;
	return 0;
}

int oci_state_parse(struct oci_state *state, const char *json, size_t length, struct error *error)
{
	static const char id_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.";
	cleanup_document cJSON *document = document_parse(json, length, "the container's state", error);
	char status[32];
	int rc;

	if (!document)
		return -EINVAL;
	memset(state, 0, sizeof(*state));
	rc = document_string(document, "id", state->id, sizeof(state->id), error);
	if (!rc && (!*state->id || state->id[strspn(state->id, id_characters)]))
		rc = error_set(error, EINVAL, "\"id\" is not a container id");
	if (!rc)
		rc = document_string(document, "bundle", state->bundle, sizeof(state->bundle), error);
	if (!rc && *state->bundle != '/')
		rc = error_set(error, EINVAL, "\"bundle\" is not an absolute path");
	if (!rc)
		rc = document_string(document, "status", status, sizeof(status), error);
	if (!rc)
		rc = pid_parse(&state->pid, document, error);
	if (!rc)
		rc = annotations_parse(&state->annotations, document, error);
	return rc ? error_prefix(error, "the container's state") : 0;
}

/* What each of these would do to the shield. CAP_PERFMON is not among them: it only reads. */
static const struct {
	const char *name;
	const char *reason;
} refused[OCI_CAPABILITY_COUNT] = {
	[OCI_CAP_NET_ADMIN] = {"CAP_NET_ADMIN", "can remove the rules"},
	[OCI_CAP_NET_RAW] = {"CAP_NET_RAW", "can send packets that pass no rule"},
	[OCI_CAP_SYS_ADMIN] = {"CAP_SYS_ADMIN", "can enter another network namespace"},
	[OCI_CAP_SYS_MODULE] = {"CAP_SYS_MODULE", "can load code into the kernel"},
	[OCI_CAP_SYS_RAWIO] = {"CAP_SYS_RAWIO", "can write to the kernel's memory"},
	[OCI_CAP_SYS_BOOT] = {"CAP_SYS_BOOT", "can start another kernel"},
	[OCI_CAP_BPF] = {"CAP_BPF", "can load programs that redirect packets"},
	[OCI_CAP_DAC_READ_SEARCH] = {"CAP_DAC_READ_SEARCH", "can open any file of the host by its handle"},
	/* Harmless among the container's own processes, and debuggers need it: refused only where processes of others are in reach. */
	[OCI_CAP_SYS_PTRACE] = {"CAP_SYS_PTRACE", "can take over a process outside of the shield when process ids are shared (--pid)"},
};

static int capability_set_parse(uint32_t *bits, const cJSON *capabilities, const char *set_name, struct error *error)
{
	const cJSON *set, *item;
	int rc = document_find(capabilities, set_name, &set, error);

	if (rc || !set || cJSON_IsNull(set))
		return rc;
	if (!cJSON_IsArray(set))
		return error_set(error, EINVAL, "\"%s\" is not an array", set_name);
	cJSON_ArrayForEach(item, set)
	{
		if (!cJSON_IsString(item))
			return error_set(error, EINVAL, "\"%s\" has an element that is not a string", set_name);
		for (size_t i = 0; i < OCI_CAPABILITY_COUNT; i++) {
			const char *name = refused[i].name;

			/* Runtimes have taken both spellings, in any case. */
			if (strcasecmp(item->valuestring, name) == 0 || strcasecmp(item->valuestring, name + strlen("CAP_")) == 0)
				*bits |= 1u << i;
		}
	}
	return 0;
}

static int capability_sets_parse(uint32_t *bits, const cJSON *capabilities, struct error *error)
{
	static const char *const sets[] = {"bounding", "effective", "permitted", "inheritable", "ambient"};
	int rc = 0;

	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets) && !rc; i++)
		rc = capability_set_parse(bits, capabilities, sets[i], error);
	return rc;
}

static int capabilities_parse(uint32_t *bits, const cJSON *document, struct error *error)
{
	const cJSON *process, *capabilities;
	int rc = document_object(document, "process", &process, error);

	*bits = 0;
	if (rc)
		return rc;
	if (!process)
		return error_set(error, EINVAL, "\"process\" is missing");
	rc = document_object(process, "capabilities", &capabilities, error);
	if (rc)
		return rc;
	if (!capabilities) /* some runtimes then drop all, others none */
		return error_set(error, EINVAL, "\"process.capabilities\" is missing");
	return capability_sets_parse(bits, capabilities, error);
}

/* "/proc/PID/ns/net". */
static pid_t joined_parse(const char *path)
{
	static const char before[] = "/proc/";
	unsigned long pid;
	char *end;

	if (strncmp(path, before, strlen(before)) != 0 || path[strlen(before)] < '1' || path[strlen(before)] > '9')
		return 0;
	pid = strtoul(path + strlen(before), &end, 10);
	return pid <= INT_MAX && strcmp(end, "/ns/net") == 0 ? (pid_t)pid : 0;
}

static int namespaces_parse(struct oci_config *config, const cJSON *document, struct error *error)
{
	const cJSON *section, *namespaces, *item, *path;
	char type[32];
	int rc = document_object(document, "linux", &section, error);

	if (rc)
		return rc;
	if (!section)
		return error_set(error, EINVAL, "\"linux\" is missing");
	rc = document_array(section, "namespaces", &namespaces, error);
	if (rc)
		return rc;
	cJSON_ArrayForEach(item, namespaces)
	{
		if (!cJSON_IsObject(item))
			return error_set(error, EINVAL, "\"linux.namespaces\" has an element that is not an object");
		rc = document_string(item, "type", type, sizeof(type), error);
		if (!rc)
			rc = document_find(item, "path", &path, error);
		if (rc)
			return rc;
		if (path && !cJSON_IsString(path))
			return error_set(error, EINVAL, "\"path\" of a namespace is not a string");
		if (strcmp(type, "network") == 0) {
			config->own_network = true;
			config->joined_pid = path ? joined_parse(path->valuestring) : 0;
		}
		config->own_pids |= strcmp(type, "pid") == 0 && (!path || !*path->valuestring);
		config->named_pids |= strcmp(type, "pid") == 0;
	}
	return 0;
}

int oci_config_parse(struct oci_config *config, const char *json, size_t length, struct error *error)
{
	cleanup_document cJSON *document = document_parse(json, length, "config.json", error);
	int rc;

	if (!document)
		return -EINVAL;
	memset(config, 0, sizeof(*config));
	rc = capabilities_parse(&config->capabilities, document, error);
	if (!rc)
		rc = namespaces_parse(config, document, error);
	return rc ? error_prefix(error, "config.json") : 0;
}

int oci_process_parse(struct oci_config *config, const char *json, size_t length, struct error *error)
{
	cleanup_document cJSON *document = document_parse(json, length, "the process", error);
	const cJSON *capabilities;
	int rc;

	if (!document)
		return -EINVAL;
	memset(config, 0, sizeof(*config));
	rc = document_object(document, "capabilities", &capabilities, error);
	if (!rc && capabilities) /* without, it gets the container's */
		rc = capability_sets_parse(&config->capabilities, capabilities, error);
	return rc ? error_prefix(error, "the process") : 0;
}

bool oci_config_capability(const struct oci_config *config, const char **name, const char **reason)
{
	for (size_t i = 0; i < OCI_CAPABILITY_COUNT; i++) {
		if (!(config->capabilities & 1u << i) || (i == OCI_CAP_SYS_PTRACE && config->own_pids))
			continue;
		*name = refused[i].name;
		*reason = refused[i].reason;
		return true;
	}
	return false;
}

int oci_config_check(const struct oci_config *config, struct error *error)
{
	const char *name, *reason;

	if (!config->own_network)
		return error_set(error, EPERM,
			"the container would share the host's network, and a shield would close the host: leave out --network host");
	if (!oci_config_capability(config, &name, &reason))
		return 0;
	return error_set(error, EPERM,
		"the container would have %s, which %s: leave out --privileged and --cap-add of it, or add --cap-drop %s", name, reason,
		name + strlen("CAP_"));
}
