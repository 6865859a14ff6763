/* A flood from inside: RATE packets a second of whatever a hostile workload can send, for ten minutes, and beside it a program that wants to work.
 *
 * The forwarder is the real one, supervisor and worker. One process inside its namespace sends the flood, paced; one asks allowed names as a stub resolver does,
 * from a socket of its own for each, and does not ask again: a question without a right answer within PATIENCE_MS is lost, where a stub would have asked a second time.
 * The upstream notes every name that nobody allows.
 *
 * SHIELD_FULL=1: 600 s, and the rate must be reached. Otherwise 10 s, and the rate that was reached is printed only: it says more about the machine then.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "policy/settings.h"
#include "support/rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define RATE       20000 /* packets a second that are offered */
#define REACHED    0.99  /* of that, in the full run */
#define FULL_S     600
#define SHORT_S    10
#define WARM_S     3  /* before memory has to be flat, or a tenth of the run: the activity's table is full by then */
#define BATCH      64 /* packets that are owed at most before they are sent together */
#define QUERY_ROOM 512
#define OVERSIZE   16000
#define SENDER_UDP 8  /* sockets towards the forwarder, half of them over IPv6 */
#define HALF_OPEN  48 /* connections that stand about */
#define DNS_PORT   53
#define TYPE_TXT   16
#define BLOCKED_V4 "192.0.2.77"
#define BLOCKED_V6 "2001:db8::77"

#define ASK_EVERY_US 5000
#define PATIENCE_MS  5000
#define WAITING_MAX  2048 /* more than are asked in PATIENCE_MS */
#define ASKED_MAX    (FULL_S * (1000000 / ASK_EVERY_US) + 1000)
#define LOST_MAX     0.01
#define RULES        64   /* for new names: no rule's budget is reached */
#define CACHED_NAMES 200
#define POOL         500 /* addresses of all names together */

/* Of the worker and of the supervisor, after that. With sanitizers only the other promises are tried: they keep what was freed. */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_MAX_KIB (400 << 10)
#else
#define GROWTH_MAX_KIB 1024
#endif
#define FILL_NAMES  2400 /* whose answers fill the cache */
#define FILL_OCTETS 1000

/* The octet that tells allowed names apart: how long their answers live, and how long they are. */
enum { NAME_CACHED = 'c', NAME_UNCACHED = 'u', NAME_NEW = 'n', NAME_FILL = 'f' };

static struct rig rig;

/* Between the processes. */
static struct shared {
	uint64_t offered, offered_by_kind[16];
	uint64_t begun_ns, ended_ns;
	uint32_t asked, answered, wrong;
	uint32_t latencies_us[ASKED_MAX];
	bool full;
	unsigned seconds;
} * shared;

static unsigned strangers; /* names that left and that no rule allows; atomically counted */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void pause_us(unsigned us)
{
	nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L}, NULL);
}

/* The sender's and the client's own, so that a draw costs nothing: xorshift (Marsaglia). */
static uint32_t draw(void)
{
	static uint32_t state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* ---- the upstream ---- */

static bool name_is_allowed(const uint8_t *query, size_t length)
{
	static const char *const allowed[] = {"\7allowed\4test", "\4wild\4test"};
	size_t end = message_name_skip(query, length, MESSAGE_HEADER);

	for (size_t i = 0; i < COUNT(allowed); i++) {
		size_t size = strlen(allowed[i]) + 1;

		if (end >= MESSAGE_HEADER + size && !strncasecmp((const char *)query + end - size, allowed[i], size - 1))
			return true;
	}
	return false;
}

static uint8_t filling[FILL_OCTETS]; /* empty strings */

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);
	uint32_t hash = 2166136261u, ttl_s;

	(void)context;
	(void)tcp;
	if (!name_is_allowed(query, length))
		__atomic_add_fetch(&strangers, 1, __ATOMIC_SEQ_CST);
	if (query[MESSAGE_HEADER + 1] == NAME_FILL)
		return rig_record(out, at, 0, NULL, TYPE_TXT, 3600, filling, sizeof(filling));
	if (message_get16(out + at - 4) != TYPE_A)
		return at;
	for (size_t i = MESSAGE_HEADER; i < at - 4; i++)
		hash = (hash ^ query[i]) * 16777619u;
	ttl_s = query[MESSAGE_HEADER + 1] == NAME_CACHED ? 3600 : query[MESSAGE_HEADER + 1] == NAME_NEW ? 20 : 0;
	hash %= POOL;
	return rig_record(out, at, 0, NULL, TYPE_A, ttl_s,
		hash < 250 ? (uint8_t[]){198, 51, 100, (uint8_t)hash} : (uint8_t[]){203, 0, 113, (uint8_t)hash}, 4);
}

/* ---- the flood ---- */

/* Everything that the sender has; its sockets do not wait and nobody reads what comes back. */
static struct {
	int udp[SENDER_UDP], away[2];
	int streams[HALF_OPEN];
	unsigned next_stream, next_udp;
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	uint8_t octets[BATCH][QUERY_ROOM];
	unsigned count;
} sender;

static uint8_t oversize[OVERSIZE];

static size_t random_name(uint8_t *out, uint8_t first, const char *below)
{
	size_t size = strlen(below) + 1;

	out[0] = 24;
	out[1] = first;
	for (unsigned i = 2; i < 25; i++)
		out[i] = (uint8_t)('a' + draw() % 26);
	memcpy(out + 25, below, size);
	return 25 + size;
}

static size_t query_write(uint8_t *out, size_t name_length, uint16_t type)
{
	size_t length = MESSAGE_HEADER + name_length;

	memset(out, 0, MESSAGE_HEADER);
	message_put16(out, (uint16_t)draw());
	message_put16(out + 2, MESSAGE_RD);
	out[5] = 1;
	message_put16(out + length, type);
	message_put16(out + length + 2, MESSAGE_CLASS_IN);
	return length + 4;
}

static size_t denied_name(uint8_t *out)
{
	static const uint16_t types[] = {TYPE_A, TYPE_AAAA, TYPE_TXT, TYPE_HTTPS};

	return query_write(out, random_name(out + MESSAGE_HEADER, 'd', "\5flood\7example"), types[draw() % COUNT(types)]);
}

static size_t subname(uint8_t *out)
{
	return query_write(out, random_name(out + MESSAGE_HEADER, 's', "\4wild\4test"), TYPE_A);
}

static size_t garbage(uint8_t *out)
{
	size_t length = 1 + draw() % 300;

	for (size_t i = 0; i < length; i++)
		out[i] = (uint8_t)draw();
	return length;
}

static size_t two_questions(uint8_t *out)
{
	size_t length = denied_name(out);

	out[5] = 2;
	memcpy(out + length, out + MESSAGE_HEADER, length - MESSAGE_HEADER);
	return 2 * length - MESSAGE_HEADER;
}

static size_t pointer_loop(uint8_t *out)
{
	static const uint8_t loop[] = {3, 'w', 'w', 'w', 0xc0, MESSAGE_HEADER};

	memcpy(out + MESSAGE_HEADER, loop, sizeof(loop));
	return query_write(out, sizeof(loop), TYPE_A);
}

static size_t any(uint8_t *out)
{
	return query_write(out, random_name(out + MESSAGE_HEADER, 'y', "\4wild\4test"), TYPE_ANY);
}

/* A refusal comes back as the send's own error: it was offered all the same. */
static void blocked_send(void)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(1 + draw() % 65000))};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = v4.sin_port};

	if (v4.sin_port == htons(DNS_PORT))
		v4.sin_port = v6.sin6_port = htons(443);
	inet_pton(AF_INET, BLOCKED_V4, &v4.sin_addr);
	inet_pton(AF_INET6, BLOCKED_V6, &v6.sin6_addr);
	if (draw() & 1)
		(void)!sendto(sender.away[0], "x", 1, MSG_DONTWAIT, (const struct sockaddr *)&v4, sizeof(v4));
	else
		(void)!sendto(sender.away[1], "x", 1, MSG_DONTWAIT, (const struct sockaddr *)&v6, sizeof(v6));
}

/* A connection with half a length sent; the one that has stood for the longest time goes for it. */
static void half_open(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int *fd = &sender.streams[sender.next_stream++ % HALF_OPEN];

	if (*fd >= 0)
		close(*fd);
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd >= 0 && !connect(*fd, (const struct sockaddr *)&address, sizeof(address)))
		(void)!send(*fd, "", 1, MSG_NOSIGNAL);
}

static void oversize_send(void)
{
	query_write(oversize, random_name(oversize + MESSAGE_HEADER, 'o', "\4wild\4test"), TYPE_A); /* the rest is behind the question */
	(void)!send(sender.udp[sender.next_udp++ % SENDER_UDP], oversize, sizeof(oversize), MSG_DONTWAIT);
}

static const struct kind {
	const char *what;
	unsigned percent;
	size_t (*write)(uint8_t *out); /* a datagram to the forwarder, or else */
	void (*send)(void);
} kinds[] = {
	{"denied names", 30, denied_name, NULL},
	{"malformed", 12, garbage, NULL},
	{"two questions", 8, two_questions, NULL},
	{"compression loops", 8, pointer_loop, NULL},
	{"ANY", 6, any, NULL},
	{"random subnames", 14, subname, NULL},
	{"to blocked addresses", 16, NULL, blocked_send},
	{"half-open TCP", 2, NULL, half_open},
	{"oversize", 4, NULL, oversize_send},
};

static unsigned kind_draw(void)
{
	unsigned at = draw() % 100, kind = 0;

	while (at >= kinds[kind].percent)
		at -= kinds[kind++].percent;
	return kind;
}

static int inside_udp(int family, const char *address, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, address, &v4.sin_addr);
	inet_pton(AF_INET6, address, &v6.sin6_addr);
	if (port && (family == AF_INET ? connect(fd, (struct sockaddr *)&v4, sizeof(v4)) : connect(fd, (struct sockaddr *)&v6, sizeof(v6))))
		_exit(2);
	return fd;
}

static void sender_flush(void)
{
	for (unsigned sent = 0; sent < sender.count;) {
		int result =
			sendmmsg(sender.udp[sender.next_udp++ % SENDER_UDP], sender.messages + sent, sender.count - sent, MSG_DONTWAIT);

		sent += result > 0 ? (unsigned)result : 1;
	}
	sender.count = 0;
}

static void packet_offer(void)
{
	unsigned kind = kind_draw();

	shared->offered_by_kind[kind]++;
	shared->offered++;
	if (kinds[kind].send) {
		kinds[kind].send();
		return;
	}
	sender.vectors[sender.count] = (struct iovec){sender.octets[sender.count], kinds[kind].write(sender.octets[sender.count])};
	sender.messages[sender.count].msg_hdr = (struct msghdr){.msg_iov = &sender.vectors[sender.count], .msg_iovlen = 1};
	if (++sender.count == BATCH)
		sender_flush();
}

static void sender_run(void)
{
	uint64_t end_ns;

	for (unsigned i = 0; i < SENDER_UDP; i++)
		sender.udp[i] = i % 2 ? inside_udp(AF_INET6, "::1", DNS_PORT) : inside_udp(AF_INET, "127.0.0.1", DNS_PORT);
	sender.away[0] = inside_udp(AF_INET, "", 0);
	sender.away[1] = inside_udp(AF_INET6, "", 0);
	memset(sender.streams, -1, sizeof(sender.streams));
	shared->begun_ns = now_ns();
	end_ns = shared->begun_ns + shared->seconds * 1000000000ull;
	while (now_ns() < end_ns) {
		uint64_t owed = (now_ns() - shared->begun_ns) * RATE / 1000000000u;

		for (unsigned i = 0; i < BATCH && shared->offered < owed; i++)
			packet_offer();
		sender_flush();
		if (shared->offered >= owed)
			pause_us(1000);
	}
	shared->ended_ns = now_ns();
}

/* ---- who wants to work ---- */

struct waiting {
	int fd;
	uint16_t id;
	uint64_t sent_ns;
};

/* Asked in the order of their numbers; answered in any. */
static struct {
	struct waiting ring[WAITING_MAX];
	uint32_t first, end;
	int epoll;
} client = {.epoll = -1};

static void client_name(uint32_t number, char *name, size_t size)
{
	switch (number % 4) {
	case 0:
	case 1:
		snprintf(name, size, "c%u.r0.allowed.test", draw() % CACHED_NAMES);
		return;
	case 2:
		snprintf(name, size, "u%u.r0.allowed.test", draw() % CACHED_NAMES);
		return;
	}
	snprintf(name, size, "n%u.r%u.allowed.test", number, number / 4 % RULES);
}

static void client_ask(uint32_t number)
{
	struct waiting *waiting = &client.ring[number % WAITING_MAX];
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
	uint8_t query[QUERY_ROOM];
	char name[64];
	size_t length;

	client_name(number, name, sizeof(name));
	waiting->fd = number % 2 ? inside_udp(AF_INET6, "::1", DNS_PORT) : inside_udp(AF_INET, "127.0.0.1", DNS_PORT);
	waiting->id = (uint16_t)draw();
	length = rig_query(query, waiting->id, name, TYPE_A, true);
	epoll_ctl(client.epoll, EPOLL_CTL_ADD, waiting->fd, &event);
	waiting->sent_ns = now_ns();
	(void)!send(waiting->fd, query, length, 0);
	shared->asked++;
}

static void waiting_end(struct waiting *waiting)
{
	close(waiting->fd);
	waiting->fd = -1;
}

static void client_receive(uint32_t number)
{
	static uint8_t answer[MESSAGE_MAX];
	struct waiting *waiting = &client.ring[number % WAITING_MAX];
	ssize_t length = recv(waiting->fd, answer, sizeof(answer), MSG_DONTWAIT);

	if (length < MESSAGE_HEADER || message_get16(answer) != waiting->id)
		return;
	if ((message_get16(answer + 2) & MESSAGE_RCODE) == RCODE_NOERROR && message_get16(answer + 6))
		shared->latencies_us[shared->answered++] = (uint32_t)((now_ns() - waiting->sent_ns) / 1000);
	else
		shared->wrong++;
	waiting_end(waiting);
}

static void client_expire(bool all)
{
	uint64_t before_ns = now_ns() - PATIENCE_MS * 1000000ull;

	for (; client.first < client.end; client.first++) {
		struct waiting *waiting = &client.ring[client.first % WAITING_MAX];

		if (waiting->fd >= 0 && waiting->sent_ns > before_ns && !all)
			return;
		if (waiting->fd >= 0)
			waiting_end(waiting);
	}
}

static void client_listen(int timeout_ms)
{
	struct epoll_event events[64];
	int count = epoll_wait(client.epoll, events, COUNT(events), timeout_ms);

	for (int i = 0; i < count; i++)
		client_receive(events[i].data.u32);
}

static void client_run(void)
{
	uint64_t begun_ns = now_ns(), end_ns = begun_ns + shared->seconds * 1000000000ull;

	client.epoll = epoll_create1(EPOLL_CLOEXEC);
	while (now_ns() < end_ns + PATIENCE_MS * 1000000ull && (now_ns() < end_ns || client.first < client.end)) {
		uint64_t owed = now_ns() < end_ns ? (now_ns() - begun_ns) / (ASK_EVERY_US * 1000u) : 0;

		while (client.end < owed && client.end < ASKED_MAX && client.end - client.first < WAITING_MAX)
			client_ask(client.end++);
		client_listen(1);
		client_expire(false);
	}
	client_expire(true);
}

/* ---- measuring ---- */

static unsigned rss_kib(pid_t pid)
{
	char path[64], line[256];
	cleanup_stream FILE *stream = NULL;
	unsigned kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	stream = fopen(path, "re");
	while (stream && fgets(line, sizeof(line), stream))
		if (sscanf(line, "VmRSS: %u kB", &kib) == 1)
			break;
	return kib;
}

struct memory {
	unsigned worker_kib, supervisor_kib;
};

static struct memory memory_now(void)
{
	return (struct memory){rss_kib(rig_worker(&rig)), rss_kib(rig.proxy)};
}

static pid_t inside_start(void (*run)(void))
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (netns_enter(rig.inside_fd, NULL))
		_exit(2);
	run();
	_exit(0);
}

static int compare_latencies(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static double latency_ms(double part)
{
	return shared->answered ? shared->latencies_us[(uint32_t)(part * (shared->answered - 1))] / 1000.0 : 0;
}

static double flood_print(void)
{
	double seconds = (double)(shared->ended_ns - shared->begun_ns) / 1e9, rate = (double)shared->offered / seconds;
	uint32_t lost = shared->asked - shared->answered;

	printf("offered %llu packets in %.1f s: %.0f a second\n", (unsigned long long)shared->offered, seconds, rate);
	for (size_t i = 0; i < COUNT(kinds); i++)
		printf("  %-22s %llu\n", kinds[i].what, (unsigned long long)shared->offered_by_kind[i]);
	qsort(shared->latencies_us, shared->answered, sizeof(*shared->latencies_us), compare_latencies);
	printf("asked %u, lost %u (%.3f %%, of these %u answered with an error); p50 %.2f ms, p99 %.2f ms, worst %.2f ms\n", shared->asked,
		lost, 100.0 * lost / shared->asked, shared->wrong, latency_ms(0.5), latency_ms(0.99), latency_ms(1));
	return rate;
}

static void memory_print(const char *when, const struct memory *memory)
{
	printf("RSS %-6s worker %u KiB, supervisor %u KiB\n", when, memory->worker_kib, memory->supervisor_kib);
}

static void child_join(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The cache has a fixed size and is touched as it fills; that is over before memory has to be flat. */
static void cache_fill(void)
{
	static uint8_t reply[MESSAGE_MAX];
	char name[64];

	for (unsigned i = 0; i < FILL_NAMES; i++) {
		snprintf(name, sizeof(name), "f%u.r%u.allowed.test", i, i % RULES);
		assert_true(rig_ask(&rig, name, TYPE_TXT, PATIENCE_MS, reply) > FILL_OCTETS);
	}
}

static void allowed_names_resolve_under_a_flood_and_memory_stays_flat(void **state)
{
	struct memory before = memory_now(), warm, after;
	pid_t worker = rig_worker(&rig), sending, asking;
	double rate;

	(void)state;
	cache_fill();
	sending = inside_start(sender_run);
	asking = inside_start(client_run);
	pause_us((shared->seconds > 10 * WARM_S ? shared->seconds / 10 : WARM_S) * 1000000u);
	warm = memory_now();
	child_join(sending);
	after = memory_now();
	child_join(asking);
	rate = flood_print();
	memory_print("before", &before);
	memory_print("warm", &warm);
	memory_print("after", &after);
	assert_int_equal(rig_worker(&rig), worker);
	assert_int_equal(__atomic_load_n(&strangers, __ATOMIC_SEQ_CST), 0);
	assert_true(shared->asked > shared->seconds * 100);
	assert_true((double)(shared->asked - shared->answered) < LOST_MAX * shared->asked);
	assert_true(after.worker_kib <= warm.worker_kib + GROWTH_MAX_KIB);
	assert_true(after.supervisor_kib <= before.supervisor_kib + GROWTH_MAX_KIB);
	if (shared->full)
		assert_true(rate >= REACHED * RATE);
}

static void namespace_route(void)
{
	/* an address and a route, so that packets get as far as the rules */
	free(rig_shell(&rig,
		"ip link add v0 type veth peer name v1; ip addr add 192.0.2.2/24 dev v0; ip -6 addr add 2001:db8::2/64 dev v0 nodad; "
		"ip link set v0 up; ip link set v1 up; ip route add default via 192.0.2.1; ip -6 route add default via 2001:db8::1"));
}

static int group_setup(void **state)
{
	const char *full = getenv("SHIELD_FULL");
	char domains[RULES * 32 + 32] = "*.wild.test\n";

	(void)state;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -1;
	shared->full = full && *full;
	shared->seconds = shared->full ? FULL_S : SHORT_S;
	for (unsigned i = 0; i < RULES; i++)
		snprintf(domains + strlen(domains), sizeof(domains) - strlen(domains), "r%u.allowed.test\n", i);
	rig_start(&rig, domains, "", upstream, NULL);
	rig.settings.budget_names = SETTINGS_BUDGET_NAMES;
	rig.settings.budget_octets = SETTINGS_BUDGET_OCTETS;
	namespace_route();
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allowed_names_resolve_under_a_flood_and_memory_stays_flat),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
