/* terok-shield-proxy: the worker of one container's DNS forwarder. Started by the supervisor, again and again if need be:
 *
 *	terok-shield-proxy --bundle PATH --serial N --restarts N [--kept]
 *
 * with the descriptors of state/worker.h, which also says what goes into the pipe to the supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "proxy/isolate.h"
#include "proxy/listen.h"
#include "proxy/proxy.h"
#include "state/worker.h"

static int number_parse(const char *text, unsigned *number)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || value > UINT_MAX)
		return -EINVAL;
	*number = (unsigned)value;
	return 0;
}

static int arguments_parse(int argc, char **argv, const char **bundle, struct proxy_start *start)
{
	static const struct option options[] = {
		{"bundle", required_argument, NULL, 'b'},
		{"serial", required_argument, NULL, 's'},
		{"restarts", required_argument, NULL, 'r'},
		{"kept", no_argument, NULL, 'k'},
		{0},
	};
	int option, result = 0;

	while (!result && (option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'b':
			*bundle = optarg;
			break;
		case 's':
			result = number_parse(optarg, &start->serial);
			break;
		case 'r':
			result = number_parse(optarg, &start->restarts);
			break;
		case 'k':
			start->kept = true;
			break;
		default: /* getopt's values, not ours */
			return -EINVAL;
		}
	}
	return result || optind != argc || !*bundle ? -EINVAL : 0;
}

/* What the supervisor handed over. Those of IPv6, the packet log and the herald may be missing, and nothing is to be had from the program's own file. */
static int descriptors_take(struct listen_sockets *sockets)
{
	for (int fd = WORKER_PIPE; fd < WORKER_DESCRIPTORS_END; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) && fd != WORKER_UDP_V6 && fd != WORKER_TCP_V6 && fd != WORKER_PROGRAM && fd != WORKER_PACKETS &&
			fd != WORKER_HERALD)
			return -errno;
	close(WORKER_PROGRAM);
	*sockets = (struct listen_sockets){{WORKER_UDP_V4, -1}, {WORKER_TCP_V4, -1}};
	if (fcntl(WORKER_UDP_V6, F_GETFD) >= 0 && fcntl(WORKER_TCP_V6, F_GETFD) >= 0) {
		sockets->udp[1] = WORKER_UDP_V6;
		sockets->tcp[1] = WORKER_TCP_V6;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct proxy proxy = {.bundle = BUNDLE_INIT};
	struct listen_sockets sockets;
	const char *bundle_path = NULL;
	struct error error = {0};
	bool more = false;

	if (arguments_parse(argc, argv, &bundle_path, &proxy.start) || descriptors_take(&sockets)) {
		fprintf(stderr, "usage: terok-shield-proxy --bundle PATH --serial N --restarts N [--kept]\n(it is started by terok-shield-supervisor)\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 32 << 10); /* calloc() clears what comes from the heap, and so touches all of a table that may never fill */
	prctl(PR_SET_NAME, "terok-shield-px");
	if (isolate_limits(&error) || proxy_begin(&proxy, bundle_path, &sockets, &error) || isolate_worker(proxy.bundle.path, &proxy.landlocked, &error)) {
		dprintf(WORKER_PIPE, WORKER_ERROR "%s\n", error.text);
		return 1;
	}
	if (write(WORKER_PIPE, WORKER_READY, strlen(WORKER_READY)) < 0)
		return 1; /* whoever started this does not wait any more */
	while (!event_base_got_break(proxy.base)) {
		if (event_base_loop(proxy.base, more ? EVLOOP_NONBLOCK : EVLOOP_ONCE) < 0)
			break;
		more = proxy_turn_end(&proxy);
		if (!proxy_is_done(&proxy))
			continue;
		event_base_loop(proxy.base, EVLOOP_NONBLOCK); /* what has arrived meanwhile on connections that are there */
		proxy_turn_end(&proxy);
		if (proxy_is_done(&proxy))
			break;
	}
	proxy_end(&proxy);
	return 0;
}
