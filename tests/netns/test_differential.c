/* Side by side: each query of a list is asked at an authoritative server (NSD, then BIND) and through three forwarders in front of it, ours, dnsmasq and unbound. The replies
 * are compared by meaning. Where ours differs from the server's, a line of `promises` must say why it has to; any other difference fails the test. What the other two do
 * is printed beside it, and judged by nobody.
 *
 * The list is made of three parts: each name of the zones with its types, in the plain zone and its two signed twins; a choice of questions in every variant of
 * flags, EDNS, spelling and transport; and messages that are no plain question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/promises.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "support/rig.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SERVER_PORT 5301
#define DNSMASQ_PORT 5302
#define UNBOUND_PORT 5303
#define REPLY_WAIT_MS 3000
#define OTHERS_WAIT_MS 1000 /* whose silence is theirs */
#define SILENCE_WAIT_MS 300 /* for messages that nobody has to answer */
#define START_WAIT_MS 15000
#define QUERIES_LEAST 300

/* ---- queries ---- */

#define OPTION(octets) .options = (octets), .options_length = sizeof(octets) - 1

static const struct variant usual = {"", RD, true, 1232, .version = 0};
static const struct variant usual_do = {"do", RD, true, 1232, 0, FLAG_DO};
static const struct variant usual_do_tcp = {"do tcp", RD, true, 1232, 0, FLAG_DO, .tcp = true};
static const struct variant chaos = {"class CH", RD, true, 1232, .version = 0};

static const struct variant variants[] = {
	{"no edns", RD},
	{"rd=0", 0, true, 1232},
	{"rd=0 no edns", 0},
	{"ad", RD | MESSAGE_AD, true, 1232},
	{"ad no edns", RD | MESSAGE_AD},
	{"cd", RD | MESSAGE_CD, true, 1232},
	{"ad cd", RD | MESSAGE_AD | MESSAGE_CD, true, 1232},
	{"aa", RD | MESSAGE_AA, true, 1232},
	{"ra", RD | MESSAGE_RA, true, 1232},
	{"tc", RD | MESSAGE_TC, true, 1232},
	{"z", RD | 0x0040, true, 1232},
	{"rcode 5", RD | 5, true, 1232},
	{"size 0", RD, true, 0},
	{"size 512", RD, true, 512},
	{"size 513", RD, true, 513},
	{"size 4096", RD, true, 4096},
	{"size 65535", RD, true, 65535},
	{"do", RD, true, 1232, 0, FLAG_DO},
	{"do size 512", RD, true, 512, 0, FLAG_DO},
	{"do size 4096", RD, true, 4096, 0, FLAG_DO},
	{"do cd", RD | MESSAGE_CD, true, 1232, 0, FLAG_DO},
	{"edns flags", RD, true, 1232, 0, 0x7fff},
	{"version 1", RD, true, 1232, 1, 0},
	{"version 255 do", RD, true, 1232, 255, FLAG_DO},
	{"cookie", RD, true, 1232, OPTION("\0\12\0\10ABCDEFGH")},
	{"subnet", RD, true, 1232, OPTION("\0\10\0\7\0\1\30\0\306\63\144")},
	{"padding", RD, true, 1232, OPTION("\0\14\0\20................")},
	{"nsid", RD, true, 1232, OPTION("\0\3\0\0")},
	{"option 65001", RD, true, 1232, OPTION("\375\351\0\3abc")},
	{"upper case", RD, true, 1232, .spelling = SPELLED_UPPER},
	{"mixed case", RD, true, 1232, .spelling = SPELLED_MIXED},
	{"mixed case do", RD, true, 1232, 0, FLAG_DO, .spelling = SPELLED_MIXED},
	{"tcp", RD, true, 1232, .tcp = true},
	{"tcp no edns", RD, .tcp = true},
	{"tcp do", RD, true, 1232, 0, FLAG_DO, .tcp = true},
	{"v6", RD, true, 1232, .v6 = true},
	{"v6 no edns", RD, .v6 = true},
	{"v6 tcp", RD, true, 1232, .tcp = true, .v6 = true},
	{"v6 tcp mixed", RD, true, 1232, 0, FLAG_DO, .tcp = true, .v6 = true, .spelling = SPELLED_MIXED},
};

struct asked {
	const char *name; /* below the origin; "@" */
	unsigned types[8];
};

/* Asked in each zone. */
static const struct asked names[] = {
	{"@", {TYPE_SOA, TYPE_NS, TYPE_MX, TYPE_CAA, TYPE_A, TYPE_TXT, TYPE_DNSKEY, TYPE_NSEC3PARAM}},
	{"ns", {TYPE_A, TYPE_AAAA}},
	{"a", {TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_HTTPS, TYPE_RRSIG, TYPE_NSEC}},
	{"aaaa", {TYPE_A, TYPE_AAAA}},
	{"both", {TYPE_A, TYPE_AAAA, TYPE_TXT, TYPE_DS}},
	{"week", {TYPE_A}},
	{"zero", {TYPE_A}},
	{"mixed", {TYPE_A}},
	{"under_score", {TYPE_A}},
	{"chain1", {TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_MX}},
	{"chain3", {TYPE_A, TYPE_CNAME}},
	{"away", {TYPE_A, TYPE_AAAA, TYPE_CNAME, TYPE_TXT}},
	{"dangling", {TYPE_A, TYPE_CNAME}},
	{"out", {TYPE_A, TYPE_CNAME}},
	{"towild", {TYPE_A, TYPE_TXT, TYPE_AAAA}},
	{"loop1", {TYPE_A, TYPE_CNAME}},
	{"c1", {TYPE_A, TYPE_CNAME}},
	{"c12", {TYPE_A}},
	{"dn", {TYPE_DNAME, TYPE_A}},
	{"x.dn", {TYPE_A, TYPE_AAAA, TYPE_TXT, TYPE_CNAME}},
	{"nx.dn", {TYPE_A}},
	{"alias.dn", {TYPE_A, TYPE_CNAME}},
	{"mx", {TYPE_MX, TYPE_A}},
	{"_sip._tcp", {TYPE_SRV}},
	{"_none._tcp", {TYPE_SRV}},
	{"txt", {TYPE_TXT}},
	{"txts", {TYPE_TXT}},
	{"octets", {TYPE_TXT}},
	{"long", {TYPE_TXT}},
	{"svc", {TYPE_HTTPS}},
	{"svcalias", {TYPE_HTTPS}},
	{"svcport", {TYPE_HTTPS, TYPE_SVCB}},
	{"svcinside", {TYPE_HTTPS}},
	{"_dns", {TYPE_SVCB}},
	{"caa", {TYPE_CAA}},
	{"_443._tcp", {TYPE_TLSA}},
	{"sshfp", {TYPE_SSHFP}},
	{"naptr", {TYPE_NAPTR}},
	{"ptr", {TYPE_PTR}},
	{"loc", {TYPE_LOC}},
	{"uri", {TYPE_URI}},
	{"hinfo", {TYPE_HINFO}},
	{"rp", {TYPE_RP}},
	{"afsdb", {TYPE_AFSDB}},
	{"cert", {TYPE_CERT}},
	{"unknown", {TYPE_OURS, TYPE_A}},
	{"unknownempty", {TYPE_OURS_EMPTY}},
	{"any.wild", {TYPE_A, TYPE_TXT, TYPE_AAAA}},
	{"two.more.wild", {TYPE_A}},
	{"known.wild", {TYPE_A, TYPE_TXT}},
	{"*.wild", {TYPE_A}},
	{"any.wildalias", {TYPE_A, TYPE_CNAME, TYPE_TXT}},
	{"b.ent", {TYPE_A}},
	{"ent", {TYPE_A, TYPE_TXT}},
	{"deep.b.ent", {TYPE_A}},
	{"nx", {TYPE_A, TYPE_AAAA, TYPE_TXT, TYPE_HTTPS}},
	{"nx.a", {TYPE_A}},
	{"dot\\.in", {TYPE_A}},
	{"blank\\032in", {TYPE_A}},
	{"nul\\000in", {TYPE_A}},
	{"high\\255\\128", {TYPE_A}},
	{"back\\\\slash", {TYPE_A}},
	{"inside", {TYPE_A, TYPE_AAAA}},
	{"partly", {TYPE_A}},
	{"metadata", {TYPE_A}},
	{"loopback", {TYPE_A}},
	{"mapped", {TYPE_AAAA}},
	{"deleg", {TYPE_NS, TYPE_A}},
	{"www.deleg", {TYPE_A}},
	{"secure", {TYPE_DS, TYPE_A}},
	{"www.secure", {TYPE_A}},
	{"many", {TYPE_A}},
	{"huge", {TYPE_A}},
	{"a", {TYPE_ANY, TYPE_NULL, TYPE_OPT}},
};

/* Asked in every variant. */
static const struct {
	const char *name;
	unsigned type;
} chosen[] = {
	{"a.zone.test.", TYPE_A},
	{"chain1.zone.test.", TYPE_AAAA},
	{"a.zone.test.", TYPE_AAAA},
	{"nx.zone.test.", TYPE_A},
	{"any.wild.zone.test.", TYPE_TXT},
	{"long.zone.test.", TYPE_TXT},
	{"many.zone.test.", TYPE_A},
	{"huge.zone.test.", TYPE_A},
	{"svc.zone.test.", TYPE_HTTPS},
	{"x.dn.zone.test.", TYPE_A},
	{"partly.zone.test.", TYPE_A},
	{"host.other.test.", TYPE_A},
	{"a.signed.test.", TYPE_A},
	{"any.wild.signed.test.", TYPE_A},
	{"nx.signed.test.", TYPE_A},
	{"x.dn.signed.test.", TYPE_A},
	{"any.wild.signed3.test.", TYPE_A},
	{"nx.signed3.test.", TYPE_A},
	{"huge.signed3.test.", TYPE_A},
};

/* No plain questions. */
static const struct {
	enum shape shape;
	unsigned class;
	struct variant variant;
} odd[] = {
	{SHAPE_PLAIN, CLASS_CH, {"class CH", RD, true, 1232}},
	{SHAPE_PLAIN, CLASS_ANY, {"class ANY", RD, true, 1232}},
	{SHAPE_PLAIN, 1, {"opcode 1", RD | OPCODE(1)}},
	{SHAPE_PLAIN, 1, {"opcode STATUS", RD | OPCODE(2)}},
	{SHAPE_PLAIN, 1, {"opcode 3", RD | OPCODE(3)}},
	{SHAPE_PLAIN, 1, {"opcode NOTIFY", OPCODE(4)}},
	{SHAPE_PLAIN, 1, {"opcode UPDATE", OPCODE(5)}},
	{SHAPE_PLAIN, 1, {"opcode 15 edns", OPCODE(15), true, 1232}},
	{SHAPE_PLAIN, 1, {"qr", RD | MESSAGE_QR}},
	{SHAPE_NO_QUESTION, 1, {"no question", RD}},
	{SHAPE_TWO_QUESTIONS, 1, {"two questions", RD}},
	{SHAPE_ANSWER, 1, {"answer in query", RD}},
	{SHAPE_TWO_OPT, 1, {"two OPT", RD, true, 1232}},
	{SHAPE_OPT_OWNER, 1, {"OPT not at root", RD}},
	{SHAPE_TRAILING, 1, {"octets behind", RD, true, 1232}},
	{SHAPE_CUT, 1, {"cut short", RD}},
	{SHAPE_COMPRESSED, 1, {"pointer", RD}},
	{SHAPE_SHORT, 1, {"no header", RD}},
	{SHAPE_LABEL_TYPE, 1, {"label type 01", RD}},
	{SHAPE_ADDITIONAL, 1, {"A in additional", RD, true, 1232}},
	{SHAPE_PLAIN, 1, {"option cut", RD, true, 1232, OPTION("\0\12\0\10ABC")}},
};

static struct query queries[2000];
static size_t query_count;

static struct query *query_add(unsigned type, const struct variant *variant)
{
	struct query *query = &queries[query_count++];

	assert_true(query_count < COUNT(queries));
	query->type = type;
	query->class = MESSAGE_CLASS_IN;
	query->variant = variant;
	return query;
}

static void long_names_add(const char *origin, const struct variant *variant)
{
	static void (*const makers[])(char *text, const char *origin) = {zones_name_of_255, zones_name_overflows};
	char text[ZONES_NAME_MAX];

	zones_name_of_63(text);
	snprintf(query_add(TYPE_A, variant)->name, sizeof(queries[0].name), "%s.%s.", text, origin);
	for (size_t i = 0; i < COUNT(makers); i++) {
		makers[i](text, origin);
		snprintf(query_add(TYPE_A, variant)->name, sizeof(queries[0].name), "%s.%s.", text, origin);
	}
}

static void queries_make(void)
{
	static const struct {
		const char *origin;
		const struct variant *variant;
	} zones[] = {{"zone.test", &usual}, {"signed.test", &usual_do}, {"signed3.test", &usual_do_tcp}};

	for (size_t i = 0; i < COUNT(zones); i++) {
		for (size_t j = 0; j < COUNT(names); j++)
			for (size_t k = 0; k < COUNT(names[j].types) && names[j].types[k]; k++) {
				struct query *query = query_add(names[j].types[k], zones[i].variant);
				bool apex = !strcmp(names[j].name, "@");

				snprintf(query->name, sizeof(query->name), "%s%s%s.", apex ? "" : names[j].name, apex ? "" : ".", zones[i].origin);
			}
		long_names_add(zones[i].origin, zones[i].variant);
	}
	for (size_t i = 0; i < COUNT(chosen); i++)
		for (size_t j = 0; j < COUNT(variants); j++)
			strcpy(query_add(chosen[i].type, &variants[j])->name, chosen[i].name);
	for (size_t i = 0; i < COUNT(odd); i++) {
		struct query *query = query_add(TYPE_A, &odd[i].variant);

		strcpy(query->name, "a.zone.test.");
		query->class = odd[i].class;
		query->shape = odd[i].shape;
	}
	strcpy(query_add(TYPE_TXT, &chaos)->name, "version.bind.");
	queries[query_count - 1].class = CLASS_CH;
	strcpy(query_add(TYPE_NS, &usual)->name, ".");
	for (size_t i = 0; i < query_count; i++)
		queries[i].unlisted = strstr(queries[i].name, "other.test.") || queries[i].name[0] == '.';
}

/* ---- asking ---- */

enum target {
	TARGET_SERVER,
	TARGET_OURS,
	TARGET_DNSMASQ,
	TARGET_UNBOUND,
	TARGETS,
};

static struct rig rig;


static int target_socket(enum target target, bool v6, int type)
{
	static const uint16_t ports[TARGETS] = {SERVER_PORT, 0, DNSMASQ_PORT, UNBOUND_PORT};

	return target == TARGET_OURS ? rig_socket(&rig, v6 ? "::1" : "127.0.0.1", 53, type) : asking_socket(v6, ports[target], type);
}

static void ask(enum target target, const struct query *query, const struct wire *wire, struct view *view)
{
	bool silence = query->shape != SHAPE_PLAIN || query->variant->flags & (MESSAGE_QR | MESSAGE_OPCODE);
	int timeout_ms = silence ? SILENCE_WAIT_MS : target < TARGET_DNSMASQ ? REPLY_WAIT_MS : OTHERS_WAIT_MS;
	cleanup_fd int fd = target_socket(target, query->variant->v6, query->variant->tcp ? SOCK_STREAM : SOCK_DGRAM);

	asking_exchange(fd, query, wire, timeout_ms, view);
}

/* ---- the list ---- */

struct summary {
	unsigned replies, queries_that_differ, differences[DIFF_KINDS][VIEW_SECTIONS];
};

static const char *const target_names[TARGETS] = {"server", "ours", "dnsmasq", "unbound"};

/* What nearly every reply of a forwarder has is counted and left out of the line. */
static bool is_shown(const struct difference *difference)
{
	return difference->kind != DIFF_AA && difference->kind != DIFF_RA && !(difference->kind == DIFF_MISSING && difference->section == VIEW_ADDITIONAL);
}

/* "rcode,ans-,opt": each word once. */
static void words_print(const char *who, const struct difference *differences, size_t count, const struct view *view)
{
	char words[128] = "";

	for (size_t i = 0; i < count; i++) {
		const char *word = difference_word(&differences[i]);

		if (!is_shown(&differences[i]) || strstr(words, word) || strlen(words) + strlen(word) + 2 > sizeof(words))
			continue;
		if (words[0])
			strcat(words, ",");
		strcat(words, word);
	}
	if (strstr(words, "rcode"))
		printf(" | %s %s=%u", who, words, view->rcode);
	else
		printf(" | %s %s", who, words[0] ? words : "=");
}

static void query_print(size_t number, const struct query *query, const struct view *server)
{
	char type[ASKING_TYPE_MAX];

	printf("%4zu %-22.22s %-9s %-14s", number, query->name, asking_type_name(query->type, type), query->variant->what);
	if (server->packet)
		printf(" %2u %u/%u/%u%s", server->rcode, ldns_pkt_ancount(server->packet), ldns_pkt_nscount(server->packet), ldns_pkt_arcount(server->packet),
		       ldns_pkt_tc(server->packet) ? " tc" : "");
	else
		printf(" -");
}

/* Asks at all targets, prints a line. Returns how many differences of ours nothing promises. */
static unsigned query_run(size_t number, const struct query *query, struct summary summaries[TARGETS])
{
	static struct view views[TARGETS], by_tcp;
	static struct difference differences[TARGETS][DIFFERENCES_MAX];
	static struct wire wire;
	struct exchange exchange = {.query = query, .server = &views[TARGET_SERVER], .ours = &views[TARGET_OURS]};
	size_t counts[TARGETS] = {0};
	unsigned unpromised = 0;

	query_write(query, &wire);
	for (unsigned i = 0; i < TARGETS; i++) {
		ask((enum target)i, query, &wire, &views[i]);
		summaries[i].replies += views[i].length > 0;
		if (i == TARGET_SERVER)
			continue;
		counts[i] = view_compare(&views[TARGET_SERVER], &views[i], wire.octets, wire.length, query_limit(query), differences[i]);
		summaries[i].queries_that_differ += counts[i] > 0;
		for (size_t j = 0; j < counts[i]; j++)
			summaries[i].differences[differences[i][j].kind][differences[i][j].section]++;
	}
	exchange.whole = asking_whole(SERVER_PORT, query, &views[TARGET_SERVER], &by_tcp);
	query_print(number, query, &views[TARGET_SERVER]);
	for (unsigned i = TARGET_OURS; i < TARGETS; i++)
		words_print(target_names[i], differences[i], counts[i], &views[i]);
	printf("\n");
	for (size_t i = 0; i < counts[TARGET_OURS]; i++)
		if (!promise_holds(&exchange, &differences[TARGET_OURS][i])) {
			promise_miss_print(&exchange, &differences[TARGET_OURS][i]);
			unpromised++;
		}
	for (unsigned i = 0; i < TARGETS; i++)
		view_free(&views[i]);
	view_free(&by_tcp);
	return unpromised;
}

static void summary_print(const char *server, const struct summary summaries[TARGETS])
{
	printf("\n%zu queries in front of %s, which replied to %u\n%-8s %8s %8s", query_count, server, summaries[TARGET_SERVER].replies, "", "replies", "differ");
	for (unsigned kind = 0; kind < DIFF_KINDS; kind++)
		for (unsigned section = 0; section < VIEW_SECTIONS; section++)
			if (!section || kind == DIFF_MISSING || kind == DIFF_MORE)
				printf(" %7s", difference_word(&(struct difference){.kind = (enum difference_kind)kind, .section = (enum view_section)section}));
	printf("\n");
	for (unsigned i = TARGET_OURS; i < TARGETS; i++) {
		printf("%-8s %8u %8u", target_names[i], summaries[i].replies, summaries[i].queries_that_differ);
		for (unsigned kind = 0; kind < DIFF_KINDS; kind++)
			for (unsigned section = 0; section < VIEW_SECTIONS; section++) {
				const unsigned *counts = summaries[i].differences[kind];

				if (kind == DIFF_MISSING || kind == DIFF_MORE)
					printf(" %7u", counts[section]);
				else if (!section)
					printf(" %7u", counts[0] + counts[1] + counts[2]);
			}
		printf("\n");
	}
	printf("\n");
}

/* ---- tests ---- */

static size_t upstream_is_silent(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	(void)context, (void)query, (void)length, (void)tcp, (void)out;
	return 0;
}

/* Waits until each target gives an answer with records, on both families. */
static void wait_until_ready(void)
{
	static struct view view;
	static struct wire wire;
	struct variant variant = usual;
	struct query query = {.name = "both.zone.test.", .type = TYPE_A, .class = MESSAGE_CLASS_IN, .variant = &variant};

	for (unsigned i = 0; i < TARGETS; i++) {
		unsigned waited_ms = 0;

		for (bool ready = false; !ready; waited_ms += 50) {
			if (waited_ms > START_WAIT_MS)
				fail_msg("%s gives no answer (%s)", target_names[i], variant.v6 ? "IPv6" : "IPv4");
			variant.v6 = waited_ms % 100;
			query_write(&query, &wire);
			ask((enum target)i, &query, &wire, &view);
			ready = variant.v6 && view.packet && ldns_pkt_ancount(view.packet) == 1;
			view_free(&view);
			usleep(50000);
		}
	}
}

static void run_in_front_of(enum zones_server server, const char *name)
{
	struct summary summaries[TARGETS] = {0};
	pid_t processes[3];
	unsigned unpromised = 0;
	const char *wrong;

	rig_start(&rig, "zone.test\nsigned.test\nsigned3.test\n", "", upstream_is_silent, NULL);
	wrong = zones_write(rig.folder);
	if (wrong)
		fail_msg("%s", wrong);
	rig.settings.upstreams[0].endpoint.port = SERVER_PORT;
	processes[0] = zones_server_start(server, rig.folder, SERVER_PORT, zones_origins);
	processes[1] = zones_dnsmasq_start(rig.folder, DNSMASQ_PORT, SERVER_PORT);
	processes[2] = zones_unbound_start(rig.folder, UNBOUND_PORT, SERVER_PORT);
	assert_string_equal(rig_forwarder(&rig), "ready");
	wait_until_ready();
	printf("\n== %s: query, the server's rcode answer/authority/additional | what differs\n", name);
	for (size_t i = 0; i < query_count; i++)
		unpromised += query_run(i + 1, &queries[i], summaries);
	summary_print(name, summaries);
	for (size_t i = 0; i < COUNT(processes); i++)
		zones_stop(processes[i]);
	rig_stop(&rig);
	assert_true(summaries[TARGET_SERVER].replies >= QUERIES_LEAST);
	if (unpromised)
		fail_msg("%u differences that nothing promises", unpromised);
}

static void in_front_of_nsd_only_what_is_promised_differs(void **state)
{
	(void)state;
	run_in_front_of(ZONES_NSD, "NSD");
}

static void in_front_of_bind_only_what_is_promised_differs(void **state)
{
	(void)state;
	run_in_front_of(ZONES_BIND, "BIND");
}

static void each_line_of_the_table_was_needed(void **state)
{
	unsigned used;
	const char *why;

	(void)state;
	for (size_t i = 0; (why = promise_why(i, &used)); i++) {
		printf("%6u  %s\n", used, why);
		if (!used)
			fail_msg("nothing differs by: %s", why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_front_of_nsd_only_what_is_promised_differs),
		cmocka_unit_test(in_front_of_bind_only_what_is_promised_differs),
		cmocka_unit_test(each_line_of_the_table_was_needed),
	};
	const char *missing = rig_missing() ?: zones_missing();

	if (missing)
		return rig_skip(missing);
	setlinebuf(stdout); /* what fails goes to stderr, in its place */
	queries_make();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
