/* hook/runtime_verify.h: who is asked to verify does, and cannot be led around it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "hook/runtime_verify.h"

static int verify(int argc, char *const argv[], struct error *error)
{
	struct runtime_call call;

	assert_int_equal(runtime_call_parse(&call, argc, argv, NULL), 0);
	return runtime_verify(&call, "/bin/false", argc, argv, error); /* a runtime that knows no container */
}

static void a_start_that_cannot_be_verified_fails(void **unused)
{
	struct error error = {0};

	(void)unused;
	assert_int_equal(verify(3, (char *[]){"crun", "start", "id", NULL}, &error), -EIO);
	assert_non_null(strstr(error.text, "does not say"));
}

static void a_run_is_refused_and_the_rest_passes(void **unused)
{
	struct error error = {0};

	(void)unused;
	assert_int_equal(verify(3, (char *[]){"crun", "run", "id", NULL}, &error), -ENOTSUP);
	assert_int_equal(verify(3, (char *[]){"crun", "create", "id", NULL}, NULL), 0);
	assert_int_equal(verify(3, (char *[]){"crun", "delete", "id", NULL}, NULL), 0);
	assert_int_equal(verify(2, (char *[]){"crun", "--version", NULL}, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_that_cannot_be_verified_fails),
		cmocka_unit_test(a_run_is_refused_and_the_rest_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
