/* The packet log: read from the kernel. packet_log_parse.c takes the records apart. */
#include "fw/packet_log.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fw/packet_log_parse.h"

#define DATAGRAM_MAX (32u << 10) /* more than the kernel is told to make */

struct packet_log {
	int fd;
	bool counts; /* next_sequence is known */
	uint32_t next_sequence;
	_Alignas(struct nlmsghdr) uint8_t buffer[DATAGRAM_MAX];
};

struct packet_log *packet_log_take(int fd, bool first)
{
	struct packet_log *log = calloc(1, sizeof(*log));

	if (!log) {
		close(fd);
		return NULL;
	}
	log->fd = fd;
	log->counts = first;
	return log;
}

void packet_log_close(struct packet_log *log)
{
	if (!log)
		return;
	close(log->fd);
	free(log);
}

int packet_log_fd(const struct packet_log *log)
{
	return log->fd;
}

/* How many numbers were passed over. A step back is no loss: somebody else has bound the group anew. */
static uint32_t sequence_gap(struct packet_log *log, uint32_t sequence)
{
	uint32_t gap = log->counts ? sequence - log->next_sequence : 0;

	log->counts = true;
	log->next_sequence = sequence + 1;
	return gap <= INT32_MAX ? gap : 0;
}

int packet_log_read(struct packet_log *log, void (*visit)(void *context, const struct packet_record *record), void *context, uint64_t *lost)
{
	ssize_t length = recv(log->fd, log->buffer, sizeof(log->buffer), MSG_DONTWAIT | MSG_TRUNC);
	struct netlink_span datagram = {log->buffer, length > 0 ? (size_t)length : 0};
	struct netlink_message message;
	struct packet_record record;
	bool has_sequence;
	int count = 0;

	*lost = 0;
	if (length < 0)
		return errno == EINTR || errno == ENOBUFS ? 0 : -errno; /* ENOBUFS says only that some were lost */
	if (datagram.length > sizeof(log->buffer))
		return 0; /* the numbers will tell how many these were */
	while (netlink_next_message(&datagram, &message)) {
		bool whole = packet_log_parse(&message, &record, &has_sequence);

		if (has_sequence)
			*lost += sequence_gap(log, record.sequence);
		if (!whole)
			continue;
		visit(context, &record);
		count++;
	}
	return count;
}
