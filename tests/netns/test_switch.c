/* fw/shift.c under load: a thousand changes of state while a workload sends what some states forbid, over flows that were opened when
 * they did not. Every datagram carries a number; the sender notes what held when it began to send it and when it had sent it, the far
 * end notes which numbers arrived and answers, so that flows become established. A datagram that no state in between allows must not
 * arrive. */
#include "own_netns.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fw/netns.h"
#include "fw/readback.h"
#include "fw/setwriter.h"
#include "fw/shift.h"
#include "fw/nft.h"

#define SWITCHES     1000
#define NUMBERS_MAX  4000000u
#define PAUSE_US     30
#define PORT         7
#define STEP_TIME_US 200 /* how long a state holds, at least */

enum kind { DENIED, DENIED_PORT, DNS, PRIVATE, OTHER, ALLOWED, LEARNED, KINDS };
static const char *const kind_names[KINDS] = {
	"a denied address", "a denied port", "a resolver", "a private address", "any address", "an allowed address", "a learned address"};
static const char *const addresses[KINDS][2] = {
	{"203.0.113.66", "2001:db8:a::66"},
	{"203.0.113.67", "2001:db8:a::67"},
	{"203.0.113.68", "2001:db8:a::68"},
	{"10.1.2.4", "fd00::4"},
	{"198.51.100.77", "2001:db8:c::77"},
	{"203.0.113.1", "2001:db8:a::1"},
	{"198.51.100.9", "2001:db8:d::9"},
};

static bool allows(enum shield_state state, enum kind kind)
{
	switch (kind) {
	case DENIED:
	case DENIED_PORT:
	case DNS:
		return false;
	case PRIVATE:
		return state == SHIELD_DOWN_ALL;
	case OTHER:
		return state == SHIELD_DOWN || state == SHIELD_DOWN_ALL;
	case ALLOWED:
	case LEARNED:
		return state != SHIELD_BLOCK;
	case KINDS:
		break;
	}
	return false;
}

/* Time is counted in steps: in step 2i the i-th state holds, in step 2i+1 it is being changed to the next. */
static enum shield_state history[SWITCHES + 1];
static atomic_uint step;
static atomic_bool finished;

struct number {
	uint32_t first_step, last_step;
	uint8_t kind, family;
};
static struct number *numbers;
static atomic_uchar *arrived;
static uint32_t number_count;

static struct settings settings;
static struct netset allowed, denied;
static pid_t far_end;
static int far_netns = -1;

static void add_net(struct netset *set, const char *text)
{
	struct rule rule;

	assert_int_equal(rule_parse(&rule, text, strlen(text), NULL), 0);
	assert_int_equal(netset_add(set, &rule), 0);
}

static void __attribute__((format(printf, 1, 2))) shell(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command))
		fail_msg("%s", command);
}

/* The far end in a namespace of its own, at the other end of out0's cable, with all the addresses. */
static void far_end_start(void)
{
	int ready[2];
	char octet;

	assert_int_equal(pipe(ready), 0);
	far_end = fork();
	if (!far_end) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test must not leave it, and whoever reads our output waiting */
		if (unshare(CLONE_NEWNET) || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	close(ready[1]);
	far_netns = netns_open(far_end, NULL);
	assert_true(far_netns >= 0);
	shell("ip link set sink0 netns %d && ip neigh flush dev out0 nud permanent; nsenter --net=/proc/%d/ns/net sh -c '"
	      "ip link set lo up && ip link set sink0 up && ip addr add 192.0.2.1/24 dev sink0 && ip addr add 2001:db8::1/64 dev sink0 nodad'",
		far_end, far_end);
	for (size_t i = 0; i < KINDS; i++)
		shell("nsenter --net=/proc/%d/ns/net sh -c 'ip addr add %s/32 dev lo && ip addr add %s/128 dev lo nodad'", far_end,
			addresses[i][0], addresses[i][1]);
}

static int udp_open(enum kind kind, unsigned family, bool listens)
{
	const char *address = addresses[kind][family];
	uint16_t port = kind == DNS ? 53 : PORT;
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	struct sockaddr *name = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t length = is_v4 ? sizeof(v4) : sizeof(v6);
	int fd = socket(name->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (!is_v4)
		inet_pton(AF_INET6, address, &v6.sin6_addr);
	if (listens ? bind(fd, name, length) : connect(fd, name, length)) {
		fprintf(stderr, "%s: %s\n", address, strerror(errno));
		exit(1);
	}
	return fd;
}

static int far_sockets[KINDS * 2], near_sockets[KINDS * 2];

static int far_open(void *context, struct error *error)
{
	(void)context;
	(void)error;
	for (size_t i = 0; i < KINDS * 2; i++)
		far_sockets[i] = udp_open((enum kind)(i / 2), i % 2, true);
	return 0;
}

static void *far_run(void *context)
{
	struct pollfd watched[KINDS * 2];

	(void)context;
	for (size_t i = 0; i < KINDS * 2; i++)
		watched[i] = (struct pollfd){.fd = far_sockets[i], .events = POLLIN};
	while (!finished) {
		poll(watched, KINDS * 2, 50);
		for (size_t i = 0; i < KINDS * 2; i++) {
			struct sockaddr_storage from;
			socklen_t length = sizeof(from);
			uint32_t number;

			while (recvfrom(far_sockets[i], &number, sizeof(number), 0, (struct sockaddr *)&from, &length) == sizeof(number)) {
				if (number < NUMBERS_MAX)
					arrived[number] = 1;
				sendto(far_sockets[i], &number, sizeof(number), 0, (struct sockaddr *)&from, length);
				length = sizeof(from);
			}
		}
	}
	return NULL;
}

static void *near_run(void *context)
{
	uint32_t answer;

	(void)context;
	for (unsigned i = 0; !finished && number_count < NUMBERS_MAX; i = (i + 1) % (KINDS * 2)) {
		struct number *number = &numbers[number_count];

		number->kind = (uint8_t)(i / 2);
		number->family = (uint8_t)(i % 2);
		number->first_step = step;
		while (recv(near_sockets[i], &answer, sizeof(answer), 0) >= 0 || errno == ECONNREFUSED || errno == EACCES)
			;
		(void)!send(near_sockets[i], &number_count, sizeof(number_count), 0);
		number->last_step = step;
		number_count++;
		if (i % 2)
			usleep(PAUSE_US);
	}
	return NULL;
}

static void shift(enum shield_state state)
{
	struct ruleset ruleset = {.state = state, .settings = &settings, .allowed = &allowed, .denied = &denied};
	struct error error = {0};

	if (shift_to(&ruleset, &error))
		fail_msg("%s: %s", shield_state_name(state), error.text);
}

static void run_switches(void)
{
	static const enum shield_state states[] = {SHIELD_UP, SHIELD_DOWN, SHIELD_DOWN_ALL, SHIELD_BLOCK};
	unsigned random = 1;

	for (unsigned i = 1; i <= SWITCHES; i++) {
		do {
			random = random * 1103515245u + 12345u;
			history[i] = states[random >> 16 & 3];
		} while (history[i] == history[i - 1]);
		step++;
		shift(history[i]);
		step++;
		usleep(STEP_TIME_US);
	}
}

static bool was_allowed(const struct number *number)
{
	for (uint32_t at = number->first_step; at <= number->last_step; at++)
		if (allows(history[at / 2], number->kind) || (at % 2 && allows(history[at / 2 + 1], number->kind)))
			return true;
	return false;
}

static void judge(void)
{
	unsigned passed[KINDS][2] = {0}, wrong = 0;

	for (uint32_t i = 0; i < number_count; i++) {
		const struct number *number = &numbers[i];

		if (!arrived[i])
			continue;
		passed[number->kind][number->family]++;
		if (was_allowed(number))
			continue;
		if (wrong++ < 5)
			fprintf(stderr, "a datagram to %s (%s) passed from step %u to %u: %s, then %s\n", kind_names[number->kind],
				number->family ? "IPv6" : "IPv4", number->first_step, number->last_step,
				shield_state_name(history[number->first_step / 2]), shield_state_name(history[(number->last_step + 1) / 2]));
	}
	for (size_t kind = 0; kind < KINDS; kind++)
		for (size_t family = 0; family < 2; family++)
			if ((passed[kind][family] > 50) != (kind >= PRIVATE))
				fail_msg("%u datagrams to %s passed", passed[kind][family], kind_names[kind]);
	if (wrong)
		fail_msg("%u of %u datagrams passed that no state allowed", wrong, number_count);
}

static void prepare_table(struct setwriter *writer)
{
	struct ruleset ruleset = {.state = SHIELD_UP, .settings = &settings, .allowed = &allowed, .denied = &denied};
	cleanup_text struct text commands = {0};
	struct setwriter_key key = {0};

	ruleset_render(&ruleset, &commands);
	assert_int_equal(nft_apply(commands.data, NULL), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(addr_parse(&key.addr, addresses[LEARNED][i], strlen(addresses[LEARNED][i])), 0);
		assert_int_equal(setwriter_add(writer, &key, 3600000, "kept.test", true), 0);
	}
	assert_int_equal(setwriter_commit(writer), 0);
}

static void assert_learned(struct setwriter *writer)
{
	struct setwriter_key key = {0};
	bool found;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(addr_parse(&key.addr, addresses[LEARNED][i], strlen(addresses[LEARNED][i])), 0);
		assert_int_equal(setwriter_get(writer, &key, &found, NULL), 0);
		assert_true(found);
	}
}

static void nothing_forbidden_passes_during_a_thousand_switches(void **unused)
{
	struct setwriter *writer = NULL;
	enum shield_state state;
	struct ruleset ruleset = {.state = SHIELD_UP, .settings = &settings, .allowed = &allowed, .denied = &denied};
	struct error error = {0};
	pthread_t far_thread, near_thread;

	(void)unused;
	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	add_net(&allowed, "203.0.113.0/24");
	add_net(&allowed, "2001:db8:a::/48");
	add_net(&denied, addresses[DENIED][0]);
	add_net(&denied, addresses[DENIED][1]);
	add_net(&denied, "203.0.113.67:7");
	add_net(&denied, "[2001:db8:a::67]:7");
	netset_normalize(&allowed);
	netset_normalize(&denied);
	numbers = calloc(NUMBERS_MAX, sizeof(*numbers));
	arrived = calloc(NUMBERS_MAX, sizeof(*arrived));
	assert_non_null(numbers);
	assert_non_null(arrived);
	assert_int_equal(setwriter_open(&writer, &error), 0);
	prepare_table(writer);
	far_end_start();
	assert_int_equal(netns_run(far_netns, far_open, NULL, &error), 0);
	for (size_t i = 0; i < KINDS * 2; i++)
		near_sockets[i] = udp_open((enum kind)(i / 2), i % 2, false);
	history[0] = SHIELD_UP;
	assert_int_equal(pthread_create(&far_thread, NULL, far_run, NULL), 0);
	assert_int_equal(pthread_create(&near_thread, NULL, near_run, NULL), 0);
	run_switches();
	usleep(100000);
	finished = true;
	pthread_join(near_thread, NULL);
	pthread_join(far_thread, NULL);
	judge();
	assert_learned(writer);
	assert_int_equal(readback_state(&ruleset, &state, NULL, &error, &error), 0);
	assert_int_equal(state, history[SWITCHES]);
	setwriter_close(writer);
	kill(far_end, SIGKILL);
	waitpid(far_end, NULL, 0);
	netset_free(&allowed);
	netset_free(&denied);
	free(numbers);
	free(arrived);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_forbidden_passes_during_a_thousand_switches),
	};

	if (!own_netns_enter())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
