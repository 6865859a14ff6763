/* What is counted and measured of a running container: the forwarder's `stats` after a known number of queries, and `metrics` of containers of all kinds. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/metrics.h"
#include "dns/message.h"
#include "state/control.h"
#include "support/rig.h"

#define UPSTREAM_MS 30 /* that the scripted server takes */

static struct rig rig;
static uint8_t reply[MESSAGE_MAX];
static char root[RIG_FOLDER_MAX]; /* of the state of all containers; there are none */

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t address[4] = {198, 51, 100, 10};
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);

	(void)context;
	(void)tcp;
	nanosleep(&(struct timespec){.tv_nsec = UPSTREAM_MS * 1000000L}, NULL);
	return rig_record(out, at, 0, NULL, TYPE_A, 300, address, 4);
}

static int group_setup(void **state)
{
	struct bundle_runtime runtime = {.container_id = "0123456789ab"};

	(void)state;
	rig_start(&rig, "allowed.test\n", "", upstream, NULL);
	assert_string_equal(rig_forwarder(&rig), "ready");
	runtime.init_pid = rig.init;
	runtime.proxy_pid = rig.proxy;
	assert_int_equal(bundle_process_start(rig.init, &runtime.init_start), 0);
	assert_int_equal(bundle_process_start(rig.proxy, &runtime.proxy_start), 0);
	assert_int_equal(bundle_runtime_write(&rig.bundle, &runtime, NULL), 0);
	rig_folder_make(root);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	rig_folder_remove(root);
	rig_stop(&rig);
	return 0;
}

static uint64_t stat_of(const struct text *stats, const char *key)
{
	char wanted[80];
	const char *at;

	snprintf(wanted, sizeof(wanted), "\n%s ", key);
	at = strstr(stats->data, wanted);
	if (!at)
		fail_msg("stats has no '%s'", key);
	return strtoull(at + strlen(wanted), NULL, 10);
}

static void each_answer_is_measured_once_in_the_histogram_of_its_kind(void **state)
{
	struct text stats = {0};
	struct error error = {0};

	(void)state;
	assert_true(rig_ask(&rig, "www.allowed.test", TYPE_A, 2000, reply)); /* upstream, and into the set */
	assert_true(rig_ask(&rig, "www.allowed.test", TYPE_A, 2000, reply)); /* the cache */
	assert_true(rig_ask(&rig, "www.allowed.test", TYPE_A, 2000, reply));
	assert_true(rig_ask(&rig, "other.test", TYPE_A, 2000, reply)); /* refused */
	text_add(&stats, "\n");
	if (control_request(&rig.bundle, "stats", 2000, &stats, &error))
		fail_msg("%s", error.text);
	assert_int_equal(stat_of(&stats, "queries"), 4);
	assert_int_equal(stat_of(&stats, "answer_upstream_us_count"), 1);
	assert_int_equal(stat_of(&stats, "answer_local_us_count"), 3);
	assert_int_equal(stat_of(&stats, "set_us_count"), 1);
	/* a server that takes so long is not faster in the histogram, and what it did not take part in is not slowed by it */
	assert_true(stat_of(&stats, "answer_upstream_us_sum") >= UPSTREAM_MS * 1000);
	assert_int_equal(stat_of(&stats, "answer_upstream_us_le_25000"), 0);
	assert_int_equal(stat_of(&stats, "answer_upstream_us_le_5000000"), 1);
	assert_true(stat_of(&stats, "answer_local_us_le_25000") >= 2); /* one may have met with a machine that was busy */
	assert_true(stat_of(&stats, "set_us_sum") < stat_of(&stats, "answer_upstream_us_sum"));
	assert_true(stat_of(&stats, "set_us_sum") > 0);
	text_free(&stats);
}

/* True for a line of a duration. */
static bool is_of_a_duration(const char *key)
{
	const char *duration;

	for (size_t i = 0; (duration = metrics_duration_key(i)); i++)
		if (!strncmp(key, duration, strlen(duration)) && !strncmp(key + strlen(duration), "_us_", 4))
			return true;
	return false;
}

static void whatever_the_worker_counts_is_a_metric(void **state)
{
	static struct stats stats;
	struct error error = {0};

	(void)state;
	if (stats_ask(&rig.bundle, 2000, &stats, &error))
		fail_msg("%s", error.text);
	assert_true(stats.count > 0);
	for (size_t i = 0; i < stats.count; i++) {
		const char *key = "";
		size_t j = 0;

		while ((key = metrics_stat_key(j)) && strcmp(key, stats.lines[i].key))
			j++;
		if (!key && !is_of_a_duration(stats.lines[i].key))
			fail_msg("'%s' of stats has no metric", stats.lines[i].key);
	}
}

/* What `metrics` prints; arguments: as a shell takes them. */
static char *metrics_print(const char *arguments, int *code)
{
	char program[4096] = "", *output = NULL;
	cleanup_free char *command = NULL;
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	FILE *stream;
	int status;

	assert_true(length > 0);
	*strrchr(program, '/') = '\0';
	assert_true(asprintf(&command, "TEROK_SHIELD_STATE_DIR=%s %s/terok-shield metrics %s 2>/dev/null", root, program, arguments) > 0);
	stream = popen(command, "re");
	assert_non_null(stream);
	assert_int_equal(file_read_fd(fileno(stream), 1u << 20, &output, NULL), 0);
	status = pclose(stream);
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return output;
}

/* Of the rig's container; more: further arguments. */
static char *rig_metrics(const char *more)
{
	cleanup_free char *arguments = NULL;
	char *output;
	int code;

	assert_true(asprintf(&arguments, "rig --task-state-dir %s %s", rig.folder, more) > 0);
	output = metrics_print(arguments, &code);
	if (code)
		fail_msg("exit %d: %s", code, output);
	return output;
}

static void has_line(const char *output, const char *line)
{
	cleanup_free char *wanted = NULL;

	assert_true(asprintf(&wanted, "\n%s\n", line) > 0);
	if (!strstr(output, wanted))
		fail_msg("no line '%s' in:\n%s", line, output);
}

static void metrics_says_what_the_kernel_and_the_worker_know(void **state)
{
	cleanup_free char *output = NULL;

	(void)state;
	assert_true(rig_ask(&rig, "www.allowed.test", TYPE_A, 2000, reply));
	output = rig_metrics("");
	has_line(output, "terok_shield_up{container=\"rig\"} 1");
	has_line(output, "terok_shield_state{container=\"rig\",state=\"up\"} 1");
	has_line(output, "terok_shield_state{container=\"rig\",state=\"down\"} 0");
	has_line(output, "terok_shield_learned_elements{container=\"rig\",set=\"learned_v4\"} 1");
	has_line(output, "terok_shield_learned_elements{container=\"rig\",set=\"learned_v6\"} 0");
	has_line(output, "terok_shield_learned_names{container=\"rig\"} 1");
	has_line(output, "terok_shield_list_rules{container=\"rig\",list=\"profile.domains\"} 1");
	has_line(output, "terok_shield_refused_packets_total{container=\"rig\",chain=\"blocked\"} 0");
	has_line(output, "terok_shield_worker_restarts_total{container=\"rig\"} 0");
	has_line(output, "terok_shield_dns_to_set_duration_seconds_bucket{container=\"rig\",le=\"+Inf\"} 1");
}

static void a_refused_packet_is_counted_by_its_chain(void **state)
{
	cleanup_free char *output = NULL, *sent = NULL;

	(void)state;
	sent = rig_shell(&rig,
		"ip link add out0 type veth peer name sink0; ip link set sink0 up; ip addr add 192.0.2.2/24 dev out0; ip link set out0 up; ip route add default via 192.0.2.1; "
		"bash -c \"echo x >/dev/udp/203.0.113.5/9; echo x >/dev/udp/10.1.2.3/9\" || true");
	output = rig_metrics("");
	has_line(output, "terok_shield_refused_packets_total{container=\"rig\",chain=\"blocked\"} 1");
	has_line(output, "terok_shield_refused_packets_total{container=\"rig\",chain=\"private\"} 1");
	has_line(output, "terok_shield_refused_packets_total{container=\"rig\",chain=\"denied\"} 0");
}

static void a_file_is_replaced_whole_and_others_may_read_it(void **state)
{
	cleanup_free char *arguments = NULL, *printed = NULL, *file = NULL;
	char path[RIG_FOLDER_MAX + 16];
	struct stat status;

	(void)state;
	snprintf(path, sizeof(path), "%s/shield.prom", root);
	assert_int_equal(file_replace(AT_FDCWD, path, 0600, "old", 3), 0);
	assert_true(asprintf(&arguments, "--output %s", path) > 0);
	printed = rig_metrics(arguments);
	assert_string_equal(printed, "");
	assert_int_equal(file_read(AT_FDCWD, path, 1u << 20, &file, NULL), 0);
	has_line(file, "terok_shield_up{container=\"rig\"} 1");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);
}

static void promtool_accepts_it(void **state)
{
	cleanup_free char *printed = NULL, *arguments = NULL, *command = NULL, *output = NULL;
	FILE *stream;
	int status;

	(void)state;
	if (system("command -v promtool >/dev/null 2>&1")) {
		print_message("SKIP: there is no promtool (Debian package prometheus)\n");
		if (getenv("SHIELD_NO_SKIP"))
			fail();
		skip();
	}
	assert_true(asprintf(&arguments, "--output %s/checked.prom", root) > 0);
	printed = rig_metrics(arguments);
	assert_true(asprintf(&command, "promtool check metrics <%s/checked.prom 2>&1", root) > 0);
	stream = popen(command, "re");
	assert_non_null(stream);
	assert_int_equal(file_read_fd(fileno(stream), 1u << 20, &output, NULL), 0);
	status = pclose(stream);
	if (status || *output)
		fail_msg("promtool: %d: %s", status, output);
}

static void what_cannot_be_is_said(void **state)
{
	cleanup_free char *both = NULL, *nobody = NULL, *nowhere = NULL, *none = NULL;
	int code;

	(void)state;
	both = metrics_print("web --all", &code);
	assert_int_equal(code, 2);
	nobody = metrics_print("nobody", &code);
	assert_int_equal(code, 1);
	nowhere = metrics_print("--output /nonexistent/folder/x.prom", &code);
	assert_int_equal(code, 1);
	none = metrics_print("", &code);
	assert_int_equal(code, 0);
	assert_null(strstr(none, "container="));
}

/* Last: the forwarder does not come back from it within the test. */
static void a_forwarder_that_hangs_is_there_and_not_up(void **state)
{
	cleanup_free char *output = NULL;
	pid_t worker = rig_worker(&rig);

	(void)state;
	kill(rig.proxy, SIGSTOP);
	kill(worker, SIGSTOP);
	output = rig_metrics("");
	kill(worker, SIGCONT);
	kill(rig.proxy, SIGCONT);
	has_line(output, "terok_shield_up{container=\"rig\"} 0");
	has_line(output, "terok_shield_state{container=\"rig\",state=\"error\"} 1");
	has_line(output, "terok_shield_learned_elements{container=\"rig\",set=\"learned_v4\"} 1"); /* the kernel still says */
	assert_null(strstr(output, "terok_shield_dns_queries_total{"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_the_worker_counts_is_a_metric),
		cmocka_unit_test(each_answer_is_measured_once_in_the_histogram_of_its_kind),
		cmocka_unit_test(metrics_says_what_the_kernel_and_the_worker_know),
		cmocka_unit_test(a_refused_packet_is_counted_by_its_chain),
		cmocka_unit_test(a_file_is_replaced_whole_and_others_may_read_it),
		cmocka_unit_test(promtool_accepts_it),
		cmocka_unit_test(what_cannot_be_is_said),
		cmocka_unit_test(a_forwarder_that_hangs_is_there_and_not_up),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
