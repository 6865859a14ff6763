/* proxy/links.h, with a fake in the place of TLS: a plain stream that is connected when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns/message.h"
#include "proxy/links.h"

#define TURNS_MAX 200

static struct event_base *base;
static struct links *links;
static struct settings settings;
static int listener, peer;

/* ---- the fake ---- */

static struct bufferevent *stream;

int tls_new(struct tls **tls, const struct settings *of, struct error *error)
{
	(void)tls, (void)of, (void)error;
	return 0;
}

void tls_free(struct tls *tls)
{
	(void)tls;
}

struct bufferevent *tls_stream(struct tls *tls, struct event_base *of, unsigned server, int fd)
{
	(void)tls, (void)server;
	stream = bufferevent_socket_new(of, fd, BEV_OPT_CLOSE_ON_FREE);
	return stream;
}

void tls_stream_end(struct bufferevent *of)
{
	bufferevent_free(of);
}

void tls_explain(struct bufferevent *of, char *text, size_t size)
{
	(void)of;
	snprintf(text, size, "the fake's reason");
}

/* ---- the owner ---- */

static struct {
	unsigned opened, received, lost, failed, told, recovered;
	size_t lengths[8];
	uint8_t first[8], last[8]; /* octets of each message */
	char reason[LINK_REASON_MAX];
} seen;

static void opened(void *context, unsigned server)
{
	(void)context, (void)server;
	seen.opened++;
}

static void received(void *context, unsigned server, const uint8_t *wire, size_t length)
{
	(void)context, (void)server;
	assert_true(seen.received < 8);
	seen.lengths[seen.received] = length;
	seen.first[seen.received] = length ? wire[0] : 0;
	seen.last[seen.received] = length ? wire[length - 1] : 0;
	seen.received++;
}

static void lost(void *context, unsigned server, bool failed)
{
	(void)context, (void)server;
	seen.lost++;
	seen.failed += failed;
}

static void told(void *context, unsigned server, const char *reason)
{
	(void)context, (void)server;
	if (reason)
		snprintf(seen.reason, sizeof(seen.reason), "%s", reason);
	seen.told += reason != NULL;
	seen.recovered += reason == NULL;
}

static const struct links_owner owner = {opened, received, lost, told};

/* ---- steps ---- */

static int setup(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);

	(void)state;
	memset(&seen, 0, sizeof(seen));
	peer = -1;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 4) ||
		getsockname(listener, (struct sockaddr *)&address, &length))
		return -1;
	settings_init(&settings);
	settings.upstreams[0] = (struct settings_upstream){
		.endpoint = {.addr = addr_v4((uint8_t[]){127, 0, 0, 1}), .port = ntohs(address.sin_port)}, .tls_name = "dns.test"};
	settings.upstream_count = 1;
	base = event_base_new();
	links = links_new(base, &settings, 0, NULL, &owner, NULL);
	return base && links ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	links_free(links);
	event_base_free(base);
	close(listener);
	if (peer >= 0)
		close(peer);
	return 0;
}

/* Turns the loop until *count is what is expected. */
static void turn_until(const unsigned *count, unsigned expected)
{
	for (unsigned i = 0; *count != expected; i++) {
		if (i == TURNS_MAX)
			fail_msg("%u instead of %u", *count, expected);
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

static void connect_to_peer(void)
{
	assert_int_equal(link_want(links, 0), -EINPROGRESS);
	if (peer >= 0)
		close(peer);
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(peer >= 0);
}

static void open_to_peer(void)
{
	connect_to_peer();
	bufferevent_trigger_event(stream, BEV_EVENT_CONNECTED, 0);
	assert_int_equal(link_want(links, 0), 0);
}

/* An answer, so that the link is of use. */
static void answer(void)
{
	unsigned before = seen.received;

	assert_int_equal(send(peer, "\0\3abc", 5, 0), 5);
	turn_until(&seen.received, before + 1);
}

/* ---- tests ---- */

static void nothing_is_written_before_the_link_is_open(void **state)
{
	uint8_t octets[16];

	(void)state;
	connect_to_peer();
	for (unsigned i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(link_want(links, 0), -EINPROGRESS); /* the same one */
	assert_int_equal(recv(peer, octets, sizeof(octets), 0), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(seen.opened, 0);
	bufferevent_trigger_event(stream, BEV_EVENT_CONNECTED, 0);
	assert_int_equal(seen.opened, 1);
	assert_int_equal(link_send(links, 0, (const uint8_t *)"query", 5), 0);
	for (unsigned i = 0; i < 20; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert_int_equal(recv(peer, octets, sizeof(octets), 0), 7);
	assert_memory_equal(octets, "\0\5query", 7);
}

static void a_message_comes_whole_however_it_was_cut(void **state)
{
	static const uint8_t sent[] = {0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd'};

	(void)state;
	open_to_peer();
	for (size_t i = 0; i < sizeof(sent); i++) {
		assert_int_equal(send(peer, sent + i, 1, 0), 1);
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
		event_base_loop(base, EVLOOP_NONBLOCK);
		assert_int_equal(seen.received, (i >= 4) + (i >= 6) + (i >= 9));
	}
	assert_int_equal(send(peer, sent, sizeof(sent), 0), sizeof(sent));
	turn_until(&seen.received, 6);
	for (unsigned i = 0; i < 6; i += 3) {
		assert_int_equal(seen.lengths[i], 3);
		assert_int_equal(seen.first[i], 'a');
		assert_int_equal(seen.last[i], 'c');
		assert_int_equal(seen.lengths[i + 1], 0);
		assert_int_equal(seen.lengths[i + 2], 1);
		assert_int_equal(seen.first[i + 2], 'd');
	}
}

static void one_that_has_answered_may_be_closed_and_is_opened_again_at_once(void **state)
{
	(void)state;
	open_to_peer();
	answer();
	shutdown(peer, SHUT_RDWR);
	turn_until(&seen.lost, 1);
	assert_int_equal(seen.failed, 0);
	assert_null(link_reason(links, 0));
	open_to_peer();
}

static void one_that_has_not_is_held_longer_each_time(void **state)
{
	int64_t begun_ms, held_ms[3];

	(void)state;
	assert_int_equal(link_want(links, 0), -EINPROGRESS);
	for (unsigned i = 0; i < 3; i++) {
		peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		bufferevent_trigger_event(stream, BEV_EVENT_CONNECTED, 0);
		close(peer);
		turn_until(&seen.failed, i + 1);
		begun_ms = clock_now_ms();
		while (link_want(links, 0) == -EHOSTDOWN)
			usleep(1000);
		held_ms[i] = clock_now_ms() - begun_ms;
	}
	peer = -1;
	for (unsigned i = 0; i < 3; i++)
		assert_true(held_ms[i] > (LINK_HOLD_FIRST_MS << i) / 2);
}

static void a_failure_is_told_once_and_its_end_too(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= 2; i++) {
		connect_to_peer();
		bufferevent_trigger_event(stream, BEV_EVENT_ERROR, 0);
		assert_int_equal(seen.failed, i);
		assert_int_equal(seen.told, 1);
		assert_string_equal(seen.reason, "the fake's reason");
		assert_string_equal(link_reason(links, 0), "the fake's reason");
		assert_int_equal(link_want(links, 0), -EHOSTDOWN);
		usleep((LINK_HOLD_FIRST_MS << (i - 1)) * 1000 + 50000);
	}
	open_to_peer();
	assert_int_equal(seen.recovered, 0); /* a handshake is no answer */
	answer();
	assert_int_equal(seen.recovered, 1);
	assert_null(link_reason(links, 0));
}

static void only_silence_puts_a_link_in_doubt(void **state)
{
	int64_t sent_ms;

	(void)state;
	open_to_peer();
	sent_ms = clock_now_ms();
	usleep(2000);
	answer();
	link_doubt(links, 0, sent_ms); /* that one was not answered, another was */
	assert_int_equal(seen.lost, 0);
	link_doubt(links, 0, clock_now_ms() + 1);
	assert_int_equal(seen.failed, 1);
	assert_int_equal(link_want(links, 0), -EHOSTDOWN);
}

static void what_waits_to_be_written_is_bounded(void **state)
{
	static const uint8_t message[60000];
	unsigned sent = 0;

	(void)state;
	open_to_peer();
	while (sent < 100 && !link_send(links, 0, message, sizeof(message)))
		sent++;
	assert_in_range(sent, 1, LINK_WAITING_MAX / sizeof(message));
	assert_int_equal(link_send(links, 0, message, sizeof(message)), -ENOBUFS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_written_before_the_link_is_open),
		TEST(a_message_comes_whole_however_it_was_cut),
		TEST(one_that_has_answered_may_be_closed_and_is_opened_again_at_once),
		TEST(one_that_has_not_is_held_longer_each_time),
		TEST(a_failure_is_told_once_and_its_end_too),
		TEST(only_silence_puts_a_link_in_doubt),
		TEST(what_waits_to_be_written_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
