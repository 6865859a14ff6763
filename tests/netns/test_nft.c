/* fw/nft.c with the kernel: what ruleset.c renders can be applied, reads back as verify.c expects it, and does to packets what it says. */
#include "own_netns.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fw/nft.h"
#include "fw/ruleset.h"
#include "fw/setwriter.h"
#include "fw/verify.h"

static const enum shield_state states[] = {SHIELD_UP, SHIELD_DOWN, SHIELD_DOWN_ALL, SHIELD_BLOCK};
#define STATES (sizeof(states) / sizeof(*states))

static struct settings settings;
static struct netset allowed, denied;

static void add_net(struct netset *set, const char *text)
{
	struct rule rule;
	struct error error = {0};

	if (rule_parse(&rule, text, strlen(text), &error))
		fail_msg("%s: %s", text, error.text);
	assert_int_equal(netset_add(set, &rule), 0);
}

static int prepare(void **state)
{
	(void)state;
	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	add_net(&allowed, "203.0.113.0/24");
	add_net(&allowed, "10.1.2.3");
	add_net(&allowed, "2001:db8:a::/48");
	add_net(&allowed, "198.51.100.20:443/tcp");
	add_net(&allowed, "[2001:db8:b::20]:443");
	add_net(&denied, "203.0.113.66");
	add_net(&denied, "2001:db8:a::66");
	add_net(&denied, "203.0.113.80:80");
	add_net(&denied, "240.0.0.0/4");
	netset_normalize(&allowed);
	netset_normalize(&denied);
	return 0;
}

static int tidy(void **state)
{
	(void)state;
	netset_free(&allowed);
	netset_free(&denied);
	allowed = denied = (struct netset){0};
	return 0;
}

static struct ruleset ruleset_of(enum shield_state state)
{
	return (struct ruleset){.state = state, .settings = &settings, .allowed = &allowed, .denied = &denied};
}

static void apply(const struct ruleset *ruleset, void (*render)(const struct ruleset *, struct text *))
{
	cleanup_text struct text text = {0};
	struct error error = {0};

	render(ruleset, &text);
	assert_false(text_failed(&text));
	if (nft_apply(text.data, &error))
		fail_msg("%s\n%s", error.text, text.data);
}

static void assert_verified(const struct ruleset *ruleset)
{
	cleanup_free char *json = NULL;
	struct error error = {0};

	assert_int_equal(nft_list_json(&json, &error), 0);
	if (verify_ruleset(ruleset, json, &error))
		fail_msg("%s: %s", shield_state_name(ruleset->state), error.text);
	assert_int_equal(verify_state(ruleset, json, &error), ruleset->state);
}

static void upstreams_are(const char *first, const char *second)
{
	settings.upstream_count = 2;
	assert_int_equal(settings_upstream_parse(&settings.upstreams[0], first), 0);
	assert_int_equal(settings_upstream_parse(&settings.upstreams[1], second), 0);
}

static void every_state_reads_back_as_it_was_written(void **unused)
{
	(void)unused;
	for (unsigned variant = 0; variant < 6; variant++) {
		settings.via = variant & 1 ? SETTINGS_VIA_CONTAINER : SETTINGS_VIA_HOST;
		settings.reject = variant & 2 ? SETTINGS_REJECT_RESET : SETTINGS_REJECT_ICMP;
		if (variant >= 4)
			settings.via = SETTINGS_VIA_CONTAINER;
		if (variant == 4)
			upstreams_are("tls://10.1.2.4#dns.example", "tls://[fd00::53]:8853#dns.example");
		if (variant == 5)
			upstreams_are("10.1.2.4:5353", "[fd00::53]:5300");
		if (variant == 3) {
			settings.host_gateway = addr_v4((uint8_t[]){10, 0, 2, 2});
			settings.loopback_ports[0] = 8081;
			settings.loopback_ports[1] = 443;
			settings.loopback_ports[2] = 8080;
			settings.loopback_port_count = 3;
			settings.published[0] = (struct settings_published){8000, 8010, RULE_TCP};
			settings.published[1] = (struct settings_published){8005, 8020, RULE_TCP};
			settings.published[2] = (struct settings_published){80, 80, RULE_TCP};
			settings.published[3] = (struct settings_published){5000, 5000, RULE_UDP};
			settings.published[4] = (struct settings_published){9, 10, 132};
			settings.published_count = 5;
		}
		for (size_t i = 0; i < STATES; i++) {
			struct ruleset ruleset = ruleset_of(states[i]);

			apply(&ruleset, ruleset_render);
			assert_verified(&ruleset);
		}
	}
}

static void a_change_between_any_two_states_keeps_learned_elements(void **unused)
{
	struct setwriter_key key = {.addr = addr_v4((uint8_t[]){198, 51, 100, 9})};
	struct setwriter *writer = NULL;
	struct ruleset ruleset = ruleset_of(SHIELD_UP);
	struct error error = {0};
	bool found;

	(void)unused;
	apply(&ruleset, ruleset_render);
	assert_int_equal(setwriter_open(&writer, &error), 0);
	assert_int_equal(setwriter_add(writer, &key, 60000, "kept.test", true), 0);
	assert_int_equal(setwriter_commit(writer), 0);
	for (size_t i = 0; i < STATES; i++) {
		for (size_t j = 0; j < STATES; j++) {
			struct ruleset from = ruleset_of(states[i]), to = ruleset_of(states[j]);

			apply(&from, ruleset_render_change);
			assert_verified(&from);
			apply(&to, ruleset_render_change);
			assert_verified(&to);
			assert_int_equal(setwriter_get(writer, &key, &found, NULL), 0);
			assert_true(found);
		}
	}
	setwriter_close(writer);
}

static void new_sets_take_the_place_of_the_old(void **unused)
{
	struct ruleset ruleset = ruleset_of(SHIELD_UP), emptied = ruleset;
	struct netset nothing = {0};

	(void)unused;
	apply(&ruleset, ruleset_render);
	emptied.denied = &nothing;
	apply(&emptied, ruleset_render_sets);
	assert_verified(&emptied);
	apply(&ruleset, ruleset_render_sets);
	assert_verified(&ruleset);
}

static void a_transaction_that_fails_changes_nothing(void **unused)
{
	struct ruleset ruleset = ruleset_of(SHIELD_UP);
	struct error error = {0};

	(void)unused;
	apply(&ruleset, ruleset_render);
	assert_int_equal(nft_apply("flush table inet terok_shield\nadd rule inet terok_shield nowhere accept\n", &error), -ENOENT);
	assert_non_null(strstr(error.text, "Error"));
	assert_int_equal(nft_apply("flush table inet terok_shield; this is no command", &error), -EINVAL);
	assert_null(strchr(error.text, '\n'));
	assert_verified(&ruleset);
}

static void a_missing_table_is_told_apart(void **unused)
{
	struct ruleset ruleset = ruleset_of(SHIELD_DOWN);
	cleanup_text struct text text = {0};
	struct error error = {0};
	char *json = NULL;

	(void)unused;
	nft_apply("delete table inet terok_shield", &error);
	assert_int_equal(nft_list_json(&json, &error), -ENOENT);
	ruleset_render_change(&ruleset, &text);
	assert_int_equal(nft_apply(text.data, &error), -ENOENT);
	assert_int_equal(nft_list_json(&json, &error), -ENOENT);
}

/* ---- packets ---- */

enum fate { PASSES, REFUSED, CAPTURED };
static const char *const fates[] = {"passes", "is refused", "is captured"};

static int bind_forwarder(const char *address)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (!is_v4)
		inet_pton(AF_INET6, address, &v6.sin6_addr);
	assert_int_equal(bind(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)), 0);
	return fd;
}

/* Whether a TCP connection is refused at once; what passes goes to nobody. mark: SO_MARK, or 0. */
static enum fate connect_to(const char *address, uint16_t port, uint32_t mark)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	cleanup_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd refused = {.fd = fd};

	assert_int_equal(inet_pton(AF_INET, address, &to.sin_addr), 1);
	if (mark)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		return REFUSED;
	return poll(&refused, 1, 0) == 1 ? REFUSED : PASSES;
}

/* Sends a datagram. mark: SO_MARK, or 0. */
static enum fate send_to(const char *address, uint16_t port, uint32_t mark, int forwarder_v4, int forwarder_v6)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	cleanup_fd int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct pollfd refused = {.fd = fd};
	ssize_t sent;
	char octet;

	if (!is_v4)
		inet_pton(AF_INET6, address, &v6.sin6_addr);
	if (mark)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	assert_int_equal(connect(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)), 0);
	sent = send(fd, "?", 1, 0);
	if (recv(is_v4 ? forwarder_v4 : forwarder_v6, &octet, 1, 0) == 1)
		return CAPTURED;
	/* The refusal comes back over loopback before send(2) returns; what the policy drops is EPERM. */
	return sent < 0 || poll(&refused, 1, 0) == 1 ? REFUSED : PASSES;
}

static void packets_meet_the_fate_of_the_state(void **unused)
{
	static const struct {
		enum shield_state state;
		const char *address;
		uint16_t port;
		enum fate fate;
		uint32_t mark; /* with it: the ruleset of via container */
	} cases[] = {
		{SHIELD_UP, "8.8.8.8", 53, CAPTURED},
		{SHIELD_UP, "2001:4860:4860::8888", 53, CAPTURED},
		{SHIELD_UP, "203.0.113.1", 53, CAPTURED}, /* allowed, and still */
		{SHIELD_UP, "203.0.113.66", 53, CAPTURED},
		{SHIELD_UP, "8.8.8.8", 53, PASSES, RULESET_MARK},
		{SHIELD_UP, "8.8.8.8", 443, REFUSED, RULESET_MARK},
		{SHIELD_UP, "8.8.8.8", 53, CAPTURED, RULESET_MARK + 1},
		{SHIELD_UP, "8.8.8.8", 853, REFUSED},
		{SHIELD_UP, "2001:4860:4860::8888", 853, REFUSED},
		{SHIELD_UP, "203.0.113.1", 80, PASSES},
		{SHIELD_UP, "203.0.113.66", 80, REFUSED},
		{SHIELD_UP, "203.0.113.80", 80, REFUSED},
		{SHIELD_UP, "203.0.113.80", 81, PASSES},
		{SHIELD_UP, "2001:db8:a::1", 80, PASSES},
		{SHIELD_UP, "2001:db8:a::66", 80, REFUSED},
		{SHIELD_UP, "10.1.2.3", 80, PASSES},
		{SHIELD_UP, "10.1.2.4", 80, REFUSED},
		{SHIELD_UP, "198.51.100.20", 443, REFUSED}, /* TCP only */
		{SHIELD_UP, "2001:db8:b::20", 443, PASSES},
		{SHIELD_UP, "2001:db8:b::20", 444, REFUSED},
		{SHIELD_UP, "198.51.100.9", 443, PASSES}, /* learned */
		{SHIELD_UP, "198.51.100.10", 443, REFUSED},
		{SHIELD_UP, "198.51.100.11", 4443, PASSES}, /* learned with this port */
		{SHIELD_UP, "198.51.100.11", 443, REFUSED},
		{SHIELD_UP, "169.254.169.254", 80, REFUSED},
		{SHIELD_UP, "224.0.0.251", 5353, REFUSED},
		{SHIELD_DOWN, "8.8.8.8", 53, CAPTURED},
		{SHIELD_DOWN, "8.8.8.8", 853, PASSES},
		{SHIELD_DOWN, "203.0.113.66", 80, REFUSED},
		{SHIELD_DOWN, "10.1.2.4", 80, REFUSED},
		{SHIELD_DOWN, "fd00::1", 80, REFUSED},
		{SHIELD_DOWN, "10.1.2.3", 80, PASSES},
		{SHIELD_DOWN_ALL, "10.1.2.4", 80, PASSES},
		{SHIELD_DOWN_ALL, "fd00::1", 80, PASSES},
		{SHIELD_DOWN_ALL, "203.0.113.66", 80, REFUSED},
		{SHIELD_DOWN_ALL, "8.8.8.8", 53, CAPTURED},
		{SHIELD_BLOCK, "203.0.113.1", 80, REFUSED},
		{SHIELD_BLOCK, "127.0.0.1", 53, REFUSED},
		{SHIELD_BLOCK, "8.8.8.8", 53, REFUSED},
		{SHIELD_BLOCK, "198.51.100.9", 443, REFUSED},
		{SHIELD_BLOCK, "2001:db8:a::1", 80, REFUSED},
	};
	struct setwriter_key learned = {.addr = addr_v4((uint8_t[]){198, 51, 100, 9})};
	struct setwriter_key learned_port = {.addr = addr_v4((uint8_t[]){198, 51, 100, 11}), .protocol = RULE_UDP, .port = 4443};
	cleanup_fd int forwarder_v4 = bind_forwarder("127.0.0.1"), forwarder_v6 = bind_forwarder("::1");
	struct setwriter *writer = NULL;
	struct error error = {0};

	(void)unused;
	assert_int_equal(setwriter_open(&writer, &error), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ruleset ruleset = ruleset_of(cases[i].state);
		enum fate fate;

		settings.via = cases[i].mark ? SETTINGS_VIA_CONTAINER : SETTINGS_VIA_HOST;
		apply(&ruleset, ruleset_render);
		assert_int_equal(setwriter_add(writer, &learned, 60000, "", true), 0);
		assert_int_equal(setwriter_add(writer, &learned_port, 60000, "", true), 0);
		assert_int_equal(setwriter_commit(writer), 0);
		fate = send_to(cases[i].address, cases[i].port, cases[i].mark, forwarder_v4, forwarder_v6);
		if (fate != cases[i].fate)
			fail_msg("%s: a datagram to %s port %u %s", shield_state_name(cases[i].state), cases[i].address, cases[i].port,
				fates[fate]);
	}
	setwriter_close(writer);
}

static void a_server_with_a_port_of_its_own_is_reached_by_the_forwarder_alone(void **unused)
{
	static const struct {
		const char *address;
		uint16_t port;
		uint32_t mark;
		enum fate fate;
	} cases[] = {
		{"10.1.2.4", 5353, RULESET_MARK, PASSES},
		{"10.1.2.4", 5353, 0, REFUSED},
		{"10.1.2.4", 5354, RULESET_MARK, REFUSED},
		{"10.1.2.5", 5353, RULESET_MARK, REFUSED},
		{"fd00::53", 5300, RULESET_MARK, PASSES},
		{"fd00::53", 5300, 0, REFUSED},
		{"8.8.8.8", 53, RULESET_MARK, PASSES}, /* podman's own DNS may be among them */
	};
	cleanup_fd int forwarder_v4 = bind_forwarder("127.0.0.1"), forwarder_v6 = bind_forwarder("::1");
	struct ruleset ruleset = ruleset_of(SHIELD_UP);

	(void)unused;
	settings.via = SETTINGS_VIA_CONTAINER;
	upstreams_are("10.1.2.4:5353", "[fd00::53]:5300");
	apply(&ruleset, ruleset_render);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		enum fate fate = send_to(cases[i].address, cases[i].port, cases[i].mark, forwarder_v4, forwarder_v6);

		if (fate != cases[i].fate)
			fail_msg("a datagram to %s port %u with mark %x %s", cases[i].address, cases[i].port, cases[i].mark, fates[fate]);
	}
	assert_int_equal(connect_to("10.1.2.4", 5353, RULESET_MARK), PASSES);
	assert_int_equal(connect_to("10.1.2.4", 5353, 0), REFUSED);
	assert_int_equal(connect_to("10.1.2.4", 5354, RULESET_MARK), REFUSED);
}

static void a_reset_ends_a_tcp_connect_at_once(void **unused)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(443), .sin_addr.s_addr = htonl(0xc6336414)};
	struct ruleset ruleset = ruleset_of(SHIELD_UP);
	cleanup_fd int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)unused;
	address.sin_addr.s_addr = inet_addr("198.51.100.77");
	settings.reject = SETTINGS_REJECT_RESET;
	apply(&ruleset, ruleset_render);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
	assert_int_equal(errno, ECONNREFUSED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, tidy)
	const struct CMUnitTest tests[] = {
		TEST(every_state_reads_back_as_it_was_written),
		TEST(a_change_between_any_two_states_keeps_learned_elements),
		TEST(new_sets_take_the_place_of_the_old),
		TEST(a_transaction_that_fails_changes_nothing),
		TEST(a_missing_table_is_told_apart),
		TEST(packets_meet_the_fate_of_the_state),
		TEST(a_server_with_a_port_of_its_own_is_reached_by_the_forwarder_alone),
		TEST(a_reset_ends_a_tcp_connect_at_once),
	};

	if (!own_netns_enter())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
