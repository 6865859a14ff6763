/* Reading /proc: see proc.h. What ends while it is looked at is passed over; what cannot be read is said. */
#include "cli/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/proc_stat.h"

#define PROC_FILE_MAX  65536
#define NAMESPACES_MAX 33      /* the kernel nests no deeper than 32 */
#define PROCESSES_MAX  4194304 /* as many as the kernel has */

/* ---- lists ---- */

void proc_list_free(struct proc_list *list)
{
	free(list->pids);
	*list = (struct proc_list){0};
}

static int list_add(struct proc_list *list, pid_t pid)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		pid_t *grown = capacity <= PROCESSES_MAX ? reallocarray(list->pids, capacity, sizeof(*grown)) : NULL;
		if (!grown)
			return -ENOMEM;
		list->pids = grown;
		list->capacity = capacity;
	}
	list->pids[list->count++] = pid;
	return 0;
}

bool proc_list_has(const struct proc_list *list, pid_t pid)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->pids[i] == pid)
			return true;
	}
	return false;
}

/* The numbers in a folder of /proc. */
static int numbers_read(const char *path, struct proc_list *list)
{
	cleanup_dir DIR *folder = opendir(path);
	int rc = 0;
	if (!folder)
		return -errno;
	for (const struct dirent *entry; rc == 0 && (entry = readdir(folder));) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			rc = list_add(list, (pid_t)strtol(entry->d_name, NULL, 10));
	}
	return rc;
}

/* ---- namespaces ---- */

static int namespace_open(pid_t pid, const char *kind)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Is it the namespace `of`, or below it? Namespaces above the caller's own cannot be asked for, and are not below. */
static bool namespace_is_below(int fd, const struct stat *of)
{
	cleanup_fd int at = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	for (unsigned depth = 0; at >= 0 && depth < NAMESPACES_MAX; depth++) {
		struct stat found;
		if (fstat(at, &found))
			return false;
		if (found.st_dev == of->st_dev && found.st_ino == of->st_ino)
			return true;
		int parent = ioctl(at, NS_GET_PARENT);
		close(at);
		at = parent;
	}
	return false;
}

static bool is_own_namespace(const char *kind, const struct stat *of)
{
	char path[64];
	struct stat own;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	return stat(path, &own) == 0 && own.st_dev == of->st_dev && own.st_ino == of->st_ino;
}

int proc_of_namespace(pid_t init, struct proc_list *list, struct error *error)
{
	cleanup_proc_list struct proc_list all = {0};
	cleanup_fd int init_fd = namespace_open(init, "pid");
	struct stat of;
	if (init_fd < 0 || fstat(init_fd, &of))
		return error_errno(error, init_fd < 0 ? -init_fd : errno, "cannot look at the namespaces of process %d", (int)init);
	if (is_own_namespace("pid", &of))
		return error_set(
			error, EPERM, "the container has no process namespace of its own: its processes cannot be told from others");
	int rc = numbers_read("/proc", &all);
	for (size_t i = 0; rc == 0 && i < all.count; i++) {
		cleanup_fd int fd = namespace_open(all.pids[i], "pid");
		/* What may not be looked at is of another user, and so not of this container. */
		if (fd >= 0 && namespace_is_below(fd, &of))
			rc = list_add(list, all.pids[i]);
	}
	if (rc)
		return error_errno(error, -rc, "cannot list the container's processes");
	return proc_list_has(list, init) ? 0 : error_set(error, ENOENT, "/proc does not show the container's processes");
}

static bool namespace_is(pid_t pid, const char *kind, const struct stat *of)
{
	cleanup_fd int fd = namespace_open(pid, kind);
	struct stat found;
	return fd >= 0 && fstat(fd, &found) == 0 && found.st_dev == of->st_dev && found.st_ino == of->st_ino;
}

int proc_of_network(pid_t init, struct proc_list *list, struct error *error)
{
	cleanup_proc_list struct proc_list all = {0};
	cleanup_fd int init_fd = namespace_open(init, "net");
	struct stat of, own;
	if (init_fd < 0 || fstat(init_fd, &of))
		return error_errno(error, init_fd < 0 ? -init_fd : errno, "cannot look at the namespaces of process %d", (int)init);
	if (stat("/proc/self/ns/pid", &own))
		return error_errno(error, errno, "cannot look at the caller's own namespaces");
	int rc = numbers_read("/proc", &all);
	for (size_t i = 0; rc == 0 && i < all.count; i++) {
		if (namespace_is(all.pids[i], "net", &of) && !namespace_is(all.pids[i], "pid", &own))
			rc = list_add(list, all.pids[i]);
	}
	return rc ? error_errno(error, -rc, "cannot list the processes in the network namespace") : 0;
}

/* ---- one process ---- */

static bool stat_read(pid_t pid, char *state, int *parent)
{
	cleanup_free char *data = NULL;
	uint64_t number;
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(AT_FDCWD, path, PROC_FILE_MAX, &data, NULL))
		return false;
	if (!proc_stat_number(data, PROC_STAT_PARENT, &number))
		return false;
	*state = *proc_stat_field(data, PROC_STAT_STATE);
	*parent = (int)number;
	return true;
}

char proc_state(pid_t pid)
{
	char state;
	int parent;
	return stat_read(pid, &state, &parent) ? state : 0;
}

int proc_family(pid_t root, struct proc_list *list, struct error *error)
{
	cleanup_proc_list struct proc_list all = {0};
	char state;
	int parent;
	int rc = numbers_read("/proc", &all);
	if (rc)
		return error_errno(error, -rc, "cannot list processes");
	if (!proc_list_has(&all, root))
		return error_set(error, ENOENT, "process %d is gone", (int)root);
	rc = list_add(list, root);
	/* A child may have a smaller number than its parent, once numbers are used again: until nothing is found any more. */
	for (size_t before = 0; rc == 0 && before != list->count;) {
		before = list->count;
		for (size_t i = 0; rc == 0 && i < all.count; i++) {
			if (!proc_list_has(list, all.pids[i]) && stat_read(all.pids[i], &state, &parent) && proc_list_has(list, parent))
				rc = list_add(list, all.pids[i]);
		}
	}
	return rc ? error_errno(error, -rc, "cannot list processes") : 0;
}

bool proc_status_capabilities(const char *text, uint64_t *capabilities)
{
	static const char *const keys[] = {"\nCapInh:", "\nCapPrm:", "\nCapEff:", "\nCapBnd:", "\nCapAmb:"};
	uint64_t joined = 0;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		/* The name, in the first line, cannot hold a newline: the kernel escapes it. */
		const char *at = strstr(text, keys[i]);
		uint64_t set;
		if (!at || sscanf(at + strlen(keys[i]), "%" SCNx64, &set) != 1)
			return false;
		joined |= set;
	}
	*capabilities |= joined;
	return true;
}

static int thread_capabilities(pid_t pid, pid_t thread, uint64_t *capabilities)
{
	cleanup_free char *data = NULL;
	char path[96];
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", (int)pid, (int)thread);
	int rc = file_read(AT_FDCWD, path, PROC_FILE_MAX, &data, NULL);
	if (rc)
		return rc == -ENOENT ? -ESRCH : rc;
	if (strstr(data, "\nState:\tZ") || strstr(data, "\nState:\tX"))
		return -ESRCH; /* dead, and not yet waited for */
	return proc_status_capabilities(data, capabilities) ? 0 : -EBADMSG;
}

int proc_capabilities(pid_t pid, pid_t init, uint64_t *capabilities, bool *user, struct error *error)
{
	cleanup_proc_list struct proc_list threads = {0};
	cleanup_fd int init_fd = namespace_open(init, "user");
	cleanup_fd int fd = namespace_open(pid, "user");
	struct stat of, found;
	char path[64];
	bool any = false;
	*capabilities = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	int rc = numbers_read(path, &threads);
	for (size_t i = 0; rc == 0 && i < threads.count; i++) {
		rc = thread_capabilities(pid, threads.pids[i], capabilities);
		any = any || rc == 0;
		rc = rc == -ESRCH ? 0 : rc;
	}
	if (rc == -ENOENT || rc == -ESRCH || (rc == 0 && !any))
		return -ESRCH;
	if (rc)
		return error_errno(error, -rc, "cannot read the capabilities of process %d", (int)pid);
	/* Not known: then as if they reached. */
	*user = init_fd < 0 || fd < 0 || fstat(init_fd, &of) || fstat(fd, &found) ||
		(found.st_dev == of.st_dev && found.st_ino == of.st_ino) || !namespace_is_below(fd, &of);
	return 0;
}

int proc_program(pid_t pid, char *name, size_t size)
{
	static const char deleted[] = " (deleted)";
	char path[64], target[4096];
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	target[length] = '\0';
	size_t tail = sizeof(deleted) - 1;
	if ((size_t)length > tail && strcmp(target + length - tail, deleted) == 0)
		target[(size_t)length - tail] = '\0';
	const char *slash = strrchr(target, '/');
	snprintf(name, size, "%s", slash ? slash + 1 : target);
	return 0;
}

int proc_holds_socket(pid_t pid, uint64_t inode)
{
	char path[64], wanted[64], target[64];
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	snprintf(wanted, sizeof(wanted), "socket:[%" PRIu64 "]", inode);
	cleanup_dir DIR *folder = opendir(path);
	if (!folder)
		return -1;
	for (const struct dirent *entry; (entry = readdir(folder));) {
		ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
		if (length <= 0)
			continue;
		target[length] = '\0';
		if (strcmp(target, wanted) == 0)
			return 1;
	}
	return 0;
}

bool proc_socket_next(const char **at, struct proc_socket *socket)
{
	while (**at) {
		const char *line = *at, *end = strchr(line, '\n');
		*at = end ? end + 1 : line + strlen(line);
		*socket = (struct proc_socket){0};
		/* sl local:port remote:port state tx:rx timer retransmissions uid timeout inode */
		if (sscanf(line, " %*u: %32[0-9A-F]:%4x %*[0-9A-F]:%*x %*x %*x:%*x %*x:%*x %*x %*u %*u %" SCNu64, socket->address,
			    &socket->port, &socket->inode) == 3)
			return true;
	}
	return false;
}
