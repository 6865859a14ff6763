/* The runtime shim as podman, containerd and CRI-O call it, with the real crun behind it and a shell script for the hook. */
#include <fcntl.h>
#include <ftw.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/isolate.h"
#include "base/text.h"
#include "hook/program.h"
#include "own_netns.h"
#include "support/inject.h"

/* crun comes as far as the createRuntime hooks; what is to run then does not exist. */
#define CONFIG(annotations) CONFIG_OF("/none", annotations)
#define CONFIG_OF(program, annotations)                                                                                                    \
	"{\"ociVersion\":\"1.0.0\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"" program                                       \
	"\",\"true\"],\"cwd\":\"/\",\"capabilities\":{}},"                                                                                 \
	"\"root\":{\"path\":\"root\"},\"mounts\":[],\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"network\"}],"              \
	"\"resources\":{}},"                                                                                                               \
	"\"annotations\":{" annotations "}}"
#define SHIELDED CONFIG("\"terok.shield.profiles\":\"a\"")

static char folder[64];
static char *output; /* of the last call, stdout and stderr */

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
	assert_int_equal(file_replace(AT_FDCWD, in_folder(name), mode, content, strlen(content)), 0);
}

static bool file_has(const char *name, const char *word)
{
	cleanup_free char *content = NULL;

	return file_read(AT_FDCWD, in_folder(name), 1 << 20, &content, NULL) == 0 && strstr(content, word);
}

/* Runs PROGRAM ARGUMENTS in the folder through a shell; returns the exit status. */
static int call(const char *command)
{
	cleanup_text struct text line = {0};
	FILE *pipe_in;
	int status;

	text_addf(&line, "cd %s && %s 2>&1", folder, command);
	pipe_in = popen(line.data, "re");
	assert_non_null(pipe_in);
	free(output);
	output = NULL;
	assert_int_equal(file_read_fd(fileno(pipe_in), 1 << 20, &output, NULL), 0);
	status = pclose(pipe_in);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void other_calls_reach_the_real_runtime_untouched(void **context)
{
	(void)context;
	assert_int_equal(call("libexec/crun --version"), 0);
	assert_non_null(strstr(output, "crun version"));
	assert_int_equal(call("libexec/terok-shield-runtime --version"), 0);
	assert_int_not_equal(call("libexec/crun --root r state nobody"), 0);
	assert_null(strstr(output, "terok-shield-runtime:"));
}

static void a_shielded_bundle_runs_the_hook_and_a_failing_hook_stops_it(void **context)
{
	static const char *const calls[] = {
		/* podman; containerd's shim; CRI-O's conmon; by hand in the bundle */
		"libexec/crun --log-format=json --log log --root r --cgroup-manager disabled create --bundle oci --pid-file p podman",
		"libexec/crun --root r --log log --log-format json --cgroup-manager disabled create --bundle oci --pid-file p containerd",
		"libexec/crun --root=r --cgroup-manager=disabled create --bundle=oci --pid-file=p crio",
		"cd oci && ../libexec/crun --root ../r --cgroup-manager disabled run hand",
	};

	(void)context;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		char delete[128];

		file_make("oci/config.json", SHIELDED, 0600);
		unlink(in_folder("called"));
		assert_int_not_equal(call(calls[i]), 0);
		if (!file_has("called", "createRuntime\n"))
			fail_msg("%s: %s", calls[i], output);
		snprintf(delete, sizeof(delete), "/usr/bin/crun --root r delete --force %s", strrchr(calls[i], ' ') + 1);
		call(delete);
	}
}

static void a_bundle_without_annotations_runs_no_hook(void **context)
{
	(void)context;
	file_make("oci/config.json", CONFIG("\"a\":\"b\""), 0600);
	call("libexec/crun --root r --cgroup-manager disabled create --bundle oci id");
	call("/usr/bin/crun --root r delete --force id");
	assert_int_not_equal(access(in_folder("called"), F_OK), 0);
	assert_false(file_has("oci/config.json", "hooks"));
}

static void without_its_hook_the_shim_starts_nothing_and_says_why(void **context)
{
	(void)context;
	file_make("oci/config.json", SHIELDED, 0600);
	unlink(in_folder("libexec/terok-shield-hook"));
	assert_int_equal(call("libexec/crun --log-format=json --log log --root r --cgroup-manager disabled create --bundle oci id"), 1);
	assert_non_null(strstr(output, "terok-shield-hook is missing or cannot be executed"));
	assert_true(file_has("log", "\"level\":\"error\""));
	assert_true(file_has("log", "terok-shield-hook is missing or cannot be executed"));
	assert_true(file_has("oci/config.json", SHIELDED));
	/* what stops and removes containers goes on working */
	assert_int_equal(call("libexec/crun --root r list"), 0);
}

static void what_cannot_be_shielded_is_not_handed_on(void **context)
{
	static const struct {
		const char *call, *word;
	} cases[] = {
		{"libexec/crun --root r create --bundle nowhere id", "cannot open the bundle"},
		{"libexec/crun --root r create --bundle . id", "cannot read config.json"},
		{"libexec/crun --root r restore --bundle oci --image-path i id", "cannot be restored"},
		{"libexec/crun --root r create --config oci/config.json id", "is not supported"},
		{"libexec/crun --root r conjure id", "no command that is known"},
		{"libexec/sh create id", "none of crun, runc and youki"},
	};

	(void)context;
	file_make("oci/config.json", SHIELDED, 0600);
	assert_int_equal(symlink("terok-shield-runtime", in_folder("libexec/sh")), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(call(cases[i].call), 1);
		if (!strstr(output, cases[i].word))
			fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].call, output, cases[i].word);
	}
}

/* ---- each of its system calls fails ---- */

#define BUSYBOX "/bin/busybox"

static void shim_become(void *context)
{
	const char *id = context;
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3; fd++)
		dup2(null_fd, fd);
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* which could not attach to a process that is traced */
	if (chdir(folder) == 0)
		execl(in_folder("libexec/crun"), in_folder("libexec/crun"), "--root", "r", "--cgroup-manager", "disabled", "create",
			"--bundle", "oci", id, NULL);
}

/* What podman does. Returns whether a container was made. */
static bool create_traced(struct inject *inject)
{
	static unsigned serial;
	char id[16], delete[128];
	int status;

	snprintf(id, sizeof(id), "id%u", serial++); /* one that nothing was left of */
	file_make("oci/config.json", CONFIG_OF("/busybox", "\"terok.shield.profiles\":\"a\""), 0600);
	unlink(in_folder("called"));
	inject_start(inject, shim_become, id);
	status = inject_wait(inject);
	inject_stop(inject);
	snprintf(delete, sizeof(delete), "/usr/bin/crun --root r --cgroup-manager disabled delete --force %s", id);
	call(delete);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The hook refuses here, so whatever is made was made without it. */
static void whichever_call_of_the_shim_fails_no_container_is_made_without_the_hook(void **context)
{
	const char *missing = access(BUSYBOX, X_OK) ? "there is no " BUSYBOX : inject_missing();
	struct inject_site *sites;
	struct inject *inject;
	unsigned count, failed = 0;

	(void)context;
	if (missing) {
		print_message("%s\n", missing);
		skip();
	}
	assert_int_equal(call("cp " BUSYBOX " oci/root/busybox"), 0);
	file_make("oci/config.json", CONFIG_OF("/busybox", "\"a\":\"b\""), 0600);
	assert_int_equal(call("libexec/crun --root r --cgroup-manager disabled create --bundle oci without </dev/null >/dev/null"), 0);
	call("/usr/bin/crun --root r --cgroup-manager disabled delete --force without");

	inject = inject_new();
	inject->roles[0] = "terok-shield-runtime";
	inject->armed = false;
	assert_false(create_traced(inject));
	assert_true(file_has("called", "createRuntime\n"));
	count = inject->count;
	sites = calloc(count, sizeof(*sites));
	assert_non_null(sites);
	memcpy(sites, inject->sites, count * sizeof(*sites));
	for (unsigned i = 0; i < count; i++) {
		const char *name = inject_name(sites[i].number, &inject->error);

		/* a sanitizer that cannot arrange its memory ends with 0, before the program begins */
		if (!inject->error || (ISOLATE_SANITIZED && strstr("mmap munmap mprotect mremap madvise brk", name)))
			continue;
		inject->armed = true;
		inject->site = sites[i];
		if (create_traced(inject))
			fail_msg("%s #%u fails, and a container is made without the hook", name, sites[i].ordinal);
		failed += inject->done;
	}
	free(sites);
	print_message("%u system calls failed in turn\n", failed);
	assert_true(failed > 30);
}

/* crun takes cgroups in one form only, and not every machine has them so. */
static void cgroups_arrange(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("none", "/sys/fs/cgroup", "cgroup2", 0, NULL))
		fprintf(stderr, "cgroups are left as they are: %s\n", strerror(errno));
}

static int folder_make(void **context)
{
	cleanup_free char *shim = NULL;
	char path[PATH_MAX];
	size_t length;

	(void)context;
	strcpy(folder, "/tmp/test_shim.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(mkdir(in_folder("libexec"), 0755), 0);
	assert_int_equal(mkdir(in_folder("oci"), 0700), 0);
	assert_int_equal(mkdir(in_folder("oci/root"), 0755), 0);
	assert_int_equal(mkdir(in_folder("oci/root/dev"), 0755), 0);
	assert_int_equal(program_beside(path, "terok-shield-runtime", NULL), 0);
	assert_int_equal(file_read(AT_FDCWD, path, 64u << 20, &shim, &length), 0);
	assert_int_equal(file_replace(AT_FDCWD, in_folder("libexec/terok-shield-runtime"), 0755, shim, length), 0);
	assert_int_equal(symlink("terok-shield-runtime", in_folder("libexec/crun")), 0);
	file_make("libexec/terok-shield-hook", "#!/bin/sh\necho \"$1\" >>\"${0%/*}/../called\"\nexit 1\n", 0755);
	return 0;
}

static int entry_remove(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status, (void)type, (void)walk;
	return remove(path);
}

static int folder_clear(void **context)
{
	(void)context;
	free(output);
	output = NULL;
	return nftw(folder, entry_remove, 8, FTW_DEPTH | FTW_PHYS);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, folder_make, folder_clear)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(other_calls_reach_the_real_runtime_untouched),
		TEST(a_shielded_bundle_runs_the_hook_and_a_failing_hook_stops_it),
		TEST(a_bundle_without_annotations_runs_no_hook),
		TEST(without_its_hook_the_shim_starts_nothing_and_says_why),
		TEST(what_cannot_be_shielded_is_not_handed_on),
		TEST(whichever_call_of_the_shim_fails_no_container_is_made_without_the_hook),
	};

	if (access("/usr/bin/crun", X_OK) != 0) {
		fprintf(stderr, "SKIPPED, NOTHING TESTED: there is no /usr/bin/crun\n");
		return getenv("SHIELD_NO_SKIP") ? 1 : 77;
	}
	if (!own_netns_enter())
		return 77;
	cgroups_arrange();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
