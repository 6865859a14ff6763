/* The upstream resolvers: which there are, and which of them to ask first.
 *
 * Theory of operation. Unless the configuration names servers the host's resolv.conf is followed: once a second it is looked at whether the path leads to another file by now, or
 * to another content. Not by inotify: whoever closes an inotify descriptor that watches something waits for a grace period of the kernel's, 10 ms where several do so at a time, and at a
 * container's end conmon and podman do; and a user has 128 of these descriptors for all his programs. Landlock lets only /etc be read and the folder that the link led to at the
 * start: when it leads to a third one, what was known holds.
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include <netinet/in.h>

#include "policy/addr.h"
#include "policy/settings.h"

struct upstreams {
	struct addr_endpoint servers[SETTINGS_UPSTREAMS_MAX];
	unsigned count;
	unsigned preferred; /* the one that answered last */
	bool fixed;	    /* from the configuration: the host's resolv.conf is not followed */
	uint64_t device, inode; /* of resolv.conf, as read */
	int64_t changed_s, changed_ns, size;
};

/* Takes the servers of the settings, or else those of the host's resolv.conf. */
void upstreams_load(struct upstreams *upstreams, const struct settings *settings);

/* Reads resolv.conf again when it is another file or has changed since; to be called once a second. Returns true when the servers are others now. */
bool upstreams_refresh(struct upstreams *upstreams);

/* The nameserver lines of a resolv.conf (resolv.conf(5)); addresses with a zone are passed over; none at all means 127.0.0.1. Pure. */
void upstreams_parse(struct upstreams *upstreams, const char *text);

/* The server for the attempt-th message of a question: the preferred one first, then round. */
unsigned upstreams_choose(const struct upstreams *upstreams, unsigned attempt);

/* A connected, non-blocking socket to the server: UDP (SOCK_DGRAM, the kernel picks an unpredictable source port) or TCP (connecting).
 * mark: SO_MARK to set, 0 for none. Returns the descriptor or a negative errno. */
int upstream_connect(const struct addr_endpoint *server, int type, uint32_t mark);

/* Connects a socket of the server's family to it. Returns 0 (also when a TCP connection is under way) or a negative errno. */
int upstream_reconnect(int fd, const struct addr_endpoint *server);

#endif
