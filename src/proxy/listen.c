/* The sockets towards the workload.
 *
 * Theory of operation. UDP is read in batches of what is there. What had gathered while no worker ran can be more than can be asked at once: it is
 * left in the socket until there is room, while what comes later and finds none is refused, so that a flood does not make others wait.
 * A TCP connection is a libevent bufferevent in one of LISTEN_TCP_MAX slots; a slot's generation grows with each use, so that an answer which
 * comes late does not go to a stranger. A connection is closed when it is idle, sends a frame that is too short for a header, or does not
 * fetch its answers. Reading pauses while too many of its queries are unanswered.
 * One that was made just before this process is to end, and has not asked anything yet, is waited for a moment: the next worker does not
 * get it, and its client would lose the question.
 */
#include "proxy/listen.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "proxy/pending.h"
#include "proxy/query.h"
#include "state/worker.h"

#define BATCH 32
#define QUERY_MAX WORKER_QUERY_MAX /* by TCP too */

struct connection {
	struct bufferevent *stream; /* NULL: free */
	struct proxy *proxy;
	unsigned slot, generation;
	unsigned unanswered;
	bool asked; /* a first query has come */
	int64_t used_ms;
};

struct listen {
	struct listen_sockets sockets;
	struct event *udp_events[LISTEN_UDP_COUNT];
	struct event *tcp_events[LISTEN_UDP_COUNT];
	bool backlog[LISTEN_UDP_COUNT]; /* what had gathered before the start may not have been read to its end */
	bool held[LISTEN_UDP_COUNT];	/* its event is not there: no room */
	int64_t start_ms;
	struct connection connections[LISTEN_TCP_MAX];
	struct mmsghdr messages[BATCH];
	struct iovec vectors[BATCH];
	struct sockaddr_in6 addresses[BATCH];
	uint8_t octets[BATCH][QUERY_MAX];
};

/* How many datagrams may be read at once. */
static unsigned udp_room(struct proxy *proxy, unsigned listener)
{
	struct listen *listen = proxy->listen;
	size_t room;

	if (listen->backlog[listener])
		listen->backlog[listener] = clock_now_ms() - listen->start_ms < LISTEN_BACKLOG_MS;
	if (!listen->backlog[listener])
		return BATCH;
	room = pendings_room(proxy->pendings);
	if (room <= LISTEN_BACKLOG_SPARE)
		return 0;
	room -= LISTEN_BACKLOG_SPARE;
	return room < BATCH ? (unsigned)room : BATCH;
}

static void udp_read(evutil_socket_t fd, short what, void *context)
{
	struct proxy *proxy = context;
	struct listen *listen = proxy->listen;
	unsigned listener = fd == listen->sockets.udp[1];
	unsigned room = udp_room(proxy, listener);
	int count;

	(void)what;
	if (!room) {
		listen->held[listener] = !event_del(listen->udp_events[listener]);
		return;
	}
	count = recvmmsg(fd, listen->messages, room, MSG_DONTWAIT, NULL);
	if (count < (int)room)
		listen->backlog[listener] = false;
	for (int i = 0; i < count; i++) {
		struct client client = {.kind = CLIENT_UDP, .asked_ns = proxy_turn_ns(proxy)};

		client.udp.listener = listener;
		client.udp.address = listen->addresses[i];
		client.udp.address_length = listen->messages[i].msg_hdr.msg_namelen;
		listen->messages[i].msg_hdr.msg_namelen = sizeof(listen->addresses[i]); /* the kernel has shortened it */
		query_receive(proxy, &client, listen->octets[i], listen->messages[i].msg_len);
	}
}

static void connection_close(struct connection *connection)
{
	bufferevent_free(connection->stream); /* closes the descriptor: BEV_OPT_CLOSE_ON_FREE */
	connection->stream = NULL;
	connection->generation++;
}

static void tcp_read(struct bufferevent *stream, void *context)
{
	struct connection *connection = context;
	struct evbuffer *input = bufferevent_get_input(stream);
	unsigned generation = connection->generation;

	connection->used_ms = clock_now_ms();
	while (connection->generation == generation && connection->unanswered < LISTEN_TCP_QUERIES_MAX) {
		struct client client = {.kind = CLIENT_TCP, .asked_ns = proxy_turn_ns(connection->proxy)};
		const uint8_t *query;
		uint8_t prefix[2];
		size_t length;

		if (evbuffer_copyout(input, prefix, 2) < 2)
			return;
		length = message_get16(prefix);
		if (length < MESSAGE_HEADER || length > QUERY_MAX) {
			connection_close(connection);
			return;
		}
		if (evbuffer_get_length(input) < 2 + length)
			return;
		evbuffer_drain(input, 2);
		client.tcp.slot = connection->slot;
		client.tcp.generation = generation;
		connection->unanswered++;
		connection->asked = true;
		query = evbuffer_pullup(input, (ssize_t)length);
		if (!query || !query_receive(connection->proxy, &client, query, length)) {
			connection_close(connection); /* no memory; not a query */
			return;
		}
		evbuffer_drain(input, length);
	}
	if (connection->generation == generation)
		bufferevent_disable(stream, EV_READ);
}

static void tcp_event(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	(void)what; /* end, error, or idle too long */
	connection_close(context);
}

/* A free slot, or that of the connection that was idle longest. */
static struct connection *connection_slot(struct proxy *proxy)
{
	struct connection *oldest = NULL;

	for (unsigned i = 0; i < LISTEN_TCP_MAX; i++) {
		struct connection *connection = &proxy->listen->connections[i];

		if (!connection->stream)
			return connection;
		if (!oldest || connection->used_ms < oldest->used_ms)
			oldest = connection;
	}
	proxy->counters[COUNT_TCP_FULL]++;
	connection_close(oldest);
	return oldest;
}

static void tcp_accept(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval idle = {.tv_sec = LISTEN_TCP_IDLE_S};
	struct proxy *proxy = context;

	(void)what;
	for (unsigned i = 0; i < BATCH; i++) {
		int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct connection *connection;

		if (accepted < 0)
			return;
		connection = connection_slot(proxy);
		connection->stream = bufferevent_socket_new(proxy->base, accepted, BEV_OPT_CLOSE_ON_FREE);
		if (!connection->stream) {
			close(accepted);
			return;
		}
		connection->unanswered = 0;
		connection->asked = false;
		connection->used_ms = clock_now_ms();
		bufferevent_setcb(connection->stream, tcp_read, NULL, tcp_event, connection);
		bufferevent_setwatermark(connection->stream, EV_READ, 0, 2 + QUERY_MAX);
		bufferevent_set_timeouts(connection->stream, &idle, &idle);
		bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
	}
}

/* Once: recvmmsg(2) changes of a header only the length of the address. */
static void batch_prepare(struct listen *listen)
{
	for (unsigned i = 0; i < BATCH; i++) {
		listen->vectors[i] = (struct iovec){listen->octets[i], QUERY_MAX};
		listen->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &listen->addresses[i],
			.msg_namelen = sizeof(listen->addresses[i]),
			.msg_iov = &listen->vectors[i],
			.msg_iovlen = 1,
		};
	}
}

struct listen *listen_start(struct proxy *proxy, const struct listen_sockets *sockets)
{
	struct listen *listen = calloc(1, sizeof(*listen));

	if (!listen)
		return NULL;
	listen->sockets = *sockets;
	listen->start_ms = clock_now_ms();
	batch_prepare(listen);
	for (unsigned i = 0; i < LISTEN_TCP_MAX; i++) {
		listen->connections[i].proxy = proxy;
		listen->connections[i].slot = i;
	}
	for (unsigned i = 0; i < LISTEN_UDP_COUNT; i++) {
		if (sockets->udp[i] < 0)
			continue;
		listen->udp_events[i] = event_new(proxy->base, sockets->udp[i], EV_READ | EV_PERSIST, udp_read, proxy);
		listen->tcp_events[i] = event_new(proxy->base, sockets->tcp[i], EV_READ | EV_PERSIST, tcp_accept, proxy);
		listen->backlog[i] = true;
		if (!listen->udp_events[i] || !listen->tcp_events[i] || event_add(listen->udp_events[i], NULL) || event_add(listen->tcp_events[i], NULL)) {
			listen_stop(listen);
			return NULL;
		}
	}
	return listen;
}

void listen_stop(struct listen *listen)
{
	if (!listen)
		return;
	for (unsigned i = 0; i < LISTEN_TCP_MAX; i++)
		if (listen->connections[i].stream)
			connection_close(&listen->connections[i]);
	for (unsigned i = 0; i < LISTEN_UDP_COUNT; i++) {
		if (listen->udp_events[i])
			event_free(listen->udp_events[i]);
		if (listen->tcp_events[i])
			event_free(listen->tcp_events[i]);
		if (listen->sockets.udp[i] >= 0)
			close(listen->sockets.udp[i]);
		if (listen->sockets.tcp[i] >= 0)
			close(listen->sockets.tcp[i]);
	}
	free(listen);
}

void listen_pause(struct listen *listen)
{
	static const struct timeval moment = {.tv_usec = LISTEN_FIRST_MS * 1000};

	for (unsigned i = 0; i < LISTEN_TCP_MAX; i++)
		if (listen->connections[i].stream && !listen->connections[i].asked)
			bufferevent_set_timeouts(listen->connections[i].stream, &moment, &moment);
	for (unsigned i = 0; i < LISTEN_UDP_COUNT; i++) {
		if (!listen->udp_events[i])
			continue;
		event_del(listen->udp_events[i]);
		event_del(listen->tcp_events[i]);
		listen->held[i] = false;
	}
}

void listen_turn(struct proxy *proxy)
{
	struct listen *listen = proxy->listen;

	for (unsigned i = 0; i < LISTEN_UDP_COUNT; i++)
		if (listen->held[i] && udp_room(proxy, i))
			listen->held[i] = event_add(listen->udp_events[i], NULL);
}

bool listen_is_idle(const struct listen *listen)
{
	for (unsigned i = 0; i < LISTEN_TCP_MAX; i++) {
		const struct connection *connection = &listen->connections[i];

		if (connection->stream && (!connection->asked || connection->unanswered || evbuffer_get_length(bufferevent_get_output(connection->stream))))
			return false;
	}
	return true;
}

int listen_udp_fd(const struct listen *listen, unsigned listener)
{
	return listen->sockets.udp[listener];
}

void listen_tcp_send(struct proxy *proxy, const struct client *client, const uint8_t *reply, size_t length)
{
	struct connection *connection = &proxy->listen->connections[client->tcp.slot];
	uint8_t prefix[2];

	if (!connection->stream || connection->generation != client->tcp.generation)
		return;
	message_put16(prefix, (uint16_t)length);
	if (evbuffer_get_length(bufferevent_get_output(connection->stream)) > LISTEN_TCP_OUTPUT_MAX ||
	    bufferevent_write(connection->stream, prefix, 2) || bufferevent_write(connection->stream, reply, length)) {
		connection_close(connection);
		return;
	}
	connection->used_ms = clock_now_ms();
	if (connection->unanswered-- == LISTEN_TCP_QUERIES_MAX) {
		bufferevent_enable(connection->stream, EV_READ);
		/* what was already received raises no event of its own; deferred, since a flush of the outbox is under way */
		bufferevent_trigger(connection->stream, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
	}
}
