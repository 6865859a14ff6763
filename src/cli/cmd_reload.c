/* reload: moves a running container's forwarder to what is installed now.
 *
 * The worker is told to finish what is under way and to end; its supervisor starts the next one. Queries, and what this program asks, wait
 * in the sockets meanwhile: so the answer to the second question is the new worker's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/container.h"
#include "cli/forwarder.h"
#include "state/control.h"

#define ASK_TIMEOUT_MS    3000
#define RETIRE_TIMEOUT_MS 3000
#define NEXT_TIMEOUT_MS   30000 /* the questions in flight, and a start that hangs and is done again from the old file */

static int worker_replace(const struct container *container, struct forwarder_worker *next, struct error *error)
{
	struct forwarder_worker old;
	int rc = forwarder_ask(container, ASK_TIMEOUT_MS, &old, error);
	if (!rc && !*old.version)
		return error_set(error, EPROTO, "the forwarder of %s cannot be replaced while it runs: restart the container",
			container->identity.container);
	if (!rc)
		rc = control_request(&container->bundle, "retire", RETIRE_TIMEOUT_MS, NULL, error);
	if (!rc)
		rc = forwarder_ask(container, NEXT_TIMEOUT_MS, next, error);
	if (rc)
		return error_prefix(error, "the forwarder of %s was not replaced; the rules hold", container->identity.container);
	if (next->kept || next->serial == old.serial)
		return error_set(error, EIO,
			"the installed forwarder does not start, %s goes on with the one it had; see `terok-shield logs --container %s`",
			container->identity.container, container->identity.container);
	return 0;
}

enum command_exit cmd_reload(const struct command_options *options, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	struct forwarder_worker next = {0};
	if (container_open(&container, options, error))
		return COMMAND_FAILED;
	if (!container.running) {
		error_set(error, ESRCH, "%s does not run; its next start is with what is installed then", container.identity.container);
		return COMMAND_FAILED;
	}
	if (worker_replace(&container, &next, error))
		return COMMAND_FAILED;
	container_audit(&container, "note", NULL, "the forwarder was replaced by the installed one");
	printf("Reloaded %s: the forwarder is version %s\n", container.identity.container, next.version);
	return COMMAND_DONE;
}
