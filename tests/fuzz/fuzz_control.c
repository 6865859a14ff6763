/* The control socket: a request in pieces of any size, through the real server. Whatever is asked, what comes back is lines of printable ASCII, of which the last is the only
 * one that is "ok" or "error ...", and then the connection ends; and nothing but a whole line of at most CONTROL_LINE_MAX octets is a request. What is behind it stands in here:
 * `resolve` is answered with the rest of the input, as if that were DNS messages.
 *
 * Input: the length of the first piece, two octets, the top bit of which says that all is sent; the request; and behind its newline the answers. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/bufferevent.h>

#include "dns/message.h"
#include "fw/flows.h"
#include "local_socket.h"
#include "proxy/control.h"
#include "proxy/events.h"
#include "proxy/ledger.h"
#include "proxy/listen.h"
#include "proxy/notice.h"
#include "proxy/outbox.h"
#include "proxy/query.h"
#include "state/control.h"

#define OUTPUT_MAX (1u << 20)
#define CHOICE_ALL 0x8000 /* what is behind the request is sent too: it is no request */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct proxy proxy;
static int accepting_fd;
static const uint8_t *answers; /* behind the request */
static size_t answers_length;
static struct client asking[2];
static unsigned asked;
static bool joined; /* the connection became a stream of events */

/* ---- what stands behind the control socket ---- */

void query_ask(struct proxy *of, const struct client *client, const struct name *name, uint16_t type)
{
	if (of != &proxy || client->kind != CLIENT_CONTROL || !name->length || asked == 2 || type != (asked ? TYPE_AAAA : TYPE_A))
		abort();
	asking[asked++] = *client;
}

bool query_name_may_keep(void *of, const struct name *name, const struct setwriter_key *key)
{
	(void)of, (void)name, (void)key;
	return true;
}

int leases_review(struct leases *leases, bool (*may_keep)(void *context, const struct name *name, const struct setwriter_key *key),
	void (*removed)(void *context, const struct setwriter_key *key, const struct name *name), void *context)
{
	(void)leases, (void)may_keep, (void)removed, (void)context;
	abort(); /* without a bundle no list is read */
}

size_t leases_count(const struct leases *leases)
{
	(void)leases;
	return 3;
}

int flows_end(int flows_fd, const struct addr_net *nets, size_t count, size_t *ended, struct error *error)
{
	(void)flows_fd, (void)nets, (void)count, (void)ended, (void)error;
	abort();
}

void outbox_flush(struct proxy *of)
{
	(void)of;
}

void cache_clear(struct cache *cache)
{
	(void)cache;
}

int events_join(struct events *events, struct bufferevent *stream)
{
	(void)events;
	joined = true;
	bufferevent_free(stream);
	return 0;
}

uint64_t events_total(const struct events *events)
{
	(void)events;
	return UINT64_MAX;
}

uint64_t events_lost(const struct events *events)
{
	(void)events;
	return 0;
}

unsigned events_readers(const struct events *events)
{
	(void)events;
	return 0;
}

size_t ledger_count(const struct ledger *ledger)
{
	(void)ledger;
	return 0;
}

uint64_t ledger_full(const struct ledger *ledger)
{
	(void)ledger;
	return 0;
}

void notice_done(struct proxy *of, const char *action, const char *dest, const char *detail)
{
	size_t length = strlen(action) + (dest ? strlen(dest) : 0) + (detail ? strlen(detail) : 0);

	if (of != &proxy || length > CONTROL_LINE_MAX || strchr(action, ' ') || (dest && strchr(dest, ' ')))
		abort();
}

size_t pendings_count(const struct pendings *pendings)
{
	(void)pendings;
	return 0;
}

const char *pendings_failure(const struct pendings *pendings, unsigned server)
{
	(void)pendings, (void)server;
	return NULL;
}

void listen_pause(struct listen *listen)
{
	(void)listen;
}

/* ---- the caller ---- */

static void start(void)
{
	proxy.bundle = (struct bundle)BUNDLE_INIT;
	settings_init(&proxy.settings);
	proxy.base = event_base_new();
	proxy.policy = policy_new();
	if (!proxy.base || !proxy.policy || policy_seal(proxy.policy))
		abort();
	accepting_fd = local_listen();
}

static void turns(void)
{
	for (unsigned i = 0; i < 3; i++)
		event_base_loop(proxy.base, EVLOOP_NONBLOCK);
}

/* Both questions of `resolve` get half of what is left. */
static void questions_answer(void)
{
	size_t half = answers_length / 2;

	for (unsigned i = 0; i < asked; i++) {
		const uint8_t *from = i ? answers + half : answers;
		size_t length = i ? answers_length - half : half;
		uint8_t *exact = malloc(length + !length);

		if (!exact)
			abort();
		if (length)
			memcpy(exact, from, length);
		control_reply(&proxy, &asking[i], exact, length);
		free(exact);
	}
	turns();
}

/* Returns whether the connection has ended. */
static bool output_read(int fd, char *output, size_t *length)
{
	bool ended = local_is_closed(fd, control_is_idle(proxy.control));
	ssize_t count = 1;

	while (count > 0) {
		if (*length == OUTPUT_MAX)
			abort();
		count = recv(fd, output + *length, OUTPUT_MAX - *length, MSG_DONTWAIT);
		*length += count > 0 ? (size_t)count : 0;
	}
	return ended;
}

static void output_check(const char *output, size_t length)
{
	bool last = false;

	while (length) {
		const char *end = memchr(output, '\n', length);
		size_t line = end ? (size_t)(end - output) : 0;

		if (!end || last || !line)
			abort();
		for (size_t i = 0; i < line; i++)
			if (output[i] < ' ' || output[i] > '~')
				abort();
		last = (line == 2 && !memcmp(output, "ok", 2)) || (line > 6 && !memcmp(output, "error ", 6));
		output += line + 1;
		length -= line + 1;
	}
	if (!last)
		abort();
}

/* Of a request of that length, its newline counted. */
static void outcome_check(size_t length, bool whole, const char *output, size_t written, bool ended)
{
	if (!joined && whole && length <= CONTROL_LINE_MAX)
		output_check(output, written); /* there is an answer */
	else if (written)
		abort();
	if (asked && memmem(output, written, "unknown", strlen("unknown"))) /* of the request that is answered nothing else is one */
		abort();
	if (ended != (whole || length >= CONTROL_LINE_MAX))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char output[OUTPUT_MAX];
	const uint8_t *newline;
	size_t first, length, sent, written = 0;
	int64_t idle_ms = local_idle_ms();
	bool ended;
	int fd;

	if (size < 2)
		return 0;
	if (!proxy.base)
		start();
	proxy.retire_ms = 0;
	proxy.control = control_start(&proxy, dup(accepting_fd)); /* anew: a request to retire ends it */
	if (!proxy.control)
		abort();
	first = message_get16(data) & ~CHOICE_ALL;
	sent = message_get16(data) & CHOICE_ALL;
	data += 2;
	size -= 2;
	newline = size ? memchr(data, '\n', size) : NULL;
	length = newline ? (size_t)(newline - data) + 1 : size;
	answers = data + length;
	answers_length = size - length;
	sent = sent ? size : length;
	asked = 0;
	joined = false;
	fd = local_connect(accepting_fd);
	turns();
	if (first > sent)
		first = sent;
	(void)!send(fd, data, first, MSG_NOSIGNAL);
	turns();
	(void)!send(fd, data + first, sent - first, MSG_NOSIGNAL); /* it may be closed by now */
	turns();
	questions_answer();
	ended = output_read(fd, output, &written);
	if (!local_is_late(idle_ms))
		outcome_check(length, newline, output, written, ended);
	local_close(fd);
	turns();
	if (!control_is_idle(proxy.control))
		abort();
	control_stop(proxy.control);
	return 0;
}
