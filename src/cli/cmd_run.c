/* run and prepare: write the bundle, then become podman or print its flags. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/launch.h"
#include "cli/monitor.h"
#include "cli/podman.h"

/* A remote podman would start the container on another machine or as another user, where this bundle and these programs are not. */
static int remote_check(struct error *error)
{
	static const char *const variables[] = {"CONTAINER_HOST", "CONTAINER_CONNECTION"};
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		const char *value = getenv(variables[i]);
		if (value && *value)
			return error_set(error, EINVAL,
				"$%s is set: the shield works only with the podman of this machine and user; unset it", variables[i]);
	}
	return 0;
}

/* Does not return when it succeeds. */
static int become_podman(struct launch *launch, const struct command_options *options, struct error *error)
{
	char path[PATH_MAX];
	if (podman_find_program("podman", path))
		return error_set(error, ENOENT, "podman is not in $PATH: install it");
	size_t count = launch->flags.count + options->rest_count + 3;
	cleanup_free char **arguments = calloc(count, sizeof(*arguments));
	if (!arguments)
		return error_set(error, ENOMEM, "out of memory");
	size_t next = 0;
	arguments[next++] = "podman";
	arguments[next++] = "run";
	for (size_t i = 0; i < launch->flags.count; i++)
		arguments[next++] = launch->flags.words[i];
	for (size_t i = 0; i < options->rest_count; i++)
		arguments[next++] = options->rest[i];
	monitor_start(&launch->bundle);
	execv(path, arguments);
	return error_errno(error, errno, "cannot start %s", path);
}

enum command_exit cmd_run(const struct command_options *options, struct error *error)
{
	struct podman_flags podman;
	struct launch_guard guard;
	struct launch launch = LAUNCH_INIT;
	if (remote_check(error) || launch_guard_init(&guard, options, error) ||
		podman_flags_parse(&podman, options->rest_count, options->rest, &guard.guard, error))
		return COMMAND_USAGE;
	if (options->hooks && podman.restarts) {
		error_set(error, EINVAL,
			"--restart with --hooks is refused: podman forgets a hooks folder when it restarts a container; leave out --hooks");
		return COMMAND_USAGE;
	}
	if (options->hooks && options->verify) {
		error_set(error, EINVAL, "--verify with --hooks is refused: it is the shield's runtime that verifies; leave out --hooks");
		return COMMAND_USAGE;
	}
	int rc = launch_prepare(&launch, options, &podman, error);
	if (!rc)
		rc = become_podman(&launch, options, error);
	launch_free(&launch);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}

/* Quoted for a POSIX shell, only where it must be. */
static void print_quoted(const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_";
	if (*word && word[strspn(word, plain)] == '\0') {
		fputs(word, stdout);
		return;
	}
	putchar('\'');
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\"'\"'", stdout);
		else
			putchar(*word);
	}
	putchar('\'');
}

static int print_json(const struct launch_words *words, struct error *error)
{
	cJSON *array = cJSON_CreateArray();
	bool good = array;
	for (size_t i = 0; good && i < words->count; i++)
		good = cJSON_AddItemToArray(array, cJSON_CreateString(words->words[i]));
	cleanup_free char *printed = good ? cJSON_PrintUnformatted(array) : NULL;
	cJSON_Delete(array);
	if (!printed)
		return error_set(error, ENOMEM, "out of memory");
	puts(printed);
	return 0;
}

enum command_exit cmd_prepare(const struct command_options *options, struct error *error)
{
	struct launch launch = LAUNCH_INIT;
	int rc = launch_prepare(&launch, options, NULL, error);
	if (!rc && options->json)
		rc = print_json(&launch.flags, error);
	for (size_t i = 0; !rc && !options->json && i < launch.flags.count; i++) {
		print_quoted(launch.flags.words[i]);
		putchar(i + 1 < launch.flags.count ? ' ' : '\n');
	}
	launch_free(&launch);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
