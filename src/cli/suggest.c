/* From subjects to lines of a profile: see suggest.h. */
#include "cli/suggest_subject.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define PORT_TLS_DNS 853
#define PORT_HTTPS   443

/* ---- what is said already ---- */

static bool match_covers(const struct policy_match *match, const struct policy_port *port)
{
	if (match->any_port)
		return true;
	for (unsigned i = 0; i < policy_match_port_count(match); i++) {
		struct policy_port other = policy_match_port(match, i);
		if (port->port && other.port == port->port && other.protocol == port->protocol)
			return true;
	}
	return false;
}

static bool nets_cover(const struct netset *nets, const struct addr *addr, const struct policy_port *port)
{
	for (size_t i = 0; i < nets->count; i++) {
		const struct netset_entry *entry = &nets->entries[i];
		if (addr_net_contains(&entry->net, addr) &&
			(!entry->port || (port->port && entry->port == port->port && entry->protocol == port->protocol)))
			return true;
	}
	return false;
}

static bool port_is_covered(const struct policy *covering, const struct suggest_subject *subject, const struct policy_port *port)
{
	struct policy_match match;
	if (!subject->is_name)
		return nets_cover(policy_allowed_nets(covering), &subject->addr, port);
	policy_lookup(covering, subject->name.wire, subject->name.length, &match);
	return match.verdict == POLICY_ALLOWED && match_covers(&match, port);
}

/* Takes the ports that are allowed already off the list. True when nothing is left to allow. */
static bool cover_take(const struct policy *covering, const struct suggest_subject *subject, struct suggest_ports *wanted)
{
	struct policy_match match;
	size_t kept = 0;
	if (!covering)
		return false;
	if (wanted->count == 0) { /* it is not known which; a name that is allowed for any is no longer refused as a name */
		if (!subject->is_name)
			return false;
		policy_lookup(covering, subject->name.wire, subject->name.length, &match);
		return match.verdict == POLICY_ALLOWED;
	}
	for (size_t i = 0; i < wanted->count; i++)
		if (!port_is_covered(covering, subject, &wanted->list[i]))
			wanted->list[kept++] = wanted->list[i];
	wanted->count = kept;
	return kept == 0 && !wanted->more;
}

static enum policy_verdict own_verdict(const struct policy *own, const struct suggest_subject *subject)
{
	struct policy_match match;
	if (!own)
		return POLICY_UNLISTED;
	if (!subject->is_name)
		return netset_contains(policy_denied_nets(own), &subject->addr) ? POLICY_DENIED : POLICY_UNLISTED;
	policy_lookup(own, subject->name.wire, subject->name.length, &match);
	return match.verdict;
}

/* ---- lines ---- */

/* TLS comes over QUIC too; everything else keeps the protocol that was seen. */
static void rule_port_set(struct rule *rule, const struct policy_port *list, size_t count, bool more)
{
	bool one = count > 0 && !more && list[0].port;
	uint8_t protocol = one ? list[0].protocol : 0;
	for (size_t i = 1; i < count && one; i++) {
		one = list[i].port == list[0].port;
		protocol = 0;
	}
	rule->port = one ? list[0].port : 0;
	rule->protocol = one && list[0].port != PORT_HTTPS ? protocol : RULE_ANY_PROTOCOL;
}

static unsigned name_warnings(const struct name *name)
{
	return (name_guess_hosting_over(name) ? SUGGEST_SHARED : 0u) | (name_guess_generated(name) ? SUGGEST_GENERATED : 0u) |
	       (name_guess_resolver(name) ? SUGGEST_RESOLVER : 0u);
}

static unsigned ports_warnings(const struct suggest_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++)
		if (ports->list[i].port == PORT_TLS_DNS)
			return SUGGEST_RESOLVER;
	return 0;
}

static unsigned subject_warnings(
	const struct suggest_order *order, const struct suggest_subject *subject, const struct suggest_ports *wanted)
{
	unsigned warnings = ports_warnings(wanted);
	if (subject->is_name) {
		warnings |= name_warnings(&subject->name);
		warnings |= own_verdict(order->own, subject) == POLICY_EXCLUDED || own_verdict(order->covering, subject) == POLICY_EXCLUDED
				    ? SUGGEST_TAKEN_OUT
				    : 0u;
	} else if (addr_scope(&subject->addr) != ADDR_GLOBAL) {
		warnings |= SUGGEST_INSIDE;
	}
	return warnings | (subject->inside && !subject->made ? SUGGEST_INSIDE : 0u);
}

static void line_fill(struct suggest_line *line, const struct suggest_subject *subject, const struct suggest_ports *wanted)
{
	line->kind = subject->is_name ? SUGGEST_NAME : SUGGEST_ADDRESS;
	line->rule = (struct rule){.kind = subject->is_name ? RULE_EXACT : RULE_NET, .name = subject->name};
	if (!subject->is_name)
		line->rule.net = (struct addr_net){.addr = subject->addr, .prefix_length = subject->addr.family == ADDR_V4 ? 32 : 128};
	line->questions = subject->questions;
	line->attempts = subject->attempts;
	line->made = subject->made;
	line->hosting = subject->is_name ? name_guess_hosting_over(&subject->name) : NULL;
	memcpy(line->ports, wanted->list, sizeof(line->ports));
	line->port_count = wanted->count;
	line->more_ports = wanted->more;
	line->first = subject->first;
	line->last = subject->last;
	rule_port_set(&line->rule, line->ports, line->port_count, line->more_ports);
}

/* A name's line, or an address's for each port. */
static void lines_add(struct suggest *suggest, const struct suggest_subject *subject, const struct suggest_ports *wanted,
	enum suggest_standing standing, unsigned warnings)
{
	bool apart = !subject->is_name && wanted->count > 1 && !wanted->more;
	for (size_t i = 0; i < wanted->count && apart; i++)
		apart = wanted->list[i].port != 0;
	for (size_t i = 0; i < (apart ? wanted->count : 1); i++) {
		struct suggest_ports one = {.list = {wanted->list[i]}, .count = 1};
		struct suggest_line *line = &suggest->lines[suggest->count++];
		bool lent = standing == SUGGEST_USED ? subject->lent_use : standing == SUGGEST_REFUSED && subject->lent_refusal;
		*line = (struct suggest_line){.standing = standing, .warnings = warnings, .shares_address = lent};
		line_fill(line, subject, apart ? &one : wanted);
		if (standing == SUGGEST_REFUSED) { /* of a name that was used elsewhere too */
			line->attempts -= line->made < line->attempts ? line->made : line->attempts;
			line->made = 0;
		}
	}
}

/* One line of a subject, or one for each port, unless it is allowed already. What was refused is compared with the container's own lines too. */
static void part_suggest(const struct suggest_order *order, const struct suggest_subject *subject, const struct suggest_ports *ports,
	enum suggest_standing standing, struct suggest *suggest)
{
	struct suggest_ports wanted = *ports;
	if (cover_take(order->covering, subject, &wanted) || (standing == SUGGEST_REFUSED && cover_take(order->own, subject, &wanted))) {
		suggest->covered++;
		return;
	}
	unsigned warnings = subject_warnings(order, subject, &wanted);
	if (standing == SUGGEST_COMMENT && !(warnings & SUGGEST_INSIDE))
		warnings |= SUGGEST_UNANSWERED;
	if (standing == SUGGEST_USED ? warnings & SUGGEST_TAKEN_OUT : warnings)
		standing = SUGGEST_COMMENT;
	lines_add(suggest, subject, &wanted, standing, warnings);
}

static bool is_one_port(const struct suggest_ports *ports)
{
	struct rule rule = {0};
	rule_port_set(&rule, ports->list, ports->count, ports->more);
	return rule.port != 0;
}

/* Whether anything is to be said about the subject, and how. A name may have been used at one port and refused at another. */
static void subject_suggest(const struct suggest_order *order, const struct suggest_subject *subject, struct suggest *suggest)
{
	bool used = suggest->learned && subject->made > 0;
	bool refused = subject->refused && (!used || (subject->refused_at.count > 0 && (!subject->is_name || is_one_port(&subject->used))));
	enum policy_verdict own = own_verdict(order->own, subject);
	if (own == POLICY_DENIED || (subject->denied && own != POLICY_EXCLUDED)) {
		suggest->denied++;
		return;
	}
	if (used)
		part_suggest(order, subject, &subject->used, SUGGEST_USED, suggest);
	if (refused)
		part_suggest(order, subject, &subject->refused_at, SUGGEST_REFUSED, suggest);
	if (!used && !refused && (suggest->learned || subject->inside)) /* otherwise it was allowed */
		part_suggest(order, subject, &subject->tried, SUGGEST_COMMENT, suggest);
}

/* ---- several names, one line ---- */

static void name_parent(struct name *name)
{
	size_t label = 1u + name->wire[0];
	name->length = (uint8_t)(name->length - label);
	memmove(name->wire, name->wire + label, name->length);
}

struct taken_out {
	const struct name *parent;
	bool found;
};

static int taken_out_visit(void *context, const struct rule *rule, enum policy_layer layer, const char *source, uint32_t line)
{
	struct taken_out *search = context;
	(void)layer, (void)source, (void)line;
	search->found = search->found || (rule->exclude && name_is_within(&rule->name, search->parent));
	return search->found;
}

static bool takes_out_below(const struct policy *policy, const struct name *parent)
{
	struct taken_out search = {.parent = parent};
	if (policy)
		policy_each_name(policy, taken_out_visit, &search);
	return search.found;
}

/* May one line stand for all below parent? */
static bool tree_is_safe(const struct suggest_order *order, const struct name *parent)
{
	return !name_guess_hosting_under(parent) && !takes_out_below(order->own, parent) && !takes_out_below(order->covering, parent);
}

/* Lines that one may stand for: names of the same kind of standing, and of one owner. */
static bool line_may_join(const struct suggest_line *line, enum suggest_standing standing)
{
	return line->kind == SUGGEST_NAME && line->standing == standing &&
	       !(line->warnings & (SUGGEST_SHARED | SUGGEST_TAKEN_OUT | SUGGEST_INSIDE));
}

static void line_join(struct suggest_line *to, const struct suggest_line *from)
{
	struct suggest_ports ports = {.count = to->port_count, .more = to->more_ports};
	struct suggest_ports others = {.count = from->port_count, .more = from->more_ports};
	memcpy(ports.list, to->ports, sizeof(ports.list));
	memcpy(others.list, from->ports, sizeof(others.list));
	suggest_ports_join(&ports, &others);
	memcpy(to->ports, ports.list, sizeof(to->ports));
	/* one of which no port is known may need any */
	to->port_count = to->port_count && from->port_count ? ports.count : 0;
	to->more_ports = ports.more;
	to->questions += from->questions;
	to->attempts += from->attempts;
	to->made += from->made;
	to->warnings |= from->warnings;
	to->shares_address = to->shares_address && from->shares_address;
	to->first = from->first < to->first ? from->first : to->first;
	to->last = from->last > to->last ? from->last : to->last;
}

/* The lines from `begin` to `end` that may join become one, which takes the place of the first; the others' kind becomes SUGGEST_TREE
 * with no members, for lines_settle(). */
static void tree_make(const struct suggest_order *order, struct suggest *suggest, size_t begin, size_t end, enum suggest_standing standing)
{
	struct suggest_line tree = {0};
	size_t first = end, members = suggest->member_count;
	struct name parent = {0};
	for (size_t i = begin; i < end; i++) {
		const struct suggest_line *line = &suggest->lines[i];
		if (!line_may_join(line, standing))
			continue;
		if (first == end) {
			first = i;
			tree = *line;
			parent = line->rule.name;
		} else {
			line_join(&tree, line);
		}
		while (!name_is_within(&line->rule.name, &parent))
			name_parent(&parent);
		suggest->members[members++] = (struct suggest_member){line->rule.name, line->made ? line->made : line->questions};
	}
	if (members - suggest->member_count < SUGGEST_MERGE_MIN || !tree_is_safe(order, &parent))
		return;
	for (size_t i = begin; i < end; i++)
		if (line_may_join(&suggest->lines[i], standing))
			suggest->lines[i] = (struct suggest_line){.kind = SUGGEST_TREE};
	tree.kind = SUGGEST_TREE;
	tree.member = suggest->member_count;
	tree.member_count = members - suggest->member_count;
	tree.rule = (struct rule){.kind = RULE_BELOW, .name = parent};
	for (size_t i = tree.member; i < members; i++)
		if (name_equal(&suggest->members[i].name, &parent))
			tree.rule.kind = RULE_TREE;
	rule_port_set(&tree.rule, tree.ports, tree.port_count, tree.more_ports);
	suggest->lines[first] = tree;
	suggest->member_count = members;
}

/* The lines stand by domain, so those of one owner stand together. */
static int trees_make(const struct suggest_order *order, struct suggest *suggest)
{
	suggest->members = calloc(suggest->count + 1, sizeof(*suggest->members));
	if (!suggest->members)
		return -ENOMEM;
	for (size_t begin = 0, end; begin < suggest->count; begin = end) {
		struct name owner, other;
		const struct suggest_line *line = &suggest->lines[begin];
		end = begin + 1;
		if (line->kind != SUGGEST_NAME || !name_guess_owner(&line->rule.name, &owner))
			continue;
		while (end < suggest->count && suggest->lines[end].kind == SUGGEST_NAME &&
			name_guess_owner(&suggest->lines[end].rule.name, &other) && name_equal(&owner, &other))
			end++;
		for (enum suggest_standing standing = SUGGEST_USED; standing <= SUGGEST_COMMENT; standing++)
			tree_make(order, suggest, begin, end, standing);
	}
	return 0;
}

static int line_compare(const void *left, const void *right)
{
	const struct suggest_line *a = left, *b = right;
	if (a->standing != b->standing)
		return (int)a->standing - (int)b->standing;
	if (a->kind != b->kind)
		return (int)a->kind - (int)b->kind;
	if (a->kind != SUGGEST_ADDRESS)
		return suggest_name_compare(&a->rule.name, &b->rule.name);
	int order = suggest_addr_compare(&a->rule.net.addr, &b->rule.net.addr);
	return order ? order : (int)a->rule.port - (int)b->rule.port;
}

static bool tree_holds(const struct suggest_line *tree, const struct suggest_line *line)
{
	return name_is_within(&line->rule.name, &tree->rule.name) &&
	       (tree->rule.kind == RULE_TREE || !name_equal(&line->rule.name, &tree->rule.name)) &&
	       (!tree->rule.port || line->port_count == 0);
}

/* The trees of a standing stand together. */
struct trees {
	size_t begin, end;
};

static struct trees trees_find(const struct suggest_line *lines, size_t count, enum suggest_standing standing)
{
	struct trees trees = {0};
	while (trees.begin < count && lines[trees.begin].standing < standing)
		trees.begin++;
	trees.end = trees.begin;
	while (trees.end < count && lines[trees.end].standing == standing && lines[trees.end].kind == SUGGEST_TREE)
		trees.end++;
	return trees;
}

static bool is_held(const struct suggest_line *lines, struct trees trees, const struct suggest_line *line)
{
	for (size_t i = trees.begin; i < trees.end && line->kind != SUGGEST_ADDRESS; i++)
		if (lines[i].standing < line->standing && tree_holds(&lines[i], line))
			return true;
	return false;
}

/* Removes what a tree has taken in, sorts, and removes names that a tree which stands further up allows. */
static void lines_settle(struct suggest *suggest)
{
	struct suggest_line *lines = suggest->lines;
	size_t count = 0, kept = 0;
	for (size_t i = 0; i < suggest->count; i++)
		if (lines[i].kind != SUGGEST_TREE || lines[i].member_count > 0)
			lines[count++] = lines[i];
	if (count > 0)
		qsort(lines, count, sizeof(*lines), line_compare);
	struct trees used = trees_find(lines, count, SUGGEST_USED), refused = trees_find(lines, count, SUGGEST_REFUSED);
	for (size_t i = 0; i < count; i++)
		lines[i].dropped = is_held(lines, used, &lines[i]) || is_held(lines, refused, &lines[i]);
	for (size_t i = 0; i < count; i++)
		if (!lines[i].dropped)
			lines[kept++] = lines[i];
	suggest->count = kept;
}

/* ---- the whole ---- */

/* When it was last let through what no rule allows; 0: never. */
static int64_t bypassed_last(const struct activity *activity)
{
	int64_t last = 0;
	for (size_t i = 0; i < activity->count; i++) {
		const struct activity_row *row = &activity->rows[i];
		if (suggest_row_counts(row) && row->verdict == ACTIVITY_BYPASSED && row->last > last)
			last = row->last;
	}
	return last;
}

int suggest_make(const struct suggest_order *order, struct suggest *suggest)
{
	struct suggest_subjects subjects = {0};
	int64_t learned_last = bypassed_last(order->activity);
	int rc = suggest_subjects_gather(order->activity, order->learns ? INT64_MAX : learned_last + 1, &subjects);
	*suggest = (struct suggest){.learned = order->learns || learned_last > 0, .unwritable = subjects.unwritable};
	suggest->lines = rc ? NULL : calloc(subjects.count * 2 * SUGGEST_PORTS_MAX + 1, sizeof(*suggest->lines));
	if (!suggest->lines) {
		free(subjects.list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < subjects.count; i++)
		subject_suggest(order, &subjects.list[i], suggest);
	free(subjects.list);
	rc = trees_make(order, suggest);
	if (rc)
		return rc;
	lines_settle(suggest);
	return 0;
}

void suggest_free(struct suggest *suggest)
{
	free(suggest->lines);
	free(suggest->members);
	*suggest = (struct suggest){0};
}
