/* Which probes, and what their ends mean: see probe_plan.h. */
#include "cli/probe_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dns/message.h"

#define DNS_PORT 53
#define TRIES    64 /* documentation or private addresses that are looked at before it is given up */
#define AT(id)   ((unsigned)((id)-CHECK_INSIDE))
#define IS_V6(i) ((i) % 4 >= 2) /* of the checks that come in fours */

/* ---- addresses ---- */

static struct addr addr_make(const char *text)
{
	struct addr addr = {0};
	addr_parse(&addr, text, strlen(text));
	return addr;
}

/* A host of one of the documentation ranges; the n-th, depending on random. */
static struct addr documentation_addr(bool v6, unsigned n, const uint8_t *random)
{
	static const uint8_t nets[][3] = {{192, 0, 2}, {198, 51, 100}, {203, 0, 113}};
	if (!v6) {
		uint8_t octets[4];
		memcpy(octets, nets[n % 3], 3);
		octets[3] = (uint8_t)(1 + (random[0] + n / 3 * 37u) % 254);
		return addr_v4(octets);
	}
	uint8_t octets[16] = {0x20, 0x01, 0x0d, 0xb8};
	memcpy(octets + 4, random, 12);
	octets[4] = (uint8_t)(octets[4] + n * 41u);
	return addr_v6(octets);
}

static bool is_documentation(const struct addr *addr)
{
	static const char *const nets[] = {"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"};
	for (size_t i = 0; i < sizeof(nets) / sizeof(*nets); i++) {
		struct addr_net net;
		if (addr_net_parse(&net, nets[i], strlen(nets[i])) == 0 && addr_net_contains(&net, addr))
			return true;
	}
	return false;
}

static struct addr private_addr(bool v6, unsigned n, const uint8_t *random)
{
	uint8_t v4[3][4] = {{10, random[1], random[2], random[3]}, {172, (uint8_t)(16 + random[1] % 16), random[2], random[3]},
		{192, 168, random[2], random[3]}};
	if (!v6) {
		v4[n % 3][2] = (uint8_t)(v4[n % 3][2] + n / 3 * 29u);
		v4[n % 3][3] = (uint8_t)(1 + v4[n % 3][3] % 254);
		return addr_v4(v4[n % 3]);
	}
	uint8_t octets[16] = {0xfd};
	memcpy(octets + 1, random, 15);
	octets[1] = (uint8_t)(octets[1] + n * 31u);
	return addr_v6(octets);
}

/* ---- the plan ---- */

struct planning {
	struct probe_plan *plan;
	const struct why_view *view;
	const uint8_t *random;
	bool tables_hold;
};

/* Does everything refuse it, by UDP and by TCP? 1, 0 or -ENOMEM. */
static int is_refused(const struct planning *planning, const struct addr *addr, enum counters_chain *chain)
{
	bool refused = true;
	for (unsigned tcp = 0; tcp < 2; tcp++) {
		struct why_destination destination = {.addr = *addr, .port = PROBE_REFUSED_PORT, .protocol = tcp ? RULE_TCP : RULE_UDP};
		struct why why;
		int rc = why_decide(&why, planning->view, &destination);
		why_free(&why);
		if (rc)
			return rc;
		refused = refused && why.verdict == WHY_REFUSED;
		*chain = why.reason == WHY_BLOCK     ? COUNTERS_OUTPUT
			 : why.reason == WHY_DENIED  ? COUNTERS_DENIED
			 : why.reason == WHY_PRIVATE ? COUNTERS_PRIVATE
						     : COUNTERS_BLOCKED;
	}
	return refused;
}

static void leave_out(struct probe *probe, enum check_verdict verdict, const char *reason)
{
	probe->verdict = verdict;
	snprintf(probe->reason, sizeof(probe->reason), "%s", reason);
}

/* The two probes, UDP and TCP, of a family of a check that comes in fours. */
static void plan_refusal(struct planning *planning, enum check_id first, bool v6, const struct addr *addr, enum counters_chain chain)
{
	for (unsigned tcp = 0; tcp < 2; tcp++)
		planning->plan->list[AT(first) + 2u * v6 + tcp] =
			(struct probe){.kind = PROBE_REFUSAL, .addr = *addr, .port = PROBE_REFUSED_PORT, .tcp = tcp, .chain = chain};
}

static void leave_refusal_out(struct planning *planning, enum check_id first, bool v6, enum check_verdict verdict, const char *reason)
{
	for (unsigned tcp = 0; tcp < 2; tcp++)
		leave_out(&planning->plan->list[AT(first) + 2u * v6 + tcp], verdict, reason);
}

static int plan_documentation(struct planning *planning, bool v6)
{
	const struct netset *denied = policy_denied_nets(planning->view->policy);
	enum counters_chain chain = COUNTERS_BLOCKED;
	struct addr addr;
	int refused = 0;
	for (unsigned n = 0; refused == 0 && n < TRIES; n++) {
		addr = documentation_addr(v6, n, planning->random);
		refused = is_refused(planning, &addr, &chain);
	}
	/* In `down` only what is denied is refused. */
	for (size_t i = 0; refused == 0 && i < denied->count; i++) {
		addr = denied->entries[i].net.addr;
		if ((addr.family == ADDR_V6) == v6 && is_documentation(&addr))
			refused = is_refused(planning, &addr, &chain);
	}
	if (refused < 0)
		return refused;
	if (refused)
		plan_refusal(planning, CHECK_DENIED_ADDRESS, v6, &addr, chain);
	else
		leave_refusal_out(planning, CHECK_DENIED_ADDRESS, v6, CHECK_NEEDLESS,
			"the lists and the state refuse no documentation address, and no other is sent to");
	return 0;
}

static int plan_inside(struct planning *planning, enum check_id first, bool v6)
{
	enum counters_chain chain = COUNTERS_PRIVATE;
	struct addr addr;
	int refused = 0;
	for (unsigned n = 0; refused == 0 && n < TRIES; n++) {
		addr = first == CHECK_METADATA ? addr_make(v6 ? "fd00:ec2::254" : "169.254.169.254")
					       : private_addr(v6, n, planning->random);
		refused = is_refused(planning, &addr, &chain);
	}
	if (refused < 0)
		return refused;
	if (!refused)
		leave_refusal_out(planning, first, v6, CHECK_NEEDLESS, "the lists or the state let such an address pass");
	else if (!planning->tables_hold)
		leave_refusal_out(
			planning, first, v6, CHECK_UNKNOWN, "the rules are not as they should be: nothing is sent to an inside address");
	else
		plan_refusal(planning, first, v6, &addr, chain);
	return 0;
}

/* A name that nothing allows, and that no line takes out either: what the forwarder then says is certain. */
static void name_make(struct planning *planning)
{
	char text[64];
	int length = snprintf(text, sizeof(text), "verify-");
	for (unsigned i = 0; i < PROBE_RANDOM_SIZE; i++)
		length += snprintf(text + length, sizeof(text) - (size_t)length, "%02x", planning->random[i]);
	length += snprintf(text + length, sizeof(text) - (size_t)length, ".invalid");
	name_from_text(&planning->plan->name, text, (size_t)length);
}

static void plan_names(struct planning *planning)
{
	struct probe_plan *plan = planning->plan;
	struct policy_match match;
	bool bypass = plan->state == SHIELD_DOWN || plan->state == SHIELD_DOWN_ALL;
	name_make(planning);
	policy_lookup(planning->view->policy, plan->name.wire, plan->name.length, &match);
	bool sure = !bypass && match.verdict != POLICY_ALLOWED;
	for (unsigned i = 0; i < 4; i++) {
		const char *loopback = IS_V6(i) ? "::1" : "127.0.0.1";
		struct probe question = {.kind = PROBE_QUESTION, .port = DNS_PORT, .tcp = i % 2, .qtype = TYPE_ANY};
		question.addr = addr_make(loopback);
		plan->list[AT(CHECK_ANSWER) + i] = question;
		question.addr = documentation_addr(IS_V6(i), 0, planning->random);
		if (sure) {
			question.kind = PROBE_NAME;
			question.qtype = IS_V6(i) ? TYPE_AAAA : TYPE_A;
		}
		plan->list[AT(CHECK_CAPTURE) + i] = question;
	}
	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct probe *probe = &plan->list[AT(CHECK_DENIED_NAME) + v6];
		*probe = (struct probe){.kind = PROBE_NAME, .port = DNS_PORT, .qtype = v6 ? TYPE_AAAA : TYPE_A};
		probe->addr = addr_make("127.0.0.1");
		if (!sure)
			leave_out(probe, CHECK_NEEDLESS, "in this state, or by the lists, a random name is asked upstream");
	}
	for (unsigned i = AT(CHECK_ANSWER); plan->state == SHIELD_BLOCK && i < AT(CHECK_DENIED_ADDRESS); i++)
		leave_out(&plan->list[i], CHECK_NEEDLESS, "in state block nothing reaches the forwarder");
}

int probe_plan_make(struct probe_plan *plan, const struct why_view *view, bool tables_hold, const uint8_t random[PROBE_RANDOM_SIZE])
{
	struct planning planning = {.plan = plan, .view = view, .random = random, .tables_hold = tables_hold};
	*plan = (struct probe_plan){.state = view->state, .settings = view->settings};
	plan_names(&planning);
	int rc = 0;
	for (unsigned v6 = 0; rc == 0 && v6 < 2; v6++) {
		rc = plan_documentation(&planning, v6);
		if (!rc)
			rc = plan_inside(&planning, CHECK_PRIVATE_ADDRESS, v6);
		if (!rc)
			rc = plan_inside(&planning, CHECK_METADATA, v6);
	}
	return rc;
}

/* ---- going on or not ---- */

static bool was_refused(const struct probe_outcome *outcome)
{
	return outcome->end == PROBE_PROHIBITED || outcome->end == PROBE_DROPPED;
}

static bool has_no_way(const struct probe_outcome *outcome)
{
	return outcome->end == PROBE_NO_ROUTE || outcome->end == PROBE_NO_FAMILY;
}

/* Nothing more goes towards documentation addresses, or inside ones, of a family in which one was not refused. */
static bool family_is_refused(const struct probe_plan *plan, bool v6, const struct probe_outcome outcomes[PROBE_COUNT])
{
	unsigned first = AT(CHECK_DENIED_ADDRESS) + (v6 ? 2 : 0);
	return plan->list[first].verdict != CHECK_UNTRIED || was_refused(&outcomes[first]) || has_no_way(&outcomes[first]);
}

bool probe_plan_is_first(unsigned i)
{
	return i == AT(CHECK_DENIED_ADDRESS) || i == AT(CHECK_DENIED_ADDRESS) + 2;
}

bool probe_plan_may_send(const struct probe_plan *plan, unsigned i, struct probe_outcome outcomes[PROBE_COUNT])
{
	const struct probe *probe = &plan->list[i];
	bool capture = i >= AT(CHECK_CAPTURE) && i < AT(CHECK_DENIED_NAME);
	if (probe->verdict != CHECK_UNTRIED)
		return false;
	if (probe_plan_is_first(i) || (probe->kind != PROBE_REFUSAL && !capture))
		return true;
	/* A connection comes after the datagram to the same address; where that had no way this has none either. */
	if (probe->tcp && has_no_way(&outcomes[i - 1])) {
		outcomes[i] = outcomes[i - 1];
		return false;
	}
	if (probe->tcp && probe->kind == PROBE_REFUSAL)
		return was_refused(&outcomes[i - 1]);
	if (probe->tcp && (outcomes[i - 1].end == PROBE_SILENCE || outcomes[i - 1].end == PROBE_NOT_SENT))
		return false; /* the question may have left */
	return family_is_refused(plan, probe->addr.family == ADDR_V6, outcomes);
}

/* ---- verdicts ---- */

struct judgement {
	const struct probe_plan *plan;
	struct checks *checks;
	uint64_t wanted[COUNTERS_CHAINS], counted[COUNTERS_CHAINS];
};

/* What the sender has to get for a refusal that is ours. A connection in `block` gets nothing at all. */
static bool end_is_refusal(const struct probe_plan *plan, const struct probe *probe, enum probe_end end)
{
	if (plan->state == SHIELD_BLOCK)
		return end == (probe->tcp ? PROBE_SILENCE : PROBE_DROPPED) || end == PROBE_DROPPED;
	if (probe->tcp && plan->settings->reject == SETTINGS_REJECT_RESET)
		return end == PROBE_RESET;
	return end == PROBE_PROHIBITED || (!probe->tcp && end == PROBE_DROPPED);
}

static void judge_refusal(
	const struct judgement *judgement, enum check_id id, const struct probe *probe, const struct probe_outcome *outcome)
{
	char where[ADDR_ENDPOINT_TEXT_MAX], offender[ADDR_TEXT_MAX];
	const char *chain = counters_chain_name(probe->chain);
	struct checks *checks = judgement->checks;
	addr_endpoint_format(&(struct addr_endpoint){.addr = probe->addr, .port = probe->port}, where);
	if (end_is_refusal(judgement->plan, probe, outcome->end)) {
		if (judgement->counted[probe->chain] < judgement->wanted[probe->chain])
			checks_set(checks, id, CHECK_FAILED,
				"%s was refused, but not by the shield: chain %s counted %llu packets of %llu probes", where, chain,
				(unsigned long long)judgement->counted[probe->chain], (unsigned long long)judgement->wanted[probe->chain]);
		else
			checks_set(checks, id, CHECK_OK, "%s: %s, counted by chain %s", where,
				outcome->end == PROBE_SILENCE ? "nothing passes" : strerror(outcome->error), chain);
		return;
	}
	switch (outcome->end) {
	case PROBE_NOT_SENT:
		checks_set(checks, id, CHECK_UNKNOWN, "nothing was sent to %s, since another probe was not refused", where);
		return;
	case PROBE_PASSED:
		checks_set(checks, id, CHECK_FAILED, "%s was reached", where);
		return;
	case PROBE_SILENCE:
		checks_set(checks, id, CHECK_FAILED, "nothing refused what was sent to %s", where);
		return;
	case PROBE_ELSEWHERE:
		checks_set(checks, id, CHECK_FAILED, "what was sent to %s left the container: %s refused it", where,
			addr_format(&outcome->offender, offender));
		return;
	case PROBE_PROHIBITED:
	case PROBE_DROPPED:
	case PROBE_RESET:
		checks_set(
			checks, id, CHECK_FAILED, "%s was refused in another way than the rules do: %s", where, strerror(outcome->error));
		return;
	case PROBE_NO_FAMILY:
	case PROBE_NO_ROUTE:
	case PROBE_ANSWERED:
	case PROBE_ERROR:
		break;
	}
	checks_set(checks, id, CHECK_UNKNOWN, "%s could not be tried: %s", where, strerror(outcome->error));
}

static void judge_answer(
	const struct judgement *judgement, enum check_id id, const struct probe *probe, const struct probe_outcome *outcome)
{
	bool refused = judgement->plan->settings->deny == SETTINGS_DENY_REFUSED || probe->kind == PROBE_QUESTION;
	unsigned expected = refused ? RCODE_REFUSED : RCODE_NXDOMAIN;
	struct checks *checks = judgement->checks;
	char where[ADDR_ENDPOINT_TEXT_MAX];
	addr_endpoint_format(&(struct addr_endpoint){.addr = probe->addr, .port = probe->port}, where);
	if (outcome->end == PROBE_NOT_SENT)
		checks_set(checks, id, CHECK_UNKNOWN, "nothing was sent to %s, since another probe was not refused or not answered", where);
	else if (outcome->end == PROBE_SILENCE)
		checks_set(checks, id, CHECK_FAILED, "%s: no answer", where);
	else if (outcome->end != PROBE_ANSWERED)
		checks_set(checks, id, CHECK_FAILED, "%s: %s", where, outcome->error ? strerror(outcome->error) : "what came is no answer");
	else if (outcome->rcode != expected)
		checks_set(checks, id, CHECK_FAILED, "%s: answered with rcode %u instead of %u", where, outcome->rcode, expected);
	else if (probe->kind == PROBE_NAME && !outcome->explained)
		checks_set(checks, id, CHECK_FAILED, "%s: answered, but not by the shield's forwarder", where);
	else
		checks_set(checks, id, CHECK_OK, "%s: answered %s%s", where, refused ? "REFUSED" : "NXDOMAIN",
			probe->kind == PROBE_NAME ? " by the forwarder" : "");
}

static void judge(const struct judgement *judgement, unsigned i, const struct probe_outcome *outcome)
{
	const struct probe *probe = &judgement->plan->list[i];
	enum check_id id = (enum check_id)(CHECK_INSIDE + i);
	static const uint8_t v4_loopback[4] = {127, 0, 0, 1};
	const struct addr loopback = addr_v4(v4_loopback);
	if (probe->verdict != CHECK_UNTRIED)
		checks_set(judgement->checks, id, probe->verdict, "%s", probe->reason);
	else if (outcome->end == PROBE_NO_FAMILY || (outcome->end == PROBE_NO_ROUTE && !addr_equal(&probe->addr, &loopback)))
		checks_set(judgement->checks, id, CHECK_NEEDLESS, "no route: nothing can leave this way (%s)", strerror(outcome->error));
	else if (probe->kind == PROBE_REFUSAL)
		judge_refusal(judgement, id, probe, outcome);
	else
		judge_answer(judgement, id, probe, outcome);
}

void probe_plan_judge(const struct probe_plan *plan, const struct probe_outcome outcomes[PROBE_COUNT], const struct counters *before,
	const struct counters *after, struct checks *checks)
{
	struct judgement judgement = {.plan = plan, .checks = checks};
	for (unsigned i = 0; i < PROBE_COUNT; i++) {
		const struct probe *probe = &plan->list[i];
		if (probe->kind == PROBE_REFUSAL && probe->verdict == CHECK_UNTRIED && end_is_refusal(plan, probe, outcomes[i].end))
			judgement.wanted[probe->chain]++;
	}
	for (unsigned i = 0; i < COUNTERS_CHAINS; i++)
		judgement.counted[i] = after->packets[i] > before->packets[i] ? after->packets[i] - before->packets[i] : 0;
	for (unsigned i = 0; i < PROBE_COUNT; i++)
		judge(&judgement, i, &outcomes[i]);
}
