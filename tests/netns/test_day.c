/* A day of the forwarder's life in one scenario: names that rotate, move and share addresses, upstream outages, floods, clocks that jump, a set that somebody
 * empties, workers that follow each other. At every second what was promised is held against what is there.
 *
 * What is real: the worker's parts as its main() puts them together, in this process; the sockets that a supervisor hands to it; the namespace, its ruleset, and
 * the kernel's sets, which the worker writes over netlink and which are read back; the packets of its clients, of its upstreams, and of connections that
 * are in use. What is simulated is time alone. Our clocks are set (base/clock.h), and the monotonic clock is this program's, so libevent's timers follow.
 * Only the kernel cannot be told that an hour has passed. So additions and deletions are watched on their way to the real set writer (ld's --wrap), and an
 * element is deleted from the real set at the simulated moment at which its timeout, as the kernel has acknowledged it, is over. Each minute the kernel's sets are listed
 * and must hold just the elements that are expected, with these timeouts. A set that was a model in this program would prove nothing of the netlink
 * messages; one whose timeouts run in real time would need a day.
 * Before a worker follows another the timeouts in the kernel are set to what would be left of them, since it takes them over.
 *
 * Every second worker is one on an older kernel, where an addition alone does not renew a timeout: then the worker writes as it would there, and
 * what is expected of the kernel is what such a kernel does.
 *
 * Left out: CLOCK_BOOTTIME never goes back, so it does not here; the wall clock does.
 *
 * SHIELD_SEED repeats a draw.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
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
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fw/netns.h"
#include "fw/nft.h"
#include "fw/setwriter_parse.h"
#include "proxy/control.h"
#include "proxy/ledger.h"
#include "proxy/listen.h"
#include "proxy/pending.h"
#include "proxy/proxy.h"
#include "supervisor/sockets.h"
#include "support/day.h"
#include "support/rig.h"

#define BUDGET     600 /* names below a rule in a minute */
#define PATIENCE_S 6   /* every question is answered by then */
#define AGAIN_S    3   /* so soon after an outage */

#define FLOOD_FIRST    20000 /* fills the activity's table */
#define FLOOD_NAMES    1000
#define FLOOD_CHUNK    50
#define IDS            65536
#define IN_USE_EVERY   5   /* seconds between a connection's packets */
#define IN_USE_BURST_S 600 /* between times in which there are more */
/* From the end of the first hour to that of the last. The worker's cache, of 2 MiB, is there from its start and touched as it fills. */
#define GROWTH_MAX     (256 << 10) /* octets that are allocated */
#define RSS_GROWTH_KIB 4096

static struct rig rig;
static struct proxy proxy;
static struct sockets sockets;
static unsigned workers;
static uint64_t renewals; /* of those that have ended */

/* libevent's clock, in place of libc's for all libraries. */
__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *time)
{
	if (!now.simulated || (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE))
		return (int)syscall(SYS_clock_gettime, clock, time);
	*time = (struct timespec){.tv_sec = now.awake_ms / SECOND, .tv_nsec = now.awake_ms % SECOND * 1000000};
	return 0;
}

static void clocks_set(void)
{
	clock_fake(now.boot_ms, now.wall_ms / SECOND);
	clock_fake_suspended(now.boot_ms - now.awake_ms);
}

/* ---- the clients ---- */

enum outcome { OUT_ADDRESSES, OUT_NONE, OUT_REFUSED, OUT_BUDGET, OUT_FAILED, OUTCOMES };
static const char *const outcome_names[OUTCOMES] = {"with addresses", "without", "refused", "over the budget", "failed"};

static struct {
	int fds[2]; /* over IPv4 and IPv6 */
	struct asked {
		struct entry *entry; /* NULL: nobody waits */
		uint16_t type;
		int64_t at_ms;
	} asked[2][IDS];
	uint16_t next[2];
	unsigned outstanding;
	uint64_t sent; /* to this worker */
	uint64_t outcomes[OUTCOMES], questions;
	int64_t failures_until_ms; /* awake: until then a failure is nobody's fault */
	int64_t long_ms;           /* awake: since when the connection's name has been answered and nothing has come between; 0 */
	unsigned long_place;
	int in_use[2];
} clients;

static void client_ask_name(struct entry *entry, const char *name, uint16_t type)
{
	unsigned over = day_draw(2);
	uint16_t id = clients.next[over]++;
	uint8_t query[512];
	size_t length = rig_query(query, id, name, type, day_draw(2));

	assert_null(clients.asked[over][id].entry);
	clients.asked[over][id] = (struct asked){.entry = entry, .type = type, .at_ms = now.awake_ms};
	assert_int_equal(send(clients.fds[over], query, length, 0), length);
	clients.outstanding++;
	clients.sent++;
	clients.questions++;
	entry->asked++;
}

static void client_ask(struct entry *entry, uint16_t type)
{
	static uint32_t numbers[COUNT(entries)];
	char name[NAME_TEXT_MAX];

	if (entry->below)
		snprintf(name, sizeof(name), "%s%u.%s", entry->name, numbers[entry - entries]++, entry->below);
	client_ask_name(entry, entry->below ? name : entry->name, type);
}

static void address_check(struct entry *entry, unsigned place, bool v6, uint32_t ttl_s)
{
	int64_t needed_ms = now.awake_ms + (ttl_s + GRACE_S) * SECOND, age_ms = now.boot_ms - entry->served_ms[v6][place];
	struct setwriter_key key = {.addr = place_addr(place, v6), .protocol = entry->port ? RULE_TCP : 0, .port = entry->port};
	struct element *element = element_find(&key);
	bool found = true;

	if (!element || element->end_ms < needed_ms)
		day_fail("%s was given for %s with a TTL of %u s, and is in the set for %lld s", entry->name, key_text(&key), ttl_s,
			element ? (long long)(element->end_ms - now.awake_ms) / SECOND : -1LL);
	if (!day_draw(8) && (setwriter_get(kernel.judge, &key, &found, NULL) || !found))
		day_fail("%s was given for %s, and the kernel does not have it", entry->name, key_text(&key));
	if (!entry->served_ms[v6][place] || ttl_s * SECOND > entry_ttl(entry) * SECOND - age_ms + LATE_MS)
		day_fail("%s was given for %s with a TTL of %u s, %lld s after it was heard of with %u", entry->name, key_text(&key), ttl_s,
			(long long)age_ms / SECOND, entry->ttl_s);
	if (needed_ms > kernel.needed_ms[v6][place])
		kernel.needed_ms[v6][place] = needed_ms;
}

/* Looks at each address. Returns how many there are. */
static unsigned answer_check(struct entry *entry, uint16_t type, const uint8_t *wire, size_t length)
{
	size_t at = message_name_skip(wire, length, MESSAGE_HEADER) + 4;
	unsigned count = message_get16(wire + 6);

	for (unsigned i = 0; i < count; i++) {
		struct message_record record;

		at = message_record_read(wire, length, at, &record);
		if (!at || record.type != type)
			day_fail("an answer for %s is not what was asked for", entry->name);
		address_check(entry, place_of(wire + record.data, type == TYPE_AAAA), type == TYPE_AAAA, message_get32(wire + record.ttl));
	}
	return count;
}

static enum outcome outcome_of(struct entry *entry, uint16_t type, const uint8_t *wire, size_t length)
{
	unsigned rcode = message_get16(wire + 2) & MESSAGE_RCODE;

	if (rcode == RCODE_NXDOMAIN && entry->refused)
		return OUT_REFUSED;
	if (rcode == RCODE_REFUSED && entry == &entries[ENTRY_WILD])
		return OUT_BUDGET;
	if (rcode == RCODE_SERVFAIL && now.awake_ms < clients.failures_until_ms)
		return OUT_FAILED;
	if (rcode != RCODE_NOERROR || entry->refused)
		day_fail("%s was answered with rcode %u", entry->name, rcode);
	return answer_check(entry, type, wire, length) ? OUT_ADDRESSES : OUT_NONE;
}

static bool clients_receive(void)
{
	static uint8_t wire[MESSAGE_MAX];
	bool any = false;

	for (unsigned over = 0; over < 2; over++) {
		ssize_t length;

		while ((length = recv(clients.fds[over], wire, sizeof(wire), MSG_DONTWAIT)) > 0) {
			struct asked *asked = &clients.asked[over][message_get16(wire)];
			enum outcome outcome;

			any = true;
			if (!asked->entry)
				day_fail("an answer came that nobody has asked for");
			outcome = outcome_of(asked->entry, asked->type, wire, (size_t)length);
			clients.outcomes[outcome]++;
			asked->entry->given += outcome == OUT_ADDRESSES;
			if (outcome == OUT_ADDRESSES && asked->entry == &entries[ENTRY_LONG]) {
				clients.long_ms = now.awake_ms;
				clients.long_place = entry_long_place();
			}
			asked->entry = NULL;
			clients.outstanding--;
		}
	}
	return any;
}

static void clients_open(void)
{
	int buffer = 8 << 20;

	for (unsigned over = 0; over < 2; over++) {
		clients.fds[over] = rig_socket(&rig, over ? "::1" : "127.0.0.1", 53, SOCK_DGRAM);
		assert_true(clients.fds[over] >= 0);
		setsockopt(clients.fds[over], SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	}
	for (unsigned i = 0; i < 2; i++) {
		char address[ADDR_TEXT_MAX];
		struct addr addr = place_addr(LONG_OLD + i, false);

		clients.in_use[i] = rig_socket(&rig, addr_format(&addr, address), 443, SOCK_DGRAM);
		assert_true(clients.in_use[i] >= 0);
	}
}

/* ---- one step ---- */

/* What the worker has sent and was sent has arrived. */
static bool all_has_arrived(void)
{
	return proxy.counters[COUNT_QUERIES] == clients.sent && proxy.counters[COUNT_UPSTREAM] == servers.received &&
	       (pendings_count(proxy.pendings) || !clients.outstanding);
}

/* Turns the worker's loop until nobody has anything to say at this moment. */
static void world_turn(void)
{
	static const struct timespec moment = {.tv_nsec = 200000};
	unsigned waits = 0;
	bool busy;

	do {
		event_base_loop(proxy.base, EVLOOP_NONBLOCK);
		proxy_turn_end(&proxy);
		busy = servers_serve();
		busy |= clients_receive();
		if (busy || all_has_arrived())
			continue;
		if (++waits > 50000)
			day_fail("packets are lost: %u questions have no answer", clients.outstanding);
		nanosleep(&moment, NULL); /* the kernel delivers by another thread of its own when it is busy */
		busy = true;
	} while (busy);
}

static void promise_check(unsigned place, bool v6)
{
	struct setwriter_key key = {.addr = place_addr(place, v6)};
	const struct element *element;

	if (place == PORT_PLACE) {
		key.protocol = RULE_TCP;
		key.port = PORT;
	}
	element = element_find(&key);
	if (!element || element->end_ms < kernel.needed_ms[v6][place])
		day_fail("%s was promised for %lld s more", key_text(&key),
			(long long)(kernel.needed_ms[v6][place] - now.awake_ms) / SECOND);
}

static void promises_check(void)
{
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned place = 0; place < PLACES; place++)
			if (kernel.needed_ms[v6][place] > now.awake_ms)
				promise_check(place, v6);
}

/* The connection's packets alone keep its address admitted, as long as its name has it. */
static void connection_check(void)
{
	unsigned place = entry_long_place();

	if (place != clients.long_place)
		clients.long_ms = 0;
	if (clients.long_ms && !element_find(&(struct setwriter_key){.addr = place_addr(place, false)}))
		day_fail("the address of a connection that is in use is gone, %lld s after its name was asked for",
			(long long)(now.awake_ms - clients.long_ms) / SECOND);
}

static void bounds_check(void)
{
	assert_true(leases_count(proxy.leases) <= LEASES_MAX);
	assert_true(pendings_count(proxy.pendings) <= PENDING_MAX);
	assert_true(ledger_count(proxy.ledger) <= LEDGER_ROWS);
	for (unsigned over = 0; over < 2; over++)
		for (uint16_t id = (uint16_t)(clients.next[over] - 4096); id != clients.next[over]; id++)
			if (clients.asked[over][id].entry && now.awake_ms - clients.asked[over][id].at_ms > PATIENCE_S * SECOND)
				day_fail("%s has no answer after %u s", clients.asked[over][id].entry->name, PATIENCE_S);
}

static void step(unsigned ms)
{
	now.awake_ms += ms;
	now.boot_ms += ms;
	now.wall_ms += ms;
	clocks_set();
	kernel_expire(proxy.writer);
	servers_answer_late();
	world_turn();
}

static void traffic(void)
{
	static unsigned all;
	unsigned weights = all, at;

	for (size_t i = 0; i < COUNT(entries) && !all; i++)
		weights += entries[i].weight;
	all = weights;
	for (unsigned n = day_draw(3); n--;) {
		struct entry *entry = entries;

		for (at = day_draw(weights); at >= entry->weight; entry++)
			at -= entry->weight;
		client_ask(entry, day_draw(4) ? TYPE_A : TYPE_AAAA);
	}
	for (unsigned i = day_s() % IN_USE_EVERY ? 0 : day_s() % IN_USE_BURST_S < 30 ? 40 : 2; i--;)
		(void)!send(clients.in_use[i % 2], "x", 1, MSG_DONTWAIT);
}

/* fine: in halves, for what happens within a second. */
static void seconds_pass(unsigned seconds, bool fine)
{
	while (seconds--) {
		traffic();
		for (unsigned i = 0; i < (fine ? 2 : 1); i++)
			step(fine ? 500 : 1000);
		promises_check();
		connection_check();
		if (day_s() % 60)
			continue;
		bounds_check();
		kernel_check();
	}
}

/* ---- what happens ---- */

/* Failures are excused from now on for so long, and for as long as a question that was asked by then may take. */
static void failures_excused(unsigned seconds)
{
	clients.failures_until_ms = now.awake_ms + (seconds + PATIENCE_S) * SECOND;
	clients.long_ms = 0;
}

/* Everything that is allowed answers again, and the connection's program asks where its server is now. */
static void all_answer(void)
{
	uint64_t before[COUNT(entries)];

	while (now.awake_ms < clients.failures_until_ms)
		seconds_pass(1, true);
	for (size_t i = 0; i < COUNT(entries); i++) {
		before[i] = entries[i].given;
		if (!entries[i].refused)
			client_ask(&entries[i], TYPE_A);
	}
	seconds_pass(AGAIN_S, true);
	for (size_t i = 0; i < COUNT(entries); i++)
		if (!entries[i].refused && entries[i].given == before[i])
			day_fail("%s does not answer any more", entries[i].name);
}

static void denied_names_flood(void)
{
	unsigned count = day_hour() ? FLOOD_NAMES : FLOOD_FIRST;

	while (count) {
		for (unsigned i = 0; i < FLOOD_CHUNK; i++, count--)
			client_ask(&entries[ENTRY_UNLISTED], TYPE_A);
		world_turn();
		if (count % 1000 == 0)
			seconds_pass(1, false);
	}
}

static void subnames_flood(void)
{
	unsigned seconds = 10;

	seconds_pass(60, false); /* the budget is whole */
	servers.wild_left = 0;
	for (unsigned i = 0; i < seconds; i++) {
		for (unsigned j = 0; j < 100; j++)
			client_ask(&entries[ENTRY_WILD], TYPE_A);
		seconds_pass(1, false);
	}
	if (servers.wild_left < BUDGET / 2 || servers.wild_left > BUDGET + BUDGET / 60 * (seconds + 1))
		day_fail("%u names left in %u s", servers.wild_left, seconds);
}

/* All are down. */
static void outage(void)
{
	unsigned seconds = 60 + day_draw(120);

	failures_excused(seconds);
	servers_set(SERVER_DOWN);
	seconds_pass(seconds, true);
	servers_set(SERVER_UP);
	all_answer();
}

/* More is asked meanwhile than can be under way. */
static void outage_with_a_flood(void)
{
	uint64_t before = proxy.counters[COUNT_PENDING_FULL];

	failures_excused(20);
	servers_set(SERVER_DOWN);
	for (unsigned i = 0; i < 590; i++) {
		client_ask(&entries[ENTRY_MANY], TYPE_A);
		if (i % FLOOD_CHUNK == 0)
			world_turn();
	}
	seconds_pass(20, true);
	if (proxy.counters[COUNT_PENDING_FULL] == before)
		day_fail("%u questions were under way at once", PENDING_MAX);
	servers_set(SERVER_UP);
	all_answer();
}

static void one_server_flaps(void)
{
	for (unsigned i = 0; i < 15; i++) {
		servers.all[day_draw(SERVERS)].state = SERVER_DOWN;
		seconds_pass(3 + day_draw(5), true);
		servers_set(SERVER_UP);
		seconds_pass(day_draw(5), true);
	}
	all_answer();
}

static void servers_are_slow(void)
{
	servers_set(SERVER_SLOW);
	seconds_pass(90, true);
	servers_set(SERVER_UP);
	all_answer();
}

static int inside_apply(void *commands, struct error *error)
{
	return nft_apply(commands, error);
}

static void somebody_empties_a_set(void)
{
	static char commands[] = "flush set inet terok_shield learned_v4\nflush set inet terok_shield learned_v6\n"
				 "flush set inet terok_shield learned_port_v4\nflush set inet terok_shield learned_port_v6\n";
	struct error error = {0};

	if (netns_run(rig.inside_fd, inside_apply, commands, &error))
		day_fail("%s", error.text);
	kernel_emptied();
	clients.long_ms = 0;
	world_turn();
	all_answer();
}

static void the_table_is_gone_for_a_while(void)
{
	failures_excused(20);
	free(rig_shell(&rig, "nft delete table inet terok_shield"));
	kernel_emptied();
	kernel.gone = true;
	seconds_pass(20, false);
	kernel.gone = false;
	assert_int_equal(kernel.count, 0);
	free(rig_shell(&rig, "nft -f %s/saved.nft", rig.folder));
	all_answer();
}

static void worker_begin(void)
{
	struct listen_sockets listening = {{WORKER_UDP_V4, WORKER_UDP_V6}, {WORKER_TCP_V4, WORKER_TCP_V6}};
	struct error error = {0};

	for (int i = WORKER_PIPE; i < WORKER_DESCRIPTORS_END; i++)
		if (sockets.fds[i] >= 0)
			assert_int_equal(dup2(sockets.fds[i], i), i);
	proxy = (struct proxy){.bundle = BUNDLE_INIT, .start = {.serial = workers++}};
	clients.sent = servers.received = 0;
	if (proxy_begin(&proxy, rig.folder, &listening, &error))
		day_fail("the worker did not start: %s", error.text);
}

/* What one has learned the next takes over. */
static void another_worker(void)
{
	seconds_pass(PATIENCE_S, true); /* nobody waits */
	renewals += proxy.counters[COUNT_RENEWALS];
	proxy_end(&proxy);
	kernel.older = false;
	kernel_timeouts(kernel.judge, true);
	worker_begin();
	assert_int_equal(setwriter_try(proxy.writer), 0);
	kernel_timeouts(proxy.writer, false);
	seconds_pass(1, false); /* it tries the kernel out */
	kernel.older = workers % 2 == 0;
	if (kernel.older)
		setwriter_fake_old_kernel(proxy.writer);
}

static void rule_change(enum bundle_change change, const char *text, int64_t until_s)
{
	struct error error = {0};
	struct rule rule;
	bool changed;

	assert_int_equal(rule_parse(&rule, text, strlen(text), &error), 0);
	rule.until = until_s;
	if (bundle_list_change(&rig.bundle, change, &rule, &changed, &error) || control_reload(&proxy, NULL, NULL, &error))
		day_fail("%s: %s", text, error.text);
}

/* Nothing is promised of these places any longer, and by the next look nothing of them is to be there. */
static void places_revoke(unsigned first, unsigned count)
{
	for (unsigned place = first; place < first + count; place++)
		kernel.needed_ms[0][place] = 0;
}

static void places_check_gone(unsigned first, unsigned count)
{
	kernel_check();
	for (unsigned place = first; place < first + count; place++)
		if (element_find(&(struct setwriter_key){.addr = place_addr(place, false)}))
			day_fail("place %u is still in the set", place);
}

static void a_name_is_denied_and_allowed_again(void)
{
	struct entry *mover = &entries[ENTRY_MOVER];

	world_turn();
	places_revoke(MOVER_FIRST, MOVER_PLACES);
	mover->refused = true;
	rule_change(BUNDLE_DENY, mover->name, 0);
	places_check_gone(MOVER_FIRST, MOVER_PLACES);
	seconds_pass(60, false);
	mover->refused = false;
	rule_change(BUNDLE_FORGET, mover->name, 0);
	all_answer();
}

/* Its end does not move when the wall clock is set back. */
static void an_allow_with_an_end(void)
{
	struct entry *ended = &entries[ENTRY_ENDED];

	ended->refused = false;
	rule_change(BUNDLE_ALLOW, ended->name, clock_lasting_s() + 300);
	all_answer();
	now.wall_ms -= HOUR_S * SECOND;
	seconds_pass(290 - AGAIN_S, false);
	places_revoke(ENDED_PLACE, 1);
	seconds_pass(15, false);
	ended->refused = true;
	places_check_gone(ENDED_PLACE, 1);
	client_ask(ended, TYPE_A);
	seconds_pass(1, false);
	assert_int_equal(ended->left, ended->given);
}

static void the_wall_clock_is_set_forward(void)
{
	now.wall_ms += HOUR_S * SECOND;
	all_answer();
}

/* For an hour; the kernel's timeouts stand still meanwhile. */
static void the_machine_is_suspended(void)
{
	now.boot_ms += HOUR_S * SECOND;
	now.wall_ms += HOUR_S * SECOND;
	seconds_pass(20, false);
	all_answer();
}

static void the_connections_name_has_moved(void)
{
	all_answer();
	seconds_pass(GRACE_S + SLACK_S + 60 + AGAIN_S, false);
	places_check_gone(LONG_OLD, 1);
}

/* In each hour from `first` on that is a multiple of `every` away. */
static const struct event_of_day {
	unsigned minute, every, first;
	void (*happens)(void);
} events_of_day[] = {
	{0, HOURS, 12, the_connections_name_has_moved},
	{5, 1, 0, denied_names_flood},
	{8, 1, 0, subnames_flood},
	{11, 1, 0, outage},
	{17, 4, 0, outage_with_a_flood},
	{19, 1, 0, one_server_flaps},
	{27, 1, 0, servers_are_slow},
	{32, 1, 0, somebody_empties_a_set},
	{34, 2, 0, the_table_is_gone_for_a_while},
	{36, 1, 0, another_worker},
	{38, 5, 0, the_machine_is_suspended},
	{41, 3, 0, a_name_is_denied_and_allowed_again},
	{44, 7, 0, an_allow_with_an_end},
	{51, 7, 3, the_wall_clock_is_set_forward},
	{53, 6, 2, another_worker},
};

/* ---- the day ---- */

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

/* Octets in use, the test's own tables not counted. */
static size_t heap_octets(void)
{
	struct mallinfo2 info;

	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	info = mallinfo2();
	return info.uordblks + info.hblkhd;
}

static unsigned rss_kib(void)
{
	cleanup_stream FILE *stream = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!stream || fscanf(stream, "%*u %lu", &pages) != 1)
		return 0;
	return (unsigned)(pages * (unsigned long)sysconf(_SC_PAGESIZE) / 1024);
}

static void hour_pass(unsigned hour)
{
	for (size_t i = 0; i < COUNT(events_of_day); i++) {
		const struct event_of_day *event = &events_of_day[i];
		int64_t at_s = hour * HOUR_S + event->minute * 60 + day_draw(30);

		if (hour < event->first || (hour - event->first) % event->every)
			continue;
		while (day_s() < at_s)
			seconds_pass(1, false);
		event->happens();
	}
	while (day_hour() == hour)
		seconds_pass(1, false);
}

static void day_print(size_t heap_first, unsigned rss_first_kib)
{
	printf("%d hours, %u workers: %llu questions\n", HOURS, workers, (unsigned long long)clients.questions);
	for (unsigned i = 0; i < OUTCOMES; i++)
		printf("  %-15s %llu\n", outcome_names[i], (unsigned long long)clients.outcomes[i]);
	for (size_t i = 0; i < COUNT(entries); i++)
		printf("  %s%s%s: asked %llu, left %llu, given %llu\n", entries[i].name, entries[i].below ? "N." : "",
			entries[i].below ? entries[i].below : "", (unsigned long long)entries[i].asked, (unsigned long long)entries[i].left,
			(unsigned long long)entries[i].given);
	printf("set elements at most %zu, renewals %llu\n", kernel.count_max, (unsigned long long)renewals);
	printf("heap after the first hour %zu KiB, after the last %zu KiB; RSS %u KiB, %u KiB\n", heap_first / 1024, heap_octets() / 1024,
		rss_first_kib, rss_kib());
}

static void what_was_promised_holds_for_a_day(void **state)
{
	size_t heap_first = 0;
	unsigned rss_first_kib = 0;

	(void)state;
	all_answer();
	for (unsigned hour = 0; hour < HOURS; hour++) {
		hour_pass(hour);
		if (hour)
			continue;
		heap_first = heap_octets();
		rss_first_kib = rss_kib();
	}
	renewals += proxy.counters[COUNT_RENEWALS];
	day_print(heap_first, rss_first_kib);
	assert_true(renewals > 0);
	assert_true(heap_octets() < heap_first + GROWTH_MAX);
	if (!__sanitizer_get_current_allocated_bytes) /* which keep what was freed */
		assert_true(rss_kib() < rss_first_kib + RSS_GROWTH_KIB);
	proxy_end(&proxy);
}

static int judge_open(void *context, struct error *error)
{
	(void)context;
	return setwriter_open(&kernel.judge, error);
}

static int setup(void **state)
{
	struct error error = {0};
	int events[2], herald[2];

	(void)state;
	day_seed();
	signal(SIGPIPE, SIG_IGN);
	while (open("/dev/null", O_RDONLY | O_CLOEXEC) < WORKER_DESCRIPTORS_END) /* the worker's numbers are taken */
		;
	rig_start(&rig, entries_domains, "", NULL, NULL);
	rig.settings.budget_names = BUDGET;
	rig.settings.upstream_count = SERVERS;
	for (unsigned i = 0; i < SERVERS; i++)
		rig.settings.upstreams[i].endpoint =
			(struct addr_endpoint){.addr = addr_v4((uint8_t[]){127, 0, 0, 1}), .port = (uint16_t)(SERVER_PORT + i)};
	if (bundle_settings_write(
		    &rig.bundle, &(struct bundle_identity){.container = "rig", .version = SHIELD_VERSION}, &rig.settings, &error) ||
		sockets_open(&sockets, &rig.bundle, rig.inside_fd, false, &error) || netns_run(rig.inside_fd, judge_open, NULL, &error) ||
		pipe2(events, O_CLOEXEC | O_DIRECT | O_NONBLOCK) ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, herald)) {
		print_error("%s\n", error.text);
		return -1;
	}
	sockets.fds[WORKER_PIPE] = events[1]; /* nobody reads the beats */
	sockets.fds[WORKER_HERALD] = herald[1];
	free(rig_shell(&rig,
		"ip link add v0 type veth peer name v1; ip addr add 192.0.2.2/24 dev v0; ip link set v0 up; ip link set v1 up; "
		"ip route add default via 192.0.2.1; ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev v0; "
		"nft list table inet terok_shield >%s/saved.nft",
		rig.folder));
	memset(clients.asked, 0, sizeof(clients.asked)); /* touched now, so that it does not count as growth */
	servers_open();
	clients_open();
	now.simulated = true;
	clocks_set();
	worker_begin();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	now.simulated = false;
	clock_fake(-1, -1);
	rig_stop(&rig);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_promised_holds_for_a_day, setup, teardown),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
