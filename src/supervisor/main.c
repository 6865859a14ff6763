/* terok-shield-supervisor: keeps the forwarder of one container alive. Started by the hook:
 *
 *	terok-shield-supervisor --worker PATH --bundle PATH --container NAME --via host|container [--audit] [--id ID12] [--hub PATH] [--meta PATH]
 *
 * with the descriptors of state/forwarder.h. It opens everything that belongs to the container's namespace, gives up all privileges
 * but CAP_NET_ADMIN, and starts the worker, terok-shield-proxy, with what it has opened: so a worker can be started again without any
 * further right. It needs no library but libc, which it has in itself, reads nothing that the workload or the network sends, and is to
 * stay small: it has to outlive what does.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "policy/settings.h"
#include "state/bundle.h"
#include "state/forwarder.h"
#include "supervisor/isolate.h"
#include "supervisor/sockets.h"
#include "supervisor/supervise.h"

struct arguments {
	const char *worker, *bundle, *container;
	enum settings_via via;
	bool audit;
	const char *id, *hub, *meta;
};

static int arguments_parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"worker", required_argument, NULL, 'w'},
		{"bundle", required_argument, NULL, 'b'},
		{"container", required_argument, NULL, 'c'},
		{"via", required_argument, NULL, 'v'},
		{"audit", no_argument, NULL, 'a'},
		{"id", required_argument, NULL, 'i'},
		{"hub", required_argument, NULL, 'h'},
		{"meta", required_argument, NULL, 'm'},
		{0},
	};
	int option;

	*arguments = (struct arguments){.via = SETTINGS_VIA_AUTO, .id = "", .hub = "", .meta = ""};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'w':
			arguments->worker = optarg;
			break;
		case 'b':
			arguments->bundle = optarg;
			break;
		case 'c':
			arguments->container = optarg;
			break;
		case 'v':
			if (settings_via_parse(&arguments->via, optarg))
				return -EINVAL;
			break;
		case 'a':
			arguments->audit = true;
			break;
		case 'i':
			arguments->id = optarg;
			break;
		case 'h':
			arguments->hub = optarg;
			break;
		case 'm':
			arguments->meta = optarg;
			break;
		default: /* getopt's values, not ours */
			return -EINVAL;
		}
	}
	if (optind != argc || !arguments->worker || !arguments->bundle || !arguments->container || arguments->via == SETTINGS_VIA_AUTO)
		return -EINVAL;
	for (int fd = FORWARDER_NETNS; fd < FORWARDER_DESCRIPTORS_END; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC))
			return -errno;
	return 0;
}

/* Readable when SIGTERM or SIGINT comes. */
static int end_open(struct error *error)
{
	sigset_t ends;
	int fd;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	fd = signalfd(-1, &ends, SFD_CLOEXEC);
	return fd < 0 ? error_errno(error, errno, "waiting for signals") : fd;
}

/* Everything that needs a right which is not kept. */
static int supervision_prepare(struct supervision *supervision, const struct arguments *arguments, struct bundle *bundle,
	struct sockets *sockets, struct error *error)
{
	static const char id_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.";
	const struct rlimit no_core = {0, 0};
	int result;

	if (!bundle_name_is_safe(arguments->container))
		return error_set(error, EINVAL, "the container's name has octets that no name has");
	if (arguments->id[strspn(arguments->id, id_characters)] || strlen(arguments->id) >= HUB_ID_MAX)
		return error_set(error, EINVAL, "the container's short id is none");
	if (setrlimit(RLIMIT_CORE, &no_core))
		return error_errno(error, errno, "forbidding core dumps");
	if (snprintf(bundle->path, sizeof(bundle->path), "%s", arguments->bundle) >= (int)sizeof(bundle->path))
		return error_set(error, ENAMETOOLONG, "the path of the state folder is too long");
	bundle->fd = FORWARDER_BUNDLE;
	supervision->program_fd = open(arguments->worker, O_PATH | O_CLOEXEC);
	if (supervision->program_fd < 0)
		return error_errno(error, errno, "terok-shield-proxy");
	result = sockets_open(sockets, bundle, FORWARDER_NETNS, arguments->via == SETTINGS_VIA_CONTAINER, error);
	if (result)
		return result;
	close(FORWARDER_NETNS); /* nobody goes there any more */
	result = herald_open(supervision->herald, sockets);
	if (result)
		return error_errno(error, -result, "making a socket for the worker");
	supervision->end_fd = end_open(error);
	return supervision->end_fd < 0 ? supervision->end_fd : isolate_supervisor(bundle->path, error);
}

int main(int argc, char **argv)
{
	static struct bundle bundle = BUNDLE_INIT;
	static struct sockets sockets;
	struct arguments arguments;
	struct error error = {0};

	if (arguments_parse(argc, argv, &arguments)) {
		fprintf(stderr,
			"usage: terok-shield-supervisor --worker PATH --bundle PATH --container NAME --via host|container [--audit]\n"
			"       [--id ID12] [--hub PATH] [--meta PATH]\n"
			"(it is started by terok-shield-hook)\n");
		return 2;
	}
	struct herald herald = {
		.hub = {.path = arguments.hub, .fd = -1},
		.container = arguments.container,
		.id = arguments.id,
		.meta = arguments.meta,
		.fd = -1,
	};
	struct supervision supervision = {
		.program = arguments.worker,
		.container = arguments.container,
		.audit = arguments.audit,
		.bundle = &bundle,
		.sockets = &sockets,
		.herald = &herald,
		.init_fd = FORWARDER_INIT,
		.ready_fd = FORWARDER_READY,
	};
	signal(SIGPIPE, SIG_IGN);
	if (supervision_prepare(&supervision, &arguments, &bundle, &sockets, &error)) {
		dprintf(FORWARDER_READY, "error: %s\n", error.text);
		return 1;
	}
	return supervise(&supervision);
}
