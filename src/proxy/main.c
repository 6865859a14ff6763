/* terok-shield-proxy: the DNS forwarder of one container. Started by the hook:
 *
 *	terok-shield-proxy --bundle PATH --netns-fd N --init-fd N --ready-fd N
 *
 * N are inherited descriptors: the container's network namespace, a pidfd of its init, and a pipe into which "ready" or "error: TEXT" is written, a line in either case.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "fw/flows.h"
#include "fw/netns.h"
#include "fw/ruleset.h"
#include "proxy/budget.h"
#include "proxy/control.h"
#include "proxy/isolate.h"
#include "proxy/listen.h"
#include "proxy/outbox.h"
#include "proxy/pending.h"
#include "proxy/proxy.h"
#include "proxy/query.h"
#include "state/audit.h"
#include "state/control.h"

#define FAULT_INTERVAL_MS 1000
#define RENEW_EVERY_S 10
#define RENEW_WITHIN_S 30 /* below LEASE_GRACE_S: a lease is renewed after its TTL has run out and before its element ends */

struct arguments {
	const char *bundle;
	int netns_fd, init_fd, ready_fd;
};

/* What is opened inside the container's namespace. */
struct inside {
	struct proxy *proxy;
	struct listen_sockets sockets;
};

void proxy_note(struct proxy *proxy, const char *action, const char *dest, const char *detail)
{
	struct audit_event event = {.action = action, .dest = dest, .detail = detail};

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

static int arguments_parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"bundle", required_argument, NULL, 'b'},
		{"netns-fd", required_argument, NULL, 'n'},
		{"init-fd", required_argument, NULL, 'i'},
		{"ready-fd", required_argument, NULL, 'r'},
		{0},
	};
	int option;

	*arguments = (struct arguments){.netns_fd = -1, .init_fd = -1, .ready_fd = -1};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'b':
			arguments->bundle = optarg;
			break;
		case 'n':
			arguments->netns_fd = atoi(optarg);
			break;
		case 'i':
			arguments->init_fd = atoi(optarg);
			break;
		case 'r':
			arguments->ready_fd = atoi(optarg);
			break;
		default: /* getopt's values, not ours */
			return -EINVAL;
		}
	}
	if (optind != argc || !arguments->bundle || arguments->netns_fd < 3 || arguments->init_fd < 3 || arguments->ready_fd < 3)
		return -EINVAL;
	fcntl(arguments->netns_fd, F_SETFD, FD_CLOEXEC);
	fcntl(arguments->init_fd, F_SETFD, FD_CLOEXEC);
	fcntl(arguments->ready_fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

/* Runs in the container's namespace; the sockets belong to it from then on, whichever thread uses them. */
static int inside_open(void *context, struct error *error)
{
	struct inside *inside = context;
	struct proxy *proxy = inside->proxy;
	int result = listen_open(&inside->sockets, RULESET_DNS_PORT, error);

	if (result)
		return result;
	result = setwriter_open_untried(&proxy->writer, error);
	if (result)
		return result;
	proxy->watch_fd = setwriter_watch_open(proxy->writer, error);
	if (proxy->watch_fd < 0)
		return proxy->watch_fd;
	proxy->flows_fd = flows_open(error);
	return proxy->flows_fd < 0 ? proxy->flows_fd : 0;
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

static void second_passed(evutil_socket_t fd, short what, void *context)
{
	static unsigned seconds;
	struct proxy *proxy = context;

	(void)fd;
	(void)what;
	if (!seconds) {
		outbox_flush(proxy); /* nothing may be staged in the writer then */
		setwriter_try(proxy->writer);
	}
	leases_sweep(proxy->leases);
	pendings_refresh(proxy);
	if (++seconds % RENEW_EVERY_S == 0)
		leases_renewable(proxy->leases, RENEW_WITHIN_S, renewal_ask, proxy);
}

/* The events that live as long as the process. */
static int watch_start(struct proxy *proxy)
{
	static const struct timeval second = {.tv_sec = 1};

	proxy->watches[0] = event_new(proxy->base, proxy->init_pidfd, EV_READ, ended, proxy);
	proxy->watches[1] = event_new(proxy->base, SIGTERM, EV_SIGNAL | EV_PERSIST, ended, proxy);
	proxy->watches[2] = event_new(proxy->base, proxy->watch_fd, EV_READ | EV_PERSIST, table_changed, proxy);
	proxy->watches[3] = event_new(proxy->base, -1, EV_PERSIST, second_passed, proxy);
	for (unsigned i = 0; i < PROXY_WATCHES; i++)
		if (!proxy->watches[i] || event_add(proxy->watches[i], i == 3 ? &second : NULL))
			return -ENOMEM;
	return 0;
}

static int parts_start(struct proxy *proxy, const struct listen_sockets *sockets, int control_fd, struct error *error)
{
	proxy->base = event_base_new();
	proxy->cache = cache_new();
	proxy->budget = budget_new(proxy->settings.budget_names, proxy->settings.budget_octets);
	proxy->leases = leases_new(proxy->writer, outbox_lease_failed, proxy);
	proxy->outbox = outbox_new();
	proxy->pendings = pendings_new(proxy);
	if (!proxy->base || !proxy->cache || !proxy->budget || !proxy->leases || !proxy->outbox || !proxy->pendings)
		return error_set(error, ENOMEM, "starting the forwarder: out of memory");
	proxy->listen = listen_start(proxy, sockets);
	proxy->control = control_start(proxy, control_fd);
	if (!proxy->listen || !proxy->control || watch_start(proxy))
		return error_set(error, ENOMEM, "starting the forwarder's events: out of memory");
	return 0;
}

static int proxy_start(struct proxy *proxy, const struct arguments *arguments, struct error *error)
{
	struct inside inside = {.proxy = proxy};
	int result = isolate_limits(error) ?: bundle_load(proxy, arguments->bundle, error), control_fd;

	if (result)
		return result;
	proxy->netns_fd = arguments->netns_fd;
	proxy->init_pidfd = arguments->init_fd;
	control_fd = control_listen(&proxy->bundle, error);
	if (control_fd < 0)
		return control_fd;
	if (proxy->settings.via == SETTINGS_VIA_CONTAINER) /* then the upstream sockets belong there too: the process moves */
		result = netns_enter(proxy->netns_fd, error) ?: inside_open(&inside, error);
	else
		result = netns_run(proxy->netns_fd, inside_open, &inside, error);
	if (result)
		return result;
	result = parts_start(proxy, &inside.sockets, control_fd, error);
	if (result)
		return result;
	result = leases_adopt(proxy->leases);
	if (result && result != -ENOENT) /* at a container's start the table is only being made */
		return error_errno(error, -result, "reading the kernel's learned sets");
	return isolate_capabilities(error) ?: isolate_files(proxy->bundle.path, &proxy->landlocked, error) ?: isolate_syscalls(error);
}

static void proxy_stop(struct proxy *proxy)
{
	control_stop(proxy->control);
	pendings_free(proxy->pendings);
	listen_stop(proxy->listen);
	for (unsigned i = 0; i < PROXY_WATCHES; i++)
		event_free(proxy->watches[i]);
	event_base_free(proxy->base);
	outbox_free(proxy->outbox);
	leases_free(proxy->leases);
	cache_free(proxy->cache);
	budget_free(proxy->budget);
	policy_free(proxy->policy);
	setwriter_close(proxy->writer);
	bundle_close(&proxy->bundle);
}

int main(int argc, char **argv)
{
	static struct proxy proxy = {.bundle = BUNDLE_INIT, .watch_fd = -1, .flows_fd = -1};
	struct arguments arguments;
	struct error error = {0};
	int result;

	if (arguments_parse(argc, argv, &arguments)) {
		fprintf(stderr, "usage: terok-shield-proxy --bundle PATH --netns-fd N --init-fd N --ready-fd N (it is started by terok-shield-hook)\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	mallopt(M_ARENA_MAX, 1); /* the thread that opens the sockets inside needs no heap of its own */
	prctl(PR_SET_NAME, "terok-shield-px");
	result = proxy_start(&proxy, &arguments, &error);
	if (result) {
		dprintf(arguments.ready_fd, "error: %s\n", error.text);
		return 1;
	}
	if (file_write_all(arguments.ready_fd, "ready\n", 6))
		return 1; /* whoever started this does not wait any more */
	close(arguments.ready_fd);
	while (!event_base_got_break(proxy.base)) {
		if (event_base_loop(proxy.base, EVLOOP_ONCE) < 0)
			break;
		outbox_flush(&proxy);
		pendings_tidy(&proxy);
	}
	proxy_stop(&proxy);
	return 0;
}
