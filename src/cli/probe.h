/* The probes are sent: by a process that has no privileges, as the workload has none. */
#ifndef CLI_PROBE_H
#define CLI_PROBE_H

#include "cli/probe_plan.h"

/* Runs the plan in a child without capabilities, with no_new_privs, in the network namespace of the caller. outcomes: filled when it
 * returns 0. Takes some 1.2 s where connections are refused by ICMP, since the kernel tells them at the first retransmission; at most 40
 * s where nothing answers. Errors: -ETIMEDOUT, -EPROTO when the child died or could not give up its privileges. */
int probe_run(const struct probe_plan *plan, struct probe_outcome outcomes[PROBE_COUNT], struct error *error);

#endif
