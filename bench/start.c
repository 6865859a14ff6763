/* The hook with sleeping processes for containers, the forwarder's loader, and the bed.
 *
 * All of it happens in a folder below /run and in network namespaces of its own. This process is the subreaper of the forwarders that the hooks leave behind; they end when
 * their container's process is killed.
 */
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "candidate.h"
#include "fw/netns.h"
#include "report.h"
#include "state/bundle.h"

#define NAMES          150 /* a profile of 200 entries */
#define NETWORKS       50
#define CONTAINERS_MAX 256
#define CONFIG                                                                                                                             \
	"{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_CHOWN\"]}},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"}]}}"
#define PODMAN_LIMIT "300" /* seconds */

static char folder[64];

static void folder_make(void)
{
	strcpy(folder, "/run/shield-bench.XXXXXX");
	if (!mkdtemp(folder))
		bench_die("cannot make a folder below /run");
}

static void folder_remove(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", folder, NULL);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

static void loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, SIOCSIFFLAGS, &request))
		bench_die("lo up: %s", strerror(errno));
}

/* A sleeping process in a network namespace of its own. */
static pid_t container_start(void)
{
	int ready[2];
	char octet;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		bench_die("pipe");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET))
			_exit(1);
		loopback_up();
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &octet, 1) != 1)
		bench_die("a namespace could not be made");
	close(ready[0]);
	return pid;
}

static void container_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Forwarders that have ended. */
static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* ---- bundles ---- */

static void bundle_path(char path[128], unsigned number)
{
	snprintf(path, 128, "%s/c%u", folder, number);
}

static void bundle_fill(unsigned number, unsigned names, unsigned networks)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	cleanup_text struct text domains = {0}, allowed = {0};
	struct bundle_identity identity = {.version = SHIELD_VERSION, .profiles = {(char *)"bench"}, .profile_count = 1};
	struct settings settings;
	struct error error = {0};
	char path[128];

	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	snprintf(identity.container, sizeof(identity.container), "c%u", number);
	for (unsigned i = 0; i < names; i++)
		text_addf(&domains, "host%u.domain%u.example # bench.txt:%u\n", i, i % 1000, i + 1);
	for (unsigned i = 0; i < networks; i++)
		text_addf(&allowed, "20.%u.%u.0/24 # bench.txt:%u\n", i / 200, i % 200 + 1, names + i + 1);
	bundle_path(path, number);
	text_add(&allowed, "");
	if (bundle_create(&bundle, path, &error) ||
		bundle_write(&bundle, bundle_list_file(BUNDLE_PROFILE_DOMAINS), domains.data, domains.length, &error) ||
		bundle_write(&bundle, bundle_list_file(BUNDLE_PROFILE_ALLOWED), allowed.data, allowed.length, &error) ||
		bundle_settings_write(&bundle, &identity, &settings, &error))
		bench_die("%s", error.text);
}

/* ---- the hook ---- */

static void oci_make(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/oci", folder);
	if (mkdir(path, 0700))
		bench_die("%s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "%s/oci/config.json", folder);
	if (file_replace(AT_FDCWD, path, 0644, CONFIG, strlen(CONFIG)))
		bench_die("cannot write %s", path);
}

static void beside(char path[4096], const char *program)
{
	ssize_t length = readlink("/proc/self/exe", path, 4096 - 64);

	if (length < 0)
		bench_die("/proc/self/exe");
	path[length] = '\0';
	strcpy(strrchr(path, '/') + 1, program);
}

/* Starts a createRuntime hook for a container and gives it the state; returns at once. */
static pid_t hook_start(unsigned number, pid_t container)
{
	cleanup_text struct text state = {0};
	char program[4096], path[128];
	int in[2];
	pid_t pid;

	beside(program, "terok-shield-hook");
	bundle_path(path, number);
	text_addf(&state,
		"{\"ociVersion\":\"1.0\",\"id\":\"%064x\",\"pid\":%d,\"bundle\":\"%s/oci\",\"status\":\"created\",\"annotations\":{\"terok.shield.profiles\":\"bench\","
		"\"terok.shield.name\":\"c%u\",\"terok.shield.state_dir\":\"%s\",\"terok.shield.version\":\"%s\"}}",
		number, (int)container, folder, number, path, SHIELD_VERSION);
	if (pipe2(in, O_CLOEXEC))
		bench_die("pipe");
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		execl(program, program, "createRuntime", NULL);
		_exit(127);
	}
	close(in[0]);
	if (file_write_all(in[1], state.data, state.length))
		bench_die("the hook does not read");
	close(in[1]);
	return pid;
}

static bool child_succeeds(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && status == 0;
}

static int compare_doubles(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double median_of(double *values, unsigned count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return count ? (values[(count - 1) / 2] + values[count / 2]) / 2 : NAN;
}

static double hook_once(unsigned number)
{
	pid_t container = container_start();
	uint64_t begun_ns = bench_now_ns();
	bool done = child_succeeds(hook_start(number, container));
	double taken_ms = (double)(bench_now_ns() - begun_ns) / 1e6;

	container_stop(container);
	reap();
	if (!done)
		bench_die("the hook failed");
	return taken_ms;
}

/* The ruleset that the hook left behind, loaded by nft. */
static double nft_once(unsigned number)
{
	pid_t container = container_start(), pid;
	uint64_t begun_ns;
	char path[160];
	bool done;
	double taken_ms;

	snprintf(path, sizeof(path), "%s/c%u/" BUNDLE_RULESET, folder, number);
	begun_ns = bench_now_ns();
	pid = fork();
	if (pid == 0) {
		cleanup_fd int netns_fd = netns_open(container, NULL);

		if (netns_enter(netns_fd, NULL) == 0)
			execlp("nft", "nft", "-f", path, NULL);
		_exit(127);
	}
	done = child_succeeds(pid);
	taken_ms = (double)(bench_now_ns() - begun_ns) / 1e6;
	container_stop(container);
	return done ? taken_ms : NAN;
}

static void hook_measure(unsigned runs)
{
	double hook_ms[64], nft_ms[64];

	if (runs > 64)
		runs = 64;
	bundle_fill(0, NAMES, NETWORKS);
	hook_once(0); /* the first finds cold files */
	for (unsigned i = 0; i < runs; i++) {
		hook_ms[i] = hook_once(0);
		nft_ms[i] = nft_once(0);
	}
	report_set(median_of(hook_ms, runs), "ms", "start/hook_ms");
	report_set(hook_ms[runs - 1], "ms", "start/hook_max_ms");
	report_set(median_of(nft_ms, runs), "ms", "start/nft_ms");
	printf("\n%-58s median %7.2f ms, max %7.2f ms\n", "createRuntime hook: ruleset, verification, forwarder ready",
		hook_ms[(runs - 1) / 2], hook_ms[runs - 1]);
	printf("%-58s median %7.2f ms\n", "nft -f of the same ruleset alone", nft_ms[(runs - 1) / 2]);
}

/* What the forwarders of all containers weigh, on average. */
static void many_weigh(unsigned count)
{
	double rss = 0, pss = 0;
	unsigned found = 0;

	for (unsigned i = 1; i <= count; i++) {
		cleanup_bundle struct bundle bundle = BUNDLE_INIT;
		struct bundle_runtime runtime;
		char path[128];
		double rss_kib, pss_kib;

		bundle_path(path, i);
		if (bundle_open(&bundle, path, NULL) || bundle_runtime_read(&bundle, &runtime, NULL))
			continue;
		candidate_memory(runtime.proxy_pid, &rss_kib, &pss_kib);
		rss += rss_kib;
		pss += pss_kib;
		found += rss_kib > 0;
	}
	if (!found)
		return;
	report_set(rss / found, "KiB", "many/rss");
	report_set(pss / found, "KiB", "many/pss");
	printf("%-58s RSS %.0f KiB, PSS %.0f KiB\n", "  each of their forwarders, on average", rss / found, pss / found);
}

static void many_measure(unsigned count)
{
	pid_t containers[CONTAINERS_MAX], hooks[CONTAINERS_MAX];
	unsigned up = 0;
	uint64_t begun_ns;
	double taken_ms;

	if (count > CONTAINERS_MAX)
		count = CONTAINERS_MAX;
	for (unsigned i = 0; i < count; i++) {
		bundle_fill(i + 1, NAMES, NETWORKS);
		containers[i] = container_start();
	}
	begun_ns = bench_now_ns();
	for (unsigned i = 0; i < count; i++)
		hooks[i] = hook_start(i + 1, containers[i]);
	for (unsigned i = 0; i < count; i++)
		up += child_succeeds(hooks[i]);
	taken_ms = (double)(bench_now_ns() - begun_ns) / 1e6;
	report_set(count, "", "many/asked");
	report_set(up, "", "many/up");
	report_set(taken_ms, "ms", "many/all_ms");
	printf("%u hooks at once: %u came up, all within %.0f ms\n", count, up, taken_ms);
	many_weigh(count);
	for (unsigned i = 0; i < count; i++)
		container_stop(containers[i]);
	usleep(200000);
	reap();
}

void start_measure(unsigned runs, unsigned containers)
{
	if (unshare(CLONE_NEWNET))
		bench_die("unshare: %s", strerror(errno));
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	loopback_up();
	folder_make();
	oci_make();
	hook_measure(runs);
	many_measure(containers);
	folder_remove();
	prctl(PR_SET_CHILD_SUBREAPER, 0);
}

/* ---- a large profile ---- */

static double resident_kib(void)
{
	cleanup_stream FILE *stream = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!stream || fscanf(stream, "%*u %lu", &pages) != 1)
		return NAN;
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

/* Loads it as hook and forwarder do. */
static void profile_load(double *load_ms, double *memory_kib)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct policy *policy;
	struct error error = {0};
	double before_kib;
	uint64_t begun_ns;
	char path[128];

	bundle_path(path, 0);
	if (bundle_open(&bundle, path, &error))
		bench_die("%s", error.text);
	before_kib = resident_kib();
	begun_ns = bench_now_ns();
	policy = bench_policy_load(&bundle);
	*load_ms = (double)(bench_now_ns() - begun_ns) / 1e6;
	*memory_kib = resident_kib() - before_kib;
	policy_free(policy);
}

void start_profile(unsigned names)
{
	double times_ms[5], memory_kib = NAN;
	double *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		bench_die("memory");
	folder_make();
	bundle_fill(0, names, 0);
	for (unsigned i = 0; i < 5; i++) {
		pid_t pid = fork();

		if (pid == 0) { /* a process of its own, for a heap that nobody has used */
			profile_load(&shared[0], &shared[1]);
			_exit(0);
		}
		times_ms[i] = child_succeeds(pid) ? shared[0] : NAN;
		memory_kib = shared[1];
	}
	report_set(median_of(times_ms, 5), "ms", "profile/load_ms");
	report_set(memory_kib, "KiB", "profile/memory");
	printf("a profile of %u names: loaded in %.1f ms, %.0f KiB\n", names, times_ms[2], memory_kib);
	folder_remove();
	munmap(shared, 4096);
}

/* ---- podman ---- */

void start_podman(bool quick)
{
	const char *prefix = getenv("BENCH_PREFIX");
	char command[4096], line[256], name[64];
	unsigned numbers = 0;
	double value;
	FILE *stream;

	if (!prefix) {
		fprintf(stderr, "\n*** podman is LEFT OUT: BENCH_PREFIX names no installation (bench/run makes one) ***\n\n");
		return;
	}
	fprintf(stderr, "podman in the bed\n");
	snprintf(command, sizeof(command),
		"cd " BENCH_FOLDER "/.. && SHIELD_PREFIX='%s' timeout -k 5 " PODMAN_LIMIT
		" tests/support/bed.sh run \"$(tests/support/bed.sh suite)\" /mnt/checkout/bench/podman.sh %d",
		prefix, quick ? 3 : 20);
	stream = popen(command, "re");
	while (stream && fgets(line, sizeof(line), stream)) {
		if (sscanf(line, "command/%48s %lf", name, &value) == 2) {
			report_set(value, "ms", "command/%s", name);
			printf("%-58s median %7.2f ms\n", name, value);
			numbers++;
		} else {
			fprintf(stderr, "bed: %s", line);
		}
	}
	if (!stream || pclose(stream) || !numbers)
		fprintf(stderr, "\n*** podman: the bed did not come to its end, its figures are missing ***\n\n");
}
