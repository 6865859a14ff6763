/* The policy: for any name, who decides and what. policy.h has the theory of which rule wins; here is how it is found.
 *
 * Theory of operation. policy_add() only collects: a record for each rule, its name in one arena. policy_seal() makes a node of each
 * distinct name, with up to six decisions (two layers, three kinds); a decision is what all rules of one name, layer and kind come to.
 * Nodes are found through an open-addressing table, at most half full, by a hash of the name that grows from the right: the hash of
 * "a.b.c" is made of the hash of "b.c" and the label "a". So a lookup goes from the top-level domain downwards, with one step of the
 * hash and one probe a label, and whatever it finds deeper overrides what it found before in the same layer. It goes no deeper than
 * the deepest name of the policy.
 *
 * The names in the table are trusted, the looked-up ones are not. The hash is keyed anew for each policy, so nobody can choose names
 * that probe long; and a hit counts only after all octets of the name compared equal.
 */
#include "policy/policy.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"

#define POLICY_LAYERS     2
#define POLICY_NAME_KINDS 3 /* tree, below, exact: in the order of rising precedence at one depth */
#define POLICY_LABELS_MAX 127
#define POLICY_COUNT_MAX  (UINT32_MAX / 4) /* of rules, so that table sizes fit in 32 bits */

static_assert(RULE_TREE == 0 && RULE_BELOW == 1 && RULE_EXACT == 2, "kinds are indices and ranks");
static_assert(POLICY_PROFILE == 0 && POLICY_LIVE == 1, "layers are indices");

/* A rule about a name, as it was added. */
struct policy_rule {
	uint32_t name; /* offset in the arena */
	uint32_t source;
	uint32_t line;
	uint32_t decision; /* 1 and up, from policy_seal() on */
	uint16_t port;
	uint8_t name_length;
	uint8_t protocol;
	uint8_t kind;
	uint8_t layer;
	bool exclude;
	int64_t until;
};

/* What the rules of one name, layer and kind come to. */
struct policy_decision {
	uint32_t rule; /* the one that is named as the reason */
	uint32_t port_first;
	uint32_t port_count;
	bool any_port;
	bool exclude;
};

struct policy_node {
	uint32_t name;
	uint8_t name_length;
	uint8_t depth;
	uint32_t decisions[POLICY_LAYERS][POLICY_NAME_KINDS]; /* 0: none */
};

struct policy_slot {
	uint32_t tag;  /* upper half of the hash */
	uint32_t node; /* 1 and up; 0: empty */
};

struct policy_net_rule {
	struct addr_net net;
	struct policy_port ports[2];
	uint8_t port_count;
	uint8_t layer;
	bool exclude;
	uint32_t source;
	uint32_t line;
	int64_t until;
};

struct policy {
	struct hash_key key;
	bool sealed;
	uint8_t depth_max; /* labels of the deepest name */

	uint8_t *arena;
	size_t arena_used, arena_capacity;
	struct policy_rule *rules;
	size_t rule_count, rule_capacity;
	char **sources;
	size_t source_count, source_capacity;

	struct policy_slot *slots; /* NULL before policy_seal() */
	uint32_t slot_mask;
	struct policy_node *nodes; /* from 1 */
	size_t node_count;
	struct policy_decision *decisions; /* from 1 */
	size_t decision_count;
	struct policy_port *ports;

	struct policy_net_rule *net_rules;
	size_t net_rule_count, net_rule_capacity;
	struct netset allowed, denied, ended;

	int64_t next_end; /* 0: none */
	size_t end_count;
};

struct policy *policy_new(void)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (policy)
		policy->key = hash_key_random();
	return policy;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->source_count; i++)
		free(policy->sources[i]);
	free(policy->sources);
	free(policy->arena);
	free(policy->rules);
	free(policy->slots);
	free(policy->nodes);
	free(policy->decisions);
	free(policy->ports);
	free(policy->net_rules);
	netset_free(&policy->allowed);
	netset_free(&policy->denied);
	netset_free(&policy->ended);
	free(policy);
}

/* ---- building ---- */

/* Makes room for `more` elements in an array that doubles. */
static int policy_reserve(void *array_pointer, size_t *capacity, size_t count, size_t more, size_t element_size)
{
	void **array = array_pointer;
	size_t wanted = *capacity ? *capacity : 64;
	void *moved;

	if (more > POLICY_COUNT_MAX - count)
		return -ENOMEM;
	if (count + more <= *capacity)
		return 0;
	while (wanted < count + more)
		wanted *= 2;
	moved = reallocarray(*array, wanted, element_size);
	if (!moved)
		return -ENOMEM;
	*array = moved;
	*capacity = wanted;
	return 0;
}

/* The index of a source. The last one first: rules come file by file. */
static int policy_intern_source(struct policy *policy, const char *source, uint32_t *index)
{
	char *copy;
	int result;

	for (size_t i = policy->source_count; i-- > 0;)
		if (strcmp(policy->sources[i], source) == 0) {
			*index = (uint32_t)i;
			return 0;
		}
	result = policy_reserve(&policy->sources, &policy->source_capacity, policy->source_count, 1, sizeof(*policy->sources));
	if (result)
		return result;
	copy = strdup(source);
	if (!copy)
		return -ENOMEM;
	*index = (uint32_t)policy->source_count;
	policy->sources[policy->source_count++] = copy;
	return 0;
}

static int policy_add_name(struct policy *policy, const struct rule *rule, enum policy_layer layer, uint32_t source, uint32_t line)
{
	unsigned depth = name_label_count(&rule->name);
	int result;

	if (depth == 0)
		return -EINVAL;
	result = policy_reserve(&policy->arena, &policy->arena_capacity, policy->arena_used, rule->name.length, 1);
	if (result == 0)
		result = policy_reserve(&policy->rules, &policy->rule_capacity, policy->rule_count, 1, sizeof(*policy->rules));
	if (result)
		return result;
	policy->rules[policy->rule_count++] = (struct policy_rule){
		.name = (uint32_t)policy->arena_used,
		.source = source,
		.line = line,
		.port = rule->port,
		.name_length = rule->name.length,
		.protocol = rule->protocol,
		.kind = (uint8_t)rule->kind,
		.layer = (uint8_t)layer,
		.exclude = rule->exclude,
		.until = rule->until,
	};
	memcpy(policy->arena + policy->arena_used, rule->name.wire, rule->name.length);
	policy->arena_used += rule->name.length;
	if (depth > policy->depth_max)
		policy->depth_max = (uint8_t)depth;
	return 0;
}

/* Writes what a port and protocol stand for. Returns how many: none for every port, two for a port of both protocols. */
static uint8_t policy_ports_of(uint16_t port, uint8_t protocol, struct policy_port ports[2])
{
	uint8_t count = 0;

	if (port == 0)
		return 0;
	if (protocol != RULE_UDP)
		ports[count++] = (struct policy_port){.port = port, .protocol = RULE_TCP};
	if (protocol != RULE_TCP)
		ports[count++] = (struct policy_port){.port = port, .protocol = RULE_UDP};
	return count;
}

static int policy_add_net(struct policy *policy, const struct rule *rule, enum policy_layer layer, uint32_t source, uint32_t line)
{
	struct policy_net_rule record = {
		.net = rule->net,
		.layer = (uint8_t)layer,
		.exclude = rule->exclude,
		.source = source,
		.line = line,
		.until = rule->until,
	};
	int result;

	if (rule->exclude && layer == POLICY_PROFILE)
		return -EINVAL;
	result = policy_reserve(&policy->net_rules, &policy->net_rule_capacity, policy->net_rule_count, 1, sizeof(*policy->net_rules));
	if (result == 0)
		result = netset_add(rule->exclude ? &policy->denied : &policy->allowed, rule);
	if (result)
		return result;
	record.port_count = policy_ports_of(rule->port, rule->protocol, record.ports);
	policy->net_rules[policy->net_rule_count++] = record;
	return 0;
}

int policy_add(struct policy *policy, const struct rule *rule, enum policy_layer layer, const char *source, uint32_t line)
{
	uint32_t index;
	int result;

	/* An exclusion of some ports only would be kept as one of all or of none: neither is what was said. */
	if (policy->sealed || (rule->exclude && rule->port != 0))
		return -EINVAL;
	result = policy_intern_source(policy, source ? source : "", &index);
	if (result == 0)
		result = rule->kind == RULE_NET ? policy_add_net(policy, rule, layer, index, line)
						: policy_add_name(policy, rule, layer, index, line);
	if (result || !rule->until)
		return result;
	policy->end_count++;
	if (!policy->next_end || rule->until < policy->next_end)
		policy->next_end = rule->until;
	return 0;
}

int policy_add_ended(struct policy *policy, const struct rule *rule)
{
	return netset_add(&policy->ended, rule);
}

/* ---- sealing ---- */

/* Fills in where the labels of a name begin, the leftmost first. Returns how many there are, or 0 for the root and for what is no name. */
static unsigned policy_label_offsets(const uint8_t *wire, size_t length, uint8_t offsets[POLICY_LABELS_MAX])
{
	unsigned count = 0;
	size_t at = 0;

	if (length > NAME_WIRE_MAX)
		return 0;
	while (at < length && wire[at] != 0) {
		if (count == POLICY_LABELS_MAX)
			return 0;
		offsets[count++] = (uint8_t)at;
		at += 1u + wire[at];
	}
	return at + 1 == length ? count : 0;
}

/* One label further down: what was hashed so far becomes part of the key. */
static uint64_t policy_hash_label(const struct policy *policy, uint64_t above, const uint8_t *label)
{
	const struct hash_key key = {.k0 = policy->key.k0 ^ above, .k1 = policy->key.k1};

	return hash_bytes(&key, label + 1, label[0]);
}

/* The node of a name, or the empty slot where it belongs. */
static struct policy_slot *policy_find(const struct policy *policy, uint64_t hash, const uint8_t *wire, size_t length)
{
	uint32_t tag = (uint32_t)(hash >> 32);

	for (uint32_t at = (uint32_t)hash & policy->slot_mask;; at = (at + 1) & policy->slot_mask) {
		struct policy_slot *slot = &policy->slots[at];
		const struct policy_node *node;

		if (slot->node == 0)
			return slot;
		node = &policy->nodes[slot->node];
		if (slot->tag == tag && node->name_length == length && memcmp(policy->arena + node->name, wire, length) == 0)
			return slot;
	}
}

/* The node of a rule's name; made when this is its first rule. */
static struct policy_node *policy_seal_node(struct policy *policy, const struct policy_rule *rule)
{
	const uint8_t *wire = policy->arena + rule->name;
	uint8_t offsets[POLICY_LABELS_MAX];
	unsigned depth = policy_label_offsets(wire, rule->name_length, offsets);
	struct policy_slot *slot;
	uint64_t hash = 0;

	for (unsigned i = depth; i-- > 0;)
		hash = policy_hash_label(policy, hash, wire + offsets[i]);
	slot = policy_find(policy, hash, wire, rule->name_length);
	if (slot->node == 0) {
		slot->tag = (uint32_t)(hash >> 32);
		slot->node = (uint32_t)++policy->node_count;
		policy->nodes[slot->node] = (struct policy_node){
			.name = rule->name,
			.name_length = rule->name_length,
			.depth = (uint8_t)depth,
		};
	}
	return &policy->nodes[slot->node];
}

/* Joins a rule to its decision: an exclusion wins, then a rule without a limit on ports; otherwise ports are united,
 * and the rule that came first is the reason. port_count is an upper bound until policy_seal_ports(). */
static void policy_seal_rule(struct policy *policy, uint32_t index)
{
	struct policy_rule *rule = &policy->rules[index];
	uint32_t *link = &policy_seal_node(policy, rule)->decisions[rule->layer][rule->kind];
	bool any_port = !rule->exclude && rule->port == 0;
	struct policy_decision *decision;

	if (*link == 0) {
		*link = (uint32_t)++policy->decision_count;
		policy->decisions[*link] = (struct policy_decision){.rule = index};
	}
	decision = &policy->decisions[*link];
	rule->decision = *link;
	if (decision->exclude)
		return;
	if (rule->exclude || (any_port && !decision->any_port)) {
		decision->rule = index;
		decision->exclude = rule->exclude;
		decision->any_port = any_port;
		decision->port_count = 0;
	} else if (!decision->any_port) {
		decision->port_count += 2;
	}
}

static int policy_compare_ports(const void *left, const void *right)
{
	const struct policy_port *a = left, *b = right;

	return a->port != b->port ? a->port - b->port : a->protocol - b->protocol;
}

/* Gives every decision with limited ports its piece of one array, sorted and without doubles. */
static int policy_seal_ports(struct policy *policy)
{
	size_t total = 0;

	for (size_t i = 1; i <= policy->decision_count; i++) {
		struct policy_decision *decision = &policy->decisions[i];

		decision->port_first = (uint32_t)total;
		total += decision->port_count;
		decision->port_count = 0;
	}
	policy->ports = calloc(total ? total : 1, sizeof(*policy->ports));
	if (!policy->ports)
		return -ENOMEM;
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *rule = &policy->rules[i];
		struct policy_decision *decision = &policy->decisions[rule->decision];

		if (!decision->exclude && !decision->any_port)
			decision->port_count +=
				policy_ports_of(rule->port, rule->protocol, policy->ports + decision->port_first + decision->port_count);
	}
	for (size_t i = 1; i <= policy->decision_count; i++) {
		struct policy_decision *decision = &policy->decisions[i];
		struct policy_port *ports = policy->ports + decision->port_first;
		uint32_t kept = 0;

		if (decision->port_count > 1)
			qsort(ports, decision->port_count, sizeof(*ports), policy_compare_ports);
		for (uint32_t p = 0; p < decision->port_count; p++)
			if (kept == 0 || policy_compare_ports(&ports[kept - 1], &ports[p]) != 0)
				ports[kept++] = ports[p];
		if (kept > UINT16_MAX)
			return -E2BIG; /* more than a match can tell; whoever means all ports leaves the port out */
		decision->port_count = kept;
	}
	return 0;
}

int policy_seal(struct policy *policy)
{
	size_t slot_count = 16;

	if (policy->sealed)
		return -EINVAL;
	policy->sealed = true;
	while (slot_count < policy->rule_count * 2)
		slot_count *= 2;
	policy->nodes = calloc(policy->rule_count + 1, sizeof(*policy->nodes));
	policy->decisions = calloc(policy->rule_count + 1, sizeof(*policy->decisions));
	policy->slots = calloc(slot_count, sizeof(*policy->slots));
	if (!policy->nodes || !policy->decisions || !policy->slots)
		return -ENOMEM;
	policy->slot_mask = (uint32_t)(slot_count - 1);
	for (size_t i = 0; i < policy->rule_count; i++)
		policy_seal_rule(policy, (uint32_t)i);
	if (netset_normalize(&policy->allowed) || netset_normalize(&policy->denied))
		return -ENOMEM;
	return policy_seal_ports(policy);
}

/* ---- looking up ---- */

/* The most specific rule of a layer for the name that is looked up. */
struct policy_best {
	uint32_t decision; /* 0: none */
	uint8_t depth;
	uint8_t kind;
};

/* Notes what a node on the way down says. whole: it is the looked-up name itself. */
static void policy_note(const struct policy_node *node, bool whole, struct policy_best best[POLICY_LAYERS])
{
	enum rule_kind narrow = whole ? RULE_EXACT : RULE_BELOW;

	for (unsigned layer = 0; layer < POLICY_LAYERS; layer++) {
		const uint32_t *decisions = node->decisions[layer];
		enum rule_kind kind = decisions[narrow] ? narrow : RULE_TREE;

		if (decisions[kind])
			best[layer] = (struct policy_best){decisions[kind], node->depth, (uint8_t)kind};
	}
}

static bool policy_more_specific(const struct policy_best *a, const struct policy_best *b)
{
	return a->depth != b->depth ? a->depth > b->depth : a->kind > b->kind;
}

/* Which of the two layers decides. */
static enum policy_layer policy_choose(const struct policy *policy, const struct policy_best best[POLICY_LAYERS])
{
	const struct policy_best *profile = &best[POLICY_PROFILE], *live = &best[POLICY_LIVE];

	if (!live->decision)
		return POLICY_PROFILE;
	if (!profile->decision || policy->decisions[live->decision].exclude)
		return POLICY_LIVE;
	return policy_more_specific(profile, live) ? POLICY_PROFILE : POLICY_LIVE;
}

static void policy_fill(const struct policy *policy, const struct policy_best *best, enum policy_layer layer, struct policy_match *match)
{
	const struct policy_decision *decision = &policy->decisions[best->decision];
	const struct policy_rule *rule = &policy->rules[decision->rule];

	if (decision->exclude)
		match->verdict = layer == POLICY_LIVE ? POLICY_DENIED : POLICY_EXCLUDED;
	else
		match->verdict = POLICY_ALLOWED;
	match->any_port = decision->any_port;
	match->port_count = (uint16_t)decision->port_count;
	match->ports = decision->port_count ? policy->ports + decision->port_first : NULL;
	match->layer = layer;
	match->kind = (enum rule_kind)best->kind;
	match->depth = best->depth;
	match->source = policy->sources[rule->source];
	match->line = rule->line;
	match->until = rule->until;
}

/* The other layer allows the name too: what it lets through counts as well. */
static void policy_unite(const struct policy *policy, const struct policy_best *best, struct policy_match *match)
{
	const struct policy_decision *decision = &policy->decisions[best->decision];

	if (match->verdict != POLICY_ALLOWED || !best->decision || decision->exclude || (match->any_port && !match->until))
		return;
	if (decision->any_port) {
		match->until = policy->rules[decision->rule].until ? match->until : 0; /* it stays allowed afterwards */
		match->any_port = true;
		match->port_count = 0;
		match->ports = NULL;
		return;
	}
	if (match->any_port)
		return;
	match->more_port_count = (uint16_t)decision->port_count;
	match->more_ports = policy->ports + decision->port_first;
}

void policy_lookup(const struct policy *policy, const uint8_t *wire, size_t length, struct policy_match *match)
{
	struct policy_best best[POLICY_LAYERS] = {0};
	uint8_t offsets[POLICY_LABELS_MAX];
	unsigned count = policy_label_offsets(wire, length, offsets);
	unsigned steps = count < policy->depth_max ? count : policy->depth_max;
	enum policy_layer layer;
	uint64_t hash = 0;

	*match = (struct policy_match){.verdict = POLICY_UNLISTED, .source = ""};
	if (!policy->slots)
		return;
	for (unsigned step = 1; step <= steps; step++) {
		uint8_t offset = offsets[count - step];
		const struct policy_slot *slot;

		hash = policy_hash_label(policy, hash, wire + offset);
		slot = policy_find(policy, hash, wire + offset, length - offset);
		if (slot->node)
			policy_note(&policy->nodes[slot->node], step == count, best);
	}
	layer = policy_choose(policy, best);
	if (!best[layer].decision)
		return;
	policy_fill(policy, &best[layer], layer, match);
	policy_unite(policy, &best[layer == POLICY_LIVE ? POLICY_PROFILE : POLICY_LIVE], match);
}

const struct netset *policy_allowed_nets(const struct policy *policy)
{
	return &policy->allowed;
}

const struct netset *policy_denied_nets(const struct policy *policy)
{
	return &policy->denied;
}

const struct netset *policy_ended_nets(const struct policy *policy)
{
	return &policy->ended;
}

int64_t policy_next_end(const struct policy *policy, size_t *count)
{
	if (count)
		*count = policy->end_count;
	return policy->next_end;
}

/* When an address is no longer allowed that a rule with an end allows: a wider rule may do so for longer. */
static int64_t policy_net_end(const struct policy *policy, const struct addr *addr, int64_t until)
{
	for (size_t i = 0; until && i < policy->net_rule_count; i++) {
		const struct policy_net_rule *rule = &policy->net_rules[i];

		if (rule->exclude || rule->port_count || !addr_net_contains(&rule->net, addr))
			continue;
		if (!rule->until || rule->until > until)
			until = rule->until;
	}
	return until;
}

/* The deny sets stand before the allow sets in the ruleset; among networks of one set the narrowest explains best. */
void policy_lookup_addr(const struct policy *policy, const struct addr *addr, struct policy_match *match)
{
	const struct policy_net_rule *best = NULL;

	*match = (struct policy_match){.verdict = POLICY_UNLISTED, .source = ""};
	for (size_t i = 0; i < policy->net_rule_count; i++) {
		const struct policy_net_rule *rule = &policy->net_rules[i];

		if (!addr_net_contains(&rule->net, addr))
			continue;
		if (!best || rule->exclude > best->exclude ||
			(rule->exclude == best->exclude && rule->net.prefix_length > best->net.prefix_length))
			best = rule;
	}
	if (!best)
		return;
	match->verdict = best->exclude ? POLICY_DENIED : POLICY_ALLOWED;
	match->any_port = !best->exclude && best->port_count == 0;
	match->port_count = best->port_count;
	match->ports = best->port_count ? best->ports : NULL;
	match->layer = (enum policy_layer)best->layer;
	match->kind = RULE_NET;
	match->source = policy->sources[best->source];
	match->line = best->line;
	match->until = best->exclude ? 0 : policy_net_end(policy, addr, best->until);
}

/* ---- listing ---- */

int policy_each_name(const struct policy *policy,
	int (*visit)(void *context, const struct rule *rule, enum policy_layer layer, const char *source, uint32_t line), void *context)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct policy_rule *record = &policy->rules[i];
		struct rule rule = {
			.kind = (enum rule_kind)record->kind,
			.exclude = record->exclude,
			.port = record->port,
			.protocol = record->protocol,
			.name.length = record->name_length,
			.until = record->until,
		};
		int result;

		memcpy(rule.name.wire, policy->arena + record->name, record->name_length);
		result = visit(context, &rule, (enum policy_layer)record->layer, policy->sources[record->source], record->line);
		if (result)
			return result;
	}
	return 0;
}

size_t policy_name_count(const struct policy *policy)
{
	return policy->rule_count;
}
