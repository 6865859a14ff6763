/* Questions in flight, and the exchange with the upstream servers.
 *
 * Theory of operation. A pending question is in one of three states: it waits for a datagram at an outlet (UDP, outlet.h); it talks over a connection of
 * its own (TCP, after an answer that was truncated); or, where the servers are asked by TLS, and then only so, it waits for a link to open or for an answer by
 * it (links.h). An outlet is connected, so the kernel lets only the server's address and port in, its source port is
 * fresh for each message, and so is the id. A message that is not the answer (wrong id, wrong question) is passed over and the wait goes on; one that is and
 * is malformed, a refusal by the server, an ICMP error or the timeout lead to the next attempt, with the next server. After PENDING_ATTEMPTS, or when every server has
 * refused, those who wait are told, with the rcode of the last refusal: a client treats REFUSED for AAAA otherwise than SERVFAIL.
 * On a link many questions are under way: each has an id of its own there, made of its place in the pool and a count, since who cannot read the stream cannot
 * guess into it either. What was under way on a link that its server has closed is asked again by the next; that is an attempt too.
 * pending_free() undoes a pending question completely, whatever its state.
 */
#include "proxy/pending.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "dns/answer.h"
#include "fw/ruleset.h"
#include "proxy/links.h"
#include "proxy/outlet.h"
#include "proxy/query.h"
#include "proxy/upstream.h"

#define BUCKETS 1024 /* a power of two */
#define POOL_BITS 9
_Static_assert(PENDING_MAX == 1 << POOL_BITS, "a place in the pool is the lower part of an id");

struct pending {
	struct pending *next; /* in its bucket, or in the free list */
	struct proxy *proxy;
	struct question question;
	uint64_t hash;
	struct waiting *waiting, **waiting_end;
	unsigned waiting_count;
	unsigned attempt; /* messages sent so far */
	unsigned refusals; /* servers that answered with an rcode that is no answer */
	unsigned server;
	uint16_t id;
	struct outlet *outlet;	    /* UDP; NULL */
	struct event *timer;
	struct bufferevent *stream; /* TCP; NULL */
	bool linked;		    /* TLS: it waits for the server's link to open, or for an answer by it */
	bool sent;
	uint8_t link_count;	    /* ids that this place in the pool has had */
	int64_t sent_ms;
	int last_error_ede;
	int last_rcode; /* what those who wait are told in the end */
};

struct pendings {
	struct hash_key hash_key;
	struct upstreams upstreams;
	struct outlets *outlets;
	struct links *links; /* NULL: the servers are asked in the clear */
	const struct timeval *timeout; /* PENDING_TIMEOUT_MS, as one of libevent's common timeouts: a queue instead of a heap */
	struct pending *buckets[BUCKETS];
	/* what was used before and is free again; otherwise the pools are taken from the front, so that memory which is never needed is never touched */
	struct pending *free;
	struct waiting *free_waiting;
	size_t pool_used, waiting_used;
	size_t count, waiting_count;
	struct answer answer;
	uint8_t received[MESSAGE_MAX]; /* by TCP */
	uint8_t rewritten[MESSAGE_MAX];
	struct pending pool[PENDING_MAX];
	struct waiting waiting_pool[PENDING_CLIENTS_MAX];
};

static void pending_send(struct pending *pending);
static bool udp_receive(void *owner, const uint8_t *wire, size_t length);
static const struct links_owner links_owner;

static const struct timeval attempt_timeout = {.tv_sec = PENDING_TIMEOUT_MS / 1000, .tv_usec = PENDING_TIMEOUT_MS % 1000 * 1000};

static uint32_t upstream_mark(const struct proxy *proxy)
{
	return proxy->settings.via == SETTINGS_VIA_CONTAINER ? RULESET_MARK : 0;
}

const struct question *pending_question(const struct pending *pending)
{
	return &pending->question;
}

const struct waiting *pending_waiting(const struct pending *pending)
{
	return pending->waiting;
}

size_t pendings_count(const struct pendings *pendings)
{
	return pendings->count;
}

size_t pendings_room(const struct pendings *pendings)
{
	size_t questions = PENDING_MAX - pendings->count, clients = PENDING_CLIENTS_MAX - pendings->waiting_count;

	return questions < clients ? questions : clients;
}

const char *pendings_failure(const struct pendings *pendings, unsigned server)
{
	return pendings->links ? link_reason(pendings->links, server) : NULL;
}

struct pendings *pendings_new(struct proxy *proxy)
{
	struct pendings *pendings = calloc(1, sizeof(*pendings)); /* from mmap: pages are touched as the pool is used */

	if (!pendings)
		return NULL;
	pendings->hash_key = hash_key_random();
	pendings->timeout = event_base_init_common_timeout(proxy->base, &attempt_timeout);
	pendings->outlets = outlets_new(proxy->base, PENDING_MAX, upstream_mark(proxy), udp_receive);
	if (proxy->tls)
		pendings->links = links_new(proxy->base, &proxy->settings, upstream_mark(proxy), proxy->tls, &links_owner, proxy);
	if (!pendings->timeout || !pendings->outlets || (proxy->tls && !pendings->links)) {
		links_free(pendings->links);
		outlets_free(pendings->outlets);
		free(pendings);
		return NULL;
	}
	upstreams_load(&pendings->upstreams, &proxy->settings);
	return pendings;
}

/* Closes the exchange with the present server. */
static void exchange_close(struct pending *pending)
{
	if (pending->outlet) {
		event_del(pending->timer);
		outlet_give_back(pending->proxy->pendings->outlets, pending->outlet);
		pending->outlet = NULL;
	}
	if (pending->stream) {
		bufferevent_free(pending->stream);
		pending->stream = NULL;
	}
	if (pending->linked) {
		event_del(pending->timer);
		pending->linked = false;
	}
}

static void pending_free(struct pending *pending)
{
	struct pendings *pendings = pending->proxy->pendings;
	struct pending **at = &pendings->buckets[pending->hash & (BUCKETS - 1)];

	exchange_close(pending);
	if (pending->waiting) {
		*pending->waiting_end = pendings->free_waiting;
		pendings->free_waiting = pending->waiting;
		pendings->waiting_count -= pending->waiting_count;
		pending->waiting = NULL;
	}
	while (*at != pending)
		at = &(*at)->next;
	*at = pending->next;
	pending->next = pendings->free;
	pendings->free = pending;
	pendings->count--;
}

void pendings_free(struct pendings *pendings)
{
	if (!pendings)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (pendings->buckets[i])
			pending_free(pendings->buckets[i]);
	for (size_t i = 0; i < pendings->pool_used; i++)
		if (pendings->pool[i].timer)
			event_free(pendings->pool[i].timer);
	outlets_free(pendings->outlets);
	links_free(pendings->links);
	free(pendings);
}

static struct pending *pending_find(struct pendings *pendings, const struct question *question, uint64_t hash)
{
	struct pending *pending = pendings->buckets[hash & (BUCKETS - 1)];

	for (; pending; pending = pending->next)
		if (pending->hash == hash && question_same(&pending->question, question))
			return pending;
	return NULL;
}

static struct pending *pool_take(struct pendings *pendings)
{
	struct pending *pending = pendings->free;

	if (!pending)
		return pendings->pool_used < PENDING_MAX ? &pendings->pool[pendings->pool_used++] : NULL;
	pendings->free = pending->next;
	return pending;
}

static struct waiting *waiting_take(struct pendings *pendings)
{
	struct waiting *waiting = pendings->free_waiting;

	if (!waiting)
		return pendings->waiting_used < PENDING_CLIENTS_MAX ? &pendings->waiting_pool[pendings->waiting_used++] : NULL;
	pendings->free_waiting = waiting->next;
	return waiting;
}

static void waiting_give_back(struct pendings *pendings, struct waiting *waiting)
{
	waiting->next = pendings->free_waiting;
	pendings->free_waiting = waiting;
}

static void waiting_add(struct pending *pending, struct waiting *waiting, const struct client *client, const struct question *question)
{
	waiting->next = NULL;
	waiting->client = *client;
	waiting->question = *question;
	*pending->waiting_end = waiting;
	pending->waiting_end = &waiting->next;
	pending->waiting_count++;
	pending->proxy->pendings->waiting_count++;
}

static void pending_failed(struct pending *pending, int ede)
{
	query_failed(pending->proxy, pending, pending->last_rcode, ede);
	pending_free(pending);
}

/* The present attempt came to nothing. */
static void attempt_failed(struct pending *pending, int ede)
{
	exchange_close(pending);
	pending->last_error_ede = ede;
	pending_send(pending);
}

static void pending_tcp(struct pending *pending);

/* A message came. Returns true when the exchange is over, so that pending is gone or is with another server. */
static bool pending_receive(struct pending *pending, const uint8_t *wire, size_t length)
{
	struct proxy *proxy = pending->proxy;
	struct pendings *pendings = proxy->pendings;
	struct answer *answer = &pendings->answer;
	struct answer_filter filter = query_filter(proxy);
	bool filtered;
	int result;

	proxy_turn_ns(proxy); /* what the addresses take to be in the set counts from here */
	result = answer_parse(wire, length, pending->id, &pending->question, &filter, answer);
	if (result == -EBADMSG) {
		proxy->counters[COUNT_MISMATCHED]++;
		return false;
	}
	if (!result && answer->truncated && !pending->stream && !pending->linked) {
		exchange_close(pending);
		pending_tcp(pending);
		return true;
	}
	filtered = answer->filtered;
	if (!result && !answer->truncated && !answer->clean) {
		length = answer_rewrite(wire, length, answer, pendings->rewritten, sizeof(pendings->rewritten));
		wire = pendings->rewritten;
		result = length ? answer_parse(wire, length, pending->id, &pending->question, &filter, answer) : -EPROTO;
		if (!result && !answer->clean)
			result = -EPROTO;
		proxy->counters[COUNT_REWRITTEN]++;
	}
	if (result || answer->truncated) {
		proxy->counters[COUNT_BAD_ANSWERS]++;
		attempt_failed(pending, EDE_NETWORK_ERROR);
		return true;
	}
	if (answer->rcode != RCODE_NOERROR && answer->rcode != RCODE_NXDOMAIN) {
		pending->last_rcode = answer->rcode <= MESSAGE_RCODE ? answer->rcode : RCODE_SERVFAIL; /* those above are about our OPT, not the client's */
		if (++pending->refusals >= pendings->upstreams.count)
			pending_failed(pending, EDE_NONE); /* each has said so: asking again would change nothing */
		else
			attempt_failed(pending, EDE_NONE);
		return true;
	}
	pendings->upstreams.preferred = pending->server;
	query_answered(proxy, pending, wire, answer, filtered);
	pending_free(pending);
	return true;
}

/* From an outlet: a datagram, or the kernel's word that nobody is there. */
static bool udp_receive(void *owner, const uint8_t *wire, size_t length)
{
	if (wire)
		return pending_receive(owner, wire, length);
	attempt_failed(owner, EDE_NETWORK_ERROR);
	return true;
}

static void attempt_timed_out(evutil_socket_t fd, short what, void *context)
{
	struct pending *pending = context;
	bool by_link = pending->linked && pending->sent;

	(void)fd;
	(void)what;
	pending->proxy->counters[COUNT_TIMEOUTS]++;
	exchange_close(pending); /* whatever becomes of the link, this attempt is over */
	if (by_link)
		link_doubt(pending->proxy->pendings->links, pending->server, pending->sent_ms);
	attempt_failed(pending, EDE_NO_REACHABLE_AUTHORITY);
}

static void tcp_read(struct bufferevent *stream, void *context)
{
	struct pending *pending = context;
	struct evbuffer *input = bufferevent_get_input(stream);
	uint8_t prefix[2];
	size_t length;

	if (evbuffer_copyout(input, prefix, 2) < 2)
		return;
	length = message_get16(prefix);
	if (evbuffer_get_length(input) < 2 + length)
		return;
	evbuffer_drain(input, 2);
	evbuffer_remove(input, pending->proxy->pendings->received, length);
	if (!pending_receive(pending, pending->proxy->pendings->received, length))
		attempt_failed(pending, EDE_NETWORK_ERROR); /* on a connection of our own nothing else has a place */
}

static void tcp_event(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	if (what & BEV_EVENT_CONNECTED)
		return;
	attempt_failed(context, EDE_NO_REACHABLE_AUTHORITY);
}

/* The same question to the same server by TCP. */
static void pending_tcp(struct pending *pending)
{
	struct proxy *proxy = pending->proxy;
	int fd = upstream_connect(&proxy->pendings->upstreams.servers[pending->server], SOCK_STREAM, upstream_mark(proxy));
	uint8_t query[2 + QUESTION_QUERY_MAX];
	size_t length;

	proxy->counters[COUNT_UPSTREAM_TCP]++;
	if (fd >= 0)
		pending->stream = bufferevent_socket_new(proxy->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!pending->stream) {
		if (fd >= 0)
			close(fd);
		attempt_failed(pending, EDE_NETWORK_ERROR);
		return;
	}
	pending->id = hash_random16();
	length = question_query(&pending->question, pending->id, query + 2);
	message_put16(query, (uint16_t)length);
	bufferevent_setcb(pending->stream, tcp_read, NULL, tcp_event, pending);
	bufferevent_set_timeouts(pending->stream, &attempt_timeout, &attempt_timeout);
	bufferevent_enable(pending->stream, EV_READ | EV_WRITE);
	bufferevent_write(pending->stream, query, length + 2);
}

/* ---- by TLS ---- */

/* The link is open. */
static int link_ask(struct pending *pending)
{
	struct proxy *proxy = pending->proxy;
	struct pendings *pendings = proxy->pendings;
	uint8_t query[QUESTION_PADDED_MAX];
	size_t length;
	int result;

	pending->id = (uint16_t)(++pending->link_count << POOL_BITS | (pending - pendings->pool));
	length = question_query_padded(&pending->question, pending->id, query);
	result = link_send(pendings->links, pending->server, query, length);
	if (result)
		return result;
	pending->sent = true;
	pending->sent_ms = clock_now_ms();
	event_add(pending->timer, pendings->timeout); /* anew: the handshake's time is the link's affair */
	proxy->counters[COUNT_UPSTREAM_TLS]++;
	return 0;
}

static int attempt_by_link(struct pending *pending)
{
	struct pendings *pendings = pending->proxy->pendings;
	int result = link_want(pendings->links, pending->server);

	pending->sent = false;
	if (!result)
		result = link_ask(pending);
	else if (result == -EINPROGRESS)
		result = event_add(pending->timer, pendings->timeout);
	pending->linked = !result;
	return result;
}

static void link_opened(void *context, unsigned server)
{
	struct proxy *proxy = context;
	struct pendings *pendings = proxy->pendings;

	proxy->counters[COUNT_TLS_CONNECTIONS]++;
	for (size_t i = 0; i < pendings->pool_used; i++) {
		struct pending *pending = &pendings->pool[i];

		if (pending->linked && pending->server == server && !pending->sent && link_ask(pending))
			attempt_failed(pending, EDE_NETWORK_ERROR);
	}
}

/* A message that is nobody's is passed over: an answer that came too late. */
static void link_received(void *context, unsigned server, const uint8_t *wire, size_t length)
{
	struct proxy *proxy = context;
	struct pendings *pendings = proxy->pendings;
	uint16_t id = length < MESSAGE_HEADER ? 0 : message_get16(wire);
	struct pending *pending = &pendings->pool[id & (PENDING_MAX - 1)];

	if (length < MESSAGE_HEADER || !pending->linked || !pending->sent || pending->server != server || pending->id != id)
		proxy->counters[COUNT_MISMATCHED]++;
	else
		pending_receive(pending, wire, length);
}

/* The server has closed the connection, which it may do at any time: the same one is asked again. */
static void pending_again(struct pending *pending)
{
	exchange_close(pending);
	if (pending->attempt < PENDING_ATTEMPTS && !attempt_by_link(pending))
		pending->attempt++;
	else
		pending_send(pending);
}

static void link_lost(void *context, unsigned server, bool failed)
{
	struct proxy *proxy = context;
	struct pendings *pendings = proxy->pendings;

	for (size_t i = 0; i < pendings->pool_used; i++) {
		struct pending *pending = &pendings->pool[i];

		if (!pending->linked || pending->server != server)
			continue;
		if (failed)
			attempt_failed(pending, EDE_NETWORK_ERROR);
		else
			pending_again(pending);
	}
}

static void link_told(void *context, unsigned server, const char *reason)
{
	struct proxy *proxy = context;
	char text[SETTINGS_UPSTREAM_TEXT_MAX], detail[SETTINGS_UPSTREAM_TEXT_MAX + LINK_REASON_MAX + 64];

	settings_upstream_format(&proxy->settings.upstreams[server], text);
	if (reason)
		snprintf(detail, sizeof(detail), "the upstream server %s fails: %s", text, reason);
	else
		snprintf(detail, sizeof(detail), "the upstream server %s answers again", text);
	proxy_note(proxy, reason ? "error" : "note", NULL, detail);
}

static const struct links_owner links_owner = {link_opened, link_received, link_lost, link_told};

/* ---- attempts ---- */

/* One attempt by UDP, or by TLS; what fails at once is passed over for the next server. */
static int attempt_start(struct pending *pending)
{
	struct proxy *proxy = pending->proxy;
	struct pendings *pendings = proxy->pendings;
	uint8_t query[QUESTION_QUERY_MAX];
	size_t length;
	int result;

	if (!pending->timer)
		pending->timer = event_new(proxy->base, -1, 0, attempt_timed_out, pending);
	if (!pending->timer)
		return -ENOMEM;
	pending->server = upstreams_choose(&pendings->upstreams, pending->attempt);
	if (pendings->links)
		return attempt_by_link(pending);
	pending->id = hash_random16();
	length = question_query(&pending->question, pending->id, query);
	result = outlet_send(pendings->outlets, &pendings->upstreams.servers[pending->server], pending, query, length, &pending->outlet);
	if (result)
		return result;
	event_add(pending->timer, pendings->timeout);
	proxy->counters[COUNT_UPSTREAM]++;
	return 0;
}

static void pending_send(struct pending *pending)
{
	while (pending->attempt < PENDING_ATTEMPTS) {
		int result = attempt_start(pending);

		pending->attempt++;
		if (!result)
			return;
		pending->last_error_ede = EDE_NETWORK_ERROR;
	}
	pending_failed(pending, pending->last_error_ede);
}

int pending_ask(struct proxy *proxy, const struct client *client, const struct question *question)
{
	struct pendings *pendings = proxy->pendings;
	uint64_t hash = question_hash(question, &pendings->hash_key);
	struct waiting *waiting = waiting_take(pendings);
	struct pending *pending;

	if (!waiting) {
		proxy->counters[COUNT_CLIENTS_FULL]++;
		return -EBUSY;
	}
	pending = pending_find(pendings, question, hash);
	if (pending) {
		proxy->counters[COUNT_MERGED]++;
		waiting_add(pending, waiting, client, question);
		return 0;
	}
	pending = pool_take(pendings);
	if (!pending) {
		waiting_give_back(pendings, waiting);
		proxy->counters[COUNT_PENDING_FULL]++;
		return -EBUSY;
	}
	pendings->count++;
	pending->next = pendings->buckets[hash & (BUCKETS - 1)];
	pendings->buckets[hash & (BUCKETS - 1)] = pending;
	pending->proxy = proxy;
	pending->question = *question;
	pending->hash = hash;
	pending->waiting = NULL;
	pending->waiting_end = &pending->waiting;
	pending->waiting_count = 0;
	pending->attempt = pending->refusals = 0;
	pending->last_rcode = RCODE_SERVFAIL;
	waiting_add(pending, waiting, client, question);
	pending_send(pending);
	return 0;
}

void pendings_tidy(struct proxy *proxy)
{
	outlets_refresh(proxy->pendings->outlets);
}

void pendings_refresh(struct proxy *proxy)
{
	upstreams_refresh(&proxy->pendings->upstreams);
	if (proxy->pendings->links)
		links_second(proxy->pendings->links);
}
