/* The control socket: what the CLI asks of a running forwarder. state/control.h has the protocol. */
#ifndef PROXY_CONTROL_H
#define PROXY_CONTROL_H

#include "proxy/proxy.h"

#define CONTROL_CLIENTS_MAX 16
#define CONTROL_IDLE_S 10

/* Takes the listening socket. NULL when there is no memory. */
struct control *control_start(struct proxy *proxy, int listen_fd);
void control_stop(struct control *control);

/* Whether nobody is connected: who is has a request on its way, or an answer to fetch. */
bool control_is_idle(const struct control *control);

/* From the outbox: the answer to one of the questions of `resolve`, as a DNS message. */
void control_reply(struct proxy *proxy, const struct client *client, const uint8_t *reply, size_t length);

/* Takes away the addresses that the policy does not allow and ends flows to them; removed is called for each of these (may be NULL). */
int control_review(struct proxy *proxy, void (*removed)(void *context, const struct addr *addr, const struct name *name), void *context, struct error *error);

/* Notes when the policy of now ends to hold, and ends flows to networks whose time is over. After each load of a policy. */
int control_ends(struct proxy *proxy, struct error *error);

/* Reads the bundle's lists again and makes the new policy the one of now, then as control_review(). On an error the old policy stays. */
int control_reload(struct proxy *proxy, void (*removed)(void *context, const struct addr *addr, const struct name *name), void *context, struct error *error);

#endif
