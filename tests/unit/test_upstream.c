/* proxy/upstream.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "proxy/upstream.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void servers_write(const struct upstreams *upstreams, struct text *text)
{
	text_add(text, "");
	for (unsigned i = 0; i < upstreams->count; i++) {
		char endpoint[ADDR_ENDPOINT_TEXT_MAX];

		text_add(text, i ? " " : "");
		text_add(text, addr_endpoint_format(&upstreams->servers[i], endpoint));
	}
}

static void the_nameserver_lines_of_a_resolv_conf_are_read(void **state)
{
	static const char *const cases[][2] = {
		{"nameserver 192.0.2.1\n", "192.0.2.1:53"},
		{"nameserver 192.0.2.1", "192.0.2.1:53"},
		{"# made by hand\nsearch example.com\nnameserver 192.0.2.1\nnameserver 2001:db8::1\noptions ndots:1\n", "192.0.2.1:53 [2001:db8::1]:53"},
		{"nameserver\t \t192.0.2.1  \t\r\n", "192.0.2.1:53"},
		{"nameserver 192.0.2.1 # the first\nnameserver 192.0.2.2;x\nnameserver 192.0.2.3#53\n", "192.0.2.1:53 192.0.2.2:53 192.0.2.3:53"},
		/* Not a server: another word, none, a zone, not an address, an address on the next line. */
		{"nameservers 192.0.2.1\nnameserver\nnameserver \nnameserver fe80::1%eth0\nnameserver example.com\nnameserver 010.1.1.1\nnameserver 192.0.2.7\n", "192.0.2.7:53"},
		{"nameserver  \n192.0.2.1\n", "127.0.0.1:53"},
		{"#nameserver 192.0.2.1\n;nameserver 192.0.2.2\n nameserver 192.0.2.3\n", "127.0.0.1:53"},
		{"", "127.0.0.1:53"},
		{"\n\n\n", "127.0.0.1:53"},
		{"nameserver 0.0.0.1\nnameserver 0.0.0.2\nnameserver 0.0.0.3\nnameserver 0.0.0.4\nnameserver 0.0.0.5\nnameserver 0.0.0.6\nnameserver 0.0.0.7\nnameserver 0.0.0.8\nnameserver 0.0.0.9\n",
		 "0.0.0.1:53 0.0.0.2:53 0.0.0.3:53 0.0.0.4:53 0.0.0.5:53 0.0.0.6:53 0.0.0.7:53 0.0.0.8:53"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup_text struct text text = {0};
		struct upstreams upstreams = {.preferred = 5};

		upstreams_parse(&upstreams, cases[i][0]);
		servers_write(&upstreams, &text);
		if (strcmp(text.data, cases[i][1]))
			fail_msg("%zu: %s", i, text.data);
		assert_int_equal(upstreams.preferred, 0);
	}
}

static void the_preferred_server_is_asked_first_then_the_others_in_turn(void **state)
{
	static const struct {
		unsigned count, preferred, attempt, server;
	} cases[] = {
		{1, 0, 0, 0}, {1, 0, 3, 0}, {3, 0, 0, 0}, {3, 0, 1, 1}, {3, 0, 3, 0}, {3, 2, 0, 2}, {3, 2, 1, 0}, {3, 2, 2, 1},
		{1, 2, 0, 0}, /* there were more when it was preferred */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct upstreams upstreams = {.count = cases[i].count, .preferred = cases[i].preferred};

		assert_int_equal(upstreams_choose(&upstreams, cases[i].attempt), cases[i].server);
	}
}

static void servers_of_the_configuration_are_fixed(void **state)
{
	cleanup_text struct text text = {0};
	struct upstreams upstreams;
	struct settings settings;

	(void)state;
	settings_init(&settings);
	settings.upstream_count = 2;
	assert_int_equal(addr_endpoint_parse(&settings.upstreams[0].endpoint, "192.0.2.1:5353", 14, 53), 0);
	assert_int_equal(addr_endpoint_parse(&settings.upstreams[1].endpoint, "2001:db8::1", 11, 53), 0);
	upstreams_load(&upstreams, &settings);
	servers_write(&upstreams, &text);
	assert_string_equal(text.data, "192.0.2.1:5353 [2001:db8::1]:53");
	assert_true(upstreams.fixed);
	assert_false(upstreams_refresh(&upstreams));
}

static void resolv_conf_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(10);
	close(fd);
}

/* In a mount namespace of its own, where /etc/resolv.conf is a file that it may change. Exits with the number of the first thing that is wrong. */
static void resolv_conf_follow(const char *path)
{
	struct upstreams upstreams;
	struct settings settings;
	struct stat status;

	if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		_exit(77);
	resolv_conf_write(path, "nameserver 192.0.2.1\n");
	if (mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL))
		_exit(77);
	settings_init(&settings);
	upstreams_load(&upstreams, &settings);
	if (upstreams.fixed || upstreams.count != 1 || upstreams.servers[0].addr.octets[3] != 1)
		_exit(1);
	if (upstreams_refresh(&upstreams))
		_exit(2);
	upstreams.preferred = 1;
	resolv_conf_write(path, "nameserver 192.0.2.10\nnameserver 192.0.2.11\n");
	if (!upstreams_refresh(&upstreams) || upstreams.count != 2 || upstreams.servers[1].addr.octets[3] != 11 || upstreams.preferred)
		_exit(3);
	resolv_conf_write(path, "# the same servers\nnameserver 192.0.2.10\nnameserver 192.0.2.11\n");
	upstreams.preferred = 1; /* has answered last, whatever is written about it */
	if (upstreams_refresh(&upstreams) || upstreams.count != 2 || upstreams.preferred != 1)
		_exit(4);
	resolv_conf_write(path, "nameserver 192.0.2.10\n");
	if (!upstreams_refresh(&upstreams) || upstreams.count != 1)
		_exit(5);
	if (stat(path, &status))
		_exit(10);
	resolv_conf_write(path, "nameserver 192.0.2.12\n"); /* as long, and of the same time, as it is where that counts in milliseconds */
	if (utimensat(AT_FDCWD, path, (struct timespec[]){status.st_atim, status.st_mtim}, 0))
		_exit(10);
	if (!upstreams_refresh(&upstreams) || upstreams.servers[0].addr.octets[3] != 12)
		_exit(6);
	resolv_conf_write(path, ""); /* as when it is about to be written; later it means the host itself */
	if (upstreams_refresh(&upstreams) || upstreams.servers[0].addr.octets[3] != 12)
		_exit(7);
	if (utimensat(AT_FDCWD, path, (struct timespec[]){{.tv_sec = 1000000000}, {.tv_sec = 1000000000}}, 0))
		_exit(10);
	if (!upstreams_refresh(&upstreams) || upstreams.servers[0].addr.octets[0] != 127)
		_exit(8);
	_exit(0);
}

static void the_hosts_resolv_conf_is_followed(void **state)
{
	char path[] = P_tmpdir "/resolv_conf_XXXXXX";
	int status, fd = mkstemp(path);
	pid_t child;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	child = fork();
	assert_true(child >= 0);
	if (!child)
		resolv_conf_follow(path);
	assert_int_equal(waitpid(child, &status, 0), child);
	unlink(path);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		fprintf(stderr, "SKIPPED, NOTHING TESTED: no right to a mount namespace, or no /etc/resolv.conf\n");
		assert_null(getenv("SHIELD_NO_SKIP"));
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* A socket on loopback and its endpoint; negative where there is no such address. */
static int server_open(const char *text, int type, struct addr_endpoint *endpoint)
{
	struct sockaddr_storage storage = {0};
	struct sockaddr_in *in = (struct sockaddr_in *)&storage;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
	socklen_t length;
	int fd;

	assert_int_equal(addr_parse(&endpoint->addr, text, strlen(text)), 0);
	storage.ss_family = endpoint->addr.family == ADDR_V4 ? AF_INET : AF_INET6;
	if (endpoint->addr.family == ADDR_V4)
		memcpy(&in->sin_addr, endpoint->addr.octets, 4);
	else
		memcpy(&in6->sin6_addr, endpoint->addr.octets, 16);
	length = endpoint->addr.family == ADDR_V4 ? sizeof(*in) : sizeof(*in6);
	fd = socket(storage.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&storage, length) || (type == SOCK_STREAM && listen(fd, 1)) || getsockname(fd, (struct sockaddr *)&storage, &length)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	endpoint->port = ntohs(endpoint->addr.family == ADDR_V4 ? in->sin_port : in6->sin6_port);
	return fd;
}

static void a_socket_reaches_its_server_and_does_not_block(void **state)
{
	static const struct {
		const char *address;
		int type;
	} cases[] = {{"127.0.0.1", SOCK_DGRAM}, {"127.0.0.1", SOCK_STREAM}, {"::1", SOCK_DGRAM}, {"::1", SOCK_STREAM}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct addr_endpoint endpoint;
		cleanup_fd int server = server_open(cases[i].address, cases[i].type, &endpoint), fd = -1, accepted = -1;
		struct pollfd writable;
		char octet = 0;

		if (server < 0 && endpoint.addr.family == ADDR_V6)
			continue; /* a machine without IPv6 */
		assert_true(server >= 0);
		fd = upstream_connect(&endpoint, cases[i].type, 0);
		assert_true(fd >= 0);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		writable = (struct pollfd){.fd = fd, .events = POLLOUT};
		assert_int_equal(poll(&writable, 1, 2000), 1);
		assert_int_equal(send(fd, "x", 1, 0), 1);
		if (cases[i].type == SOCK_STREAM)
			accepted = accept(server, NULL, NULL);
		assert_int_equal(recv(cases[i].type == SOCK_STREAM ? accepted : server, &octet, 1, 0), 1);
		assert_int_equal(octet, 'x');
		assert_int_equal(recv(fd, &octet, 1, 0), -1);
		assert_int_equal(errno, EAGAIN);
	}
}

/* A reply from another port of the same address is a forgery: the kernel does not let it in. */
static void a_datagram_from_elsewhere_does_not_come_in(void **state)
{
	struct addr_endpoint endpoint, other_endpoint;
	cleanup_fd int server = server_open("127.0.0.1", SOCK_DGRAM, &endpoint), other = server_open("127.0.0.1", SOCK_DGRAM, &other_endpoint), fd = -1;
	struct sockaddr_in own;
	socklen_t length = sizeof(own);
	struct pollfd readable;
	char octet = 0;

	(void)state;
	fd = upstream_connect(&endpoint, SOCK_DGRAM, 0);
	assert_true(server >= 0 && other >= 0 && fd >= 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &length), 0);
	assert_int_equal(sendto(other, "f", 1, 0, (struct sockaddr *)&own, length), 1);
	assert_int_equal(sendto(server, "t", 1, 0, (struct sockaddr *)&own, length), 1);
	readable = (struct pollfd){.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&readable, 1, 2000), 1);
	assert_int_equal(recv(fd, &octet, 1, 0), 1);
	assert_int_equal(octet, 't');
	assert_int_equal(recv(fd, &octet, 1, 0), -1);
}

static void the_mark_is_set_or_the_socket_is_not_made(void **state)
{
	struct addr_endpoint endpoint;
	cleanup_fd int server = server_open("127.0.0.1", SOCK_DGRAM, &endpoint), fd = upstream_connect(&endpoint, SOCK_DGRAM, 0x5348);
	socklen_t length = sizeof(uint32_t);
	uint32_t mark = 0;

	(void)state;
	assert_true(server >= 0);
	if (fd == -EPERM) { /* the right is missing: no socket without its mark */
		assert_int_not_equal(geteuid(), 0);
		return;
	}
	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &length), 0);
	assert_int_equal(mark, 0x5348);
}

static void source_ports_differ(void **state)
{
	struct addr_endpoint endpoint;
	cleanup_fd int server = server_open("127.0.0.1", SOCK_DGRAM, &endpoint);
	uint16_t first = 0;
	bool differ = false;

	(void)state;
	assert_true(server >= 0);
	for (int i = 0; i < 8; i++) {
		cleanup_fd int fd = upstream_connect(&endpoint, SOCK_DGRAM, 0);
		struct sockaddr_in own;
		socklen_t length = sizeof(own);

		assert_true(fd >= 0);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&own, &length), 0);
		assert_int_not_equal(own.sin_port, 0);
		differ |= i && own.sin_port != first;
		first = own.sin_port;
	}
	assert_true(differ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nameserver_lines_of_a_resolv_conf_are_read),
		cmocka_unit_test(the_preferred_server_is_asked_first_then_the_others_in_turn),
		cmocka_unit_test(servers_of_the_configuration_are_fixed),
		cmocka_unit_test(the_hosts_resolv_conf_is_followed),
		cmocka_unit_test(a_socket_reaches_its_server_and_does_not_block),
		cmocka_unit_test(a_datagram_from_elsewhere_does_not_come_in),
		cmocka_unit_test(the_mark_is_set_or_the_socket_is_not_made),
		cmocka_unit_test(source_ports_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
