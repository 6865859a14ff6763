/* What the parts of tests/netns/test_day.c share: the simulated time, the world of names and servers (day_world.c), the kernel's sets (day_kernel.c). */
#ifndef TESTS_SUPPORT_DAY_H
#define TESTS_SUPPORT_DAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fw/setwriter.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define HOURS  24
#define HOUR_S 3600
#define SECOND INT64_C(1000) /* of milliseconds */

/* What is promised, in this test's own words: proxy/lease.h, dns/answer.h and docs/dns-budget.md say the same. */
#define GRACE_S   90           /* an element outlives the answer by so much */
#define SLACK_S   30           /* and by so much more at most */
#define TTL_MAX_S 86400        /* is handed out at most */
#define LATE_MS   (2 * SECOND) /* for a packet that this machine delivers late */

/* ---- time ---- */

struct day_time {
	bool simulated;
	int64_t awake_ms; /* CLOCK_MONOTONIC, and the jiffies behind the sets' timeouts */
	int64_t boot_ms;  /* CLOCK_BOOTTIME: time suspended counts too */
	int64_t wall_ms;
};
extern struct day_time now;

int64_t day_s(void); /* since the day began */
unsigned day_hour(void);

/* Ends the test. */
void day_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* A number below; the seed is SHIELD_SEED, or drawn and printed. */
void day_seed(void);
uint32_t day_draw(uint32_t below);

/* ---- names: which has which addresses now ---- */

#define PLACES       512 /* addresses of each family */
#define ANSWERED_MAX 8

enum { ENTRY_MOVER = 7, ENTRY_LONG = 11, ENTRY_ENDED, ENTRY_WILD, ENTRY_MANY, ENTRY_SECRET, ENTRY_UNLISTED, ENTRIES };

#define MOVER_FIRST  252 /* one every two hours */
#define MOVER_PLACES (HOURS / 2)
#define PORT_PLACE   272
#define PORT         443
#define LONG_OLD     273 /* until noon, then the next */
#define ENDED_PLACE  300

/* Fills places with at most ANSWERED_MAX; returns how many. */
typedef unsigned places_of(unsigned number, unsigned *places);

struct entry {
	const char *name;
	const char *below; /* of names that are new each time: the name is their beginning, a number follows, and this */
	uint32_t ttl_s;
	places_of *places;
	unsigned number;
	bool both; /* families */
	uint16_t port;
	bool refused;                 /* now: no question may leave */
	unsigned weight;              /* in what is asked all day */
	int64_t served_ms[2][PLACES]; /* by family; on the boot clock: when the upstream last said that it has this */
	uint64_t asked, left, given;
};
extern struct entry entries[ENTRIES];
extern const char entries_domains[]; /* the profile */

uint32_t entry_ttl(const struct entry *entry); /* as it may be handed out */
unsigned entry_long_place(void);

struct addr place_addr(unsigned place, bool v6);
/* Of the address's octets, as they stand in a record. */
unsigned place_of(const uint8_t *octets, bool v6);

/* ---- upstream servers, on loopback, port SERVER_PORT and those that follow ---- */

#define SERVERS     3
#define SERVER_PORT 5301

enum server_state { SERVER_UP, SERVER_DOWN, SERVER_SLOW };

struct servers {
	struct {
		int fd;
		enum server_state state;
	} all[SERVERS];
	uint64_t received;  /* since somebody set it to 0 */
	unsigned wild_left; /* names below the wildcard that were asked for, since somebody set it to 0 */
};
extern struct servers servers;

void servers_open(void);
void servers_set(enum server_state state);
/* Takes what has come, and answers as its server does. Returns whether anything had. */
bool servers_serve(void);
/* Answers what is due. */
void servers_answer_late(void);

/* ---- the kernel's sets ---- */

enum { PORT_NONE, PORT_TCP, PORT_UDP, PORTS };

struct element {
	struct setwriter_key key;
	int64_t end_ms; /* awake; 0: it is not there */
	uint64_t timeout_ms;
	int64_t begun_ms, written_ms; /* before and after it was written, by a clock that is real */
	char comment[SETWRITER_COMMENT_MAX + 1];
};

/* What must be in them. */
struct kernel {
	struct setwriter *judge; /* the test's own look at them */
	bool older;              /* an addition alone does not renew a timeout */
	bool gone;               /* the table is */
	size_t count, count_max; /* elements that are there */
	struct element elements[2 * PLACES * PORTS];
	int64_t may_last_ms[2][PLACES]; /* awake: no element of the address may live longer */
	int64_t needed_ms[2][PLACES];   /* awake: a client was told that it may use the address for so long */
};
extern struct kernel kernel;

/* The element that must be there now, or NULL. */
struct element *element_find(const struct setwriter_key *key);
const char *key_text(const struct setwriter_key *key);

/* Deletes from the kernel what it would have ended by now. The worker's own writer says nothing of it to the worker, as the kernel does not either. */
void kernel_expire(struct setwriter *writer);
/* Writes the real timeouts: what is left of them, or what they were. */
void kernel_timeouts(struct setwriter *writer, bool left);
/* Holds the kernel's listing against what must be there. */
void kernel_check(void);
/* Somebody else has taken everything away: nothing that was promised holds. */
void kernel_emptied(void);

#endif
