/* base/error.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void a_failure_is_recorded_and_returned_as_a_negative_errno(void **state)
{
	struct error error = {0};

	(void)state;
	assert_int_equal(error_set(&error, ENOENT, "reading '%s'", "x"), -ENOENT);
	assert_int_equal(error.code, ENOENT);
	assert_string_equal(error.text, "reading 'x'");
	assert_int_equal(error_errno(&error, EACCES, "opening %d", 7), -EACCES);
	assert_int_equal(error.code, EACCES);
	assert_string_equal(error.text, "opening 7: Permission denied");
}

static void context_goes_in_front_and_the_code_stays(void **state)
{
	struct error error = {0};

	(void)state;
	error_set(&error, EPERM, "refused");
	assert_int_equal(error_prefix(&error, "profile %s", "a"), -EPERM);
	assert_int_equal(error_prefix(&error, "loading"), -EPERM);
	assert_string_equal(error.text, "loading: profile a: refused");
}

static void context_without_a_recorded_failure_is_an_invalid_argument(void **state)
{
	struct error error = {0};

	(void)state;
	assert_int_equal(error_prefix(&error, "loading"), -EINVAL);
	assert_int_equal(error.code, EINVAL);
	assert_string_equal(error.text, "loading");
}

static void a_record_may_be_left_out(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, EIO, "x"), -EIO);
	assert_int_equal(error_errno(NULL, EIO, "x"), -EIO);
	assert_int_equal(error_prefix(NULL, "x"), -EINVAL);
}

static void a_text_that_does_not_fit_ends_in_dots(void **state)
{
	struct error error = {0};
	char word[2000];

	(void)state;
	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	error_set(&error, EINVAL, "%s", word);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_string_equal(error.text + sizeof(error.text) - 5, "a...");
	error_errno(&error, EINVAL, "%s", word);
	assert_string_equal(error.text + sizeof(error.text) - 4, "...");
	error_prefix(&error, "context");
	assert_memory_equal(error.text, "context: aaa", 12);
	assert_string_equal(error.text + sizeof(error.text) - 4, "...");
}

static void the_old_text_may_be_an_argument_of_the_new(void **state)
{
	struct error error = {0};

	(void)state;
	error_set(&error, EINVAL, "inner");
	error_set(&error, EIO, "outer (%s)", error.text);
	assert_string_equal(error.text, "outer (inner)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_recorded_and_returned_as_a_negative_errno),
		cmocka_unit_test(context_goes_in_front_and_the_code_stays),
		cmocka_unit_test(context_without_a_recorded_failure_is_an_invalid_argument),
		cmocka_unit_test(a_record_may_be_left_out),
		cmocka_unit_test(a_text_that_does_not_fit_ends_in_dots),
		cmocka_unit_test(the_old_text_may_be_an_argument_of_the_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
