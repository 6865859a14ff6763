/* What a hub is told: by the supervisor of a container's beginning and end, through it by the worker of what was refused, with the dossier
 * as it is at that moment. The hub is this test's own socket. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "dns/message.h"
#include "state/activity.h"
#include "state/audit.h"
#include "state/dossier.h"
#include "state/hub.h"
#include "support/rig.h"

#define PATIENT_MS 5000
#define SOON_MS    500

static struct rig rig;
static bool stands_still; /* the supervisor */
static char meta[RIG_FOLDER_MAX + 16];
static uint8_t reply[MESSAGE_MAX];

/* ---- the hub ---- */

static struct {
	int listener_fd, fd;
	size_t length;
	char lines[1 << 16];
	char line[8192];
} hub = {.listener_fd = -1, .fd = -1};

static void hub_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig.settings.hub);
	hub.listener_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(hub.listener_fd >= 0);
	assert_int_equal(bind(hub.listener_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(hub.listener_fd, 4), 0);
}

static void hub_end(void)
{
	if (hub.fd >= 0)
		close(take_fd(hub.fd));
	if (hub.listener_fd >= 0)
		close(take_fd(hub.listener_fd));
	unlink(rig.settings.hub);
	hub.length = 0;
}

/* The next line without its newline; NULL after timeout_ms. */
static const char *hub_line(int timeout_ms)
{
	int64_t deadline_ms = clock_now_ms() + timeout_ms;
	char *end;

	while (!(end = memchr(hub.lines, '\n', hub.length))) {
		struct pollfd watched = {hub.fd >= 0 ? hub.fd : hub.listener_fd, POLLIN, 0};
		int64_t left_ms = deadline_ms - clock_now_ms();
		ssize_t count;

		if (left_ms <= 0 || poll(&watched, 1, (int)left_ms) <= 0)
			return NULL;
		if (hub.fd < 0) {
			hub.fd = accept(hub.listener_fd, NULL, NULL);
			continue;
		}
		count = recv(hub.fd, hub.lines + hub.length, sizeof(hub.lines) - hub.length, 0);
		if (count <= 0)
			return NULL;
		hub.length += (size_t)count;
	}
	assert_true((size_t)(end - hub.lines) < sizeof(hub.line));
	memcpy(hub.line, hub.lines, (size_t)(end - hub.lines));
	hub.line[end - hub.lines] = '\0';
	hub.length -= (size_t)(end + 1 - hub.lines);
	memmove(hub.lines, end + 1, hub.length);
	return hub.line;
}

static void expect(const char *members)
{
	const char *line = hub_line(PATIENT_MS);

	if (!line || !strstr(line, members))
		fail_msg("got %s\nexpected %s", line ? line : "nothing", members);
}

static void expect_nothing(void)
{
	const char *line = hub_line(SOON_MS);

	if (line)
		fail_msg("not expected: %s", line);
}

/* ---- the container ---- */

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t v4[4] = {198, 51, 100, 10};
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);

	(void)context;
	(void)tcp;
	return message_get16(out + at - 4) == TYPE_A ? rig_record(out, at, 0, NULL, TYPE_A, 60, v4, sizeof(v4)) : at;
}

static void file_put(const char *name, const char *text)
{
	assert_int_equal(bundle_write(&rig.bundle, name, text, strlen(text), NULL), 0);
}

/* As the hook prepares it. hub, file: whether there is one. */
static void container_start(bool has_hub, bool has_file)
{
	rig_start(&rig, "named.test:443/tcp\n", "", upstream, NULL);
	rig.settings.audit = true;
	if (has_hub)
		snprintf(rig.settings.hub, sizeof(rig.settings.hub), "%s/" HUB_SOCKET, rig.folder);
	if (has_file) {
		snprintf(meta, sizeof(meta), "%s/meta.json", rig.folder);
		rig.meta = meta;
		file_put(BUNDLE_META_PATH, meta);
	}
	file_put(BUNDLE_DOSSIER, "{\"task\":\"7\",\"name\":\"as it began\"}\n");
	file_put(BUNDLE_CONTAINER_ID, RIG_ID "\n");
	free(rig_shell(&rig,
		"ip link add out0 type veth peer name world0 && ip link set world0 up && ip addr add 192.0.2.2/24 dev out0 && ip link set out0 up && "
		"ip route add default via 192.0.2.1"));
}

static void forwarder_start(void)
{
	const char *line = rig_forwarder(&rig);

	if (strcmp(line, "ready"))
		fail_msg("%s", line);
}

static int teardown(void **state)
{
	(void)state;
	hub_end();
	if (stands_still)
		kill(rig.proxy, SIGCONT); /* only then: one that ends is stopped by a sanitizer's runtime, and has to stay so */
	stands_still = false;
	rig_stop(&rig);
	return 0;
}

static void send_to(const char *address, uint16_t port)
{
	cleanup_fd int fd = rig_socket(&rig, address, port, SOCK_DGRAM);

	assert_true(fd >= 0);
	(void)!send(fd, "x", 1, 0);
}

/* ---- the tests ---- */

static void a_hub_is_told_from_beginning_to_end(void **state)
{
	(void)state;
	container_start(true, false);
	hub_open();
	forwarder_start();
	assert_string_equal(hub_line(PATIENT_MS), "{\"type\":\"container_started\",\"container\":\"" RIG_ID "\",\"name\":\"rig\"}");
	send_to("203.0.113.7", 8080);
	expect("{\"type\":\"pending\",\"container\":\"" RIG_ID "\",\"name\":\"rig\",\"id\":\"" RIG_ID
	       ":1\",\"dest\":\"203.0.113.7\",\"port\":8080,\"proto\":17,\"domain\":\"\",\"dossier\":{\"task\":\"7\",\"name\":\"as it "
	       "began\"},\"ts\":\"20");
	send_to("203.0.113.7", 8080); /* within the 30 seconds */
	send_to("10.9.9.9", 80);      /* private ranges are not asked about */
	assert_true(rig_ask(&rig, "named.test", TYPE_A, PATIENT_MS, reply) > 0);
	send_to("198.51.100.10", 80);
	expect(",\"id\":\"" RIG_ID ":2\",\"dest\":\"198.51.100.10\",\"port\":80,\"proto\":17,\"domain\":\"named.test\",");
	expect_nothing();
	kill(rig.init, SIGKILL);
	waitpid(rig.init, NULL, 0);
	assert_string_equal(hub_line(PATIENT_MS),
		"{\"type\":\"container_exited\",\"container\":\"" RIG_ID "\",\"name\":\"rig\",\"reason\":\"exited\"}");
}

static void the_next_worker_and_the_next_hub_go_on(void **state)
{
	pid_t worker;

	(void)state;
	container_start(true, false);
	forwarder_start(); /* without a hub */
	send_to("203.0.113.1", 1);
	nanosleep(&(struct timespec){.tv_sec = 2}, NULL); /* more than HUB_RETRY_MS */
	hub_open();
	send_to("203.0.113.2", 2);
	expect("\"id\":\"" RIG_ID ":2\",\"dest\":\"203.0.113.2\"");
	hub_end();
	hub_open();
	send_to("203.0.113.3", 3);
	expect("\"id\":\"" RIG_ID ":3\",\"dest\":\"203.0.113.3\"");
	worker = rig_worker(&rig);
	kill(worker, SIGKILL);
	for (unsigned i = 0; i < 100 && (!rig_worker(&rig) || rig_worker(&rig) == worker); i++)
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	send_to("203.0.113.4", 4);
	expect("\"id\":\"" RIG_ID ":1000001\",\"dest\":\"203.0.113.4\"");
	kill(rig.proxy, SIGTERM);
	expect("\"type\":\"container_exited\",\"container\":\"" RIG_ID "\",\"name\":\"rig\",\"reason\":\"stopped\"}");
}

static void the_file_of_the_dossier_is_read_at_each_event(void **state)
{
	(void)state;
	container_start(true, true);
	hub_open();
	forwarder_start();
	expect("container_started");
	send_to("203.0.113.1", 1);
	expect("\"dossier\":{\"task\":\"7\",\"name\":\"as it began\"},"); /* there is no file */
	file_put("meta.json", "{\"name\":\"renamed\",\"project\":\"p\",\"other\":[1]}");
	send_to("203.0.113.2", 1);
	expect("\"dossier\":{\"task\":\"7\",\"name\":\"renamed\",\"project\":\"p\"},");
	file_put("meta.json", "{\"name\":\"\\u001b[2J\"}");
	send_to("203.0.113.3", 1);
	expect("\"dossier\":{\"task\":\"7\",\"name\":\"\\\\x1b[2J\"},");
	file_put("meta.json", "{\"name\":");
	send_to("203.0.113.4", 1);
	expect("\"dossier\":{\"task\":\"7\",\"name\":\"as it began\"},");
	bundle_remove(&rig.bundle, "meta.json", NULL);
	file_put("linked.json", "{\"name\":\"linked\"}");
	assert_int_equal(symlinkat("linked.json", rig.bundle.fd, "meta.json"), 0);
	send_to("203.0.113.5", 1);
	expect("\"dossier\":{\"task\":\"7\",\"name\":\"as it began\"},");
	bundle_remove(&rig.bundle, "meta.json", NULL);
}

static unsigned audit_count(const char *words)
{
	struct error error = {0};
	unsigned found = 0;
	char **lines;
	size_t count;

	assert_int_equal(audit_tail(&rig.bundle, 1000, &lines, &count, NULL, &error), 0);
	for (size_t i = 0; i < count; i++)
		found += strstr(lines[i], words) != NULL;
	audit_lines_free(lines, count);
	return found;
}

static void audit_expect(const char *words, unsigned count)
{
	for (unsigned i = 0; i < 100 && audit_count(words) < count; i++)
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	assert_int_equal(audit_count(words), count);
}

static void the_audit_log_has_the_dossier_without_a_hub_too(void **state)
{
	(void)state;
	container_start(false, true);
	file_put("meta.json", "{\"name\":\"renamed\"}");
	forwarder_start();
	send_to("203.0.113.1", 1);
	send_to("203.0.113.2", 1);
	audit_expect(
		"\"action\":\"blocked\",\"dest\":\"203.0.113.1\",\"port\":1,\"proto\":\"udp\",\"dossier\":{\"task\":\"7\",\"name\":\"renamed\"}}",
		1);
	audit_expect("\"dossier\":{\"task\":\"7\",\"name\":\"renamed\"}}", 2);
}

/* The supervisor stands still, so nobody reads the file: the lines come all the same, and the worker goes on. */
static void who_waits_for_the_file_does_not_wait_for_ever(void **state)
{
	(void)state;
	container_start(false, true);
	file_put("meta.json", "{\"name\":\"renamed\"}");
	forwarder_start();
	stands_still = kill(rig.proxy, SIGSTOP) == 0;
	send_to("203.0.113.1", 1);
	assert_true(rig_ask(&rig, "named.test", TYPE_A, PATIENT_MS, reply) > 0);
	audit_expect("\"dest\":\"203.0.113.1\",\"port\":1,\"proto\":\"udp\",\"dossier\":{\"task\":\"7\",\"name\":\"as it began\"}}", 1);
}

static void what_a_workload_can_say_is_bounded(void **state)
{
	unsigned lines = 0;

	(void)state;
	container_start(true, true);
	hub_open();
	forwarder_start();
	expect("container_started");
	for (uint16_t i = 1; i <= 500; i++)
		send_to("203.0.113.1", i);
	while (hub_line(2000))
		lines++;
	assert_in_range(lines, 20, 200);
	audit_expect(" more, to destinations that are not listed one by one", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_hub_is_told_from_beginning_to_end, teardown),
		cmocka_unit_test_teardown(the_next_worker_and_the_next_hub_go_on, teardown),
		cmocka_unit_test_teardown(the_file_of_the_dossier_is_read_at_each_event, teardown),
		cmocka_unit_test_teardown(the_audit_log_has_the_dossier_without_a_hub_too, teardown),
		cmocka_unit_test_teardown(who_waits_for_the_file_does_not_wait_for_ever, teardown),
		cmocka_unit_test_teardown(what_a_workload_can_say_is_bounded, teardown),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
