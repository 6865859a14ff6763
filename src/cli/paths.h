/* Where things are: state, configuration, and the rest of this installation. All results are absolute. */
#ifndef CLI_PATHS_H
#define CLI_PATHS_H

#include <limits.h>

#include "base/error.h"
#include "cli/command.h"
#include "policy/settings.h"

/* ROOT: --state-dir, else $TEROK_SHIELD_STATE_DIR, else $XDG_STATE_HOME/terok/shield, else ~/.local/state/terok/shield. */
int paths_state_root(const struct command_options *options, char path[PATH_MAX], struct error *error);

/* The bundle of a container: --task-state-dir, else ROOT/containers/NAME. name: checked with bundle_name_is_safe(). */
int paths_bundle(const struct command_options *options, const char *name, char path[PATH_MAX], struct error *error);

/* $TEROK_SHIELD_CONFIG_DIR, else $XDG_CONFIG_HOME/terok/shield, else ~/.config/terok/shield. */
int paths_config(char path[PATH_MAX], struct error *error);

/* $VARIABLE/REST when the variable holds an absolute path, else HOME/FALLBACK/REST. rest begins with '/'. */
int paths_user(char path[PATH_MAX], const char *variable, const char *fallback, const char *rest, struct error *error);

/* A program of this installation that is not in $PATH: ../libexec/terok-shield/PROGRAM beside our own executable's folder. -ENOENT
 * when it is not there. */
int paths_libexec(const char *program, char path[PATH_MAX], struct error *error);

/* Where a notifier of this user listens: HUB_SOCKET in $XDG_RUNTIME_DIR, else in /run/user/UID. "" when that is too long for a socket. */
void paths_hub(char path[SETTINGS_HUB_MAX]);

/* ../share/terok-shield/profiles beside our own executable's folder; it need not exist. */
int paths_bundled_profiles(char path[PATH_MAX], struct error *error);

#endif
