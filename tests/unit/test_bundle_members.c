/* state/bundle.h: who shares the network namespace */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "state/bundle_parse.h"

static void lines_are_read_strictly(void **state)
{
	static const struct {
		const char *text;
		int count; /* -1: refused */
	} cases[] = {
		{"", 0},
		{"12 345 0123abc web\n", 1},
		{"12 345 0123abc web\n13 346 0123abd web.2\n", 2},
		{"12 345 0123abc web", 1},
		{"12 345 0123abc\n", -1},
		{"12 345 0123abc web more\n", -1},
		{"12 345 0123abc -web\n", -1},
		{"12 345 0123abc we/b\n", -1},
		{"12 345 01/23 web\n", -1},
		{"0 345 0123abc web\n", -1},
		{"-1 345 0123abc web\n", -1},
		{"99999999999 345 0123abc web\n", -1},
		{"x 345 0123abc web\n", -1},
		{"12 x 0123abc web\n", -1},
		{"web\033[2J\n", -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bundle_members members;
		struct error error = {0};
		char *text = strdup(cases[i].text);
		int rc = bundle_members_parse(text, &members, &error);

		if (cases[i].count < 0) {
			assert_int_equal(rc, -EINVAL);
			assert_non_null(strstr(error.text, "members:1: '"));
			assert_null(strchr(error.text, '\033'));
		} else {
			assert_int_equal(rc, 0);
			assert_int_equal(members.count, cases[i].count);
		}
		free(text);
	}
}

static void no_more_than_there_is_room_for_are_read(void **state)
{
	static char text[BUNDLE_MEMBERS_MAX * 32 + 64];
	struct bundle_members members;

	(void)state;
	for (unsigned i = 0; i <= BUNDLE_MEMBERS_MAX; i++)
		sprintf(text + strlen(text), "%u 1 a%u n%u\n", i + 1, i, i);
	assert_int_equal(bundle_members_parse(text, &members, NULL), -EINVAL);
}

static void one_of_an_id_replaces_the_other(void **state)
{
	struct bundle_members members = {0};
	struct bundle_member member = {.pid = 1, .id = "a", .name = "web"};
	struct error error = {0};

	(void)state;
	assert_int_equal(bundle_members_add(&members, &member, NULL), 0);
	member.pid = 2;
	assert_int_equal(bundle_members_add(&members, &member, NULL), 0);
	assert_int_equal(members.count, 1);
	assert_null(bundle_members_find(&members, 1));
	assert_string_equal(bundle_members_find(&members, 2)->id, "a");
	for (unsigned i = 1; i < BUNDLE_MEMBERS_MAX; i++) {
		snprintf(member.id, sizeof(member.id), "b%u", i);
		assert_int_equal(bundle_members_add(&members, &member, NULL), 0);
	}
	strcpy(member.id, "c");
	assert_int_equal(bundle_members_add(&members, &member, &error), -E2BIG);
	assert_true(bundle_members_remove(&members, "a"));
	assert_false(bundle_members_remove(&members, "a"));
	assert_int_equal(members.count, BUNDLE_MEMBERS_MAX - 1);
	assert_int_equal(bundle_members_add(&members, &member, NULL), 0);
}

static void only_those_that_live_are_read(void **state)
{
	struct bundle_member self = {.pid = getpid(), .id = "a", .name = "self"},
			     other = {.pid = getpid(), .start = 1, .id = "b", .name = "other"};
	struct bundle_members members = {0};
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_runtime runtime = {.container_id = "ab", .init_pid = getpid(), .init_start = 1}, found;
	char folder[] = "/tmp/test_bundle_members.XXXXXX", command[80];
	struct rlimit before, few;
	int rc;

	(void)state;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(bundle_create(&bundle, folder, NULL), 0);
	assert_int_equal(bundle_members_read(&bundle, &members, NULL), 0);
	assert_int_equal(members.count, 0);
	assert_int_equal(bundle_process_start(self.pid, &self.start), 0);
	assert_int_equal(bundle_members_add(&members, &other, NULL), 0); /* of a process that had the number before */
	assert_int_equal(bundle_members_add(&members, &self, NULL), 0);
	assert_int_equal(bundle_members_write(&bundle, &members, NULL), 0);
	assert_int_equal(bundle_members_read(&bundle, &members, NULL), 0);
	assert_int_equal(members.count, 1);
	assert_string_equal(members.list[0].name, "self");

	/* without descriptors it cannot be told who does, which is not the same as nobody */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = (struct rlimit){1, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	rc = bundle_members_read(&bundle, &members, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(rc, -EMFILE);

	/* and one of them stands for the container that has ended */
	assert_int_equal(bundle_runtime_write(&bundle, &runtime, NULL), 0);
	assert_int_equal(bundle_runtime_read(&bundle, &found, NULL), 0);
	assert_string_equal(found.container_id, "a");
	assert_int_equal(found.init_start, self.start);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read_strictly),
		cmocka_unit_test(no_more_than_there_is_room_for_are_read),
		cmocka_unit_test(one_of_an_id_replaces_the_other),
		cmocka_unit_test(only_those_that_live_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
