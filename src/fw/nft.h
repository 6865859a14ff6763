/* libnftables: applying and listing, in the network namespace of the calling thread. Right for rulesets and listings; the hot path has
 * fw/setwriter.h. */
#ifndef FW_NFT_H
#define FW_NFT_H

#include <stdbool.h>

#include "base/error.h"

/* Runs commands as one transaction. Errors: -EINVAL with libnftables' own first line (escaped), -EPERM when the kernel refused, -ENOENT
 * when a table, set or chain is missing. Nothing is applied then. */
int nft_apply(const char *commands, struct error *error);

/* Lists "table inet terok_shield" as JSON (libnftables-json(5)). json: caller frees. -ENOENT when there is no such table. */
int nft_list_json(char **json, struct error *error);
/* The same as nft prints it. terse: without the elements of named sets, and without reading them from the kernel; the text is empty then
 * when there is no such table. */
int nft_list_text(char **text, bool terse, struct error *error);
/* Terse JSON. All tables of the family inet are in it, since nft 1.0.6 reads every element to list one table; that ours is missing is no
 * error. */
int nft_list_json_terse(char **json, struct error *error);
/* The same with the counters of the rules. */
int nft_list_json_counters(char **json, struct error *error);

#endif
