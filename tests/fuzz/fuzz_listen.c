/* The framing of queries by TCP (RFC 7766 section 8): a client's octets in pieces of any size, through the real listener, against a reader of frames that has all of them at
 * once. What is behind it, query.c, stands in here: it answers each query with its own octets, at once or only when nothing more comes, and takes one with the flag QR for
 * no query. The first octet says which; then comes, again and again, the length of a piece and the piece. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/message.h"
#include "local_socket.h"
#include "proxy/listen.h"
#include "proxy/pending.h"
#include "proxy/query.h"
#include "state/worker.h"

#define STREAM_MAX   (64u << 10)
#define CHOICE_HELD  1 /* answers come when nothing more comes */
#define CHOICE_ENDED 2 /* the client says that it sends no more */
#define FRAME_MIN    (2 + MESSAGE_HEADER)
#define QUERIES_MAX  (STREAM_MAX / FRAME_MIN + 1)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct proxy proxy;
static int accepting_fd;
static uint8_t stream[STREAM_MAX]; /* what the client has sent */
static size_t sent;
static size_t heard;	  /* of that, what has come as queries, with their prefixes */
static bool refused;	  /* the last that has come was no query */
static unsigned waiting; /* that are not answered */
static struct {
	struct client client;
	size_t at, length;
} queries[QUERIES_MAX];
static unsigned query_count, answered;

/* ---- what stands behind the listener ---- */

bool query_receive(struct proxy *to, const struct client *client, const uint8_t *wire, size_t length)
{
	if (to != &proxy || client->kind != CLIENT_TCP || refused || query_count == QUERIES_MAX || heard + 2 + length > sent)
		abort();
	if (message_get16(stream + heard) != length || memcmp(stream + heard + 2, wire, length) != 0)
		abort();
	if (length < MESSAGE_HEADER || length > WORKER_QUERY_MAX || ++waiting > LISTEN_TCP_QUERIES_MAX)
		abort();
	refused = message_get16(wire + 2) & MESSAGE_QR;
	queries[query_count].client = *client;
	queries[query_count].at = heard + 2;
	queries[query_count++].length = length;
	heard += 2 + length;
	return !refused;
}

int64_t proxy_turn_ns(struct proxy *of)
{
	(void)of;
	return 1;
}

size_t pendings_room(const struct pendings *of)
{
	(void)of;
	return PENDING_MAX;
}

/* ---- the client ---- */

static void start(void)
{
	struct listen_sockets sockets = {{-1, -1}, {-1, -1}};

	proxy.base = event_base_new();
	if (!proxy.base)
		abort();
	accepting_fd = local_listen();
	sockets.udp[0] = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	sockets.tcp[0] = accepting_fd;
	proxy.listen = listen_start(&proxy, &sockets);
	if (!proxy.listen)
		abort();
}

static void answer_all(void)
{
	for (; answered < query_count; answered++) {
		waiting--;
		listen_tcp_send(&proxy, &queries[answered].client, stream + queries[answered].at, queries[answered].length);
	}
}

static void turns(bool answers)
{
	for (unsigned i = 0; i < 4; i++) {
		event_base_loop(proxy.base, EVLOOP_NONBLOCK);
		if (answers)
			answer_all();
	}
}

/* What has been answered comes back in frames, in that order; all of it, unless the connection was closed. */
static size_t answers_check(int fd, size_t done)
{
	static uint8_t octets[STREAM_MAX];
	ssize_t length;

	while ((length = recv(fd, octets, sizeof(octets), MSG_DONTWAIT)) > 0) {
		if (done + (size_t)length > heard || memcmp(stream + done, octets, (size_t)length) != 0)
			abort();
		done += (size_t)length;
	}
	return done;
}

/* The same by a reader that has all: how far it is queries, and whether what follows closes the connection. */
static size_t frames_read(bool *closes)
{
	size_t at = 0;

	*closes = false;
	while (sent - at >= 2) {
		size_t length = message_get16(stream + at);

		*closes = length < MESSAGE_HEADER || length > WORKER_QUERY_MAX;
		if (*closes || sent - at < 2 + length)
			break;
		*closes = message_get16(stream + at + 4) & MESSAGE_QR;
		at += 2 + length;
		if (*closes)
			break;
	}
	return at;
}

static void pieces_send(int fd, const uint8_t *data, size_t size, bool held)
{
	while (size > 1) {
		size_t length = data[0] < size - 1 ? data[0] : size - 1;

		if (sent + length > STREAM_MAX)
			return;
		memcpy(stream + sent, data + 1, length);
		sent += length; /* before it is known to arrive: it may be read while it is sent */
		if (length && send(fd, data + 1, length, MSG_NOSIGNAL) != (ssize_t)length) {
			sent -= length; /* closed */
			return;
		}
		data += 1 + length;
		size -= 1 + length;
		turns(!held);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t whole, before, done = 0;
	int64_t idle_ms = local_idle_ms();
	bool closes;
	int fd;

	if (size < 2)
		return 0;
	if (!proxy.base)
		start();
	sent = heard = query_count = answered = waiting = 0;
	refused = false;
	fd = local_connect(accepting_fd);
	turns(true);
	pieces_send(fd, data + 1, size - 1, data[0] & CHOICE_HELD);
	if (data[0] & CHOICE_ENDED)
		shutdown(fd, SHUT_WR);
	do { /* each round of answers lets it read on */
		before = heard;
		turns(true);
		done = answers_check(fd, done);
	} while (heard > before);
	whole = frames_read(&closes);
	if (local_is_late(idle_ms)) {
		local_close(fd);
		turns(true);
		return 0;
	}
	if (heard > whole || answered != query_count || (closes && !local_is_closed(fd, true)))
		abort();
	if (!(data[0] & CHOICE_ENDED) && (heard != whole || (!closes && (local_is_closed(fd, false) || done != whole))))
		abort();
	local_close(fd);
	turns(true);
	if (!listen_is_idle(proxy.listen))
		abort();
	return 0;
}
