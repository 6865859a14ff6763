/* The client.
 *
 * Theory of operation. A window of `in_flight` slots; a slot that is free asks the next name, its number stands in the low bits of the id. What was received together is
 * answered together with the next names, in one sendmmsg() or one segment, as the traffic of many programs would be. With one in flight each answer's addresses are looked up before the next name is
 * asked, by a netlink socket of the client's own; the clock stops before that. A slot without an answer for LOST_MS counts as lost and is used again.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "candidate.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "fw/setwriter.h"

#define WINDOW_MAX     64
#define LOST_MS        3000
#define MESSAGE_ROOM   1500
#define CHECKED_AT_END 200

struct slot {
	bool busy;
	uint16_t id;
	uint32_t number;
	uint64_t sent_ns;
};

struct client {
	const struct load *load;
	struct load_result *result;
	struct setwriter *writer;
	int fd;
	struct slot slots[WINDOW_MAX];
	uint16_t generation;
	uint32_t asked; /* names so far */
	unsigned in_flight;
	size_t pending_length; /* TCP: octets received and not yet used */
	uint8_t pending[65536];
	struct mmsghdr messages[WINDOW_MAX];
	struct iovec vectors[WINDOW_MAX];
	uint8_t octets[WINDOW_MAX][MESSAGE_ROOM];
};

struct load_result *load_result_new(void)
{
	void *memory = mmap(NULL, sizeof(struct load_result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static size_t query_write(const struct load *load, uint16_t id, uint32_t number, uint8_t *out)
{
	static const uint8_t allowed[] = "\5bench\4test", blocked[] = "\7blocked\4test"; /* the closing zero octet is the root */
	static const uint8_t opt[] = {0, 0, TYPE_OPT, 0x04, 0xd0, 0, 0, 0, 0, 0, 0};
	bool refused = load->names == LOAD_REFUSED;
	size_t suffix = refused ? sizeof(blocked) : sizeof(allowed), length = MESSAGE_HEADER;

	memset(out, 0, MESSAGE_HEADER);
	message_put16(out, id);
	message_put16(out + 2, MESSAGE_RD);
	out[5] = out[11] = 1;
	out[length] = BENCH_DIGITS + 1;
	out[length + 1] = refused ? 'x' : load->many ? 'm' : 'a';
	for (unsigned i = 0; i < BENCH_DIGITS; i++, number /= 10)
		out[length + 1 + BENCH_DIGITS - i] = (uint8_t)('0' + number % 10);
	length += BENCH_DIGITS + 2;
	memcpy(out + length, refused ? blocked : allowed, suffix);
	length += suffix;
	message_put16(out + length, load->v6 ? TYPE_AAAA : TYPE_A);
	message_put16(out + length + 2, MESSAGE_CLASS_IN);
	memcpy(out + length + 4, opt, sizeof(opt));
	return length + 4 + sizeof(opt);
}

/* Only what costs no time to see: the rcode and how many records there are. The set is what is really checked. */
static bool answer_is_right(const struct load *load, const uint8_t *answer, size_t length)
{
	unsigned rcode, count;

	if (length < MESSAGE_HEADER)
		return false;
	rcode = answer[3] & MESSAGE_RCODE;
	count = message_get16(answer + 6);
	if (load->names == LOAD_REFUSED)
		return rcode != RCODE_SERVFAIL && !count;
	return rcode == RCODE_NOERROR && count >= (load->many ? BENCH_ADDRESSES_MANY : 1);
}

static uint32_t number_of(const struct load *load, uint32_t nth)
{
	return load->first + (load->names == LOAD_CACHED ? nth % LOAD_CACHED_NAMES : nth);
}

static void addresses_check(struct client *client, uint32_t number)
{
	for (unsigned i = 0; i < (client->load->many ? BENCH_ADDRESSES_MANY : 1u); i++) {
		struct setwriter_key key = {.addr = bench_address(client->load->many, client->load->v6, number, i)};
		bool found = false;

		client->result->checked++;
		if (setwriter_get(client->writer, &key, &found, NULL) || !found)
			client->result->missing++;
	}
}

/* Fills the free slots and sends what they ask. more: whether new names may be begun. */
static void window_fill(struct client *client, bool more)
{
	static uint8_t stream[WINDOW_MAX * (MESSAGE_ROOM + 2)];
	unsigned count = 0;
	size_t used = 0;
	uint64_t now_ns = bench_now_ns();

	for (unsigned i = 0; i < client->load->in_flight; i++) {
		struct slot *slot = &client->slots[i];
		size_t length;

		if (slot->busy && now_ns - slot->sent_ns > LOST_MS * 1000000ull) {
			client->result->lost++;
			slot->busy = false;
			client->in_flight--;
		}
		if (slot->busy || !more || client->asked >= client->load->count)
			continue;
		slot->busy = true;
		client->in_flight++;
		slot->number = number_of(client->load, client->asked++);
		slot->id = (uint16_t)(client->generation++ << 6 | i);
		slot->sent_ns = now_ns;
		length = query_write(client->load, slot->id, slot->number, client->octets[count]);
		if (client->load->tcp) {
			message_put16(stream + used, (uint16_t)length);
			memcpy(stream + used + 2, client->octets[count], length);
			used += 2 + length;
			continue;
		}
		client->vectors[count] = (struct iovec){client->octets[count], length};
		client->messages[count].msg_hdr = (struct msghdr){.msg_iov = &client->vectors[count], .msg_iovlen = 1};
		count++;
	}
	if (used && send(client->fd, stream, used, MSG_NOSIGNAL) != (ssize_t)used)
		return; /* closed: tcp_receive() finds out and asks again */
	for (unsigned sent = 0; sent < count;) {
		int result = sendmmsg(client->fd, client->messages + sent, count - sent, 0);

		sent += result > 0 ? (unsigned)result : 1; /* one that could not be sent is lost */
	}
}

static void answer_take(struct client *client, const uint8_t *answer, size_t length, uint64_t now_ns)
{
	struct slot *slot;

	if (length < MESSAGE_HEADER)
		return;
	slot = &client->slots[message_get16(answer) % WINDOW_MAX];
	if (!slot->busy || slot->id != message_get16(answer))
		return;
	slot->busy = false;
	client->in_flight--;
	if (!answer_is_right(client->load, answer, length)) {
		client->result->wrong++;
		return;
	}
	client->result->samples_ns[client->result->answered++] = (uint32_t)(now_ns - slot->sent_ns);
	if (client->load->check && client->load->in_flight == 1)
		addresses_check(client, slot->number);
}

static void udp_receive(struct client *client)
{
	uint64_t now_ns;
	int count;

	for (unsigned i = 0; i < WINDOW_MAX; i++) {
		client->vectors[i] = (struct iovec){client->octets[i], MESSAGE_ROOM};
		client->messages[i].msg_hdr = (struct msghdr){.msg_iov = &client->vectors[i], .msg_iovlen = 1};
	}
	count = recvmmsg(client->fd, client->messages, client->load->in_flight, MSG_WAITFORONE, NULL);
	now_ns = bench_now_ns();
	for (int i = 0; i < count; i++)
		answer_take(client, client->octets[i], client->messages[i].msg_len, now_ns);
}

static int client_connect(const struct load *load)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(53), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(load->v6 ? AF_INET6 : AF_INET, (load->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0), one = 1;
	struct timeval patience = {.tv_usec = 200000};

	if (fd < 0 || (load->v6 ? connect(fd, (struct sockaddr *)&v6, sizeof(v6)) : connect(fd, (struct sockaddr *)&v4, sizeof(v4))))
		_exit(2);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (load->tcp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* The candidate has closed the connection, as dnsmasq does after 100 queries: what is unanswered is asked again on another. */
static void tcp_again(struct client *client)
{
	uint8_t query[2 + MESSAGE_ROOM];

	close(client->fd);
	client->fd = client_connect(client->load);
	client->pending_length = 0;
	for (unsigned i = 0; i < client->load->in_flight; i++) {
		const struct slot *slot = &client->slots[i];
		size_t length;

		if (!slot->busy)
			continue;
		length = query_write(client->load, slot->id, slot->number, query + 2);
		message_put16(query, (uint16_t)length);
		(void)!send(client->fd, query, length + 2, MSG_NOSIGNAL); /* a failure shows at the next receive */
	}
}

static void tcp_receive(struct client *client)
{
	ssize_t received = recv(client->fd, client->pending + client->pending_length, sizeof(client->pending) - client->pending_length, 0);
	uint64_t now_ns = bench_now_ns();
	size_t at = 0, length;

	if (received == 0 || (received < 0 && errno != EAGAIN))
		tcp_again(client);
	if (received <= 0)
		return;
	client->pending_length += (size_t)received;
	while (client->pending_length - at >= 2 && client->pending_length - at - 2 >= (length = message_get16(client->pending + at))) {
		answer_take(client, client->pending + at + 2, length, now_ns);
		at += 2 + length;
	}
	memmove(client->pending, client->pending + at, client->pending_length - at);
	client->pending_length -= at;
}

static void ask_all(struct client *client)
{
	uint64_t begun_ns = bench_now_ns(), end_ns = begun_ns + client->load->limit_ms * 1000000ull;

	do {
		window_fill(client, bench_now_ns() < end_ns);
		if (!client->in_flight)
			break;
		if (client->load->tcp)
			tcp_receive(client);
		else
			udp_receive(client);
	} while (bench_now_ns() < end_ns + (LOST_MS + 1000) * 1000000ull);
	client->result->seconds = (double)(bench_now_ns() - begun_ns) / 1e9;
}

/* Asks the names of a cached load once, so that the clock sees only answers from the cache. */
static void cache_warm(struct client *client, const struct load *load)
{
	struct load warm = *load;

	warm.names = LOAD_NEW;
	warm.count = LOAD_CACHED_NAMES;
	warm.in_flight = 8;
	warm.limit_ms = 10000;
	warm.check = false;
	client->load = &warm;
	ask_all(client);
	client->load = load;
	client->asked = 0;
	*client->result = (struct load_result){0};
}

static void __attribute__((noreturn)) client_run(int netns_fd, const struct load *load, struct load_result *result)
{
	static struct client client;
	struct error error = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (netns_enter(netns_fd, &error) || (load->check && setwriter_open(&client.writer, &error)))
		bench_die("client: %s", error.text);
	candidate_bind_self(load->bound);
	client.load = load;
	client.result = result;
	client.fd = client_connect(load);
	if (load->names == LOAD_CACHED)
		cache_warm(&client, load);
	ask_all(&client);
	for (uint32_t i = 0; load->check && load->in_flight > 1 && i < client.asked; i += client.asked / CHECKED_AT_END + 1)
		addresses_check(&client, number_of(load, i));
	result->valid = true;
	_exit(0);
}

/* Waits for a child, at most so long; then it is killed. */
static void child_wait(pid_t pid, unsigned timeout_ms)
{
	uint64_t end_ns = bench_now_ns() + timeout_ms * 1000000ull;

	while (waitpid(pid, NULL, WNOHANG) == 0) {
		if (bench_now_ns() > end_ns) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			return;
		}
		usleep(2000);
	}
}

void load_run(int netns_fd, const struct load *load, struct load_result *result)
{
	pid_t pid;

	*result = (struct load_result){0};
	pid = fork();
	if (pid == 0)
		client_run(netns_fd, load, result);
	child_wait(pid, load->limit_ms + LOST_MS + 12000);
}

bool load_probe(int netns_fd, unsigned timeout_ms)
{
	struct load load = {.in_flight = 1, .count = 1, .limit_ms = timeout_ms};
	uint64_t end_ns = bench_now_ns() + timeout_ms * 1000000ull;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct pollfd watched = {.events = POLLIN};
		uint8_t octets[MESSAGE_ROOM];

		if (netns_enter(netns_fd, NULL))
			_exit(1);
		watched.fd = client_connect(&load);
		while (bench_now_ns() < end_ns) { /* until somebody listens the kernel answers with an error */
			size_t length = query_write(&load, 1, 0, octets);

			if (send(watched.fd, octets, length, 0) == (ssize_t)length && poll(&watched, 1, 100) == 1 &&
				recv(watched.fd, octets, sizeof(octets), MSG_DONTWAIT) > 0 &&
				answer_is_right(&load, octets, sizeof(octets)))
				_exit(0);
			usleep(5000);
		}
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}
