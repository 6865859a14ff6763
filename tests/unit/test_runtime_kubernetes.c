/* The runtime of a RuntimeClass: which exec is taken, and what is refused before anything is read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hook/runtime_kubernetes.h"

#define ARGUMENTS_MAX 16

static char *argv[ARGUMENTS_MAX + 1];
static struct error error;

/* Splits at blanks. */
static int words(const char *line)
{
	static char copy[512];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word && argc < ARGUMENTS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	error = (struct error){0};
	return argc;
}

static void exec_names_its_process_by_a_file(void **unused)
{
	static const struct {
		const char *line, *path;
	} cases[] = {
		{"exec --process /t/p --console-socket /s --detach --pid-file /b/1.pid id", "/t/p"}, /* containerd */
		{"exec --pid-file /p --process /t/p --detach id", "/t/p"},                           /* conmon */
		{"exec --process /t/p id", "/t/p"},                                                  /* CRI-O */
		{"exec --process=/t/p id", "/t/p"},
		{"exec -p /t/p id", "/t/p"},
		{"exec -t -u 1:1 --env A=B id sh --process /x --cap CAP_NET_ADMIN", NULL}, /* a person; the rest is the command's */
		{"exec id sh", NULL},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *path = "";
		int argc = words(cases[i].line);

		if (runtime_kubernetes_exec_file(argc, argv, 0, &path, &error))
			fail_msg("%s: %s", cases[i].line, error.text);
		if (cases[i].path)
			assert_string_equal(path, cases[i].path);
		else
			assert_null(path);
	}
}

static void an_exec_that_might_give_more_is_refused(void **unused)
{
	static const char *const lines[] = {
		"exec --cap CAP_NET_ADMIN id sh",
		"exec --cap=CAP_NET_ADMIN id sh",
		"exec -c CAP_NET_ADMIN id sh",
		"exec --process /a --process /b id",
		"exec -p /a --process=/b id",
		"exec -p/a id",
		"exec -dt id sh",
		"exec --proc /a id",
		"exec --detach=false id sh",
		"exec --process",
		"exec -- id sh",
		"exec --privileged id sh",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		const char *path;
		int argc = words(lines[i]);

		if (runtime_kubernetes_exec_file(argc, argv, 0, &path, &error) != -EINVAL)
			fail_msg("%s", lines[i]);
	}
}

static int run(const char *line)
{
	struct runtime_call call;
	int argc = words(line);

	assert_int_equal(runtime_call_parse(&call, argc, argv, NULL), 0);
	return runtime_kubernetes(&call, argc, argv, &error);
}

static void what_is_neither_create_nor_exec_passes_but_restore(void **unused)
{
	(void)unused;
	assert_int_equal(run("crun --version"), 0);
	assert_int_equal(run("crun --root /r features"), 0);
	assert_int_equal(run("crun --root /r start id"), 0);
	assert_int_equal(run("crun --root /r delete --force id"), 0);
	assert_int_equal(run("crun --root /r update --resources=- id"), 0);
	assert_int_equal(run("crun --root /r restore --bundle /b id"), -ENOTSUP);
	assert_int_equal(run("crun --root /r create --bundle /nonexistent/b id"), -ENOENT);
	assert_int_equal(run("crun --root /r exec --process /nonexistent/p id"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exec_names_its_process_by_a_file),
		cmocka_unit_test(an_exec_that_might_give_more_is_refused),
		cmocka_unit_test(what_is_neither_create_nor_exec_passes_but_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
