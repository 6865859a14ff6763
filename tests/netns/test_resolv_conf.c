/* The host's resolv.conf, followed by the real forwarder with its sandbox in force: which of two servers on port 53 is asked tells which file it has read. /etc is
 * a file system of the test's own, and resolv.conf in it a link to another folder, as systemd-resolved and resolvconf have it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "dns/message.h"
#include "support/rig.h"

#define SERVERS 2
#define ENTRY "/etc/resolv.conf"
#define LOOK_MS  4000 /* a look each second, and time to answer */
#define LOOKS_MS 1500 /* at least one look */

static struct rig rig;
static int servers[SERVERS]; /* 127.0.0.1 and 127.0.0.2 */
static char folder[RIG_FOLDER_MAX], target[RIG_FOLDER_MAX + 16], beside[RIG_FOLDER_MAX + 16];

static size_t upstream_is_silent(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	(void)context, (void)query, (void)length, (void)tcp, (void)out;
	return 0;
}

static void file_write(const char *path, unsigned server)
{
	cleanup_stream FILE *to = fopen(path, "we");

	assert_non_null(to);
	fprintf(to, "nameserver 127.0.0.%u\n", server + 1);
}

static int server_open(unsigned server)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK + server)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof(address)) ? fd : -1;
}

/* Asks new names until the server hears of one; at most that long. */
static bool is_asked(unsigned server, int64_t within_ms)
{
	static unsigned number;
	int64_t until_ms = clock_now_ms() + within_ms;
	uint8_t query[512], heard[512];

	while (clock_now_ms() < until_ms) {
		cleanup_fd int fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_DGRAM);
		char name[64];
		size_t length;

		snprintf(name, sizeof(name), "n%u.allowed.test", number++);
		length = rig_query(query, 1, name, TYPE_A, false);
		assert_int_equal(send(fd, query, length, 0), length);
		poll(&(struct pollfd){servers[server], POLLIN, 0}, 1, 20);
		for (ssize_t got; (got = recv(servers[server], heard, sizeof(heard), 0)) > 0;)
			if ((size_t)got >= length && !memcmp(heard + MESSAGE_HEADER, query + MESSAGE_HEADER, length - MESSAGE_HEADER))
				return true;
	}
	return false;
}

static int group_setup(void **state)
{
	(void)state;
	rig_start(&rig, "allowed.test\n", "", upstream_is_silent, NULL);
	rig.settings.upstream_count = 0;
	rig_folder_make(folder);
	snprintf(target, sizeof(target), "%s/stub.conf", folder);
	snprintf(beside, sizeof(beside), "%s/stub.new", folder);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("tmpfs", "/etc", "tmpfs", 0, NULL) || symlink(target, ENTRY)) {
		printf("/etc: %s\n", strerror(errno));
		return -1;
	}
	file_write(target, 0);
	for (unsigned i = 0; i < SERVERS; i++) {
		servers[i] = server_open(i);
		if (servers[i] < 0)
			return -1;
	}
	if (strcmp(rig_forwarder(&rig), "ready")) {
		printf("the forwarder did not get ready\n");
		return -1;
	}
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	rig_folder_remove(folder);
	return 0;
}

static void the_file_behind_the_link_is_read(void **state)
{
	(void)state;
	assert_true(is_asked(0, LOOK_MS));
	assert_false(is_asked(1, LOOKS_MS));
}

static void a_file_that_is_written_anew_is_read(void **state)
{
	(void)state;
	file_write(target, 1);
	assert_true(is_asked(1, LOOK_MS));
}

/* As long and as old as the one before. */
static void a_file_that_replaces_it_is_read(void **state)
{
	static const struct timespec old[] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		file_write(beside, i % 2);
		assert_int_equal(utimensat(AT_FDCWD, beside, old, 0), 0);
		assert_int_equal(rename(beside, target), 0);
		assert_true(is_asked(i % 2, LOOK_MS));
	}
}

static void a_file_that_comes_back_is_read(void **state)
{
	(void)state;
	assert_int_equal(unlink(target), 0);
	assert_false(is_asked(0, LOOKS_MS)); /* which is who would be asked where no server is named */
	assert_true(is_asked(1, LOOK_MS));   /* what was known holds */
	file_write(target, 0);
	assert_true(is_asked(0, LOOK_MS));
	file_write(target, 1);
	assert_true(is_asked(1, LOOK_MS));
}

static void a_file_in_place_of_the_link_is_read(void **state)
{
	(void)state;
	file_write("/etc/other", 0);
	assert_int_equal(rename("/etc/other", ENTRY), 0);
	assert_true(is_asked(0, LOOK_MS));
	file_write(target, 1); /* nobody's any more */
	assert_false(is_asked(1, LOOKS_MS));
	file_write(ENTRY, 1);
	assert_true(is_asked(1, LOOK_MS));
}

static void the_link_that_comes_back_is_followed(void **state)
{
	(void)state;
	file_write(target, 0);
	assert_int_equal(symlink(target, "/etc/link"), 0);
	assert_int_equal(rename("/etc/link", ENTRY), 0);
	assert_true(is_asked(0, LOOK_MS));
	assert_int_equal(kill(rig.proxy, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_behind_the_link_is_read),
		cmocka_unit_test(a_file_that_is_written_anew_is_read),
		cmocka_unit_test(a_file_that_replaces_it_is_read),
		cmocka_unit_test(a_file_that_comes_back_is_read),
		cmocka_unit_test(a_file_in_place_of_the_link_is_read),
		cmocka_unit_test(the_link_that_comes_back_is_followed),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
