/* TLS towards upstream servers, over OpenSSL. */
#include "proxy/tls.h"

#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define RESUME_MAX_MS 3600000 /* for that long sessions are taken up again; then the certificate is looked at anew */

static const unsigned char alpn[] = {3, 'd', 'o', 't'}; /* RFC 7858 section 3.1, IANA's registry */

/* A session to be taken up again, once (RFC 8446 appendix C.4). */
struct resumption {
	SSL_SESSION *session; /* NULL: none */
	int64_t checked_ms;   /* when the server has shown its certificate */
};

struct tls {
	SSL_CTX *context;
	const struct settings *settings;
	struct resumption resumptions[SETTINGS_UPSTREAMS_MAX];
};

/* Constants of libraries, none of a server's words. */
static const char *reason_of(unsigned long code)
{
	const char *reason = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);

	return reason ? reason : "an error without a name";
}

/* Called for each session that a server offers. Returns 1: the session was taken. */
static int session_keep(SSL *ssl, SSL_SESSION *session)
{
	struct resumption *resumption = SSL_get_app_data(ssl);

	SSL_SESSION_free(resumption->session);
	resumption->session = session;
	if (!SSL_session_reused(ssl))
		resumption->checked_ms = clock_now_ms();
	return 1;
}

static int context_make(struct tls *tls)
{
	SSL_CTX *context = tls->context = SSL_CTX_new(TLS_client_method());

	if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) || SSL_CTX_set_alpn_protos(context, alpn, sizeof(alpn)))
		return -ENOMEM;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, session_keep);
	return 0;
}

int tls_new(struct tls **tls, const struct settings *settings, struct error *error)
{
	int result;

	*tls = calloc(1, sizeof(**tls));
	if (!*tls)
		return error_set(error, ENOMEM, "starting TLS: out of memory");
	(*tls)->settings = settings;
	result = context_make(*tls);
	if (result)
		result = error_set(error, -result, "starting TLS: %s", reason_of(ERR_peek_last_error()));
	else if (!SSL_CTX_load_verify_file((*tls)->context, settings->ca))
		result = error_set(error, EINVAL, "dns.ca: %s cannot be used: %s; it has to be a file of CA certificates (PEM)",
			text_escaped((char[SETTINGS_CA_MAX]){0}, SETTINGS_CA_MAX, settings->ca), reason_of(ERR_peek_error()));
	ERR_clear_error();
	if (result) {
		tls_free(*tls);
		*tls = NULL;
	}
	return result;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	for (unsigned i = 0; i < SETTINGS_UPSTREAMS_MAX; i++)
		SSL_SESSION_free(tls->resumptions[i].session);
	SSL_CTX_free(tls->context);
	free(tls);
}

/* Whom to ask for, and whose certificate to take. */
static bool name_demand(SSL *ssl, const char *name)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
}

static void session_offer(SSL *ssl, struct resumption *resumption)
{
	if (resumption->session && clock_now_ms() - resumption->checked_ms < RESUME_MAX_MS)
		SSL_set_session(ssl, resumption->session);
	SSL_SESSION_free(resumption->session);
	resumption->session = NULL;
}

struct bufferevent *tls_stream(struct tls *tls, struct event_base *base, unsigned server, int fd)
{
	struct resumption *resumption = &tls->resumptions[server];
	struct bufferevent *stream = NULL;
	SSL *ssl = SSL_new(tls->context);

	if (ssl && name_demand(ssl, tls->settings->upstreams[server].tls_name) && SSL_set_app_data(ssl, resumption)) {
		session_offer(ssl, resumption);
		stream = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE);
	}
	ERR_clear_error();
	if (!stream) {
		SSL_free(ssl);
		close(fd);
		return NULL;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(stream, 1); /* each message has its length: nothing can be cut short unseen */
	return stream;
}

void tls_stream_end(struct bufferevent *stream)
{
	SSL *ssl = bufferevent_openssl_get_ssl(stream);

	/* Nobody waits for the server's own word; without ours the session would be of no use any more. */
	SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
	if (SSL_is_init_finished(ssl))
		SSL_shutdown(ssl);
	ERR_clear_error();
	bufferevent_free(stream);
}

void tls_explain(struct bufferevent *stream, char *text, size_t size)
{
	int cause = errno; /* still that of the call which libevent has made */
	long verdict = SSL_get_verify_result(bufferevent_openssl_get_ssl(stream));
	unsigned long code = bufferevent_get_openssl_error(stream);

	if (verdict != X509_V_OK)
		snprintf(text, size, "its certificate is refused: %s", X509_verify_cert_error_string(verdict));
	else if (ERR_GET_LIB(code)) /* otherwise it is no library's: libevent adds what SSL_get_error(3) has said */
		snprintf(text, size, "no TLS with it: %s", reason_of(code));
	else
		snprintf(text, size, "it cannot be connected: %s", cause && cause != EAGAIN ? strerror(cause) : "it ends the connection");
}
