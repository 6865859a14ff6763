/* What the forwarder tells of names and connections: each kind of event, once, in order, with the right name, and what is lost counted
 * exactly. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
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
	expect("\"source\":\"nflog\",\"action\":\"allowed_connection\",\"container\":\"rig\",\"domain\":\"exact.test\",\"dest\":\"198.51.100.10\",\"port\":4443,\"proto\":\"udp\"");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_line_says_hello),
		cmocka_unit_test(each_event_of_a_name_comes_once_and_in_order),
		cmocka_unit_test(each_kind_of_connection_is_told_with_its_name),
	};
	const char *missing = rig_missing();

	if (missing && !getenv("SHIELD_NO_SKIP")) {
		printf("SKIP: %s\n", missing);
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
