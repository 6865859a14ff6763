/* The worker without TLS. The hook starts the other one for a bundle whose servers are asked by TLS. */
#include "proxy/tls.h"

#include <errno.h>
#include <unistd.h>

int tls_new(struct tls **tls, const struct settings *settings, struct error *error)
{
	(void)tls, (void)settings;
	return error_set(error, ENOTSUP,
		"the upstream servers are to be asked by TLS, and this is the worker without it: install terok-shield again");
}

void tls_free(struct tls *tls)
{
	(void)tls;
}

struct bufferevent *tls_stream(struct tls *tls, struct event_base *base, unsigned server, int fd)
{
	(void)tls, (void)base, (void)server;
	close(fd);
	return NULL;
}

void tls_stream_end(struct bufferevent *stream)
{
	(void)stream;
}

void tls_explain(struct bufferevent *stream, char *text, size_t size)
{
	(void)stream, (void)size;
	*text = '\0';
}
