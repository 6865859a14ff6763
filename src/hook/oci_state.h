/* What the OCI runtime tells a hook: the container's state on stdin, and the parts of the bundle's config.json by which a workload could
 * get around the shield. Both are documents of others: bounded, every field type-checked, a member that is there twice refused. */
#ifndef HOOK_OCI_STATE_H
#define HOOK_OCI_STATE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "state/dossier.h"

#define OCI_STATE_MAX  (1u << 20)
#define OCI_CONFIG_MAX (8u << 20)
#define OCI_ID_MAX     64 /* characters; podman's and Kubernetes' ids have exactly so many */

/* The annotations that are the hook's business. "" when not there. */
struct oci_annotations {
	char dossier[DOSSIER_MAX]; /* dossier.NAME, as dossier_merge() makes them one object */
	char meta_path[PATH_MAX];  /* dossier.meta_path; not among these */
	char state_dir[PATH_MAX]; /* terok.shield.state_dir */
	char name[129];           /* terok.shield.name */
	char version[32];         /* terok.shield.version */
	char sandbox[65];         /* terok.shield.sandbox: the container joins the shield of that sandbox, see join.h */
	bool profiles;            /* terok.shield.profiles is there: the container wants a shield */
};

struct oci_state {
	char id[OCI_ID_MAX + 1]; /* letters, digits and "_+-.", never "" */
	pid_t pid;               /* of the container's init; 0 when it has none (any more) */
	char bundle[PATH_MAX];   /* absolute: the folder with config.json */
	struct oci_annotations annotations;
};

/* Parses the state (runtime-spec, "State"). json: length octets and a NUL behind them. Errors: -EINVAL. */
int oci_state_parse(struct oci_state *state, const char *json, size_t length, struct error *error);

/* Capabilities that are refused, as bits. */
enum oci_capability {
	OCI_CAP_NET_ADMIN,
	OCI_CAP_NET_RAW,
	OCI_CAP_SYS_ADMIN,
	OCI_CAP_SYS_MODULE,
	OCI_CAP_SYS_RAWIO,
	OCI_CAP_SYS_BOOT,
	OCI_CAP_BPF,
	OCI_CAP_DAC_READ_SEARCH,
	OCI_CAP_SYS_PTRACE,
};
#define OCI_CAPABILITY_COUNT 9

struct oci_config {
	uint32_t capabilities; /* bits of enum oci_capability that any of the five sets grants */
	bool own_network;      /* a network namespace is named: not the host's */
	pid_t joined_pid;      /* the process whose network namespace it is, as podman names another container's; 0: none */
	bool own_pids;         /* a pid namespace made for this container, shared with nobody */
	bool named_pids;       /* a pid namespace is named, its own or another's: not the host's */
};

/* Parses config.json of an OCI bundle; json as above. Errors: -EINVAL. */
int oci_config_parse(struct oci_config *config, const char *json, size_t length, struct error *error);

/* The same of a process alone, as the runtime's `exec --process` takes it: the capabilities, where it names any. */
int oci_process_parse(struct oci_config *config, const char *json, size_t length, struct error *error);

/* The first capability that undoes a shield: its name, and what it can do. false: there is none. */
bool oci_config_capability(const struct oci_config *config, const char **name, const char **reason);

/* Refuses (-EPERM, with the remedy) what the shield cannot hold: the host's network, and capabilities that undo it. */
int oci_config_check(const struct oci_config *config, struct error *error);

#endif
