/* What the kernel holds, read back and compared, in the network namespace of the calling thread.
 *
 * The structure comes from libnftables, terse; the elements of the allow and deny sets by a netlink dump of our own. So the cost does
 * not grow with what was learned, and every chain, rule, set, and allowed or denied network still is compared. The two are read one
 * after the other: who changes the table meanwhile makes a difference, never an agreement with something that was not there. */
#ifndef FW_READBACK_H
#define FW_READBACK_H

#include "fw/ruleset.h"
#include "fw/verify.h"

/* What the allow and deny sets hold: lines "element SET NETWORK[ until TIME]" as of ruleset_expect(), normalized. Errors: -ENOENT when there is no
 * such table; -EBADMSG when there is an element that fw/ruleset.c would not write. */
int readback_elements(struct text *lines, struct error *error);

/* Does the kernel hold this ruleset? Errors as of verify_ruleset() and nft_list_json(). */
int readback_verify(const struct ruleset *ruleset, struct error *error);

/* The state that the kernel's rules are those of; SHIELD_ERROR, and how they differ from ruleset->state in difference, when it is none.
 * elements: what readback_elements() reads is added (may be NULL). */
int readback_state(const struct ruleset *ruleset, enum shield_state *state, struct text *elements, struct error *difference,
	struct error *error);

/* The same as readback_verify(), each kind of thing by itself: see verify_parts_each(). -ENOENT when there is no such table. */
int readback_each(const struct ruleset *ruleset, struct error differences[VERIFY_KINDS], struct error *error);

/* The other tables of every family that the namespace has: lines "FAMILY NAME", escaped. */
int readback_other_tables(struct text *names, struct error *error);

#endif
