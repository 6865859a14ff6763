/* base/proc_stat.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc_stat.h"

#define LINE(name) "12 (" name ") R 7 12 12 0 -1 4194304 101 102 103 104 20 30 5 6 20 0 1 0 4711 8192 0 18446744073709551615\n"

static void fields_are_found_behind_any_name(void **state)
{
	static const char *const lines[] = {
		LINE("cat"), LINE(""), LINE("a b"), LINE(") S 1 (x"), LINE("1 2 3 4 5 6 7 8 9 10 11 12 13 14"), LINE("\n")};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		uint64_t parent, user, system, start;

		assert_int_equal(*proc_stat_field(lines[i], PROC_STAT_STATE), 'R');
		assert_true(proc_stat_number(lines[i], PROC_STAT_PARENT, &parent));
		assert_true(proc_stat_number(lines[i], PROC_STAT_UTIME, &user));
		assert_true(proc_stat_number(lines[i], PROC_STAT_STIME, &system));
		assert_true(proc_stat_number(lines[i], PROC_STAT_START, &start));
		assert_int_equal(parent, 7);
		assert_int_equal(user, 20);
		assert_int_equal(system, 30);
		assert_int_equal(start, 4711);
	}
}

static void what_is_no_number_or_is_not_there_is_not_taken_for_one(void **state)
{
	static const char *const lines[] = {
		"", "12", "12 (cat)", "12 (cat) R", "12 (cat) R ", "12 (cat) R -1 5", "12 (cat) R x 5", "12 (cat) R 7x 5", "12 (cat) R  7"};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_false(proc_stat_number(lines[i], PROC_STAT_PARENT, &value));
	assert_false(proc_stat_number(LINE("cat"), 8, &value)); /* -1 */
	assert_true(proc_stat_number(LINE("cat"), 25, &value));
	assert_int_equal(value, UINT64_MAX);
	assert_false(proc_stat_number(LINE("cat"), 26, &value));
	assert_null(proc_stat_field("12 cat R 7", PROC_STAT_STATE));
}

/* The kernel's own line. */
static void the_kernel_writes_it_so(void **state)
{
	cleanup_free char *line = NULL;
	uint64_t parent, start;

	(void)state;
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/stat", 4096, &line, NULL), 0);
	assert_int_equal(*proc_stat_field(line, PROC_STAT_STATE), 'R');
	assert_true(proc_stat_number(line, PROC_STAT_PARENT, &parent));
	assert_int_equal(parent, getppid());
	assert_true(proc_stat_number(line, PROC_STAT_START, &start));
	assert_true(start > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_found_behind_any_name),
		cmocka_unit_test(what_is_no_number_or_is_not_there_is_not_taken_for_one),
		cmocka_unit_test(the_kernel_writes_it_so),
	};

	return cmocka_run_group_tests_name("proc_stat", tests, NULL, NULL);
}
