/* Sending the probes: see probe.h.
 *
 * Theory of operation. A forked child gives up every capability, sees to it that it has none, and goes through the plan: questions one
 * after the other, datagrams that are to be refused likewise, connections all at once since each takes a second. The outcomes come back
 * through a pipe, all or none.
 *
 * A datagram's refusal is read from the socket's error queue (IP_RECVERR, ip(7)): the type and code of the ICMP message, and who sent it.
 * One that was sent by this namespace's own address was sent before the datagram left. A connection has no such queue; there it is the
 * errno alone (EHOSTUNREACH for the IPv4 message, EACCES for the IPv6 one), and the rules' counters say the rest. */
#include "cli/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "cli/probe_dns.h"

#define RUN_TIMEOUT_MS      40000
#define ANSWER_PATIENCE_MS  2000
#define REFUSAL_PATIENCE_MS 500 /* an ICMP message of this namespace is there when sendto(2) returns */
#define DROP_PATIENCE_MS    50
#define TCP_PATIENCE_MS     4000 /* the refusal comes with the first retransmission, after 1 s, or with the second, after 3 s */
#define BLOCK_PATIENCE_MS   300  /* where nothing is to come */
#define ANSWER_MAX          4096

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t address_make(union address *address, const struct probe *probe)
{
	*address = (union address){0};
	if (probe->addr.family == ADDR_V4) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons(probe->port);
		memcpy(&address->v4.sin_addr, probe->addr.octets, 4);
		return sizeof(address->v4);
	}
	address->v6.sin6_family = AF_INET6;
	address->v6.sin6_port = htons(probe->port);
	memcpy(&address->v6.sin6_addr, probe->addr.octets, 16);
	return sizeof(address->v6);
}

static void end_with(struct probe_outcome *outcome, enum probe_end end, int error)
{
	outcome->end = end;
	outcome->error = error;
}

/* What connect(2) says at once, before anything is sent, is about routes and addresses. What it would say after waiting is not: so nobody
 * waits in it. */
static void end_at_connect(struct probe_outcome *outcome, int error)
{
	bool no_way = error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL || error == EACCES || error == ENETDOWN;
	end_with(outcome,
		no_way                  ? PROBE_NO_ROUTE
		: error == ECONNREFUSED ? PROBE_RESET
		: error == EPERM        ? PROBE_DROPPED
					: PROBE_ERROR,
		error);
}

/* Returns a connected or connecting socket, which does not block, or -1 with the outcome. */
static int probe_connect(const struct probe *probe, struct probe_outcome *outcome)
{
	union address address;
	socklen_t length = address_make(&address, probe);
	cleanup_fd int fd = socket(address.any.sa_family, (probe->tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool v4 = probe->addr.family == ADDR_V4;
	int one = 1;
	if (fd < 0) {
		end_with(outcome, errno == EAFNOSUPPORT ? PROBE_NO_FAMILY : PROBE_ERROR, errno);
		return -1;
	}
	if (!probe->tcp && setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &one, sizeof(one))) {
		end_with(outcome, PROBE_ERROR, errno);
		return -1;
	}
	if (connect(fd, &address.any, length) && errno != EINPROGRESS) {
		end_at_connect(outcome, errno);
		return -1;
	}
	return take_fd(fd);
}

static bool wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd watched = {.fd = fd, .events = events};
	int64_t left_ms = deadline_ms - clock_now_ms();
	return left_ms > 0 && poll(&watched, 1, (int)left_ms) == 1;
}

/* ---- questions ---- */

static void connection_end(int fd, struct probe_outcome *outcome)
{
	socklen_t length = sizeof(int);
	int error = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length))
		error = errno;
	bool prohibited = error == EHOSTUNREACH || error == EACCES;
	end_with(outcome,
		error == 0              ? PROBE_PASSED
		: prohibited            ? PROBE_PROHIBITED
		: error == ECONNREFUSED ? PROBE_RESET
		: error == EPERM        ? PROBE_DROPPED
		: error == ETIMEDOUT    ? PROBE_SILENCE
					: PROBE_ERROR,
		error);
}

/* A datagram, or by TCP a whole message with its length before it. Returns its length; 0 for an end or one that is too long; -1 with
 * errno. */
static ssize_t answer_receive(int fd, bool tcp, uint8_t *answer, int64_t deadline_ms)
{
	uint8_t buffer[2 + ANSWER_MAX];
	size_t have = 0;
	while (wait_for(fd, POLLIN, deadline_ms)) {
		ssize_t length = recv(fd, buffer + have, sizeof(buffer) - have, 0);
		if (length <= 0)
			return length;
		have += (size_t)length;
		size_t prefix = tcp ? 2 : 0, wanted = tcp && have >= 2 ? 2 + ((size_t)buffer[0] << 8 | buffer[1]) : 2;
		if (tcp && (have < 2 || (have < wanted && wanted <= sizeof(buffer))))
			continue;
		memcpy(answer, buffer + prefix, have - prefix < ANSWER_MAX ? have - prefix : ANSWER_MAX);
		return have - prefix <= ANSWER_MAX ? (ssize_t)(have - prefix) : 0;
	}
	errno = ETIMEDOUT;
	return -1;
}

static void ask(const struct probe_plan *plan, const struct probe *probe, struct probe_outcome *outcome)
{
	uint8_t question[2 + PROBE_DNS_QUESTION_MAX], answer[ANSWER_MAX];
	int64_t deadline_ms = clock_now_ms() + ANSWER_PATIENCE_MS;
	struct probe_dns_answer read;
	cleanup_fd int fd = probe_connect(probe, outcome);
	if (fd < 0)
		return;
	if (probe->tcp) {
		end_with(outcome, PROBE_SILENCE, ETIMEDOUT);
		if (!wait_for(fd, POLLOUT, deadline_ms))
			return;
		connection_end(fd, outcome);
		if (outcome->end != PROBE_PASSED)
			return;
	}
	size_t length = probe_dns_question(question + 2, hash_random16(), &plan->name, probe->qtype);
	question[0] = (uint8_t)(length >> 8);
	question[1] = (uint8_t)length;
	ssize_t received = send(fd, question + (probe->tcp ? 0 : 2), length + (probe->tcp ? 2 : 0), MSG_NOSIGNAL) < 0
				   ? -1
				   : answer_receive(fd, probe->tcp, answer, deadline_ms);
	if (received < 0) {
		end_with(outcome, errno == ETIMEDOUT ? PROBE_SILENCE : PROBE_ERROR, errno);
	} else if (!probe_dns_answer_read(&read, answer, (size_t)received, question + 2, length)) {
		end_with(outcome, PROBE_ERROR, 0);
	} else {
		end_with(outcome, PROBE_ANSWERED, 0);
		outcome->rcode = read.rcode;
		outcome->explained = read.explained;
	}
}

/* ---- datagrams that are to be refused ---- */

static struct addr addr_of(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return addr_v4((const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr);
	if (address->sa_family == AF_INET6)
		return addr_v6((const uint8_t *)&((const struct sockaddr_in6 *)address)->sin6_addr);
	return (struct addr){0};
}

static bool is_prohibition(const struct sock_extended_err *error)
{
	if (error->ee_origin == SO_EE_ORIGIN_ICMP)
		return error->ee_type == ICMP_DEST_UNREACH && error->ee_code == ICMP_PKT_FILTERED;
	return error->ee_origin == SO_EE_ORIGIN_ICMP6 && error->ee_type == ICMP6_DST_UNREACH && error->ee_code == ICMP6_DST_UNREACH_ADMIN;
}

/* Reads the error queue. False when there is nothing in it. */
static bool icmp_read(int fd, struct probe_outcome *outcome)
{
	_Alignas(struct cmsghdr) uint8_t control[512];
	uint8_t data[64];
	struct iovec vector = {data, sizeof(data)};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	union address own;
	socklen_t own_length = sizeof(own);
	if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0 || getsockname(fd, &own.any, &own_length))
		return false;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
		struct {
			struct sock_extended_err error;
			union address offender;
		} said = {0};
		if (!(part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) &&
			!(part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR))
			continue;
		size_t length = part->cmsg_len - CMSG_LEN(0);
		memcpy(&said, CMSG_DATA(part), length < sizeof(said) ? length : sizeof(said));
		struct addr here = addr_of(&own.any);
		outcome->offender = addr_of(&said.offender.any);
		bool elsewhere = outcome->offender.family && !addr_equal(&outcome->offender, &here);
		end_with(outcome,
			elsewhere                     ? PROBE_ELSEWHERE
			: is_prohibition(&said.error) ? PROBE_PROHIBITED
						      : PROBE_ERROR,
			(int)said.error.ee_errno);
		return true;
	}
	return false;
}

static void throw(const struct probe *probe, struct probe_outcome *outcome)
{
	cleanup_fd int fd = probe_connect(probe, outcome);
	struct pollfd watched = {.fd = fd, .events = POLLIN};
	if (fd < 0)
		return;
	int error = send(fd, "", 1, MSG_NOSIGNAL) < 0 ? errno : 0;
	poll(&watched, 1, error == EPERM ? DROP_PATIENCE_MS : REFUSAL_PATIENCE_MS);
	if (icmp_read(fd, outcome))
		return;
	if (error)
		end_with(outcome, error == EPERM ? PROBE_DROPPED : PROBE_ERROR, error);
	else
		end_with(outcome, watched.revents & POLLIN ? PROBE_PASSED : PROBE_SILENCE, 0);
}

/* ---- connections that are to be refused ---- */

static void connections_wait(struct pollfd sockets[PROBE_COUNT], struct probe_outcome outcomes[PROBE_COUNT], int64_t patience_ms)
{
	int64_t deadline_ms = clock_now_ms() + patience_ms;
	for (unsigned open = 1; open;) {
		int64_t left_ms = deadline_ms - clock_now_ms();
		open = 0;
		if (left_ms <= 0 || poll(sockets, PROBE_COUNT, (int)left_ms) < 0)
			return;
		for (unsigned i = 0; i < PROBE_COUNT; i++) {
			if (sockets[i].fd >= 0 && sockets[i].revents) {
				connection_end(sockets[i].fd, &outcomes[i]);
				close(sockets[i].fd);
				sockets[i].fd = -1;
			}
			open += sockets[i].fd >= 0;
		}
	}
}

static void connect_all(const struct probe_plan *plan, struct probe_outcome outcomes[PROBE_COUNT])
{
	struct pollfd sockets[PROBE_COUNT];
	for (unsigned i = 0; i < PROBE_COUNT; i++) {
		bool wanted = plan->list[i].kind == PROBE_REFUSAL && plan->list[i].tcp && probe_plan_may_send(plan, i, outcomes);
		sockets[i] = (struct pollfd){.fd = wanted ? probe_connect(&plan->list[i], &outcomes[i]) : -1, .events = POLLOUT};
		if (sockets[i].fd >= 0)
			end_with(&outcomes[i], PROBE_SILENCE, ETIMEDOUT);
	}
	connections_wait(sockets, outcomes, plan->state == SHIELD_BLOCK ? BLOCK_PATIENCE_MS : TCP_PATIENCE_MS);
}

static void plan_carry_out(const struct probe_plan *plan, struct probe_outcome outcomes[PROBE_COUNT])
{
	for (unsigned turn = 0; turn < 2 * PROBE_COUNT; turn++) {
		unsigned i = turn % PROBE_COUNT;
		const struct probe *probe = &plan->list[i];
		if (probe_plan_is_first(i) != (turn < PROBE_COUNT) || (probe->kind == PROBE_REFUSAL && probe->tcp) || !probe_plan_may_send(plan, i, outcomes))
			continue;
		if (probe->kind == PROBE_REFUSAL)
			throw(probe, &outcomes[i]);
		else
			ask(plan, probe, &outcomes[i]);
	}
	connect_all(plan, outcomes);
}

/* ---- the child ---- */

static bool privileges_drop(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0}, left[2] = {0};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return false;
	for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
			return false;
	}
	if (syscall(SYS_capset, &header, none) || syscall(SYS_capget, &header, left))
		return false;
	return memcmp(left, none, sizeof(none)) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

static void __attribute__((noreturn)) child_run(const struct probe_plan *plan, int pipe_fd)
{
	struct probe_outcome outcomes[PROBE_COUNT] = {0};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(RUN_TIMEOUT_MS / 1000);
	if (dup2(pipe_fd, 3) < 0 || close_range(4, ~0u, 0) || !privileges_drop())
		_exit(1);
	plan_carry_out(plan, outcomes);
	_exit(file_write_all(3, outcomes, sizeof(outcomes)) ? 1 : 0);
}

int probe_run(const struct probe_plan *plan, struct probe_outcome outcomes[PROBE_COUNT], struct error *error)
{
	cleanup_text struct text answer = {0};
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return error_errno(error, errno, "cannot make a pipe for the probes");
	cleanup_fd int read_fd = ends[0];
	cleanup_fd int write_fd = ends[1];
	pid_t child = fork();
	if (child < 0)
		return error_errno(error, errno, "cannot start a process for the probes");
	if (child == 0)
		child_run(plan, write_fd);
	close(take_fd(write_fd));
	int rc = file_read_pipe(read_fd, PROBE_COUNT * sizeof(*outcomes), RUN_TIMEOUT_MS, &answer);
	if (rc)
		kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (rc)
		return error_errno(error, -rc, "the probes");
	if (answer.length != PROBE_COUNT * sizeof(*outcomes))
		return error_set(error, EPROTO, "the process that was to send the probes could not give up its privileges, or died");
	memcpy(outcomes, answer.data, answer.length);
	return 0;
}
