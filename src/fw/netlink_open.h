/* The netlink sockets of a container's namespace, opened by system calls alone: whoever opens them need not be who uses them, and
 * needs no library for it.
 *
 * The kernel asks both for CAP_NET_ADMIN: who opened the socket, when it did, and who sends (netlink_net_capable()). It works off what
 * is sent inside send(2), so whatever a user that was killed has left in a socket is there when the next one looks: netlink_drain()
 * takes it all. */
#ifndef FW_NETLINK_OPEN_H
#define FW_NETLINK_OPEN_H

#include <stdint.h>

#include "base/error.h"

/* Each opens in the network namespace of the calling thread and returns a descriptor (close-on-exec), or a negative errno. Caller
 * closes. */

/* For the set writer. */
int netlink_open_writer(struct error *error);
/* Tells when somebody changes a table (NFNLGRP_NFTABLES); non-blocking. writer_fd: of whose changes nothing is told; -1: everybody's
 * are. */
int netlink_open_watch(int writer_fd, struct error *error);
/* For connection tracking. */
int netlink_open_flows(struct error *error);
/* The packet log of the namespace: packets that the ruleset logs arrive here from now on; non-blocking. One socket can have it at a
 * time (-EBUSY), until it is closed. fw/packet_log.h reads it. */
int netlink_open_packets(struct error *error);

/* The socket's port id, by which the kernel tells one sender of the namespace from another. Returns 0 or a negative errno. */
int netlink_port(int fd, uint32_t *port);

/* Takes off whatever is queued, and so goes to the end of a listing that was not read to its end. */
void netlink_drain(int fd);

#endif
