/* shield-bench-events: what a flood of events costs DNS. Called by bench/events; docs/benchmarks.md says what the figures are.
 *
 * Theory of operation. The rig's two namespaces, the real forwarder, the rig's scripted upstream. A child in the inside sends datagrams
 * that the rules refuse, each to another address, at a steady rate; each is an event. This process asks names one after the other and
 * takes the time of each answer. Short stretches without and with the flood follow each other, so that whatever else the machine does
 * meets both alike; the figures are medians over all answers of a kind. In a third kind of stretch the same datagrams are refused by
 * rules that do not log: what is left between the second and the third is what the events cost, the rest is what the flood itself does
 * to the machine. Somebody reads the events all the time. At the end every datagram must have been seen, or counted as lost.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "fw/nft.h"
#include "state/control.h"
#include "support/rig.h"
#include "support/stream.h"

#define RATE        100000 /* datagrams a second */
#define TICK_US     2000   /* so many of them at once: RATE * TICK_US / 1000000 */
#define CATCH_UP_MS 100LL
#define STRETCH_MS  400
#define SAMPLES_MAX 400000
#define CACHED      50 /* of a hundred questions: about names that were asked before */

enum stretch_kind { QUIET, EVENTS, UNLOGGED, STRETCH_KINDS };
static const char *const kind_names[] = {"no flood", "flood, events read", "the same flood, not logged"};

/* Shared with the child that floods. */
struct order {
	volatile int on;
	volatile uint64_t sent;
};

static struct rig rig;
static struct order *order;
static uint32_t *samples[STRETCH_KINDS];
static size_t counts[STRETCH_KINDS];
static volatile uint64_t events_read, events_lost_kernel, events_lost_reader;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "shield-bench-events: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static uint32_t next;
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);
	uint32_t address = htonl(0xc6336400u + next++ % 256);

	(void)context;
	(void)tcp;
	return rig_record(out, at, 0, NULL, TYPE_A, 600, &address, sizeof(address));
}

static void __attribute__((noreturn)) flood_run(void)
{
	uint64_t next_ns = now_ns();
	uint32_t destination = 0;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (netns_enter(rig.inside_fd, NULL) || (fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
		_exit(1);
	for (;;) {
		unsigned burst = order->on ? RATE / (1000000 / TICK_US) : 0;
		int64_t wait_ns;

		for (unsigned i = 0; i < burst; i++) {
			struct sockaddr_in to = {.sin_family = AF_INET,
				.sin_port = htons(9),
				.sin_addr.s_addr = htonl(0xcb400000u + destination++ % 0x3fffff)};

			sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
		}
		order->sent += burst;
		next_ns += TICK_US * 1000u;
		wait_ns = (int64_t)(next_ns - now_ns());
		if (wait_ns > 0)
			nanosleep(&(struct timespec){.tv_nsec = wait_ns}, NULL);
		else if (wait_ns < -CATCH_UP_MS * 1000000)
			next_ns = now_ns() - CATCH_UP_MS * 1000000; /* what it is further behind is not made up for */
	}
}

static void *read_events(void *context)
{
	static struct stream stream;
	const char *line;

	(void)context;
	stream_open(&stream, &rig);
	while ((line = stream_line(&stream, 600000))) {
		if (!strstr(line, "\"action\":\"lost\""))
			events_read++;
		else if (strstr(line, "\"detail\":\"kernel\""))
			events_lost_kernel += stream_number(line, "count");
		else
			events_lost_reader += stream_number(line, "count");
	}
	return NULL;
}

static uint64_t stat_of(const char *key)
{
	cleanup_text struct text answer = {0};
	char wanted[64];
	const char *at;

	if (control_request(&rig.bundle, "stats", 5000, &answer, NULL))
		die("stats");
	snprintf(wanted, sizeof(wanted), "\n%s ", key);
	at = strstr(answer.data, wanted);
	return at ? strtoull(at + strlen(wanted), NULL, 10) : 0;
}

/* With and without the words that log. */
static int rules_apply(void *context, struct error *error)
{
	return nft_apply(context, error);
}

static void rules_set(bool logged)
{
	static const char refuse[] = "flush chain inet terok_shield blocked; add rule inet terok_shield blocked counter %s; "
				     "add rule inet terok_shield blocked reject with icmpx admin-prohibited";
	char commands[512];
	struct error error = {0};

	snprintf(commands, sizeof(commands), refuse,
		logged ? "log prefix \"TEROK_SHIELD_BLOCKED\" group 100 snaplen 128 queue-threshold 32" : "");
	if (netns_run(rig.inside_fd, rules_apply, commands, &error)) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
}

static void stretch_run(int fd, enum stretch_kind kind)
{
	static uint32_t asked;
	uint64_t end_ns;
	uint8_t query[512], reply[MESSAGE_MAX];

	rules_set(kind != UNLOGGED);
	order->on = kind != QUIET;
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	end_ns = now_ns() + STRETCH_MS * 1000000ull;
	while (now_ns() < end_ns && counts[kind] < SAMPLES_MAX) {
		char name[64];
		uint64_t begun_ns;
		size_t length;

		snprintf(name, sizeof(name), "n%u.allowed.test", asked % 100 < CACHED ? asked % 100 : asked);
		length = rig_query(query, (uint16_t)asked++, name, TYPE_A, true);
		begun_ns = now_ns();
		if (send(fd, query, length, 0) != (ssize_t)length || recv(fd, reply, sizeof(reply), 0) <= 0)
			die("a question was not answered");
		samples[kind][counts[kind]++] = (uint32_t)(now_ns() - begun_ns);
	}
	order->on = 0;
	nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static double quantile_us(enum stretch_kind kind, double part)
{
	return counts[kind] ? samples[kind][(size_t)((double)(counts[kind] - 1) * part)] / 1000.0 : 0;
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
	struct timeval patience = {.tv_sec = 5};
	uint64_t flooded_ns = 0, logged = 0;
	pthread_t reader;
	const char *line;
	pid_t child;
	int fd;

	if (rig_missing()) {
		fprintf(stderr, "shield-bench-events: %s\n", rig_missing());
		return 1;
	}
	order = mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned i = 0; i < STRETCH_KINDS; i++)
		samples[i] = calloc(SAMPLES_MAX, sizeof(uint32_t));
	rig_start(&rig, "allowed.test\n", "", upstream, NULL);
	free(rig_shell(&rig,
		"ip link add out0 type veth peer name sink0 && ip link set sink0 up && ip addr add 192.0.2.2/24 dev out0 && ip link set out0 up && "
		"ip route add default via 192.0.2.1"));
	line = rig_forwarder(&rig);
	if (strcmp(line, "ready")) {
		fprintf(stderr, "%s\n", line);
		return 1;
	}
	child = fork();
	if (!child)
		flood_run();
	pthread_create(&reader, NULL, read_events, NULL);
	fd = rig_socket(&rig, "127.0.0.1", 53, SOCK_DGRAM);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	stretch_run(fd, QUIET); /* warm */
	counts[QUIET] = 0;
	for (unsigned i = 0; i < rounds; i++)
		for (unsigned j = 0; j < STRETCH_KINDS; j++) {
			enum stretch_kind kind = (i + j) % STRETCH_KINDS;
			uint64_t begun_ns = now_ns(), before = order->sent;

			stretch_run(fd, kind);
			if (kind == EVENTS) {
				flooded_ns += now_ns() - begun_ns - 100000000;
				logged += order->sent - before;
			}
		}
	nanosleep(&(struct timespec){.tv_sec = 2}, NULL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (unsigned i = 0; i < STRETCH_KINDS; i++) {
		qsort(samples[i], counts[i], sizeof(uint32_t), compare);
		printf("%-28s %7zu questions  p50 %7.1f us  p90 %7.1f us  p99 %7.1f us\n", kind_names[i], counts[i], quantile_us(i, 0.5),
			quantile_us(i, 0.9), quantile_us(i, 0.99));
	}
	printf("offered %llu events, %.0f a second; seen %llu, lost by the kernel and counted %llu\n", (unsigned long long)logged,
		(double)logged * 1e9 / (double)flooded_ns, (unsigned long long)stat_of("connections_blocked"),
		(unsigned long long)stat_of("lost_kernel"));
	printf("read %llu lines, lost by the reader and counted %llu, told of the kernel's %llu\n", (unsigned long long)events_read,
		(unsigned long long)events_lost_reader, (unsigned long long)events_lost_kernel);
	printf("ratio of the medians: flood to none %.3f, flood to the same flood not logged %.3f\n",
		quantile_us(EVENTS, 0.5) / quantile_us(QUIET, 0.5), quantile_us(EVENTS, 0.5) / quantile_us(UNLOGGED, 0.5));
	rig_stop(&rig);
	return 0;
}
