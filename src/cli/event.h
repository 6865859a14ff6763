/* Events of a container, as its forwarder tells them: one JSON object a line (docs/json.md, watch). */
#ifndef CLI_EVENT_H
#define CLI_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "policy/name.h"

enum event_kind {
	EVENT_REFUSED,  /* a question that was answered with a refusal: domain, query_type, detail */
	EVENT_LEARNED,  /* an address of a name that may now be reached: domain, dest */
	EVENT_RENEWED,  /* ... for longer */
	EVENT_EXPIRED,  /* ... no longer */
	EVENT_BLOCKED,  /* a connection that nothing allows: dest, port, proto */
	EVENT_DENIED,   /* ... that something denies */
	EVENT_PRIVATE,  /* ... to a private range */
	EVENT_REACHED,  /* ... that is allowed, the first of its kind */
	EVENT_BYPASSED, /* ... that only the bypass lets pass */
	EVENT_AUDIT,    /* a record of the audit log: action, dest, detail */
	EVENT_LOST,     /* events that did not come: count; detail says where */
	EVENT_HELLO,    /* the first of each worker: detail is its version */
	EVENT_ENDED,    /* the last: the container has ended. The reader makes it himself, since nobody else is left to */
	EVENT_OTHER,    /* of a version that knows more */
};

/* Everything in it is printable ASCII: what else a string has is shown as text_escaped() does. "" and 0 where a member is absent. */
struct event {
	enum event_kind kind;
	char time[32]; /* as in the audit log */
	char source[16], action[32];
	char container[132];
	char domain[NAME_TEXT_MAX];
	char query_type[16];
	char dest[264]; /* an address; of an audit record whatever was named */
	char detail[512];
	char proto[16];
	uint16_t port;
	uint64_t count; /* at least 1 */
	uint64_t lifetime_s, seq;
};

/* Reads a line. -EINVAL for what is no object, or has a known member of another type, or no source and action; unknown members are passed over. */
int event_parse(struct event *event, const char *line, struct error *error);

/* Whether it is about something that did not get through. */
bool event_is_refusal(const struct event *event);

/* "192.0.2.1:443/tcp", "[2001:db8::1]:443/udp", "192.0.2.1 icmp", "192.0.2.1". Returns text. */
#define EVENT_PEER_MAX 320
const char *event_peer(char text[EVENT_PEER_MAX], const char *dest, uint16_t port, const char *proto);

#endif
