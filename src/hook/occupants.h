/* Who is in a network namespace that the container shares: nobody may be there who is under no shield. */
#ifndef HOOK_OCCUPANTS_H
#define HOOK_OCCUPANTS_H

#include <sys/types.h>

#include "base/error.h"
#include "state/bundle.h"

struct occupants {
	int netns_fd; /* the namespace */
	pid_t init;   /* of the container that is to start in it */
	pid_t infra;  /* of the pod's infra container, which has the namespace from the start; 0: there is none */
	const struct bundle_members *members;
};

/* 0 when all are known; -EPERM with the first one that is not. */
int occupants_check(const struct occupants *occupants, struct error *error);

#endif
