/* DNS over TLS with a server that has a good certificate and bad manners, or none at all: a scripted one, whose script is chosen by the first label of the name that is asked.
 * Whatever it does costs its question, and nothing is ever asked in the clear: the rig's scripted upstream listens for that on the same port number by UDP and by TCP.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "dns/message.h"
#include "state/control.h"
#include "support/certificates.h"
#include "support/rig.h"

#define ANSWER_MS      12000
#define PATIENCE_S     10 /* of the server, so that no test hangs */
#define FLOOD          3000
#define ATTEMPTS       4 /* PENDING_ATTEMPTS */
#define OPTION_PAD     12
#define SERVER_ADDRESS "127.0.0.9"

static struct rig rig;
static uint8_t reply[MESSAGE_MAX];

static struct {
	pthread_t thread;
	SSL_CTX *context;
	int listener;
	bool mute; /* it takes connections, and says nothing on them */
	bool stop; /* atomic, like the numbers */
	unsigned connections, questions;
	/* of the last question */
	size_t length;
	unsigned padding; /* octets in its option; 0: none */
	char name[256];   /* that was asked for by SNI */
	bool has_alpn;
} server;

/* ---- the server ---- */

static unsigned connections(void)
{
	return __atomic_load_n(&server.connections, __ATOMIC_SEQ_CST);
}

static unsigned questions(void)
{
	return __atomic_load_n(&server.questions, __ATOMIC_SEQ_CST);
}

static bool octets_read(SSL *ssl, uint8_t *to, size_t length)
{
	for (size_t have = 0; have < length;) {
		int count = SSL_read(ssl, to + have, (int)(length - have));

		if (count <= 0)
			return false;
		have += (size_t)count;
	}
	return true;
}

static void message_send(SSL *ssl, const uint8_t *wire, size_t length)
{
	uint8_t framed[2 + 1024];

	message_put16(framed, (uint16_t)length);
	memcpy(framed + 2, wire, length);
	SSL_write(ssl, framed, (int)(length + 2));
}

static void question_look(const uint8_t *query, size_t length)
{
	size_t at = message_name_skip(query, length, MESSAGE_HEADER) + 4;
	struct message_record opt;

	server.length = length;
	server.padding = 0;
	if (message_record_read(query, length, at, &opt) != length || opt.type != TYPE_OPT || opt.data_length < 4)
		return;
	if (message_get16(query + opt.data) == OPTION_PAD && message_get16(query + opt.data + 2) == opt.data_length - 4)
		server.padding = opt.data_length;
}

/* Plays the script. Returns false to end the connection. */
static bool question_answer(SSL *ssl, const uint8_t *query, size_t length)
{
	static const uint8_t address[4] = {203, 0, 113, 7}, other[4] = {203, 0, 113, 66};
	static uint8_t answer[1024], wrong[1024];
	const char *label = (const char *)query + MESSAGE_HEADER + 1;
	size_t answer_length = rig_record(answer, rig_reply(answer, query, length, RCODE_NOERROR), 0, NULL, TYPE_A, 60, address, 4);
	size_t wrong_length = rig_record(wrong, rig_reply(wrong, query, length, RCODE_NOERROR), 0, NULL, TYPE_A, 60, other, 4);

	if (!strncmp(label, "silent", 6))
		return true;
	if (!strncmp(label, "hangup", 6))
		return false;
	if (!strncmp(label, "closing", 7) && connections() == 1)
		return false;
	if (!strncmp(label, "truncated", 9)) {
		message_put16(answer + 2, message_get16(answer + 2) | MESSAGE_TC);
	} else if (!strncmp(label, "wrongid", 7)) {
		message_put16(wrong, (uint16_t)(message_get16(wrong) + 512)); /* the same place in the pool */
		message_send(ssl, wrong, wrong_length);
	} else if (!strncmp(label, "wrongname", 9)) {
		wrong[MESSAGE_HEADER + 1] = 'x';
		message_send(ssl, wrong, wrong_length);
	} else if (!strncmp(label, "empty", 5)) {
		memcpy(wrong, "\0\0\0\5empty", 9); /* a message of none and one of five octets, and the answer, in one piece */
		message_put16(wrong + 9, (uint16_t)answer_length);
		memcpy(wrong + 11, answer, answer_length);
		SSL_write(ssl, wrong, (int)(11 + answer_length));
		return true;
	} else if (!strncmp(label, "flood", 5)) {
		for (unsigned i = 0; i < FLOOD; i++) {
			message_put16(wrong, (uint16_t)(i * 7));
			wrong[MESSAGE_HEADER + 1] = 'x';
			message_send(ssl, wrong, wrong_length);
		}
	} else if (!strncmp(label, "half", 4)) {
		SSL_write(ssl, "\xff\xff", 2);
		SSL_write(ssl, answer, (int)answer_length);
		return true;
	}
	message_send(ssl, answer, answer_length);
	return true;
}

static void connection_serve(int fd)
{
	static uint8_t query[MESSAGE_MAX];
	SSL *ssl = SSL_new(server.context);
	const unsigned char *alpn;
	unsigned alpn_length;
	uint8_t prefix[2];

	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1) {
		SSL_get0_alpn_selected(ssl, &alpn, &alpn_length);
		server.has_alpn = alpn_length == 3 && !memcmp(alpn, "dot", 3);
		snprintf(server.name, sizeof(server.name), "%s", SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) ?: "");
		while (octets_read(ssl, prefix, 2) && octets_read(ssl, query, message_get16(prefix))) {
			__atomic_add_fetch(&server.questions, 1, __ATOMIC_SEQ_CST);
			question_look(query, message_get16(prefix));
			if (!question_answer(ssl, query, message_get16(prefix)))
				break;
		}
	}
	ERR_clear_error();
	SSL_free(ssl);
}

static void *server_run(void *context)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	(void)context;
	while (!__atomic_load_n(&server.stop, __ATOMIC_SEQ_CST)) {
		struct pollfd watched = {server.listener, POLLIN, 0};
		int fd = poll(&watched, 1, 50) == 1 ? accept4(server.listener, NULL, NULL, SOCK_CLOEXEC) : -1;

		if (fd < 0)
			continue;
		__atomic_add_fetch(&server.connections, 1, __ATOMIC_SEQ_CST);
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
		if (server.mute)
			poll(&(struct pollfd){fd, POLLRDHUP, 0}, 1, PATIENCE_S * 1000); /* until the other side gives up */
		else
			connection_serve(fd);
		close(fd);
	}
	return NULL;
}

static int alpn_select(
	SSL *ssl, const unsigned char **out, unsigned char *length, const unsigned char *in, unsigned in_length, void *context)
{
	(void)ssl, (void)context;
	return SSL_select_next_proto((unsigned char **)out, length, (const unsigned char *)"\3dot", 4, in, in_length) ==
			       OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

static void server_start(int highest_version)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(RIG_UPSTREAM_PORT), .sin_addr.s_addr = inet_addr(SERVER_ADDRESS)};
	char certificate[RIG_FOLDER_MAX + 16], key[RIG_FOLDER_MAX + 16];

	snprintf(certificate, sizeof(certificate), "%s/good.pem", certificates);
	snprintf(key, sizeof(key), "%s/good.key", certificates);
	server.context = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate_chain_file(server.context, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(server.context, key, SSL_FILETYPE_PEM), 1);
	SSL_CTX_set_alpn_select_cb(server.context, alpn_select, NULL);
	SSL_CTX_set_security_level(server.context, 0);
	SSL_CTX_set_min_proto_version(server.context, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(server.context, highest_version);
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof(address)) | listen(server.listener, 16), 0);
	server.stop = false;
	server.connections = server.questions = 0;
	assert_int_equal(pthread_create(&server.thread, NULL, server_run, NULL), 0);
}

/* ---- the forwarder ---- */

/* Who is asked in the clear. Nobody is. */
static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	(void)context, (void)query, (void)length, (void)tcp, (void)out;
	return 0;
}

static void begin(int highest_version)
{
	rig_start(&rig, "allowed.test\n", "", upstream, NULL);
	snprintf(rig.settings.ca, sizeof(rig.settings.ca), "%s/ca.pem", certificates);
	rig.settings.upstreams[0] = (struct settings_upstream){.endpoint = {.port = RIG_UPSTREAM_PORT}, .tls_name = CERTIFICATES_NAME};
	assert_int_equal(addr_parse(&rig.settings.upstreams[0].endpoint.addr, SERVER_ADDRESS, strlen(SERVER_ADDRESS)), 0);
	server_start(highest_version);
	assert_string_equal(rig_forwarder(&rig), "ready");
}

static void finish(void)
{
	assert_int_equal(rig.queries, 0);
	__atomic_store_n(&server.stop, true, __ATOMIC_SEQ_CST);
	rig_stop(&rig); /* which ends the connection */
	pthread_join(server.thread, NULL);
	close(server.listener);
	SSL_CTX_free(server.context);
	server.mute = false;
}

static int ask(const char *name)
{
	return rig_ask(&rig, name, TYPE_A, ANSWER_MS, reply) > 0 ? message_get16(reply + 2) & MESSAGE_RCODE : -1;
}

static unsigned long counter(const char *name)
{
	cleanup_text struct text answer = {0};
	struct error error = {0};
	char key[64];
	const char *at;

	if (control_request(&rig.bundle, "stats", 5000, &answer, &error))
		fail_msg("%s", error.text);
	snprintf(key, sizeof(key), "\n%s ", name);
	at = strstr(answer.data, key);
	assert_non_null(at);
	return strtoul(at + strlen(key), NULL, 10);
}

static bool audit_has(const char *text)
{
	cleanup_free char *output = rig_shell(&rig, "grep -csF -- \"%s\" %s/audit.jsonl || true", text, rig.folder);

	return atoi(output) > 0;
}

/* ---- tests ---- */

static void a_question_is_padded_and_the_server_is_called_by_its_name(void **state)
{
	static const char *const names[] = {"a.allowed.test", "a-much-longer-name-than-the-other-one-is.allowed.test",
		"a123456789012345678901234567890123456789012345678901234567890.b123456789012345678901234567890123456789012345678901234567890.allowed.test"};
	static const size_t lengths[] = {128, 128, 256};

	(void)state;
	begin(TLS1_3_VERSION);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(ask(names[i]), RCODE_NOERROR);
		assert_int_equal(server.length, lengths[i]);
		assert_true(server.padding > 0);
	}
	assert_string_equal(server.name, CERTIFICATES_NAME);
	assert_true(server.has_alpn);
	finish();
}

static void what_is_not_the_answer_is_passed_over(void **state)
{
	static const uint8_t address[] = {0, 4, 203, 0, 113, 7}; /* with its length before it */
	static const char *const names[] = {"wrongid.allowed.test", "wrongname.allowed.test", "empty.allowed.test", "flood.allowed.test"};

	(void)state;
	begin(TLS1_3_VERSION);
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		unsigned long before = counter("mismatched");

		memset(reply, 0, MESSAGE_UDP_PLAIN);
		assert_int_equal(ask(names[i]), RCODE_NOERROR);
		assert_non_null(memmem(reply, MESSAGE_UDP_PLAIN, address, sizeof(address)));
		assert_true(counter("mismatched") > before);
	}
	assert_int_equal(connections(), 1);
	finish();
}

static void a_truncated_answer_is_not_asked_for_again_in_the_clear(void **state)
{
	(void)state;
	begin(TLS1_3_VERSION);
	assert_int_equal(ask("truncated.allowed.test"), RCODE_SERVFAIL);
	assert_int_equal(counter("upstream_tcp") + counter("upstream"), 0);
	assert_true(questions() <= ATTEMPTS);
	finish();
}

/* It had answered before, so it may close when it likes, and does in that very moment. */
static void what_was_under_way_when_the_server_closed_is_asked_again(void **state)
{
	(void)state;
	begin(TLS1_3_VERSION);
	assert_int_equal(ask("a.allowed.test"), RCODE_NOERROR);
	assert_int_equal(ask("closing.allowed.test"), RCODE_NOERROR);
	assert_int_equal(connections(), 2);
	assert_int_equal(questions(), 3);
	assert_false(audit_has("fails"));
	finish();
}

static void a_server_that_hangs_up_is_asked_a_few_times_and_then_held(void **state)
{
	unsigned before;

	(void)state;
	begin(TLS1_3_VERSION);
	assert_int_equal(ask("hangup.allowed.test"), RCODE_SERVFAIL);
	assert_true(connections() <= ATTEMPTS);
	assert_true(audit_has("fails: it closes connections without an answer"));
	before = connections();
	for (unsigned i = 0; i < 20; i++) { /* a workload that does not give up */
		char name[64];

		snprintf(name, sizeof(name), "hangup-%u.allowed.test", i);
		assert_int_equal(ask(name), RCODE_SERVFAIL);
	}
	assert_true(connections() - before <= 3);
	finish();
}

/* The next question goes over a new connection: the old one is taken for dead. */
static void one_that_does_not_answer_is_left(void **state, const char *name)
{
	(void)state;
	begin(TLS1_3_VERSION);
	assert_int_equal(ask("a.allowed.test"), RCODE_NOERROR);
	assert_int_equal(ask(name), RCODE_SERVFAIL);
	assert_true(questions() <= 1 + ATTEMPTS);
	assert_true(audit_has("fails: it does not answer"));
	usleep(500000); /* it is held for less */
	for (int64_t until_ms = clock_now_ms() + ANSWER_MS; ask("b.allowed.test") != RCODE_NOERROR;)
		assert_true(clock_now_ms() < until_ms);
	assert_true(connections() > 1);
	finish();
}

static void a_connection_without_answers_is_left(void **state)
{
	one_that_does_not_answer_is_left(state, "silent.allowed.test");
}

static void half_a_message_is_none(void **state)
{
	one_that_does_not_answer_is_left(state, "half.allowed.test");
}

static void a_handshake_that_does_not_come_is_not_waited_for(void **state)
{
	int64_t begun_ms;

	(void)state;
	server.mute = true;
	begin(TLS1_3_VERSION);
	begun_ms = clock_now_ms();
	assert_int_equal(ask("a.allowed.test"), RCODE_SERVFAIL);
	assert_true(clock_now_ms() - begun_ms < ANSWER_MS);
	assert_int_equal(questions(), 0);
	while (!audit_has("fails: it does not shake hands in time"))
		assert_true(clock_now_ms() - begun_ms < ANSWER_MS);
	finish();
}

static void tls_older_than_1_2_is_refused(void **state)
{
	(void)state;
	begin(TLS1_1_VERSION);
	assert_int_equal(ask("a.allowed.test"), RCODE_SERVFAIL);
	assert_int_equal(questions(), 0);
	assert_true(audit_has("fails: no TLS with it: "));
	finish();
	begin(TLS1_2_VERSION);
	assert_int_equal(ask("a.allowed.test"), RCODE_NOERROR);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_padded_and_the_server_is_called_by_its_name),
		cmocka_unit_test(what_is_not_the_answer_is_passed_over),
		cmocka_unit_test(a_truncated_answer_is_not_asked_for_again_in_the_clear),
		cmocka_unit_test(what_was_under_way_when_the_server_closed_is_asked_again),
		cmocka_unit_test(a_server_that_hangs_up_is_asked_a_few_times_and_then_held),
		cmocka_unit_test(a_connection_without_answers_is_left),
		cmocka_unit_test(half_a_message_is_none),
		cmocka_unit_test(a_handshake_that_does_not_come_is_not_waited_for),
		cmocka_unit_test(tls_older_than_1_2_is_refused),
	};
	const char *missing = rig_missing() ?: certificates_missing();

	if (missing)
		return rig_skip(missing);
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, certificates_setup, certificates_teardown);
}
