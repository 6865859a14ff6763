/* Starting, stopping and weighing what is measured. */
#include "candidate.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fw/netns.h"
#include "load.h"

#define READY_MS 8000
#define STOP_MS  3000
#define TREE_MAX 64

const struct candidate candidates[CANDIDATE_COUNT] = {
	[CANDIDATE_SHIELD] = {.name = "shield", .title = "terok-shield", .writes_sets = true},
	[CANDIDATE_FLOOR] = {.name = "floor", .title = "floor", .writes_sets = true, .bare = true},
	[CANDIDATE_RELAY] = {.name = "relay", .title = "floor, no set write", .bare = true},
	[CANDIDATE_DNSMASQ] = {.name = "dnsmasq",
		.title = "dnsmasq, our hash set",
		.program = "dnsmasq",
		.package = "dnsmasq-base",
		.configuration = "dnsmasq.conf",
		.writes_sets = true,
		.forks = true},
	[CANDIDATE_DNSMASQ_INTERVAL] = {.name = "dnsmasq_interval",
		.title = "dnsmasq, interval set",
		.program = "dnsmasq",
		.package = "dnsmasq-base",
		.configuration = "dnsmasq.conf",
		.writes_sets = true,
		.interval = true},
	[CANDIDATE_SMARTDNS] = {.name = "smartdns",
		.title = "SmartDNS",
		.program = "smartdns",
		.package = "smartdns",
		.configuration = "smartdns.conf",
		.writes_sets = true},
	[CANDIDATE_UNBOUND] = {.name = "unbound",
		.title = "unbound (no set)",
		.program = "unbound",
		.package = "unbound",
		.configuration = "unbound.conf"},
};

static const char *program_path(const char *program)
{
	static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"};
	static char path[256];

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], program);
		if (!access(path, X_OK))
			return path;
	}
	return NULL;
}

bool candidate_find(enum candidate_id id)
{
	const struct candidate *candidate = &candidates[id];

	if (!candidate->program || program_path(candidate->program))
		return true;
	fprintf(stderr, "\n*** %s is LEFT OUT: there is no program `%s` here (apt-get install %s) ***\n\n", candidate->title,
		candidate->program, candidate->package);
	return false;
}

static void __attribute__((noreturn)) peer_run(const struct rig *rig, enum candidate_id id)
{
	const char *path = program_path(candidates[id].program);
	char configuration[512], with_equals[600];
	int null = open("/dev/null", O_RDWR);

	if (netns_enter(rig->inside_fd, NULL))
		_exit(1);
	snprintf(configuration, sizeof(configuration), "%s/peers/%s", BENCH_FOLDER, candidates[id].configuration);
	snprintf(with_equals, sizeof(with_equals), "--conf-file=%s", configuration);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	switch (id) {
	case CANDIDATE_DNSMASQ:
	case CANDIDATE_DNSMASQ_INTERVAL:
		execl(path, path, "--keep-in-foreground", with_equals, NULL);
		break;
	case CANDIDATE_SMARTDNS:
		execl(path, path, "-f", "-c", configuration, "-p", "-", NULL);
		break;
	case CANDIDATE_UNBOUND:
		execl(path, path, "-d", "-c", configuration, NULL);
		break;
	case CANDIDATE_SHIELD:
	case CANDIDATE_FLOOR:
	case CANDIDATE_RELAY:
	case CANDIDATE_COUNT:
		break; /* no peers */
	}
	_exit(127);
}

static void __attribute__((noreturn)) floor_run(const struct rig *rig, bool write_set)
{
	char path[4096], netns_text[16], port_text[16];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);

	if (length < 0)
		_exit(1);
	path[length] = '\0';
	strcpy(strrchr(path, '/') + 1, "shield-bench-floor");
	snprintf(netns_text, sizeof(netns_text), "%d", fcntl(rig->inside_fd, F_DUPFD, 10));
	snprintf(port_text, sizeof(port_text), "%d", BENCH_UPSTREAM_PORT);
	execl(path, path, netns_text, port_text, write_set ? "1" : "0", NULL);
	_exit(127);
}

pid_t candidate_start(struct rig *rig, enum candidate_id id)
{
	const char *line;
	pid_t pid;

	if (id == CANDIDATE_SHIELD) {
		line = rig_forwarder(rig);
		if (strcmp(line, "ready"))
			bench_die("the forwarder does not start: %s", line);
		pid = rig->proxy;
	} else {
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (candidates[id].bare)
				floor_run(rig, candidates[id].writes_sets);
			peer_run(rig, id);
		}
	}
	if (load_probe(rig->inside_fd, READY_MS))
		return pid;
	candidate_stop(rig, pid);
	fprintf(stderr, "\n*** %s did not answer within %d ms after its start ***\n\n", candidates[id].title, READY_MS);
	return -1;
}

void candidate_stop(struct rig *rig, pid_t pid)
{
	uint64_t end_ns = bench_now_ns() + STOP_MS * 1000000ull;

	kill(pid, SIGTERM);
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		if (bench_now_ns() > end_ns)
			kill(pid, SIGKILL);
		usleep(1000);
	}
	if (pid == rig->proxy)
		rig->proxy = -1;
}

/* The process and its descendants; dnsmasq forks one for each TCP connection. Returns how many. */
static unsigned tree_list(pid_t pid, pid_t tree[TREE_MAX])
{
	unsigned count = 1;

	tree[0] = pid;
	for (unsigned i = 0; i < count; i++) {
		char path[64];
		cleanup_stream FILE *stream = NULL;
		int child;

		snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)tree[i], (int)tree[i]);
		stream = fopen(path, "re");
		while (stream && count < TREE_MAX && fscanf(stream, "%d", &child) == 1)
			tree[count++] = child;
	}
	return count;
}

static void smaps_add(pid_t pid, double *rss_kib, double *pss_kib)
{
	char path[64], line[256];
	cleanup_stream FILE *stream = NULL;
	unsigned long value;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	stream = fopen(path, "re");
	while (stream && fgets(line, sizeof(line), stream)) {
		if (sscanf(line, "Rss: %lu", &value) == 1)
			*rss_kib += (double)value;
		else if (sscanf(line, "Pss: %lu", &value) == 1)
			*pss_kib += (double)value;
	}
}

void candidate_memory(pid_t pid, double *rss_kib, double *pss_kib)
{
	pid_t tree[TREE_MAX];
	unsigned count = tree_list(pid, tree);

	*rss_kib = *pss_kib = 0;
	for (unsigned i = 0; i < count; i++)
		smaps_add(tree[i], rss_kib, pss_kib);
}

/* Calls visit for each thread of a process. */
static void threads_each(pid_t pid, void (*visit)(pid_t pid, pid_t thread, void *context), void *context)
{
	char path[64];
	cleanup_dir DIR *folder = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	folder = opendir(path);
	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			visit(pid, atoi(entry->d_name), context);
}

static void thread_cpu_add(pid_t pid, pid_t thread, void *context)
{
	char path[96];
	cleanup_stream FILE *stream = NULL;
	unsigned long long used_ns;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", (int)pid, (int)thread);
	stream = fopen(path, "re");
	if (stream && fscanf(stream, "%llu", &used_ns) == 1)
		*(uint64_t *)context += used_ns;
}

/* One processor: the last that this process may use. */
static void thread_bind(pid_t pid, pid_t thread, void *context)
{
	static cpu_set_t all;
	cpu_set_t wanted;

	(void)pid;
	if (!CPU_COUNT(&all))
		sched_getaffinity(getpid(), sizeof(all), &all);
	wanted = all;
	for (int i = 0; *(bool *)context && CPU_COUNT(&wanted) > 1; i++)
		CPU_CLR(i, &wanted);
	sched_setaffinity(thread, sizeof(wanted), &wanted);
}

void candidate_bind_self(bool one)
{
	thread_bind(getpid(), 0, &one);
}

void candidate_bind(pid_t pid, bool one)
{
	pid_t tree[TREE_MAX];
	unsigned count = tree_list(pid, tree);

	for (unsigned i = 0; i < count; i++)
		threads_each(tree[i], thread_bind, &one);
}

uint64_t candidate_cpu_ns(pid_t pid)
{
	pid_t tree[TREE_MAX];
	unsigned count = tree_list(pid, tree);
	uint64_t total_ns = 0;

	for (unsigned i = 0; i < count; i++)
		threads_each(tree[i], thread_cpu_add, &total_ns);
	return total_ns;
}
