/* The upstream: one process, datagrams read and answered in batches, so that it is never what is measured. */
#include "stub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "dns/message.h"
#include "fw/netns.h"

#define BATCH       64
#define QUERY_MAX   512
#define ANSWER_MAX  1024
#define CONNECTIONS 64 /* by TCP, at once */
#define TTL_S       600
#define SOCKETS     4

struct connection {
	int fd;
	size_t used;
	uint8_t octets[8192];
};

struct stub {
	int sockets[SOCKETS]; /* UDP and TCP here, UDP and TCP there */
	int epoll;
	struct connection connections[CONNECTIONS];
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_vectors[BATCH], out_vectors[BATCH];
	struct sockaddr_in addresses[BATCH];
	uint8_t queries[BATCH][QUERY_MAX], answers[BATCH][ANSWER_MAX];
};

/* The number in a name of ours; other names get number 0. */
static uint32_t number_read(const uint8_t *label)
{
	uint32_t number = 0;

	for (unsigned i = 2; label[0] == BENCH_DIGITS + 1 && i < BENCH_DIGITS + 2; i++)
		number = number * 10 + (uint32_t)(label[i] - '0') % 10;
	return number;
}

/* Returns the answer's length, 0 for what is no query. */
static size_t stub_answer(const uint8_t *query, size_t length, uint8_t *out)
{
	size_t end = length < MESSAGE_HEADER ? 0 : message_name_skip(query, length, MESSAGE_HEADER);
	bool many, v6;
	unsigned count;
	uint16_t type;

	if (!end || length < end + 4)
		return 0;
	type = message_get16(query + end);
	many = (query[MESSAGE_HEADER + 1] | 0x20) == 'm';
	v6 = type == TYPE_AAAA;
	count = type != TYPE_A && !v6 ? 0 : many ? BENCH_ADDRESSES_MANY : 1;
	end += 4;
	memcpy(out, query, end);
	message_put16(out + 2, MESSAGE_QR | MESSAGE_RD | MESSAGE_RA);
	message_put16(out + 6, (uint16_t)count);
	memset(out + 8, 0, 4);
	for (unsigned i = 0; i < count; i++) {
		struct addr addr = bench_address(many, v6, number_read(query + MESSAGE_HEADER), i);
		size_t size = v6 ? 16 : 4;

		message_put16(out + end, 0xc000 | MESSAGE_HEADER);
		message_put16(out + end + 2, type);
		message_put16(out + end + 4, MESSAGE_CLASS_IN);
		message_put32(out + end + 6, TTL_S);
		message_put16(out + end + 10, (uint16_t)size);
		memcpy(out + end + 12, addr.octets, size);
		end += 12 + size;
	}
	return end;
}

static void udp_serve(struct stub *stub, int fd)
{
	int received, count = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		stub->in_vectors[i] = (struct iovec){stub->queries[i], QUERY_MAX};
		stub->in[i].msg_hdr = (struct msghdr){.msg_name = &stub->addresses[i],
			.msg_namelen = sizeof(stub->addresses[i]),
			.msg_iov = &stub->in_vectors[i],
			.msg_iovlen = 1};
	}
	received = recvmmsg(fd, stub->in, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < received; i++) {
		size_t length = stub_answer(stub->queries[i], stub->in[i].msg_len, stub->answers[count]);

		if (!length)
			continue;
		stub->out_vectors[count] = (struct iovec){stub->answers[count], length};
		stub->out[count].msg_hdr = (struct msghdr){.msg_name = &stub->addresses[i],
			.msg_namelen = sizeof(stub->addresses[i]),
			.msg_iov = &stub->out_vectors[count],
			.msg_iovlen = 1};
		count++;
	}
	for (int sent = 0; sent < count;) {
		int result = sendmmsg(fd, stub->out + sent, (unsigned)(count - sent), 0);

		sent += result > 0 ? result : 1; /* whoever asked has gone */
	}
}

static void connection_close(struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
}

static void tcp_accept(struct stub *stub, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (unsigned i = 0; i < CONNECTIONS && fd >= 0; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = SOCKETS + i};

		if (stub->connections[i].fd >= 0)
			continue;
		stub->connections[i].fd = fd;
		stub->connections[i].used = 0;
		epoll_ctl(stub->epoll, EPOLL_CTL_ADD, fd, &event);
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void tcp_serve(struct connection *connection)
{
	ssize_t received =
		recv(connection->fd, connection->octets + connection->used, sizeof(connection->octets) - connection->used, MSG_DONTWAIT);
	size_t at = 0, length;
	uint8_t answer[2 + ANSWER_MAX];

	if (received <= 0) {
		connection_close(connection);
		return;
	}
	connection->used += (size_t)received;
	while (connection->used - at >= 2 && connection->used - at - 2 >= (length = message_get16(connection->octets + at))) {
		size_t answered = stub_answer(connection->octets + at + 2, length, answer + 2);

		message_put16(answer, (uint16_t)answered);
		if (!answered || send(connection->fd, answer, answered + 2, MSG_NOSIGNAL) < 0) {
			connection_close(connection);
			return;
		}
		at += 2 + length;
	}
	memmove(connection->octets, connection->octets + at, connection->used - at);
	connection->used -= at;
}

static void __attribute__((noreturn)) stub_run(struct stub *stub)
{
	struct epoll_event events[BATCH];

	for (;;) {
		int count = epoll_wait(stub->epoll, events, BATCH, -1);

		for (int i = 0; i < count; i++) {
			uint32_t which = events[i].data.u32;

			if (which >= SOCKETS)
				tcp_serve(&stub->connections[which - SOCKETS]);
			else if (which % 2)
				tcp_accept(stub, stub->sockets[which]);
			else
				udp_serve(stub, stub->sockets[which]);
		}
	}
}

/* A UDP and a TCP socket in the namespace of the calling thread. */
static int sockets_open(void *context, struct error *error)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(BENCH_UPSTREAM_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
	int *sockets = context;

	for (unsigned i = 0; i < 2; i++) {
		sockets[i] = socket(AF_INET, types[i] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (sockets[i] < 0 || bind(sockets[i], (struct sockaddr *)&address, sizeof(address)) ||
			(i && listen(sockets[i], CONNECTIONS)))
			return error_errno(error, errno, "the stub's sockets");
	}
	return 0;
}

pid_t stub_start(int other_netns_fd)
{
	struct stub *stub = calloc(1, sizeof(*stub));
	struct error error = {0};
	pid_t pid;

	if (!stub || sockets_open(stub->sockets, &error) || netns_run(other_netns_fd, sockets_open, stub->sockets + 2, &error))
		bench_die("stub: %s", error.text);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, "bench-stub");
		stub->epoll = epoll_create1(EPOLL_CLOEXEC);
		for (uint32_t i = 0; i < SOCKETS; i++) {
			struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

			epoll_ctl(stub->epoll, EPOLL_CTL_ADD, stub->sockets[i], &event);
		}
		for (unsigned i = 0; i < CONNECTIONS; i++)
			stub->connections[i].fd = -1;
		stub_run(stub);
	}
	for (unsigned i = 0; i < SOCKETS; i++)
		close(stub->sockets[i]);
	free(stub);
	return pid;
}
