/* From one ruleset to another in a table that is there, in the network namespace of the calling thread. */
#ifndef FW_SHIFT_H
#define FW_SHIFT_H

#include "fw/ruleset.h"

/* Makes the kernel hold ruleset: one transaction that keeps the learned sets, read back and compared; then ends the flows that only a
 * more open state let out (in `block`: all). No packet of theirs has passed since the transaction: see "Marks of flows" in
 * fw/ruleset.c. Errors: as of nft_apply() and readback_verify(); after a transaction that failed nothing has changed. */
int shift_to(const struct ruleset *ruleset, struct error *error);

/* Makes the allow and deny sets hold what ruleset says, and ends the flows to networks that were added to the deny sets or taken from
 * the allow sets. Nothing is written when they hold it already. Where the rest of the table is not ruleset's either (a command that was
 * killed between its records and the kernel), the whole is made so, as by shift_to(). changed: whether anything was written (may be
 * NULL). */
int shift_sets(const struct ruleset *ruleset, bool *changed, struct error *error);

#endif
