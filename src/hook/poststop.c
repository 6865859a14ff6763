/* The poststop stage. It is not needed for safety: a forwarder ends with its last container's init anyway. It only makes that orderly,
 * so it goes on where something cannot be done. Where others share the namespace, it only takes the container off their list. */
#include "hook/poststop.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "hook/forwarder.h"
#include "state/bundle.h"

#define LOCK_TIMEOUT_MS       2000
#define FORWARDER_PATIENCE_MS 2000

/* The bundle with the shield. -ENOENT when it, or the container's folder, is gone. */
static int shield_open(struct bundle *bundle, const char *path, struct error *error)
{
	cleanup_bundle struct bundle own = BUNDLE_INIT;
	struct bundle_shared shared;
	struct error unread = {0};
	int rc = bundle_open(&own, path, error);

	if (rc)
		return rc;
	rc = bundle_shared_read(&own, &shared, &unread);
	if (rc && rc != -ENOENT)
		return error_set(error, unread.code, "%s", unread.text);
	return bundle_open(bundle, rc ? path : shared.path, error);
}

static void shield_end(const struct bundle *bundle, const struct bundle_runtime *runtime)
{
	cleanup_fd int proxy_fd = bundle_process_open(runtime->proxy_pid, runtime->proxy_start);

	if (proxy_fd >= 0)
		forwarder_end(proxy_fd, FORWARDER_PATIENCE_MS);
	bundle_remove(bundle, BUNDLE_RUNTIME, NULL);
	bundle_remove(bundle, BUNDLE_MEMBERS, NULL);
	bundle_remove(bundle, BUNDLE_CONTROL_SOCKET, NULL);
}

int poststop(const struct oci_state *state, struct error *error)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	cleanup_fd int lock_fd = -1;
	cleanup_fd int init_fd = -1;
	struct bundle_runtime runtime;
	struct bundle_members members;
	bool was_member;
	int rc;

	if (!*state->annotations.state_dir)
		return 0;
	rc = shield_open(&bundle, state->annotations.state_dir, error);
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return rc;
	lock_fd = bundle_lock(&bundle, LOCK_TIMEOUT_MS, NULL);
	if (lock_fd < 0) /* somebody may be joining */
		return 0;
	if (bundle_members_read(&bundle, &members, NULL) != 0 || bundle_runtime_read(&bundle, &runtime, NULL) != 0)
		return 0;
	was_member = bundle_members_remove(&members, state->id);
	if (members.count > 0) {
		bundle_members_write(&bundle, &members, NULL);
		return 0;
	}
	init_fd = bundle_process_open(runtime.init_pid, runtime.init_start);
	if (was_member || init_fd == -ESRCH || strcmp(runtime.container_id, state->id) == 0)
		shield_end(&bundle, &runtime);
	return 0;
}
