/* Reading and judging: see cri.h. */
#include "hook/cri.h"

#include <errno.h>
#include <string.h>

#include "hook/document.h"
#include "state/dossier.h"

#define PREFIX        "terok.shield."
#define SHOWN(string) text_escaped((char[160]){0}, 160, string)

/* ---- annotations ---- */

static const struct {
	const char *type, *sandbox;
} families[] = {
	{"io.kubernetes.cri.container-type", "io.kubernetes.cri.sandbox-id"},
	{"io.kubernetes.cri-o.ContainerType", "io.kubernetes.cri-o.SandboxID"},
};
#define FAMILY_COUNT (sizeof(families) / sizeof(*families))

static int kind_parse(struct cri_container *container, const cJSON *annotations, size_t family, struct error *error)
{
	char type[16];
	int rc = document_string(annotations, families[family].type, type, sizeof(type), error);

	if (!rc)
		rc = document_string(annotations, families[family].sandbox, container->sandbox, sizeof(container->sandbox), error);
	if (rc)
		return rc;
	container->is_sandbox = strcmp(type, "sandbox") == 0;
	if (!container->is_sandbox && strcmp(type, "container") != 0)
		return error_set(error, EINVAL, "\"%s\" is '%s', neither sandbox nor container", families[family].type, SHOWN(type));
	if (!*container->sandbox || container->sandbox[strspn(container->sandbox, "0123456789abcdef")])
		return error_set(error, EINVAL, "\"%s\" is '%s', which is no id", families[family].sandbox, SHOWN(container->sandbox));
	return 0;
}

/* One of the runtimes, and not a pod that pretends to be of the other. */
static int family_find(const cJSON *annotations, size_t *family, struct error *error)
{
	size_t found = 0;

	for (size_t i = 0; i < FAMILY_COUNT; i++) {
		const cJSON *type, *sandbox;
		int rc = document_find(annotations, families[i].type, &type, error);

		if (!rc)
			rc = document_find(annotations, families[i].sandbox, &sandbox, error);
		if (rc)
			return rc;
		if (!type && !sandbox)
			continue;
		*family = i;
		found++;
	}
	if (found == 1)
		return 0;
	if (found > 1)
		return error_set(error, EPERM,
			"the annotations say that both containerd and CRI-O made the container: the pod must not set io.kubernetes.cri*");
	return error_set(error, EINVAL, "there is no annotation %s or %s: this runtime is for containerd and CRI-O only", families[0].type,
		families[1].type);
}

static int own_parse(struct cri_container *container, const cJSON *annotations, struct error *error)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, annotations)
	{
		char *value = strcmp(item->string, PREFIX "profiles") == 0 ? container->profiles
			      : strcmp(item->string, PREFIX "ports") == 0  ? container->ports
									   : NULL;
		bool *has = value == container->profiles ? &container->has_profiles : &container->has_ports;
		int rc;

		if (strcmp(item->string, DOSSIER_META_PATH) == 0)
			return error_set(error, EPERM, "the pod sets annotation '" DOSSIER_META_PATH "', which would name a file of the node");
		if (strncmp(item->string, PREFIX, strlen(PREFIX)) != 0)
			continue;
		if (!value)
			return error_set(error, EPERM, "the pod sets annotation '%s': of terok.shield.* it may set profiles and ports only",
				SHOWN(item->string));
		if (*has)
			return error_set(error, EINVAL, "annotation '%s' is there twice", item->string);
		rc = document_string_copy(item, item->string, value, CRI_TEXT_MAX, error);
		if (rc)
			return rc;
		*has = true;
	}
	return 0;
}

static int annotations_parse(struct cri_container *container, const char *json, size_t length, struct error *error)
{
	cleanup_document cJSON *document = document_parse(json, length, "it", error);
	const cJSON *annotations;
	size_t family = 0;
	int rc;

	if (!document)
		return -EINVAL;
	rc = document_object(document, "annotations", &annotations, error);
	if (!rc)
		rc = family_find(annotations, &family, error);
	if (!rc)
		rc = kind_parse(container, annotations, family, error);
	return rc ? rc : own_parse(container, annotations, error);
}

int cri_container_parse(struct cri_container *container, const char *json, size_t length, struct error *error)
{
	int rc;

	memset(container, 0, sizeof(*container));
	rc = annotations_parse(container, json, length, error);
	if (rc)
		return error_prefix(error, "config.json");
	return oci_config_parse(&container->config, json, length, error);
}

/* ---- judgement ---- */

static int capability_check(const struct oci_config *config, struct error *error)
{
	const char *name, *reason;

	if (!oci_config_capability(config, &name, &reason))
		return 0;
	return error_set(error, EPERM,
		"the container would have %s, which %s: leave out privileged and capabilities.add of it, or put %s into capabilities.drop",
		name, reason, name + strlen("CAP_"));
}

int cri_container_check(const struct cri_container *container, const char *id, struct error *error)
{
	if (container->is_sandbox != (strcmp(container->sandbox, id) == 0))
		return error_set(error, EPERM, "container '%s' says that it is %s sandbox %.64s", SHOWN(id),
			container->is_sandbox ? "the" : "in", container->sandbox);
	if (!container->config.own_network)
		return error_set(error, EPERM,
			"a pod on the node's network cannot be shielded, its shield would close the node: leave out hostNetwork");
	/* Some other process of the node with its user would do as well as CAP_SYS_PTRACE. */
	if (!container->config.named_pids)
		return error_set(
			error, EPERM, "a pod among the node's processes could act through one that is not shielded: leave out hostPID");
	return capability_check(&container->config, error);
}

int cri_process_check(const char *json, size_t length, struct error *error)
{
	struct oci_config config;
	int rc = oci_process_parse(&config, json, length, error);

	config.own_pids = true; /* of the container, which was admitted as it is */
	return rc ? rc : capability_check(&config, error);
}
