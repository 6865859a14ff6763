/* What the forwarder tells of names and connections: each kind of event, once, in order, with the right name, and what is lost counted
 * exactly. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "state/activity.h"
#include "state/audit.h"
#include "state/control.h"
#include "support/rig.h"
#include "support/stream.h"

#define PROMPT_MS  100  /* what is promised */
#define PATIENT_MS 3000 /* on a machine that does other things too */
#define BURST      10000

static struct rig rig;
static struct stream stream;
static uint8_t reply[MESSAGE_MAX];

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t v4[4] = {198, 51, 100, 10}, v6[16] = {0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10};
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);
	uint16_t type = message_get16(out + at - 4);

	(void)context;
	(void)tcp;
	if (type == TYPE_A)
		return rig_record(out, at, 0, NULL, TYPE_A, 60, v4, sizeof(v4));
	return type == TYPE_AAAA ? rig_record(out, at, 0, NULL, TYPE_AAAA, 60, v6, sizeof(v6)) : at;
}

static void shell(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

/* A link between the two namespaces, and the addresses of servers at its outer end. */
static void link_make(void)
{
	char command[256];

	snprintf(command, sizeof(command), "ip link add world0 type veth peer name out0 netns %d", (int)rig.init);
	shell(command);
	shell("ip addr add 192.0.2.1/24 dev world0 && ip addr add 2001:db8::1/64 dev world0 nodad && ip link set world0 up && "
	      "ip addr add 198.51.100.10/32 dev lo && ip addr add 2001:db8:1::10/128 dev lo nodad");
	free(rig_shell(&rig, "ip addr add 192.0.2.2/24 dev out0 && ip addr add 2001:db8::2/64 dev out0 nodad && ip link set out0 up && "
			     "ip route add default via 192.0.2.1 && ip route add default via 2001:db8::1"));
}

static int setup(void **state)
{
	const char *line;

	(void)state;
	rig_start(&rig, "allowed.test\nexact.test:443/tcp\n!no.allowed.test\n", "203.0.113.0/24\n", upstream, NULL);
	rig.settings.audit = true;
	link_make();
	line = rig_forwarder(&rig);
	if (strcmp(line, "ready")) {
		print_error("%s\n", line);
		return -1;
	}
	stream_open(&stream, &rig);
	assert_non_null(stream_line(&stream, PATIENT_MS));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stream_close(&stream);
	rig_stop(&rig);
	return 0;
}

/* The next event has all these members, in the order in which they are written. */
static void expect(const char *members)
{
	const char *line = stream_line(&stream, PATIENT_MS);

	if (!line)
		fail_msg("no event; expected %s", members);
	if (!strstr(line, members))
		fail_msg("got %s\nexpected %s", line, members);
}

static void expect_nothing(void)
{
	const char *line = stream_line(&stream, PROMPT_MS);

	if (line)
		fail_msg("not expected: %s", line);
}

static void ask(const char *name, uint16_t type)
{
	assert_true(rig_ask(&rig, name, type, PATIENT_MS, reply) > 0);
}

/* One datagram to a port that nobody has; whether it was let out is not looked at. */
static void send_to(const char *address, uint16_t port)
{
	cleanup_fd int fd = rig_socket(&rig, address, port, SOCK_DGRAM);

	assert_true(fd >= 0);
	(void)!send(fd, "x", 1, 0);
}

static void the_first_line_says_hello(void **state)
{
	struct stream second;
	const char *line;

	(void)state;
	stream_open(&second, &rig);
	line = stream_line(&second, PATIENT_MS);
	assert_non_null(line);
	assert_non_null(strstr(
		line, ",\"source\":\"shield\",\"action\":\"hello\",\"container\":\"rig\",\"detail\":\"" SHIELD_VERSION "\",\"seq\":"));
	assert_memory_equal(line, "{\"ts\":\"20", 9);
	stream_close(&second);
}

static void each_event_of_a_name_comes_once_and_in_order(void **state)
{
	(void)state;
	ask("www.allowed.test", TYPE_A);
	ask("www.allowed.test", TYPE_AAAA);
	ask("www.refused.test", TYPE_A);
	ask("no.allowed.test", TYPE_A);
	ask("exact.test", TYPE_A);
	expect("\"source\":\"dns\",\"action\":\"learned\",\"container\":\"rig\",\"domain\":\"www.allowed.test\",\"dest\":\"198.51.100.10\",\"lifetime_s\":1");
	expect("\"action\":\"learned\",\"container\":\"rig\",\"domain\":\"www.allowed.test\",\"dest\":\"2001:db8:1::10\",\"lifetime_s\":1");
	expect("\"action\":\"blocked_query\",\"container\":\"rig\",\"domain\":\"www.refused.test\",\"query_type\":\"A\",\"detail\":\"not in the profile\",\"seq\":");
	expect("\"action\":\"blocked_query\",\"container\":\"rig\",\"domain\":\"no.allowed.test\",\"query_type\":\"A\",\"detail\":\"taken out by the profile\"");
	expect("\"action\":\"learned\",\"container\":\"rig\",\"domain\":\"exact.test\",\"dest\":\"198.51.100.10\",\"port\":443,\"proto\":\"tcp\"");
	expect_nothing();
}

static void each_kind_of_connection_is_told_with_its_name(void **state)
{
	(void)state;
	send_to("198.51.100.10", 4443);
	expect("\"source\":\"nflog\",\"action\":\"allowed_connection\",\"container\":\"rig\",\"domain\":\"www.allowed.test\",\"dest\":\"198.51.100.10\",\"port\":4443,\"proto\":\"udp\"");
	send_to("2001:db8:1::10", 4443);
	expect("\"action\":\"allowed_connection\",\"container\":\"rig\",\"domain\":\"www.allowed.test\",\"dest\":\"2001:db8:1::10\",\"port\":4443,\"proto\":\"udp\"");
	send_to("198.51.100.99", 80);
	expect("\"action\":\"queued_connection\",\"container\":\"rig\",\"dest\":\"198.51.100.99\",\"port\":80,\"proto\":\"udp\",\"seq\":");
	send_to("10.1.2.3", 80);
	expect("\"action\":\"private_range\",\"container\":\"rig\",\"dest\":\"10.1.2.3\",\"port\":80,\"proto\":\"udp\"");
	send_to("2001:db8:9::9", 80);
	expect("\"action\":\"queued_connection\",\"container\":\"rig\",\"dest\":\"2001:db8:9::9\",\"port\":80,\"proto\":\"udp\"");
	expect_nothing();
}

/* The number in the answer to `stats`. */
static uint64_t stat_of(const char *key)
{
	cleanup_text struct text answer = {0};
	struct error error = {0};
	char wanted[64];
	const char *at;

	if (control_request(&rig.bundle, "stats", PATIENT_MS, &answer, &error))
		fail_msg("%s", error.text);
	snprintf(wanted, sizeof(wanted), "\n%s ", key);
	at = strstr(answer.data, wanted);
	assert_non_null(at);
	return strtoull(at + strlen(wanted), NULL, 10);
}

/* The row of activity.json that has all of this; the others' pointers are NULL. row: name is borrowed from activity. */
static const struct activity_row *row_find(
	const struct activity *activity, enum activity_kind kind, const char *name, const char *dest, uint16_t port)
{
	for (size_t i = 0; i < activity->count; i++) {
		const struct activity_row *row = &activity->rows[i];
		char address[ADDR_TEXT_MAX];

		if (row->kind == kind && (!name || (row->name && !strcmp(row->name, name))) &&
			(!dest || !strcmp(addr_format(&row->dest, address), dest)) && (!port || row->port == port))
			return row;
	}
	return NULL;
}

/* Waits for the next worker, and reads events from it. */
static void worker_wait(pid_t before)
{
	struct error error = {0};

	for (int64_t until_ms = clock_now_ms() + PATIENT_MS; rig_worker(&rig) == before || !rig_worker(&rig);)
		assert_true(clock_now_ms() < until_ms);
	assert_int_equal(control_request(&rig.bundle, "ping", PATIENT_MS, NULL, &error), 0);
	stream_close(&stream);
	stream_open(&stream, &rig);
	expect("hello");
}

static void activity_read_until(struct activity *activity, enum activity_kind kind, const char *name, const char *dest, uint16_t port)
{
	struct error error = {0};

	for (int64_t until_ms = clock_now_ms() + 2 * ACTIVITY_SAVE_S * 1000 + PATIENT_MS;;) {
		if (activity_read(&rig.bundle, activity, &error))
			fail_msg("%s", error.text);
		if (row_find(activity, kind, name, dest, port))
			return;
		activity_free(activity);
		assert_true(clock_now_ms() < until_ms);
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
}

static void activity_outlives_workers_and_the_container(void **state)
{
	struct activity activity;
	const struct activity_row *row;
	struct error error = {0};
	uint64_t queries;
	pid_t worker;

	(void)state;
	send_to("198.51.100.98", 81);
	expect("queued_connection");
	activity_read_until(&activity, ACTIVITY_CONNECTION, NULL, "198.51.100.98", 81);
	assert_string_equal(activity.container, "rig");
	row = row_find(&activity, ACTIVITY_NAME, "www.allowed.test", NULL, 0);
	assert_non_null(row);
	assert_int_equal(row->verdict, ACTIVITY_ALLOWED);
	queries = row->count;
	assert_non_null(row_find(&activity, ACTIVITY_NAME, "www.refused.test", NULL, 0));
	row = row_find(&activity, ACTIVITY_CONNECTION, "www.allowed.test", "198.51.100.10", 4443);
	assert_non_null(row);
	assert_int_equal(row->verdict, ACTIVITY_ALLOWED);
	activity_free(&activity);

	worker = rig_worker(&rig);
	kill(worker, SIGKILL);
	worker_wait(worker);
	ask("www.allowed.test", TYPE_A);
	worker = rig_worker(&rig);
	assert_int_equal(control_request(&rig.bundle, "retire", PATIENT_MS, NULL, &error), 0);
	worker_wait(worker); /* what retires has written its file */
	assert_int_equal(activity_read(&rig.bundle, &activity, &error), 0);
	row = row_find(&activity, ACTIVITY_NAME, "www.allowed.test", NULL, 0);
	assert_non_null(row);
	assert_int_equal(row->count, queries + 1);
	assert_non_null(row_find(&activity, ACTIVITY_CONNECTION, NULL, "198.51.100.98", 81));
	activity_free(&activity);
	/* and a name is known from before */
	send_to("198.51.100.10", 4444);
	expect("\"domain\":\"www.allowed.test\",\"dest\":\"198.51.100.10\",\"port\":4444");
}

/* A server of the outside that takes one connection and echoes what comes. */
struct server {
	int fd;
	pthread_t thread;
};

static void *server_run(void *context)
{
	const struct server *server = context;
	cleanup_fd int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
	char octets[4096];
	ssize_t length;

	while (fd >= 0 && (length = recv(fd, octets, sizeof(octets), 0)) > 0)
		if (send(fd, octets, (size_t)length, MSG_NOSIGNAL) != length)
			break;
	return NULL;
}

static void server_start(struct server *server, const char *address, uint16_t port)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, address, &name.sin_addr);
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(server->fd, 1), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
}

static void server_stop(struct server *server)
{
	pthread_join(server->thread, NULL);
	close(server->fd);
}

/* The worker writes its file and another takes its place. */
static void activity_now(struct activity *activity)
{
	struct error error = {0};
	pid_t worker = rig_worker(&rig);

	assert_int_equal(control_request(&rig.bundle, "retire", PATIENT_MS, NULL, &error), 0);
	worker_wait(worker);
	if (activity_read(&rig.bundle, activity, &error))
		fail_msg("%s", error.text);
}

static void a_connection_is_made_when_it_was_answered_and_its_traffic_is_counted(void **state)
{
	static uint8_t data[3000];
	cleanup_activity struct activity activity = {0};
	uint64_t before = stat_of("connections_allowed");
	const struct activity_row *row;
	struct server server;
	int fd;

	(void)state;
	ask("www.allowed.test", TYPE_A);
	server_start(&server, "198.51.100.10", 8443);
	fd = rig_socket(&rig, "198.51.100.10", 8443, SOCK_STREAM);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, data, sizeof(data), 0), sizeof(data));
	assert_int_equal(recv(fd, data, sizeof(data), MSG_WAITALL), sizeof(data));
	close(fd);
	server_stop(&server);
	assert_int_equal(rig_socket(&rig, "198.51.100.10", 8444, SOCK_STREAM), -ECONNREFUSED);
	send_to("198.51.100.10", 8445);
	while (stat_of("connections_allowed") < before + 3)
		;
	activity_now(&activity);
	row = row_find(&activity, ACTIVITY_CONNECTION, "www.allowed.test", "198.51.100.10", 8443);
	assert_non_null(row);
	assert_int_equal(row->protocol, 6);
	assert_int_equal(row->count, 1);
	assert_int_equal(row->made, 1);
	row = row_find(&activity, ACTIVITY_CONNECTION, NULL, "198.51.100.10", 8444);
	assert_non_null(row);
	assert_int_equal(row->made, 0);
	row = row_find(&activity, ACTIVITY_CONNECTION, NULL, "198.51.100.10", 8445);
	assert_non_null(row);
	assert_int_equal(row->made, 0);
	row = row_find(&activity, ACTIVITY_ADDRESS, "www.allowed.test", "198.51.100.10", 0);
	assert_non_null(row);
	assert_in_range(row->bytes, 2 * sizeof(data), 3 * sizeof(data)); /* both ways */
}

/* The packet log tells of the connection when the second name has been answered already. */
static void each_name_that_a_connection_may_have_been_meant_for_is_known(void **state)
{
	cleanup_activity struct activity activity = {0};
	const struct activity_row *connection, *first, *second;
	uint64_t before = stat_of("connections_allowed");

	(void)state;
	ask("first.allowed.test", TYPE_A);
	send_to("198.51.100.10", 4460);
	ask("second.allowed.test", TYPE_A);
	while (stat_of("connections_allowed") == before)
		;
	activity_now(&activity);
	connection = row_find(&activity, ACTIVITY_CONNECTION, NULL, "198.51.100.10", 4460);
	first = row_find(&activity, ACTIVITY_SHARED, "first.allowed.test", "198.51.100.10", 0);
	second = row_find(&activity, ACTIVITY_SHARED, "second.allowed.test", "198.51.100.10", 0);
	assert_non_null(connection);
	assert_non_null(first);
	assert_non_null(second);
	assert_true(first->first <= connection->last);
}

static void what_is_blocked_is_in_the_audit_log_once(void **state)
{
	struct error error = {0};
	unsigned found = 0;
	char **lines;
	size_t count;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		send_to("198.51.100.77", 7777);
	expect("\"dest\":\"198.51.100.77\"");
	while (stat_of("folded") < 2)
		;
	assert_int_equal(audit_tail(&rig.bundle, 100, &lines, &count, NULL, &error), 0);
	for (size_t i = 0; i < count; i++)
		found += strstr(lines[i], "\"action\":\"blocked\",\"dest\":\"198.51.100.77\",\"port\":7777,\"proto\":\"udp\"}") != NULL;
	audit_lines_free(lines, count);
	assert_int_equal(found, 1);
}

static void what_the_cli_has_done_is_told(void **state)
{
	struct error error = {0};

	(void)state;
	assert_int_equal(control_request(&rig.bundle, "told allowed x.test", PATIENT_MS, NULL, &error), 0);
	expect("\"source\":\"audit\",\"action\":\"allowed\",\"container\":\"rig\",\"dest\":\"x.test\",\"seq\":");
	assert_int_equal(control_request(&rig.bundle, "told note - two words", PATIENT_MS, NULL, &error), 0);
	expect("\"action\":\"note\",\"container\":\"rig\",\"detail\":\"two words\",\"seq\":");
}

/* ---- floods ---- */

static int flood_open(void *context, struct error *error)
{
	int *fd = context;

	(void)error;
	*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return 0;
}

/* One datagram to each of `count` addresses of 203.0.0.0/10 from the first on; all of them are refused. */
static void flood(uint32_t first, unsigned count)
{
	cleanup_fd int fd = -1;

	netns_run(rig.inside_fd, flood_open, &fd, NULL);
	for (uint32_t i = first; i < first + count; i++) {
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(0xcb400000u + i)};

		sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	}
}

static void each_of_a_burst_comes_once_and_in_order(void **state)
{
	(void)state;
	flood(0, BURST);
	for (unsigned i = 0; i < BURST; i++) {
		char dest[64];

		snprintf(dest, sizeof(dest), "\"dest\":\"203.%u.%u.%u\",\"port\":9,", 64 + (i >> 16), i >> 8 & 255, i & 255);
		expect(dest);
	}
	expect_nothing();
}

/* The worker stands still while more is logged than the socket holds, and the supervisor, which would take it for hung, does too. */
static void what_the_kernel_loses_is_counted_exactly(void **state)
{
	static const unsigned sent = 80000;
	uint64_t seen = stat_of("connections_blocked"), lost = stat_of("lost_kernel"), told = 0;
	pid_t worker = rig_worker(&rig);
	const char *line;

	(void)state;
	kill(rig.proxy, SIGSTOP);
	kill(worker, SIGSTOP);
	flood(1u << 18, sent);
	kill(worker, SIGCONT);
	kill(rig.proxy, SIGCONT);
	flood(0x3fffff, 1); /* a loss at the end shows with the next record */
	do
		line = stream_line(&stream, PATIENT_MS);
	while (line && !strstr(line, "203.127.255.255"));
	assert_non_null(line);
	seen = stat_of("connections_blocked") - seen;
	lost = stat_of("lost_kernel") - lost;
	assert_int_equal(seen + lost, sent + 1);
	assert_true(lost > 0);
	do {
		line = stream_line(&stream, PATIENT_MS);
		if (line && strstr(line, "\"action\":\"lost\",\"container\":\"rig\",\"detail\":\"kernel\""))
			told += stream_number(line, "count");
	} while (line && told < lost);
	assert_int_equal(rig_worker(&rig), worker);
}

/* Every event after hello is read or counted as lost, and the numbers of those that are read grow. */
static void a_reader_that_stands_still_is_told_how_many_it_lost(void **state)
{
	struct stream slow;
	uint64_t began, ended, lines = 0, lost = 0, last = 0;
	const char *line;

	(void)state;
	stream_open(&slow, &rig);
	line = stream_line(&slow, PATIENT_MS);
	assert_non_null(line);
	began = stream_number(line, "seq");
	for (unsigned i = 0; i < 4; i++) {
		flood((2u << 18) + i * BURST, BURST);
		while (stream_line(&stream, 300)) /* another reader does not suffer */
			;
	}
	ended = stat_of("events");
	while ((line = stream_line(&slow, 500))) {
		if (strstr(line, "\"detail\":\"reader\"")) {
			lost += stream_number(line, "count");
			continue;
		}
		assert_true(stream_number(line, "seq") > last);
		last = stream_number(line, "seq");
		lines++;
	}
	assert_true(lost > 0);
	assert_int_equal(lines + lost, ended - began);
	assert_int_equal(stat_of("lost_readers"), lost);
	stream_close(&slow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_says_hello),
		cmocka_unit_test(each_event_of_a_name_comes_once_and_in_order),
		cmocka_unit_test(each_kind_of_connection_is_told_with_its_name),
		cmocka_unit_test(activity_outlives_workers_and_the_container),
		cmocka_unit_test(a_connection_is_made_when_it_was_answered_and_its_traffic_is_counted),
		cmocka_unit_test(each_name_that_a_connection_may_have_been_meant_for_is_known),
		cmocka_unit_test(what_is_blocked_is_in_the_audit_log_once),
		cmocka_unit_test(what_the_cli_has_done_is_told),
		cmocka_unit_test(each_of_a_burst_comes_once_and_in_order),
		cmocka_unit_test(what_the_kernel_loses_is_counted_exactly),
		cmocka_unit_test(a_reader_that_stands_still_is_told_how_many_it_lost),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, setup, teardown);
}
