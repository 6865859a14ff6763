/* Entering the network namespace of a container. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "fw/netns.h"

#define OWN_NETNS  "/proc/thread-self/ns/net"
#define OWN_USERNS "/proc/thread-self/ns/user"

int netns_open(pid_t pid, struct error *error)
{
	char path[sizeof("/proc/-2147483648/ns/net")];
	int fd;

	if (pid <= 0)
		return error_set(error, ESRCH, "no process: pid %d", (int)pid);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ESRCH)
		return error_set(error, ESRCH, "process %d is gone", (int)pid);
	return error_errno(error, errno, "cannot open the network namespace of process %d", (int)pid);
}

static bool is_same(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool netns_is_own(int netns_fd)
{
	return is_same(netns_fd, OWN_NETNS);
}

bool netns_is_of(int netns_fd, pid_t pid)
{
	char path[sizeof("/proc/-2147483648/ns/net")];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return is_same(netns_fd, path);
}

int netns_enter(int netns_fd, struct error *error)
{
	if (setns(netns_fd, CLONE_NEWNET))
		return error_errno(error, errno, "cannot enter the container's network namespace");
	return 0;
}

struct visit {
	int netns_fd;
	int (*work)(void *context, struct error *error);
	void *context;
	struct error *error;
	int result;
};

static void *visit_main(void *argument)
{
	struct visit *visit = argument;

	visit->result = netns_enter(visit->netns_fd, visit->error);
	if (!visit->result)
		visit->result = visit->work(visit->context, visit->error);
	return NULL;
}

int netns_run(int netns_fd, int (*work)(void *context, struct error *error), void *context, struct error *error)
{
	struct visit visit = {.netns_fd = netns_fd, .work = work, .context = context, .error = error};
	pthread_t thread;
	int result = pthread_create(&thread, NULL, visit_main, &visit);

	if (result)
		return error_errno(error, result, "cannot start a thread for the container's network namespace");
	pthread_join(thread, NULL);
	return visit.result;
}

int netns_enter_as_owner(pid_t pid, struct error *error)
{
	cleanup_fd int netns_fd = netns_open(pid, error);
	cleanup_fd int userns_fd = -1;

	if (netns_fd < 0)
		return netns_fd;
	/* The owner may lie outside what we may see (then it is EPERM) only when it is no descendant of ours: not our container. */
	userns_fd = ioctl(netns_fd, NS_GET_USERNS);
	if (userns_fd < 0)
		return error_errno(error, errno, "cannot find the owner of the network namespace of process %d", (int)pid);
	if (!is_same(userns_fd, OWN_USERNS) && setns(userns_fd, CLONE_NEWUSER))
		return error_errno(error, errno, "cannot enter the user namespace of process %d", (int)pid);
	return netns_enter(netns_fd, error);
}
