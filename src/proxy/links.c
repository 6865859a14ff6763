/* Links: the connections to upstream servers by TLS. */
#include "proxy/links.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns/message.h"
#include "proxy/upstream.h"

struct link {
	struct links *links;
	struct bufferevent *stream; /* NULL: closed, or held */
	bool open;                  /* otherwise, where there is a stream, it is connecting */
	bool useful;                /* it has brought an answer since it is open */
	int64_t begun_ms;           /* when it began to connect */
	int64_t used_ms, heard_ms;  /* when something was last sent; received */
	int64_t held_until_ms;
	unsigned failures;            /* since the last answer */
	char reason[LINK_REASON_MAX]; /* of the last of them; "" for none */
};

struct links {
	struct event_base *base;
	const struct settings *settings;
	uint32_t mark;
	struct tls *tls;
	const struct links_owner *owner;
	void *context;
	struct link link[SETTINGS_UPSTREAMS_MAX];
	uint8_t received[MESSAGE_MAX];
};

struct links *links_new(struct event_base *base, const struct settings *settings, uint32_t mark, struct tls *tls,
	const struct links_owner *owner, void *context)
{
	struct links *links = calloc(1, sizeof(*links));

	if (!links)
		return NULL;
	links->base = base;
	links->settings = settings;
	links->mark = mark;
	links->tls = tls;
	links->owner = owner;
	links->context = context;
	for (unsigned i = 0; i < SETTINGS_UPSTREAMS_MAX; i++)
		links->link[i].links = links;
	return links;
}

static unsigned link_server(const struct link *link)
{
	return (unsigned)(link - link->links->link);
}

static void link_close(struct link *link)
{
	if (link->stream)
		tls_stream_end(link->stream);
	link->stream = NULL;
	link->open = link->useful = false;
}

void links_free(struct links *links)
{
	if (!links)
		return;
	for (unsigned i = 0; i < SETTINGS_UPSTREAMS_MAX; i++)
		link_close(&links->link[i]);
	free(links);
}

/* From now on it is held. Those who wait for it are told by the caller. */
static void link_hold(struct link *link, const char *reason)
{
	struct links *links = link->links;
	unsigned doublings = link->failures < 8 ? link->failures : 8;
	int64_t hold_ms = (int64_t)LINK_HOLD_FIRST_MS << doublings;
	bool is_news = strcmp(link->reason, reason);

	link_close(link);
	link->held_until_ms = clock_now_ms() + (hold_ms < LINK_HOLD_MAX_MS ? hold_ms : LINK_HOLD_MAX_MS);
	link->failures++;
	snprintf(link->reason, sizeof(link->reason), "%s", reason);
	if (is_news)
		links->owner->told(links->context, link_server(link), link->reason);
}

static void link_fail(struct link *link, const char *reason)
{
	struct links *links = link->links;

	link_hold(link, reason);
	links->owner->lost(links->context, link_server(link), true);
}

/* It was open and has ended; that is no failure when it was of use. */
static void link_end(struct link *link)
{
	struct links *links = link->links;

	if (!link->useful) {
		link_fail(link, "it closes connections without an answer");
		return;
	}
	link_close(link);
	links->owner->lost(links->context, link_server(link), false);
}

/* The first answer after a failure. */
static void link_recover(struct link *link)
{
	struct links *links = link->links;

	link->failures = 0;
	if (!*link->reason)
		return;
	link->reason[0] = '\0';
	links->owner->told(links->context, link_server(link), NULL);
}

/* Moves the next message, when it is there whole, out of what has come. It may be empty. */
static bool message_take(struct evbuffer *input, uint8_t message[MESSAGE_MAX], size_t *length)
{
	uint8_t prefix[2];

	if (evbuffer_copyout(input, prefix, 2) < 2)
		return false;
	*length = message_get16(prefix);
	if (evbuffer_get_length(input) < 2 + *length)
		return false;
	evbuffer_drain(input, 2);
	evbuffer_remove(input, message, *length);
	return true;
}

static void link_read(struct bufferevent *stream, void *context)
{
	struct link *link = context;
	struct links *links = link->links;
	size_t length;

	while (link->stream == stream && message_take(bufferevent_get_input(stream), links->received, &length)) {
		link->heard_ms = clock_now_ms();
		link->useful = true;
		link_recover(link);
		links->owner->received(links->context, link_server(link), links->received, length);
	}
}

static void link_event(struct bufferevent *stream, short what, void *context)
{
	struct link *link = context;
	struct links *links = link->links;
	char reason[LINK_REASON_MAX];

	if (what & BEV_EVENT_CONNECTED) {
		link->open = true;
		link->used_ms = link->heard_ms = clock_now_ms();
		links->owner->opened(links->context, link_server(link));
		return;
	}
	if (link->open) {
		link_end(link);
		return;
	}
	tls_explain(stream, reason, sizeof(reason));
	link_fail(link, reason);
}

static int link_connect(struct link *link)
{
	struct links *links = link->links;
	int fd = upstream_connect(&links->settings->upstreams[link_server(link)].endpoint, SOCK_STREAM, links->mark);

	if (fd < 0)
		return fd;
	link->stream = tls_stream(links->tls, links->base, link_server(link), fd);
	if (!link->stream)
		return -ENOMEM;
	link->begun_ms = clock_now_ms();
	bufferevent_setcb(link->stream, link_read, NULL, link_event, link);
	bufferevent_enable(link->stream, EV_READ | EV_WRITE);
	return -EINPROGRESS;
}

int link_want(struct links *links, unsigned server)
{
	struct link *link = &links->link[server];
	char reason[LINK_REASON_MAX];
	int result;

	if (link->stream)
		return link->open ? 0 : -EINPROGRESS;
	if (clock_now_ms() < link->held_until_ms)
		return -EHOSTDOWN;
	result = link_connect(link);
	if (result == -EINPROGRESS)
		return result;
	snprintf(reason, sizeof(reason), "it cannot be connected: %s", strerror(-result));
	link_hold(link, reason);
	return result;
}

int link_send(struct links *links, unsigned server, const uint8_t *wire, size_t length)
{
	struct link *link = &links->link[server];
	struct evbuffer *output = bufferevent_get_output(link->stream);
	uint8_t prefix[2];

	if (evbuffer_get_length(output) + sizeof(prefix) + length > LINK_WAITING_MAX)
		return -ENOBUFS;
	message_put16(prefix, (uint16_t)length);
	if (evbuffer_expand(output, sizeof(prefix) + length)) /* then both are put there, in one piece */
		return -ENOMEM;
	evbuffer_add(output, prefix, sizeof(prefix));
	evbuffer_add(output, wire, length);
	link->used_ms = clock_now_ms();
	return 0;
}

void link_doubt(struct links *links, unsigned server, int64_t sent_ms)
{
	struct link *link = &links->link[server];

	if (link->open && link->heard_ms <= sent_ms)
		link_fail(link, "it does not answer");
}

void links_second(struct links *links)
{
	int64_t now_ms = clock_now_ms();

	for (unsigned i = 0; i < SETTINGS_UPSTREAMS_MAX; i++) {
		struct link *link = &links->link[i];

		if (link->stream && !link->open && now_ms - link->begun_ms > LINK_CONNECT_MS)
			link_fail(link, "it does not shake hands in time");
		else if (link->open && now_ms - link->used_ms > LINK_IDLE_S * 1000)
			link_close(link); /* nothing has been under way for long */
	}
}

const char *link_reason(const struct links *links, unsigned server)
{
	return *links->link[server].reason ? links->link[server].reason : NULL;
}
