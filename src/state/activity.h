/* What a container has asked for and reached: the bundle's file activity.json.
 *
 * The forwarder's worker writes it, whole, at most every ACTIVITY_SAVE_S seconds while something happens and when it ends, and goes on
 * from it when it starts; anybody may read it, while the container runs and after. It is one JSON object, with one row a line:
 * 	{"format":1,"container":NAME,"since":TIME,"full":NUMBER,"rows":[
 * 	{"kind":"name",...},
 * 	{"kind":"address",...}
 * 	]}
 *
 * docs/json.md has the members of a row. A crash of the machine may leave an older one or none.
 */
#ifndef STATE_ACTIVITY_H
#define STATE_ACTIVITY_H

#include "base/error.h"
#include "base/json_line.h"
#include "policy/addr.h"
#include "policy/name.h"
#include "state/bundle.h"

#define ACTIVITY_FORMAT   1
#define ACTIVITY_SAVE_S   5
#define ACTIVITY_LINE_MAX 4096
#define ACTIVITY_FILE_MAX (64u << 20) /* octets; a full table of long names has 40 MB */

enum activity_kind {
	ACTIVITY_NAME,
	ACTIVITY_CONNECTION,
	ACTIVITY_ADDRESS,
	ACTIVITY_SHARED, /* one of several names that have brought the same address */
};

enum activity_verdict {
	ACTIVITY_ALLOWED,
	ACTIVITY_BYPASSED, /* let through in down and down_all */
	ACTIVITY_REFUSED,  /* a name that no rule allows */
	ACTIVITY_BLOCKED,  /* a connection that no rule allows */
	ACTIVITY_DENIED,   /* by a `deny`, or taken out by the profile */
	ACTIVITY_PRIVATE,  /* an inside address */
};
#define ACTIVITY_VERDICTS 6
const char *activity_verdict_name(enum activity_verdict verdict);

struct activity_row {
	enum activity_kind kind;
	enum activity_verdict verdict; /* of a name and a connection */
	char *name;                    /* owned, as name_to_text() writes it; NULL: no name has brought the address */
	struct addr dest;              /* not of a name */
	uint8_t protocol; /* of a connection, and of an address with a port; IP protocol number. A shared one is as an address */
	bool has_port;    /* an address has one when its name is allowed for that port only */
	uint16_t port;
	int64_t first, last;     /* seconds since the epoch */
	uint64_t count;          /* of a name: queries; of a connection: attempts */
	uint64_t made;           /* of a connection: attempts that the other side answered, as far as connection tracking could tell */
	uint64_t packets, bytes; /* of an address, both ways */
};

struct activity {
	char container[129];
	int64_t since; /* seconds since the epoch: the first event that is counted */
	uint64_t full; /* rows that had to go for others */
	struct activity_row *rows;
	size_t count;
};

/* Reads all of it. A file that is not there is no error: there was no activity. activity: caller frees. */
int activity_read(const struct bundle *bundle, struct activity *activity, struct error *error);
void activity_free(struct activity *activity);
#define cleanup_activity __attribute__((cleanup(activity_free)))

/* Reads it row by row, without keeping any: visit(context, row) is called for each in turn; a result other than 0 ends it and is
 * returned. head: its rows stay empty; filled before the first call. Errors: -ENOENT when there is no file; -EINVAL with the line's
 * number. */
int activity_each(const struct bundle *bundle, struct activity *head, int (*visit)(void *context, const struct activity_row *row),
	void *context, struct error *error);

/* The same from the file's content. head: zeroed by the caller. */
int activity_parse(const char *data, size_t size, struct activity *head, int (*visit)(void *context, const struct activity_row *row),
	void *context, struct error *error);

/* For the writer: the file's first line, a row without what stands between rows, and the last line. Each is added to text, or written
 * into line. */
void activity_print_head(struct text *text, const struct activity *head);
bool activity_print_row(struct json_line *line, char *buffer, size_t size, const struct activity_row *row);
#define ACTIVITY_TAIL "\n]}\n"

#endif
