/* The upstream resolvers: which there are, and which of them to ask first.
 *
 * Theory of operation. Unless the configuration names servers the host's resolv.conf is followed. An inotify descriptor tells at once when the file that the path leads to is
 * written, replaced or removed, and when the path's own entry in /etc is: a link that leads elsewhere now. Whatever is told, the watch is set on what the path leads
 * to by then, and only after that the file is read, so that no change falls between. What inotify does not see (a link in the middle of several, another mount over the
 * file, a file that is never closed) is found by a look every UPSTREAMS_LOOK_S; a look each second stands in where there is no watch: the user's inotify instances
 * are used up, or the file is missing. Landlock lets only /etc be read and the folder that the link led to at the start: when it leads to a third one, what was known holds.
 */
#ifndef PROXY_UPSTREAM_H
#define PROXY_UPSTREAM_H

#include <netinet/in.h>

#include "policy/addr.h"
#include "policy/settings.h"

#define UPSTREAMS_LOOK_S 30

struct upstreams {
	struct addr_endpoint servers[SETTINGS_UPSTREAMS_MAX];
	unsigned count;
	unsigned preferred; /* the one that answered last */
	bool fixed;	    /* from the configuration: the host's resolv.conf is not followed */
	int64_t changed_s, changed_ns, size; /* of resolv.conf, as read */
	int notify_fd;	    /* inotify, non-blocking: call upstreams_notified() when it is readable; -1: none */
	int folder_watch, file_watch; /* -1: none */
	unsigned looks;
};

/* Takes the servers of the settings, or else those of the host's resolv.conf, which is watched from then on. */
void upstreams_load(struct upstreams *upstreams, const struct settings *settings);
void upstreams_close(struct upstreams *upstreams);

/* Reads what inotify tells, and resolv.conf when it is about that. */
void upstreams_notified(struct upstreams *upstreams);

/* Once a second: looks at resolv.conf when it is time for that. */
void upstreams_look(struct upstreams *upstreams);

/* Reads resolv.conf again when it has changed since. Returns true when the servers are others now. */
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
