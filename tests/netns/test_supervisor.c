/* The supervisor and its worker as processes: what is lost when one of them is killed, hangs, or is replaced, and what is not. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/forwarder.h"
#include "dns/message.h"
#include "state/control.h"
#include "support/rig.h"

#define KILLS          100
#define RELOADS        20
#define PAUSE_MS       260   /* between kills: a worker that lived shorter would be started again later */
#define QUERY_EVERY_US 1000  /* of the load */
#define LOAD_MAX       65536 /* queries: as many as there are ids */
#define UNANSWERED_MAX 3000  /* of the load; fewer than the forwarder's socket holds, where further ones would be lost to a machine that cannot keep up */
#define READ_MS        100   /* a query that a worker has read is with the upstream within this time */
#define SILENCE_MS     3000  /* after which no further answer is waited for */
#define BUFFER                                                                                                                             \
	(8 << 20) /* so that nothing is lost on the ways to and from the forwarder, however late a thread of this program gets its turn */
#define KEPT_NAMES 50 /* whose addresses are to stay learned */

static struct rig rig;
static uint8_t reply[MESSAGE_MAX];

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static bool seen_upstream[LOAD_MAX]; /* queries of the load, by their number */

/* keepN: an address of its own, for long; any other name: one of a few. slowN: it takes its time, and all that is asked meanwhile waits. */
static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);
	const char *label = (const char *)query + MESSAGE_HEADER + 1;
	uint8_t address[4] = {198, 51, 100, label[query[MESSAGE_HEADER] - 1]};
	bool keep = !memcmp(label, "keep", 4);

	if (*label == 'q')
		__atomic_store_n(&seen_upstream[strtoul(label + 1, NULL, 16) % LOAD_MAX], true, __ATOMIC_SEQ_CST);
	(void)context;
	(void)tcp;
	if (!memcmp(label, "slow", 4))
		pause_ms(400);
	if (keep)
		memcpy(address, (uint8_t[]){203, 0, 113, (uint8_t)atoi(label + 4)}, 4);
	return message_get16(out + at - 4) == TYPE_A ? rig_record(out, at, 0, NULL, TYPE_A, keep ? 600 : 5, address, 4) : at;
}

static bool asks(const char *name, unsigned timeout_ms)
{
	return rig_ask(&rig, name, TYPE_A, timeout_ms, reply) > 0 && (message_get16(reply + 2) & MESSAGE_RCODE) == RCODE_NOERROR &&
	       message_get16(reply + 6);
}

static bool kernel_holds(const char *element)
{
	cleanup_free char *listing = rig_shell(&rig, "nft list set inet terok_shield learned_v4");

	return strstr(listing, element) != NULL;
}

static struct forwarder_worker worker_ask(unsigned timeout_ms)
{
	struct container container = {.bundle = rig.bundle};
	struct forwarder_worker worker;
	struct error error = {0};

	if (forwarder_ask(&container, timeout_ms, &worker, &error))
		fail_msg("%s", error.text);
	return worker;
}

static void retire(void)
{
	struct error error = {0};

	if (control_request(&rig.bundle, "retire", 2000, NULL, &error))
		fail_msg("%s", error.text);
}

static unsigned descriptor_count(pid_t pid)
{
	char path[64];
	cleanup_dir DIR *folder = NULL;
	unsigned count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	while (folder && readdir(folder))
		count++;
	return count;
}

static char *audit_log(void)
{
	char *log;

	return file_read(rig.bundle.fd, BUNDLE_AUDIT, 16u << 20, &log, NULL) ? strdup("") : log;
}

/* ---- the load: queries that never stop, each of a name of its own ---- */

static struct load {
	pthread_t thread, tcp_thread;
	bool stop;
	unsigned sent, answered, tcp_sent, tcp_failed;
	int64_t sent_us[LOAD_MAX], answered_us[LOAD_MAX];
	uint8_t rcode[LOAD_MAX];
	bool empty[LOAD_MAX]; /* without a record */
} load;

static void load_receive(int fd)
{
	uint8_t answer[MESSAGE_MAX];

	while (recv(fd, answer, sizeof(answer), MSG_DONTWAIT) >= MESSAGE_HEADER) {
		uint16_t id = message_get16(answer);

		if (!load.answered_us[id])
			load.answered++;
		load.answered_us[id] = now_us();
		load.rcode[id] = message_get16(answer + 2) & MESSAGE_RCODE;
		load.empty[id] = !message_get16(answer + 6);
	}
}

/* Takes what comes until due_us. */
static void load_wait(int fd, int64_t due_us)
{
	do {
		struct pollfd watched = {fd, POLLIN, 0};

		load_receive(fd);
		if (due_us - now_us() > 100)
			ppoll(&watched, 1, &(struct timespec){.tv_nsec = (due_us - now_us()) * 1000}, NULL);
	} while (now_us() < due_us);
}

static void *load_run(void *context)
{
	int fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_DGRAM);
	struct pollfd watched = {fd, POLLIN, 0};
	int64_t due_us = now_us();
	int buffer = BUFFER;

	(void)context;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	while (!__atomic_load_n(&load.stop, __ATOMIC_SEQ_CST) && load.sent < LOAD_MAX) {
		uint8_t query[512];
		char name[64];
		size_t length;

		snprintf(name, sizeof(name), "q%x-%d.allowed.test", load.sent, load.sent % 8);
		length = rig_query(query, (uint16_t)load.sent, name, TYPE_A, false);
		load.sent_us[load.sent] = now_us();
		if (send(fd, query, length, 0) != (ssize_t)length)
			break;
		__atomic_add_fetch(&load.sent, 1, __ATOMIC_SEQ_CST);
		load_wait(fd, due_us += QUERY_EVERY_US);
		while (load.sent - load.answered > UNANSWERED_MAX && !__atomic_load_n(&load.stop, __ATOMIC_SEQ_CST))
			load_wait(fd, due_us = now_us() + QUERY_EVERY_US);
	}
	while (load.answered < load.sent && poll(&watched, 1, SILENCE_MS) > 0) /* those that are late */
		load_receive(fd);
	close(fd);
	return NULL;
}

/* One connection after the other, each with a query. */
static void *load_run_tcp(void *context)
{
	(void)context;
	for (; !__atomic_load_n(&load.stop, __ATOMIC_SEQ_CST); load.tcp_sent++) {
		cleanup_fd int fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_STREAM);
		struct timeval patience = {.tv_sec = 5};
		uint8_t query[514], prefix[2], answer[MESSAGE_MAX];
		char name[64];
		size_t length;

		snprintf(name, sizeof(name), "t%x-%d.allowed.test", load.tcp_sent, load.tcp_sent % 8);
		length = rig_query(query + 2, (uint16_t)load.tcp_sent, name, TYPE_A, false);
		message_put16(query, (uint16_t)length);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (fd < 0 || send(fd, query, length + 2, MSG_NOSIGNAL) != (ssize_t)length + 2 || recv(fd, prefix, 2, MSG_WAITALL) != 2 ||
			recv(fd, answer, message_get16(prefix), MSG_WAITALL) != message_get16(prefix) ||
			(message_get16(answer + 2) & MESSAGE_RCODE) != RCODE_NOERROR)
			load.tcp_failed++;
		pause_ms(3);
	}
	return NULL;
}

static void load_start(bool tcp)
{
	int buffer = BUFFER;

	setsockopt(rig.upstream_udp, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	memset(&load, 0, sizeof(load));
	memset(seen_upstream, 0, sizeof(seen_upstream));
	assert_int_equal(pthread_create(&load.thread, NULL, load_run, NULL), 0);
	if (tcp)
		assert_int_equal(pthread_create(&load.tcp_thread, NULL, load_run_tcp, NULL), 0);
}

static void load_stop(bool tcp)
{
	__atomic_store_n(&load.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(load.thread, NULL);
	if (tcp)
		pthread_join(load.tcp_thread, NULL);
}

/* ---- the tests ---- */

static int group_setup(void **state)
{
	const char *said;

	(void)state;
	rig_start(&rig, "allowed.test\n", "", upstream, NULL);
	said = rig_forwarder(&rig);
	if (strcmp(said, "ready"))
		printf("%s\n", said);
	return strcmp(said, "ready");
}

static int group_teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

static int compare_times(const void *a, const void *b)
{
	int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

	return (one > other) - (one < other);
}

/* Queries that were never answered. Each of them was in flight when a worker was killed: it had asked upstream, or the query was sent
 * just before the worker was dead. */
static unsigned lost_count(const int64_t killed_us[], const int64_t dead_us[], unsigned kills)
{
	unsigned lost = 0;

	for (unsigned i = 0; i < load.sent; i++) {
		bool in_flight = false;

		if (load.answered_us[i]) {
			if (load.rcode[i] != RCODE_NOERROR || load.empty[i])
				fail_msg("query %u was answered after %.0f ms with rcode %u and %s record", i,
					(double)(load.answered_us[i] - load.sent_us[i]) / 1000, load.rcode[i], load.empty[i] ? "no" : "a");
			continue;
		}
		lost++;
		for (unsigned k = 0; k < kills && !in_flight; k++)
			in_flight = load.sent_us[i] <= dead_us[k] && (seen_upstream[i] || load.sent_us[i] > killed_us[k] - READ_MS * 1000);
		if (!in_flight)
			fail_msg("query %u was lost and was not in flight at any kill", i);
	}
	return lost;
}

static void a_killed_worker_costs_the_queries_in_flight_and_no_element(void **state)
{
	static int64_t killed_us[KILLS], dead_us[KILLS], back_us[KILLS];
	unsigned lost, descriptors;
	char text[64];

	(void)state;
	for (unsigned i = 0; i < KEPT_NAMES; i++) {
		snprintf(text, sizeof(text), "keep%u.allowed.test", i);
		assert_true(asks(text, 2000));
	}
	descriptors = descriptor_count(rig.proxy);
	load_start(false);
	for (unsigned i = 0; i < KILLS; i++) {
		cleanup_fd int pid_fd = -1;

		pause_ms(PAUSE_MS + (unsigned)(now_us() % 40));
		pid_fd = pidfd_open(rig_worker(&rig), 0);
		assert_true(pid_fd >= 0);
		killed_us[i] = now_us();
		assert_int_equal(pidfd_send_signal(pid_fd, SIGKILL, NULL, 0), 0);
		poll(&(struct pollfd){.fd = pid_fd, .events = POLLIN}, 1, 2000);
		dead_us[i] = now_us();
		snprintf(text, sizeof(text), "back%u-1.allowed.test", i);
		assert_true(asks(text, 5000)); /* sent once: it waits for the next worker */
		back_us[i] = now_us() - killed_us[i];
	}
	load_stop(false);
	lost = lost_count(killed_us, dead_us, KILLS);
	qsort(back_us, KILLS, sizeof(*back_us), compare_times);
	print_message("%d kills under load: an answer again after %.1f ms (median), %.1f ms at most; of %u queries %u lost\n", KILLS,
		(double)back_us[KILLS / 2] / 1000, (double)back_us[KILLS - 1] / 1000, load.sent, lost);
#ifndef __SANITIZE_ADDRESS__ /* which makes a start several times as long */
	assert_true(back_us[KILLS / 2] < 50000);
#endif
	for (unsigned i = 0; i < KEPT_NAMES; i++) {
		snprintf(text, sizeof(text), "203.0.113.%u ", i);
		assert_true(kernel_holds(text));
	}
	assert_int_equal(worker_ask(2000).restarts, KILLS);
	assert_int_equal(descriptor_count(rig.proxy), descriptors);
}

static void each_restart_is_in_the_audit_log(void **state)
{
	cleanup_free char *log = audit_log();
	unsigned lines = 0;

	(void)state;
	for (const char *at = log; (at = strstr(at, "was ended by signal 9; it is started again (restart ")); at++)
		lines++;
	assert_int_equal(lines, KILLS);
	assert_non_null(strstr(log,
		"\"container\":\"rig\",\"action\":\"error\",\"detail\":"
		"\"the forwarder's worker was ended by signal 9; it is started again (restart 1)\"}\n"));
}

static void a_worker_that_hangs_is_replaced_within_seconds(void **state)
{
	pid_t hung = rig_worker(&rig);
	int64_t start_us = now_us();
	cleanup_free char *log = NULL;

	(void)state;
	assert_int_equal(kill(hung, SIGSTOP), 0);
	assert_true(asks("hung-1.allowed.test", 10000));
	print_message("a worker that was stopped is replaced after %.1f s\n", (double)(now_us() - start_us) / 1e6);
	assert_true(now_us() - start_us < 6000000);
	assert_int_not_equal(rig_worker(&rig), hung);
	assert_int_equal(kill(hung, 0), -1);
	log = audit_log();
	assert_non_null(strstr(log, "did not answer any more and was ended; it is started again"));
}

/* With so few that it cannot even wait; then a worker cannot be started either. */
static void a_supervisor_without_descriptors_goes_on_when_it_has_some_again(void **state)
{
	struct rlimit none = {3, 0}, before;

	(void)state;
	assert_int_equal(prlimit(rig.proxy, RLIMIT_NOFILE, NULL, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(prlimit(rig.proxy, RLIMIT_NOFILE, &none, NULL), 0);
	kill(rig_worker(&rig), SIGKILL);
	assert_false(asks("few-1.allowed.test", 300));
	assert_int_equal(prlimit(rig.proxy, RLIMIT_NOFILE, &before, NULL), 0);
	assert_true(asks("few2-1.allowed.test", 5000));
}

static void reload_loses_no_query(void **state)
{
	unsigned before = worker_ask(2000).serial, restarts = worker_ask(2000).restarts, lost;
	struct forwarder_worker worker;

	(void)state;
	load_start(true);
	for (unsigned i = 0; i < RELOADS; i++) {
		pause_ms(PAUSE_MS);
		retire();
		assert_int_equal(worker_ask(8000).serial, before + i + 1);
	}
	load_stop(true);
	lost = lost_count(NULL, NULL, 0);
	worker = worker_ask(2000);
	print_message("%d reloads under load: of %u queries by UDP %u lost, of %u by TCP %u\n", RELOADS, load.sent, lost, load.tcp_sent,
		load.tcp_failed);
	assert_int_equal(lost, 0);
	assert_int_equal(load.tcp_failed, 0);
	assert_int_equal(worker.restarts, restarts); /* asked for, so not counted */
	assert_false(worker.kept);
	assert_string_equal(worker.version, SHIELD_VERSION);
}

/* 2,500 queries of so many names reach a worker that is stopped and killed; the next one lets them wait for their turn, and refuses none. */
static void gather(const char *label, unsigned names)
{
	cleanup_fd int fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_DGRAM);
	static const unsigned count = 2500;
	unsigned answered = 0;
	int64_t start_us;
	int buffer = BUFFER;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)), 0);
	assert_int_equal(setsockopt(rig.upstream_udp, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)), 0);
	pause_ms(PAUSE_MS);
	assert_int_equal(kill(rig_worker(&rig), SIGSTOP), 0);
	for (unsigned i = 0; i < count; i++) {
		uint8_t query[512];
		char name[64];
		size_t length;

		snprintf(name, sizeof(name), "%s%s%u-%u.allowed.test", i % names ? "" : "slow", label, i % names, i % names % 8);
		length = rig_query(query, (uint16_t)i, name, TYPE_A, false);
		assert_int_equal(send(fd, query, length, 0), length);
	}
	assert_int_equal(kill(rig_worker(&rig), SIGKILL), 0);
	start_us = now_us();
	while (answered < count && poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 8000) > 0) {
		assert_true(recv(fd, reply, sizeof(reply), 0) >= MESSAGE_HEADER);
		if ((message_get16(reply + 2) & MESSAGE_RCODE) != RCODE_NOERROR || !message_get16(reply + 6))
			fail_msg("query %u, after %u: rcode %u", message_get16(reply), answered, message_get16(reply + 2) & MESSAGE_RCODE);
		answered++;
	}
	print_message("%u of %u queries of %u names that waited for a worker were answered within %.1f s\n", answered, count, names,
		(double)(now_us() - start_us) / 1e6);
	assert_int_equal(answered, count);
}

static void more_names_than_can_be_asked_at_once_wait_after_a_start(void **state)
{
	(void)state;
	gather("names", 2500);
}

static void more_clients_than_can_wait_at_once_wait_after_a_start(void **state)
{
	(void)state;
	gather("clients", 100);
}

/* It is this worker's, and the next one does not get it. One that never asks holds nobody up for long. */
static void a_connection_that_has_not_asked_yet_when_a_worker_retires_is_waited_for(void **state)
{
	cleanup_fd int fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_STREAM);
	cleanup_fd int silent_fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_STREAM);
	unsigned before = worker_ask(2000).serial;
	struct timeval patience = {.tv_sec = 5};
	uint8_t query[514], prefix[2];
	size_t length = rig_query(query + 2, 7, "late-1.allowed.test", TYPE_A, false);

	(void)state;
	assert_true(fd >= 0 && silent_fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	retire();
	pause_ms(20);
	message_put16(query, (uint16_t)length);
	assert_int_equal(send(fd, query, length + 2, MSG_NOSIGNAL), length + 2);
	assert_int_equal(recv(fd, prefix, 2, MSG_WAITALL), 2);
	assert_int_equal(worker_ask(4000).serial, before + 1);
}

static void the_next_worker_goes_by_the_lists_of_now(void **state)
{
	struct error error = {0};
	struct rule rule;
	bool changed;

	(void)state;
	assert_true(asks("late-1.allowed.test", 2000));
	assert_true(kernel_holds("203.0.113.7 "));
	/* as a command does that is cut off before it tells the forwarder */
	assert_int_equal(rule_parse(&rule, "keep7.allowed.test", strlen("keep7.allowed.test"), NULL), 0);
	assert_int_equal(bundle_list_change(&rig.bundle, BUNDLE_DENY, &rule, &changed, &error), 0);
	kill(rig_worker(&rig), SIGKILL);
	assert_true(asks("late2-1.allowed.test", 5000));
	assert_false(kernel_holds("203.0.113.7 "));
	assert_true(kernel_holds("203.0.113.8 "));
	assert_false(asks("keep7.allowed.test", 2000));
	assert_int_equal(bundle_state_write(&rig.bundle, SHIELD_BLOCK, &error), 0);
	pause_ms(PAUSE_MS);
	kill(rig_worker(&rig), SIGKILL);
	assert_false(asks("late3-1.allowed.test", 5000));
	assert_int_equal(message_get16(reply + 2) & MESSAGE_RCODE, RCODE_NXDOMAIN);
	assert_int_equal(bundle_state_write(&rig.bundle, SHIELD_UP, &error), 0);
	assert_int_equal(control_request(&rig.bundle, "state up", 2000, NULL, &error), 0);
	assert_true(asks("late3-1.allowed.test", 5000));
}

/* What a name that does not fit into an element's comment brought: nobody could say later that it is to go. */
static void what_nobody_can_name_does_not_outlive_its_worker(void **state)
{
	(void)state;
	free(rig_shell(&rig, "nft add element inet terok_shield learned_v4 { 192.0.2.99 timeout 1h }"));
	assert_true(kernel_holds("192.0.2.99 "));
	pause_ms(PAUSE_MS);
	kill(rig_worker(&rig), SIGKILL);
	assert_true(asks("nameless-1.allowed.test", 5000));
	assert_false(kernel_holds("192.0.2.99 "));
}

/* It has given up as much as its worker, and its worker starts with no more. */
static void neither_process_has_more_than_net_admin(void **state)
{
	pid_t pids[] = {rig.proxy, rig_worker(&rig)};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		cleanup_free char *status = rig_shell(&rig, "cat /proc/%d/status", (int)pids[i]);

		assert_non_null(strstr(status, "CapPrm:\t0000000000001000\n"));
		assert_non_null(strstr(status, "CapEff:\t0000000000001000\n"));
		assert_non_null(strstr(status, "CapBnd:\t0000000000001000\n"));
		assert_non_null(strstr(status, "CapInh:\t0000000000000000\n"));
		assert_non_null(strstr(status, "NoNewPrivs:\t1\n"));
#ifndef __SANITIZE_ADDRESS__
		assert_non_null(strstr(status, "Seccomp:\t2\n"));
#endif
	}
}

static bool is_gone(pid_t pid, unsigned timeout_ms)
{
	for (unsigned i = 0; i < timeout_ms / 10; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid || kill(pid, 0))
			return true;
		pause_ms(10);
	}
	return false;
}

static void without_its_supervisor_there_is_no_worker_no_answer_and_the_rules_hold(void **state)
{
	pid_t worker = rig_worker(&rig);
	struct error error = {0};
	cleanup_free char *before = rig_shell(&rig, "nft -t list table inet terok_shield"), *after = NULL;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0); /* else whoever is process 1 here would have to wait for it */
	kill(rig.proxy, SIGKILL);
	assert_int_equal(waitpid(rig.proxy, NULL, 0), rig.proxy);
	rig.proxy = -1;
	assert_true(is_gone(worker, 2000));
	assert_int_equal(rig_ask(&rig, "orphan-1.allowed.test", TYPE_A, 1000, reply), 0);
	assert_int_equal(control_request(&rig.bundle, "ping", 1000, NULL, &error), -ECONNREFUSED);
	after = rig_shell(&rig, "nft -t list table inet terok_shield");
	assert_string_equal(before, after);
	assert_true(kernel_holds("203.0.113.8 "));
}

static void an_answer_that_says_nothing_of_a_worker_is_not_believed(void **state)
{
	static const char *const answers[] = {"", "version 1\n", "version 1\nserial 2\nrestarts 3\nkept 4\n",
		"version 1\nserial 2\nrestarts x\nkept 0\n", "version \x1b[1m\nserial 2\nrestarts 3\nkept 0\n"};
	struct forwarder_worker worker;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		assert_int_equal(forwarder_parse(answers[i], &worker), -EPROTO);
		assert_int_equal(worker.restarts, 0);
	}
	assert_int_equal(forwarder_parse("version 1\nserial 0\nrestarts 0\nkept 0\nfails tls://192.0.2.1:853#a.test why\nlater x\nfails b \033[31m", &worker), 0);
	assert_int_equal(worker.failing_count, 2);
	assert_string_equal(worker.failing[0], "tls://192.0.2.1:853#a.test why");
	assert_string_equal(worker.failing[1], "b \\x1b[31m");
	assert_int_equal(forwarder_parse("version 1.2.3\nserial 4\nrestarts 3\nkept 1\n", &worker), 0);
	assert_int_equal(worker.failing_count, 0);
	assert_string_equal(worker.version, "1.2.3");
	assert_int_equal(worker.serial, 4);
	assert_int_equal(worker.restarts, 3);
	assert_true(worker.kept);
}

/* ---- with workers that are no good: the program is a file of the test's ---- */

static char program[128];

static void program_make(const char *script)
{
	char other[160];
	cleanup_text struct text text = {0};
	cleanup_fd int fd = -1;

	snprintf(program, sizeof(program), "%s/worker", rig.folder);
	snprintf(other, sizeof(other), "%s.new", program);
	text_addf(&text, "#!/bin/sh\necho x >>%s/starts\n%s\n", rig.folder, script);
	fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	assert_true(fd >= 0 && !file_write_all(fd, text.data, text.length));
	assert_int_equal(rename(other, program), 0); /* as a package's upgrade does */
	rig.worker = program;
}

/* The real program as a file of the test's. */
static void program_copy(void)
{
	cleanup_text struct text command = {0};

	snprintf(program, sizeof(program), "%s/worker", rig.folder);
	text_addf(&command, "cp \"$(dirname \"$(readlink /proc/%d/exe)\")/terok-shield-proxy\" %s", (int)getpid(), program);
	assert_int_equal(system(command.data), 0);
	rig.worker = program;
}

static unsigned starts(void)
{
	cleanup_free char *text = NULL;
	size_t length = 0;

	return file_read(rig.bundle.fd, "starts", 1 << 20, &text, &length) ? 0 : (unsigned)length / 2;
}

/* The supervisor that rig_forwarder() started. */
static void supervisor_end(void)
{
	int status;

	kill(rig.proxy, SIGTERM);
	assert_int_equal(waitpid(rig.proxy, &status, 0), rig.proxy);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	rig.proxy = -1;
	rig.worker = NULL;
	unlinkat(rig.bundle.fd, "starts", 0);
}

static void a_first_worker_that_fails_is_the_end_with_the_reason(void **state)
{
	int status;

	(void)state;
	program_make("exit 3");
	assert_string_equal(rig_forwarder(&rig), "error: the forwarder's worker ended before it was ready with status 3");
	assert_int_equal(waitpid(rig.proxy, &status, 0), rig.proxy);
	program_make("printf 'error: no \"luck\"\\n' >&3; exit 1");
	assert_string_equal(rig_forwarder(&rig), "error: the forwarder's worker could not start: no ?luck?");
	assert_int_equal(waitpid(rig.proxy, &status, 0), rig.proxy);
	rig.proxy = -1;
	rig.worker = NULL;
	unlinkat(rig.bundle.fd, "starts", 0);
}

static void a_worker_that_does_nothing_is_replaced_and_a_busy_one_is_not(void **state)
{
	(void)state;
	program_make("echo ready >&3; exec sleep 60");
	assert_string_equal(rig_forwarder(&rig), "ready");
	pause_ms(5500);
	assert_in_range(starts(), 2, 3);
	supervisor_end();
	program_make("echo ready >&3; while :; do :; done");
	assert_string_equal(rig_forwarder(&rig), "ready");
	pause_ms(7000);
	assert_int_equal(starts(), 1);
	supervisor_end();
}

static void one_that_keeps_dying_is_started_ever_later(void **state)
{
	(void)state;
	program_make("echo ready >&3; exit 1");
	assert_string_equal(rig_forwarder(&rig), "ready");
	pause_ms(3500); /* at 0, 0, 50, 150, 350, 750, 1550, 3150 ms and the time that a start takes */
	assert_in_range(starts(), 5, 8);
	supervisor_end();
}

static void a_file_that_was_replaced_changes_nothing_until_reload_and_a_bad_one_nothing_at_all(void **state)
{
	struct forwarder_worker worker;
	cleanup_free char *log = NULL;

	(void)state;
	program_copy();
	assert_string_equal(rig_forwarder(&rig), "ready");
	program_make("exit 5");
	pause_ms(PAUSE_MS);
	kill(rig_worker(&rig), SIGKILL);
	assert_true(asks("upgrade-1.allowed.test", 5000));
	assert_int_equal(starts(), 0);
	assert_int_equal(worker_ask(2000).serial, 1);
	pause_ms(PAUSE_MS);
	retire();
	worker = worker_ask(8000);
	assert_int_equal(starts(), 1);
	assert_int_equal(worker.serial, 3); /* the bad one was the second */
	assert_true(worker.kept);
	assert_true(asks("upgrade2-1.allowed.test", 5000));
	log = audit_log();
	assert_non_null(strstr(log, "ended before it was ready with status 5"));
	unlink(program);
	program_copy();
	pause_ms(PAUSE_MS);
	retire();
	assert_false(worker_ask(8000).kept);
	supervisor_end();
}

/* Last: it ends the container. */
static void both_end_with_the_containers_init_and_leave_nothing(void **state)
{
	struct error error = {0};
	int status;
	pid_t worker;

	(void)state;
	assert_string_equal(rig_forwarder(&rig), "ready");
	worker = rig_worker(&rig);
	kill(rig.init, SIGKILL);
	for (unsigned i = 0; i < 200; i++) {
		if (waitpid(rig.proxy, &status, WNOHANG) == rig.proxy) {
			rig.proxy = -1;
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
			assert_true(is_gone(worker, 1000));
			assert_int_equal(control_request(&rig.bundle, "ping", 1000, NULL, &error), -ENOENT);
			return;
		}
		pause_ms(10);
	}
	fail_msg("the supervisor outlived its container");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_worker_costs_the_queries_in_flight_and_no_element),
		cmocka_unit_test(each_restart_is_in_the_audit_log),
		cmocka_unit_test(a_worker_that_hangs_is_replaced_within_seconds),
		cmocka_unit_test(reload_loses_no_query),
		cmocka_unit_test(more_names_than_can_be_asked_at_once_wait_after_a_start),
		cmocka_unit_test(more_clients_than_can_wait_at_once_wait_after_a_start),
		cmocka_unit_test(a_connection_that_has_not_asked_yet_when_a_worker_retires_is_waited_for),
		cmocka_unit_test(a_supervisor_without_descriptors_goes_on_when_it_has_some_again),
		cmocka_unit_test(the_next_worker_goes_by_the_lists_of_now),
		cmocka_unit_test(what_nobody_can_name_does_not_outlive_its_worker),
		cmocka_unit_test(neither_process_has_more_than_net_admin),
		cmocka_unit_test(without_its_supervisor_there_is_no_worker_no_answer_and_the_rules_hold),
		cmocka_unit_test(an_answer_that_says_nothing_of_a_worker_is_not_believed),
		cmocka_unit_test(a_first_worker_that_fails_is_the_end_with_the_reason),
		cmocka_unit_test(a_worker_that_does_nothing_is_replaced_and_a_busy_one_is_not),
		cmocka_unit_test(one_that_keeps_dying_is_started_ever_later),
		cmocka_unit_test(a_file_that_was_replaced_changes_nothing_until_reload_and_a_bad_one_nothing_at_all),
		cmocka_unit_test(both_end_with_the_containers_init_and_leave_nothing),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
