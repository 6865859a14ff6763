/* TLS towards upstream servers (RFC 7858, the strict profile of RFC 8310): the one part of the worker that needs a TLS library.
 *
 * Two files fill this in, and a program has one of them: tls.c, over OpenSSL, in terok-shield-proxy-tls; tls_none.c, which refuses, in
 * terok-shield-proxy. So a worker whose servers are asked in the clear is not made heavier or easier to attack by what it does not use. (Debian's
 * ldns is linked with OpenSSL, so the library is there all the same; nothing calls it.)
 */
#ifndef PROXY_TLS_H
#define PROXY_TLS_H

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/error.h"
#include "policy/settings.h"

struct tls;

/* Reads the CAs; later no file is needed. settings: borrowed, for the servers' names. */
int tls_new(struct tls **tls, const struct settings *settings, struct error *error);
void tls_free(struct tls *tls);

/* A stream over a socket that is being connected to the settings' server of that index. It says BEV_EVENT_CONNECTED when the server has shown a
 * certificate for its name that one of the CAs answers for, and an error when not; nothing written to it leaves before. Takes fd.
 * NULL without memory. */
struct bufferevent *tls_stream(struct tls *tls, struct event_base *base, unsigned server, int fd);

/* Frees it and closes its socket; the server is told, where it can be. */
void tls_stream_end(struct bufferevent *stream);

/* Why the stream has said that there was an error, in words of this program and its libraries, none of the server's. */
void tls_explain(struct bufferevent *stream, char *text, size_t size);

#endif
