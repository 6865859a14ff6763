/* The ruleset as text: see ruleset.h. One description of chains, sets and rules, written out either as nft's syntax or as what
 * verification expects.
 *
 * Theory of operation. The table has the same chains and sets in every state; only the rules differ, and output's policy. So a change of
 * state replaces rules, and the sets keep their elements. Every chain that filters, and whatever can be reached by `goto`, ends in a
 * verdict of its own: the kernel does not change rules and policy at the same instant, so no packet may come to the policy. It is the
 * second line, for a chain that somebody has emptied.
 *
 * Output, in order: the deny sets, before established, so that a deny cuts live flows; DNS that the capture chain has sent to the
 * forwarder, which still carries the interface it was meant for; loopback; what only counts; established; what IPv6 needs to find its neighbours; marked
 * upstream DNS; then nothing else for port 53, so a flow that the capture chain does not see (one tracked before it was there) is no way
 * out; and then what the state allows.
 *
 * Sets and transactions. The rules of a transaction take effect as one, but a lookup in a set that came with them can miss for a moment
 * (seen on kernel 6.18 with anonymous sets of networks, under load). So no set that a transaction makes anew decides what is refused or
 * captured: such rules have one value each. Where a set only accepts, a miss refuses a packet. The named sets are left alone by a change
 * of state unless they have to change.
 *
 * Marks of flows. A flow that was let out in `down` must not go on as established in `up`, not even for the moment between a change of
 * rules and the end of its conntrack entry. So whatever is let out marks its flow with the state, from the strictest on, and the rule
 * for established flows takes only marks of its own state and of stricter ones. The others meet the rules again with their next packet:
 * those that are allowed are marked anew and go on without a break, the rest are refused, from the very packet at which the rules
 * changed. A workload has no right to set marks. The input chain takes any established flow: what nothing can be sent through any more
 * is ended by fw/shift.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fw/ruleset.h"

#define LEARNED_SIZE       131072
#define LOG_TAIL           "\" group %d snaplen 128 queue-threshold %d"
#define WORD(value)        #value
#define TEXT_OF(value)     WORD(value)
#define MARKED             "meta mark " TEXT_OF(RULESET_MARK) " "
#define FOR_EACH(array, i) for (size_t i = 0; i < sizeof(array) / sizeof(*(array)); i++)

static const struct chain {
	const char *name;
	const char *hook; /* NULL: reached by goto */
} chains[] = {
	{"denied", NULL},
	{"allowed", NULL},
	{"private", NULL},
	{"blocked", NULL},
	{"bypass", NULL},
	{"output", "type filter hook output priority 0"},
	{"input", "type filter hook input priority 0"},
	{"capture", "type nat hook output priority -100"},
};

const struct ruleset_set ruleset_sets[RULESET_SETS] = {
	{.name = "deny_v4", .family = ADDR_V4, .denied = true},
	{.name = "deny_v6", .family = ADDR_V6, .denied = true},
	{.name = "deny_port_v4", .family = ADDR_V4, .with_port = true, .denied = true},
	{.name = "deny_port_v6", .family = ADDR_V6, .with_port = true, .denied = true},
	{.name = "allow_v4", .family = ADDR_V4},
	{.name = "allow_v6", .family = ADDR_V6},
	{.name = "allow_port_v4", .family = ADDR_V4, .with_port = true},
	{.name = "allow_port_v6", .family = ADDR_V6, .with_port = true},
	{.name = "learned_v4", .family = ADDR_V4, .learned = true},
	{.name = "learned_v6", .family = ADDR_V6, .learned = true},
	{.name = "learned_port_v4", .family = ADDR_V4, .with_port = true, .learned = true},
	{.name = "learned_port_v6", .family = ADDR_V6, .with_port = true, .learned = true},
};

/* Where rules go: each is put between what opens and what closes a line. */
struct sink {
	const struct ruleset *ruleset;
	struct text *text;
	const char *chain; /* the chain being written */
	bool expect;       /* a line of ruleset_expect() instead of nft's syntax */
};

static void rule_open(const struct sink *sink)
{
	if (sink->expect)
		text_addf(sink->text, "rule %s ", sink->chain);
	else
		text_add(sink->text, "\t\t");
}

#define rule(sink, ...)                                                                                                                    \
	do {                                                                                                                               \
		rule_open(sink);                                                                                                           \
		text_addf((sink)->text, __VA_ARGS__);                                                                                      \
		text_add((sink)->text, "\n");                                                                                              \
	} while (0)

uint32_t ruleset_flow_mark(enum shield_state state)
{
	switch (state) {
	case SHIELD_UP:
		return RULESET_FLOW_UP;
	case SHIELD_DOWN:
		return RULESET_FLOW_DOWN;
	case SHIELD_DOWN_ALL:
		return RULESET_FLOW_DOWN_ALL;
	case SHIELD_BLOCK:
	case SHIELD_INACTIVE:
	case SHIELD_ERROR:
		break;
	}
	return 0;
}

/* A rule each, not a set: see "Sets and transactions". */
static const char *const private_nets[] = {
	"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"};

/* ---- chains ---- */

static void refuse(const struct sink *sink, const char *prefix)
{
	rule(sink, "counter log prefix \"%s" LOG_TAIL, prefix, RULESET_LOG_GROUP, RULESET_LOG_BATCH);
	if (sink->ruleset->settings->reject == SETTINGS_REJECT_RESET)
		rule(sink, "meta l4proto tcp reject with tcp reset");
	rule(sink, "reject with icmpx admin-prohibited");
}

/* Statements that accept a flow which the state lets out: see "Marks of flows". */
#define ACCEPT_FLOW "ct mark set 0x%08x accept"

static void accept_logged(const struct sink *sink, const char *prefix)
{
	rule(sink, "counter log prefix \"%s" LOG_TAIL " " ACCEPT_FLOW, prefix, RULESET_LOG_GROUP, RULESET_LOG_BATCH,
		ruleset_flow_mark(sink->ruleset->state));
}

/* The flows that were let out in this state or in a stricter one, and those that came in. */
static void accept_established(const struct sink *sink)
{
	uint32_t highest = ruleset_flow_mark(sink->ruleset->state);

	rule_open(sink);
	text_addf(sink->text, "ct state established,related ct mark { 0x%08x", RULESET_FLOW_INBOUND);
	for (uint32_t mark = RULESET_FLOW_INBOUND + 1; mark <= highest; mark++)
		text_addf(sink->text, ", 0x%08x", mark);
	text_add(sink->text, " } accept\n");
}

static int compare_ranges(const void *a, const void *b)
{
	const struct settings_published *left = a, *right = b;

	return left->first != right->first ? left->first - right->first : left->last - right->last;
}

/* Sorts, and joins what overlaps or touches: nft joins such ranges too when it reads them back. Returns how many are left. */
static size_t join_ranges(struct settings_published *ranges, size_t count)
{
	size_t joined = 0;

	qsort(ranges, count, sizeof(*ranges), compare_ranges);
	for (size_t i = 0; i < count; i++) {
		if (joined && ranges[i].first <= ranges[joined - 1].last + 1) {
			if (ranges[i].last > ranges[joined - 1].last)
				ranges[joined - 1].last = ranges[i].last;
		} else {
			ranges[joined++] = ranges[i];
		}
	}
	return joined;
}

/* "8080", "8000-8010", or "{ 80, 8000-8010 }". count is not 0. */
static void add_ports(struct text *text, struct settings_published *ranges, size_t count)
{
	count = join_ranges(ranges, count);
	text_add(text, count > 1 ? "{ " : "");
	for (size_t i = 0; i < count; i++) {
		text_addf(text, i ? ", %u" : "%u", ranges[i].first);
		if (ranges[i].last != ranges[i].first)
			text_addf(text, "-%u", ranges[i].last);
	}
	text_add(text, count > 1 ? " }" : "");
}

/* Ports of the host's loopback, where the container sees it. */
static void open_gateway(const struct sink *sink)
{
	const struct settings *settings = sink->ruleset->settings;
	struct settings_published ranges[SETTINGS_PORTS_MAX];
	char gateway[ADDR_TEXT_MAX];

	if (!settings->host_gateway.family || !settings->loopback_port_count)
		return;
	for (size_t i = 0; i < settings->loopback_port_count; i++)
		ranges[i] = (struct settings_published){.first = settings->loopback_ports[i], .last = settings->loopback_ports[i]};
	rule_open(sink);
	text_addf(sink->text, "%s daddr %s tcp dport ", settings->host_gateway.family == ADDR_V4 ? "ip" : "ip6",
		addr_format(&settings->host_gateway, gateway));
	add_ports(sink->text, ranges, settings->loopback_port_count);
	text_addf(sink->text, " " ACCEPT_FLOW "\n", ruleset_flow_mark(sink->ruleset->state));
}

static void open_published(const struct sink *sink, uint8_t protocol, const char *name)
{
	const struct settings *settings = sink->ruleset->settings;
	struct settings_published ranges[SETTINGS_PUBLISHED_MAX];
	size_t count = 0;

	for (size_t i = 0; i < settings->published_count; i++)
		if (settings->published[i].protocol == protocol)
			ranges[count++] = settings->published[i];
	if (!count)
		return;
	rule_open(sink);
	text_addf(sink->text, "%s dport ", name);
	add_ports(sink->text, ranges, count);
	text_addf(sink->text, " " ACCEPT_FLOW "\n", RULESET_FLOW_INBOUND);
}

/* DNS over TCP and UDP, with a condition before it or "". */
static void rule_dns(const struct sink *sink, const char *condition, const char *verdict)
{
	rule(sink, "%stcp dport %d %s", condition, RULESET_DNS_PORT, verdict);
	rule(sink, "%sudp dport %d %s", condition, RULESET_DNS_PORT, verdict);
}

static void accept_server(const struct sink *sink, const struct addr_endpoint *server, const char *protocol)
{
	char addr[ADDR_TEXT_MAX];

	rule(sink, MARKED "%s daddr %s %s dport %u accept", server->addr.family == ADDR_V4 ? "ip" : "ip6", addr_format(&server->addr, addr),
		protocol, server->port);
}

/* The forwarder's own sockets in the namespace, known by their mark. Where its servers are asked by TLS there is no way out in the
 * clear, whatever it may do. Otherwise any server's port 53 may be asked, since podman's own DNS may be among them, and of each that has
 * another port that one. */
static void accept_upstream(const struct sink *sink)
{
	const struct settings *settings = sink->ruleset->settings;
	bool tls = settings_use_tls(settings);

	if (settings->via != SETTINGS_VIA_CONTAINER)
		return;
	if (!tls)
		rule_dns(sink, MARKED, "accept");
	for (size_t i = 0; i < settings->upstream_count; i++) {
		const struct addr_endpoint *server = &settings->upstreams[i].endpoint;

		if (!tls && server->port == RULESET_DNS_PORT)
			continue;
		accept_server(sink, server, "tcp");
		if (!tls)
			accept_server(sink, server, "udp");
	}
}

/* A jump for each set of a kind, by address alone and by address, protocol and port. */
static void go_by_sets(const struct sink *sink, bool denied, const char *target)
{
	FOR_EACH(ruleset_sets, i)
	{
		const char *family = ruleset_sets[i].family == ADDR_V4 ? "ip" : "ip6";

		if (ruleset_sets[i].denied != denied)
			continue;
		if (ruleset_sets[i].with_port)
			rule(sink, "%s daddr . meta l4proto . th dport @%s goto %s", family, ruleset_sets[i].name, target);
		else
			rule(sink, "%s daddr @%s goto %s", family, ruleset_sets[i].name, target);
	}
}

/* Counts the packets of flows that are under way, in the elements of what was learned: so these show how much went through an address, and
 * which are in use. Nothing is decided. side: "d" for what goes out, "s" for what comes in. */
static void count_learned(const struct sink *sink, char side)
{
	FOR_EACH(ruleset_sets, i)
	{
		const char *family = ruleset_sets[i].family == ADDR_V4 ? "ip" : "ip6";

		if (!ruleset_sets[i].learned)
			continue;
		if (ruleset_sets[i].with_port)
			rule(sink, "ct state established,related %s %caddr . meta l4proto . th %cport @%s", family, side, side, ruleset_sets[i].name);
		else
			rule(sink, "ct state established,related %s %caddr @%s", family, side, ruleset_sets[i].name);
	}
}

static void output_chain(const struct sink *sink)
{
	enum shield_state state = sink->ruleset->state;

	if (state == SHIELD_BLOCK) {
		rule(sink, "counter drop");
		return;
	}
	go_by_sets(sink, true, "denied");
	rule_dns(sink, "ip daddr 127.0.0.1 ", "accept");
	rule_dns(sink, "ip6 daddr ::1 ", "accept");
	rule(sink, "oif \"lo\" accept");
	count_learned(sink, 'd');
	accept_established(sink);
	rule(sink, "ip6 hoplimit 255 icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept");
	if (state == SHIELD_UP) {
		/* The kernel's own reports of group memberships: refused too, but a record of each would be noise. */
		rule(sink, "icmpv6 type mld2-listener-report drop");
		rule(sink, "ip protocol igmp drop");
	}
	accept_upstream(sink);
	rule_dns(sink, "", "goto blocked");
	open_gateway(sink);
	go_by_sets(sink, false, "allowed");
	if (state != SHIELD_DOWN_ALL) {
		FOR_EACH(private_nets, i)
		rule(sink, "%s daddr %s goto private", strchr(private_nets[i], ':') ? "ip6" : "ip", private_nets[i]);
	}
	rule(sink, "goto %s", state == SHIELD_UP ? "blocked" : "bypass");
}

static void input_chain(const struct sink *sink)
{
	if (sink->ruleset->state == SHIELD_BLOCK) {
		rule(sink, "counter drop");
		return;
	}
	rule(sink, "iif \"lo\" accept");
	count_learned(sink, 's');
	rule(sink, "ct state established,related accept");
	rule(sink, "ip6 hoplimit 255 icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept");
	open_published(sink, RULE_TCP, "tcp");
	open_published(sink, RULE_UDP, "udp");
	open_published(sink, 132, "sctp");
	rule(sink, "counter drop");
}

static void capture_chain(const struct sink *sink)
{
	rule(sink, "oif \"lo\" return");
	if (sink->ruleset->settings->via == SETTINGS_VIA_CONTAINER)
		rule(sink, MARKED "return");
	rule_dns(sink, "", "redirect to :" TEXT_OF(RULESET_DNS_PORT));
}

/* A chain that the state does not reach stays empty. */
static void chain_rules(const struct sink *sink)
{
	enum shield_state state = sink->ruleset->state;
	bool blocking = state == SHIELD_BLOCK;

	if (!strcmp(sink->chain, "output"))
		output_chain(sink);
	else if (!strcmp(sink->chain, "input"))
		input_chain(sink);
	else if (!strcmp(sink->chain, "capture"))
		capture_chain(sink);
	else if (!strcmp(sink->chain, "denied") && !blocking)
		refuse(sink, RULESET_LOG_DENIED);
	else if (!strcmp(sink->chain, "allowed") && !blocking)
		accept_logged(sink, RULESET_LOG_ALLOWED);
	else if (!strcmp(sink->chain, "private") && (state == SHIELD_UP || state == SHIELD_DOWN))
		refuse(sink, RULESET_LOG_PRIVATE);
	else if (!strcmp(sink->chain, "blocked") && !blocking)
		refuse(sink, RULESET_LOG_BLOCKED);
	else if (!strcmp(sink->chain, "bypass") && (state == SHIELD_DOWN || state == SHIELD_DOWN_ALL))
		accept_logged(sink, RULESET_LOG_BYPASS);
}

static const char *chain_policy(const struct ruleset *ruleset, const char *name)
{
	bool bypass = ruleset->state == SHIELD_DOWN || ruleset->state == SHIELD_DOWN_ALL;

	return !strcmp(name, "capture") || (bypass && !strcmp(name, "output")) ? "accept" : "drop";
}

static void add_chains(const struct ruleset *ruleset, struct text *text)
{
	struct sink sink = {.ruleset = ruleset, .text = text};

	FOR_EACH(chains, i)
	{
		text_addf(text, "\tchain %s {\n", chains[i].name);
		if (chains[i].hook)
			text_addf(text, "\t\t%s; policy %s;\n", chains[i].hook, chain_policy(ruleset, chains[i].name));
		sink.chain = chains[i].name;
		chain_rules(&sink);
		text_add(text, "\t}\n");
	}
}

/* ---- sets ---- */

static void add_type(struct text *text, const struct ruleset_set *set)
{
	text_add(text, set->family == ADDR_V4 ? "ipv4_addr" : "ipv6_addr");
	if (set->with_port)
		text_add(text, " . inet_proto . inet_service");
}

static bool set_holds(const struct ruleset_set *set, const struct netset_entry *entry)
{
	return entry->net.addr.family == set->family && (entry->port != 0) == set->with_port;
}

static const struct netset *set_contents(const struct ruleset *ruleset, const struct ruleset_set *set)
{
	return set->denied ? ruleset->denied : ruleset->allowed;
}

void ruleset_add_end(struct text *text, int64_t until_s)
{
	int64_t left_s = until_s - clock_lasting_s();
	char moment[CLOCK_TEXT_MAX];

	/* 0 would be for good: what has just ended lasts a second longer. */
	text_addf(text, " timeout %llds comment \"" RULESET_UNTIL "%s\"", (long long)(left_s > 0 ? left_s : 1),
		clock_wall_text(moment, sizeof(moment), until_s));
}

static void add_element(struct text *text, const struct netset_entry *entry)
{
	char net[ADDR_NET_TEXT_MAX];

	text_add(text, addr_net_format(&entry->net, net));
	if (entry->port)
		text_addf(text, " . %s . %u", entry->protocol == RULE_TCP ? "tcp" : "udp", entry->port);
}

/* before, then "{ A, B }" and after; nothing at all when the set is empty. */
static void add_elements(const struct ruleset *ruleset, const struct ruleset_set *set, struct text *text, const char *before, const char *after)
{
	const struct netset *contents = set_contents(ruleset, set);
	bool first = true;

	for (size_t i = 0; !set->learned && i < contents->count; i++) {
		if (!set_holds(set, &contents->entries[i]))
			continue;
		if (first)
			text_addf(text, "%s{\n\t\t\t", before);
		else
			text_add(text, ",\n\t\t\t");
		add_element(text, &contents->entries[i]);
		if (contents->entries[i].until)
			ruleset_add_end(text, contents->entries[i].until);
		first = false;
	}
	if (!first)
		text_addf(text, "\n\t\t}%s", after);
}

/* Without a default timeout: an element that has none stays. */
static const char *interval_flags(const struct ruleset_set *set)
{
	return set->denied ? "interval" : "interval,timeout";
}

static void add_sets(const struct ruleset *ruleset, struct text *text)
{
	FOR_EACH(ruleset_sets, i)
	{
		text_addf(text, "\tset %s {\n\t\ttype ", ruleset_sets[i].name);
		add_type(text, &ruleset_sets[i]);
		if (ruleset_sets[i].learned)
			text_addf(text, "\n\t\tsize %d\n\t\tflags timeout\n\t\tcounter\n", LEARNED_SIZE);
		else
			text_addf(text, "\n\t\tflags %s\n", interval_flags(&ruleset_sets[i]));
		add_elements(ruleset, &ruleset_sets[i], text, "\t\telements = ", "\n");
		text_add(text, "\t}\n");
	}
}

/* ---- the four documents ---- */

void ruleset_render(const struct ruleset *ruleset, struct text *text)
{
	text_add(text, RULESET_RESET "table inet " RULESET_TABLE " {\n");
	add_sets(ruleset, text);
	add_chains(ruleset, text);
	text_add(text, "}\n");
}

void ruleset_render_sets(const struct ruleset *ruleset, struct text *text)
{
	char before[64];

	FOR_EACH(ruleset_sets, i)
	{
		if (ruleset_sets[i].learned)
			continue;
		text_addf(text, "flush set inet " RULESET_TABLE " %s\n", ruleset_sets[i].name);
		snprintf(before, sizeof(before), "add element inet " RULESET_TABLE " %s ", ruleset_sets[i].name);
		add_elements(ruleset, &ruleset_sets[i], text, before, "\n");
	}
}

void ruleset_render_rules(const struct ruleset *ruleset, struct text *text)
{
	/* Flushing a table removes its rules and leaves its sets. A table that is not there is an error: nothing is left half made. */
	text_add(text, "flush table inet " RULESET_TABLE "\ntable inet " RULESET_TABLE " {\n");
	add_chains(ruleset, text);
	text_add(text, "}\n");
}

void ruleset_render_change(const struct ruleset *ruleset, struct text *text)
{
	ruleset_render_sets(ruleset, text);
	ruleset_render_rules(ruleset, text);
}

static void expect_chain(const struct ruleset *ruleset, const struct chain *chain, struct text *text)
{
	text_addf(text, "chain %s", chain->name);
	if (chain->hook)
		text_addf(text, " %s policy %s", chain->hook, chain_policy(ruleset, chain->name));
	text_add(text, "\n");
}

static void expect_set(const struct ruleset_set *set, struct text *text)
{
	text_addf(text, "set %s type ", set->name);
	add_type(text, set);
	if (set->learned)
		text_addf(text, " size %d flags timeout counter\n", LEARNED_SIZE);
	else
		text_addf(text, " flags %s\n", interval_flags(set));
}

void ruleset_element_line(struct text *text, const struct netset_entry *entry)
{
	char moment[CLOCK_TEXT_MAX];

	add_element(text, entry);
	if (entry->until)
		text_addf(text, " " RULESET_UNTIL "%s", clock_wall_text(moment, sizeof(moment), entry->until));
}

void ruleset_expect_elements(const struct ruleset *ruleset, struct text *text)
{
	FOR_EACH(ruleset_sets, i)
	{
		const struct netset *contents = set_contents(ruleset, &ruleset_sets[i]);

		for (size_t j = 0; !ruleset_sets[i].learned && j < contents->count; j++) {
			if (!set_holds(&ruleset_sets[i], &contents->entries[j]))
				continue;
			text_addf(text, "element %s ", ruleset_sets[i].name);
			ruleset_element_line(text, &contents->entries[j]);
			text_add(text, "\n");
		}
	}
}

void ruleset_expect(const struct ruleset *ruleset, struct text *text)
{
	struct sink sink = {.ruleset = ruleset, .text = text, .expect = true};

	FOR_EACH(chains, i)
	expect_chain(ruleset, &chains[i], text);
	FOR_EACH(ruleset_sets, i)
	expect_set(&ruleset_sets[i], text);
	FOR_EACH(chains, i)
	{
		sink.chain = chains[i].name;
		chain_rules(&sink);
	}
	ruleset_expect_elements(ruleset, text);
}
