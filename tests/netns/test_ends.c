/* Allows with an end, with kernel, forwarder and lists: they end by themselves, whoever was started again meanwhile. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "dns/message.h"
#include "fw/flows.h"
#include "fw/netlink_open.h"
#include "fw/netns.h"
#include "fw/readback.h"
#include "support/rig.h"

#define OUTPUT_MAX  (1u << 20)
#define LATE_MAX_MS 10000 /* the machine may be busy */

static struct rig rig;
static char program[4096];

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t address[4] = {198, 51, 100, 10};
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);

	(void)context;
	(void)tcp;
	return message_get16(out + at - 4) == TYPE_A ? rig_record(out, at, 0, NULL, TYPE_A, 300, address, 4) : at;
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
	rig_start(&rig, "always.test\n", "203.0.113.0/24\n", upstream, NULL);
	said = rig_forwarder(&rig);
	if (strcmp(said, "ready"))
		fail_msg("%s", said);
	runtime.init_pid = rig.init;
	runtime.proxy_pid = rig.proxy;
	assert_int_equal(bundle_process_start(rig.init, &runtime.init_start), 0);
	assert_int_equal(bundle_process_start(rig.proxy, &runtime.proxy_start), 0);
	assert_int_equal(bundle_runtime_write(&rig.bundle, &runtime, NULL), 0);
	/* an address and a route, so that packets get as far as the rules */
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

/* Runs `terok-shield WORDS`, in which "RIG" stands for the container. Returns its exit code; output: caller frees, may be NULL. */
static int run(const char *words, char **output)
{
	int fd = memfd_create("output", MFD_CLOEXEC), status;
	char command[8192], *place = strstr(words, "RIG");
	pid_t pid;

	assert_non_null(place);
	snprintf(command, sizeof(command), "exec %s %.*srig --task-state-dir %s%s", program, (int)(place - words), words, rig.folder,
		place + 3);
	assert_true(fd >= 0);
	pid = fork();
	if (pid == 0) {
		if (dup2(fd, 1) >= 0 && dup2(fd, 2) >= 0)
			execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (output) {
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(file_read_fd(fd, OUTPUT_MAX, output, NULL), 0);
	}
	close(fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_says(const char *words, int code, const char *says)
{
	cleanup_free char *output = NULL;
	int ended = run(words, &output);

	if (ended != code || !strstr(output, says))
		fail_msg("%s: exit %d, said: %s", words, ended, output);
}

static bool kernel_holds(const char *set, const char *element)
{
	cleanup_free char *listing = rig_shell(&rig, "nft list set inet terok_shield %s", set);

	return strstr(listing, element) != NULL;
}

static bool name_is_answered(const char *name)
{
	static uint8_t reply[65536];

	assert_true(rig_ask(&rig, name, TYPE_A, 4000, reply) > 0);
	return (message_get16(reply + 2) & MESSAGE_RCODE) == RCODE_NOERROR;
}

static int agree(void *context, struct error *error)
{
	return readback_verify(context, error);
}

/* The kernel holds what the lists say: at each moment. */
static void assert_agreement(void)
{
	cleanup_policy struct policy *policy = NULL;
	struct bundle_identity identity;
	struct settings settings;
	struct ruleset ruleset = {.state = SHIELD_UP, .settings = &rig.settings};
	struct error error = {0};

	assert_int_equal(bundle_settings_read(&rig.bundle, &identity, &settings, &error), 0);
	assert_int_equal(bundle_policy_load(&rig.bundle, &identity.sums, &policy, &error), 0);
	bundle_identity_free(&identity);
	ruleset.allowed = policy_allowed_nets(policy);
	ruleset.denied = policy_denied_nets(policy);
	if (netns_run(rig.inside_fd, agree, &ruleset, &error))
		fail_msg("%s", error.text);
}

/* Waits until the condition is false, and looks meanwhile that kernel and lists agree. */
static void wait_until_not(bool (*condition)(const char *a, const char *b), const char *a, const char *b)
{
	int64_t end_ms = clock_now_ms() + LATE_MAX_MS;

	while (condition(a, b)) {
		if (clock_now_ms() > end_ms)
			fail_msg("%s %s is still there", a, b ? b : "");
		assert_agreement();
		usleep(50000);
	}
	assert_agreement();
}

static bool is_answered(const char *name, const char *unused)
{
	(void)unused;
	return name_is_answered(name);
}

static void datagram_send(const char *address)
{
	cleanup_fd int fd = rig_socket(&rig, address, 9, SOCK_DGRAM);

	assert_true(fd >= 0);
	assert_int_equal(send(fd, "?", 1, 0), 1);
}

/* How many flows there are to an address; there are none afterwards. */
static int flows_count(void *context, struct error *error)
{
	struct addr_net net;
	size_t ended;
	cleanup_fd int fd = netlink_open_flows(error);

	assert_int_equal(addr_net_parse(&net, context, strlen(context)), 0);
	return fd < 0 ? fd : flows_end(fd, &net, 1, &ended, error) ?: (int)ended;
}

static int flows_to(const char *address)
{
	struct error error = {0};
	int count = netns_run(rig.inside_fd, flows_count, (void *)address, &error);

	if (count < 0)
		fail_msg("%s", error.text);
	return count;
}

/* ---- the tests ---- */

static void a_name_ends_with_its_addresses_and_flows(void **state)
{
	(void)state;
	assert_says("allow RIG timed.test --for 3s", 0, "Allowed timed.test -> 198.51.100.10 for rig until 2");
	assert_true(name_is_answered("below.timed.test"));
	assert_true(kernel_holds("learned_v4", "198.51.100.10"));
	datagram_send("198.51.100.10");
	wait_until_not(is_answered, "timed.test", NULL);
	assert_false(kernel_holds("learned_v4", "198.51.100.10"));
	assert_int_equal(flows_to("198.51.100.10"), 0);
	assert_true(name_is_answered("always.test"));
	datagram_send("198.51.100.10");
	assert_int_equal(flows_to("198.51.100.10"), 1);
}

static void addresses_and_networks_end_with_their_flows_and_what_is_allowed_otherwise_stays(void **state)
{
	(void)state;
	assert_says("allow RIG 198.18.0.0/16 198.19.0.1 --for 3s", 0, "Allowed 198.19.0.1 -> 198.19.0.1 for rig until 2");
	assert_says("allow RIG 198.18.7.0/24", 0, "Allowed 198.18.7.0/24");
	assert_says("allow RIG 2001:db8:5::/48 '[2001:db8:6::1]:443' 198.19.0.2:443/tcp --for 3s", 0, " for rig until 2");
	assert_says("why RIG 198.18.9.9", 0, "until:");
	assert_says("status RIG", 0, "allows have an end, the next at 2");
	assert_says("rules RIG", 0, " comment \"until 2");
	assert_says("rules RIG --json", 0, "\"until\":\"2");
	datagram_send("198.18.9.9");
	datagram_send("198.18.7.9");
	datagram_send("198.19.0.1");
	wait_until_not(kernel_holds, "allow_v4", "198.19.0.1");
	wait_until_not(kernel_holds, "allow_port_v4", "198.19.0.2");
	wait_until_not(kernel_holds, "allow_v6", "2001:db8:5");
	wait_until_not(kernel_holds, "allow_port_v6", "2001:db8:6");
	assert_false(kernel_holds("allow_v4", "198.18.0.0"));
	assert_true(kernel_holds("allow_v4", "198.18.7.0/24"));
	assert_true(kernel_holds("allow_v4", "203.0.113.0/24"));
	usleep(2500000); /* the forwarder looks once a second */
	assert_int_equal(flows_to("198.18.9.9"), 0);
	assert_int_equal(flows_to("198.19.0.1"), 0);
	assert_says("status RIG", 0, "up\n");
	assert_says("allow RIG 198.19.0.9", 0, "Allowed");
	assert_agreement();
	{
		cleanup_free char *list = NULL;

		assert_int_equal(bundle_read(&rig.bundle, bundle_list_file(BUNDLE_LIVE_ALLOWED), OUTPUT_MAX, &list, NULL, NULL), 0);
		assert_string_equal(list, "198.18.7.0/24\n198.19.0.9\n");
	}
}

static void an_end_is_moved_later_and_taken_away_and_a_deny_takes_the_allow(void **state)
{
	(void)state;
	assert_says("allow RIG 198.18.1.1 --for 3s", 0, "until 2");
	assert_says("allow RIG 198.18.1.1 --for 1h", 0, "until 2");
	assert_says("allow RIG 198.18.1.1 --for 3s", 0, "note: 198.18.1.1 is allowed for longer already");
	assert_agreement();
	assert_says("allow RIG 198.18.1.1", 0, "Allowed 198.18.1.1 -> 198.18.1.1 for rig\n");
	assert_says("allow RIG 198.18.1.1 --for 3s", 0, "is allowed without an end already");
	assert_true(kernel_holds("allow_v4", "198.18.1.1"));
	assert_false(kernel_holds("allow_v4", "198.18.1.1 timeout"));
	assert_says("deny RIG 198.18.1.1", 0, "Denied");
	assert_says("allow RIG 198.18.1.1 --for 3s", 1,
		"198.18.1.1 is denied (deny.list line 1), and an allow with an end does not take that back");
	assert_says("allow RIG 198.18.2.2 other.test --for 1h", 0, "until 2");
	assert_says("deny RIG 198.18.2.2 other.test", 0, "Denied");
	assert_false(kernel_holds("allow_v4", "198.18.2.2"));
	assert_false(name_is_answered("other.test"));
	assert_agreement();
	assert_says("allow RIG 198.18.3.3 --for 10y", 2, "is no time that can be given");
	assert_says("allow RIG 198.18.3.3 --for 31d", 2, "at most 30d");
	assert_says("allow RIG 198.18.3.3 --for 0s", 2, "is no time that can be given");
	assert_says("down RIG", 0, "Shield down");
	assert_says("up RIG", 0, "Shield up");
	assert_agreement();
}

/* The worker is gone when the time comes, and the next one ends what was open. */
static void an_end_that_comes_while_the_forwarder_is_away_is_seen_by_the_next(void **state)
{
	pid_t worker;

	(void)state;
	assert_says("allow RIG 198.18.4.4 away.test --for 3s", 0, "until 2");
	assert_true(name_is_answered("away.test"));
	datagram_send("198.18.4.4");
	worker = rig_worker(&rig);
	assert_true(worker > 0);
	kill(rig.proxy, SIGSTOP); /* no other is started */
	kill(worker, SIGKILL);
	wait_until_not(kernel_holds, "allow_v4", "198.18.4.4");
	sleep(1);
	kill(rig.proxy, SIGCONT);
	wait_until_not(is_answered, "away.test", NULL);
	assert_true(rig_worker(&rig) != worker);
	assert_int_equal(flows_to("198.18.4.4"), 0);
	assert_true(name_is_answered("always.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_ends_with_its_addresses_and_flows),
		cmocka_unit_test(addresses_and_networks_end_with_their_flows_and_what_is_allowed_otherwise_stays),
		cmocka_unit_test(an_end_is_moved_later_and_taken_away_and_a_deny_takes_the_allow),
		cmocka_unit_test(an_end_that_comes_while_the_forwarder_is_away_is_seen_by_the_next),
	};
	const char *missing = rig_missing();

	if (missing) {
		fprintf(stderr, "SKIPPED: %s\n", missing);
		return getenv("SHIELD_NO_SKIP") ? 1 : 77;
	}
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
