/* Who is in a network namespace that the container shares.
 *
 * Theory of operation. A container that was started there before the rules has been free until now: what it has open would stay open, and
 * it may have capabilities that undo the rules. So each process that has the namespace is looked for in /proc, and belongs to
 *
 *	a container under this shield	its process namespace, or one below
 *	the pod's infra container	which podman starts first, without hooks: one single process, a program that only waits
 *	podman				its helpers for published ports have the hook's own mount namespace, no container has
 *	a container not started yet	its init is still the runtime, as the hook's parent is: others of the pod, started at the same time
 *
 * or the start is refused. What is not seen: processes that the caller may not look at, which are other users', and threads that have moved
 * into the namespace alone. This is against mistakes. It does not withstand an infra image that lies about its program.
 */
#include "hook/occupants.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fw/netns.h"

#define NESTING_MAX 33 /* the kernel nests process namespaces no deeper than 32 */

struct search {
	const struct occupants *occupants;
	struct stat own_mounts;
	struct stat runtime; /* its program; st_ino 0: not known */
	struct stat infra_pids;
	size_t count;
	struct stat pids[BUNDLE_MEMBERS_MAX + 1]; /* process namespaces of the containers under the shield */
};

static int namespace_open(pid_t pid, const char *kind)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool namespace_stat(pid_t pid, const char *kind, struct stat *status)
{
	cleanup_fd int fd = namespace_open(pid, kind);

	return fd >= 0 && fstat(fd, status) == 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static const char *program_read(pid_t pid, char path[PATH_MAX])
{
	char link[64];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	length = readlink(link, path, PATH_MAX - 1);
	path[length > 0 ? length : 0] = '\0';
	return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}

static bool program_stat(pid_t pid, struct stat *status)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return stat(path, status) == 0;
}

static bool is_known(const struct search *search, pid_t pid)
{
	cleanup_fd int at = namespace_open(pid, "pid");

	for (unsigned depth = 0; at >= 0 && depth < NESTING_MAX; depth++) {
		struct stat status;
		int parent;

		if (fstat(at, &status) != 0)
			return false;
		if (pid == search->occupants->infra && is_same(&status, &search->infra_pids))
			return true;
		for (size_t i = 0; i < search->count; i++)
			if (is_same(&status, &search->pids[i]))
				return true;
		parent = ioctl(at, NS_GET_PARENT);
		close(at);
		at = parent;
	}
	return false;
}

static int process_check(const struct search *search, pid_t pid, struct error *error)
{
	char path[PATH_MAX];
	struct stat mounts, program;

	if (!netns_is_of(search->occupants->netns_fd, pid))
		return 0;
	if (namespace_stat(pid, "mnt", &mounts) && is_same(&mounts, &search->own_mounts))
		return 0;
	if (search->runtime.st_ino && program_stat(pid, &program) && is_same(&program, &search->runtime))
		return 0;
	if (is_known(search, pid) || !netns_is_of(search->occupants->netns_fd, pid)) /* it may have ended meanwhile */
		return 0;
	return error_set(error, EPERM,
		"process %d (%s) is in the network namespace already and under no shield: stop the containers there that have none, or start "
		"all of them with terok-shield run",
		(int)pid, text_escaped((char[128]){0}, 128, program_read(pid, path)));
}

static int search_start(struct search *search, struct error *error)
{
	const struct occupants *occupants = search->occupants;
	char path[PATH_MAX];
	const char *program;

	if (!namespace_stat(getpid(), "mnt", &search->own_mounts))
		return error_errno(error, errno, "cannot look at the hook's own namespaces");
	if (!program_stat(getppid(), &search->runtime))
		search->runtime.st_ino = 0;
	if (!namespace_stat(occupants->init, "pid", &search->pids[search->count++]))
		return error_errno(error, errno, "cannot look at the container's process namespace");
	for (size_t i = 0; i < occupants->members->count; i++)
		if (namespace_stat(occupants->members->list[i].pid, "pid", &search->pids[search->count]))
			search->count++;
	if (occupants->infra == 0)
		return 0;
	program = program_read(occupants->infra, path);
	if (strcmp(program, "catatonit") != 0 && strcmp(program, "pause") != 0)
		return error_set(error, EPERM,
			"the network namespace is of process %d (%s), which is under no shield and not a pod's infra container: "
			"start it with terok-shield run",
			(int)occupants->infra, text_escaped((char[128]){0}, 128, program));
	return namespace_stat(occupants->infra, "pid", &search->infra_pids)
		       ? 0
		       : error_set(error, ESRCH, "the pod's infra container, process %d, is gone", (int)occupants->infra);
}

int occupants_check(const struct occupants *occupants, struct error *error)
{
	struct search search = {.occupants = occupants};
	cleanup_dir DIR *folder = NULL;
	int rc = search_start(&search, error);

	if (rc)
		return rc;
	folder = opendir("/proc");
	if (!folder)
		return error_errno(error, errno, "cannot read /proc, by which it is seen who is in the network namespace");
	for (const struct dirent *entry; rc == 0 && (entry = readdir(folder));)
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			rc = process_check(&search, (pid_t)strtol(entry->d_name, NULL, 10), error);
	return rc;
}
