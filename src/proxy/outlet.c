/* Outlets: the UDP sockets towards upstream servers. */
#include "proxy/outlet.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns/message.h"
#include "proxy/upstream.h"

struct outlet {
	struct outlet *next; /* in the list of its state */
	struct outlets *outlets;
	struct event *event;
	void *owner; /* NULL: nobody's */
	int fd;	     /* -1: closed */
	struct addr_endpoint server; /* connected to */
};

struct outlets {
	struct event_base *base;
	uint32_t mark;
	bool (*receive)(void *owner, const uint8_t *wire, size_t length);
	struct outlet *closed; /* without a socket */
	struct outlet *ready;  /* connected from a port that was never used */
	struct outlet *used;   /* given back, with the port that was used */
	unsigned ready_count;
	unsigned count;
	uint8_t received[MESSAGE_MAX];
	struct outlet pool[];
};

static void push(struct outlet **list, struct outlet *outlet)
{
	outlet->next = *list;
	*list = outlet;
}

static struct outlet *pop(struct outlet **list)
{
	struct outlet *outlet = *list;

	if (outlet)
		*list = outlet->next;
	return outlet;
}

struct outlets *outlets_new(struct event_base *base, unsigned count, uint32_t mark, bool (*receive)(void *owner, const uint8_t *wire, size_t length))
{
	struct outlets *outlets = calloc(1, sizeof(*outlets) + count * sizeof(outlets->pool[0]));

	if (!outlets)
		return NULL;
	outlets->base = base;
	outlets->mark = mark;
	outlets->receive = receive;
	outlets->count = count;
	for (unsigned i = count; i--;) {
		outlets->pool[i].outlets = outlets;
		outlets->pool[i].fd = -1;
		push(&outlets->closed, &outlets->pool[i]);
	}
	return outlets;
}

/* Closes the socket and puts the outlet where it can be opened again. It is in no list. */
static void outlet_close(struct outlet *outlet)
{
	if (outlet->fd >= 0) {
		event_del(outlet->event);
		close(outlet->fd);
		outlet->fd = -1;
	}
	push(&outlet->outlets->closed, outlet);
}

void outlets_free(struct outlets *outlets)
{
	if (!outlets)
		return;
	for (unsigned i = 0; i < outlets->count; i++) {
		struct outlet *outlet = &outlets->pool[i];

		if (outlet->event)
			event_free(outlet->event);
		if (outlet->fd >= 0)
			close(outlet->fd);
	}
	free(outlets);
}

static void outlet_read(evutil_socket_t fd, short what, void *context)
{
	struct outlet *outlet = context;
	struct outlets *outlets = outlet->outlets;

	(void)what;
	while (outlet->owner) {
		ssize_t length = recv(fd, outlets->received, sizeof(outlets->received), MSG_DONTWAIT);

		if (length < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (outlets->receive(outlet->owner, length < 0 ? NULL : outlets->received, length < 0 ? 0 : (size_t)length) || length < 0)
			return;
	}
	/* nobody's: an error that came late is taken off, so that the event does not fire for ever */
	recv(fd, outlets->received, sizeof(outlets->received), MSG_DONTWAIT);
}

static int outlet_open(struct outlet *outlet, const struct addr_endpoint *server)
{
	struct outlets *outlets = outlet->outlets;
	int fd = upstream_connect(server, SOCK_DGRAM, outlets->mark);

	if (fd < 0)
		return fd;
	if (!outlet->event)
		outlet->event = event_new(outlets->base, fd, EV_READ | EV_PERSIST, outlet_read, outlet);
	else
		event_assign(outlet->event, outlets->base, fd, EV_READ | EV_PERSIST, outlet_read, outlet);
	if (!outlet->event || event_add(outlet->event, NULL)) {
		close(fd);
		return -ENOMEM;
	}
	outlet->fd = fd;
	outlet->server = *server;
	return 0;
}

/* A ready outlet towards the server, or a new one. NULL and error when there is none. */
static struct outlet *outlet_take(struct outlets *outlets, const struct addr_endpoint *server, int *error)
{
	struct outlet *outlet;

	if (!outlets->ready && !outlets->closed)
		outlets_refresh(outlets);
	while ((outlet = pop(&outlets->ready))) {
		outlets->ready_count--;
		if (addr_endpoint_equal(&outlet->server, server))
			return outlet;
		outlet_close(outlet); /* the servers have changed, or another one's turn has come */
	}
	outlet = pop(&outlets->closed);
	if (!outlet) {
		*error = -ENOBUFS;
		return NULL;
	}
	*error = outlet_open(outlet, server);
	if (*error) {
		push(&outlets->closed, outlet);
		return NULL;
	}
	return outlet;
}

int outlet_send(struct outlets *outlets, const struct addr_endpoint *server, void *owner, const uint8_t *wire, size_t length, struct outlet **outlet)
{
	int result = 0;
	struct outlet *taken = outlet_take(outlets, server, &result);

	if (!taken)
		return result;
	if (send(taken->fd, wire, length, MSG_DONTWAIT) != (ssize_t)length) {
		result = -errno;
		outlet_close(taken);
		return result;
	}
	taken->owner = owner;
	*outlet = taken;
	return 0;
}

void outlet_give_back(struct outlets *outlets, struct outlet *outlet)
{
	outlet->owner = NULL;
	push(&outlets->used, outlet);
}

/* Another port, an empty queue. */
static int outlet_renew(struct outlet *outlet)
{
	static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	ssize_t length;

	if (connect(outlet->fd, &nowhere, sizeof(nowhere)))
		return -errno;
	do
		length = recv(outlet->fd, outlet->outlets->received, sizeof(outlet->outlets->received), MSG_DONTWAIT);
	while (length >= 0 || errno != EAGAIN);
	return upstream_reconnect(outlet->fd, &outlet->server);
}

void outlets_refresh(struct outlets *outlets)
{
	struct outlet *outlet;

	while ((outlet = pop(&outlets->used))) {
		if (outlets->ready_count >= OUTLETS_IDLE_MAX || outlet_renew(outlet)) {
			outlet_close(outlet);
			continue;
		}
		push(&outlets->ready, outlet);
		outlets->ready_count++;
	}
}
