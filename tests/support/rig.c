/* A rig for tests and benchmarks: two network namespaces, a bundle, the real forwarder, a scripted upstream. */
#include "rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/file.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "fw/nft.h"
#include "fw/ruleset.h"
#include "state/forwarder.h"

static void __attribute__((noreturn, format(printf, 1, 2))) rig_die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("rig: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

const char *rig_missing(void)
{
	int status;
	pid_t child;

	if (geteuid() != 0)
		return "needs root";
	child = fork();
	if (!child)
		_exit(unshare(CLONE_NEWNET) != 0);
	waitpid(child, &status, 0);
	return status ? "needs the right to make network namespaces" : NULL;
}

int rig_skip(const char *missing)
{
	printf("SKIP: %s\n", missing);
	return getenv("SHIELD_NO_SKIP") ? 1 : 77;
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		rig_die("lo up: %s", strerror(errno));
}

/* ---- the scripted upstream ---- */

static void upstream_tcp_serve(struct rig *rig)
{
	static uint8_t query[65535], answer[65537];
	cleanup_fd int fd = accept4(rig->upstream_tcp, NULL, NULL, SOCK_CLOEXEC);
	uint8_t prefix[2];
	size_t length;

	if (fd < 0 || recv(fd, prefix, 2, MSG_WAITALL) != 2 || recv(fd, query, message_get16(prefix), MSG_WAITALL) <= 0)
		return;
	__atomic_add_fetch(&rig->queries, 1, __ATOMIC_SEQ_CST);
	length = rig->answer(rig->context, query, message_get16(prefix), true, answer + 2);
	message_put16(answer, (uint16_t)length);
	if (length && send(fd, answer, length + 2, MSG_NOSIGNAL) < 0)
		return;
}

static void *upstream_run(void *context)
{
	static uint8_t query[65535], answer[65535];
	struct rig *rig = context;

	for (;;) {
		struct pollfd watched[] = {{rig->upstream_udp, POLLIN, 0}, {rig->upstream_tcp, POLLIN, 0}, {rig->stop_fd, POLLIN, 0}};

		poll(watched, 3, -1);
		if (watched[2].revents)
			return NULL;
		if (watched[1].revents)
			upstream_tcp_serve(rig);
		if (watched[0].revents) {
			socklen_t from_length = sizeof(rig->asker);
			ssize_t length = recvfrom(rig->upstream_udp, query, sizeof(query), 0, (struct sockaddr *)&rig->asker, &from_length);
			size_t written;

			if (length <= 0)
				continue;
			__atomic_add_fetch(&rig->queries, 1, __ATOMIC_SEQ_CST);
			written = rig->answer(rig->context, query, (size_t)length, false, answer);
			if (written)
				sendto(rig->upstream_udp, answer, written, 0, (struct sockaddr *)&rig->asker, from_length);
		}
	}
}

static int upstream_socket(int type)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(RIG_UPSTREAM_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || (type == SOCK_STREAM && listen(fd, 16)))
		rig_die("upstream socket: %s", strerror(errno));
	return fd;
}

static int upstream_sockets(void *context, struct error *error)
{
	struct rig *rig = context;

	(void)error;
	rig->upstream_udp = upstream_socket(SOCK_DGRAM);
	rig->upstream_tcp = upstream_socket(SOCK_STREAM);
	return 0;
}

static void upstream_start(struct rig *rig)
{
	rig->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (pthread_create(&rig->thread, NULL, upstream_run, rig))
		rig_die("upstream thread");
}

static void upstream_stop(struct rig *rig)
{
	uint64_t one = 1;

	if (write(rig->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(rig->thread, NULL);
	close(rig->stop_fd);
	close(rig->upstream_udp);
	close(rig->upstream_tcp);
}


void rig_upstream_inside(struct rig *rig)
{
	upstream_stop(rig);
	netns_run(rig->inside_fd, upstream_sockets, rig, NULL);
	upstream_start(rig);
}

/* ---- folders ---- */

#define FOLDERS      "/run"
#define FOLDER_NAME  "shield-test."
#define STALE_AGE_S  60 /* a folder is not locked at the moment it is made */
#define OPEN_AT_ONCE 16

static int entry_remove(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)status, (void)flag, (void)walk;
	return remove(path);
}

void rig_folder_remove(const char *path)
{
	nftw(path, entry_remove, OPEN_AT_ONCE, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* True when no process holds the lock any more. A descriptor that a process has open keeps it, its children's too. */
static bool folder_is_stale(int folders_fd, const char *name)
{
	cleanup_fd int fd = openat(folders_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 && status.st_uid == geteuid() && time(NULL) - status.st_mtime > STALE_AGE_S &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void stale_folders_remove(void)
{
	cleanup_dir DIR *folders = opendir(FOLDERS);
	const struct dirent *entry;
	unsigned removed = 0;

	while (folders && removed < RIG_STALE_MAX && (entry = readdir(folders))) {
		char path[sizeof(FOLDERS) + 1 + sizeof(entry->d_name)];

		if (strncmp(entry->d_name, FOLDER_NAME, strlen(FOLDER_NAME)) || !folder_is_stale(dirfd(folders), entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", FOLDERS, entry->d_name);
		rig_folder_remove(path);
		removed++;
	}
}

void rig_folder_make(char path[RIG_FOLDER_MAX])
{
	int fd;

	stale_folders_remove();
	strcpy(path, FOLDERS "/" FOLDER_NAME "XXXXXX");
	if (!mkdtemp(path))
		rig_die("%s: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* open until the process ends */
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		rig_die("%s: %s", path, strerror(errno));
}

/* ---- the container ---- */

static void init_start(struct rig *rig)
{
	int ready[2];
	char octet;

	if (pipe2(ready, O_CLOEXEC))
		rig_die("pipe: %s", strerror(errno));
	rig->init = fork();
	if (!rig->init) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET))
			_exit(1);
		loopback_up();
		if (write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (rig->init < 0 || read(ready[0], &octet, 1) != 1)
		rig_die("the inside namespace could not be made");
	close(ready[0]);
	rig->init_pidfd = pidfd_open(rig->init, 0);
	rig->inside_fd = netns_open(rig->init, NULL);
	if (rig->init_pidfd < 0 || rig->inside_fd < 0)
		rig_die("opening the inside namespace");
}

static void bundle_make(struct rig *rig, const char *domains, const char *networks)
{
	struct error error = {0};

	rig_folder_make(rig->folder);
	if (bundle_create(&rig->bundle, rig->folder, &error) ||
		bundle_write(&rig->bundle, bundle_list_file(BUNDLE_PROFILE_DOMAINS), domains, strlen(domains), &error) ||
		bundle_write(&rig->bundle, bundle_list_file(BUNDLE_PROFILE_ALLOWED), networks, strlen(networks), &error))
		rig_die("bundle: %s", error.text);
}

static int rules_apply(void *context, struct error *error)
{
	return nft_apply(context, error);
}

static void ruleset_start(struct rig *rig)
{
	cleanup_policy struct policy *policy = NULL;
	cleanup_text struct text commands = {0};
	struct bundle_identity identity = {.container = "rig", .version = SHIELD_VERSION};
	struct settings settings;
	struct error error = {0};
	struct ruleset ruleset = {.state = SHIELD_UP, .settings = &rig->settings};

	if (bundle_settings_write(&rig->bundle, &identity, &rig->settings, &error) ||
		bundle_settings_read(&rig->bundle, &identity, &settings, &error) ||
		bundle_policy_load(&rig->bundle, &identity.sums, &policy, &error))
		rig_die("policy: %s", error.text);
	ruleset.allowed = policy_allowed_nets(policy);
	ruleset.denied = policy_denied_nets(policy);
	ruleset_render(&ruleset, &commands);
	if (netns_run(rig->inside_fd, rules_apply, commands.data, &error))
		rig_die("ruleset: %s", error.text);
}

void rig_start(struct rig *rig, const char *domains, const char *networks, rig_answer *answer, void *context)
{
	*rig = (struct rig){.answer = answer, .context = context, .proxy = -1, .bundle = BUNDLE_INIT};
	if (unshare(CLONE_NEWNET))
		rig_die("unshare: %s", strerror(errno));
	loopback_up();
	rig->outside_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	settings_init(&rig->settings);
	rig->settings.via = SETTINGS_VIA_HOST;
	rig->settings.budget_names = rig->settings.budget_octets = 0;
	if (addr_endpoint_parse(&rig->settings.upstreams[0].endpoint, "127.0.0.1:5300", strlen("127.0.0.1:5300"), 53))
		rig_die("endpoint");
	rig->settings.upstream_count = 1;
	init_start(rig);
	bundle_make(rig, domains, networks);
	ruleset_start(rig);
	if (!answer)
		return;
	upstream_sockets(rig, NULL);
	upstream_start(rig);
}

static void path_beside(char path[4096], const char *name)
{
	ssize_t length = readlink("/proc/self/exe", path, 4096 - 64);

	if (length < 0)
		rig_die("/proc/self/exe");
	path[length] = '\0';
	strcpy(strrchr(path, '/') + 1, name);
}

const char *rig_forwarder(struct rig *rig)
{
	static char line[1024];
	struct bundle_identity identity = {.container = "rig", .version = SHIELD_VERSION};
	struct error error = {0};
	char supervisor[4096], worker[4096];
	int ready[2];
	ssize_t length;

	if (bundle_settings_write(&rig->bundle, &identity, &rig->settings, &error))
		rig_die("settings: %s", error.text);
	if (pipe2(ready, O_CLOEXEC))
		rig_die("pipe");
	path_beside(supervisor, "terok-shield-supervisor");
	path_beside(worker, settings_use_tls(&rig->settings) ? "terok-shield-proxy-tls" : "terok-shield-proxy");
	if (rig->worker)
		snprintf(worker, sizeof(worker), "%s", rig->worker);
	rig->proxy = fork();
	if (!rig->proxy) {
		int from[] = {rig->inside_fd, rig->init_pidfd, ready[1], rig->bundle.fd};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (descriptor_arrange(from, FORWARDER_DESCRIPTORS_END - FORWARDER_NETNS, FORWARDER_NETNS))
			_exit(126);
		execl(supervisor, "terok-shield-supervisor", "--worker", worker, "--bundle", rig->folder, "--container", "rig", "--via", settings_via_name(rig->settings.via),
		      "--id", RIG_ID, "--hub", rig->settings.hub, "--meta", rig->meta ? rig->meta : "", rig->settings.audit ? "--audit" : NULL, NULL);
		_exit(127);
	}
	close(ready[1]);
	length = read(ready[0], line, sizeof(line) - 1);
	close(ready[0]);
	line[length > 0 ? length : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return line;
}

void rig_stop(struct rig *rig)
{
	kill(rig->init, SIGKILL); /* the forwarder ends with it */
	waitpid(rig->init, NULL, 0);
	if (rig->proxy > 0)
		waitpid(rig->proxy, NULL, 0);
	if (rig->answer)
		upstream_stop(rig);
	close(rig->init_pidfd);
	close(rig->inside_fd);
	close(rig->outside_fd);
	bundle_close(&rig->bundle);
	rig_folder_remove(rig->folder);
}

pid_t rig_worker(const struct rig *rig)
{
	char path[64];
	cleanup_stream FILE *stream = NULL;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)rig->proxy, (int)rig->proxy);
	stream = fopen(path, "re");
	return stream && fscanf(stream, "%d", &pid) == 1 ? pid : 0;
}

#define CONNECT_PATIENCE_S 2 /* with a listener that has no room */

struct socket_wish {
	const char *address;
	uint16_t port;
	int type, fd;
};

static int socket_open(void *context, struct error *error)
{
	struct socket_wish *wish = context;
	bool v6 = strchr(wish->address, ':');
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(wish->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(wish->port)};
	const struct timeval patience = {.tv_sec = CONNECT_PATIENCE_S};

	(void)error;
	inet_pton(AF_INET, wish->address, &in.sin_addr);
	inet_pton(AF_INET6, wish->address, &in6.sin6_addr);
	wish->fd = socket(v6 ? AF_INET6 : AF_INET, wish->type | SOCK_CLOEXEC, 0);
	setsockopt(wish->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(wish->fd, v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in, v6 ? sizeof(in6) : sizeof(in))) {
		int result = -errno;

		close(wish->fd);
		return result;
	}
	return 0;
}

int rig_socket(struct rig *rig, const char *address, uint16_t port, int type)
{
	struct socket_wish wish = {.address = address, .port = port, .type = type};
	int result = netns_run(rig->inside_fd, socket_open, &wish, NULL);

	return result ? result : wish.fd;
}

char *rig_shell(struct rig *rig, const char *format, ...)
{
	cleanup_free char *command = NULL, *full = NULL;
	char *output = NULL;
	va_list arguments;
	FILE *stream;

	va_start(arguments, format);
	if (vasprintf(&command, format, arguments) < 0)
		rig_die("memory");
	va_end(arguments);
	if (asprintf(&full, "nsenter --net=/proc/%d/ns/net sh -c '%s'", rig->init, command) < 0)
		rig_die("memory");
	stream = popen(full, "r");
	if (!stream || file_read_fd(fileno(stream), 64u << 20, &output, NULL))
		rig_die("%s", full);
	pclose(stream);
	return output;
}

/* ---- messages ---- */

size_t rig_name(uint8_t *out, const char *text)
{
	struct name name;

	if (name_from_text(&name, text, strlen(text)))
		rig_die("bad name %s", text);
	memcpy(out, name.wire, name.length);
	return name.length;
}

size_t rig_query(uint8_t *out, uint16_t id, const char *name, uint16_t type, bool edns)
{
	static const uint8_t opt[] = {0, 0, TYPE_OPT, 0x04, 0xd0, 0, 0, 0, 0, 0, 0};
	size_t length = MESSAGE_HEADER;

	memset(out, 0, MESSAGE_HEADER);
	message_put16(out, id);
	message_put16(out + 2, MESSAGE_RD);
	out[5] = 1;
	length += rig_name(out + length, name);
	message_put16(out + length, type);
	message_put16(out + length + 2, MESSAGE_CLASS_IN);
	length += 4;
	if (edns) {
		out[11] = 1;
		memcpy(out + length, opt, sizeof(opt));
		length += sizeof(opt);
	}
	return length;
}

size_t rig_ask(struct rig *rig, const char *name, uint16_t type, unsigned timeout_ms, uint8_t *reply)
{
	cleanup_fd int fd = rig_socket(rig, "127.0.0.1", 53, SOCK_DGRAM);
	struct pollfd watched = {fd, POLLIN, 0};
	uint8_t query[512];
	size_t length = rig_query(query, 0x4711, name, type, true);
	ssize_t received;

	if (fd < 0 || send(fd, query, length, 0) != (ssize_t)length || poll(&watched, 1, (int)timeout_ms) != 1)
		return 0;
	received = recv(fd, reply, MESSAGE_MAX, 0);
	return received > 0 ? (size_t)received : 0;
}

size_t rig_reply(uint8_t *out, const uint8_t *query, size_t length, unsigned rcode)
{
	size_t end = message_name_skip(query, length, MESSAGE_HEADER) + 4;

	memcpy(out, query, end);
	message_put16(out + 2, (uint16_t)(MESSAGE_QR | MESSAGE_RD | MESSAGE_RA | rcode));
	memset(out + 6, 0, 6);
	return end;
}

size_t rig_record(uint8_t *out, size_t length, unsigned section, const char *owner, uint16_t type, uint32_t ttl_s, const void *data, size_t data_length)
{
	uint8_t *count = out + 6 + 2 * section;

	message_put16(count, (uint16_t)(message_get16(count) + 1));
	if (owner) {
		length += rig_name(out + length, owner);
	} else {
		message_put16(out + length, 0xc000 | MESSAGE_HEADER);
		length += 2;
	}
	message_put16(out + length, type);
	message_put16(out + length + 2, MESSAGE_CLASS_IN);
	message_put32(out + length + 4, ttl_s);
	message_put16(out + length + 8, (uint16_t)data_length);
	memcpy(out + length + 10, data, data_length);
	return length + 10 + data_length;
}
