/* The control socket.
 *
 * Theory of operation. Only the bundle's owner can connect: the socket lies in a folder of mode 0700. Still everything that comes is bounded: the
 * clients at once, the length of a line, the time that one may take. A request is answered at once, except `resolve`, which waits for its two questions (A and AAAA)
 * in the same way as a client's query waits, so that what it prints is in the set.
 */
#include "proxy/control.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "dns/message.h"
#include "fw/flows.h"
#include "proxy/ledger.h"
#include "proxy/events.h"
#include "proxy/listen.h"
#include "proxy/notice.h"
#include "proxy/outbox.h"
#include "proxy/query.h"
#include "state/control.h"

struct caller {
	struct bufferevent *stream; /* NULL: free */
	struct proxy *proxy;
	unsigned slot, generation;
	unsigned unanswered; /* questions of `resolve` */
	unsigned rcode;	     /* NOERROR when one of them was answered so, otherwise the last one's */
	bool closing;
};

struct control {
	int fd;
	struct event *event;
	struct caller callers[CONTROL_CLIENTS_MAX];
};

static void caller_close(struct caller *caller)
{
	bufferevent_free(caller->stream);
	caller->stream = NULL;
	caller->generation++;
}

static void caller_written(struct bufferevent *stream, void *context)
{
	struct caller *caller = context;

	(void)stream;
	if (caller->closing)
		caller_close(caller);
}

/* The last line; the connection is closed when it is written. */
static void caller_end(struct caller *caller, const char *error_text)
{
	struct evbuffer *output = bufferevent_get_output(caller->stream);

	if (error_text)
		evbuffer_add_printf(output, "error %s\n", error_text);
	else
		evbuffer_add(output, "ok\n", 3);
	caller->closing = true;
	bufferevent_disable(caller->stream, EV_READ);
}

static void removed_print(void *context, const struct addr *addr, const struct name *name)
{
	struct caller *caller = context;
	char address[ADDR_TEXT_MAX], text[NAME_TEXT_MAX];

	name_to_text(name, text);
	evbuffer_add_printf(bufferevent_get_output(caller->stream), "removed %s %s\n", addr_format(addr, address), text);
}

struct removal {
	struct addr_net *nets;
	size_t count, capacity;
	void (*removed)(void *context, const struct addr *addr, const struct name *name);
	void *context;
};

static void removal_note(void *context, const struct setwriter_key *key, const struct name *name)
{
	struct removal *removal = context;

	if (removal->count == removal->capacity) {
		size_t capacity = removal->capacity ? removal->capacity * 2 : 64;
		struct addr_net *nets = realloc(removal->nets, capacity * sizeof(*nets));

		if (!nets)
			return; /* the element is gone, its flows end by themselves */
		removal->nets = nets;
		removal->capacity = capacity;
	}
	removal->nets[removal->count++] = (struct addr_net){.addr = key->addr, .prefix_length = key->addr.family == ADDR_V4 ? 32 : 128};
	if (removal->removed)
		removal->removed(removal->context, &key->addr, name);
}

struct review {
	struct proxy *proxy;
	struct removal removal;
};

static bool review_may_keep(void *context, const struct name *name, const struct setwriter_key *key)
{
	return query_name_may_keep(((struct review *)context)->proxy, name, key);
}

static void review_removed(void *context, const struct setwriter_key *key, const struct name *name)
{
	removal_note(&((struct review *)context)->removal, key, name);
}

int control_review(struct proxy *proxy, void (*removed)(void *context, const struct addr *addr, const struct name *name), void *context, struct error *error)
{
	struct review review = {.proxy = proxy, .removal = {.removed = removed, .context = context}};
	int result = leases_review(proxy->leases, review_may_keep, review_removed, &review);

	if (result)
		error_errno(error, -result, "taking addresses out of the kernel's sets");
	if (review.removal.count) {
		int ended = flows_end(proxy->flows_fd, review.removal.nets, review.removal.count, NULL, result ? NULL : error);

		result = result ?: ended;
	}
	free(review.removal.nets);
	return result;
}

/* What was open through networks whose time is over. Its packets meet the rules again: what something else allows goes on. */
static int ended_nets_review(struct proxy *proxy, struct error *error)
{
	const struct netset *ended = policy_ended_nets(proxy->policy);
	cleanup_free struct addr_net *nets = ended->count ? calloc(ended->count, sizeof(*nets)) : NULL;

	if (!ended->count)
		return 0;
	if (!nets)
		return error_errno(error, ENOMEM, "ending what was open through networks that were allowed for a time");
	for (size_t i = 0; i < ended->count; i++)
		nets[i] = ended->entries[i].net;
	return flows_end(proxy->flows_fd, nets, ended->count, NULL, error);
}

int control_ends(struct proxy *proxy, struct error *error)
{
	proxy->next_end_s = policy_next_end(proxy->policy, NULL);
	return ended_nets_review(proxy, error);
}

int control_reload(struct proxy *proxy, void (*removed)(void *context, const struct addr *addr, const struct name *name), void *context, struct error *error)
{
	struct policy *policy;
	int result = bundle_policy_load(&proxy->bundle, &proxy->sums, &policy, error);

	if (result)
		return result;
	outbox_flush(proxy); /* what is under way was judged by the old policy: its elements are in the set before the review */
	policy_free(proxy->policy);
	proxy->policy = policy;
	cache_clear(proxy->cache); /* which inside addresses may pass has perhaps changed */
	result = control_review(proxy, removed, context, error);
	return control_ends(proxy, result ? NULL : error) ?: result;
}

static void request_reload(struct caller *caller, char *argument)
{
	struct error error = {0};

	(void)argument;
	caller_end(caller, control_reload(caller->proxy, removed_print, caller, &error) ? error.text : NULL);
}

static void request_ping(struct caller *caller, char *argument)
{
	(void)argument;
	caller_end(caller, NULL);
}

static void request_state(struct caller *caller, char *argument)
{
	enum shield_state state;

	if (shield_state_parse(&state, argument) || state == SHIELD_INACTIVE || state == SHIELD_ERROR) {
		caller_end(caller, "the state is one of up, down, down_all, block");
		return;
	}
	if (state != caller->proxy->state)
		cache_clear(caller->proxy->cache); /* a bypass lets inside addresses through, the other states do not */
	caller->proxy->state = state;
	caller_end(caller, NULL);
}

/* As Prometheus counts: each bucket with all below it. */
static void latency_print(struct evbuffer *output, const char *name, const struct latency *latency)
{
	unsigned long long count = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		count += latency->counts[i];
		evbuffer_add_printf(output, "%s_us_le_%u %llu\n", name, latency_bounds_us[i], count);
	}
	count += latency->counts[LATENCY_BUCKETS];
	evbuffer_add_printf(output, "%s_us_sum %llu\n%s_us_count %llu\n", name, (unsigned long long)(latency->sum_ns / 1000), name, count);
}

static void request_stats(struct caller *caller, char *argument)
{
	struct evbuffer *output = bufferevent_get_output(caller->stream);

	(void)argument;
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		evbuffer_add_printf(output, "%s %llu\n", counter_name(i), (unsigned long long)caller->proxy->counters[i]);
	evbuffer_add_printf(output, "packet_log %d\nevents %llu\nlost_readers %llu\nreaders %u\nactivity %zu\nactivity_full %llu\n", caller->proxy->packets != NULL,
			    (unsigned long long)events_total(caller->proxy->events), (unsigned long long)events_lost(caller->proxy->events),
			    events_readers(caller->proxy->events), ledger_count(caller->proxy->ledger), (unsigned long long)ledger_full(caller->proxy->ledger));
	evbuffer_add_printf(output, "landlock %d\nleases %zu\npending %zu\nnames %zu\n", caller->proxy->landlocked, leases_count(caller->proxy->leases), pendings_count(caller->proxy->pendings),
			    policy_name_count(caller->proxy->policy));
	for (unsigned i = 0; i < DURATION_COUNT; i++)
		latency_print(output, duration_name(i), &caller->proxy->latencies[i]);
	caller_end(caller, NULL);
}

/* New questions and requests wait in the sockets from here on; main() ends the process when the others are answered. */
static void request_retire(struct caller *caller, char *argument)
{
	struct proxy *proxy = caller->proxy;

	(void)argument;
	if (!proxy->retire_ms)
		proxy->retire_ms = clock_now_ms();
	listen_pause(proxy->listen);
	event_del(proxy->control->event);
	caller_end(caller, NULL);
}

/* Those by TLS that do not answer. */
static void servers_print(const struct proxy *proxy, struct evbuffer *output)
{
	const struct settings *settings = &proxy->settings;
	char text[SETTINGS_UPSTREAM_TEXT_MAX];

	for (unsigned i = 0; settings_use_tls(settings) && i < settings->upstream_count; i++) {
		const char *failure = pendings_failure(proxy->pendings, i);

		if (failure)
			evbuffer_add_printf(output, "fails %s %s\n", settings_upstream_format(&settings->upstreams[i], text), failure);
	}
}

static void request_worker(struct caller *caller, char *argument)
{
	const struct proxy_start *start = &caller->proxy->start;

	(void)argument;
	evbuffer_add_printf(bufferevent_get_output(caller->stream), "version %s\nserial %u\nrestarts %u\nkept %d\n", SHIELD_VERSION, start->serial, start->restarts, start->kept);
	servers_print(caller->proxy, bufferevent_get_output(caller->stream));
	caller_end(caller, NULL);
}

static void request_resolve(struct caller *caller, char *argument)
{
	struct client client = {.kind = CLIENT_CONTROL};
	struct name name;

	if (name_from_text(&name, argument, strlen(argument))) {
		caller_end(caller, "not a domain name");
		return;
	}
	client.control.slot = caller->slot;
	client.control.generation = caller->generation;
	caller->unanswered = 2;
	caller->rcode = RCODE_SERVFAIL;
	query_ask(caller->proxy, &client, &name, TYPE_A);
	query_ask(caller->proxy, &client, &name, TYPE_AAAA);
}

/* What the CLI has written to the audit log: "ACTION DEST DETAIL", each of the first two a word, "-" for no destination. */
static void request_told(struct caller *caller, char *argument)
{
	char *dest = strchr(argument, ' '), *detail;

	if (!dest) {
		caller_end(caller, "what was done, to what");
		return;
	}
	*dest++ = '\0';
	detail = strchr(dest, ' ');
	if (detail)
		*detail++ = '\0';
	notice_done(caller->proxy, argument, strcmp(dest, "-") ? dest : NULL, detail);
	caller_end(caller, NULL);
}

/* The connection becomes the stream's; the place is free for the next caller. */
static void request_events(struct caller *caller, char *argument)
{
	(void)argument;
	if (events_join(caller->proxy->events, caller->stream)) {
		caller_end(caller, "too many read events already, or there is no memory");
		return;
	}
	caller->stream = NULL;
	caller->generation++;
}

static const struct request {
	const char *verb;
	bool has_argument;
	void (*handle)(struct caller *caller, char *argument);
} requests[] = {
	{"events", false, request_events},
	{"ping", false, request_ping},
	{"reload", false, request_reload},
	{"resolve", true, request_resolve},
	{"retire", false, request_retire},
	{"state", true, request_state},
	{"stats", false, request_stats},
	{"told", true, request_told},
	{"worker", false, request_worker},
};

static void request_handle(struct caller *caller, char *line)
{
	char *argument = strchr(line, ' ');

	if (argument)
		*argument++ = '\0';
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		if (!strcmp(line, requests[i].verb) && requests[i].has_argument == (argument != NULL)) {
			requests[i].handle(caller, argument);
			return;
		}
	caller_end(caller, "unknown request");
}

static void caller_read(struct bufferevent *stream, void *context)
{
	struct caller *caller = context;
	char line[CONTROL_LINE_MAX];
	struct evbuffer *input = bufferevent_get_input(stream);
	struct evbuffer_ptr end = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);

	if (caller->closing || caller->unanswered)
		return;
	if (end.pos < 0) {
		if (evbuffer_get_length(input) >= sizeof(line))
			caller_close(caller);
		return;
	}
	if ((size_t)end.pos >= sizeof(line)) {
		caller_close(caller);
		return;
	}
	evbuffer_remove(input, line, (size_t)end.pos);
	line[end.pos] = '\0';
	request_handle(caller, line);
}

static void caller_event(struct bufferevent *stream, short what, void *context)
{
	struct caller *caller = context;

	(void)stream;
	if (what & BEV_EVENT_EOF && what & BEV_EVENT_READING && (caller->unanswered || caller->closing))
		return; /* it said all it had to say and waits */
	caller_close(caller);
}

static void control_accept(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval idle = {.tv_sec = CONTROL_IDLE_S};
	struct proxy *proxy = context;
	int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct caller *caller = NULL;

	(void)what;
	if (accepted < 0)
		return;
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX && !caller; i++)
		if (!proxy->control->callers[i].stream)
			caller = &proxy->control->callers[i];
	if (!caller || !(caller->stream = bufferevent_socket_new(proxy->base, accepted, BEV_OPT_CLOSE_ON_FREE))) {
		close(accepted); /* the caller reads an end without "ok" and says so */
		return;
	}
	caller->unanswered = 0;
	caller->closing = false;
	bufferevent_setcb(caller->stream, caller_read, caller_written, caller_event, caller);
	bufferevent_set_timeouts(caller->stream, &idle, &idle);
	bufferevent_enable(caller->stream, EV_READ | EV_WRITE);
}

struct control *control_start(struct proxy *proxy, int listen_fd)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->fd = listen_fd;
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		control->callers[i].proxy = proxy;
		control->callers[i].slot = i;
	}
	control->event = event_new(proxy->base, listen_fd, EV_READ | EV_PERSIST, control_accept, proxy);
	if (!control->event || event_add(control->event, NULL)) {
		free(control);
		return NULL;
	}
	return control;
}

void control_stop(struct control *control)
{
	if (!control)
		return;
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (control->callers[i].stream)
			caller_close(&control->callers[i]);
	event_free(control->event);
	close(control->fd);
	free(control);
}

bool control_is_idle(const struct control *control)
{
	for (unsigned i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (control->callers[i].stream)
			return false;
	return true;
}

/* The addresses in an answer that the outbox let go, so that are in the set. */
static void addresses_print(struct evbuffer *output, const uint8_t *reply, size_t length)
{
	size_t at = message_name_skip(reply, length, MESSAGE_HEADER);

	at = at ? at + 4 : 0;
	for (unsigned i = message_get16(reply + 6); i && at; i--) {
		char text[ADDR_TEXT_MAX];
		struct message_record record;
		struct addr addr;
		size_t size;

		at = message_record_read(reply, length, at, &record);
		if (!at)
			break;
		size = record.type == TYPE_A ? 4 : record.type == TYPE_AAAA ? 16 : 0;
		if (!size || record.data_length != size)
			continue;
		addr = record.type == TYPE_A ? addr_v4(reply + record.data) : addr_v6(reply + record.data);
		evbuffer_add_printf(output, "address %s\n", addr_format(&addr, text));
	}
}

void control_reply(struct proxy *proxy, const struct client *client, const uint8_t *reply, size_t length)
{
	struct caller *caller = &proxy->control->callers[client->control.slot];

	if (!caller->stream || caller->generation != client->control.generation || !caller->unanswered)
		return;
	if (length >= MESSAGE_HEADER) {
		unsigned rcode = message_get16(reply + 2) & MESSAGE_RCODE;

		if (rcode == RCODE_NOERROR)
			addresses_print(bufferevent_get_output(caller->stream), reply, length);
		if (caller->rcode != RCODE_NOERROR)
			caller->rcode = rcode;
	}
	if (--caller->unanswered)
		return;
	switch (caller->rcode) {
	case RCODE_NOERROR:
		caller_end(caller, NULL);
		return;
	case RCODE_NXDOMAIN:
		caller_end(caller, "the name does not exist, or the policy refuses it");
		return;
	case RCODE_REFUSED:
		caller_end(caller, "the policy or the upstream resolver refuses the name");
		return;
	default:
		caller_end(caller, "no upstream resolver answered, or it failed");
		return;
	}
}
