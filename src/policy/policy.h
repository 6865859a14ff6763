/* The policy: for any name, who decides and what. Compiled once, looked up with one hash probe a label.
 *
 * Theory of operation. Rules come in two layers. The profile layer is what the profiles say. The live layer is what `allow` and `deny` said since.
 * Within a layer the most specific rule wins: the deepest name, and at one depth an exact rule over `*.name` over a tree rule; among equals an exclusion
 * wins, and rules that allow unite their ports. Between layers: a live deny wins unless a live allow is more specific; a live allow wins over a profile
 * rule that is not more specific than it. So `deny x` revokes everything below x whatever the profile lists there, and `allow x` does not
 * bring back what a profile took out below x, until that is named itself. When both layers allow a name their ports are united: `allow x:22` never narrows.
 * A rule may have an end. The policy knows no clock: who builds it leaves out what has ended, and builds another at policy_next_end().
 *
 * A policy is built, then only read. To change one, build another and swap.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/netset.h"
#include "policy/rule.h"

enum policy_layer {
	POLICY_PROFILE,
	POLICY_LIVE,
};

enum policy_verdict {
	POLICY_UNLISTED, /* no rule names it: refused */
	POLICY_EXCLUDED, /* a '!' rule of a profile took it out: refused */
	POLICY_DENIED,	 /* `deny` did: refused */
	POLICY_ALLOWED,
};

struct policy_port {
	uint16_t port;
	uint8_t protocol; /* RULE_TCP or RULE_UDP */
};

struct policy_match {
	enum policy_verdict verdict;
	bool any_port;			 /* when allowed: no limit on ports */
	uint16_t port_count;
	const struct policy_port *ports; /* when allowed and not any_port; belongs to the policy */
	uint16_t more_port_count;	 /* of the other layer's rule, when that allows the name too */
	const struct policy_port *more_ports;
	enum policy_layer layer;	 /* of the deciding rule, as the rest below; not set for POLICY_UNLISTED */
	enum rule_kind kind;
	uint8_t depth;			 /* labels of the deciding rule's name: the last so many of the looked-up name */
	const char *source;		 /* file, borrowed from the policy; "" when not known */
	uint32_t line;			 /* 0 when not known */
	int64_t until;			 /* when the deciding rule ends, in seconds since the epoch; 0: it does not */
};

struct policy;

/* NULL when there is no memory. */
struct policy *policy_new(void);
void policy_free(struct policy *policy); /* NULL allowed */
static inline void policy_cleanup(struct policy **policy)
{
	policy_free(*policy);
}
#define cleanup_policy __attribute__((cleanup(policy_cleanup)))

/* Adds a rule. In the live layer an excluding rule is a `deny`. RULE_NET rules go into the allow set, or with `exclude` (only in the live layer) into
 * the deny set. source: copied once per distinct string. Errors: -ENOMEM, -EINVAL (an excluded network in the profile layer). */
int policy_add(struct policy *policy, const struct rule *rule, enum policy_layer layer, const char *source, uint32_t line);

/* Notes a network that was allowed and has ended: it allows nothing, but what was open through it has to be ended. -ENOMEM. */
int policy_add_ended(struct policy *policy, const struct rule *rule);

/* Ends the building: sorts and joins networks, settles ports. To be called once, before the first lookup. -ENOMEM. */
int policy_seal(struct policy *policy);

/* What holds for a name. wire: canonical (lower-case) uncompressed wire form, length octets, valid (from name.h or the message parser). No allocation. */
void policy_lookup(const struct policy *policy, const uint8_t *wire, size_t length, struct policy_match *match);

/* How many ports a match names, and the i-th of them; one may occur twice. */
static inline unsigned policy_match_port_count(const struct policy_match *match)
{
	return match->port_count + match->more_port_count;
}
static inline struct policy_port policy_match_port(const struct policy_match *match, unsigned i)
{
	return i < match->port_count ? match->ports[i] : match->more_ports[i - match->port_count];
}

/* The networks; sealed and normalized; borrowed. */
const struct netset *policy_allowed_nets(const struct policy *policy);
const struct netset *policy_denied_nets(const struct policy *policy);
/* Those of policy_add_ended(), as they were added. */
const struct netset *policy_ended_nets(const struct policy *policy);

/* When the first of its rules ends, in seconds since the epoch, and how many have an end; 0 when none has (count may be NULL). */
int64_t policy_next_end(const struct policy *policy, size_t *count);

/* Which network rule decides for an address: fills source, line, layer, verdict (POLICY_DENIED, POLICY_ALLOWED or POLICY_UNLISTED) of match. For `why`. */
void policy_lookup_addr(const struct policy *policy, const struct addr *addr, struct policy_match *match);

/* Calls visit for every name rule (not for networks) in the order in which they were added, until it returns non-zero, which is then returned. */
int policy_each_name(const struct policy *policy,
		     int (*visit)(void *context, const struct rule *rule, enum policy_layer layer, const char *source, uint32_t line), void *context);

size_t policy_name_count(const struct policy *policy);

#endif
