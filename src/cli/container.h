/* A container that has a bundle: found by name, full id or short id, running or not. One that is under another's shield, or its pod's, has
 * that bundle: whatever is done to it is done to the shield, for all who share it. */
#ifndef CLI_CONTAINER_H
#define CLI_CONTAINER_H

#include "base/text.h"
#include "cli/command.h"
#include "fw/ruleset.h"
#include "state/bundle.h"

struct container {
	struct bundle bundle; /* the shield's */
	char own[PATH_MAX];   /* the container's own folder; bundle.path when the shield is its own */
	struct bundle_identity identity;
	struct settings settings;
	struct bundle_runtime runtime; /* when it runs: of one that lives */
	bool running;                  /* somebody is under the shield */
	struct bundle_members members; /* those who are */
};
#define CONTAINER_INIT                                                                                                                     \
	{                                                                                                                                  \
		.bundle = BUNDLE_INIT                                                                                                      \
	}

/* Opens the container that the options name. -ENOENT with what to do when there is none. Close it in either case. */
int container_open(struct container *container, const struct command_options *options, struct error *error);
void container_close(struct container *container);
#define cleanup_container __attribute__((cleanup(container_close)))

/* True for the sandbox of a Kubernetes pod, which is named by its id (src/node); podman's containers and pods never are. */
bool container_is_sandbox(const struct container *container);

/* The names of all bundles below the state root, sorted; free each and the array. None when the folder is missing. */
int container_names(const struct command_options *options, char ***names, size_t *count, struct error *error);
/* The same without those that are under another's shield: each shield once. */
int container_shields(const struct command_options *options, char ***names, size_t *count, struct error *error);
void container_names_free(char **names, size_t count);

/* Takes the bundle's lock. Returns the descriptor or a negative errno. */
int container_lock(const struct container *container, struct error *error);

/* A record of the audit log, when the container has one. detail may be NULL. A log that cannot be written does not fail the command. */
void container_audit(const struct container *container, const char *action, const char *dest, const char *detail);

/* The ruleset that the bundle asks for now. ruleset borrows from container and policy; policy: caller frees. */
int container_ruleset(const struct container *container, struct ruleset *ruleset, struct policy **policy, struct error *error);

/* Makes the forwarder read the lists and tells it the state. removed: its lines "removed ADDRESS NAME" are added (may be NULL). */
int container_tell(const struct container *container, enum shield_state state, struct text *removed, struct error *error);

/* Tells the hub, when the container runs: "shield_up", "shield_down", "shield_down_all". A hub that is not there is no failure. */
void container_announce(const struct container *container, const char *type);

#endif
