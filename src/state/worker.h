/* What the supervisor and its worker, the two processes of a forwarder, have agreed on. They may be of different versions: a worker is
 * started from what is installed, the supervisor stays as long as the container. So what stands here stays as it is, or the supervisor
 * falls back to the worker it had.
 *
 * The worker finds these descriptors open when it starts. It owns copies: the supervisor keeps the sockets, and what arrives while
 * there is no worker waits in them. Into the pipe it writes messages, each in one write(2): WORKER_READY once it serves, or "error:
 * TEXT" when it cannot; then WORKER_BEAT at least once a second while its loop turns. It ends by itself, with status 0, when it was
 * told to retire and everybody who was waiting has been answered.
 *
 * What it may not reach itself it has from the supervisor, by packets through WORKER_HERALD, none longer than WORKER_HERALD_MAX: "tell
 * LINE" is for the hub (state/hub.h), LINE being a JSON object without its newline; "meta" asks for the file of the dossier (state/dossier.h), and
 * is answered with "meta " and what stands in it, nothing when it cannot be read. */
#ifndef STATE_WORKER_H
#define STATE_WORKER_H

enum worker_descriptor {
	WORKER_PIPE = 3, /* to the supervisor, in packet mode */
	WORKER_CONTROL,  /* the control socket, listening */
	WORKER_WRITER,   /* netlink sockets of the container's namespace */
	WORKER_WATCH,
	WORKER_FLOWS,
	WORKER_UDP_V4, /* port 53 on the container's loopback; those of IPv6 are closed where it has none */
	WORKER_UDP_V6,
	WORKER_TCP_V4,
	WORKER_TCP_V6,
	WORKER_PROGRAM, /* its own file; of no use to it */
	WORKER_PACKETS, /* the packet log; closed where it cannot be had, and with a supervisor that does not know it */
	WORKER_HERALD,	/* a socket of packets; closed where there is neither hub nor file, and with a supervisor that does not know it */
	WORKER_DESCRIPTORS_END,
};

#define WORKER_MESSAGE_MAX 1100 /* octets */
#define WORKER_QUERY_MAX   4096 /* octets of a query by UDP: one that is longer has nothing to say that is wanted, and need not reach the worker */
#define WORKER_READY       "ready\n"
#define WORKER_BEAT        "beat\n"
#define WORKER_ERROR       "error: "

#define WORKER_HERALD_MAX (16u << 10) /* octets */
#define WORKER_TELL       "tell "
#define WORKER_META       "meta"

#endif
