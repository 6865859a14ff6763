/* The forwarder as a process, between two namespaces and a scripted upstream: its promises, tried. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "dns/message.h"
#include "state/control.h"
#include "state/worker.h"
#include "support/rig.h"

#define BUDGET 100 /* no other test asks for so many names below one rule */

static struct rig rig;
static uint8_t reply[MESSAGE_MAX];

/* What the upstream answers, by the first label of the qname. */
static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t good[4] = {198, 51, 100, 10}, other[4] = {203, 0, 113, 20}, inside[4] = {169, 254, 169, 254};
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);
	const char *label = (const char *)query + MESSAGE_HEADER + 1;
	uint8_t size = query[MESSAGE_HEADER];
	uint16_t type = message_get16(out + at - 4);
	uint8_t name[NAME_WIRE_MAX];

	(void)context;
#define IS(text) (size == sizeof(text) - 1 && !memcmp(label, text, size))
	if (IS("silent"))
		return 0;
	if (IS("servfail"))
		return rig_reply(out, query, length, RCODE_SERVFAIL);
	if (IS("badvers")) {
		at = rig_record(out, at, 0, NULL, TYPE_A, 60, good, 4);
		return rig_record(out, at, 2, ".", TYPE_OPT, 0x01000000, "", 0);
	}
	if (IS("yxdomain"))
		return rig_reply(out, query, length, 6);
	if (IS("wrongid")) { /* a forged answer first, then the right one follows by nobody: the query must not be satisfied */
		at = rig_record(out, at, 0, NULL, TYPE_A, 60, other, 4);
		out[0] ^= 0x55;
		return at;
	}
	if (IS("big") && !tcp) {
		message_put16(out + 2, message_get16(out + 2) | MESSAGE_TC);
		return at;
	}
	if (IS("big") || IS("many")) {
		unsigned count = type == TYPE_A ? (IS("big") ? 200 : 30) : 0;

		for (unsigned i = 0; i < count; i++)
			at = rig_record(out, at, 0, NULL, TYPE_A, 60, (uint8_t[]){198, 51, 100, (uint8_t)i}, 4);
		return at;
	}
	if (IS("alias")) {
		size_t name_length = rig_name(name, "target.elsewhere.net");

		at = rig_record(out, at, 0, NULL, TYPE_CNAME, 30, name, name_length);
		return type == TYPE_A ? rig_record(out, at, 0, "target.elsewhere.net", TYPE_A, 300, good, 4) : at;
	}
	if (IS("unrelated")) {
		at = rig_record(out, at, 0, NULL, TYPE_A, 60, good, 4);
		return rig_record(out, at, 0, "bank.example.org", TYPE_A, 60, other, 4);
	}
	if (IS("glue")) {
		at = rig_record(out, at, 0, NULL, TYPE_A, 60, good, 4);
		return rig_record(out, at, 2, "ns.allowed.test", TYPE_A, 60, other, 4);
	}
	if (IS("metadata"))
		return rig_record(out, at, 0, NULL, TYPE_A, 60, inside, 4);
	if (IS("reverse"))
		return rig_record(out, at, 0, NULL, TYPE_A, 60, (uint8_t[]){203, 0, 113, 77}, 4);
	if (IS("zero"))
		return rig_record(out, at, 0, NULL, TYPE_A, 0, good, 4);
	if (type == TYPE_A)
		return rig_record(out, at, 0, NULL, TYPE_A, 60, good, 4);
	if (type == TYPE_AAAA)
		return rig_record(out, at, 0, NULL, TYPE_AAAA, 60, (uint8_t[]){0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}, 16);
	return at;
#undef IS
}

static unsigned reply_rcode(void)
{
	return message_get16(reply + 2) & MESSAGE_RCODE;
}

static unsigned reply_answers(void)
{
	return message_get16(reply + 6);
}

/* True when the kernel's set holds the element, by nft's own words. */
static bool kernel_holds(const char *set, const char *element)
{
	cleanup_free char *listing = rig_shell(&rig, "nft list set inet terok_shield %s", set);

	return strstr(listing, element) != NULL;
}

static unsigned upstream_queries(void)
{
	return __atomic_load_n(&rig.queries, __ATOMIC_SEQ_CST);
}

static int group_setup(void **state)
{
	(void)state;
	rig_start(&rig, "allowed.test\n!secret.allowed.test\nports.test:443\nports.test:22/tcp\nbudget.test\n", "", upstream, NULL);
	rig.settings.budget_names = BUDGET;
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
	return 0;
}

static void an_allowed_name_is_answered_and_its_address_is_in_the_set(void **state)
{
	(void)state;
	assert_true(rig_ask(&rig, "one.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_NOERROR);
	assert_int_equal(reply_answers(), 1);
	assert_true(kernel_holds("learned_v4", "198.51.100.10"));
	assert_true(kernel_holds("learned_v4", "comment \"one.allowed.test\""));
	assert_true(rig_ask(&rig, "one.allowed.test", TYPE_AAAA, 2000, reply) > 0);
	assert_true(kernel_holds("learned_v6", "2001:db8:1::10"));
}

static void a_name_that_is_not_listed_gets_nxdomain_and_nothing_leaves(void **state)
{
	static const char *const names[] = {"other.test", "secret.allowed.test", "x.secret.allowed.test", "notallowed.test", "test", "allowed.test.evil.org"};
	unsigned before = upstream_queries();

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_true(rig_ask(&rig, names[i], TYPE_A, 2000, reply) > 0);
		assert_int_equal(reply_rcode(), RCODE_NXDOMAIN);
		assert_int_equal(reply_answers(), 0);
	}
	assert_int_equal(upstream_queries(), before);
	assert_non_null(memmem(reply, MESSAGE_UDP_EDNS, "terok-shield allow rig allowed.test.evil.org", 44));
}

static void a_cached_answer_is_put_back_into_a_set_that_somebody_emptied(void **state)
{
	(void)state;
	assert_true(rig_ask(&rig, "cached.allowed.test", TYPE_A, 2000, reply) > 0);
	for (unsigned i = 0; i < 5; i++) {
		unsigned before = upstream_queries();

		free(rig_shell(&rig, "nft flush set inet terok_shield learned_v4"));
		assert_false(kernel_holds("learned_v4", "198.51.100.10"));
		assert_true(rig_ask(&rig, "cached.allowed.test", TYPE_A, 2000, reply) > 0);
		assert_int_equal(reply_rcode(), RCODE_NOERROR);
		assert_int_equal(upstream_queries(), before);
		assert_true(kernel_holds("learned_v4", "198.51.100.10"));
	}
}

static void without_the_table_the_answer_is_servfail_and_it_comes_back_with_it(void **state)
{
	(void)state;
	free(rig_shell(&rig, "nft list table inet terok_shield > %s/saved; nft delete table inet terok_shield", rig.folder));
	assert_true(rig_ask(&rig, "gone.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_SERVFAIL);
	assert_int_equal(reply_answers(), 0);
	free(rig_shell(&rig, "nft -f %s/saved", rig.folder));
	assert_true(rig_ask(&rig, "gone.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_NOERROR);
	assert_true(kernel_holds("learned_v4", "198.51.100.10"));
}

static void an_alias_is_followed_and_what_does_not_belong_is_removed(void **state)
{
	(void)state;
	assert_true(rig_ask(&rig, "alias.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_answers(), 2);
	assert_true(rig_ask(&rig, "unrelated.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_answers(), 1);
	assert_true(rig_ask(&rig, "glue.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_answers(), 1);
	assert_false(kernel_holds("learned_v4", "203.0.113.20"));
}

static void an_inside_address_is_neither_learned_nor_relayed(void **state)
{
	(void)state;
	assert_true(rig_ask(&rig, "metadata.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_NOERROR);
	assert_int_equal(reply_answers(), 0);
	assert_false(kernel_holds("learned_v4", "169.254"));
}

static void a_rule_with_ports_admits_these_ports_only(void **state)
{
	(void)state;
	assert_true(rig_ask(&rig, "a.ports.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_answers(), 1);
	assert_true(kernel_holds("learned_port_v4", "198.51.100.10 . tcp . 443"));
	assert_true(kernel_holds("learned_port_v4", "198.51.100.10 . udp . 443"));
	assert_true(kernel_holds("learned_port_v4", "198.51.100.10 . tcp . 22"));
	assert_false(kernel_holds("learned_port_v4", "198.51.100.10 . udp . 22"));
	assert_false(kernel_holds("learned_v4", "a.ports.test"));
}

static void an_answer_that_does_not_fit_is_truncated_and_comes_whole_by_tcp(void **state)
{
	cleanup_fd int fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_STREAM);
	uint8_t query[514], prefix[2];
	size_t length = rig_query(query + 2, 7, "big.allowed.test", TYPE_A, false);

	(void)state;
	assert_true(rig_ask(&rig, "big.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_true(message_get16(reply + 2) & MESSAGE_TC);
	assert_true(reply_answers() > 0); /* what fits, for resolvers that cannot ask by TCP */
	assert_true(fd >= 0);
	message_put16(query, (uint16_t)length);
	assert_int_equal(send(fd, query, length + 2, 0), length + 2);
	assert_int_equal(recv(fd, prefix, 2, MSG_WAITALL), 2);
	assert_int_equal(recv(fd, reply, message_get16(prefix), MSG_WAITALL), message_get16(prefix));
	assert_int_equal(reply_answers(), 200);
	assert_true(kernel_holds("learned_v4", "198.51.100.199"));
}

/* It would take the room of a hundred others where they wait. */
static void a_datagram_longer_than_any_query_is_not_let_in(void **state)
{
	cleanup_fd int fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_DGRAM);
	struct pollfd watched = {fd, POLLIN, 0};
	uint8_t query[WORKER_QUERY_MAX + 1] = {0};

	(void)state;
	rig_query(query, 21, "long.allowed.test", TYPE_A, false);
	assert_int_equal(send(fd, query, sizeof(query), 0), sizeof(query));
	assert_int_equal(poll(&watched, 1, 200), 0);
	assert_int_equal(send(fd, query, sizeof(query) - 1, 0), sizeof(query) - 1);
	assert_int_equal(poll(&watched, 1, 2000), 1); /* whatever it is told */
}

static void queries_on_one_connection_are_answered_out_of_order(void **state)
{
	static const char *const names[] = {"silent.allowed.test", "quick.allowed.test"};
	cleanup_fd int fd = rig_socket(&rig, "::1", 53, SOCK_STREAM);
	uint8_t query[514], prefix[2];

	(void)state;
	assert_true(fd >= 0);
	for (uint16_t i = 0; i < 2; i++) {
		size_t length = rig_query(query + 2, i, names[i], TYPE_A, false);

		message_put16(query, (uint16_t)length);
		assert_int_equal(send(fd, query, length + 2, 0), length + 2);
	}
	assert_int_equal(recv(fd, prefix, 2, MSG_WAITALL), 2);
	assert_int_equal(recv(fd, reply, message_get16(prefix), MSG_WAITALL), message_get16(prefix));
	assert_int_equal(message_get16(reply), 1);
}

static void an_answer_with_another_id_is_not_believed(void **state)
{
	(void)state;
	assert_true(rig_ask(&rig, "wrongid.allowed.test", TYPE_A, 8000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_SERVFAIL);
	assert_false(kernel_holds("learned_v4", "203.0.113.20"));
}

static void an_error_of_the_upstreams_is_an_error(void **state)
{
	(void)state;
	assert_true(rig_ask(&rig, "badvers.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_SERVFAIL); /* the version was ours: BADVERS is not for the client */
	assert_int_equal(reply_answers(), 0);
	assert_true(rig_ask(&rig, "yxdomain.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), 6);
}

static void any_other_resolver_is_this_one(void **state)
{
	cleanup_fd int fd = -1;
	struct pollfd watched;
	uint8_t query[512];
	size_t length = rig_query(query, 9, "other.test", TYPE_A, false);
	ssize_t received;

	(void)state;
	/* give the namespace an address and a route, so that packets get as far as the rules */
	free(rig_shell(&rig, "ip link add v0 type veth peer name v1; ip addr add 192.0.2.2/24 dev v0; ip link set v0 up; ip link set v1 up; ip route add default via 192.0.2.1"));
	fd = rig_socket(&rig, "8.8.8.8", 53, SOCK_DGRAM);
	assert_true(fd >= 0);
	assert_int_equal(send(fd, query, length, 0), length);
	watched = (struct pollfd){fd, POLLIN, 0};
	assert_int_equal(poll(&watched, 1, 2000), 1);
	received = recv(fd, reply, sizeof(reply), 0);
	assert_true(received > 0);
	assert_int_equal(reply_rcode(), RCODE_NXDOMAIN);
}

static void allow_and_deny_take_effect_at_once(void **state)
{
	cleanup_text struct text answer = {0}, gone = {0};
	struct error error = {0};
	struct rule rule;
	bool changed;

	(void)state;
	assert_int_equal(rule_parse(&rule, "late.test", 9, NULL), 0);
	assert_int_equal(bundle_list_change(&rig.bundle, BUNDLE_ALLOW, &rule, &changed, &error), 0);
	assert_int_equal(control_request(&rig.bundle, "reload", 2000, NULL, &error), 0);
	assert_int_equal(control_request(&rig.bundle, "resolve late.test", 5000, &answer, &error), 0);
	assert_non_null(strstr(answer.data, "address 198.51.100.10\n"));
	assert_non_null(strstr(answer.data, "address 2001:db8:1::10\n"));
	assert_true(kernel_holds("learned_v6", "2001:db8:1::10"));
	/* the address stays while another allowed name needs it, and goes with the last */
	assert_int_equal(rule_parse(&rule, "allowed.test", 12, NULL), 0);
	assert_int_equal(bundle_list_change(&rig.bundle, BUNDLE_DENY, &rule, &changed, &error), 0);
	assert_int_equal(control_request(&rig.bundle, "reload", 2000, &gone, &error), 0);
	assert_true(kernel_holds("learned_v4", "198.51.100.10"));
	assert_int_equal(rule_parse(&rule, "late.test", 9, NULL), 0);
	assert_int_equal(bundle_list_change(&rig.bundle, BUNDLE_DENY, &rule, &changed, &error), 0);
	assert_int_equal(control_request(&rig.bundle, "reload", 2000, &gone, &error), 0);
	assert_non_null(strstr(gone.data, "removed 198.51.100.10 late.test"));
	assert_false(kernel_holds("learned_v4", "198.51.100.10"));
	assert_true(rig_ask(&rig, "one.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_NXDOMAIN);
	assert_int_equal(bundle_list_change(&rig.bundle, BUNDLE_FORGET, &rule, &changed, &error), 0);
	assert_int_equal(rule_parse(&rule, "allowed.test", 12, NULL), 0);
	assert_int_equal(bundle_list_change(&rig.bundle, BUNDLE_FORGET, &rule, &changed, &error), 0);
	assert_int_equal(control_request(&rig.bundle, "reload", 2000, NULL, &error), 0);
}

/* True when the reply has a PTR record with the name. */
static bool reply_points_to(const char *text)
{
	uint8_t data[NAME_WIRE_MAX];
	size_t length = rig_name(data, text), end = message_get16(reply + 6) ? sizeof(reply) : 0;

	for (size_t i = MESSAGE_HEADER; i + length < end && i < 2048; i++)
		if (!memcmp(reply + i, data, length))
			return true;
	return false;
}

static void the_name_of_a_learned_address_is_told_and_nothing_leaves(void **state)
{
	static const char learned[] = "77.113.0.203.in-addr.arpa", unknown[] = "78.113.0.203.in-addr.arpa";
	struct error error = {0};
	struct rule rule;
	unsigned before;
	bool changed;

	(void)state;
	assert_true(rig_ask(&rig, "reverse.allowed.test", TYPE_A, 2000, reply) > 0);
	assert_true(rig_ask(&rig, "reverse.ports.test", TYPE_A, 2000, reply) > 0);
	before = upstream_queries();
	memset(reply, 0, sizeof(reply));
	assert_true(rig_ask(&rig, learned, TYPE_PTR, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_NOERROR);
	assert_int_equal(reply_answers(), 2);
	assert_true(reply_points_to("reverse.allowed.test") && reply_points_to("reverse.ports.test"));
	assert_true(rig_ask(&rig, unknown, TYPE_PTR, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_NXDOMAIN);
	assert_true(rig_ask(&rig, learned, TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_NXDOMAIN);
	/* a name that is denied is not told any longer */
	assert_int_equal(rule_parse(&rule, "reverse.allowed.test", 20, NULL), 0);
	assert_int_equal(bundle_list_change(&rig.bundle, BUNDLE_DENY, &rule, &changed, &error), 0);
	assert_int_equal(control_request(&rig.bundle, "reload", 2000, NULL, &error), 0);
	memset(reply, 0, sizeof(reply));
	assert_true(rig_ask(&rig, learned, TYPE_PTR, 2000, reply) > 0);
	assert_int_equal(reply_answers(), 1);
	assert_true(reply_points_to("reverse.ports.test"));
	assert_int_equal(upstream_queries(), before);
	assert_int_equal(bundle_list_change(&rig.bundle, BUNDLE_FORGET, &rule, &changed, &error), 0);
	assert_int_equal(control_request(&rig.bundle, "reload", 2000, NULL, &error), 0);
}

static void more_new_names_than_the_budget_do_not_leave(void **state)
{
	unsigned before = upstream_queries();
	cleanup_free char *log = NULL;
	char name[64];

	(void)state;
	for (unsigned i = 0; i <= BUDGET; i++) {
		snprintf(name, sizeof(name), "n%u.budget.test", i);
		assert_true(rig_ask(&rig, name, TYPE_AAAA, 2000, reply) > 0);
		assert_int_equal(reply_rcode(), i < BUDGET ? RCODE_NOERROR : RCODE_REFUSED);
	}
	assert_int_equal(upstream_queries() - before, BUDGET);
	/* the last that was let out is known still, wherever the others' places are: another type costs nothing */
	snprintf(name, sizeof(name), "n%u.budget.test", BUDGET - 1);
	assert_true(rig_ask(&rig, name, TYPE_A, 2000, reply) > 0);
	assert_int_equal(reply_rcode(), RCODE_NOERROR);
	log = rig_shell(&rig, "grep '\"budget\"' %s/audit.jsonl", rig.bundle.path);
	assert_non_null(strstr(log, "\"dest\":\"budget.test\""));
}

static void requests_that_mean_nothing_are_refused(void **state)
{
	static const char *const requests[] = {"frobnicate", "resolve", "resolve ..", "state sideways", "ping pong"};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		assert_int_equal(control_request(&rig.bundle, requests[i], 2000, NULL, &error), -EREMOTEIO);
	assert_int_equal(control_request(&rig.bundle, "ping", 2000, NULL, &error), 0);
}

/* Last: it ends the forwarder. */
static void the_forwarder_ends_with_the_containers_init(void **state)
{
	int status;

	(void)state;
	kill(rig.init, SIGKILL);
	for (unsigned i = 0; i < 200; i++) {
		if (waitpid(rig.proxy, &status, WNOHANG) == rig.proxy) {
			rig.proxy = -1;
			assert_true(WIFEXITED(status));
			assert_int_equal(WEXITSTATUS(status), 0);
			return;
		}
		usleep(10000);
	}
	fail_msg("the forwarder outlived its container");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allowed_name_is_answered_and_its_address_is_in_the_set),
		cmocka_unit_test(a_name_that_is_not_listed_gets_nxdomain_and_nothing_leaves),
		cmocka_unit_test(a_cached_answer_is_put_back_into_a_set_that_somebody_emptied),
		cmocka_unit_test(without_the_table_the_answer_is_servfail_and_it_comes_back_with_it),
		cmocka_unit_test(an_alias_is_followed_and_what_does_not_belong_is_removed),
		cmocka_unit_test(an_inside_address_is_neither_learned_nor_relayed),
		cmocka_unit_test(a_rule_with_ports_admits_these_ports_only),
		cmocka_unit_test(an_answer_that_does_not_fit_is_truncated_and_comes_whole_by_tcp),
		cmocka_unit_test(a_datagram_longer_than_any_query_is_not_let_in),
		cmocka_unit_test(queries_on_one_connection_are_answered_out_of_order),
		cmocka_unit_test(an_answer_with_another_id_is_not_believed),
		cmocka_unit_test(an_error_of_the_upstreams_is_an_error),
		cmocka_unit_test(any_other_resolver_is_this_one),
		cmocka_unit_test(allow_and_deny_take_effect_at_once),
		cmocka_unit_test(the_name_of_a_learned_address_is_told_and_nothing_leaves),
		cmocka_unit_test(more_new_names_than_the_budget_do_not_leave),
		cmocka_unit_test(requests_that_mean_nothing_are_refused),
		cmocka_unit_test(the_forwarder_ends_with_the_containers_init),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
