/* Does the kernel hold what was generated? Structural: the JSON that libnftables reads back is put into words again, and the words are compared. */
#ifndef FW_VERIFY_H
#define FW_VERIFY_H

#include "fw/ruleset.h"

/* json: of nft_list_json(). Errors: -EBADMSG with the first difference (expected and found); an expression that verify does not know is a difference.
 * Elements of the learned sets, counters' values and handles are not compared; elements of allow and deny sets are. */
int verify_ruleset(const struct ruleset *ruleset, const char *json, struct error *error);

/* The state that a listing shows: the one whose ruleset it equals. SHIELD_ERROR with the difference from ruleset->state in error when it is none. */
enum shield_state verify_state(const struct ruleset *ruleset, const char *json, struct error *error);

/* The same from a terse listing, nft_list_json_terse(), in which other tables are passed over, and the elements of the allow and deny sets as fw/readback.h reads them: lines of
 * ruleset_expect() in any order. What the learned sets hold is then never looked at, however much it is. */
int verify_parts(const struct ruleset *ruleset, const char *json, const char *elements, struct error *error);
/* The same, each kind of thing by itself: differences[kind] is filled where that kind differs and untouched where it does not. What the
 * table holds besides counts as VERIFY_TABLE. Errors: a listing that cannot be read, -ENOMEM. */
enum verify_kind {
	VERIFY_TABLE,
	VERIFY_CHAINS, /* with their hooks and policies */
	VERIFY_SETS,   /* as they are declared */
	VERIFY_RULES,
	VERIFY_ELEMENTS, /* of the allow and deny sets */
};
#define VERIFY_KINDS 5
int verify_parts_each(const struct ruleset *ruleset, const char *json, const char *elements, struct error differences[VERIFY_KINDS],
	struct error *error);

enum shield_state verify_parts_state(const struct ruleset *ruleset, const char *json, const char *elements, struct error *error);

#endif
