/* What is told of a connection that was refused: a line of the audit log, and a question to the hub, both with the container's dossier.
 *
 * Theory of operation. Neither the hub nor the dossier's file is in this process's reach (isolate.h); the supervisor has both, and is
 * spoken to in packets (state/worker.h). Where there is a file, what is to be told waits for its content, which is read anew: the
 * first that waits asks, and all that wait when the answer comes are told with it; after two seconds they are told without.
 * Nothing here blocks: a packet that the supervisor's socket does not take is a line that the hub does not get.
 *
 * The workload decides how much there is of it. BLOCKED_MAX are told in a second, the rest is counted in one line of the audit log. */
#ifndef PROXY_BLOCKED_H
#define PROXY_BLOCKED_H

#include <stdbool.h>
#include <stdint.h>

#include "fw/packet_log.h"
#include "policy/name.h"

#define BLOCKED_MAX 20

struct blocked;
struct proxy;

struct blocked_connection {
	struct packet_record record;
	const struct name *name; /* whose address it went to; borrowed; NULL: none is known */
	uint64_t count;          /* attempts that the line of the audit log stands for */
	bool is_audited;
	bool is_pending; /* the hub's user is asked */
};

/* herald_fd: WORKER_HERALD, -1 when there is none. Reads what the bundle has for it. NULL when there is no memory. */
struct blocked *blocked_start(struct proxy *proxy, int herald_fd);
/* Tells what waits; NULL allowed. */
void blocked_stop(struct blocked *blocked);

bool blocked_has_hub(const struct blocked *blocked);
void blocked_tell(struct blocked *blocked, const struct blocked_connection *connection);

/* Once a second. */
void blocked_second(struct blocked *blocked);

#endif
