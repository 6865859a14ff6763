/* simple-clearance with kernel, forwarder and lists: a program answers by a pipe, and what it says holds. */
#include <errno.h>
#include <fcntl.h>
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "dns/message.h"
#include "support/rig.h"

#define WAIT_MS  15000 /* the machine may be busy */
#define QUIET_MS 1500

static struct rig rig;
static char program[4096];

static struct {
	pid_t pid;
	int answers, output;
	char said[65536];
	size_t length, seen; /* up to seen it was waited for */
} command;

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t address[4] = {198, 51, 100, 10};
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);

	(void)context;
	(void)tcp;
	return message_get16(out + at - 4) == TYPE_A ? rig_record(out, at, 0, NULL, TYPE_A, 300, address, 4) : at;
}

/* ---- the command ---- */

static void command_start(void)
{
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	command.length = command.seen = 0;
	command.pid = fork();
	assert_true(command.pid >= 0);
	if (!command.pid) {
		if (dup2(in[0], 0) >= 0 && dup2(out[1], 1) >= 0 && dup2(out[1], 2) >= 0)
			execl(program, program, "simple-clearance", "rig", "--task-state-dir", rig.folder, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	command.answers = in[1];
	command.output = out[0];
}

static bool hears(const char *words, unsigned timeout_ms)
{
	int64_t end_ms = clock_now_ms() + timeout_ms;

	for (;;) {
		char *found;
		struct pollfd ready = {.fd = command.output, .events = POLLIN};
		int64_t left_ms = end_ms - clock_now_ms();
		ssize_t count;

		command.said[command.length] = '\0';
		found = strstr(command.said + command.seen, words);
		if (found) {
			command.seen = (size_t)(found - command.said) + strlen(words);
			return true;
		}
		if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0)
			return false;
		count = read(command.output, command.said + command.length, sizeof(command.said) - 1 - command.length);
		if (count <= 0)
			return false;
		command.length += (size_t)count;
	}
}

static void assert_hears(const char *words)
{
	if (!hears(words, WAIT_MS))
		fail_msg("'%s' was not said, but: %s", words, command.said + command.seen);
}

static void answer(const char *line)
{
	assert_int_equal(write(command.answers, line, strlen(line)), strlen(line));
}

static int command_end(void)
{
	int status;

	close(command.answers);
	assert_int_equal(waitpid(command.pid, &status, 0), command.pid);
	close(command.output);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int group_setup(void **state)
{
	struct bundle_runtime runtime = {.container_id = "0123456789ab"};
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 64);
	const char *said;

	(void)state;
	assert_in_range(length, 1, sizeof(program) - 64);
	program[length] = '\0';
	strcpy(strrchr(program, '/') + 1, "terok-shield");
	rig_start(&rig, "allowed.test\n", "", upstream, NULL);
	said = rig_forwarder(&rig);
	if (strcmp(said, "ready"))
		fail_msg("%s", said);
	runtime.init_pid = rig.init;
	runtime.proxy_pid = rig.proxy;
	assert_int_equal(bundle_process_start(rig.init, &runtime.init_start), 0);
	assert_int_equal(bundle_process_start(rig.proxy, &runtime.proxy_start), 0);
	assert_int_equal(bundle_runtime_write(&rig.bundle, &runtime, NULL), 0);
	free(rig_shell(&rig,
		"ip link add v0 type veth peer name v1; ip addr add 192.0.2.2/24 dev v0; ip link set v0 up; ip link set v1 up; "
		"ip route add default via 192.0.2.1; ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev v0"));
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

/* ---- what the workload does ---- */

static unsigned ask(const char *name)
{
	static uint8_t reply[65536];

	assert_true(rig_ask(&rig, name, TYPE_A, 4000, reply) > 0);
	return message_get16(reply + 2) & MESSAGE_RCODE;
}

/* Whether a datagram leaves: what is refused is told to the socket. */
static bool reaches(const char *address, uint16_t port)
{
	cleanup_fd int fd = rig_socket(&rig, address, port, SOCK_DGRAM);
	char octet;

	assert_true(fd >= 0);
	if (send(fd, "?", 1, 0) != 1)
		return false;
	usleep(100000);
	return !(recv(fd, &octet, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN);
}

/* ---- the tests ---- */

static void names_are_asked_and_each_answer_holds(void **state)
{
	(void)state;
	command_start();
	assert_hears("Watching for blocked connections... (Ctrl-C to stop)\n");
	usleep(300000); /* the stream is being opened */
	assert_int_equal(ask("one.test"), RCODE_NXDOMAIN);
	assert_hears("[BLOCKED] one.test — allow/deny? \n");
	answer("a\n");
	assert_hears("  ✓ allowed one.test\n");
	assert_int_equal(ask("one.test"), RCODE_NOERROR);
	assert_int_equal(ask("short.test"), RCODE_NXDOMAIN);
	assert_hears("[BLOCKED] short.test — allow/deny? ");
	answer("what\n");
	assert_hears("'what' is no answer");
	assert_hears("[BLOCKED] short.test — allow/deny? ");
	answer("?\n");
	assert_hears("=short.test");
	assert_hears("[BLOCKED] short.test — allow/deny? ");
	answer("3s\n");
	assert_hears("  ✓ allowed short.test for 3s\n");
	assert_int_equal(ask("short.test"), RCODE_NOERROR);
	assert_int_equal(ask("a.b.like.test"), RCODE_NXDOMAIN);
	assert_hears("[BLOCKED] a.b.like.test — allow/deny? ");
	answer("l\n");
	assert_hears("  ✓ allowed like.test\n");
	assert_int_equal(ask("c.like.test"), RCODE_NOERROR);
	assert_int_equal(ask("x.only.test"), RCODE_NXDOMAIN);
	assert_hears("[BLOCKED] x.only.test — allow/deny? ");
	answer("n\n");
	assert_hears("  ✓ allowed =x.only.test\n");
	assert_int_equal(ask("x.only.test"), RCODE_NOERROR);
	assert_int_equal(ask("never.test"), RCODE_NXDOMAIN);
	assert_hears("[BLOCKED] never.test — allow/deny? ");
	answer("never\n");
	assert_hears("  ✗ denied never.test\n");
	assert_int_equal(ask("below.never.test"), RCODE_NXDOMAIN);
	assert_false(hears("[BLOCKED]", QUIET_MS));
	assert_int_equal(command_end(), 0);
}

static void addresses_are_asked_and_each_answer_holds(void **state)
{
	(void)state;
	command_start();
	assert_hears("(Ctrl-C to stop)\n");
	usleep(300000);
	assert_false(reaches("203.0.113.7", 4000));
	assert_hears("[BLOCKED] 203.0.113.7 :4000 — allow/deny? \n");
	assert_false(reaches("203.0.113.8", 4000)); /* waits its turn */
	assert_false(reaches("203.0.113.8", 4000));
	answer("allow\n");
	assert_hears("  ✓ allowed 203.0.113.7\n");
	assert_true(reaches("203.0.113.7", 4001));
	assert_hears("[BLOCKED] 203.0.113.8 :4000 — allow/deny? \n");
	answer("p\n");
	assert_hears("  ✓ allowed 203.0.113.8:4000/udp\n");
	assert_true(reaches("203.0.113.8", 4000));
	assert_false(reaches("203.0.113.8", 4001));
	assert_hears("[BLOCKED] 203.0.113.8 :4001 — allow/deny? \n");
	answer("d\n");
	assert_hears("  ✗ denied 203.0.113.8\n");
	assert_false(reaches("203.0.113.8", 4000));
	assert_false(hears("[BLOCKED]", QUIET_MS));
	assert_int_equal(command_end(), 0);
}

static void it_ends_by_a_signal_and_goes_on_over_workers(void **state)
{
	pid_t worker = rig_worker(&rig);

	(void)state;
	command_start();
	assert_hears("(Ctrl-C to stop)\n");
	kill(worker, SIGKILL);
	while (rig_worker(&rig) == worker || rig_worker(&rig) == 0)
		usleep(20000);
	usleep(600000); /* it connects again */
	assert_int_equal(ask("again.test"), RCODE_NXDOMAIN);
	assert_hears("[BLOCKED] again.test — allow/deny? ");
	kill(command.pid, SIGINT);
	assert_int_equal(command_end(), 0);
	assert_int_equal(ask("again.test"), RCODE_NXDOMAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_asked_and_each_answer_holds),
		cmocka_unit_test(addresses_are_asked_and_each_answer_holds),
		cmocka_unit_test(it_ends_by_a_signal_and_goes_on_over_workers),
	};
	const char *missing = rig_missing();

	if (missing) {
		fprintf(stderr, "SKIPPED: %s\n", missing);
		return getenv("SHIELD_NO_SKIP") ? 1 : 77;
	}
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
