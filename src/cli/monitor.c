/* Shows why a shielded container did not start.
 *
 * The process is a grandchild: podman, which the caller becomes, must not find a child that it does not know. Its pidfd of the
 * caller stays valid over the exec, so the end of podman is seen; the bundle is watched with inotify. Both are set up before the
 * fork, so nothing is missed. */
#include "cli/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"

#define HOOK_ERROR_MAX 4096
#define QUIET_MS       1000

static bool error_show(const struct bundle *bundle)
{
	cleanup_free char *content = NULL;
	if (bundle_read(bundle, BUNDLE_HOOK_ERROR, HOOK_ERROR_MAX, &content, NULL, NULL) || !*content)
		return false;
	content[strcspn(content, "\n")] = '\0';
	char line[HOOK_ERROR_MAX + 64], shown[HOOK_ERROR_MAX];
	int length = snprintf(line, sizeof(line), "Error: terok-shield: %s\n", text_escaped(shown, sizeof(shown), content));
	file_write_all(STDERR_FILENO, line, (size_t)length);
	return true;
}

/* A bundle that the hook refused to open has no word of the hook's: then what is wrong with it is found out here. */
static void refusal_show(const struct bundle *bundle)
{
	cleanup_bundle struct bundle again = BUNDLE_INIT;
	struct error error = {0};
	if (bundle_open(&again, bundle->path, &error))
		dprintf(STDERR_FILENO, "Error: terok-shield: %s\n", error.text);
}

static void watch(const struct bundle *bundle, int inotify_fd, int podman_fd)
{
	for (;;) {
		struct pollfd waiting[] = {{.fd = inotify_fd, .events = POLLIN}, {.fd = podman_fd, .events = POLLIN}};
		if (poll(waiting, 2, -1) < 0 && errno != EINTR)
			return;
		char events[4096];
		while (read(inotify_fd, events, sizeof(events)) > 0)
			;
		/* The files say more than the events: whatever came, look. The hook fails before it writes container.id or removes
		 * it again. */
		if (error_show(bundle) || faccessat(bundle->fd, BUNDLE_CONTAINER_ID, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return;
		if (waiting[1].revents) {
			refusal_show(bundle);
			return;
		}
	}
}

/* Closing an inotify descriptor makes whoever closes another one at that time wait for a grace period of the kernel's, some 10 ms. When the container has started that
 * is conmon, which then does not hear for so long that a short container has ended. */
static void quiet_await(int podman_fd)
{
	close(STDERR_FILENO);
	poll(&(struct pollfd){.fd = podman_fd, .events = POLLIN}, 1, QUIET_MS);
}

/* Keeps 2 and our three descriptors; nobody waits for us on a pipe. */
static void descriptors_settle(struct bundle *bundle, int *inotify_fd, int *podman_fd)
{
	int kept[3] = {bundle->fd, *inotify_fd, *podman_fd};
	for (int i = 0; i < 3; i++) { /* out of the way first: they may stand at one another's places */
		kept[i] = fcntl(kept[i], F_DUPFD_CLOEXEC, 64);
		if (kept[i] < 0)
			_exit(1);
	}
	for (int i = 0; i < 3; i++) {
		if (dup3(kept[i], 3 + i, O_CLOEXEC) < 0)
			_exit(1);
	}
	close(0);
	close(1);
	close_range(6, ~0u, 0);
	bundle->fd = 3;
	*inotify_fd = 4;
	*podman_fd = 5;
}

void monitor_start(const struct bundle *bundle)
{
	cleanup_fd int inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	cleanup_fd int podman_fd = pidfd_open(getpid(), 0);
	if (inotify_fd < 0 || podman_fd < 0 || inotify_add_watch(inotify_fd, bundle->path, IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR) < 0)
		return;
	pid_t child = fork();
	if (child < 0)
		return;
	if (child == 0) {
		if (fork() == 0) {
			struct bundle own = *bundle;
			prctl(PR_SET_NAME, "shield-monitor");
			descriptors_settle(&own, &inotify_fd, &podman_fd);
			watch(&own, inotify_fd, podman_fd);
			quiet_await(podman_fd);
		}
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}
