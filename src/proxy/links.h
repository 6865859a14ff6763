/* Links: the connections to upstream servers by TLS (RFC 7858), one for each server, kept and shared by all questions.
 *
 * Theory of operation. A link is
 *
 *	closed		until somebody wants to ask its server.
 *	connecting	TCP and TLS shake hands. Nothing is written to it: not before the server's certificate was found good (tls.h) does anybody's
 *			question go anywhere.
 *	open		questions go out as they come, answers come in any order. The server may close it whenever it likes, and
 *			does when it was idle (RFC 7766 section 6.2.3): it is closed then, what was under way is asked again.
 *	held		it has failed: it could not be connected within LINK_CONNECT_MS, its certificate was refused, an answer did not come in time and
 *			nothing else did, it ended before it brought one answer. For LINK_HOLD_FIRST_MS, twice as long each time up to
 *			LINK_HOLD_MAX_MS, nobody tries again: a workload that asks and asks is not to make us knock and knock. Then
 *			it is closed. The first answer ends the count.
 *
 * An open link without a question for LINK_IDLE_S is closed from here, before something on the way forgets it.
 *
 * The threat. The server was named by the user and has proved its name; what is between may read lengths and times, and cut the
 * connection. There is no other way to a server than this: a link that is held is an answer that is not given. What comes is a message of 65,535
 * octets at most, kept once for all links; what waits to be written is LINK_WAITING_MAX octets at most. The owner matches messages to questions.
 */
#ifndef PROXY_LINKS_H
#define PROXY_LINKS_H

#include <event2/event.h>

#include "policy/settings.h"
#include "proxy/tls.h"

#define LINK_CONNECT_MS    4000
#define LINK_HOLD_FIRST_MS 250
#define LINK_HOLD_MAX_MS   4000
#define LINK_IDLE_S        30
#define LINK_WAITING_MAX   (256u << 10)
#define LINK_REASON_MAX    160

struct links_owner {
	void (*opened)(void *context, unsigned server); /* what waited for it can be sent */
	void (*received)(void *context, unsigned server, const uint8_t *wire, size_t length);
	/* It has ended: whatever was sent by it, or waited for it, has no answer. failed: the server is held. */
	void (*lost)(void *context, unsigned server, bool failed);
	/* Why the server is not asked from now on; NULL: it has answered again. */
	void (*told)(void *context, unsigned server, const char *reason);
};

struct links;

/* settings, tls and owner: borrowed. mark: SO_MARK for each socket, 0 for none. NULL without memory. */
struct links *links_new(struct event_base *base, const struct settings *settings, uint32_t mark, struct tls *tls,
	const struct links_owner *owner, void *context);
void links_free(struct links *links);

/* Wants to ask a server. Returns 0 when its link is open; -EINPROGRESS when owner->opened() or owner->lost() will be called; -EHOSTDOWN when it is held; another
 * negative errno when there is nothing to connect with. Calls nothing of the owner's but told(). */
int link_want(struct links *links, unsigned server);

/* Sends a message by a link that is open. -ENOBUFS when the server does not take what was sent before. */
int link_send(struct links *links, unsigned server, const uint8_t *wire, size_t length);

/* What was sent at sent_ms (clock_now_ms()) has had no answer in time: where nothing at all came since, the link is taken for dead. */
void link_doubt(struct links *links, unsigned server, int64_t sent_ms);

/* Once a second: ends what connects for too long, or is idle. */
void links_second(struct links *links);

/* How the server has failed last; NULL when it has answered since. */
const char *link_reason(const struct links *links, unsigned server);

#endif
