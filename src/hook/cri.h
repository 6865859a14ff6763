/* What containerd and CRI-O, the container runtimes of Kubernetes, write into config.json: read, judged and changed.
 *
 * Theory of operation. A pod is a sandbox, created first, and containers that join its namespaces. Both runtimes say in annotations which
 * of the two a container is and to which sandbox it belongs:
 *
 *	containerd	io.kubernetes.cri.container-type	io.kubernetes.cri.sandbox-id
 *	CRI-O		io.kubernetes.cri-o.ContainerType	io.kubernetes.cri-o.SandboxID
 *
 * and hand the pod's own annotations on: containerd those that its pod_annotations lists, CRI-O all, and for a sandbox those even replace
 * its own of the same name. So nothing here is believed further than it can be checked: a sandbox is its own, an annotation
 * terok.shield.* that a pod has no business to set is refused, and what is said to be a container of a sandbox is compared with it by
 * its namespace when it exists (join.h).
 *
 * CAP_NET_RAW is in containerd's default set, and hardly anybody means it: it is taken out, as `terok-shield run` does. Every other
 * capability that undoes a shield was asked for and is refused.
 *
 * The documents are changed as text (scan.h). All of this is pure. */
#ifndef HOOK_CRI_H
#define HOOK_CRI_H

#include "base/text.h"
#include "hook/oci_state.h"

#define CRI_TEXT_MAX 4096 /* octets of an annotation's value */

struct cri_container {
	bool is_sandbox;
	char sandbox[OCI_ID_MAX + 1]; /* hexadecimal digits */
	bool has_profiles, has_ports;
	char profiles[CRI_TEXT_MAX]; /* terok.shield.profiles */
	char ports[CRI_TEXT_MAX];    /* terok.shield.ports */
	struct oci_config config;
};

/* json: length octets and a NUL behind them. Errors: -EINVAL; -EPERM for an annotation that is not the pod's to set. */
int cri_container_parse(struct cri_container *container, const char *json, size_t length, struct error *error);

/* Refuses (-EPERM, with the remedy in the words of a pod's manifest) what cannot be shielded. id: as the runtime was called with. */
int cri_container_check(const struct cri_container *container, const char *id, struct error *error);

/* The same for the process of an exec. */
int cri_process_check(const char *json, size_t length, struct error *error);

enum cri_document {
	CRI_CONFIG,  /* config.json: process.capabilities */
	CRI_PROCESS, /* the process of an exec: capabilities */
};

/* Takes a capability, "CAP_..." or without that, in any case, out of all sets. out: the document without it, also when it had none.
 * -EINVAL, -ENOMEM. */
int cri_capability_drop(
	enum cri_document document, const char *json, size_t length, const char *name, struct text *out, struct error *error);

struct cri_annotation {
	const char *name, *value;
};

/* Adds annotations to a config.json that has some, none of these among them. */
int cri_annotations_add(
	const char *json, size_t length, const struct cri_annotation *annotations, size_t count, struct text *out, struct error *error);

#endif
