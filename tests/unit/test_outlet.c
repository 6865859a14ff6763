/* proxy/outlet.c, against sockets of the test's own on 127.0.0.1. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "proxy/outlet.h"

static struct event_base *base;
static struct outlets *outlets;
static struct outlet *outlet;
static struct addr_endpoint server;
static int server_fd;
static unsigned received, errors;
static char last[64];

static bool receive(void *owner, const uint8_t *wire, size_t length)
{
	assert_ptr_equal(owner, &received);
	if (!wire) {
		errors++;
		outlet_give_back(outlets, outlet);
		return true;
	}
	received++;
	memcpy(last, wire, length);
	last[length] = '\0';
	if (strcmp(last, "last"))
		return false;
	outlet_give_back(outlets, outlet);
	return true;
}

static int setup(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	(void)state;
	base = event_base_new();
	outlets = outlets_new(base, 4, 0, receive);
	server_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (!base || !outlets || bind(server_fd, (struct sockaddr *)&address, sizeof(address)) || getsockname(server_fd, (struct sockaddr *)&address, &length))
		return -1;
	server = (struct addr_endpoint){.addr = addr_v4((uint8_t[]){127, 0, 0, 1}), .port = ntohs(address.sin_port)};
	received = errors = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	outlets_free(outlets);
	event_base_free(base);
	close(server_fd);
	return 0;
}

/* The server takes a query and learns where it came from. */
static struct sockaddr_in server_take(void)
{
	struct sockaddr_in from = {0};
	socklen_t length = sizeof(from);
	char octets[64];

	assert_true(recvfrom(server_fd, octets, sizeof(octets), 0, (struct sockaddr *)&from, &length) > 0);
	return from;
}

static void server_say(const struct sockaddr_in *to, const char *word)
{
	assert_int_equal(sendto(server_fd, word, strlen(word), 0, (const struct sockaddr *)to, sizeof(*to)), strlen(word));
}

static void ask(void)
{
	assert_int_equal(outlet_send(outlets, &server, &received, (const uint8_t *)"query", 5, &outlet), 0);
}

static void each_message_leaves_from_another_port(void **state)
{
	uint8_t seen[65536 / 8] = {0};
	unsigned again = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct sockaddr_in from;
		uint16_t port;

		ask();
		from = server_take();
		port = ntohs(from.sin_port);
		again += seen[port / 8] >> port % 8 & 1;
		seen[port / 8] |= (uint8_t)(1u << port % 8);
		server_say(&from, "last");
		event_base_loop(base, EVLOOP_ONCE);
		assert_int_equal(received, i + 1);
		outlets_refresh(outlets);
	}
	assert_true(again < 10); /* some 28,000 ports: a chance repetition or two */
}

static void what_comes_too_late_reaches_nobody(void **state)
{
	struct sockaddr_in first, second;

	(void)state;
	ask();
	first = server_take();
	server_say(&first, "last");
	server_say(&first, "duplicate");
	event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(last, "last");
	server_say(&first, "late");
	outlets_refresh(outlets);
	server_say(&first, "later");
	ask();
	second = server_take();
	server_say(&first, "latest");
	server_say(&second, "last");
	event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(received, 2);
	assert_string_equal(last, "last");
}

static void only_the_server_it_asked_is_heard(void **state)
{
	cleanup_fd int stranger = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in from;

	(void)state;
	ask();
	from = server_take();
	assert_int_equal(sendto(stranger, "forged", 6, 0, (struct sockaddr *)&from, sizeof(from)), 6);
	server_say(&from, "last");
	event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(received, 1);
}

static void a_server_that_is_not_there_is_told_at_once(void **state)
{
	(void)state;
	close(server_fd);
	server_fd = -1;
	ask();
	event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(errors, 1);
	assert_int_equal(received, 0);
}

static void no_more_are_in_use_than_there_may_be(void **state)
{
	struct outlet *taken[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(outlet_send(outlets, &server, &received, (const uint8_t *)"query", 5, &taken[i]), 0);
	assert_int_equal(outlet_send(outlets, &server, &received, (const uint8_t *)"query", 5, &outlet), -ENOBUFS);
	for (unsigned i = 0; i < 4; i++)
		outlet_give_back(outlets, taken[i]);
	ask(); /* those that came back serve again, refreshed or not */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_message_leaves_from_another_port, setup, teardown),
		cmocka_unit_test_setup_teardown(what_comes_too_late_reaches_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(only_the_server_it_asked_is_heard, setup, teardown),
		cmocka_unit_test_setup_teardown(a_server_that_is_not_there_is_told_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(no_more_are_in_use_than_there_may_be, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
