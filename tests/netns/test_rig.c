/* support/rig.h: what a test that was killed has left is removed by a later one, and what a running one has is not. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/rig.h"

struct other {
	pid_t pid;
	char folder[RIG_FOLDER_MAX];
};

static void file_make(const char *folder, const char *name)
{
	char path[RIG_FOLDER_MAX + 32];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
}

/* Another test, with a folder that was made long ago. */
static void other_start(struct other *other)
{
	static const struct timespec long_ago[2] = {{1000, 0}, {1000, 0}};
	int ready[2];

	assert_int_equal(pipe(ready), 0);
	other->pid = fork();
	if (!other->pid) {
		rig_folder_make(other->folder);
		file_make(other->folder, "file");
		if (utimensat(AT_FDCWD, other->folder, long_ago, 0) || write(ready[1], other->folder, RIG_FOLDER_MAX) != RIG_FOLDER_MAX)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], other->folder, RIG_FOLDER_MAX), RIG_FOLDER_MAX);
	close(ready[0]);
	close(ready[1]);
}

static void other_kill(const struct other *other)
{
	kill(other->pid, SIGKILL);
	assert_int_equal(waitpid(other->pid, NULL, 0), other->pid);
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static void a_folder_outlives_its_test_only_until_the_next_one(void **unused)
{
	struct other killed, running;
	char folder[RIG_FOLDER_MAX], young[RIG_FOLDER_MAX] = "/run/shield-test.XXXXXX";

	(void)unused;
	other_start(&killed);
	other_start(&running);
	other_kill(&killed);
	assert_non_null(mkdtemp(young)); /* as one that is not locked yet */
	assert_true(is_there(killed.folder));
	rig_folder_make(folder);
	assert_false(is_there(killed.folder));
	assert_true(is_there(running.folder));
	assert_true(is_there(young));
	rig_folder_remove(young);
	file_make(folder, "file");
	rig_folder_remove(folder);
	assert_false(is_there(folder));
	other_kill(&running);
	rig_folder_remove(running.folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_outlives_its_test_only_until_the_next_one),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
