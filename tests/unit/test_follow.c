/* cli/follow.h: a log as it grows */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/follow.h"

static char folder[64], path[160];

static int bundle_make(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_follow.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/web", folder);
	return 0;
}

static int bundle_remove_all(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static void append(const char *text)
{
	char file[200];
	int fd;

	snprintf(file, sizeof(file), "%s/" BUNDLE_AUDIT, path);
	fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_int_equal(file_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static void rotate(void)
{
	char from[200], to[200];

	snprintf(from, sizeof(from), "%s/" BUNDLE_AUDIT, path);
	snprintf(to, sizeof(to), "%s/" BUNDLE_AUDIT ".1", path);
	assert_int_equal(rename(from, to), 0);
}

static int line_note(void *context, const char *line)
{
	text_addf(context, "%.20s|", line);
	return 0;
}

static void expect(struct follow *follow, const char *wanted)
{
	cleanup_text struct text seen = {0};

	text_add(&seen, "");
	assert_int_equal(follow_read(follow, line_note, &seen), 0);
	assert_string_equal(seen.data, wanted);
}

static void only_new_and_whole_lines_come_and_none_is_lost_by_a_rotation(void **state)
{
	struct bundle bundle = BUNDLE_INIT;
	struct follow follow;

	(void)state;
	assert_int_equal(bundle_create(&bundle, path, NULL), 0);
	append("old\n");
	follow_open(&follow, "web", bundle);
	expect(&follow, "");
	append("one\ntwo\nthr");
	expect(&follow, "one|two|");
	append("ee\n");
	expect(&follow, "three|");
	append("last of the old\n");
	rotate();
	append("first of the new\n");
	expect(&follow, "last of the old|first of the new|");
	expect(&follow, "");
	for (int i = 0; i < 1000; i++) { /* longer than any line of the log, whether it comes at once or in pieces */
		append("xxxxxxxxxxxxxxxxxxxx");
		if (i % 100 == 0)
			expect(&follow, "");
	}
	append("\nafter\n");
	expect(&follow, "after|");
	follow_close(&follow);
}

static void a_log_that_appears_later_is_read_from_its_start(void **state)
{
	struct bundle bundle = BUNDLE_INIT;
	struct follow follow;

	(void)state;
	assert_int_equal(bundle_create(&bundle, path, NULL), 0);
	follow_open(&follow, "web", bundle);
	expect(&follow, "");
	append("one\n");
	expect(&follow, "one|");
	follow_close(&follow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_new_and_whole_lines_come_and_none_is_lost_by_a_rotation, bundle_make, bundle_remove_all),
		cmocka_unit_test_setup_teardown(a_log_that_appears_later_is_read_from_its_start, bundle_make, bundle_remove_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
