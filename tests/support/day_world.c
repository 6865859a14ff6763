/* The world of the simulated day: its time, its names, and the servers that know them. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "dns/message.h"
#include "support/day.h"
#include "support/rig.h"

#define DAY_BOOT_MS (INT64_C(5000) * SECOND)
#define DAY_WALL_S  INT64_C(1780000000)

#define DELAYED_MAX 2048
#define SLOW_MIN_MS 300
#define SLOW_MAX_MS 1000 /* below what a server is given before the next is asked */

/* ---- time ---- */

struct day_time now = {.awake_ms = DAY_BOOT_MS, .boot_ms = DAY_BOOT_MS, .wall_ms = DAY_WALL_S * SECOND};

int64_t day_s(void)
{
	return (now.awake_ms - DAY_BOOT_MS) / SECOND;
}

unsigned day_hour(void)
{
	return (unsigned)(day_s() / HOUR_S);
}

void day_fail(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fail_msg("at %02lld:%02lld:%02lld: %s", (long long)day_s() / HOUR_S, (long long)day_s() / 60 % 60, (long long)day_s() % 60, text);
	abort();
}

static uint32_t drawn;

void day_seed(void)
{
	const char *seed = getenv("SHIELD_SEED");

	drawn = seed && *seed ? (uint32_t)strtoul(seed, NULL, 10) : (uint32_t)time(NULL);
	drawn += !drawn; /* from 0 nothing can be drawn */
	printf("SHIELD_SEED=%u\n", drawn);
}

/* xorshift (Marsaglia). */
uint32_t day_draw(uint32_t below)
{
	drawn ^= drawn << 13;
	drawn ^= drawn >> 17;
	drawn ^= drawn << 5;
	return drawn % below;
}

/* ---- names ---- */

static unsigned rotating(unsigned number, unsigned *places)
{
	for (unsigned i = 0; i < ANSWERED_MAX; i++)
		places[i] = (unsigned)(number * 50 + day_s() / 60 * 5 + i) % 200;
	return ANSWERED_MAX;
}

static unsigned network_of_caches(unsigned number, unsigned *places)
{
	unsigned first = day_draw(10) * 4;

	(void)number;
	for (unsigned i = 0; i < 4; i++)
		places[i] = 200 + first + i;
	return 4;
}

static unsigned without_ttl(unsigned number, unsigned *places)
{
	(void)number;
	places[0] = 240 + (unsigned)(day_s() / 60 % 10);
	return 1;
}

static unsigned moving(unsigned number, unsigned *places)
{
	places[0] = number + day_hour() / 2;
	return 1;
}

static unsigned sharing(unsigned number, unsigned *places)
{
	places[0] = number && day_hour() >= 6 && day_hour() < 18 ? 271 : 270;
	return 1;
}

static unsigned connected(unsigned number, unsigned *places)
{
	(void)number;
	places[0] = day_hour() < 12 ? LONG_OLD : LONG_OLD + 1;
	return 1;
}

static unsigned one_of_ten(unsigned number, unsigned *places)
{
	places[0] = number + day_draw(10);
	return 1;
}

static unsigned fixed(unsigned number, unsigned *places)
{
	places[0] = number;
	return 1;
}

struct entry entries[ENTRIES] = {
	{"rot0.rot.test", NULL, 30, rotating, 0, true, 0, false, 6},
	{"rot1.rot.test", NULL, 30, rotating, 1, true, 0, false, 6},
	{"rot2.rot.test", NULL, 30, rotating, 2, true, 0, false, 6},
	{"rot3.rot.test", NULL, 30, rotating, 3, true, 0, false, 6},
	{"cdn.test", NULL, 20, network_of_caches, 0, true, 0, false, 12},
	{"zero.test", NULL, 0, without_ttl, 0, false, 0, false, 8},
	{"week.test", NULL, 604800, moving, 276, false, 0, false, 4}, /* says a week, and moves all the same */
	[ENTRY_MOVER] = {"mover.test", NULL, 300, moving, MOVER_FIRST, false, 0, false, 8},
	{"share-a.test", NULL, 300, sharing, 1, true, 0, false, 6},
	{"share-b.test", NULL, 60, sharing, 0, true, 0, false, 6},
	{"port.test", NULL, 60, fixed, PORT_PLACE, false, PORT, false, 6},
	[ENTRY_LONG] = {"long.test", NULL, 60, connected, 0, false, 0, false, 0},
	[ENTRY_ENDED] = {"ended.test", NULL, 120, fixed, ENDED_PLACE, false, 0, true, 0},
	[ENTRY_WILD] = {"abcdefghijklmno-", "wild.test", 60, one_of_ten, 310, false, 0, false, 4},
	[ENTRY_MANY] = {"m", "many.test", 60, one_of_ten, 320, false, 0, false, 2},
	[ENTRY_SECRET] = {"secret.rot.test", NULL, 60, fixed, 330, false, 0, true, 6},
	[ENTRY_UNLISTED] = {"d", "flood.example", 60, fixed, 331, false, 0, true, 6},
};

const char entries_domains[] =
	"rot.test\n!secret.rot.test\n=cdn.test\n=zero.test\n=week.test\n=mover.test\n=share-a.test\n=share-b.test\nport.test:443\n=long.test\n"
	"*.wild.test\nmany.test\n";

struct addr place_addr(unsigned place, bool v6)
{
	if (v6)
		return addr_v6((uint8_t[16]){0x20, 1, 0x0d, 0xb8, 0, 1, [14] = (uint8_t)(place >> 8), (uint8_t)place});
	return place < 256 ? addr_v4((uint8_t[]){198, 51, 100, (uint8_t)place}) : addr_v4((uint8_t[]){203, 0, 113, (uint8_t)place});
}

unsigned place_of(const uint8_t *octets, bool v6)
{
	if (v6)
		return (unsigned)(octets[14] << 8 | octets[15]) % PLACES;
	return octets[0] == 203 ? 256u + octets[3] : octets[3];
}

uint32_t entry_ttl(const struct entry *entry)
{
	return entry->ttl_s < TTL_MAX_S ? entry->ttl_s : TTL_MAX_S;
}

unsigned entry_long_place(void)
{
	unsigned place;

	connected(0, &place);
	return place;
}

static bool text_ends(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length > end_length && !strcmp(text + length - end_length, end) && text[length - end_length - 1] == '.';
}

static struct entry *entry_find(const char *name)
{
	for (size_t i = 0; i < COUNT(entries); i++)
		if (entries[i].below ? text_ends(name, entries[i].below) : !strcmp(name, entries[i].name))
			return &entries[i];
	return NULL;
}

/* ---- servers ---- */

struct delayed {
	int64_t due_ms;
	unsigned server;
	struct sockaddr_in from;
	size_t length;
	uint8_t query[512];
};

struct servers servers;

static struct delayed delayed[DELAYED_MAX];
static unsigned delayed_count;

void servers_set(enum server_state state)
{
	for (unsigned i = 0; i < SERVERS; i++)
		servers.all[i].state = state;
}

static void entry_served(struct entry *entry, unsigned place, bool v6)
{
	int64_t until_ms = now.awake_ms + (entry_ttl(entry) + GRACE_S + SLACK_S) * SECOND + LATE_MS;

	entry->served_ms[v6][place] = now.boot_ms;
	if (until_ms > kernel.may_last_ms[v6][place])
		kernel.may_last_ms[v6][place] = until_ms;
}

static size_t answer_write(const uint8_t *query, size_t length, uint8_t *out)
{
	char text[NAME_TEXT_MAX];
	struct name name;
	unsigned places[ANSWERED_MAX], count;
	struct entry *entry;
	uint16_t type;
	size_t at;

	at = message_name_expand(query, length, MESSAGE_HEADER, &name);
	assert_true(at > 0);
	type = message_get16(query + at);
	name_to_text(&name, text);
	entry = entry_find(text);
	if (!entry || entry->refused)
		day_fail("a question left that must not: %s", text);
	entry->left++;
	servers.wild_left += entry == &entries[ENTRY_WILD];
	at = rig_reply(out, query, length, RCODE_NOERROR);
	if (type != TYPE_A && !(type == TYPE_AAAA && entry->both))
		return at;
	count = entry->places(entry->number, places);
	for (unsigned i = 0; i < count; i++) {
		struct addr addr = place_addr(places[i], type == TYPE_AAAA);

		at = rig_record(out, at, 0, NULL, type, entry->ttl_s, addr.octets, type == TYPE_A ? 4 : 16);
		entry_served(entry, places[i], type == TYPE_AAAA);
	}
	return at;
}

static void server_answer(unsigned server, const struct sockaddr_in *to, const uint8_t *query, size_t length)
{
	uint8_t out[2048];
	size_t answer_length = answer_write(query, length, out);

	sendto(servers.all[server].fd, out, answer_length, 0, (const struct sockaddr *)to, sizeof(*to));
}

static void server_delay(unsigned server, const struct sockaddr_in *from, const uint8_t *query, size_t length)
{
	struct delayed *late = &delayed[delayed_count++];

	assert_true(delayed_count <= DELAYED_MAX && length <= sizeof(late->query));
	*late = (struct delayed){
		.due_ms = now.awake_ms + SLOW_MIN_MS + day_draw(SLOW_MAX_MS - SLOW_MIN_MS),
		.server = server,
		.from = *from,
		.length = length,
	};
	memcpy(late->query, query, length);
}

void servers_answer_late(void)
{
	for (unsigned i = 0; i < delayed_count;) {
		struct delayed *late = &delayed[i];

		if (late->due_ms > now.awake_ms) {
			i++;
			continue;
		}
		server_answer(late->server, &late->from, late->query, late->length);
		*late = delayed[--delayed_count];
	}
}

bool servers_serve(void)
{
	bool any = false;

	for (unsigned i = 0; i < SERVERS; i++) {
		struct sockaddr_in from;
		socklen_t from_length = sizeof(from);
		uint8_t query[512];
		ssize_t length;

		while ((length = recvfrom(servers.all[i].fd, query, sizeof(query), MSG_DONTWAIT, (struct sockaddr *)&from, &from_length)) >
			0) {
			any = true;
			servers.received++;
			if (servers.all[i].state == SERVER_UP)
				server_answer(i, &from, query, (size_t)length);
			if (servers.all[i].state == SERVER_SLOW)
				server_delay(i, &from, query, (size_t)length);
		}
	}
	return any;
}

void servers_open(void)
{
	int buffer = 8 << 20;

	for (unsigned i = 0; i < SERVERS; i++) {
		struct sockaddr_in address = {
			.sin_family = AF_INET, .sin_port = htons((uint16_t)(SERVER_PORT + i)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

		servers.all[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		setsockopt(servers.all[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
		assert_int_equal(bind(servers.all[i].fd, (struct sockaddr *)&address, sizeof(address)), 0);
	}
}
