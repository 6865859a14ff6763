/* What the shield needs of this machine. */
#include "cli/environment.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/paths.h"

static void issue(struct environment *environment, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void issue(struct environment *environment, const char *format, ...)
{
	if (environment->issue_count == ENVIRONMENT_ISSUES_MAX)
		return;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(environment->issues[environment->issue_count++], sizeof(environment->issues[0]), format, arguments);
	va_end(arguments);
}

static void installation_check(struct environment *environment)
{
	static const char *const programs[] = {
		"terok-shield-hook", "terok-shield-supervisor", "terok-shield-proxy", "terok-shield-proxy-tls", "crun"};
	environment->installed = true;
	for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++) {
		char path[PATH_MAX];
		struct error error = {0};
		if (paths_libexec(programs[i], path, &error)) {
			environment->installed = false;
			issue(environment, "%s", error.text);
		}
	}
}

static void programs_check(struct environment *environment)
{
	char path[PATH_MAX];
	if (podman_find_program("crun", path) && podman_find_program("runc", path))
		issue(environment, "neither crun nor runc is in $PATH: install crun");
	if (geteuid() == 0)
		return;
	bool pasta = environment->podman.major >= 5 && podman_find_program("pasta", path) == 0;
	if (!pasta && podman_find_program("slirp4netns", path))
		issue(environment, "%s is not in $PATH: install it, a rootless container has no network without it",
			environment->podman.major >= 5 ? "pasta" : "slirp4netns");
	if (podman_find_program("newuidmap", path))
		issue(environment, "newuidmap is not in $PATH: install uidmap, which rootless podman needs");
}

/* Global hooks are not needed; but those that are there have to be of this installation. */
static void hooks_check(struct environment *environment)
{
	static const char *const system_folders[] = {HOOK_FILE_SYSTEM_FOLDER, HOOK_FILE_OVERRIDE_FOLDER};
	char program[PATH_MAX], folder[PATH_MAX], dropin[PATH_MAX];
	if (paths_libexec("terok-shield-hook", program, NULL))
		return;
	for (size_t i = 0; i < sizeof(system_folders) / sizeof(*system_folders) && environment->system == HOOK_FILE_NONE; i++) {
		environment->system = hook_file_look(system_folders[i], program);
		if (environment->system == HOOK_FILE_STALE)
			issue(environment, "the hooks in %s are not of this installation: `sudo terok-shield setup --root` renews them", system_folders[i]);
	}
	if (geteuid() == 0 || hook_file_user_folder(folder, NULL) || hook_file_user_dropin(dropin, NULL))
		return;
	environment->user = hook_file_look(folder, program);
	if (environment->user == HOOK_FILE_GOOD && access(dropin, R_OK) != 0)
		environment->user = HOOK_FILE_STALE;
	if (environment->user == HOOK_FILE_STALE)
		issue(environment, "the hooks in %s are not of this installation: `terok-shield setup --user` renews them", folder);
}

void environment_check(struct environment *environment, const struct command_options *options)
{
	char root[PATH_MAX];
	struct error error = {0};
	memset(environment, 0, sizeof(*environment));
	if (paths_state_root(options, root, &error) || podman_version_get(root, &environment->podman, &error)) {
		environment->podman = (struct podman_version){0};
		issue(environment, "%s", error.text);
	} else if (environment->podman.major < 4) {
		issue(environment, "podman %s is too old: 4.3 or newer is needed", environment->podman.text);
	}
	installation_check(environment);
	programs_check(environment);
	hooks_check(environment);
}

const char *environment_hooks(const struct environment *environment)
{
	if (!environment->installed)
		return "not-installed";
	if (environment->user != HOOK_FILE_NONE)
		return "global-user";
	return environment->system != HOOK_FILE_NONE ? "global-system" : "per-container";
}

const char *environment_health(const struct environment *environment)
{
	if (environment->system == HOOK_FILE_STALE || environment->user == HOOK_FILE_STALE)
		return "stale-hooks";
	return environment->issue_count == 0 ? "ok" : "setup-needed";
}
