/* Side by side, drawn: zones that nobody thought of (support/random_zones.h) are served by NSD or BIND, and thousands of questions that were drawn too are asked there
 * and through our forwarder. The replies are compared by meaning; what differs needs a line of support/promises.c. What was handed out is then looked for in the
 * kernel's sets, where no inside address may be.
 *
 * Rounds of a few seconds, each with a seed of its own, which is printed: SHIELD_SEED=N repeats the round of that seed first. The normal run begins with the same
 * one always, so that it says something of what was changed and not of the draw; SHIELD_FULL=1 draws one and goes on for ten minutes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/promises.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "support/random_zones.h"
#include "support/rig.h"

#define SERVER_PORT           5301
#define SEED_USUAL            3876053486 /* its second round, of BIND, has found something once */
#define REPLY_WAIT_MS         3000
#define ANOTHER_CLASS_WAIT_MS 300 /* BIND may say nothing */
#define START_WAIT_MS         15000
#define ROUND_MS              4000
#define WHOLE_MS              10000
#define WHOLE_FULL_MS         600000
#define ROUND_LEAST           100 /* questions, on the slowest machine */
#define NSD_MOST              240 /* of an answer the forwarder learns 256 addresses at most */
#define BIND_MOST             100 /* records of one kind that it takes */
#define ASKERS_MAX            5
#define MISSES_SHOWN          10
#define HANDED_OUT_MAX        400 /* addresses that are looked for */

static struct rig rig;
static struct random_zones *zones;

struct tally {
	unsigned rounds, queries, answers, unlisted, differences, misses;
};

static size_t upstream_is_silent(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	(void)context, (void)query, (void)length, (void)tcp, (void)out;
	return 0;
}

static int wait_ms(const struct query *query)
{
	return query->class == MESSAGE_CLASS_IN ? REPLY_WAIT_MS : ANOTHER_CLASS_WAIT_MS;
}

static void server_ask(const struct query *query, const struct wire *wire, struct view *view)
{
	cleanup_fd int fd = asking_socket(query->variant->v6, SERVER_PORT, query->variant->tcp ? SOCK_STREAM : SOCK_DGRAM);

	asking_exchange(fd, query, wire, wait_ms(query), view);
}

/* A zone that a server does not take is a fault of who drew it. */
static void unserved_fail(const char *zone)
{
	char command[256];

	snprintf(command, sizeof(command), "cd %s && grep -hE 'error|failed' nsd.log named.log 2>/dev/null | head -5", rig.folder);
	(void)!system(command);
	fail_msg("the server does not serve %s", zone);
}

/* Until the server has each of the zones, on both families. */
static void wait_for_server(void)
{
	static struct view view;
	static struct wire wire;
	struct variant variant = {"ready", RD, true, 1232};
	struct query query = {.type = TYPE_SOA, .class = MESSAGE_CLASS_IN, .variant = &variant};

	for (unsigned i = 0; i < 2 * RANDOM_ZONES; i++) {
		unsigned waited_ms = 0;

		variant.v6 = i % 2;
		snprintf(query.name, sizeof(query.name), "%s.", random_zones_origins[i / 2]);
		for (bool ready = false; !ready; waited_ms += 20) {
			if (waited_ms > START_WAIT_MS)
				unserved_fail(query.name);
			query_write(&query, &wire);
			server_ask(&query, &wire, &view);
			ready = view.packet && ldns_pkt_ancount(view.packet) == 1;
			view_free(&view);
			usleep(20000);
		}
	}
}

/* ---- what was handed out ---- */

struct handed_out {
	char texts[HANDED_OUT_MAX][64];
	size_t count;
};

static void address_note(struct handed_out *handed_out, const char *text, size_t length)
{
	if (handed_out->count < HANDED_OUT_MAX)
		snprintf(handed_out->texts[handed_out->count++], sizeof(handed_out->texts[0]), "%.*s", (int)length, text);
}

/* Those of a list behind `key`. */
static void hints_note(struct handed_out *handed_out, const char *record, const char *key)
{
	const char *at = strstr(record, key);

	for (at = at ? at + strlen(key) : ""; *at; at += *at == ',') {
		size_t length = strspn(at, "0123456789abcdef.:");

		if (!length)
			return;
		address_note(handed_out, at, length);
		at += length;
	}
}

static void addresses_note(struct handed_out *handed_out, const struct view *ours)
{
	for (size_t i = 0; ours->packet && i < ldns_rr_list_rr_count(ours->sections[VIEW_ANSWER]); i++) {
		const ldns_rr *record = ldns_rr_list_rr(ours->sections[VIEW_ANSWER], i);
		bool is_address = ldns_rr_get_type(record) == LDNS_RR_TYPE_A || ldns_rr_get_type(record) == LDNS_RR_TYPE_AAAA;
		bool is_service = (unsigned)ldns_rr_get_type(record) == TYPE_HTTPS || (unsigned)ldns_rr_get_type(record) == TYPE_SVCB;
		cleanup_free char *text = NULL;

		if ((!is_address && !is_service) || draw_below(&zones->draw, is_service ? 4 : 16))
			continue;
		text = is_address ? ldns_rdf2str(ldns_rr_rdf(record, 0)) : ldns_rr2str(record);
		if (is_address)
			address_note(handed_out, text, strlen(text));
		else
			hints_note(handed_out, text, "ipv4hint="), hints_note(handed_out, text, "ipv6hint=");
	}
}

/* As an element, or the address of one with a port. */
static bool sets_have(const char *sets, const char *address)
{
	size_t length = strlen(address);

	for (const char *at = sets; (at = strstr(at, address)); at++)
		if (at > sets && strchr(" \t{,", at[-1]) && at[length] == ' ')
			return true;
	return false;
}

static void sets_check(const struct handed_out *handed_out)
{
	cleanup_free char *sets = rig_shell(
		&rig, "for set in learned_v4 learned_v6 learned_port_v4 learned_port_v6; do nft list set inet terok_shield $set; done");

	for (size_t i = 0; i < handed_out->count; i++)
		if (!sets_have(sets, handed_out->texts[i]))
			fail_msg("%s was handed out and is in no set", handed_out->texts[i]);
	for (size_t i = 0; promises_inside[i]; i++)
		if (sets_have(sets, promises_inside[i]))
			fail_msg("the inside address %s is in a set", promises_inside[i]);
}

/* ---- rounds ---- */

static void view_print(const char *who, const struct view *view)
{
	if (view->packet)
		printf("    %s: rcode %u, %u/%u/%u%s, %zu octets\n", who, view->rcode, ldns_pkt_ancount(view->packet),
			ldns_pkt_nscount(view->packet), ldns_pkt_arcount(view->packet), ldns_pkt_tc(view->packet) ? " tc" : "",
			view->length);
	else
		printf("    %s: nothing that can be read, %zu octets\n", who, view->length);
}

static void question_print(const struct exchange *exchange)
{
	const struct query *query = exchange->query;
	const struct variant *variant = query->variant;
	char type[ASKING_TYPE_MAX];

	printf("  %s %s%s: flags %04x, edns %d size %u version %u flags %04x, %s%s%s\n", query->name, asking_type_name(query->type, type),
		query->class == MESSAGE_CLASS_IN ? "" : " of another class", variant->flags, variant->edns, variant->size, variant->version,
		variant->edns_flags, variant->tcp ? "tcp" : "udp", variant->v6 ? " v6" : "", query->unlisted ? ", no rule allows it" : "");
	view_print("server", exchange->server);
	view_print("ours", exchange->ours);
}

/* One who asks: some ask the same at the same time, each in a way of its own. */
struct asker {
	struct variant variant;
	struct query query;
	struct wire wire;
	struct view server, by_tcp, ours;
	int fd;
};

static void asker_compare(struct asker *asker, struct tally *tally)
{
	static struct difference differences[DIFFERENCES_MAX];
	struct exchange exchange = {.query = &asker->query, .ours = &asker->ours};
	const char *broken;
	bool missed = false;
	size_t count;

	exchange.whole = asking_whole(SERVER_PORT, &asker->query, &asker->server, &asker->by_tcp);
	/* what is left of an answer without inside addresses may fit where all of it does not: then it is held to all of it */
	exchange.server = asker->ours.packet && ldns_pkt_tc(asker->ours.packet) ? &asker->server : exchange.whole;
	count = view_compare(
		exchange.server, &asker->ours, asker->wire.octets, asker->wire.length, query_limit(&asker->query), differences);
	for (size_t i = 0; i < count; i++)
		missed |= !promise_holds(&exchange, &differences[i]);
	broken = promise_broken(&exchange);
	tally->queries++;
	tally->unlisted += asker->query.unlisted;
	tally->answers += asker->ours.packet && ldns_pkt_ancount(asker->ours.packet);
	tally->differences += count > 0;
	if ((!missed && !broken) || tally->misses++ >= MISSES_SHOWN)
		return;
	question_print(&exchange);
	if (broken)
		printf("    BROKEN: %s\n", broken);
	for (size_t i = 0; i < count; i++)
		if (!promise_holds(&exchange, &differences[i]))
			promise_miss_print(&exchange, &differences[i]);
}

static void question_run(struct tally *tally, struct handed_out *handed_out)
{
	static struct asker askers[ASKERS_MAX];
	unsigned count = draw_percent(&zones->draw, 80) ? 1 : 2 + draw_below(&zones->draw, ASKERS_MAX - 1);
	struct query query;

	random_zones_ask(zones, &query);
	for (unsigned i = 0; i < count; i++) {
		struct asker *asker = &askers[i];

		random_variant(&zones->draw, &asker->variant);
		asker->query = query;
		asker->query.variant = &asker->variant;
		query_write(&asker->query, &asker->wire);
		server_ask(&asker->query, &asker->wire, &asker->server);
		asker->fd = rig_socket(&rig, asker->variant.v6 ? "::1" : "127.0.0.1", 53, asker->variant.tcp ? SOCK_STREAM : SOCK_DGRAM);
	}
	for (unsigned i = 0; i < count; i++)
		asking_send(askers[i].fd, &askers[i].query, &askers[i].wire);
	for (unsigned i = 0; i < count; i++) {
		asking_receive(askers[i].fd, &askers[i].query, wait_ms(&query), &askers[i].ours);
		close(take_fd(askers[i].fd));
		asker_compare(&askers[i], tally);
		addresses_note(handed_out, &askers[i].ours);
		view_free(&askers[i].server);
		view_free(&askers[i].by_tcp);
		view_free(&askers[i].ours);
	}
}

static void round_run(uint64_t seed, enum zones_server server, struct tally *tally)
{
	struct handed_out *handed_out = calloc(1, sizeof(*handed_out));
	unsigned before = tally->queries, misses = tally->misses;
	const char *wrong;
	int64_t until_ms;
	pid_t process;

	printf("SHIELD_SEED=%llu, %s\n", (unsigned long long)seed, server == ZONES_NSD ? "NSD" : "BIND");
	zones = random_zones_new(seed, server == ZONES_NSD ? NSD_MOST : BIND_MOST);
	rig_start(&rig, zones->profile, "", upstream_is_silent, NULL);
	wrong = random_zones_write(zones, rig.folder);
	if (wrong)
		fail_msg("%s", wrong);
	rig.settings.upstreams[0].endpoint.port = SERVER_PORT;
	process = zones_server_start(server, rig.folder, SERVER_PORT, random_zones_origins);
	assert_string_equal(rig_forwarder(&rig), "ready");
	wait_for_server();
	for (until_ms = clock_now_ms() + ROUND_MS; clock_now_ms() < until_ms || tally->queries < before + ROUND_LEAST;)
		question_run(tally, handed_out);
	sets_check(handed_out);
	tally->rounds++;
	printf("  %u questions, %u misses\n", tally->queries - before, tally->misses - misses);
	zones_stop(process);
	rig_stop(&rig);
	random_zones_free(zones);
	free(handed_out);
}

static void whatever_is_asked_only_what_is_promised_differs(void **state)
{
	const char *seed_text = getenv("SHIELD_SEED"), *full_text = getenv("SHIELD_FULL");
	bool full = full_text && *full_text;
	uint64_t seed = full ? hash_random16() * UINT64_C(65536) + hash_random16() : SEED_USUAL;
	int64_t until_ms = clock_now_ms() + (full ? WHOLE_FULL_MS : WHOLE_MS);
	struct tally tally = {0};

	(void)state;
	if (seed_text && *seed_text)
		seed = strtoull(seed_text, NULL, 10);
	for (; clock_now_ms() < until_ms; seed++)
		round_run(seed, seed % 4 == 3 ? ZONES_BIND : ZONES_NSD, &tally);
	printf("%u rounds, %u questions (%u for names that no rule allows), %u answers with records, %u replies that differ, %u against the promises\n",
		tally.rounds, tally.queries, tally.unlisted, tally.answers, tally.differences, tally.misses);
	if (tally.misses)
		fail_msg("%u replies differ in what nothing promises", tally.misses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_asked_only_what_is_promised_differs),
	};
	const char *missing = rig_missing() ?: zones_missing();

	if (missing)
		return rig_skip(missing);
	setlinebuf(stdout);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
