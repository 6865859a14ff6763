/* What may differ between a server's reply and ours, and why: the promises of the forwarder as a table, which knows the two replies and nothing of the code. */
#ifndef TESTS_SUPPORT_PROMISES_H
#define TESTS_SUPPORT_PROMISES_H

#include "support/asking.h"

struct exchange {
	const struct query *query;
	const struct view *server, *ours;
	const struct view
		*whole; /* the server's reply where it was not truncated; otherwise what it says by TCP, as far as that was asked */
};

/* Whether a line of the table allows the difference; that one counts it. */
bool promise_holds(const struct exchange *exchange, const struct difference *difference);

/* Which promise our reply breaks by itself, however much it is like the server's; NULL: none. */
const char *promise_broken(const struct exchange *exchange);

/* The lines, from 0 on; NULL behind the last. used: set to how many differences it has allowed so far. */
const char *promise_why(size_t number, unsigned *used);

/* Says what differs and is not promised. */
void promise_miss_print(const struct exchange *exchange, const struct difference *difference);

/* The inside addresses of the zones that are made for these tests, as text: first the IPv4 ones, as many, then as many IPv6 ones, then NULL. */
#define PROMISES_INSIDE_EACH 9
extern const char *const promises_inside[];

#endif
