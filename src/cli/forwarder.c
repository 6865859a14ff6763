/* The forwarder of a running container, asked for itself. */
#include "cli/forwarder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "state/control.h"

/* Lines of other kinds are those of a later version. */
static void failing_read(struct forwarder_worker *worker, const char *lines)
{
	static const char word[] = "fails ";
	while (*lines && worker->failing_count < SETTINGS_UPSTREAMS_MAX) {
		char line[FORWARDER_FAILING_MAX];
		size_t length = strcspn(lines, "\n"), head = strlen(word);
		if (length > head && !strncmp(lines, word, head)) {
			snprintf(line, sizeof(line), "%.*s", (int)(length - head), lines + head);
			text_escaped(worker->failing[worker->failing_count++], FORWARDER_FAILING_MAX, line);
		}
		lines += length + (lines[length] == '\n');
	}
}

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
	failing_read(worker, answer + end);
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
