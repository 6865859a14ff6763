/* state/control_stream.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "state/control.h"
#include "state/control_stream.h"

static char base[] = "/tmp/shield-test-stream.XXXXXX";
static struct bundle bundle = BUNDLE_INIT;
static int listener = -1;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status, (void)type, (void)where;
	return remove(path);
}

static int setup(void **state)
{
	char path[PATH_MAX];
	(void)state;

	strcpy(base + sizeof(base) - 7, "XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(path, sizeof(path), "%s/web", base);
	if (bundle_create(&bundle, path, NULL))
		return -1;
	listener = control_listen(&bundle, NULL);
	return listener < 0;
}

static int teardown(void **state)
{
	(void)state;
	if (listener >= 0)
		close(take_fd(listener));
	bundle_close(&bundle);
	return nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Opens a stream, and takes it as the forwarder would; its end of it is the result. */
static int opened(struct control_stream *stream)
{
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
	struct error error = {0};
	char request[16] = "";
	int connection;

	if (control_stream_open(&bundle, "events", 5000, stream, &error))
		fail_msg("%s", error.text);
	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	connection = accept(listener, NULL, NULL);
	assert_true(connection >= 0);
	assert_int_equal(read(connection, request, sizeof(request) - 1), 7);
	assert_string_equal(request, "events\n");
	return connection;
}

static void say(int connection, const char *words)
{
	assert_int_equal(write(connection, words, strlen(words)), strlen(words));
}

static void lines_come_one_at_a_time_however_they_were_cut(void **state)
{
	cleanup_control_stream struct control_stream stream;
	cleanup_fd int connection = opened(&stream);
	const char *line = NULL;
	struct error error = {0};
	(void)state;

	assert_int_equal(control_stream_line(&stream, 0, &line, &error), 0);
	say(connection, "{\"a\":");
	assert_int_equal(control_stream_line(&stream, 0, &line, &error), 0);
	say(connection, "1}\n\n{\"b\":2}\n{\"c\"");
	assert_int_equal(control_stream_line(&stream, 0, &line, &error), 1);
	assert_string_equal(line, "{\"a\":1}");
	assert_int_equal(control_stream_line(&stream, 0, &line, &error), 1);
	assert_string_equal(line, "");
	assert_int_equal(control_stream_line(&stream, 0, &line, &error), 1);
	assert_string_equal(line, "{\"b\":2}");
	assert_int_equal(control_stream_line(&stream, 0, &line, &error), 0);
	say(connection, ":3}\n");
	assert_int_equal(control_stream_line(&stream, 5000, &line, &error), 1);
	assert_string_equal(line, "{\"c\":3}");
	assert_int_equal(error.code, 0);
}

static void waiting_costs_the_timeout_and_no_more(void **state)
{
	cleanup_control_stream struct control_stream stream;
	cleanup_fd int connection = opened(&stream);
	int64_t before_ms = clock_now_ms();
	const char *line;
	(void)state;

	assert_int_equal(control_stream_line(&stream, 60, &line, NULL), 0);
	assert_true(clock_now_ms() - before_ms >= 60);
	assert_true(connection >= 0);
}

/* More than the buffer holds, from a writer that does not wait for us; the lines' lengths fall on every boundary. */
static void a_flood_arrives_whole_and_in_order(void **state)
{
	enum { COUNT = 20000 };
	cleanup_control_stream struct control_stream stream;
	int connection = opened(&stream);
	struct error error = {0};
	const char *line;
	pid_t child = fork();
	(void)state;

	assert_true(child >= 0);
	if (child == 0) {
		char filler[1024];

		memset(filler, 'x', sizeof(filler));
		alarm(60);
		for (int i = 0; i < COUNT; i++)
			dprintf(connection, "%d %.*s\n", i, i % 1021, filler);
		_exit(0);
	}
	close(connection);
	for (int i = 0; i < COUNT; i++) {
		char *end;
		int result = control_stream_line(&stream, 30000, &line, &error);

		if (result != 1)
			fail_msg("line %d: %d %s", i, result, error.text);
		assert_int_equal(strtol(line, &end, 10), i);
		assert_int_equal(strlen(end), i % 1021 + 1);
	}
	assert_int_equal(control_stream_line(&stream, 30000, &line, &error), -EPIPE);
	waitpid(child, NULL, 0);
}

static void the_end_is_told_after_the_last_line_and_what_was_begun_is_dropped(void **state)
{
	cleanup_control_stream struct control_stream stream;
	int connection = opened(&stream);
	struct error error = {0};
	const char *line;
	(void)state;

	say(connection, "{}\n{\"half");
	close(connection);
	assert_int_equal(control_stream_line(&stream, 0, &line, &error), 1);
	assert_string_equal(line, "{}");
	assert_int_equal(control_stream_line(&stream, 0, &line, &error), -EPIPE);
	assert_int_equal(error.code, EPIPE);
}

static void a_forwarder_that_refuses_is_quoted(void **state)
{
	cleanup_control_stream struct control_stream stream;
	cleanup_fd int connection = opened(&stream);
	struct error error = {0};
	const char *line;
	(void)state;

	say(connection, "error unknown request\n");
	assert_int_equal(control_stream_line(&stream, 1000, &line, &error), -EREMOTEIO);
	assert_string_equal(error.text, "unknown request");
}

static void what_is_not_text_ends_the_stream(void **state)
{
	static const struct {
		const char *words;
		size_t length;
	} cases[] = {{"\033[2J\n", 5}, {"a\0b\n", 4}, {"\xc3\xa9\n", 3}, {"a\tb\n", 4}, {"a\x7f\n", 3}, {"{}\r\n", 4}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_control_stream struct control_stream stream;
		cleanup_fd int connection = opened(&stream);
		struct error error = {0};
		const char *line;

		assert_int_equal(file_write_all(connection, cases[i].words, cases[i].length), 0);
		assert_int_equal(control_stream_line(&stream, 1000, &line, &error), -EPROTO);
		assert_int_equal(error.code, EPROTO);
	}
}

static void the_longest_line_is_read_and_a_longer_one_is_not(void **state)
{
	char words[CONTROL_STREAM_LINE_MAX + 2];
	struct error error = {0};
	const char *line;
	(void)state;

	memset(words, 'a', sizeof(words));
	for (size_t over = 0; over < 2; over++) {
		cleanup_control_stream struct control_stream stream;
		cleanup_fd int connection = opened(&stream);
		int result;

		words[CONTROL_STREAM_LINE_MAX - 1 + over] = '\n';
		assert_int_equal(file_write_all(connection, words, CONTROL_STREAM_LINE_MAX + over), 0);
		words[CONTROL_STREAM_LINE_MAX - 1 + over] = 'a';
		result = control_stream_line(&stream, 1000, &line, &error);
		assert_int_equal(result, over ? -EPROTO : 1);
		assert_true(over || strlen(line) == CONTROL_STREAM_LINE_MAX - 1);
	}
}

static void a_line_without_end_is_bounded(void **state)
{
	char words[CONTROL_STREAM_LINE_MAX];
	cleanup_control_stream struct control_stream stream;
	cleanup_fd int connection = opened(&stream);
	struct error error = {0};
	const char *line;
	(void)state;

	memset(words, 'a', sizeof(words));
	assert_int_equal(file_write_all(connection, words, sizeof(words)), 0);
	assert_int_equal(control_stream_line(&stream, 1000, &line, &error), -EPROTO);
}

static void without_a_forwarder_the_error_says_so(void **state)
{
	struct control_stream stream;
	(void)state;

	assert_int_equal(control_stream_open(&bundle, "a\nb", 50, &stream, NULL), -EINVAL);
	control_stream_close(&stream);
	close(take_fd(listener));
	assert_int_equal(control_stream_open(&bundle, "events", 50, &stream, NULL), -ECONNREFUSED);
	control_stream_close(&stream);
	assert_int_equal(bundle_remove(&bundle, BUNDLE_CONTROL_SOCKET, NULL), 0);
	assert_int_equal(control_stream_open(&bundle, "events", 50, &stream, NULL), -ENOENT);
	control_stream_close(&stream);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(lines_come_one_at_a_time_however_they_were_cut),
		in_folder(waiting_costs_the_timeout_and_no_more),
		in_folder(a_flood_arrives_whole_and_in_order),
		in_folder(the_end_is_told_after_the_last_line_and_what_was_begun_is_dropped),
		in_folder(a_forwarder_that_refuses_is_quoted),
		in_folder(what_is_not_text_ends_the_stream),
		in_folder(the_longest_line_is_read_and_a_longer_one_is_not),
		in_folder(a_line_without_end_is_bounded),
		in_folder(without_a_forwarder_the_error_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
