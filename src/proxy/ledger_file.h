/* The ledger's file, activity.json: written a little at a time.
 *
 * Theory of operation. A full ledger makes some three megabytes, which is more than a query should wait for. So the file is written
 * beside the old one, a few rows at the end of each turn of the loop, and put into its place when it has all of them: rows that change
 * meanwhile are in it as they were before or after. It is begun at most every ACTIVITY_SAVE_S seconds, and only when something has
 * happened. The process's end writes it in one go.
 */
#ifndef PROXY_LEDGER_FILE_H
#define PROXY_LEDGER_FILE_H

#include "proxy/ledger.h"
#include "state/bundle.h"

struct ledger_file;

/* All borrowed. NULL when there is no memory. */
struct ledger_file *ledger_file_new(struct ledger *ledger, const struct bundle *bundle, const char *container);
void ledger_file_free(struct ledger_file *file); /* NULL allowed */

/* Fills the ledger from what an earlier worker has written, for the start. A file that cannot be read, or is another container's, is
 * passed over with an error. */
int ledger_file_load(struct ledger_file *file, struct error *error);

/* Once a second. Returns 0, or why the last file could not be written; the old one is there then, and the next is tried later. */
int ledger_file_second(struct ledger_file *file);
/* At the end of each turn. Returns true when there is more to write. */
bool ledger_file_turn(struct ledger_file *file);

/* The whole file now, if anything has happened that is not in it. */
int ledger_file_finish(struct ledger_file *file);

#endif
