/* Configuration, profiles and podman's flags become a state bundle and the flags that put the shield around a container. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "cli/command.h"
#include "cli/podman_flags.h"
#include "config/config.h"
#include "config/profile.h"
#include "state/bundle.h"

/* A NULL-terminated list of words, each owned. */
struct launch_words {
	char **words;
	size_t count, capacity;
	bool failed; /* an allocation failed; later additions do nothing */
};

struct launch {
	struct bundle bundle;
	struct bundle_identity identity;
	struct settings settings;
	bool learns; /* the container begins in the state down, to learn */
	struct launch_words flags; /* what podman gets, up to and with "--name NAME" */
};
#define LAUNCH_INIT                                                                                                                        \
	{                                                                                                                                  \
		.bundle = BUNDLE_INIT                                                                                                      \
	}

/* How the container is connected, as far as it decides flags and settings. */
enum launch_network {
	LAUNCH_NETWORK_PASTA,
	LAUNCH_NETWORK_SLIRP,
	LAUNCH_NETWORK_ROOTFUL, /* podman's bridge: no flag */
	LAUNCH_NETWORK_CUSTOM,  /* the user's own --network */
};

/* Fills guard with the folders that no container may see; the strings belong to storage. */
struct launch_guard {
	struct podman_guard guard;
	char state[PATH_MAX], state_real[PATH_MAX], config[PATH_MAX], config_real[PATH_MAX];
};
int launch_guard_init(struct launch_guard *guard, const struct command_options *options, struct error *error);

/* Where profiles are looked for: --profiles-dir, the user's, the bundled ones. */
struct launch_profile_path {
	struct profile_path path;
	char user[PATH_MAX], bundled[PATH_MAX];
};
int launch_profile_path_init(struct launch_profile_path *path, const struct command_options *options, struct error *error);

/* config.yml with the options over it. Free config with config_free() in either case. */
int launch_config_load(struct config *config, const struct command_options *options, struct error *error);

/* The profiles of the options, or of the configuration. set: free it in either case. */
int launch_profiles_load(struct profile_set *set, const struct config *config, const struct command_options *options, struct error *error);

/* Writes the bundle and makes the flags. podman: NULL for `prepare`, where the user's flags are not known.
 * Nothing of a running container's bundle is touched: -EBUSY then, unless podman->replace. Free launch in either case. */
int launch_prepare(struct launch *launch, const struct command_options *options, const struct podman_flags *podman, struct error *error);
void launch_free(struct launch *launch);

void launch_words_add(struct launch_words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
void launch_words_free(struct launch_words *words);

/* The flags as podman gets them, for a network already chosen. Pure but for memory. runtime: path of the shim, NULL for the hooks
 * folder. */
int launch_flags_make(struct launch *launch, enum launch_network network, const char *upstream, const char *runtime, struct error *error);

/* ---- parts, for launch_join() ---- */

/* A stopped container that still has the name would start again with what is written now: -EBUSY, unless podman->replace. */
int launch_name_check(const struct launch *launch, const struct podman_flags *podman, struct error *error);
/* Stages what each start of a container needs of its folder: resolv.conf and the hooks. */
int launch_stage_start(struct bundle_stage *stage, struct error *error);
/* Whether the CAs can be read where the upstreams are asked by TLS. The forwarder needs them at the container's start; here the user sees it. */
int launch_ca_check(const struct settings *settings, struct error *error);

/* The first upstream; the host's when the settings have none. */
void launch_upstream_text(const struct settings *settings, char text[SETTINGS_UPSTREAM_TEXT_MAX]);
/* The shim that stands for the runtime which podman would take. By the folder it is called in it knows whether it is to verify. */
int launch_runtime_find(bool verify, char path[PATH_MAX], struct error *error);

/* The host's first name server, "" when there is none. size >= ADDR_ENDPOINT_TEXT_MAX. */
void launch_host_resolver(char *text, size_t size);

#endif
