/* The runtime shim: an OCI runtime that puts the shield's hooks into config.json and then becomes the real one.
 *
 * Theory of operation. podman keeps the path of a container's runtime with the container and uses it at every later start, whoever starts
 * it, while it forgets --hooks-dir. So the hooks are added here, each time a container is created from a bundle that has annotations
 * terok.shield.*; any failure is exit status 1 before the real runtime runs: no container. A bundle without them passes untouched. The
 * name under which the shim is called (crun, runc, youki) is the name of the real runtime: podman tells features by it. The folder in
 * which it is called can give it another manner: runtime_verify.h, runtime_kubernetes.h.
 */
#ifndef HOOK_RUNTIME_H
#define HOOK_RUNTIME_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

enum runtime_action {
	RUNTIME_PASS,    /* nothing to do with starting: goes through untouched */
	RUNTIME_CREATE,  /* create, run: hooks are added */
	RUNTIME_START,   /* start, of what was created: the workload runs then */
	RUNTIME_RESTORE, /* the runtime may run no createRuntime hooks there: refused when shielded */
};

/* The parts of a command line that matter here; borrowed from argv. */
struct runtime_call {
	enum runtime_action action;
	int command;        /* index of the command's word, behind the global options; 0 when there is none */
	const char *bundle; /* "." when not given */
	const char *log;    /* --log, NULL when not given */
	bool log_json;      /* --log-format json */
};

/* Reads the command line of crun, runc or youki: global options, a command, its options. What it does not know as harmless is refused
 * (-EINVAL). call is filled as far as was read in either case. */
int runtime_call_parse(struct runtime_call *call, int argc, char *const argv[], struct error *error);

/* True when the shim was called, as argv[0] says, in the folder of that name: it then has another manner ("verify", "kubernetes"). Pure. */
bool runtime_is_called_in(const char *program, const char *folder);

/* Finds the real runtime for the name by which the shim was called: "crun", "runc", "youki", or the first of these when it is the
 * shim's own name. Never the shim itself. folders: NULL-terminated, the places to look; NULL for those where podman looks. -ENOENT. */
int runtime_find(const char *name, const char *const folders[], char path[PATH_MAX], struct error *error);

/* Adds the hooks to the bundle's config.json where it has the shield's annotations; the file is replaced whole, owner and mode stay.
 * refuse: do not add, refuse such a bundle (-ENOTSUP). */
int runtime_bundle_shield(const char *bundle, bool refuse, struct error *error);

/* The parts of that, for other changes. json: caller frees. */
int runtime_config_read(int bundle_fd, char **json, size_t *length, struct error *error);
int runtime_config_replace(int bundle_fd, const struct text *content, struct error *error);

/* What comes before the real runtime, whose path is `real`: 0, or no container is made. */
typedef int runtime_preparation(const struct runtime_call *call, const char *real, int argc, char *const argv[], struct error *error);

/* podman's: the hooks are added where something is created. */
runtime_preparation runtime_shield;

/* The whole of a shim: reads the command line, prepares, and becomes the real runtime of the name by which it was called, from one of the folders
 * (as runtime_find()). Returns the exit status when one of these fails, which has then been reported. */
int runtime_become(const char *const folders[], runtime_preparation *prepare, int argc, char *argv[]);

/* To stderr (which conmon and the shims of containerd and CRI-O hand on) and, where the caller asked for one, to the log from which podman
 * takes its message. */
void runtime_error_report(const struct runtime_call *call, const struct error *error);

#endif
