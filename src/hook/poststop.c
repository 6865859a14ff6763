/* The poststop stage. It is not needed for safety: a forwarder ends with its container's init anyway. It only makes that orderly,
 * so it goes on where something cannot be done. */
#include "hook/poststop.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "hook/forwarder.h"
#include "state/bundle.h"

#define LOCK_TIMEOUT_MS       2000
#define FORWARDER_PATIENCE_MS 2000

int poststop(const struct oci_state *state, struct error *error)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	cleanup_fd int lock_fd = -1;
	cleanup_fd int proxy_fd = -1;
	struct bundle_runtime runtime;
	int rc;

	if (!*state->annotations.state_dir)
		return 0;
	rc = bundle_open(&bundle, state->annotations.state_dir, error);
	if (rc == -ENOENT)
		return 0;
	if (rc)
		return rc;
	lock_fd = bundle_lock(&bundle, LOCK_TIMEOUT_MS, NULL);
	if (bundle_runtime_read(&bundle, &runtime, NULL) != 0 || strcmp(runtime.container_id, state->id) != 0)
		return 0;
	proxy_fd = bundle_process_open(runtime.proxy_pid, runtime.proxy_start);
	if (proxy_fd >= 0)
		forwarder_end(proxy_fd, FORWARDER_PATIENCE_MS);
	bundle_remove(&bundle, BUNDLE_RUNTIME, NULL);
	bundle_remove(&bundle, BUNDLE_CONTROL_SOCKET, NULL);
	return 0;
}
