/* Audit logs as they grow. */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include "base/text.h"
#include "state/bundle.h"

/* Where in one log we are. The open file is kept, so that what was written before a rotation is read to its end. */
struct follow {
	struct bundle bundle; /* owned */
	char name[129];
	int fd; /* -1 while there is no log */
	off_t offset;
	struct text partial; /* a line that has no end yet */
	bool overlong;       /* and is longer than any of the log's: it will be dropped */
};

/* Begins behind what is there now. Takes the bundle. */
void follow_open(struct follow *follow, const char *name, struct bundle bundle);
void follow_close(struct follow *follow);

/* Begins at the beginning instead: for a log that has appeared since. */
void follow_rewind(struct follow *follow);

/* Calls visit for each whole line that was added since. line ends in a NUL, not in a newline. Returns 0, a negative errno of the log,
 * or what visit returned when that is not 0. */
int follow_read(struct follow *follow, int (*visit)(void *context, const char *line), void *context);

#endif
