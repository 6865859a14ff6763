/* The sockets towards the workload: UDP and TCP on both loopback addresses of its namespace. */
#ifndef PROXY_LISTEN_H
#define PROXY_LISTEN_H

#include "proxy/proxy.h"

#define LISTEN_UDP_COUNT 2	     /* 127.0.0.1 and ::1 */
#define LISTEN_TCP_MAX 64	     /* connections at once; a further one takes the place of the one that was idle longest */
#define LISTEN_TCP_QUERIES_MAX 32    /* unanswered queries on one connection; beyond, reading pauses */
#define LISTEN_TCP_IDLE_S 10
#define LISTEN_BACKLOG_MS 6000	     /* what waited for this worker is taken as there is room to ask it, for this long after the start */
#define LISTEN_BACKLOG_SPARE 64	     /* room that it leaves, in questions, for TCP and for names that are renewed */
#define LISTEN_FIRST_MS 250	     /* for the first query of a connection, once no more are taken */
#define LISTEN_TCP_OUTPUT_MAX (256u << 10) /* octets that a client does not fetch: then it is closed */

/* The descriptors, as the supervisor opened them. -1 where the namespace has no IPv6. */
struct listen_sockets {
	int udp[LISTEN_UDP_COUNT];
	int tcp[LISTEN_UDP_COUNT];
};

/* Takes the sockets and starts to listen. NULL when there is no memory. */
struct listen *listen_start(struct proxy *proxy, const struct listen_sockets *sockets);
void listen_stop(struct listen *listen);

/* Takes no more datagrams and connections: they wait for the next worker. Connections that are there are served on. */
void listen_pause(struct listen *listen);
/* Whether no connection waits for an answer, has one to fetch, or may be about to ask its first question. */
bool listen_is_idle(const struct listen *listen);
/* At the end of each turn of the loop: goes on with what waited for this worker, where there is room again. */
void listen_turn(struct proxy *proxy);

int listen_udp_fd(const struct listen *listen, unsigned listener);

/* Sends a reply to a TCP client, if its connection is still there. */
void listen_tcp_send(struct proxy *proxy, const struct client *client, const uint8_t *reply, size_t length);

#endif
