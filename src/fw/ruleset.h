/* The ruleset as text: policy and settings in, nft syntax out, purely. fw/nft.h applies it, fw/verify.h checks what the kernel holds.
 *
 * Every line that is a rule is rendered in the one spelling that fw/verify.c gives back for it from the kernel's JSON, so
 * verification is: the same lines in the same order, nothing more, nothing less. */
#ifndef FW_RULESET_H
#define FW_RULESET_H

#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "policy/netset.h"
#include "policy/settings.h"
#include "policy/shield_state.h"

#define RULESET_TABLE     "terok_shield"
#define RULESET_MARK      0x74656b31 /* SO_MARK of upstream sockets with dns.via: container */
#define RULESET_LOG_GROUP 100
#define RULESET_LOG_BATCH 32 /* packets that the kernel hands to the reader of the packet log in one datagram */
#define RULESET_DNS_PORT  53

/* Conntrack marks, from the strictest on: who let the flow in or out. 0: a flow that each of its packets' own rule accepts (loopback,
 * DNS). */
enum ruleset_flow {
	RULESET_FLOW_INBOUND = 1, /* came in through a published port */
	RULESET_FLOW_UP,
	RULESET_FLOW_DOWN,
	RULESET_FLOW_DOWN_ALL,
};

/* How the packet log calls what became of a packet. */
#define RULESET_LOG_ALLOWED "TEROK_SHIELD_ALLOWED"
#define RULESET_LOG_BLOCKED "TEROK_SHIELD_BLOCKED"
#define RULESET_LOG_DENIED  "TEROK_SHIELD_DENIED"
#define RULESET_LOG_PRIVATE "TEROK_SHIELD_PRIVATE"
#define RULESET_LOG_BYPASS  "TEROK_SHIELD_BYPASS"

/* What ruleset_render() begins with: afterwards there is no table, whether there was one or not. */
#define RULESET_RESET "add table inet " RULESET_TABLE "\ndelete table inet " RULESET_TABLE "\n"

/* The sets of the table; the same in every state. */
struct ruleset_set {
	const char *name;
	enum addr_family family;
	bool with_port, learned, denied;
};
#define RULESET_SETS 12
extern const struct ruleset_set ruleset_sets[RULESET_SETS];

struct ruleset {
	enum shield_state state; /* up, down, down_all or block */
	const struct settings *settings;
	const struct netset *allowed; /* normalized */
	const struct netset *denied;
};

/* The mark that flows get in a state, and the highest that passes as established in it; 0 in `block`, where none does. */
uint32_t ruleset_flow_mark(enum shield_state state);

/* The whole transaction for a namespace that may or may not have the table: "add table; delete table; add table { ... }". Learned sets are
 * empty. Checks are the caller's (state is one of the four). */
void ruleset_render(const struct ruleset *ruleset, struct text *text);

/* The transaction that moves a table that is already there to ruleset's state and contents: flushes the chains' rules and the allow and
 * deny sets and fills them anew, keeping the learned sets and their elements. */
void ruleset_render_change(const struct ruleset *ruleset, struct text *text);

/* Only its rules: every set stays as it is. */
void ruleset_render_rules(const struct ruleset *ruleset, struct text *text);

/* Only the allow and deny sets' contents, for `allow` and `deny` of addresses. */
void ruleset_render_sets(const struct ruleset *ruleset, struct text *text);

/* An element with an end: it has the time that is left as its timeout, so that the kernel ends it whoever else may be gone, and the moment
 * as its comment, by which it is recognised. Two clocks are never quite the same, and the kernel's stands still while the machine is
 * suspended: what is missing this long before its end, or still there at it for no longer, is no difference. */
#define RULESET_END_SLACK_S 60
#define RULESET_UNTIL	    "until " /* with the moment behind: in the comment, and behind an element in its line */

/* Adds " timeout Ns comment "until TIME"" for an element with an end. */
void ruleset_add_end(struct text *text, int64_t until_s);

/* What verification expects, one item a line: "chain NAME type T hook H prio P policy P", "set NAME type T flags F", "rule CHAIN TEXT", and
 * "element SET NETWORK[ . PROTOCOL . PORT][ until TIME]" for the allow and deny sets; sorted by kind in the order of rendering. */
void ruleset_expect(const struct ruleset *ruleset, struct text *text);
/* Adds what follows "element SET " in the line of an element. */
void ruleset_element_line(struct text *text, const struct netset_entry *entry);
/* Only its lines for elements. */
void ruleset_expect_elements(const struct ruleset *ruleset, struct text *text);

#endif
