/* The program: arguments before the command, the command, its exit code. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/paths.h"
#include "cli/podman.h"
#include "config/profile.h"
#include "state/bundle.h"

static int version_print(const struct command_options *options)
{
	struct podman_version version;
	char root[PATH_MAX];
	printf("terok-shield %s\n", SHIELD_VERSION);
	if (paths_state_root(options, root, NULL) == 0 && podman_version_get(root, &version, NULL) == 0)
		printf("podman %s\n", version.text);
	else
		printf("podman not found\n");
	printf("nft: libnftables, in process\n");
	return COMMAND_DONE;
}

static int fail(enum command_exit code, const struct error *error)
{
	if (error->code)
		fprintf(stderr, "Error: %s\n", error->text);
	return (int)code;
}

/* What every command asks of its words, before it reads or writes anything. */
static int words_check(const struct command_options *options, struct error *error)
{
	char shown[160];
	if (options->container && !bundle_name_is_safe(options->container))
		return error_set(error, EINVAL, "Unsafe container name: '%s'", text_escaped(shown, sizeof(shown), options->container));
	if (options->profile && !profile_name_is_safe(options->profile))
		return error_set(error, EINVAL, "Unsafe profile name: '%s'", text_escaped(shown, sizeof(shown), options->profile));
	for (size_t i = 0; i < options->profile_count; i++) {
		if (!profile_name_is_safe(options->profiles[i]))
			return error_set(
				error, EINVAL, "Unsafe profile name: '%s'", text_escaped(shown, sizeof(shown), options->profiles[i]));
	}
	return 0;
}

static int command_run(const struct command *command, int argc, char **argv, struct command_options *options)
{
	struct error error = {0};
	bool help;
	if (command_parse(command, argc, argv, options, &help, &error))
		return fail(COMMAND_USAGE, &error);
	if (help) {
		command_help(command);
		return COMMAND_DONE;
	}
	if (words_check(options, &error))
		return fail(COMMAND_USAGE, &error);
	enum command_exit code = command->run(options, &error);
	if (fflush(stdout) != 0 && code == COMMAND_DONE) {
		error_errno(&error, errno, "cannot write to standard output");
		code = COMMAND_FAILED;
	}
	return fail(code, &error);
}

int command_main(int argc, char **argv)
{
	struct command_options options = {0};
	struct error error = {0};
	char shown[160];
	int next = 1;
	umask(077);
	for (; next < argc && argv[next][0] == '-'; next++) {
		const char *word = argv[next];
		if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
			command_help_all();
			return COMMAND_DONE;
		}
		if (strcmp(word, "--version") == 0)
			return version_print(&options);
		bool behind = strcmp(word, "--state-dir") == 0 && next + 1 < argc;
		if (behind || strncmp(word, "--state-dir=", 12) == 0) {
			options.state_dir = behind ? argv[++next] : word + 12;
			if (command_folder_is_fit(options.state_dir))
				continue;
			error_set(&error, EINVAL,
				"--state-dir: not the path of a folder (one that begins with '-' is written ./-...): '%s'",
				text_escaped(shown, sizeof(shown), options.state_dir));
			return fail(COMMAND_USAGE, &error);
		}
		error_set(&error, EINVAL, "unknown option '%s' before the command; see `terok-shield --help`",
			text_escaped(shown, sizeof(shown), word));
		return fail(COMMAND_USAGE, &error);
	}
	if (next == argc) {
		command_help_all();
		return COMMAND_DONE;
	}
	const struct command *command = command_find(argv[next]);
	if (!command) {
		error_set(
			&error, EINVAL, "unknown command '%s'; see `terok-shield --help`", text_escaped(shown, sizeof(shown), argv[next]));
		return fail(COMMAND_USAGE, &error);
	}
	int code = command_run(command, argc - next - 1, argv + next + 1, &options);
	command_options_free(&options);
	return code;
}
