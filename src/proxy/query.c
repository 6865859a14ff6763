/* The life of a query.
 *
 * A query is parsed, then judged by the policy of the moment. Only a name that is allowed is looked for in the cache or asked upstream; for any other
 * nothing is sent. When an answer comes the policy is asked again, since a `deny` may have come meanwhile. The addresses of an answer, from the
 * cache or from upstream, are given to lease_ensure() before the reply is handed to the outbox. In the states down and down_all names that no rule allows are answered too,
 * but nothing is learned from them: what was let through by a bypass must not outlive it. The PTR of an address that was learned is answered from the leases,
 * without a word to anybody; any other reverse name is a name like all others.
 */
#include "proxy/query.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dns/reply.h"
#include "dns/reverse.h"
#include "proxy/budget.h"
#include "proxy/notice.h"
#include "proxy/outbox.h"

/* How one question is treated now. */
struct judgement {
	bool answer;
	bool learn;
	struct policy_match match;
};

static bool state_answers_all(enum shield_state state)
{
	return state == SHIELD_DOWN || state == SHIELD_DOWN_ALL;
}

static struct judgement question_judge(const struct proxy *proxy, const struct name *name)
{
	struct judgement judgement = {0};

	policy_lookup(proxy->policy, name->wire, name->length, &judgement.match);
	judgement.learn = judgement.match.verdict == POLICY_ALLOWED;
	judgement.answer = judgement.learn || (state_answers_all(proxy->state) && judgement.match.verdict != POLICY_DENIED);
	if (proxy->state == SHIELD_BLOCK)
		judgement.answer = judgement.learn = false;
	return judgement;
}

struct answer_filter query_filter(const struct proxy *proxy)
{
	return (struct answer_filter){
		.allowed = policy_allowed_nets(proxy->policy),
		.unfiltered = proxy->state == SHIELD_DOWN_ALL,
	};
}

bool query_name_may_keep(void *context, const struct name *name, const struct setwriter_key *key)
{
	const struct proxy *proxy = context;
	struct policy_match match;

	policy_lookup(proxy->policy, name->wire, name->length, &match);
	if (match.verdict != POLICY_ALLOWED)
		return false;
	if (match.any_port || !key->port)
		return match.any_port == !key->port;
	for (unsigned i = 0; i < policy_match_port_count(&match); i++)
		if (policy_match_port(&match, i).port == key->port && policy_match_port(&match, i).protocol == key->protocol)
			return true;
	return false;
}

static void reply_error_send(struct proxy *proxy, const struct client *client, const struct question *question, int rcode, int ede, const char *text)
{
	unsigned owner;
	uint8_t *out;

	if (client->kind == CLIENT_NONE)
		return;
	out = outbox_reserve(proxy, &owner);
	outbox_add(proxy, client, question, reply_error(question, rcode, ede, text, out), false);
}

static bool client_is_workload(const struct client *client)
{
	return client->kind == CLIENT_UDP || client->kind == CLIENT_TCP;
}

static const char *blocked_why(const struct policy_match *match)
{
	switch (match->verdict) {
	case POLICY_DENIED:
		return "denied";
	case POLICY_EXCLUDED:
		return "taken out by the profile";
	case POLICY_UNLISTED:
	case POLICY_ALLOWED: /* allowed, but the shield blocks everything */
		break;
	}
	return "not in the profile";
}

static enum activity_verdict blocked_verdict(const struct policy_match *match)
{
	return match->verdict == POLICY_DENIED || match->verdict == POLICY_EXCLUDED ? ACTIVITY_DENIED : ACTIVITY_REFUSED;
}

static void reply_blocked(struct proxy *proxy, const struct client *client, const struct question *question, const struct policy_match *match)
{
	int rcode = proxy->settings.deny == SETTINGS_DENY_REFUSED ? RCODE_REFUSED : RCODE_NXDOMAIN;
	char name[NAME_TEXT_MAX], text[512]; /* reply_error() cuts it at REPLY_EDE_TEXT_MAX */
	const char *why = blocked_why(match);

	proxy->counters[COUNT_BLOCKED]++;
	if (client_is_workload(client))
		notice_query_blocked(proxy, question, blocked_verdict(match), why);
	if (!question->edns || client->kind == CLIENT_NONE) {
		reply_error_send(proxy, client, question, rcode, EDE_NONE, NULL);
		return;
	}
	name_to_text(&question->name, name);
	snprintf(text, sizeof(text), "terok-shield: %s; terok-shield allow %s %.120s", why, proxy->container, name);
	reply_error_send(proxy, client, question, rcode, EDE_BLOCKED, text);
}

/* Sees to the leases of all addresses of an answer, under each port that the rule names. */
static int addresses_ensure(struct proxy *proxy, const struct policy_match *match, const struct name *name, const struct addr *addresses, size_t count, uint32_t lease_s,
			    unsigned owner, bool *staged)
{
	for (size_t i = 0; i < count; i++) {
		unsigned ports = match->any_port ? 1 : policy_match_port_count(match);

		for (unsigned j = 0; j < ports; j++) {
			struct setwriter_key key = {.addr = addresses[i]};
			int result;

			if (!match->any_port) {
				key.port = policy_match_port(match, j).port;
				key.protocol = policy_match_port(match, j).protocol;
			}
			result = lease_ensure(proxy->leases, &key, name, lease_s, owner, staged);
			if (result)
				return result;
		}
	}
	return 0;
}

/* One client gets an answer, once its addresses are in the set. */
static void reply_send(struct proxy *proxy, const struct client *client, const struct question *question, const struct judgement *judgement,
		       const struct reply_source *source, const struct addr *addresses, size_t address_count, uint32_t lease_s, bool filtered)
{
	int ede = filtered ? EDE_FILTERED : EDE_NONE;
	const char *text = filtered ? "terok-shield: inside addresses were removed; a network in the profile lets them pass" : NULL;
	size_t limit = client->kind == CLIENT_UDP ? reply_udp_limit(question) : MESSAGE_MAX, length = 0;
	bool staged = false;
	unsigned owner;
	uint8_t *out = outbox_reserve(proxy, &owner);
	int result;

	if (judgement->learn) {
		result = addresses_ensure(proxy, &judgement->match, &question->name, addresses, address_count, lease_s, owner, &staged);
		if (result) {
			proxy->counters[result == -ENOSPC ? COUNT_LEASES_FULL : COUNT_SET_FAILURES]++;
			proxy_fault(proxy, result == -ENOSPC ? "too many addresses are learned: an answer was withheld" : "an address could not be admitted: an answer was withheld");
			if (client->kind != CLIENT_NONE)
				length = reply_error(question, RCODE_SERVFAIL, EDE_OTHER, "terok-shield: the address could not be admitted to the firewall", out);
			outbox_add(proxy, client, question, length, false);
			return;
		}
	}
	if (client->kind != CLIENT_NONE)
		length = reply_answer(question, source, ede, text, limit, out);
	outbox_add(proxy, client, question, length, staged);
}

/* The name of an address that was learned is known here: it is told, and nothing is sent. False when there is none, or a rule has decided otherwise. */
static bool reverse_answer(struct proxy *proxy, const struct client *client, const struct question *question, const struct policy_match *match)
{
	size_t limit = client->kind == CLIENT_UDP ? reply_udp_limit(question) : MESSAGE_MAX;
	struct name names[REVERSE_NAMES_MAX];
	uint16_t ttls[REVERSE_NAMES_MAX];
	uint8_t wire[REVERSE_ANSWER_MAX];
	struct reply_source source = {.wire = wire, .rcode = RCODE_NOERROR, .ttls = ttls, .ttl_max_s = ANSWER_TTL_MAX_S};
	struct addr addr;
	uint32_t ttl_s;
	unsigned owner;
	uint8_t *out;

	if (question->type != TYPE_PTR || match->verdict != POLICY_UNLISTED || proxy->state == SHIELD_BLOCK || !reverse_parse(&question->name, &addr))
		return false;
	source.ttl_count = leases_names(proxy->leases, &addr, names, REVERSE_NAMES_MAX, &ttl_s);
	if (!source.ttl_count)
		return false;
	source.answer_count = (uint16_t)source.ttl_count;
	source.length = reverse_write(question, names, source.ttl_count, ttl_s, ttls, wire);
	proxy->counters[COUNT_CACHED]++;
	out = outbox_reserve(proxy, &owner);
	outbox_add(proxy, client, question, reply_answer(question, &source, EDE_NONE, NULL, limit, out), false);
	return true;
}

/* Only what a workload asks is charged, and only what a rule of the user's lets out. */
static bool budget_holds(struct proxy *proxy, const struct client *client, const struct question *question, const struct judgement *judgement)
{
	char rule_text[NAME_TEXT_MAX], text[512];
	struct name rule;
	bool first;

	if (!client_is_workload(client) || !judgement->learn || budget_take(proxy->budget, &question->name, &judgement->match, &first))
		return true;
	proxy->counters[COUNT_BUDGET]++;
	notice_query_blocked(proxy, question, ACTIVITY_ALLOWED, "budget");
	budget_rule_name(&question->name, &judgement->match, &rule);
	name_to_text(&rule, rule_text);
	if (first)
		proxy_note(proxy, "budget", rule_text, "more new names below it in a minute than dns.budget in config.yml lets out: refused");
	snprintf(text, sizeof(text), "terok-shield: too many new names below %.120s in a minute; see dns.budget in config.yml", rule_text);
	reply_error_send(proxy, client, question, RCODE_REFUSED, EDE_BLOCKED, text);
	return false;
}

static void notice_answered(struct proxy *proxy, const struct client *client, const struct question *question, const struct judgement *judgement)
{
	if (client_is_workload(client))
		notice_query(proxy, question, !judgement->learn);
}

static void question_handle(struct proxy *proxy, const struct client *client, const struct question *question)
{
	struct judgement judgement = question_judge(proxy, &question->name);
	struct cache_entry entry;

	if (!judgement.answer) {
		if (!reverse_answer(proxy, client, question, &judgement.match))
			reply_blocked(proxy, client, question, &judgement.match);
		return;
	}
	/* a renewal wants to know what holds now */
	if (client->kind != CLIENT_NONE && cache_find(proxy->cache, question, &entry)) {
		proxy->counters[COUNT_CACHED]++;
		notice_answered(proxy, client, question, &judgement);
		reply_send(proxy, client, question, &judgement, &entry.source, entry.addresses, entry.address_count, entry.lease_s, entry.filtered);
		return;
	}
	if (!budget_holds(proxy, client, question, &judgement))
		return;
	notice_answered(proxy, client, question, &judgement);
	if (pending_ask(proxy, client, question))
		reply_error_send(proxy, client, question, RCODE_SERVFAIL, EDE_OTHER, "terok-shield: too many questions in flight");
}

bool query_receive(struct proxy *proxy, const struct client *client, const uint8_t *wire, size_t length)
{
	struct question question;
	int rcode;

	proxy->counters[COUNT_QUERIES]++;
	rcode = question_parse(wire, length, &question);
	if (rcode < 0) {
		proxy->counters[COUNT_DROPPED]++;
		return false;
	}
	if (rcode) {
		proxy->counters[COUNT_MALFORMED]++;
		reply_error_send(proxy, client, &question, rcode, EDE_NONE, NULL);
		return true;
	}
	question_handle(proxy, client, &question);
	return true;
}

void query_ask(struct proxy *proxy, const struct client *client, const struct name *name, uint16_t type)
{
	struct question question = {
		.name = *name,
		.type = type,
		.class = MESSAGE_CLASS_IN,
		.udp_size = MESSAGE_UDP_EDNS,
		.has_name = true,
		.recursion = true,
	};

	memcpy(question.asked, name->wire, name->length);
	question_handle(proxy, client, &question);
}

void query_answered(struct proxy *proxy, struct pending *pending, const uint8_t *wire, const struct answer *answer, bool filtered)
{
	const struct question *asked = pending_question(pending);
	struct judgement judgement = question_judge(proxy, &asked->name);
	uint16_t ttls[ANSWER_RECORDS_MAX];
	struct reply_source source = {
		.wire = wire,
		.length = answer->end,
		.rcode = answer->rcode,
		.answer_count = answer->answer_count,
		.authority_count = answer->authority_count,
		.authentic = answer->authentic,
		.ttls = ttls,
		.ttl_count = (size_t)answer->answer_count + answer->authority_count,
		.ttl_max_s = ANSWER_TTL_MAX_S,
	};

	for (size_t i = 0; i < source.ttl_count; i++)
		ttls[i] = answer->records[i].ttl;
	proxy->counters[COUNT_ANSWERED]++;
	proxy->counters[COUNT_FILTERED] += filtered;
	if (judgement.answer)
		cache_store(proxy->cache, asked, wire, answer, filtered);
	for (size_t i = 0; i < answer->address_count && judgement.answer && !judgement.learn; i++)
		notice_address(proxy, &answer->addresses[i], &asked->name);
	for (const struct waiting *waiting = pending_waiting(pending); waiting; waiting = waiting->next) {
		if (judgement.answer)
			reply_send(proxy, &waiting->client, &waiting->question, &judgement, &source, answer->addresses, answer->address_count, answer->lease_s, filtered);
		else
			reply_blocked(proxy, &waiting->client, &waiting->question, &judgement.match);
	}
}

void query_failed(struct proxy *proxy, struct pending *pending, int rcode, int ede)
{
	proxy->counters[COUNT_FAILED]++;
	for (const struct waiting *waiting = pending_waiting(pending); waiting; waiting = waiting->next)
		reply_error_send(proxy, &waiting->client, &waiting->question, rcode, ede, "terok-shield: no upstream resolver answered");
}
