/* The forwarder of a running container, asked for itself. */
#ifndef CLI_FORWARDER_H
#define CLI_FORWARDER_H

#include "cli/container.h"

#define FORWARDER_FAILING_MAX 640 /* octets, with the NUL */

/* Its worker, as it says; all zero when it is of a version that does not know the question. */
struct forwarder_worker {
	char version[32];
	unsigned serial;   /* workers before this one */
	unsigned restarts; /* of these, how many because the one before had died or hung */
	bool kept;         /* what is installed did not start, this is the one from before */
	/* Upstream servers by TLS that have not answered since they failed: "SERVER REASON", escaped. */
	char failing[SETTINGS_UPSTREAMS_MAX][FORWARDER_FAILING_MAX];
	size_t failing_count;
};

/* Errors: those of control_request(): there is no supervisor, or no worker that answers in time. While one is being started again the
 * question waits for it. */
int forwarder_ask(const struct container *container, unsigned timeout_ms, struct forwarder_worker *worker, struct error *error);

/* What the worker answered to `worker`. -EPROTO for anything else. */
int forwarder_parse(const char *answer, struct forwarder_worker *worker);

#endif
