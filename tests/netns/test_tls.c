/* DNS over TLS: the real forwarder with its sandbox in force, in front of a real unbound with certificates of a CA of the test's own. Judges stand outside: what unbound
 * has logged, what the kernel holds, and a capture of every packet in the namespace of the server, in which no octets of a name may be.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "fw/nft.h"
#include "fw/readback.h"
#include "state/control.h"
#include "support/certificates.h"
#include "support/rig.h"

#define UNBOUND       "/usr/sbin/unbound"
#define CONTROL       "/usr/sbin/unbound-control"
#define SERVER_PORT   8853
#define START_WAIT_MS 10000
#define ANSWER_MS     8000 /* more than all attempts of a question take */
#define BACK_MS       15000
#define IDLE_MS       300 /* after which unbound closes, where that is what is tried */
#define LONG_IDLE_MS  30000
#define LABEL         "hidden-name"
#define PIPELINED     1000
#define WINDOW        200

static struct rig rig;
static pid_t server;
static unsigned idle_ms = LONG_IDLE_MS;
static int capture;
static uint8_t reply[MESSAGE_MAX];

/* ---- the server ---- */

/* What is below slow.allowed.test it asks the rig's scripted upstream, which is deaf at first; all other names below allowed.test it has itself. */
static void settings_write(const char *address, const char *certificate)
{
	char path[RIG_FOLDER_MAX + 32];
	cleanup_stream FILE *to = NULL;

	snprintf(path, sizeof(path), "%s/unbound.conf", rig.folder);
	to = fopen(path, "we");
	assert_non_null(to);
	fprintf(to,
		"server:\n\tinterface: %s@%u\n\ttls-port: %u\n\ttls-service-key: \"%s/%s.key\"\n\ttls-service-pem: \"%s/%s.pem\"\n\taccess-control: 0.0.0.0/0 allow\n"
		"\tusername: \"\"\n\tchroot: \"\"\n\tdirectory: \"%s\"\n\tpidfile: \"\"\n\tuse-syslog: no\n\tlogfile: \"\"\n\tlog-queries: yes\n\textended-statistics: yes\n\tnum-threads: 1\n"
		"\tmodule-config: \"iterator\"\n\tdo-not-query-localhost: no\n\ttcp-idle-timeout: %u\n\tlocal-zone: \"test.\" nodefault\n"
		"\tlocal-zone: \"allowed.test.\" redirect\n\tlocal-data: \"allowed.test. 60 A 203.0.113.7\"\n\tlocal-data: \"allowed.test. 60 AAAA 2001:db8:1::7\"\n"
		"\tlocal-zone: \"slow.allowed.test.\" transparent\n"
		"forward-zone:\n\tname: \"slow.allowed.test.\"\n\tforward-addr: 127.0.0.1@%u\n"
		"remote-control:\n\tcontrol-enable: yes\n\tcontrol-use-cert: no\n\tcontrol-interface: \"%s/unbound.sock\"\n",
		address, SERVER_PORT, SERVER_PORT, certificates, certificate, certificates, certificate, rig.folder, idle_ms,
		RIG_UPSTREAM_PORT, rig.folder);
}

static bool server_listens(const char *address)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(SERVER_PORT)};
	cleanup_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &to.sin_addr);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
}

static void server_start(const char *address, const char *certificate)
{
	char log[RIG_FOLDER_MAX + 32], path[RIG_FOLDER_MAX + 32];
	int64_t until_ms = clock_now_ms() + START_WAIT_MS;

	settings_write(address, certificate);
	snprintf(log, sizeof(log), "%s/unbound.log", rig.folder);
	snprintf(path, sizeof(path), "%s/unbound.conf", rig.folder);
	server = fork();
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!freopen(log, "a", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
			_exit(126);
		execl(UNBOUND, UNBOUND, "-d", "-c", path, NULL);
		_exit(127);
	}
	while (!server_listens(address)) {
		if (clock_now_ms() > until_ms)
			fail_msg("unbound does not listen, see %s", log);
		usleep(20000);
	}
}

static void server_stop(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	server = 0;
}

static bool file_has(const char *name, const char *text)
{
	cleanup_free char *output = rig_shell(&rig, "grep -csF -- \"%s\" %s/%s || true", text, rig.folder, name);

	return atoi(output) > 0;
}

static unsigned long server_statistic(const char *name)
{
	cleanup_free char *output = rig_shell(&rig, CONTROL " -c %s/unbound.conf stats_noreset | sed -n \"s/^%s=//p\"", rig.folder, name);

	return strtoul(output, NULL, 10);
}

/* ---- the capture ---- */

static void capture_start(void)
{
	int size = 64 << 20;

	capture = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	assert_true(capture >= 0);
	setsockopt(capture, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
}

struct captured {
	unsigned packets, with_label, to_port_53;
};

/* Reads what was captured since the last time. */
static struct captured capture_read(void)
{
	static uint8_t packet[65536 + 64];
	struct captured captured = {0};
	ssize_t length;

	while ((length = recv(capture, packet, sizeof(packet), 0)) > 0) {
		const struct ethhdr *ethernet = (const void *)packet;
		size_t transport = sizeof(*ethernet) + (packet[sizeof(*ethernet)] & 0x0f) * 4u; /* behind an IPv4 header */

		captured.packets++;
		captured.with_label += memmem(packet, (size_t)length, LABEL, strlen(LABEL)) != NULL;
		if (ntohs(ethernet->h_proto) == ETH_P_IP && (size_t)length >= transport + 4 && message_get16(packet + transport + 2) == 53)
			captured.to_port_53++;
	}
	return captured;
}

static void assert_nothing_in_the_clear(void)
{
	struct captured captured = capture_read();

	assert_true(captured.packets > 0);
	assert_int_equal(captured.with_label, 0);
	assert_int_equal(captured.to_port_53, 0);
}

/* The judge is no use if it sees nothing. */
static void assert_the_capture_sees(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct captured captured;

	assert_true(sendto(fd, LABEL, strlen(LABEL), 0, (struct sockaddr *)&to, sizeof(to)) > 0);
	captured = capture_read();
	assert_true(captured.with_label > 0 && captured.to_port_53 > 0);
}

/* ---- the forwarder ---- */

/* The scripted upstream behind unbound: deaf to the first message, so that unbound has to repeat it. */
static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t address[4] = {203, 0, 113, 8};
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);

	(void)context, (void)tcp;
	if (__atomic_load_n(&rig.queries, __ATOMIC_SEQ_CST) == 1)
		return 0;
	return rig_record(out, at, 0, NULL, TYPE_A, 60, address, sizeof(address));
}

static void setup(const char *address)
{
	rig_start(&rig, "allowed.test\n", "", upstream, NULL);
	capture_start();
	assert_the_capture_sees();
	snprintf(rig.settings.ca, sizeof(rig.settings.ca), "%s/ca.pem", certificates);
	rig.settings.upstreams[0] = (struct settings_upstream){.endpoint.port = SERVER_PORT, .tls_name = CERTIFICATES_NAME};
	assert_int_equal(addr_parse(&rig.settings.upstreams[0].endpoint.addr, address, strlen(address)), 0);
}

static void teardown(void)
{
	if (server)
		server_stop();
	close(capture);
	rig_stop(&rig);
}

static void begin(const char *certificate)
{
	setup("127.0.0.1");
	server_start("127.0.0.1", certificate);
	assert_string_equal(rig_forwarder(&rig), "ready");
}

/* Asks for the A record. Returns the rcode; -1 for no answer. */
static int ask(const char *name)
{
	return rig_ask(&rig, name, TYPE_A, ANSWER_MS, reply) > 0 ? message_get16(reply + 2) & MESSAGE_RCODE : -1;
}

static unsigned long counter(const char *name)
{
	cleanup_text struct text answer = {0};
	struct error error = {0};
	char key[64];
	const char *at;

	if (control_request(&rig.bundle, "stats", 5000, &answer, &error))
		fail_msg("%s", error.text);
	snprintf(key, sizeof(key), "\n%s ", name);
	at = strstr(answer.data, key);
	assert_non_null(at);
	return strtoul(at + strlen(key), NULL, 10);
}

/* What the worker says of itself. Caller frees. */
static char *worker_says(void)
{
	cleanup_text struct text answer = {0};
	struct error error = {0};

	if (control_request(&rig.bundle, "worker", 5000, &answer, &error))
		fail_msg("%s", error.text);
	return strdup(answer.data);
}

/* ---- tests ---- */

static void names_are_answered_by_tls_and_nothing_leaves_in_the_clear(void **state)
{
	cleanup_free char *says = NULL, *listing = NULL;

	(void)state;
	begin("good");
	assert_int_equal(ask(LABEL ".allowed.test"), RCODE_NOERROR);
	assert_int_equal(message_get16(reply + 6), 1);
	listing = rig_shell(&rig, "nft list set inet terok_shield learned_v4");
	assert_non_null(strstr(listing, "203.0.113.7"));
	assert_int_equal(ask(LABEL "-2.allowed.test"), RCODE_NOERROR);
	assert_int_equal(ask(LABEL ".other.test"), RCODE_NXDOMAIN);
	assert_true(file_has("unbound.log", LABEL "-2.allowed.test. A IN"));
	assert_false(file_has("unbound.log", "other.test"));
	assert_int_equal(counter("upstream_tls"), 2);
	assert_int_equal(counter("tls_connections"), 1);
	assert_int_equal(counter("upstream") + counter("upstream_tcp"), 0);
	says = worker_says();
	assert_null(strstr(says, "fails"));
	assert_nothing_in_the_clear();
	teardown();
}

static void a_server_without_a_good_certificate_is_told_nothing(void **state)
{
	static const struct {
		const char *certificate, *reason;
	} cases[] = {
		{"wrong", "ostname mismatch"}, /* with a capital letter in some versions of OpenSSL */
		{"subject", "ostname mismatch"},
		{"expired", "certificate has expired"},
		{"stranger", "unable to get local issuer certificate"},
		{"self", "self-signed certificate"},
		{"client", "nsuitable certificate purpose"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_free char *says = NULL;

		begin(cases[i].certificate);
		assert_int_equal(ask(LABEL ".allowed.test"), RCODE_SERVFAIL);
		assert_int_equal(ask(LABEL "-2.allowed.test"), RCODE_SERVFAIL); /* while it is held, too */
		assert_false(file_has("unbound.log", LABEL));
		assert_int_equal(counter("upstream_tls") + counter("tls_connections"), 0);
		assert_int_equal(counter("upstream") + counter("upstream_tcp"), 0);
		says = worker_says();
		if (!strstr(says, "fails tls://127.0.0.1:8853#" CERTIFICATES_NAME " its certificate is refused: ") ||
			!strstr(says, cases[i].reason))
			fail_msg("%s: %s", cases[i].certificate, says);
		assert_true(file_has("audit.jsonl", "fails: its certificate is refused: "));
		assert_true(file_has("audit.jsonl", cases[i].reason));
		assert_nothing_in_the_clear();
		teardown();
	}
}

static void a_connection_that_the_server_has_closed_is_made_again_with_its_session(void **state)
{
	(void)state;
	idle_ms = IDLE_MS;
	begin("good");
	idle_ms = LONG_IDLE_MS;
	for (unsigned i = 1; i <= 3; i++) {
		char name[64];

		snprintf(name, sizeof(name), LABEL "-%u.allowed.test", i);
		assert_int_equal(ask(name), RCODE_NOERROR);
		assert_int_equal(counter("tls_connections"), i);
		usleep((IDLE_MS + 700) * 1000);
	}
	assert_true(server_statistic("num.query.tls.resume") >= 2);
	assert_false(file_has("audit.jsonl", "upstream server"));
	assert_nothing_in_the_clear();
	teardown();
}

static void a_server_that_dies_is_asked_again_when_it_is_back(void **state)
{
	int64_t until_ms;
	int rcode;

	(void)state;
	begin("good");
	assert_int_equal(ask(LABEL ".allowed.test"), RCODE_NOERROR);
	server_stop();
	assert_int_equal(ask(LABEL "-2.allowed.test"), RCODE_SERVFAIL);
	assert_true(file_has("audit.jsonl", "fails: it cannot be connected: Connection refused"));
	server_start("127.0.0.1", "good");
	until_ms = clock_now_ms() + BACK_MS;
	while ((rcode = ask(LABEL "-3.allowed.test")) != RCODE_NOERROR && clock_now_ms() < until_ms)
		usleep(50000);
	assert_int_equal(rcode, RCODE_NOERROR);
	assert_true(file_has("audit.jsonl", "answers again"));
	assert_nothing_in_the_clear();
	teardown();
}

static void of_two_servers_the_one_that_can_be_believed_is_asked(void **state)
{
	(void)state;
	setup("127.0.0.2"); /* where nobody listens */
	rig.settings.upstreams[1] = rig.settings.upstreams[0];
	rig.settings.upstreams[1].endpoint.addr.octets[3] = 1;
	rig.settings.upstream_count = 2;
	server_start("127.0.0.1", "good");
	assert_string_equal(rig_forwarder(&rig), "ready");
	assert_int_equal(ask(LABEL ".allowed.test"), RCODE_NOERROR);
	assert_int_equal(ask(LABEL "-2.allowed.test"), RCODE_NOERROR);
	assert_nothing_in_the_clear();
	teardown();
}

/* One socket, as many questions under way as WINDOW. */
static void a_thousand_names_go_through_one_connection(void **state)
{
	cleanup_fd int fd = -1;
	unsigned sent = 0, good = 0, received = 0;
	uint8_t query[512];
	char name[64];

	(void)state;
	begin("good");
	fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_DGRAM);
	while (received < PIPELINED) {
		struct pollfd watched = {fd, POLLIN, 0};

		for (; sent < PIPELINED && sent - received < WINDOW; sent++) {
			snprintf(name, sizeof(name), LABEL "-%u.allowed.test", sent);
			assert_true(send(fd, query, rig_query(query, (uint16_t)sent, name, TYPE_A, true), 0) > 0);
		}
		if (poll(&watched, 1, ANSWER_MS) != 1)
			fail_msg("%u of %u were answered", received, sent);
		assert_true(recv(fd, reply, sizeof(reply), 0) >= MESSAGE_HEADER);
		good += (message_get16(reply + 2) & MESSAGE_RCODE) == RCODE_NOERROR && message_get16(reply + 6) == 1;
		received++;
	}
	assert_int_equal(good, PIPELINED);
	assert_int_equal(counter("tls_connections"), 1);
	assert_nothing_in_the_clear();
	teardown();
}

static void answers_come_in_any_order(void **state)
{
	cleanup_fd int fd = -1;
	uint8_t query[512];

	(void)state;
	begin("good");
	fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_DGRAM);
	assert_true(send(fd, query, rig_query(query, 1, "a.slow.allowed.test", TYPE_A, true), 0) > 0);
	while (!__atomic_load_n(&rig.queries, __ATOMIC_SEQ_CST))
		usleep(1000);
	assert_true(send(fd, query, rig_query(query, 2, "fast.allowed.test", TYPE_A, true), 0) > 0);
	for (uint16_t expected = 2; expected > 0; expected--) {
		struct pollfd watched = {fd, POLLIN, 0};

		assert_int_equal(poll(&watched, 1, ANSWER_MS), 1);
		assert_true(recv(fd, reply, sizeof(reply), 0) >= MESSAGE_HEADER);
		assert_int_equal(message_get16(reply), expected);
		assert_int_equal(message_get16(reply + 2) & MESSAGE_RCODE, RCODE_NOERROR);
	}
	assert_int_equal(counter("tls_connections"), 1);
	teardown();
}

/* ---- from the container's namespace ---- */

static int rules_read(void *context, struct error *error)
{
	const struct ruleset *ruleset = context;
	cleanup_text struct text commands = {0}, elements = {0};
	struct error difference = {0};
	enum shield_state found;
	int result;

	ruleset_render(ruleset, &commands);
	result = nft_apply(commands.data, error) ?: readback_state(ruleset, &found, &elements, &difference, error);
	if (!result && found != SHIELD_UP)
		result = error_set(error, EINVAL, "%s", difference.text);
	return result;
}

/* Namespaces with a wire between them, 10.9.9.1 outside; the rules of via container. */
static void wire_make(void)
{
	struct netset none = {0};
	struct ruleset ruleset = {.state = SHIELD_UP, .settings = &rig.settings, .allowed = &none, .denied = &none};
	struct error error = {0};
	char command[256];

	snprintf(command, sizeof(command),
		"ip link add out0 type veth peer name in0 netns %d && ip addr add 10.9.9.1/24 dev out0 && ip link set out0 up",
		(int)rig.init);
	assert_int_equal(system(command), 0);
	free(rig_shell(&rig, "ip addr add 10.9.9.2/24 dev in0; ip link set in0 up"));
	rig.settings.via = SETTINGS_VIA_CONTAINER;
	if (netns_run(rig.inside_fd, rules_read, &ruleset, &error))
		fail_msg("%s", error.text);
}

/* The server's address is an inside one, refused to whoever has not the mark. */
static void from_inside_only_the_forwarder_reaches_the_server_and_only_by_tls(void **state)
{
	cleanup_free char *other_port = NULL;

	(void)state;
	setup("10.9.9.1");
	wire_make();
	server_start("10.9.9.1", "good");
	assert_string_equal(rig_forwarder(&rig), "ready");
	assert_int_equal(ask(LABEL ".allowed.test"), RCODE_NOERROR);
	assert_nothing_in_the_clear();
	assert_true(rig_socket(&rig, "10.9.9.1", SERVER_PORT, SOCK_STREAM) < 0);
	/* with the mark, as nothing inside can have it, there is no way to port 53 either */
	other_port = rig_shell(&rig, "nft list chain inet terok_shield output | grep 0x74656b31");
	assert_non_null(strstr(other_port, "ip daddr 10.9.9.1 tcp dport 8853 accept"));
	assert_null(strstr(other_port, "dport 53 "));
	teardown();
}

/* ---- what a start needs ---- */

static void without_its_cas_there_is_no_start(void **state)
{
	const char *line;

	(void)state;
	setup("127.0.0.1");
	strcpy(rig.settings.ca, "/nowhere/ca.pem");
	line = rig_forwarder(&rig);
	assert_non_null(strstr(line, "error: "));
	assert_non_null(strstr(line, "dns.ca: /nowhere/ca.pem cannot be used: No such file or directory"));
	teardown();
}

static void the_worker_without_tls_refuses_a_bundle_that_needs_it(void **state)
{
	char plain[4096];
	ssize_t length = readlink("/proc/self/exe", plain, sizeof(plain) - 64);

	(void)state;
	assert_true(length > 0);
	plain[length] = '\0';
	strcpy(strrchr(plain, '/') + 1, "terok-shield-proxy");
	setup("127.0.0.1");
	rig.worker = plain;
	assert_non_null(strstr(rig_forwarder(&rig), "this is the worker without it"));
	teardown();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_answered_by_tls_and_nothing_leaves_in_the_clear),
		cmocka_unit_test(a_server_without_a_good_certificate_is_told_nothing),
		cmocka_unit_test(a_connection_that_the_server_has_closed_is_made_again_with_its_session),
		cmocka_unit_test(a_server_that_dies_is_asked_again_when_it_is_back),
		cmocka_unit_test(of_two_servers_the_one_that_can_be_believed_is_asked),
		cmocka_unit_test(a_thousand_names_go_through_one_connection),
		cmocka_unit_test(answers_come_in_any_order),
		cmocka_unit_test(from_inside_only_the_forwarder_reaches_the_server_and_only_by_tls),
		cmocka_unit_test(without_its_cas_there_is_no_start),
		cmocka_unit_test(the_worker_without_tls_refuses_a_bundle_that_needs_it),
	};
	const char *missing = rig_missing() ?: certificates_missing();

	if (!missing && access(UNBOUND, X_OK))
		missing = UNBOUND " is missing";
	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, certificates_setup, certificates_teardown);
}
