/* The runtime shim's steps. */
#include "hook/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "hook/program.h"
#include "hook/splice.h"

#define CONFIG_NAME   "config.json"
#define CONFIG_MAX    (8u << 20)
#define SHIM_NAME     "terok-shield-runtime"
#define SHOWN(string) text_escaped((char[256]){0}, 256, string)

/* ---- the command line ---- */

/* Global options of the three runtimes that take a value, as the next argument when not behind '='. */
static const char *const valued_options[] = {
	"--cgroup-manager",
	"--config",
	"--criu",
	"--log",
	"--log-format",
	"--log-level",
	"--root",
	"--rootless",
	"-l",
	"-r",
};

static const struct {
	const char *word;
	enum runtime_action action;
} commands[] = {
	{"checkpoint", RUNTIME_PASS},
	{"create", RUNTIME_CREATE},
	{"delete", RUNTIME_PASS},
	{"events", RUNTIME_PASS},
	{"exec", RUNTIME_PASS},
	{"features", RUNTIME_PASS},
	{"help", RUNTIME_PASS},
	{"info", RUNTIME_PASS},
	{"kill", RUNTIME_PASS},
	{"list", RUNTIME_PASS},
	{"mounts", RUNTIME_PASS},
	{"pause", RUNTIME_PASS},
	{"ps", RUNTIME_PASS},
	{"resume", RUNTIME_PASS},
	{"restore", RUNTIME_RESTORE},
	{"run", RUNTIME_CREATE},
	{"spec", RUNTIME_PASS},
	{"start", RUNTIME_START},
	{"state", RUNTIME_PASS},
	{"update", RUNTIME_PASS},
};

/* The value of an option `name` at argv[*at]: behind '=' or the next argument, to which *at then moves. NULL when argv[*at] is another
 * option. A missing value is "". */
static const char *option_value(const char *name, int argc, char *const argv[], int *at)
{
	const char *argument = argv[*at];
	size_t length = strlen(name);

	if (strncmp(argument, name, length) != 0)
		return NULL;
	if (argument[length] == '=')
		return argument + length + 1;
	if (argument[length] != '\0')
		return NULL;
	if (*at + 1 >= argc)
		return "";
	return argv[++*at];
}

static void global_option_read(struct runtime_call *call, int argc, char *const argv[], int *at)
{
	for (size_t i = 0; i < sizeof(valued_options) / sizeof(*valued_options); i++) {
		const char *value = option_value(valued_options[i], argc, argv, at);

		if (!value)
			continue;
		if (strcmp(valued_options[i], "--log") == 0 || strcmp(valued_options[i], "-l") == 0)
			call->log = value;
		else if (strcmp(valued_options[i], "--log-format") == 0)
			call->log_json = strcmp(value, "json") == 0;
		return;
	}
	/* Any other takes none; if one did, its value would be no command we know, and the call would be refused. */
}

/* Options of create, run and restore. crun takes them behind the container's id too. */
static int bundle_option_read(struct runtime_call *call, int argc, char *const argv[], int at, struct error *error)
{
	for (; at < argc && strcmp(argv[at], "--") != 0; at++) {
		const char *argument = argv[at];
		const char *value;

		if (strncmp(argument, "-f", 2) == 0 || strncmp(argument, "--config", strlen("--config")) == 0)
			return error_set(
				error, EINVAL, "another file than the bundle's config.json (%s) is not supported", SHOWN(argument));
		value = option_value("--bundle", argc, argv, &at);
		if (!value)
			value = option_value("-b", argc, argv, &at);
		if (value && strncmp(argument, "-b=", 3) != 0)
			call->bundle = value;
		else if (strncmp(argument, "-b", 2) == 0 || strncmp(argument, "--b", 3) == 0) /* the runtimes read these differently */
			return error_set(error, EINVAL, "write '%s' as --bundle FOLDER", SHOWN(argument));
	}
	return *call->bundle ? 0 : error_set(error, EINVAL, "--bundle has no value");
}

int runtime_call_parse(struct runtime_call *call, int argc, char *const argv[], struct error *error)
{
	int at = 1;

	*call = (struct runtime_call){.action = RUNTIME_PASS, .bundle = "."};
	for (; at < argc && argv[at][0] == '-'; at++)
		global_option_read(call, argc, argv, &at);
	if (at >= argc) /* --version, --help */
		return 0;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(argv[at], commands[i].word) != 0)
			continue;
		call->action = commands[i].action;
		call->command = at;
		if (call->action == RUNTIME_PASS || call->action == RUNTIME_START)
			return 0;
		return bundle_option_read(call, argc, argv, at + 1, error);
	}
	return error_set(error, EINVAL, "'%s' is no command that is known not to start a container", SHOWN(argv[at]));
}

bool runtime_is_called_in(const char *program, const char *folder)
{
	const char *slash = strrchr(program, '/');
	size_t before = slash ? (size_t)(slash - program) : 0, length = strlen(folder);

	return before > length && slash[-(ptrdiff_t)length - 1] == '/' && memcmp(slash - length, folder, length) == 0;
}

/* ---- the real runtime ---- */

static const char *const podman_folders[] = {
	"/usr/bin",
	"/usr/sbin",
	"/usr/local/bin",
	"/usr/local/sbin",
	"/sbin",
	"/bin",
	"/run/current-system/sw/bin",
	NULL,
};

static bool is_other_program(const char *path, const struct stat *own)
{
	struct stat found;

	return stat(path, &found) == 0 && S_ISREG(found.st_mode) && (found.st_dev != own->st_dev || found.st_ino != own->st_ino) &&
	       access(path, X_OK) == 0;
}

int runtime_find(const char *name, const char *const folders[], char path[PATH_MAX], struct error *error)
{
	static const char *const names[] = {"crun", "runc", "youki"};
	bool any = strcmp(name, SHIM_NAME) == 0, known = any;
	struct stat own;

	if (stat("/proc/self/exe", &own) != 0)
		return error_errno(error, errno, "cannot read /proc/self/exe");
	if (!folders)
		folders = podman_folders;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!any && strcmp(name, names[i]) != 0)
			continue;
		known = true;
		for (const char *const *folder = folders; *folder; folder++) {
			int length = snprintf(path, PATH_MAX, "%s/%s", *folder, names[i]);

			if (length < PATH_MAX && is_other_program(path, &own))
				return 0;
		}
	}
	if (!known)
		return error_set(error, ENOENT, "called as '%s', which is none of crun, runc and youki", SHOWN(name));
	return error_set(error, ENOENT, "there is no %s in /usr/bin or the other folders where podman looks: install it",
		any ? "crun, runc or youki" : name);
}

/* ---- the bundle ---- */

int runtime_config_read(int bundle_fd, char **json, size_t *length, struct error *error)
{
	int rc = file_read(bundle_fd, CONFIG_NAME, CONFIG_MAX, json, length);

	return rc ? error_errno(error, -rc, "cannot read %s", CONFIG_NAME) : 0;
}

/* Whoever calls writes config.json anew for every start: after a crash nobody reads this one. */
int runtime_config_replace(int bundle_fd, const struct text *content, struct error *error)
{
	struct stat old;
	int rc;

	if (fstatat(bundle_fd, CONFIG_NAME, &old, AT_SYMLINK_NOFOLLOW) != 0)
		return error_errno(error, errno, "cannot examine %s", CONFIG_NAME);
	rc = file_replace_volatile(bundle_fd, CONFIG_NAME, old.st_mode & 07777, old.st_uid, old.st_gid, content->data, content->length);
	return rc ? error_errno(error, -rc, CONFIG_NAME ": cannot replace it") : 0;
}

static int config_shield(int folder_fd, bool refuse, struct error *error)
{
	cleanup_free char *json = NULL;
	cleanup_text struct text changed = {0};
	enum splice_outcome outcome;
	char hook_path[PATH_MAX];
	size_t length;
	int rc = runtime_config_read(folder_fd, &json, &length, error);

	if (rc)
		return rc;
	/* Without the hook's program a bundle that wants a shield fails; others do not need it. */
	if (program_beside(hook_path, "terok-shield-hook", NULL) != 0)
		*hook_path = '\0';
	rc = splice_config(json, length, hook_path, &changed, &outcome, error);
	if (rc)
		return error_prefix(error, CONFIG_NAME);
	if (outcome == SPLICE_NOT_SHIELDED)
		return 0;
	if (refuse)
		return error_set(error, ENOTSUP, "a shielded container cannot be restored from a checkpoint: remove it and run it again");
	if (outcome == SPLICE_COMPLETE)
		return 0;
	rc = program_beside(hook_path, "terok-shield-hook", error);
	return rc ? rc : runtime_config_replace(folder_fd, &changed, error);
}

int runtime_bundle_shield(const char *bundle, bool refuse, struct error *error)
{
	cleanup_fd int folder_fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (folder_fd < 0)
		return error_errno(error, errno, "cannot open the bundle %s", SHOWN(bundle));
	rc = config_shield(folder_fd, refuse, error);
	return rc ? error_prefix(error, "the bundle %s", SHOWN(bundle)) : 0;
}

/* ---- errors ---- */

void runtime_error_report(const struct runtime_call *call, const struct error *error)
{
	cleanup_text struct text line = {0};
	cleanup_text struct text message = {0};
	cleanup_fd int log_fd = -1;
	const char *path = call->log;
	char time[32];

	fprintf(stderr, SHIM_NAME ": %s\n", error->text);
	if (!path || !call->log_json)
		return;
	if (strncmp(path, "file:", strlen("file:")) == 0) /* crun's other spelling */
		path += strlen("file:");
	log_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (log_fd < 0)
		return;
	text_addf(&line, "{\"level\":\"error\",\"time\":\"%s\",\"msg\":", clock_wall_text(time, sizeof(time), clock_wall_s()));
	text_addf(&message, SHIM_NAME ": %s", error->text);
	splice_add_string(&line, text_failed(&message) ? SHIM_NAME : message.data);
	text_add(&line, "}\n");
	if (!text_failed(&line))
		file_write_all(log_fd, line.data, line.length);
}

/* ---- the whole ---- */

int runtime_shield(const struct runtime_call *call, const char *real, int argc, char *const argv[], struct error *error)
{
	(void)real, (void)argc, (void)argv;
	if (call->action != RUNTIME_CREATE && call->action != RUNTIME_RESTORE)
		return 0;
	return runtime_bundle_shield(call->bundle, call->action == RUNTIME_RESTORE, error);
}

int runtime_become(const char *const folders[], runtime_preparation *prepare, int argc, char *argv[])
{
	struct runtime_call call;
	struct error error = {0};
	char path[PATH_MAX];
	const char *slash;

	if (argc < 1) {
		fputs(SHIM_NAME ": called without a name\n", stderr);
		return 1;
	}
	slash = strrchr(argv[0], '/');
	if (runtime_call_parse(&call, argc, argv, &error) == 0 && runtime_find(slash ? slash + 1 : argv[0], folders, path, &error) == 0 &&
		prepare(&call, path, argc, argv, &error) == 0) {
		argv[0] = path;
		execv(path, argv);
		error_errno(&error, errno, "cannot execute %s", path);
	}
	runtime_error_report(&call, &error);
	return 1;
}
