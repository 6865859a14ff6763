/* state/hub.h: a hub that is there, is not, comes, goes, is slow, or is somebody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "state/hub.h"

#define LINE "{\"type\":\"shield_up\"}\n"

static char path[] = "/tmp/shield-test-hub.XXXXXX/hub";

static int hub_listen(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int setup(void **state)
{
	(void)state;
	clock_fake(100000, 0);
	strcpy(path, "/tmp/shield-test-hub.XXXXXX");
	if (!mkdtemp(path))
		return -1;
	strcat(path, "/hub");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	clock_fake(-1, -1);
	unlink(path);
	*strrchr(path, '/') = '\0';
	return rmdir(path);
}

static int line_send(struct hub *hub)
{
	return hub_send(hub, LINE, strlen(LINE));
}

/* The next connection has this many lines in it. */
static int expect_lines(int listener_fd, unsigned lines)
{
	int fd = accept(listener_fd, NULL, NULL);
	char buffer[1024];

	assert_true(fd >= 0);
	assert_int_equal(recv(fd, buffer, sizeof(buffer), 0), lines * strlen(LINE));
	assert_memory_equal(buffer, LINE, strlen(LINE));
	return fd;
}

static void one_connection_has_all_lines(void **state)
{
	struct hub hub = {.path = path, .fd = -1};
	cleanup_fd int listener_fd = hub_listen();
	cleanup_fd int fd = -1;

	(void)state;
	assert_int_equal(line_send(&hub), 0);
	assert_int_equal(line_send(&hub), 0);
	fd = expect_lines(listener_fd, 2);
	assert_int_equal(accept(listener_fd, NULL, NULL), -1);
	hub_close(&hub);
}

static void a_hub_that_is_not_there_is_tried_once_in_a_while(void **state)
{
	struct hub hub = {.path = path, .fd = -1};
	cleanup_fd int listener_fd = -1;
	cleanup_fd int fd = -1;

	(void)state;
	assert_int_equal(line_send(&hub), -ENOENT);
	listener_fd = hub_listen();
	assert_int_equal(line_send(&hub), -ENOTCONN);
	clock_fake(100000 + HUB_RETRY_MS - 1, 0);
	assert_int_equal(line_send(&hub), -ENOTCONN);
	clock_fake(100000 + HUB_RETRY_MS, 0);
	assert_int_equal(line_send(&hub), 0);
	fd = expect_lines(listener_fd, 1);
	hub_close(&hub);
}

static void the_next_hub_gets_the_line_that_the_last_one_did_not(void **state)
{
	struct hub hub = {.path = path, .fd = -1};
	cleanup_fd int first_fd = hub_listen();
	cleanup_fd int second_fd = -1;
	cleanup_fd int fd = -1;

	(void)state;
	assert_int_equal(line_send(&hub), 0);
	close(expect_lines(first_fd, 1));
	second_fd = hub_listen();
	assert_int_equal(line_send(&hub), 0);
	fd = expect_lines(second_fd, 1);
	hub_close(&hub);
}

static void a_hub_that_does_not_read_loses_lines_and_nobody_waits(void **state)
{
	struct hub hub = {.path = path, .fd = -1};
	int listener_fd = hub_listen();
	unsigned sent = 0;
	int result;

	(void)state;
	while ((result = line_send(&hub)) == 0 && sent < 1000000)
		sent++;
	assert_true(sent > 10 && sent < 1000000);
	assert_true(result == -EAGAIN || result == -EPIPE);
	hub_close(&hub);
	close(listener_fd);
}

static void without_a_path_nothing_is_tried(void **state)
{
	struct hub none = {.path = "", .fd = -1}, long_one = {.path = "/0123456789012345678901234567890123456789012345678901234567890123456789"
							"012345678901234567890123456789012345678901234567890",
					    .fd = -1};

	(void)state;
	assert_int_equal(line_send(&none), -ENOENT);
	assert_int_equal(line_send(&long_one), -ENOENT);
	assert_int_equal(none.tried_ms, 0);
}

static void a_socket_of_somebody_else_is_not_told(void **state)
{
	struct hub hub = {.path = path, .fd = -1};
	pid_t child;
	int ready[2], status;
	char octet;

	(void)state;
	if (geteuid() != 0)
		return; /* only root can be two */
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(chmod(path, 0777), 0);
	path[strlen(path)] = '/';
	child = fork();
	if (child == 0) {
		if (setuid(65534))
			_exit(1);
		hub_listen();
		(void)!write(ready[1], "x", 1);
		pause();
	}
	assert_int_equal(read(ready[0], &octet, 1), 1);
	assert_int_equal(line_send(&hub), -EPERM);
	assert_int_equal(hub.fd, -1);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_connection_has_all_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hub_that_is_not_there_is_tried_once_in_a_while, setup, teardown),
		cmocka_unit_test_setup_teardown(the_next_hub_gets_the_line_that_the_last_one_did_not, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hub_that_does_not_read_loses_lines_and_nobody_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(without_a_path_nothing_is_tried, setup, teardown),
		cmocka_unit_test_setup_teardown(a_socket_of_somebody_else_is_not_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
