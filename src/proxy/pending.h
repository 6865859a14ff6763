/* Questions in flight: one for all who ask the same, with the exchange with the upstream servers. */
#ifndef PROXY_PENDING_H
#define PROXY_PENDING_H

#include "dns/question.h"
#include "proxy/proxy.h"

#define PENDING_MAX 512	      /* questions in flight */
#define PENDING_CLIENTS_MAX 2048 /* clients that wait, in all */
#define PENDING_ATTEMPTS 4    /* messages sent for one question, over all servers */
#define PENDING_TIMEOUT_MS 1200 /* for each */

/* A client that waits; its question as it asked it (id, spelling, flags, EDNS). */
struct waiting {
	struct waiting *next;
	struct client client;
	struct question question;
};

struct pending;

/* The question that went upstream: name, type, DO and CD. */
const struct question *pending_question(const struct pending *pending);
const struct waiting *pending_waiting(const struct pending *pending);

struct pendings *pendings_new(struct proxy *proxy);
void pendings_free(struct pendings *pendings);

/* Asks upstream for client, or lets it wait with others that ask the same. Returns 0; -EBUSY when PENDING_MAX or PENDING_CLIENTS_MAX is reached. The answer comes
 * through query_answered() or query_failed(), before this returns when nothing could be sent, and so always through the outbox. */
int pending_ask(struct proxy *proxy, const struct client *client, const struct question *question);

/* At the end of each turn of the loop, when the replies are out: makes ready what the next questions need. */
void pendings_tidy(struct proxy *proxy);

/* Once a second: looks at the host's resolv.conf, and at the links. */
void pendings_refresh(struct proxy *proxy);

size_t pendings_count(const struct pendings *pendings);
/* How many further clients pending_ask() takes at least, whatever they ask. */
size_t pendings_room(const struct pendings *pendings);

/* How a server of the settings that is asked by TLS has failed last; NULL when it has answered since. */
const char *pendings_failure(const struct pendings *pendings, unsigned server);

#endif
