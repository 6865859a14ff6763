/* state/control.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "state/control.h"

static char base[] = "/tmp/shield-test-control.XXXXXX";
static struct bundle bundle = BUNDLE_INIT;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status, (void)type, (void)where;
	return remove(path);
}

/* The path is longer than a socket's address can hold. */
static int setup(void **state)
{
	char path[400];
	(void)state;

	strcpy(base + sizeof(base) - 7, "XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(path, sizeof(path), "%s/%0200d/web", base, 1);
	return bundle_create(&bundle, path, NULL);
}

static int teardown(void **state)
{
	(void)state;
	bundle_close(&bundle);
	return nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* A forwarder that takes one request and says `answer`, of any octets; NULL: says nothing and holds the connection. */
static pid_t serve(const char *expected, const char *answer, size_t length)
{
	int listener = control_listen(&bundle, NULL);
	pid_t child;

	assert_true(listener >= 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
		char request[CONTROL_LINE_MAX + 1] = {0};
		int connection;

		alarm(20);
		poll(&poll_fd, 1, -1);
		connection = accept(listener, NULL, NULL);
		for (size_t at = 0; at < sizeof(request) - 1 && !strchr(request, '\n');)
			at += (size_t)read(connection, request + at, sizeof(request) - 1 - at);
		if (strcmp(request, expected) != 0)
			_exit(1);
		if (!answer)
			pause();
		while (length > 0) { /* in pieces */
			size_t piece = length > 1000 ? 1000 : length > 3 ? 3 : length;

			if (write(connection, answer, piece) != (ssize_t)piece)
				break;
			answer += piece;
			length -= piece;
		}
		_exit(0);
	}
	close(listener);
	return child;
}

static void finish(pid_t child)
{
	int status;

	kill(child, SIGTERM);
	waitpid(child, &status, 0);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) != 0);
}

static void an_answer_is_its_lines_without_the_ok(void **state)
{
	static const char answer[] = "address 192.0.2.1\naddress 2001:db8::1\nok\n";
	cleanup_text struct text text = {0};
	struct error error = {0};
	pid_t child = serve("resolve a.example\n", answer, sizeof(answer) - 1);
	(void)state;

	if (control_request(&bundle, "resolve a.example", 5000, &text, &error))
		fail_msg("%s", error.text);
	assert_string_equal(text.data, "address 192.0.2.1\naddress 2001:db8::1\n");
	finish(child);
	child = serve("ping\n", "ok\n", 3);
	assert_int_equal(control_request(&bundle, "ping", 5000, NULL, &error), 0);
	finish(child);
}

static void an_error_of_the_forwarder_comes_with_its_text(void **state)
{
	cleanup_text struct text text = {0};
	struct error error = {0};
	pid_t child = serve("reload\n", "error cannot read live.domains\n", 31);
	(void)state;

	assert_int_equal(control_request(&bundle, "reload", 5000, &text, &error), -EREMOTEIO);
	assert_string_equal(error.text, "cannot read live.domains");
	assert_null(text.data);
	finish(child);
}

static void an_answer_that_is_not_complete_or_not_text_is_refused(void **state)
{
	static const struct {
		const char *answer;
		size_t length;
	} cases[] = {{"", 0}, {"ok", 2}, {"address 192.0.2.1\n", 18}, {"ok\nx\n", 5}, {"\x1b[31m\nok\n", 9}, {"a\0b\nok\n", 7},
		{"\xff\nok\n", 5}, {"okay\n", 5}, {"error\n", 6}, {"\n", 1}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_text struct text text = {0};
		struct error error = {0};
		pid_t child = serve("ping\n", cases[i].answer, cases[i].length);

		assert_int_equal(control_request(&bundle, "ping", 5000, &text, &error), -EPROTO);
		assert_int_equal(error.code, EPROTO);
		assert_null(text.data);
		finish(child);
	}
}

static void an_answer_without_end_is_bounded(void **state)
{
	size_t length = CONTROL_ANSWER_MAX + 1000;
	cleanup_free char *answer = malloc(length);
	cleanup_text struct text text = {0};
	struct error error = {0};
	pid_t child;
	(void)state;

	memset(answer, 'a', length);
	child = serve("stats\n", answer, length);
	assert_int_equal(control_request(&bundle, "stats", 60000, &text, &error), -EPROTO);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void a_forwarder_that_does_not_answer_costs_the_timeout_and_no_more(void **state)
{
	struct error error = {0};
	pid_t child = serve("ping\n", NULL, 0);
	(void)state;

	assert_int_equal(control_request(&bundle, "ping", 50, NULL, &error), -ETIMEDOUT);
	assert_non_null(strstr(error.text, "50 ms"));
	finish(child);
}

static void without_a_forwarder_the_error_says_so(void **state)
{
	int listener;
	(void)state;

	assert_int_equal(control_request(&bundle, "ping", 50, NULL, NULL), -ENOENT);
	listener = control_listen(&bundle, NULL);
	assert_true(listener >= 0);
	close(listener);
	assert_int_equal(control_request(&bundle, "ping", 50, NULL, NULL), -ECONNREFUSED);
}

static void only_a_single_line_of_bounded_length_is_sent(void **state)
{
	char longest[CONTROL_LINE_MAX + 1];
	(void)state;

	assert_int_equal(control_request(&bundle, "", 50, NULL, NULL), -EINVAL);
	assert_int_equal(control_request(&bundle, "resolve a\nreload", 50, NULL, NULL), -EINVAL);
	assert_int_equal(control_request(&bundle, "resolve \x1b", 50, NULL, NULL), -EINVAL);
	memset(longest, 'a', CONTROL_LINE_MAX);
	longest[CONTROL_LINE_MAX] = '\0';
	assert_int_equal(control_request(&bundle, longest, 50, NULL, NULL), -EINVAL);
	assert_int_equal(control_request(&bundle, longest + 1, 50, NULL, NULL), -ENOENT);
}

static void what_lies_in_the_sockets_place_is_not_followed(void **state)
{
	int listener;
	struct stat status;
	(void)state;

	assert_int_equal(symlinkat("elsewhere", bundle.fd, BUNDLE_CONTROL_SOCKET), 0);
	assert_int_equal(control_request(&bundle, "ping", 50, NULL, NULL), -EPERM);
	listener = control_listen(&bundle, NULL);
	assert_true(listener >= 0);
	assert_int_equal(fstatat(bundle.fd, BUNDLE_CONTROL_SOCKET, &status, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_true(fcntl(listener, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(listener, F_GETFD) & FD_CLOEXEC);
	close(listener);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(an_answer_is_its_lines_without_the_ok),
		in_folder(an_error_of_the_forwarder_comes_with_its_text),
		in_folder(an_answer_that_is_not_complete_or_not_text_is_refused),
		in_folder(an_answer_without_end_is_bounded),
		in_folder(a_forwarder_that_does_not_answer_costs_the_timeout_and_no_more),
		in_folder(without_a_forwarder_the_error_says_so),
		in_folder(only_a_single_line_of_bounded_length_is_sent),
		in_folder(what_lies_in_the_sockets_place_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
