/* What `verify` checks, and what came out of it. */
#ifndef CLI_CHECKS_H
#define CLI_CHECKS_H

#include <stdbool.h>

#include "base/error.h"

/* The order is that of the table. The inside ones come in fours (UDP and TCP over IPv4, UDP and TCP over IPv6), but for the denied name
 * (A, AAAA). */
enum check_id {
	CHECK_TABLE,
	CHECK_POLICIES,
	CHECK_SETS,
	CHECK_RULES,
	CHECK_ELEMENTS,
	CHECK_OTHER_TABLES,
	CHECK_FORWARDER,
	CHECK_CONTROL,
	CHECK_PORT_53,
	CHECK_CAPABILITIES,
	CHECK_RESOLV_CONF,
	CHECK_NEXT_START,
	CHECK_INSIDE, /* the first of those that are tried inside */
	CHECK_ANSWER = CHECK_INSIDE,
	CHECK_CAPTURE = CHECK_ANSWER + 4,
	CHECK_DENIED_NAME = CHECK_CAPTURE + 4,
	CHECK_DENIED_ADDRESS = CHECK_DENIED_NAME + 2,
	CHECK_PRIVATE_ADDRESS = CHECK_DENIED_ADDRESS + 4,
	CHECK_METADATA = CHECK_PRIVATE_ADDRESS + 4,
};
#define CHECK_COUNT (CHECK_METADATA + 4)

enum check_verdict {
	CHECK_UNTRIED, /* nobody has said anything yet: counts like CHECK_UNKNOWN */
	CHECK_OK,
	CHECK_FAILED,
	CHECK_NEEDLESS, /* not tried, and there is nothing that could be wrong: no route, or the state lets it pass */
	CHECK_UNKNOWN,  /* not tried or not to be found out, so it may be wrong */
};

struct check {
	enum check_verdict verdict;
	char reason[400];
};

struct checks {
	struct check list[CHECK_COUNT];
};

/* "denied-address-tcp-v6". */
const char *check_name(enum check_id id);

/* Records a verdict; the first one of a check that is not CHECK_OK stays. Untrusted octets in the arguments must be escaped. */
void checks_set(struct checks *checks, enum check_id id, enum check_verdict verdict, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* False when a check failed, or one that counts was not tried. */
bool checks_hold(const struct checks *checks);

/* The table, and below it one line that sums up. */
void checks_print(const struct checks *checks, const char *container, const char *state);
/* docs/json.md. */
int checks_print_json(const struct checks *checks, const char *container, const char *state, struct error *error);

#endif
