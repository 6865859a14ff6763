/* Egress by DNS, bounded: how many new names below a rule may leave in a minute, and how many octets in them.
 *
 * A rule such as example.com or *.example.com lets any name below it be asked for, and whoever answers for example.com reads those names. The budget
 * bounds what a workload can tell him that way. docs/dns-budget.md says why the defaults are what they are. */
#ifndef PROXY_BUDGET_H
#define PROXY_BUDGET_H

#include "policy/name.h"
#include "policy/policy.h"

struct budget;

/* names, octets: what each rule may spend in a minute; 0: no limit. NULL when there is no memory. */
struct budget *budget_new(unsigned names, unsigned octets);
void budget_free(struct budget *budget); /* NULL allowed */

/* Charges a name that is about to be asked upstream to the rule that allowed it: one name, and the octets of its labels below the rule's name.
 * Not charged: the rule's own name, names of exact rules, and a name that was charged a while ago already. match: an allowed one, of this name.
 * first: set when it returns false and this is the rule's first refusal for a minute. Returns false when the rule has not that much left; then nothing is charged. */
bool budget_take(struct budget *budget, const struct name *name, const struct policy_match *match, bool *first);

/* The part of a name that is the deciding rule's: its last match->depth labels. */
void budget_rule_name(const struct name *name, const struct policy_match *match, struct name *rule);

#endif
