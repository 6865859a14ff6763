/* Replies on their way out. */
#include "proxy/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "dns/reply.h"
#include "proxy/control.h"
#include "proxy/listen.h"

#define LETTERS_MAX 256
#define ROOM (MESSAGE_MAX + 64u)
#define OCTETS (ROOM * 4u)

struct letter {
	struct client client;
	size_t offset, length;
	bool staged, failed;
	/* what a SERVFAIL needs; the reply holds the rest */
	bool edns, dnssec_ok;
	uint8_t name_length;
};

struct outbox {
	struct letter letters[LETTERS_MAX];
	unsigned count;
	size_t used;
	bool staged; /* some letter is */
	struct mmsghdr messages[LETTERS_MAX];
	struct iovec vectors[LETTERS_MAX];
	uint8_t octets[OCTETS];
};

struct outbox *outbox_new(void)
{
	return calloc(1, sizeof(struct outbox));
}

void outbox_free(struct outbox *outbox)
{
	free(outbox);
}

uint8_t *outbox_reserve(struct proxy *proxy, unsigned *owner)
{
	struct outbox *outbox = proxy->outbox;

	if (outbox->count == LETTERS_MAX || OCTETS - outbox->used < ROOM)
		outbox_flush(proxy);
	*owner = outbox->count;
	return outbox->octets + outbox->used;
}

void outbox_add(struct proxy *proxy, const struct client *client, const struct question *question, size_t length, bool staged)
{
	struct outbox *outbox = proxy->outbox;
	struct letter *letter = &outbox->letters[outbox->count++];

	letter->client = *client;
	letter->offset = outbox->used;
	letter->length = length;
	letter->staged = staged;
	letter->failed = false;
	letter->edns = question->edns;
	letter->dnssec_ok = question->dnssec_ok;
	letter->name_length = question->has_name ? question->name.length : 0;
	outbox->used += length;
	outbox->staged |= staged;
}

void outbox_lease_failed(void *context, unsigned owner, int error)
{
	struct proxy *proxy = context;

	proxy->outbox->letters[owner].failed = true;
	proxy->counters[COUNT_SET_FAILURES]++;
	proxy_fault(proxy, error == -ENOENT ? "the kernel's table is gone: an answer was withheld" : "the kernel refused an address: an answer was withheld");
}

/* Makes a SERVFAIL of a reply: header and question stay, counts and flags are set anew. */
static void letter_fail(struct outbox *outbox, struct letter *letter)
{
	uint8_t *reply = outbox->octets + letter->offset;
	struct question question = {
		.id = message_get16(reply),
		.has_name = true,
		.edns = letter->edns,
		.dnssec_ok = letter->dnssec_ok,
		.recursion = message_get16(reply + 2) & MESSAGE_RD,
		.checking_disabled = message_get16(reply + 2) & MESSAGE_CD,
	};
	uint8_t small[MESSAGE_UDP_PLAIN + REPLY_EDE_TEXT_MAX];
	size_t length;

	if (!letter->length)
		return;
	question.name.length = letter->name_length;
	memcpy(question.asked, reply + MESSAGE_HEADER, letter->name_length);
	question.type = message_get16(reply + MESSAGE_HEADER + letter->name_length);
	question.class = message_get16(reply + MESSAGE_HEADER + letter->name_length + 2);
	length = reply_error(&question, RCODE_SERVFAIL, EDE_OTHER, "terok-shield: the address could not be admitted to the firewall", small);
	if (length > letter->length) /* the replies stand close together: then without the explanation */
		length = reply_error(&question, RCODE_SERVFAIL, EDE_NONE, NULL, small);
	if (length > letter->length) {
		question.edns = false;
		length = reply_error(&question, RCODE_SERVFAIL, EDE_NONE, NULL, small);
	}
	memcpy(reply, small, length);
	letter->length = length;
}

/* Sends all replies by UDP that leave through one listener. What the socket does not take is lost, as UDP is. */
static void send_udp(struct proxy *proxy, unsigned listener)
{
	struct outbox *outbox = proxy->outbox;
	unsigned count = 0, sent = 0;

	for (unsigned i = 0; i < outbox->count; i++) {
		struct letter *letter = &outbox->letters[i];

		if (letter->client.kind != CLIENT_UDP || letter->client.udp.listener != listener || !letter->length)
			continue;
		outbox->vectors[count] = (struct iovec){outbox->octets + letter->offset, letter->length};
		outbox->messages[count].msg_hdr = (struct msghdr){
			.msg_name = &letter->client.udp.address,
			.msg_namelen = letter->client.udp.address_length,
			.msg_iov = &outbox->vectors[count],
			.msg_iovlen = 1,
		};
		count++;
	}
	while (sent < count) {
		int result = sendmmsg(listen_udp_fd(proxy->listen, listener), outbox->messages + sent, count - sent, MSG_DONTWAIT);

		if (result > 0)
			sent += (unsigned)result;
		else if (errno != EINTR)
			sent++; /* this one cannot be sent (no buffer, or the client is gone): the next may */
	}
}

/* The kernel has acknowledged, or refused. */
static void sets_measure(struct proxy *proxy)
{
	const struct outbox *outbox = proxy->outbox;
	int64_t duration_ns = clock_now_ns() - proxy_turn_ns(proxy);

	for (unsigned i = 0; i < outbox->count; i++)
		if (outbox->letters[i].staged && !outbox->letters[i].failed)
			latency_add(&proxy->latencies[DURATION_SET], duration_ns);
}

/* The replies are sent. What was answered in the turn in which it came needed nobody. */
static void answers_measure(struct proxy *proxy)
{
	const struct outbox *outbox = proxy->outbox;
	int64_t now_ns = clock_now_ns(), turn_ns = proxy_turn_ns(proxy);

	for (unsigned i = 0; i < outbox->count; i++) {
		const struct client *client = &outbox->letters[i].client;

		if (client->kind == CLIENT_UDP || client->kind == CLIENT_TCP)
			latency_add(&proxy->latencies[client->asked_ns == turn_ns ? DURATION_LOCAL : DURATION_UPSTREAM], now_ns - client->asked_ns);
	}
}

void outbox_flush(struct proxy *proxy)
{
	struct outbox *outbox = proxy->outbox;

	if (!outbox->count)
		return;
	leases_commit(proxy->leases); /* also what was staged for an answer that then was withheld: nothing stays in the writer */
	if (outbox->staged)
		sets_measure(proxy);
	for (unsigned i = 0; i < outbox->count; i++)
		if (outbox->letters[i].failed)
			letter_fail(outbox, &outbox->letters[i]);
	for (unsigned i = 0; i < LISTEN_UDP_COUNT; i++)
		send_udp(proxy, i);
	for (unsigned i = 0; i < outbox->count; i++) {
		struct letter *letter = &outbox->letters[i];

		if (letter->client.kind == CLIENT_TCP && letter->length)
			listen_tcp_send(proxy, &letter->client, outbox->octets + letter->offset, letter->length);
		else if (letter->client.kind == CLIENT_CONTROL)
			control_reply(proxy, &letter->client, outbox->octets + letter->offset, letter->length);
	}
	answers_measure(proxy);
	outbox->count = 0;
	outbox->used = 0;
	outbox->staged = false;
}
