/* The runtime shim: which calls start containers, which program is the real one, what becomes of the bundle. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "hook/program.h"
#include "hook/runtime.h"

#define SHIELDED      "{\"annotations\":{\"terok.shield.profiles\":\"a\"}}"
#define ARGUMENTS_MAX 16

static char folder[64];          /* of this test run */
static char hook_path[PATH_MAX]; /* beside this test program; made where it is not built */
static bool hook_made;

/* Splits at blanks. */
static int call_parse(struct runtime_call *call, const char *line, struct error *error)
{
	static char words[512];
	char *argv[ARGUMENTS_MAX + 1] = {0};
	int argc = 0;

	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word && argc < ARGUMENTS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	return runtime_call_parse(call, argc, argv, error);
}

static void calls_are_told_apart_as_the_runtimes_do(void **context)
{
	static const struct {
		const char *line;
		enum runtime_action action;
		const char *bundle, *log;
		bool log_json;
	} cases[] = {
		/* as podman calls crun and runc */
		{"crun --log-format=json --log /l --cgroup-manager disabled create --bundle /b --pid-file /p id", RUNTIME_CREATE, "/b",
			"/l", true},
		{"crun --log-format=json --log=/l --systemd-cgroup create --bundle=/b --pid-file /p --console-socket /s id", RUNTIME_CREATE,
			"/b", "/l", true},
		{"crun --log-format text --log /l start id", RUNTIME_START, ".", "/l", false},
		/* as containerd and CRI-O call runc */
		{"runc --root /run/k8s.io --log /b/log.json --log-format json create --bundle /b --pid-file /b/init.pid id", RUNTIME_CREATE,
			"/b", "/b/log.json", true},
		{"runc --root=/run/runc --systemd-cgroup create -b /b id", RUNTIME_CREATE, "/b", NULL, false},
		{"youki -r /run/youki -l /l create id -b /b", RUNTIME_CREATE, "/b", "/l", false},
		{"crun run -b/b id", RUNTIME_CREATE, NULL, NULL, false},
		{"crun create id", RUNTIME_CREATE, ".", NULL, false},
		{"crun create id --bundle /b", RUNTIME_CREATE, "/b", NULL, false},
		{"crun create -- --bundle /b", RUNTIME_CREATE, ".", NULL, false},
		{"crun create --bundle /a --bundle /b id", RUNTIME_CREATE, "/b", NULL, false},
		{"crun --root create run id", RUNTIME_CREATE, ".", NULL, false},
		{"crun --debug run id", RUNTIME_CREATE, ".", NULL, false},
		{"crun restore --bundle /b --image-path /i id", RUNTIME_RESTORE, "/b", NULL, false},
		{"crun --version", RUNTIME_PASS, ".", NULL, false},
		{"crun", RUNTIME_PASS, ".", NULL, false},
		{"crun exec --process /p id", RUNTIME_PASS, ".", NULL, false},
		{"crun kill run 9", RUNTIME_PASS, ".", NULL, false},
		{"crun features", RUNTIME_PASS, ".", NULL, false},
		/* what is not known, or read differently by the runtimes, is refused */
		{"crun --some-option create run", RUNTIME_CREATE, ".", NULL, false},
		{"crun --some-option value create id", RUNTIME_PASS, NULL, NULL, false},
		{"crun --roo /r create id", RUNTIME_PASS, NULL, NULL, false},
		{"crun conjure id", RUNTIME_PASS, NULL, NULL, false},
		{"crun create --bun /b id", RUNTIME_CREATE, NULL, NULL, false},
		{"crun create -b=/b id", RUNTIME_CREATE, NULL, NULL, false},
		{"crun create --config /c.json id", RUNTIME_CREATE, NULL, NULL, false},
		{"crun create --config=/c.json id", RUNTIME_CREATE, NULL, NULL, false},
		{"crun create -f /c.json id", RUNTIME_CREATE, NULL, NULL, false},
		{"crun create --bundle", RUNTIME_CREATE, NULL, NULL, false},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct runtime_call call;
		struct error error = {0};
		int rc = call_parse(&call, cases[i].line, &error);

		print_message("%s\n", cases[i].line);
		assert_int_equal(call.action, cases[i].action);
		if (!cases[i].bundle) {
			assert_int_equal(rc, -EINVAL);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_string_equal(call.bundle, cases[i].bundle);
		assert_int_equal(call.log_json, cases[i].log_json);
		if (cases[i].log)
			assert_string_equal(call.log, cases[i].log);
		else
			assert_null(call.log);
	}
}

static const char *in_folder(const char *name)
{
	static char paths[16][128]; /* the last so many results stay good */
	static unsigned next;
	char *path = paths[next++ % 16];

	snprintf(path, 128, "%s/%s", folder, name);
	return path;
}

static void file_make(const char *name, const char *content, mode_t mode)
{
	cleanup_fd int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(file_write_all(fd, content, strlen(content)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static char *file_content(const char *name)
{
	char *data;

	assert_int_equal(file_read(AT_FDCWD, in_folder(name), 1 << 20, &data, NULL), 0);
	return data;
}

static void the_real_runtime_is_found_and_never_the_shim_itself(void **context)
{
	const char *folders[] = {in_folder("one"), in_folder("two"), in_folder("three"), NULL};
	char path[PATH_MAX];
	struct error error = {0};

	(void)context;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mkdir(folders[i], 0700), 0);
	assert_int_equal(symlink("/proc/self/exe", in_folder("one/crun")), 0);
	assert_int_equal(runtime_find("crun", folders, path, &error), -ENOENT);
	assert_non_null(strstr(error.text, "no crun"));
	file_make("two/crun", "", 0600); /* not executable */
	assert_int_equal(mkdir(in_folder("two/runc"), 0700), 0);
	file_make("three/crun", "", 0700);
	file_make("three/runc", "", 0700);

	assert_int_equal(runtime_find("crun", folders, path, &error), 0);
	assert_string_equal(path, in_folder("three/crun"));
	assert_int_equal(runtime_find("runc", folders, path, &error), 0);
	assert_string_equal(path, in_folder("three/runc"));
	assert_int_equal(runtime_find("terok-shield-runtime", folders, path, &error), 0);
	assert_string_equal(path, in_folder("three/crun"));
	assert_int_equal(runtime_find("youki", folders, path, &error), -ENOENT);
	assert_int_equal(runtime_find("sh", folders, path, &error), -ENOENT);
	assert_non_null(strstr(error.text, "none of crun, runc and youki"));
}

static void a_shielded_bundle_gets_both_hooks_and_keeps_mode_and_owner(void **context)
{
	cleanup_free char *content = NULL;
	struct error error = {0};
	struct stat status;

	(void)context;
	file_make("config.json", SHIELDED, 0640);
	if (geteuid() == 0)
		assert_int_equal(chown(in_folder("config.json"), 12, 34), 0);
	assert_int_equal(runtime_bundle_shield(folder, false, &error), 0);
	content = file_content("config.json");
	assert_non_null(strstr(content, hook_path));
	assert_non_null(strstr(content, "\"createRuntime\""));
	assert_non_null(strstr(content, "\"poststop\""));
	assert_int_equal(stat(in_folder("config.json"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	assert_int_equal(status.st_uid, geteuid() == 0 ? 12 : geteuid());
	assert_int_equal(unlink(in_folder("config.json")), 0);
}

static void a_bundle_without_annotations_is_not_written(void **context)
{
	cleanup_free char *content = NULL;
	struct stat before, after;

	(void)context;
	file_make("config.json", "{\"annotations\":{\"a\":\"b\"}}", 0644);
	assert_int_equal(stat(in_folder("config.json"), &before), 0);
	assert_int_equal(runtime_bundle_shield(folder, false, NULL), 0);
	assert_int_equal(runtime_bundle_shield(folder, true, NULL), 0);
	assert_int_equal(stat(in_folder("config.json"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	content = file_content("config.json");
	assert_string_equal(content, "{\"annotations\":{\"a\":\"b\"}}");
}

static void a_bundle_that_cannot_be_shielded_is_refused(void **context)
{
	struct error error = {0};

	(void)context;
	unlink(in_folder("config.json"));
	assert_int_equal(runtime_bundle_shield(folder, false, &error), -ENOENT);
	assert_int_equal(runtime_bundle_shield(in_folder("nowhere"), false, &error), -ENOENT);
	file_make("config.json", "{", 0600);
	assert_int_equal(runtime_bundle_shield(folder, false, &error), -EINVAL);
	file_make("config.json", SHIELDED, 0600);
	assert_int_equal(runtime_bundle_shield(folder, true, &error), -ENOTSUP);
	assert_non_null(strstr(error.text, "checkpoint"));
	assert_int_equal(rename(in_folder("config.json"), in_folder("real.json")), 0);
	assert_int_equal(symlink("real.json", in_folder("config.json")), 0);
	assert_true(runtime_bundle_shield(folder, false, &error) < 0);
}

static void an_error_reaches_the_log_that_podman_reads(void **context)
{
	const struct runtime_call call = {.log = in_folder("oci-log"), .log_json = true};
	const struct error error = {.code = EPERM, .text = "say \"no\" to \\x0a"};
	cleanup_free char *content = NULL;

	(void)context;
	runtime_error_report(&call, &error);
	content = file_content("oci-log");
	assert_int_equal(strncmp(content, "{\"level\":\"error\",\"time\":\"", 25), 0);
	assert_non_null(strstr(content, "\"msg\":\"terok-shield-runtime: say \\\"no\\\" to \\\\x0a\"}\n"));
}

static int folder_make(void **context)
{
	(void)context;
	strcpy(folder, "/tmp/test_runtime.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	if (program_beside(hook_path, "terok-shield-hook", NULL) == -ENOENT) {
		cleanup_fd int fd = open(hook_path, O_WRONLY | O_CREAT | O_EXCL, 0700);

		hook_made = fd >= 0;
	}
	return 0;
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

static int folder_remove(void **context)
{
	(void)context;
	if (hook_made)
		unlink(hook_path);
	return nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static void the_folder_it_is_called_in_decides(void **unused)
{
	static const char *const folders[] = {"verify", "kubernetes"};
	static const struct {
		const char *program; /* %s: the folder */
		bool called_in;
	} cases[] = {
		{"/opt/libexec/terok-shield/%s/crun", true},
		{"/%s/runc", true},
		{"/opt/libexec/terok-shield/crun", false},
		{"/opt/%s/terok-shield/crun", false},
		{"/opt/no%s/crun", false},
		{"%s", false},
		{"crun", false},
	};

	(void)unused;
	for (size_t f = 0; f < sizeof(folders) / sizeof(*folders); f++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			const char *at = strstr(cases[i].program, "%s");
			char program[128];

			if (at)
				snprintf(program, sizeof(program), "%.*s%s%s", (int)(at - cases[i].program), cases[i].program, folders[f], at + 2);
			else
				snprintf(program, sizeof(program), "%s", cases[i].program);
			if (runtime_is_called_in(program, folders[f]) != cases[i].called_in)
				fail_msg("%s: in %s or not", program, folders[f]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_told_apart_as_the_runtimes_do),
		cmocka_unit_test(the_folder_it_is_called_in_decides),
		cmocka_unit_test(the_real_runtime_is_found_and_never_the_shim_itself),
		cmocka_unit_test(a_shielded_bundle_gets_both_hooks_and_keeps_mode_and_owner),
		cmocka_unit_test(a_bundle_without_annotations_is_not_written),
		cmocka_unit_test(a_bundle_that_cannot_be_shielded_is_refused),
		cmocka_unit_test(an_error_reaches_the_log_that_podman_reads),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
