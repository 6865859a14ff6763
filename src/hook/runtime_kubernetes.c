/* A RuntimeClass's runtime: see runtime_kubernetes.h. */
#include "hook/runtime_kubernetes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "hook/cri.h"
#include "hook/program.h"
#include "hook/splice.h"

#define NODE_TIMEOUT_MS 12000 /* longer than its own deadline */
#define DROPPED         "CAP_NET_RAW"
#define SHOWN(string)   text_escaped((char[256]){0}, 256, string)

const char *const runtime_kubernetes_folders[] = {
	"/usr/libexec/crio",
	"/usr/bin",
	"/usr/sbin",
	"/usr/local/bin",
	"/usr/local/sbin",
	"/sbin",
	"/bin",
	NULL,
};

/* ---- create ---- */

/* Runs terok-shield-node; path: of the sandbox's bundle. */
static int node_ask(const struct cri_container *container, char path[PATH_MAX], struct error *error)
{
	cleanup_text struct text output = {0};
	char program[PATH_MAX];
	char *arguments[8] = {program, container->is_sandbox ? "make" : "check", (char *)container->sandbox};
	size_t next = 3;
	int rc = program_beside(program, "terok-shield-node", error);

	if (rc)
		return rc;
	if (container->is_sandbox && container->has_profiles) {
		arguments[next++] = "--profiles";
		arguments[next++] = (char *)container->profiles;
	}
	if (container->is_sandbox && container->has_ports) {
		arguments[next++] = "--ports";
		arguments[next++] = (char *)container->ports;
	}
	rc = program_capture(arguments, true, NODE_TIMEOUT_MS, &output);
	if (rc < 0)
		return error_errno(error, -rc, "terok-shield-node");
	if (text_failed(&output) || output.length == 0)
		return error_set(error, EIO, "terok-shield-node ended with status %d and said nothing", rc);
	output.data[strcspn(output.data, "\n")] = '\0';
	if (rc != 0)
		return error_set(error, EPERM, "%s", output.data);
	if (*output.data != '/' || strlen(output.data) >= PATH_MAX)
		return error_set(error, EIO, "terok-shield-node named no state folder");
	strcpy(path, output.data);
	return 0;
}

/* The annotations by which the hook finds the bundle. */
static int annotate(
	const struct cri_container *container, const char *path, const struct text *config, struct text *out, struct error *error)
{
	struct cri_annotation annotations[5] = {
		{"terok.shield.state_dir", path},
		{"terok.shield.name", container->sandbox},
		{"terok.shield.version", SHIELD_VERSION},
	};
	size_t count = 3;

	if (!container->has_profiles)
		annotations[count++] = (struct cri_annotation){"terok.shield.profiles", ""};
	if (!container->is_sandbox)
		annotations[count++] = (struct cri_annotation){"terok.shield.sandbox", container->sandbox};
	return cri_annotations_add(config->data, config->length, annotations, count, out, error);
}

static int hooks_add(struct text *config, struct text *out, struct error *error)
{
	enum splice_outcome outcome = SPLICE_NOT_SHIELDED;
	char hook_path[PATH_MAX];
	int rc = program_beside(hook_path, "terok-shield-hook", error);

	if (!rc)
		rc = splice_config(config->data, config->length, hook_path, out, &outcome, error);
	if (rc)
		return rc;
	switch (outcome) {
	case SPLICE_CHANGED:
		return 0;
	case SPLICE_COMPLETE: /* CRI-O has read them from a folder of hooks */
		text_add_bytes(out, config->data, config->length);
		return text_failed(out) ? error_set(error, ENOMEM, "no memory for the new document") : 0;
	case SPLICE_NOT_SHIELDED:
		break;
	}
	return error_set(error, EINVAL, "the annotations that were added are not there");
}

static int config_shield(int folder_fd, const char *id, struct error *error)
{
	cleanup_free char *json = NULL;
	cleanup_text struct text dropped = {0};
	cleanup_text struct text annotated = {0};
	cleanup_text struct text hooked = {0};
	struct cri_container container;
	char path[PATH_MAX];
	size_t length;
	int rc = runtime_config_read(folder_fd, &json, &length, error);

	if (rc)
		return rc;
	rc = cri_capability_drop(CRI_CONFIG, json, length, DROPPED, &dropped, error);
	if (rc)
		return error_prefix(error, "config.json");
	rc = cri_container_parse(&container, dropped.data, dropped.length, error);
	if (!rc)
		rc = cri_container_check(&container, id, error);
	if (!rc)
		rc = node_ask(&container, path, error);
	if (!rc)
		rc = annotate(&container, path, &dropped, &annotated, error);
	if (!rc)
		rc = hooks_add(&annotated, &hooked, error);
	return rc ? rc : runtime_config_replace(folder_fd, &hooked, error);
}

static int create(const struct runtime_call *call, int argc, char *const argv[], struct error *error)
{
	cleanup_fd int folder_fd = open(call->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder_fd < 0)
		return error_errno(error, errno, "cannot open the bundle %s", SHOWN(call->bundle));
	return config_shield(folder_fd, argv[argc - 1], error); /* the container's id comes last */
}

/* ---- exec ---- */

/* Options of the runtimes' exec; true: a value follows, as the next argument when not behind '='. */
static const struct {
	const char *name;
	bool valued;
} exec_options[] = {
	{"--additional-gids", true},
	{"--apparmor", true},
	{"--cgroup", true},
	{"--console-socket", true},
	{"--cwd", true},
	{"--detach", false},
	{"--env", true},
	{"--ignore-paused", false},
	{"--no-new-privs", false},
	{"--pid-file", true},
	{"--pidfd-socket", true},
	{"--preserve-fds", true},
	{"--process", true},
	{"--process-label", true},
	{"--tty", false},
	{"--user", true},
	{"-d", false},
	{"-e", true},
	{"-g", true},
	{"-p", true},
	{"-t", false},
	{"-u", true},
};

int runtime_kubernetes_exec_file(int argc, char *const argv[], int command, const char **path, struct error *error)
{
	*path = NULL;
	for (int at = command + 1; at < argc && argv[at][0] == '-'; at++) {
		size_t length = strcspn(argv[at], "="), known = 0;
		const char *value = argv[at][length] ? argv[at] + length + 1 : NULL;
		const size_t count = sizeof(exec_options) / sizeof(*exec_options);

		while (known < count &&
			(strlen(exec_options[known].name) != length || memcmp(exec_options[known].name, argv[at], length) != 0))
			known++;
		if (known == count || (value && !exec_options[known].valued))
			return error_set(error, EINVAL, "exec: option '%s' is not supported in a shielded container", SHOWN(argv[at]));
		if (exec_options[known].valued && !value && ++at < argc)
			value = argv[at];
		if (exec_options[known].valued && !value)
			return error_set(error, EINVAL, "exec: %s has no value", exec_options[known].name);
		if (strcmp(exec_options[known].name, "--process") == 0 || strcmp(exec_options[known].name, "-p") == 0) {
			if (*path)
				return error_set(error, EINVAL, "exec: --process is there twice");
			*path = value;
		}
	}
	return 0;
}

/* Without a file the process gets what the container has. */
static int exec(const struct runtime_call *call, int argc, char *const argv[], struct error *error)
{
	cleanup_free char *json = NULL;
	cleanup_text struct text dropped = {0};
	const char *path;
	struct stat old;
	size_t length;
	int rc = runtime_kubernetes_exec_file(argc, argv, call->command, &path, error);

	if (rc || !path)
		return rc;
	rc = file_read(AT_FDCWD, path, OCI_CONFIG_MAX, &json, &length);
	if (rc || lstat(path, &old) != 0)
		return error_errno(error, rc ? -rc : errno, "cannot read the process of exec from %s", SHOWN(path));
	rc = cri_capability_drop(CRI_PROCESS, json, length, DROPPED, &dropped, error);
	if (!rc)
		rc = cri_process_check(dropped.data, dropped.length, error);
	if (rc || (dropped.length == length && memcmp(dropped.data, json, length) == 0))
		return rc;
	rc = file_replace_volatile(AT_FDCWD, path, old.st_mode & 07777, old.st_uid, old.st_gid, dropped.data, dropped.length);
	return rc ? error_errno(error, -rc, "cannot replace the process of exec in %s", SHOWN(path)) : 0;
}

int runtime_kubernetes(const struct runtime_call *call, int argc, char *const argv[], struct error *error)
{
	switch (call->action) {
	case RUNTIME_CREATE:
		return create(call, argc, argv, error);
	case RUNTIME_RESTORE:
		return error_set(error, ENOTSUP, "a shielded container cannot be restored from a checkpoint: delete the pod");
	case RUNTIME_PASS:
	case RUNTIME_START:
		break;
	}
	return call->command && strcmp(argv[call->command], "exec") == 0 ? exec(call, argc, argv, error) : 0;
}
