/* Containers that attack, and a judge outside. */
#include "support/arena.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "dns/message.h"
#include "fw/netns.h"

#define ALLOWED_V4   "198.51.100.10"
#define ALLOWED_V6   "2001:db8:1::10"
#define DENIED_V4    "198.51.100.66" /* within a network that the profile allows */
#define CUT_SHORT_V4 "203.0.113.4"   /* what is left of 203.0.113.44, which is allowed, when a list ends too early */
#define PORT         8080
#define NETWORK_MS   10000 /* for a new network to carry something */
#define ID           "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NOBODY       65534
#define CONFIG       "{\"process\":{\"capabilities\":{}},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"}]}}"

static void __attribute__((noreturn)) arena_die(const char *what)
{
	fprintf(stderr, "arena: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void shell(const char *command)
{
	if (system(command))
		arena_die(command);
}

/* ---- the outside ---- */

/* All that is asked is under test; a container can ask for anything, and what is not allowed must not get here. */
static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t allowed[] = "\7allowed\4test", v4[] = {198, 51, 100, 10},
			     v6[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10};
	struct arena *arena = context;
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);
	uint16_t type = message_get16(out + at - 4);

	(void)tcp;
	if (length < MESSAGE_HEADER + sizeof(allowed) || memcmp(query + MESSAGE_HEADER, allowed, sizeof(allowed)) != 0)
		__atomic_add_fetch(&arena->wrongly_asked, 1, __ATOMIC_SEQ_CST);
	if (type == TYPE_A)
		return rig_record(out, at, 0, NULL, TYPE_A, 60, v4, sizeof(v4));
	return type == TYPE_AAAA ? rig_record(out, at, 0, NULL, TYPE_AAAA, 60, v6, sizeof(v6)) : at;
}

static const char judge[] =
	"ip route add local 198.51.100.0/24 dev lo && ip route add local 203.0.113.0/24 dev lo && "
	"ip -6 route add local 2001:db8:1::/64 dev lo && nft -f - <<'END'\n"
	"table inet judge {\n"
	"	counter left { }\n"
	"	chain outside {\n"
	"		type filter hook prerouting priority -400;\n"
	"		iifname != \"arena*\" accept\n"
	"		ip6 daddr ff02::/16 icmpv6 type { 133, 135, 136, 143 } accept\n" /* what IPv6 says to its link before anything runs */
	"		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n"
	"		ip daddr { " ALLOWED_V4 ", 203.0.113.44 } accept\n"
	"		ip6 daddr " ALLOWED_V6 " accept\n"
	"		counter name left drop\n"
	"	}\n"
	"}\n"
	"END";

static int port_open(int type)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || (type == SOCK_STREAM && listen(fd, 64)))
		arena_die("listening");
	return fd;
}

/* The programs, where a test can take them away, and the container's OCI bundle. */
static void folder_make(struct arena *arena)
{
	cleanup_text struct text command = {0};

	strcpy(arena->folder, "/tmp/shield-arena.XXXXXX");
	if (!mkdtemp(arena->folder))
		arena_die("a folder");
	text_addf(&command,
		"own=$(dirname $(readlink /proc/%d/exe)); cd %s && mkdir programs oci && "
		"cp $own/terok-shield-hook $own/terok-shield-supervisor $own/terok-shield-proxy programs && printf %%s '" CONFIG
		"' >oci/config.json",
		(int)getpid(), arena->folder);
	shell(command.data);
}

void arena_bundle_fill(struct arena *arena)
{
	static const struct {
		const char *name, *content;
	} lists[] = {
		{"profile.allowed", "198.51.100.64/26\n"},
		{"profile.domains", "allowed.test\n"},
		{"live.allowed", "203.0.113.44\n"},
		{"live.domains", "more.test\n"},
		{"deny.list", DENIED_V4 "\n"},
		{"denied.domains", "bad.allowed.test\n"},
		{BUNDLE_STATE, "up\n"},
	};
	struct bundle_identity identity = {.container = "rig", .version = SHIELD_VERSION};
	struct error error = {0};

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		unlinkat(arena->rig.bundle.fd, lists[i].name, 0);
		if (bundle_write(&arena->rig.bundle, lists[i].name, lists[i].content, strlen(lists[i].content), &error))
			arena_die(error.text);
	}
	unlinkat(arena->rig.bundle.fd, BUNDLE_SETTINGS, 0);
	if (bundle_settings_write(&arena->rig.bundle, &identity, &arena->rig.settings, &error))
		arena_die(error.text);
}

void arena_make(struct arena *arena)
{
	*arena = (struct arena){.go_fd = -1};
	arena->count = mmap(NULL, sizeof(*arena->count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (arena->count == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		arena_die("arena");
	rig_start(&arena->rig, "allowed.test\n", "", upstream, arena);
	arena->outer = arena->rig;
	arena->rig.settings.audit = true;
	shell(judge);
	arena->listener = port_open(SOCK_STREAM);
	arena->probe_fd = port_open(SOCK_DGRAM);
	folder_make(arena);
	arena_bundle_fill(arena);
}

void arena_free(struct arena *arena)
{
	char command[128];

	close(arena->listener);
	close(arena->probe_fd);
	arena->rig.init = arena->outer.init;
	arena->rig.inside_fd = arena->outer.inside_fd;
	arena->rig.init_pidfd = arena->outer.init_pidfd;
	rig_stop(&arena->rig);
	snprintf(command, sizeof(command), "rm -rf %s", arena->folder);
	shell(command);
}

/* ---- the container ---- */

/* Where the workload tries to get to; a query is sent to port 53. */
static const struct target {
	const char *address;
	uint16_t port;
	bool tcp;
	const char *name; /* the query's */
	bool only_denied; /* were it not for a deny list it were allowed */
} targets[] = {
	{"203.0.113.20", 9999, false, NULL, false},
	{"203.0.113.20", PORT, true, NULL, false},
	{CUT_SHORT_V4, 9999, false, NULL, false},
	{DENIED_V4, 9999, false, NULL, true},
	{"10.99.0.1", 9999, false, NULL, false},
	{"203.0.113.53", 853, true, NULL, false},
	{"203.0.113.53", 53, false, "leak.other.test", false},
	{"203.0.113.53", 53, false, "bad.allowed.test", true},
	{"2001:db8:1::20", 9999, false, NULL, false},
	{"2001:db8:1::20", PORT, true, NULL, false},
	{"2001:db8:1::53", 53, false, "leak6.other.test", false},
};

static void target_try(const struct target *target)
{
	bool v6 = strchr(target->address, ':');
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(target->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(target->port)};
	const struct sockaddr *to = v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;
	cleanup_fd int fd = socket(v6 ? AF_INET6 : AF_INET, (target->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	uint8_t packet[512] = "get out";
	size_t length = target->name ? rig_query(packet, 1, target->name, TYPE_A, false) : 8;

	inet_pton(AF_INET, target->address, &in.sin_addr);
	inet_pton(AF_INET6, target->address, &in6.sin6_addr);
	if (connect(fd, to, v6 ? sizeof(in6) : sizeof(in)) || target->tcp)
		return;
	(void)!send(fd, packet, length, MSG_NOSIGNAL);
}

static _Noreturn void workload(struct arena_count *count)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* which a change of user undoes */
	for (;; nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL))
		for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
			if (!targets[i].only_denied || !count->spares_denied) {
				target_try(&targets[i]);
				__atomic_add_fetch(&count->tried, 1, __ATOMIC_SEQ_CST);
			}
}

static _Noreturn void container_be(struct arena *arena, int ready_fd, int go_fd)
{
	char octet;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) || system("ip link set lo up") || write(ready_fd, "r", 1) != 1 || read(go_fd, &octet, 1) != 1)
		_exit(1);
	workload(arena->count);
}

static void network_make(struct arena *arena)
{
	char command[1024];

	snprintf(command, sizeof(command),
		"ip -batch - <<'END'\n"
		"link add arena%u type veth peer name eth0 netns %d\n"
		"addr add 10.99.0.1/24 dev arena%u\n"
		"addr add fd99::1/64 dev arena%u nodad\n"
		"link set arena%u up\n"
		"END\n"
		"nsenter --net=/proc/%d/ns/net ip -batch - <<'END'\n"
		"addr add 10.99.0.2/24 dev eth0\n"
		"addr add fd99::2/64 dev eth0 nodad\n"
		"link set eth0 up\n"
		"route add default via 10.99.0.1\n"
		"route add default via fd99::1\n"
		"END\n",
		arena->number, (int)arena->rig.init, arena->number, arena->number, arena->number, (int)arena->rig.init);
	shell(command);
}

/* A link that is up carries nothing until the kernel's worker has got round to it, which takes long where other namespaces come and go; what is
 * sent meanwhile is lost, and the judge would see none of it. */
static void network_wait(struct arena *arena, const char *address)
{
	cleanup_fd int fd = rig_socket(&arena->rig, address, PORT, SOCK_DGRAM);
	uint8_t probe[8] = {0}, came[sizeof(probe)]; /* the container and the address: a late one is of another */
	int64_t begun_ms = clock_now_ms();
	bool carries = false;

	snprintf((char *)probe, sizeof(probe), "%u%s", arena->number % 100000, strchr(address, ':') ? "v6" : "v4");
	while (!carries && clock_now_ms() - begun_ms < NETWORK_MS) {
		(void)!send(fd, probe, sizeof(probe), MSG_NOSIGNAL); /* again and again: whether it came is what counts */
		poll(&(struct pollfd){.fd = arena->probe_fd, .events = POLLIN}, 1, 1);
		while (recv(arena->probe_fd, came, sizeof(came), 0) == sizeof(came))
			carries |= !memcmp(came, probe, sizeof(probe));
	}
	if (!carries)
		arena_die("the container's network carries nothing");
}

void arena_container_make(struct arena *arena)
{
	int ready[2], go[2];
	char octet;

	arena->number++;
	arena->count->tried = 0;
	if (pipe2(ready, O_CLOEXEC) || pipe2(go, O_CLOEXEC))
		arena_die("pipe");
	arena->rig.init = fork();
	if (!arena->rig.init)
		container_be(arena, ready[1], go[0]);
	close(ready[1]);
	close(go[0]);
	if (arena->rig.init < 0 || read(ready[0], &octet, 1) != 1)
		arena_die("a container");
	close(ready[0]);
	arena->go_fd = go[1];
	arena->rig.init_pidfd = pidfd_open(arena->rig.init, 0);
	arena->rig.inside_fd = netns_open(arena->rig.init, NULL);
	network_make(arena);
	network_wait(arena, ALLOWED_V4);
	network_wait(arena, ALLOWED_V6);
}

void arena_container_go(struct arena *arena)
{
	if (write(arena->go_fd, "g", 1) != 1)
		arena_die("letting the container go");
	close(take_fd(arena->go_fd));
}

void arena_round_wait(struct arena *arena)
{
	unsigned before = arena->count->tried;

	for (unsigned i = 0; i < 1000 && arena->count->tried - before < 2 * sizeof(targets) / sizeof(*targets); i++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void arena_container_end(struct arena *arena)
{
	char command[64];

	kill(arena->rig.init, SIGKILL);
	waitpid(arena->rig.init, NULL, 0);
	if (arena->go_fd >= 0)
		close(take_fd(arena->go_fd));
	close(arena->rig.inside_fd);
	close(arena->rig.init_pidfd);
	snprintf(command, sizeof(command), "ip link del arena%u 2>/dev/null",
		arena->number); /* with the namespace it would go only some time later */
	(void)!system(command); /* which may be now */
}

/* ---- the hook ---- */

struct hook_call {
	const struct arena *arena;
	const char *stage;
	int in_fd, out_fd;
};

static void hook_become(void *context)
{
	const struct hook_call *call = context;
	const struct rlimit descriptors = {call->arena->descriptors, call->arena->descriptors};
	const struct rlimit memory = {(rlim_t)call->arena->memory_mb << 20, (rlim_t)call->arena->memory_mb << 20};
	char program[ARENA_FOLDER_MAX + 32];

	snprintf(program, sizeof(program), "%s/programs/terok-shield-hook", call->arena->folder);
	if (dup2(call->in_fd, STDIN_FILENO) < 0 || dup2(call->out_fd, STDOUT_FILENO) < 0 || dup2(call->out_fd, STDERR_FILENO) < 0)
		return;
	if ((descriptors.rlim_cur && setrlimit(RLIMIT_NOFILE, &descriptors)) || (memory.rlim_cur && setrlimit(RLIMIT_AS, &memory)))
		return;
	/* a sanitizer's search for leaks attaches to its own process, which is traced already */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	execl(program, "terok-shield-hook", call->stage, NULL);
}

static int state_fd(const struct arena *arena)
{
	cleanup_text struct text state = {0};
	int ends[2];

	text_addf(&state,
		"{\"ociVersion\":\"1.0\",\"id\":\"" ID "\",\"pid\":%d,\"bundle\":\"%s/oci\",\"status\":\"created\",\"annotations\":{"
		"\"terok.shield.profiles\":\"a\",\"terok.shield.name\":\"rig\",\"terok.shield.state_dir\":\"%s\",\"terok.shield.version\":\"" SHIELD_VERSION
		"\"}}",
		(int)arena->rig.init, arena->folder, arena->rig.folder);
	if (pipe2(ends, O_CLOEXEC) || file_write_all(ends[1], state.data, state.length))
		arena_die("the container's state");
	close(ends[1]);
	return ends[0];
}

int arena_hook(struct arena *arena, const char *stage, struct inject *inject)
{
	cleanup_fd int in_fd = state_fd(arena);
	struct hook_call call = {arena, stage, in_fd, -1};
	int output[2], status;
	ssize_t length;
	pid_t hook;

	if (pipe2(output, O_CLOEXEC | O_NONBLOCK))
		arena_die("pipe");
	call.out_fd = output[1];
	if (inject) {
		inject_start(inject, hook_become, &call);
		status = inject_wait(inject);
	} else {
		hook = fork();
		if (hook == 0) {
			hook_become(&call);
			_exit(126);
		}
		if (waitpid(hook, &status, 0) != hook)
			arena_die("the hook");
	}
	close(output[1]);
	length = read(output[0], arena->said, sizeof(arena->said) - 1);
	close(output[0]);
	arena->said[length > 0 ? length : 0] = '\0';
	arena->said[strcspn(arena->said, "\n")] = '\0';
	return status;
}

/* ---- what came of it ---- */

static bool answers(struct arena *arena, const char *name, uint16_t type, const char *address)
{
	static uint8_t reply[MESSAGE_MAX];
	int accepted, fd;

	if (!rig_ask(&arena->rig, name, type, 500, reply) || (message_get16(reply + 2) & MESSAGE_RCODE) != RCODE_NOERROR ||
		!message_get16(reply + 6))
		return false;
	fd = rig_socket(&arena->rig, address, PORT, SOCK_STREAM);
	if (fd < 0)
		return false;
	close(fd);
	while ((accepted = accept4(arena->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(accepted);
	return true;
}

int arena_allowed(struct arena *arena, unsigned timeout_ms)
{
	int64_t begun_ms = clock_now_ms();

	do {
		if (answers(arena, "allowed.test", TYPE_A, ALLOWED_V4) && answers(arena, "allowed.test", TYPE_AAAA, ALLOWED_V6))
			return (int)(clock_now_ms() - begun_ms);
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	} while (clock_now_ms() - begun_ms < timeout_ms);
	return -1;
}

unsigned arena_left(struct arena *arena)
{
	cleanup_stream FILE *listing = NULL;
	unsigned packets = 0;
	char line[256];
	bool found = false;

	listing = popen("nft list counter inet judge left", "re");
	while (listing && fgets(line, sizeof(line), listing))
		found = sscanf(line, " packets %u", &packets) == 1 || found;
	if (!listing || !found)
		arena_die("the judge's counter");
	pclose(take_pointer(listing));
	return packets + __atomic_load_n(&arena->wrongly_asked, __ATOMIC_SEQ_CST);
}

/* Whether some child of this process was one of the programs. */
static bool one_is_left(void)
{
	static const char prefix[] = "terok-shield-";
	cleanup_stream FILE *children = NULL;
	char path[64];
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	children = fopen(path, "re");
	if (!children)
		arena_die(path);
	while (fscanf(children, "%d", &pid) == 1) {
		cleanup_free char *name = NULL;

		if (waitpid(pid, NULL, WNOHANG) == pid)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		if (file_read(AT_FDCWD, path, 64, &name, NULL))
			continue;
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			return true;
	}
	return false;
}

bool arena_is_empty(struct arena *arena, unsigned timeout_ms)
{
	int64_t begun_ms = clock_now_ms();

	(void)arena;
	while (one_is_left()) {
		if (clock_now_ms() - begun_ms > timeout_ms)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return true;
}

pid_t arena_supervisor(struct arena *arena)
{
	struct bundle_runtime runtime;

	return bundle_runtime_read(&arena->rig.bundle, &runtime, NULL) ? 0 : runtime.proxy_pid;
}
