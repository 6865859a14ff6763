/* Looking at a container from outside: see outside.h. Neither the hook nor the forwarder is believed but for the numbers of their
 * processes, and those are checked. */
#include "cli/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/environment.h"
#include "cli/paths.h"
#include "cli/podman.h"
#include "cli/proc.h"
#include "state/control.h"

#define PROGRAM_PREFIX     "terok-shield-"
#define CONTROL_TIMEOUT_MS 3000
#define LISTING_MAX        (32u << 20)
#define RESOLV_CONF_MAX    65536
#define DNS_PORT           53

#define SHOWN(string) text_escaped((char[128]){0}, 128, string)

/* ---- the forwarder ---- */

/* The recorded process and its children, all of them programs of ours. 0 when that is so. */
static int family_find(const struct container *container, struct proc_list *family, struct checks *checks)
{
	const struct bundle_runtime *runtime = &container->runtime;
	cleanup_fd int fd = bundle_process_open(runtime->proxy_pid, runtime->proxy_start);
	struct error error = {0};
	if (fd < 0) {
		checks_set(checks, CHECK_FORWARDER, CHECK_FAILED, "process %d, which was the forwarder, is gone", (int)runtime->proxy_pid);
		return -ESRCH;
	}
	int rc = proc_family(runtime->proxy_pid, family, &error);
	if (rc)
		checks_set(checks, CHECK_FORWARDER, CHECK_UNKNOWN, "%s", error.text);
	for (size_t i = 0; rc == 0 && i < family->count; i++) {
		char program[128] = "";
		char state = proc_state(family->pids[i]);
		int read = proc_program(family->pids[i], program, sizeof(program));
		if (i > 0 && (read == -ESRCH || state == 0))
			continue;
		if (read == -EACCES || read == -EPERM)
			checks_set(checks, CHECK_FORWARDER, CHECK_UNKNOWN, "may not look at process %d", (int)family->pids[i]);
		else if (strncmp(program, PROGRAM_PREFIX, sizeof(PROGRAM_PREFIX) - 1) != 0)
			checks_set(checks, CHECK_FORWARDER, CHECK_FAILED, "process %d is not the forwarder but '%s'", (int)family->pids[i],
				SHOWN(program));
		else if (state == 'T' || state == 't' || state == 'Z' || state == 'X')
			checks_set(
				checks, CHECK_FORWARDER, CHECK_FAILED, "process %d is stopped or dead (%c)", (int)family->pids[i], state);
	}
	if (!rc)
		checks_set(checks, CHECK_FORWARDER, CHECK_OK, "process %d lives", (int)runtime->proxy_pid);
	return rc;
}

static void control_check(const struct container *container, struct checks *checks)
{
	struct error error = {0};
	if (control_request(&container->bundle, "ping", CONTROL_TIMEOUT_MS, NULL, &error))
		checks_set(checks, CHECK_CONTROL, CHECK_FAILED, "the control socket does not answer: %s", error.text);
	else
		checks_set(checks, CHECK_CONTROL, CHECK_OK, "the control socket answers");
}

/* 1 when some of the family holds the socket, 0 when none does, -1 when that cannot be told. */
static int family_holds(const struct proc_list *family, uint64_t inode)
{
	int held = 0;
	for (size_t i = 0; held <= 0 && i < family->count; i++) {
		int answer = proc_holds_socket(family->pids[i], inode);
		held = answer != 0 ? answer : held;
		if (answer < 0 && proc_state(family->pids[i]) == 0)
			held = 0; /* it has just ended */
	}
	return held;
}

static bool listing_has(const char *content, uint64_t inode)
{
	struct proc_socket socket;
	for (const char *at = content; proc_socket_next(&at, &socket);) {
		if (socket.inode == inode)
			return true;
	}
	return false;
}

/* A socket that nobody held may have been closed since the listing was read: then it is in no later one. */
static bool is_foreign(const struct proc_list *family, const char *path, uint64_t inode)
{
	cleanup_free char *later = NULL;
	if (file_read(AT_FDCWD, path, LISTING_MAX, &later, NULL) || !listing_has(later, inode))
		return false;
	return family_holds(family, inode) == 0;
}

static unsigned listing_check(const struct container *container, const struct proc_list *family, const char *listing, struct checks *checks)
{
	cleanup_free char *content = NULL;
	char path[64];
	struct proc_socket socket;
	unsigned held = 0;
	snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)container->runtime.init_pid, listing);
	int rc = file_read(AT_FDCWD, path, LISTING_MAX, &content, NULL);
	if (rc == -ENOENT && strchr(listing, '6')) /* a kernel without IPv6 */
		return 0;
	if (rc) {
		checks_set(checks, CHECK_PORT_53, CHECK_UNKNOWN, "cannot read %s: %s", path, strerror(-rc));
		return 0;
	}
	for (const char *at = content; proc_socket_next(&at, &socket);) {
		/* Without an inode: a connection that nobody has accepted yet, or one that is over. */
		if (socket.port != DNS_PORT || socket.inode == 0)
			continue;
		int answer = family_holds(family, socket.inode);
		held += answer > 0;
		if (answer < 0)
			checks_set(checks, CHECK_PORT_53, CHECK_UNKNOWN, "cannot tell who holds the %s socket %s", listing, socket.address);
		else if (answer == 0 && is_foreign(family, path, socket.inode))
			checks_set(checks, CHECK_PORT_53, CHECK_FAILED, "a %s socket at %s:53 (as /proc writes it) is not the forwarder's",
				listing, socket.address);
	}
	return held;
}

void outside_check_forwarder(const struct container *container, struct checks *checks)
{
	static const char *const listings[] = {"udp", "tcp", "udp6", "tcp6"};
	cleanup_proc_list struct proc_list family = {0};
	unsigned held = 0, bound[2] = {0};
	family_find(container, &family, checks);
	control_check(container, checks);
	for (unsigned i = 0; i < 4; i++) {
		unsigned count = listing_check(container, &family, listings[i], checks);
		held += count;
		if (i < 2)
			bound[i] = count;
	}
	if (!bound[0] || !bound[1])
		checks_set(checks, CHECK_PORT_53, CHECK_FAILED, "the forwarder holds no %s socket at port 53", bound[0] ? "tcp" : "udp");
	checks_set(checks, CHECK_PORT_53, CHECK_OK, "all %u sockets there are the forwarder's", held);
}

/* ---- the workload ---- */

/* whose: of which container the process is, for the message. */
static void capabilities_check(pid_t pid, pid_t init, const char *whose, struct checks *checks)
{
	static const struct {
		unsigned bit;
		const char *name;
	} refused[] = {{12, "CAP_NET_ADMIN"}, {13, "CAP_NET_RAW"}, {21, "CAP_SYS_ADMIN"}};
	struct error error = {0};
	uint64_t capabilities;
	bool reach;
	int rc = proc_capabilities(pid, init, &capabilities, &reach, &error);
	if (rc && rc != -ESRCH)
		checks_set(checks, CHECK_CAPABILITIES, CHECK_UNKNOWN, "%s", error.text);
	for (size_t i = 0; !rc && reach && i < sizeof(refused) / sizeof(*refused); i++) {
		if (capabilities >> refused[i].bit & 1)
			checks_set(checks, CHECK_CAPABILITIES, CHECK_FAILED, "process %d%s has, or can get, %s", (int)pid, whose,
				refused[i].name);
	}
}

/* Containers without a shield in the same network namespace can do the same harm. */
static size_t strangers_check(const struct container *container, const struct proc_list *members, struct checks *checks)
{
	cleanup_proc_list struct proc_list all = {0};
	struct error error = {0};
	/* The sandbox stands for its pod; the other containers joined it (hook/join.h). */
	const char *whose = container_is_sandbox(container) ? " of the pod" : " of a container without a shield";
	size_t count = 0;
	pid_t init = container->runtime.init_pid;
	if (proc_of_network(init, &all, &error)) {
		checks_set(checks, CHECK_CAPABILITIES, CHECK_UNKNOWN, "%s", error.text);
		return 0;
	}
	for (size_t i = 0; i < all.count; i++) {
		if (proc_list_has(members, all.pids[i]))
			continue;
		capabilities_check(all.pids[i], init, whose, checks);
		count++;
	}
	return count;
}

void outside_check_capabilities(const struct container *container, struct checks *checks)
{
	cleanup_proc_list struct proc_list processes = {0};
	struct error error = {0};
	for (size_t i = 0; i < container->members.count; i++) {
		if (proc_of_namespace(container->members.list[i].pid, &processes, &error)) {
			checks_set(checks, CHECK_CAPABILITIES, CHECK_UNKNOWN, "%s", error.text);
			return;
		}
	}
	for (size_t i = 0; i < processes.count; i++)
		capabilities_check(processes.pids[i], container->runtime.init_pid, "", checks);
	size_t count = processes.count + strangers_check(container, &processes, checks);
	checks_set(checks, CHECK_CAPABILITIES, CHECK_OK,
		"none of %zu processes has, or can get, CAP_NET_ADMIN, CAP_NET_RAW or CAP_SYS_ADMIN", count);
}

static bool is_forwarder(const char *word, size_t length)
{
	return (length == 9 && memcmp(word, "127.0.0.1", 9) == 0) || (length == 3 && memcmp(word, "::1", 3) == 0);
}

void outside_judge_resolv_conf(const char *content, struct checks *checks)
{
	static const char keyword[] = "nameserver";
	unsigned servers = 0;
	for (const char *line = content; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *word = line + strspn(line, " \t");
		size_t length = sizeof(keyword) - 1;
		if (strncmp(word, keyword, length) != 0 || (word[length] != ' ' && word[length] != '\t'))
			continue;
		word += length + strspn(word + length, " \t");
		length = strcspn(word, " \t\r\n");
		servers++;
		if (!is_forwarder(word, length)) {
			char server[64];
			snprintf(server, sizeof(server), "%.*s", (int)length, word);
			checks_set(checks, CHECK_RESOLV_CONF, CHECK_FAILED, "it names the server '%s'", SHOWN(server));
		}
	}
	if (servers == 0)
		checks_set(checks, CHECK_RESOLV_CONF, CHECK_FAILED, "it names no server");
	checks_set(checks, CHECK_RESOLV_CONF, CHECK_OK, "it names the forwarder alone");
}

static void resolv_conf_check(pid_t init, struct checks *checks)
{
	cleanup_free char *content = NULL;
	/* Links in it lead where they would lead the workload; O_NONBLOCK: a fifo would hold us. */
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	struct stat status;
	char path[64];
	size_t length = 0;
	snprintf(path, sizeof(path), "/proc/%d/root", (int)init);
	cleanup_fd int root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int fd = root_fd < 0 ? -1 : (int)syscall(SYS_openat2, root_fd, "etc/resolv.conf", &how, sizeof(how));
	if (fd < 0) {
		bool missing = root_fd >= 0 && errno == ENOENT;
		checks_set(checks, CHECK_RESOLV_CONF, missing ? CHECK_FAILED : CHECK_UNKNOWN,
			"cannot open /etc/resolv.conf of the container: %s", strerror(errno));
		return;
	}
	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || file_read_fd(fd, RESOLV_CONF_MAX, &content, &length)) {
		checks_set(checks, CHECK_RESOLV_CONF, CHECK_FAILED, "/etc/resolv.conf of the container is no file that can be read");
		return;
	}
	if (strlen(content) != length)
		checks_set(checks, CHECK_RESOLV_CONF, CHECK_FAILED, "/etc/resolv.conf of the container has a NUL in it");
	outside_judge_resolv_conf(content, checks);
}

void outside_check_resolv_conf(const struct container *container, struct checks *checks)
{
	if (container_is_sandbox(container)) {
		checks_set(checks, CHECK_RESOLV_CONF, CHECK_NEEDLESS, "a pod's is the cluster's: what it asks for is captured");
		return;
	}
	for (size_t i = 0; i < container->members.count; i++)
		resolv_conf_check(container->members.list[i].pid, checks);
}

/* ---- the next start ---- */

/* A program that others can write to is as good as theirs. */
static bool program_is_sound(const char *name, struct checks *checks)
{
	char path[PATH_MAX];
	struct error error = {0};
	struct stat status;
	if (paths_libexec(name, path, &error)) {
		checks_set(checks, CHECK_NEXT_START, CHECK_FAILED, "%s", error.text);
		return false;
	}
	if (stat(path, &status) || !S_ISREG(status.st_mode) || (status.st_mode & (S_IWGRP | S_IWOTH))) {
		checks_set(checks, CHECK_NEXT_START, CHECK_FAILED, "%s is no program, or others can write to it", path);
		return false;
	}
	return true;
}

/* The runtime that podman has stored for the container. -1 when podman does not say. */
static int runtime_ask(const struct bundle_member *member, char **runtime, struct checks *checks)
{
	char podman[PATH_MAX];
	struct error error = {0};
	const char *id = member->id[0] ? member->id : member->name;
	if (podman_find_program("podman", podman)) {
		checks_set(checks, CHECK_NEXT_START, CHECK_UNKNOWN, "podman is not in $PATH");
		return -1;
	}
	if (podman_capture(
		    (char *[]){podman, "container", "inspect", "--format", "{{.OCIRuntime}}", "--", (char *)id, NULL}, runtime, &error)) {
		checks_set(checks, CHECK_NEXT_START, CHECK_UNKNOWN, "podman does not say which runtime the container has: %s", error.text);
		return -1;
	}
	(*runtime)[strcspn(*runtime, "\n")] = '\0';
	return 0;
}

static bool is_shim(const char *path)
{
	char shim[PATH_MAX];
	struct stat stored, own;
	return path[0] == '/' && paths_libexec("terok-shield-runtime", shim, NULL) == 0 && stat(path, &stored) == 0 &&
	       stat(shim, &own) == 0 && stored.st_dev == own.st_dev && stored.st_ino == own.st_ino;
}

void outside_check_next_start(
	const struct container *container, const struct command_options *options, bool starting, struct checks *checks)
{
	cleanup_free char *other = NULL;
	const char *worker = settings_use_tls(&container->settings) ? "terok-shield-proxy-tls" : "terok-shield-proxy";
	if (!program_is_sound("terok-shield-hook", checks) || !program_is_sound(worker, checks) ||
		!program_is_sound("terok-shield-runtime", checks) || !program_is_sound("terok-shield-runtime-strict", checks))
		return;
	if (starting) {
		checks_set(checks, CHECK_NEXT_START, CHECK_OK, "the shield's runtime starts it now, and its programs are there");
		return;
	}
	if (container_is_sandbox(container)) {
		checks_set(checks, CHECK_NEXT_START, CHECK_NEEDLESS, "a pod's sandbox is not started again: the next is another one");
		return;
	}
	for (size_t i = 0; !other && i < container->members.count; i++) {
		cleanup_free char *runtime = NULL;
		if (runtime_ask(&container->members.list[i], &runtime, checks))
			return;
		if (is_shim(runtime))
			continue;
		other = runtime;
		runtime = NULL;
	}
	if (!other) {
		checks_set(checks, CHECK_NEXT_START, CHECK_OK, "podman has the shield's runtime for it, and its programs are there");
		return;
	}
	struct environment environment;
	environment_check(&environment, options);
	if (environment.user == HOOK_FILE_GOOD || environment.system == HOOK_FILE_GOOD)
		checks_set(checks, CHECK_NEXT_START, CHECK_OK, "the hooks are where podman reads them by itself");
	else
		checks_set(checks, CHECK_NEXT_START, CHECK_FAILED,
			"podman would start it with the runtime '%s', which brings no hook along: `terok-shield setup`, or run it anew "
			"without --hooks",
			SHOWN(other));
}
