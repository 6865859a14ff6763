/* A look into a running container: the state that the kernel shows, and what the forwarder has learned. */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include "cli/container.h"
#include "cli/forwarder.h"
#include "cli/learned.h"
#include "fw/counters.h"

/* What is wanted besides the state. */
enum look_part {
	LOOK_LEARNED = 1u << 0,
	LOOK_LISTING = 1u << 1,
	LOOK_COUNTERS = 1u << 2,
};

struct look {
	enum shield_state state; /* SHIELD_INACTIVE when the container does not run */
	struct error difference; /* of SHIELD_ERROR: what is not as it should be */
	struct forwarder_worker forwarder; /* its worker; zero when there is none */
	struct learned learned;  /* empty when it does not run */
	struct text elements;    /* of the allow and deny sets: lines "element SET NETWORK" */
	struct text listing;     /* as nft prints the table, terse */
	struct counters counters; /* of the rules that refuse */
};

/* parts: of enum look_part. A container that ended meanwhile is inactive; one without its table is in state error, and so is one whose
 * rules are not those of its lists, once nobody is changing them. Free look in either case. */
int look_take_parts(struct look *look, const struct container *container, unsigned parts, struct error *error);
/* The same with LOOK_LEARNED; ruleset: of container_ruleset(). */
int look_take(struct look *look, const struct container *container, const struct ruleset *ruleset, struct error *error);
void look_free(struct look *look);
#define cleanup_look __attribute__((cleanup(look_free)))

/* How many different names have brought the learned addresses. */
size_t look_name_count(const struct look *look);

#endif
