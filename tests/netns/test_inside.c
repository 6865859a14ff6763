/* cli/inside.h: a child that stays in the container's network namespace and works there again and again */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/inside.h"
#include "cli/learned.h"
#include "fw/netns.h"
#include "policy/rule.h"
#include "support/rig.h"

static struct rig rig;
static struct bundle_runtime runtime;

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	(void)context, (void)tcp;
	return rig_reply(out, query, length, 3);
}

static int group_setup(void **state)
{
	(void)state;
	rig_start(&rig, "allowed.test\n", "", upstream, NULL);
	runtime.init_pid = rig.init;
	return bundle_process_start(rig.init, &runtime.init_start);
}

static int group_teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static unsigned long namespace_of(const char *path)
{
	struct stat status;

	return stat(path, &status) ? 0 : status.st_ino;
}

struct visit {
	unsigned count;
	int fd; /* of the caller */
};

static int visit_work(void *context, struct text *output, struct error *error)
{
	struct visit *visit = context;

	if (++visit->count == 3)
		return error_set(error, EBADF, "the third does not work");
	text_addf(output, "%u %d %lu %d", visit->count, getpid(), namespace_of("/proc/self/ns/net"), fcntl(visit->fd, F_GETFD));
	return 0;
}

static void one_child_does_all_of_it_and_keeps_what_it_made(void **state)
{
	struct visit visit = {.fd = open("/dev/null", O_RDONLY)};
	struct inside inside;
	struct error error = {0};
	char expected[128], path[64];
	(void)state;

	assert_int_equal(inside_open(&inside, &runtime, visit_work, &visit, &error), 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", rig.init);
	for (unsigned i = 1; i <= 4; i++) {
		cleanup_text struct text output = {0};
		int rc = inside_ask(&inside, &output, &error);

		if (i == 3) {
			assert_int_equal(rc, -EBADF);
			assert_string_equal(error.text, "the third does not work");
			continue;
		}
		assert_int_equal(rc, 0);
		snprintf(expected, sizeof(expected), "%u %d %lu -1", i, inside.child, namespace_of(path));
		assert_string_equal(output.data, expected); /* -1: what the caller has open is not open there */
	}
	inside_close(&inside);
	assert_int_equal(visit.count, 0);
	assert_int_equal(inside.child, 0);
	close(visit.fd);
}

static int large_work(void *context, struct text *output, struct error *error)
{
	(void)error;
	for (unsigned i = 0; i < 300000; i++)
		text_addf(output, "%u\n", i);
	return *(bool *)context ? -EPROTO : 0;
}

static void a_large_answer_comes_whole(void **state)
{
	cleanup_text struct text output = {0};
	bool fails = false;
	struct inside inside;
	struct error error = {0};
	(void)state;

	assert_int_equal(inside_open(&inside, &runtime, large_work, &fails, &error), 0);
	for (int i = 0; i < 3; i++) {
		text_free(&output);
		assert_int_equal(inside_ask(&inside, &output, &error), 0);
		assert_string_equal(output.data + output.length - 7, "299999\n");
	}
	inside_close(&inside);
}

static void a_child_that_has_died_is_an_error_and_not_a_wait(void **state)
{
	struct visit visit = {0};
	struct inside inside;
	struct error error = {0};
	(void)state;

	assert_int_equal(inside_open(&inside, &runtime, visit_work, &visit, &error), 0);
	assert_int_equal(inside_ask(&inside, NULL, &error), 0);
	assert_int_equal(kill(inside.child, SIGKILL), 0);
	assert_int_equal(inside_ask(&inside, NULL, &error), -EPROTO);
	inside_close(&inside);
}

static int learned_work(void *context, struct text *output, struct error *error)
{
	return learned_pack_kept(context, output, error);
}

static int learn(void *context, struct error *error)
{
	struct setwriter_key key = {.addr = addr_v4((uint8_t[]){198, 51, 100, 7})};
	struct setwriter *writer;
	int result = setwriter_open(&writer, error);

	(void)context;
	if (!result)
		result = setwriter_add(writer, &key, 60000, "allowed.test", true);
	if (!result)
		result = setwriter_commit(writer);
	setwriter_close(writer);
	return result;
}

static void the_sets_are_read_as_they_are_at_each_time(void **state)
{
	struct setwriter *reader = NULL;
	struct learned learned = {0};
	struct inside inside;
	struct error error = {0};
	(void)state;

	assert_int_equal(inside_open(&inside, &runtime, learned_work, &reader, &error), 0);
	for (size_t i = 0; i < 2; i++) {
		cleanup_text struct text packed = {0};

		if (i == 1)
			assert_int_equal(netns_run(rig.inside_fd, learn, NULL, NULL), 0);
		if (inside_ask(&inside, &packed, &error))
			fail_msg("%s", error.text);
		assert_int_equal(learned_unpack(&learned, packed.data ? packed.data : "", packed.length, &error), 0);
		assert_int_equal(learned.count, i);
		assert_true(i == 0 || strcmp(learned.list[0].comment, "allowed.test") == 0);
		learned_free(&learned);
	}
	inside_close(&inside);
}

static int idle_work(void *context, struct text *output, struct error *error)
{
	(void)context, (void)output, (void)error;
	return 0;
}

/* Last: it ends what stands for the container's init. */
static void the_end_of_the_container_is_told(void **state)
{
	struct inside inside, late;
	struct error error = {0};
	(void)state;

	assert_int_equal(inside_open(&inside, &runtime, idle_work, NULL, &error), 0);
	assert_int_equal(inside_ask(&inside, NULL, &error), 0);
	assert_int_equal(kill(rig.init, SIGKILL), 0);
	for (int i = 0, rc = 0; rc == 0 && i < 100; i++) {
		usleep(10000);
		rc = inside_ask(&inside, NULL, &error);
	}
	assert_int_equal(error.code, ESRCH);
	inside_close(&inside);
	waitpid(rig.init, NULL, 0);
	assert_int_equal(inside_open(&late, &runtime, idle_work, NULL, &error), -ESRCH);
	inside_close(&late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_child_does_all_of_it_and_keeps_what_it_made),
		cmocka_unit_test(a_large_answer_comes_whole),
		cmocka_unit_test(a_child_that_has_died_is_an_error_and_not_a_wait),
		cmocka_unit_test(the_sets_are_read_as_they_are_at_each_time),
		cmocka_unit_test(the_end_of_the_container_is_told),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
