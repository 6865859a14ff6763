/* The forwarder of a running container, asked for itself. */
#include "cli/forwarder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "state/control.h"

int forwarder_parse(const char *answer, struct forwarder_worker *worker)
{
	unsigned kept;
	int end = 0;
	*worker = (struct forwarder_worker){0};
	if (sscanf(answer, "version %31[0-9A-Za-z.+~-]\nserial %u\nrestarts %u\nkept %u\n%n", worker->version, &worker->serial,
		    &worker->restarts, &kept, &end) != 4 ||
		!end || kept > 1) {
		*worker = (struct forwarder_worker){0};
		return -EPROTO;
	}
	worker->kept = kept;
	return 0;
}

int forwarder_ask(const struct container *container, unsigned timeout_ms, struct forwarder_worker *worker, struct error *error)
{
	cleanup_text struct text answer = {0};
	*worker = (struct forwarder_worker){0};
	int rc = control_request(&container->bundle, "worker", timeout_ms, &answer, error);
	if (rc == -EREMOTEIO) { /* "unknown request" */
		if (error)
			*error = (struct error){0};
		return 0;
	}
	if (rc)
		return rc;
	return forwarder_parse(answer.data ? answer.data : "", worker)
		       ? error_set(error, EPROTO, "the forwarder's answer is not understood")
		       : 0;
}
