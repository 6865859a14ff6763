/* Connection tracking: ending the flows to addresses that were taken away. */
#ifndef FW_FLOWS_H
#define FW_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "policy/addr.h"

/* flows_fd: of netlink_open_flows(). */

/* Deletes each conntrack entry whose original destination lies in one of the networks: the next packet of the flow meets the rules as a new one.
 * nets of count 0 deletes every entry. ended: how many (may be NULL). */
int flows_end(int flows_fd, const struct addr_net *nets, size_t count, size_t *ended, struct error *error);

/* Deletes each entry whose conntrack mark is higher than highest (enum ruleset_flow: flows that a more open state let out). */
int flows_end_marked(int flows_fd, uint32_t highest, size_t *ended, struct error *error);

/* A flow by its original direction. port: of the destination; source_port may be an ICMP echo's identifier. */
struct flow_tuple {
	struct addr source, dest;
	uint8_t protocol;
	uint16_t source_port, port; /* host order */
};

/* Whether the flow is there and the other side has answered: a TCP connection was opened, of other protocols anything came back. A flow that is not known was
 * not answered. Errors: the kernel's. One exchange of some microseconds. */
int flows_answered(int flows_fd, const struct flow_tuple *tuple, bool *answered);

#endif
