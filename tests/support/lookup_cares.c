/* Looks a name up with c-ares: as lookup.c does with a libc. Its sockets are watched as c-ares tells of them, which old and new versions do. */
#include <ares.h>
#include <poll.h>

#include "lookup.h"

#define SOCKETS_MAX 16
#define TURN_MS     100

struct lookup {
	struct pollfd sockets[SOCKETS_MAX];
	unsigned count;
	int done, status;
	struct ares_addrinfo *found;
};

static void socket_changed(void *context, ares_socket_t fd, int readable, int writable)
{
	struct lookup *lookup = context;
	unsigned i = 0;

	while (i < lookup->count && lookup->sockets[i].fd != fd)
		i++;
	if (i == lookup->count && lookup->count < SOCKETS_MAX)
		lookup->count++;
	if (i == SOCKETS_MAX)
		return;
	lookup->sockets[i] = (struct pollfd){.fd = fd, .events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0))};
	if (!readable && !writable)
		lookup->sockets[i] = lookup->sockets[--lookup->count];
}

static void answered(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
	struct lookup *lookup = context;

	(void)timeouts;
	lookup->done = 1;
	lookup->status = status;
	lookup->found = found;
}

static void turn(ares_channel channel, const struct lookup *lookup)
{
	struct pollfd sockets[SOCKETS_MAX];
	unsigned count = lookup->count;

	memcpy(sockets, lookup->sockets, sizeof(sockets)); /* they change while they are looked at */
	if (poll(sockets, count, TURN_MS) <= 0)
		ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	for (unsigned i = 0; i < count; i++)
		if (sockets[i].revents)
			ares_process_fd(channel, sockets[i].revents & ~POLLOUT ? sockets[i].fd : ARES_SOCKET_BAD,
				sockets[i].revents & POLLOUT ? sockets[i].fd : ARES_SOCKET_BAD);
}

int main(int argc, char **argv)
{
	struct lookup lookup = {0};
	struct ares_options options = {.sock_state_cb = socket_changed, .sock_state_cb_data = &lookup};
	struct ares_addrinfo_hints hints = {.ai_socktype = SOCK_STREAM};
	ares_channel channel;
	int result;

	if (argc < 2 || ares_library_init(ARES_LIB_INIT_ALL) || ares_init_options(&channel, &options, ARES_OPT_SOCK_STATE_CB))
		return 2;
	hints.ai_family = lookup_family(argv[2]);
	ares_getaddrinfo(channel, argv[1], LOOKUP_PORT, &hints, answered, &lookup);
	while (!lookup.done)
		turn(channel, &lookup);
	if (lookup.status || !lookup.found->nodes) {
		fprintf(stderr, "%s: %s\n", argv[1], ares_strerror(lookup.status));
		return 1;
	}
	for (const struct ares_addrinfo_node *at = lookup.found->nodes; at; at = at->ai_next)
		lookup_print(at->ai_addr);
	result = lookup_reach(lookup.found->nodes->ai_addr, lookup.found->nodes->ai_addrlen);
	ares_freeaddrinfo(lookup.found);
	ares_destroy(channel);
	return result;
}
