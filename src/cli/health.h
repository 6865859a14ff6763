/* The health of a container in one word, and how many there are of each: for scripts. */
#ifndef CLI_HEALTH_H
#define CLI_HEALTH_H

#include "cli/look.h"

enum health {
	HEALTH_OK,       /* it filters, or lets nothing pass, as is wanted */
	HEALTH_DEGRADED, /* it does, by a forwarder that is not the installed one: that did not start */
	HEALTH_BYPASSED, /* it lets pass what no line allows, as is wanted */
	HEALTH_INACTIVE, /* it does not run */
	HEALTH_FAILED,   /* it does not do what is wanted, or what it does cannot be found out */
};
#define HEALTH_COUNT 5

const char *health_name(enum health health);

/* look: of look_take_parts(). */
enum health health_of(const struct look *look);

/* Looks at all containers and counts them. Errors: only when the state folder cannot be read. */
int health_count(size_t counts[HEALTH_COUNT], const struct command_options *options, struct error *error);

#endif
