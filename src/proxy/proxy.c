/* The worker's parts, put together. */
#include "proxy/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "proxy/blocked.h"
#include "proxy/budget.h"
#include "proxy/control.h"
#include "proxy/events.h"
#include "proxy/ledger_file.h"
#include "proxy/listen.h"
#include "proxy/notice.h"
#include "proxy/outbox.h"
#include "proxy/packets.h"
#include "proxy/pending.h"
#include "proxy/query.h"
#include "proxy/reached.h"
#include "proxy/tls.h"
#include "state/audit.h"
#include "state/worker.h"

#define FAULT_INTERVAL_MS 1000
#define RENEW_EVERY_S     10
#define END_DELAY_S       1 /* the kernel's elements have whole seconds, and must be gone before the flows are */
#define RENEW_WITHIN_S    30 /* below LEASE_GRACE_S: a lease is renewed after its TTL has run out and before its element ends */
#define RETIRE_MAX_MS     6000 /* more than a question in flight takes at most: PENDING_ATTEMPTS times PENDING_TIMEOUT_MS */

void proxy_note(struct proxy *proxy, const char *action, const char *dest, const char *detail)
{
	struct audit_event event = {.action = action, .dest = dest, .detail = detail};

	notice_done(proxy, action, dest, detail);
	if (proxy->settings.audit)
		audit_write(&proxy->bundle, proxy->container, &event);
}

void proxy_fault(struct proxy *proxy, const char *detail)
{
	int64_t now_ms = clock_now_ms();

	if (proxy->fault_noted_ms && now_ms - proxy->fault_noted_ms < FAULT_INTERVAL_MS)
		return;
	proxy->fault_noted_ms = now_ms;
	proxy_note(proxy, "error", NULL, detail);
}

int64_t proxy_turn_ns(struct proxy *proxy)
{
	if (!proxy->turn_ns)
		proxy->turn_ns = clock_now_ns();
	return proxy->turn_ns;
}

static int bundle_load(struct proxy *proxy, const char *path, struct error *error)
{
	struct bundle_identity identity = {0};
	int result = bundle_open(&proxy->bundle, path, error);

	if (result)
		return result;
	result = bundle_settings_read(&proxy->bundle, &identity, &proxy->settings, error);
	snprintf(proxy->container, sizeof(proxy->container), "%s", identity.container);
	proxy->sums = identity.sums;
	bundle_identity_free(&identity);
	if (result)
		return result;
	result = bundle_state_read(&proxy->bundle, &proxy->state, error);
	if (result)
		return result;
	return bundle_policy_load(&proxy->bundle, &proxy->sums, &proxy->policy, error);
}

static void ended(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(((struct proxy *)context)->base);
}

static void table_changed(evutil_socket_t fd, short what, void *context)
{
	struct proxy *proxy = context;

	(void)what;
	if (setwriter_watch_read(fd, proxy->writer) == 0)
		return;
	proxy->counters[COUNT_DOUBTS]++;
	leases_doubt(proxy->leases);
}

static void renewal_ask(void *context, const struct name *name, enum addr_family family)
{
	struct proxy *proxy = context;
	struct client nobody = {.kind = CLIENT_NONE};

	proxy->counters[COUNT_RENEWALS]++;
	query_ask(proxy, &nobody, name, family == ADDR_V4 ? TYPE_A : TYPE_AAAA);
}

/* Tells the supervisor that the loop turns. It never waits for it, and without it there is nothing to go on for. */
static void beat(struct proxy *proxy)
{
	if (write(WORKER_PIPE, WORKER_BEAT, strlen(WORKER_BEAT)) < 0 && errno == EPIPE)
		event_base_loopbreak(proxy->base);
}

static void activity_save(struct proxy *proxy)
{
	int result = ledger_file_second(proxy->ledger_file);
	char detail[128];

	if (!result)
		return;
	snprintf(detail, sizeof(detail), BUNDLE_ACTIVITY " cannot be written: %s", strerror(-result));
	proxy_fault(proxy, detail);
}

/* Allows with an end. What a name brought goes here, and what was open goes with it. The kernel ends its own elements, in whole seconds, so
 * flows that go by these are looked for once more. When the lists cannot be read the old policy stays, and the next second tries again. */
static void ends_look(struct proxy *proxy)
{
	int64_t now_s = proxy->next_end_s || proxy->ended_look_s ? clock_lasting_s() : 0;
	struct error error = {0};
	int result = 0;

	if (proxy->next_end_s && now_s >= proxy->next_end_s) {
		result = control_reload(proxy, NULL, NULL, &error);
		if (!result)
			proxy_note(proxy, "note", NULL, "an allow with an end has ended");
		proxy->ended_look_s = now_s + END_DELAY_S;
	} else if (proxy->ended_look_s && now_s >= proxy->ended_look_s) {
		proxy->ended_look_s = 0;
		result = control_ends(proxy, &error);
	}
	if (result)
		proxy_fault(proxy, error.text);
}

static void second_passed(evutil_socket_t fd, short what, void *context)
{
	struct proxy *proxy = context;

	(void)fd;
	(void)what;
	beat(proxy);
	if (!proxy->seconds) {
		outbox_flush(proxy); /* nothing may be staged in the writer then */
		setwriter_try(proxy->writer);
	}
	leases_sweep(proxy->leases);
	pendings_refresh(proxy);
	notice_second(proxy);
	reached_second(proxy->reached);
	activity_save(proxy);
	ends_look(proxy);
	if (++proxy->seconds % RENEW_EVERY_S || proxy->retire_ms)
		return;
	outbox_flush(proxy); /* nothing may be staged in the writer then, or nothing is renewed */
	leases_renewable(proxy->leases, RENEW_WITHIN_S, renewal_ask, proxy);
}

/* The events that live as long as the process. */
static int watch_start(struct proxy *proxy)
{
	static const struct timeval second = {.tv_sec = 1};

	proxy->watches[0] = event_new(proxy->base, SIGTERM, EV_SIGNAL | EV_PERSIST, ended, proxy);
	proxy->watches[1] = event_new(proxy->base, WORKER_WATCH, EV_READ | EV_PERSIST, table_changed, proxy);
	proxy->watches[2] = event_new(proxy->base, -1, EV_PERSIST, second_passed, proxy);
	for (unsigned i = 0; i < PROXY_WATCHES; i++)
		if (!proxy->watches[i] || event_add(proxy->watches[i], i == 2 ? &second : NULL))
			return -ENOMEM;
	return 0;
}

static int parts_start(struct proxy *proxy, const struct listen_sockets *sockets, struct error *error)
{
	bool has_packets = fcntl(WORKER_PACKETS, F_GETFD) >= 0;

	proxy->base = event_base_new();
	proxy->cache = cache_new();
	proxy->ledger = ledger_new(notice_repeats, proxy);
	proxy->ledger_file = proxy->ledger ? ledger_file_new(proxy->ledger, &proxy->bundle, proxy->container) : NULL;
	proxy->reached = proxy->ledger ? reached_new(proxy->ledger, proxy->flows_fd) : NULL;
	proxy->events = events_new(proxy->container);
	proxy->budget = budget_new(proxy->settings.budget_names, proxy->settings.budget_octets);
	proxy->leases = leases_new(proxy->writer, outbox_lease_failed, proxy);
	proxy->outbox = outbox_new();
	proxy->pendings = pendings_new(proxy);
	if (!proxy->base || !proxy->cache || !proxy->ledger_file || !proxy->reached || !proxy->events || !proxy->budget || !proxy->leases || !proxy->outbox || !proxy->pendings)
		return error_set(error, ENOMEM, "starting the forwarder: out of memory");
	leases_watch(proxy->leases, &notice_leases);
	proxy->listen = listen_start(proxy, sockets);
	proxy->control = control_start(proxy, WORKER_CONTROL);
	proxy->blocked = blocked_start(proxy, fcntl(WORKER_HERALD, F_GETFD) >= 0 ? WORKER_HERALD : -1);
	if (has_packets)
		proxy->packets = packets_start(proxy, WORKER_PACKETS);
	if (!proxy->listen || !proxy->control || !proxy->blocked || (has_packets && !proxy->packets) || watch_start(proxy))
		return error_set(error, ENOMEM, "starting the forwarder's events: out of memory");
	return 0;
}

/* What an earlier worker, or an earlier container in the same namespace, has learned; without what the lists of now no longer allow. */
static int learned_take_over(struct proxy *proxy, struct error *error)
{
	int result = leases_adopt(proxy->leases);

	if (result == -ENOENT) /* at a container's start the table is only being made */
		return 0;
	if (result)
		return error_errno(error, -result, "reading the kernel's learned sets");
	return leases_count(proxy->leases) ? control_review(proxy, NULL, NULL, error) : 0;
}

/* What was asked and reached before. It is a record, and not worth a container's start. */
static void activity_load(struct proxy *proxy)
{
	struct error error = {0};

	if (ledger_file_load(proxy->ledger_file, &error))
		proxy_fault(proxy, error.text);
}

int proxy_begin(struct proxy *proxy, const char *bundle_path, const struct listen_sockets *sockets, struct error *error)
{
	int result = bundle_load(proxy, bundle_path, error) ?: setwriter_take(&proxy->writer, WORKER_WRITER, error);

	if (result)
		return result;
	proxy->flows_fd = WORKER_FLOWS;
	setwriter_watch_read(WORKER_WATCH, proxy->writer); /* what was told before the sets are read */
	result = settings_use_tls(&proxy->settings) ? tls_new(&proxy->tls, &proxy->settings, error) : 0;
	result = result ?: parts_start(proxy, sockets, error);
	if (!result)
		activity_load(proxy);
	if (!result && !proxy->packets && !proxy->start.serial)
		proxy_note(proxy, "note", NULL, "the packet log (NFLOG) cannot be read here: nothing will be known of connections");
	return result ?: learned_take_over(proxy, error) ?: control_ends(proxy, error);
}

bool proxy_is_done(const struct proxy *proxy)
{
	if (!proxy->retire_ms)
		return false;
	if (clock_now_ms() - proxy->retire_ms > RETIRE_MAX_MS)
		return true;
	return !pendings_count(proxy->pendings) && listen_is_idle(proxy->listen) && control_is_idle(proxy->control);
}

void proxy_end(struct proxy *proxy)
{
	outbox_flush(proxy); /* nothing may be staged in the writer */
	leases_count_now(proxy->leases);
	reached_finish(proxy->reached);
	ledger_file_finish(proxy->ledger_file);
	control_stop(proxy->control);
	packets_stop(proxy->packets);
	blocked_stop(proxy->blocked);
	events_free(proxy->events);
	pendings_free(proxy->pendings);
	listen_stop(proxy->listen);
	for (unsigned i = 0; i < PROXY_WATCHES; i++)
		event_free(proxy->watches[i]);
	event_base_free(proxy->base);
	tls_free(proxy->tls);
	outbox_free(proxy->outbox);
	leases_free(proxy->leases);
	cache_free(proxy->cache);
	ledger_file_free(proxy->ledger_file);
	reached_free(proxy->reached);
	ledger_free(proxy->ledger);
	budget_free(proxy->budget);
	policy_free(proxy->policy);
	setwriter_close(proxy->writer);
	bundle_close(&proxy->bundle);
}

/* First the replies, then what nobody waits for. */
bool proxy_turn_end(struct proxy *proxy)
{
	bool more;

	outbox_flush(proxy);
	pendings_tidy(proxy);
	listen_turn(proxy);
	more = packets_turn(proxy->packets);
	more |= reached_turn(proxy->reached);
	more |= ledger_file_turn(proxy->ledger_file);
	more |= events_turn(proxy->events);
	proxy->turn_ns = 0;
	return more;
}
