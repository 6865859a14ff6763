/* A pod, as podman describes it. podman 4 prints an object, podman 5 an array with one. */
#include "cli/pod.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/podman.h"

#define SHOWN(string) text_escaped((char[160]){0}, 160, string)

/* False when it is missing, no string, or too long. */
static bool member_text(const cJSON *object, const char *key, char *buffer, size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
	return cJSON_IsString(item) && snprintf(buffer, size, "%s", item->valuestring) < (int)size;
}

static bool shares(const cJSON *pod, const char *kind)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(pod, "SharedNamespaces"))
	{
		if (cJSON_IsString(item) && strcmp(item->valuestring, kind) == 0)
			return true;
	}
	return false;
}

static int networks_take(struct pod *pod, const cJSON *infra, struct error *error)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(infra, "Networks"))
	{
		size_t at = pod->flags.network_count;
		if (at == PODMAN_FLAGS_NETWORKS_MAX || !cJSON_IsString(item) || strlen(item->valuestring) >= sizeof(pod->networks[0]))
			return error_set(
				error, EINVAL, "pod '%s' has more networks, or longer names of them, than a shield can know", pod->name);
		strcpy(pod->networks[at], item->valuestring);
		pod->flags.networks[at] = pod->networks[at];
		pod->flags.network_count++;
	}
	if (pod->flags.network_count == 0) /* podman's own choice, with its own options */
		pod->flags.networks[pod->flags.network_count++] = "default";
	return 0;
}

static int ports_take(struct pod *pod, const cJSON *infra, struct error *error)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(infra, "PortBindings"))
	{
		struct settings_published *published = &pod->flags.published[pod->flags.published_count];
		if (pod->flags.published_count == SETTINGS_PUBLISHED_MAX)
			return error_set(error, EINVAL, "pod '%s' publishes more than %d ports", pod->name, SETTINGS_PUBLISHED_MAX);
		if (podman_flags_publish_parse(published, item->string, strlen(item->string)))
			return error_set(error, EPROTO, "pod '%s' publishes '%s', which is no port", pod->name, SHOWN(item->string));
		pod->flags.published_count++;
	}
	return 0;
}

static int containers_take(struct pod *pod, const cJSON *object, const char *infra_id, struct error *error)
{
	static const char *const still[] = {"created", "configured", "initialized", "exited", "stopped"};
	const cJSON *item;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(object, "Containers"))
	{
		struct pod_container *container = &pod->containers[pod->container_count];
		char state[32];
		if (pod->container_count == BUNDLE_MEMBERS_MAX)
			return error_set(error, EINVAL, "pod '%s' has more than %d containers", pod->name, BUNDLE_MEMBERS_MAX);
		if (!member_text(item, "Id", container->id, sizeof(container->id)) ||
			!member_text(item, "Name", container->name, sizeof(container->name)) ||
			!member_text(item, "State", state, sizeof(state)))
			return error_set(error, EPROTO, "podman does not describe the containers of pod '%s'", pod->name);
		if (strcmp(container->id, infra_id) == 0)
			continue;
		container->runs = true; /* whatever else podman may call it */
		for (size_t i = 0; i < sizeof(still) / sizeof(*still); i++)
			container->runs = container->runs && strcmp(state, still[i]) != 0;
		pod->container_count++;
	}
	return 0;
}

static int pod_take(struct pod *pod, const cJSON *object, struct error *error)
{
	const cJSON *infra = cJSON_GetObjectItemCaseSensitive(object, "InfraConfig");
	char infra_id[65];
	if (!member_text(object, "Name", pod->name, sizeof(pod->name)) || !bundle_name_is_safe(pod->name))
		return error_set(error, EINVAL, "the pod's name is none that a shield can have");
	if (!member_text(object, "InfraContainerID", infra_id, sizeof(infra_id)) || !*infra_id || !shares(object, "net"))
		return error_set(error, EINVAL, "--pod %s is refused: its containers have no network namespace in common; leave out --pod",
			pod->name);
	if (!cJSON_IsObject(infra) || !cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(infra, "HostNetwork")))
		return error_set(
			error, EINVAL, "--pod %s is refused: it is in the host's network, around which no shield can be put", pod->name);
	if (shares(object, "pid"))
		return error_set(error, EINVAL,
			"--pod %s is refused: its containers have process ids in common, so that each could be used from the others; make it "
			"without --share pid",
			pod->name);
	int rc = networks_take(pod, infra, error);
	if (!rc)
		rc = ports_take(pod, infra, error);
	return rc ? rc : containers_take(pod, object, infra_id, error);
}

int pod_parse(struct pod *pod, const char *json, struct error *error)
{
	memset(pod, 0, sizeof(*pod));
	cJSON *document = cJSON_Parse(json);
	const cJSON *object = cJSON_IsArray(document) && cJSON_GetArraySize(document) == 1 ? cJSON_GetArrayItem(document, 0) : document;
	int rc = cJSON_IsObject(object) ? pod_take(pod, object, error) : error_set(error, EPROTO, "podman pod inspect prints no pod");
	cJSON_Delete(document);
	return rc;
}

int pod_find(struct pod *pod, const char *word, struct error *error)
{
	char path[PATH_MAX];
	cleanup_free char *json = NULL;
	if (podman_find_program("podman", path))
		return error_set(error, ENOENT, "podman is not in $PATH: install it");
	int rc = podman_capture((char *[]){path, "pod", "inspect", "--", (char *)word, NULL}, &json, error);
	if (rc)
		return error_prefix(error, "cannot find out about pod '%s' (`podman pod ls` lists those there are)", SHOWN(word));
	return pod_parse(pod, json, error);
}
