/* Shows why a shielded container did not start.
 *
 * The process is a grandchild: podman, which the caller becomes, must not find a child that it does not know. Its pidfd of the
 * caller stays valid over the exec, so the end of podman is seen; it is opened before the fork, so it is not missed. Until then the bundle
 * is looked at, not watched with inotify: whoever closes a descriptor of that waits for a grace period of the kernel's, 10 ms where
 * another one is closed at that time, and conmon closes one when the container has started. It then did not hear for so long that a
 * short container had ended. */
#include "cli/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/descriptor.h"
#include "base/file.h"
#include "base/text.h"

#define HOOK_ERROR_MAX 4096
#define LOOK_MS        10 /* podman takes longer from the hook's end to its own */

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

static void watch(const struct bundle *bundle, int podman_fd)
{
	for (;;) {
		int ended = poll(&(struct pollfd){.fd = podman_fd, .events = POLLIN}, 1, LOOK_MS);
		if (ended < 0 && errno != EINTR)
			return;
		/* The hook fails before it writes container.id or removes it again. */
		if (error_show(bundle) || faccessat(bundle->fd, BUNDLE_CONTAINER_ID, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return;
		if (ended > 0) {
			refusal_show(bundle);
			return;
		}
	}
}

/* Keeps 2 and our two descriptors; nobody waits for us on a pipe. */
static void descriptors_settle(struct bundle *bundle, int *podman_fd)
{
	int kept[2] = {bundle->fd, *podman_fd};
	if (descriptor_arrange(kept, 2, 3) || close_range(5, ~0u, 0))
		_exit(1);
	close(0);
	close(1);
	bundle->fd = 3;
	*podman_fd = 4;
}

void monitor_start(const struct bundle *bundle)
{
	cleanup_fd int podman_fd = pidfd_open(getpid(), 0);
	if (podman_fd < 0)
		return;
	pid_t child = fork();
	if (child < 0)
		return;
	if (child == 0) {
		if (fork() == 0) {
			struct bundle own = *bundle;
			prctl(PR_SET_NAME, "shield-monitor");
			descriptors_settle(&own, &podman_fd);
			watch(&own, podman_fd);
		}
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}
