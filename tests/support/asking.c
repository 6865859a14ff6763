/* Questions in every shape, asked of a server or a forwarder. */
#include "asking.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define WHOLE_WAIT_MS 3000

/* ---- messages ---- */

/* Spells the question's letters: they stand in `wire` behind the header. */
static void spell(struct wire *wire, size_t end, enum spelling spelling)
{
	for (size_t i = MESSAGE_HEADER; i < end; i++) {
		uint8_t *at = &wire->octets[i];

		if (spelling == SPELLED_UPPER || (spelling == SPELLED_MIXED && i % 2))
			*at = (uint8_t)(islower(*at) ? toupper(*at) : *at);
	}
}

static void shape_add(struct wire *wire, const struct query *query)
{
	static const uint8_t address[4] = {198, 51, 100, 99};

	switch (query->shape) {
	case SHAPE_TWO_QUESTIONS:
		wire_question(wire, "both.zone.test.", TYPE_A);
		break;
	case SHAPE_ANSWER:
		wire_record(wire, WIRE_ANSWER, query->name, TYPE_A, 60, address, sizeof(address));
		break;
	case SHAPE_ADDITIONAL:
		wire_record(wire, WIRE_ADDITIONAL, query->name, TYPE_A, 60, address, sizeof(address));
		break;
	case SHAPE_TWO_OPT:
		wire_opt(wire, 1232, 0, 0, NULL, 0);
		break;
	case SHAPE_OPT_OWNER:
		wire_record(wire, WIRE_ADDITIONAL, "x.", TYPE_OPT, 0, NULL, 0);
		break;
	case SHAPE_TRAILING:
		wire_add(wire, "behind", 6);
		break;
	case SHAPE_CUT:
		wire->length -= 3;
		break;
	case SHAPE_SHORT:
		wire->length = MESSAGE_HEADER - 1;
		break;
	case SHAPE_LABEL_TYPE:
		wire->octets[MESSAGE_HEADER] |= 0x40;
		break;
	case SHAPE_PLAIN:
	case SHAPE_NO_QUESTION:
	case SHAPE_COMPRESSED:
		break;
	}
}

void query_write(const struct query *query, struct wire *wire)
{
	static uint16_t id;
	const struct variant *variant = query->variant;

	wire_start(wire, id += 7, variant->flags);
	if (query->shape == SHAPE_COMPRESSED) {
		wire_add(wire, "\xc0\x04", 2);
		wire_add16(wire, query->type);
		wire_add16(wire, query->class);
		wire_count(wire, WIRE_QUESTION);
	} else if (query->shape != SHAPE_NO_QUESTION) {
		wire_question(wire, query->name, query->type);
		message_put16(wire->octets + wire->length - 2, (uint16_t)query->class);
		spell(wire, wire->length - 4, variant->spelling);
	}
	shape_add(wire, query);
	if (variant->edns)
		wire_opt(wire, variant->size, variant->version, variant->edns_flags, variant->options, variant->options_length);
}

size_t query_limit(const struct query *query)
{
	const struct variant *variant = query->variant;

	if (variant->tcp)
		return MESSAGE_MAX;
	return variant->edns && variant->size > MESSAGE_UDP_PLAIN ? variant->size : MESSAGE_UDP_PLAIN;
}

/* ---- exchanges ---- */

int asking_socket(bool v6, uint16_t port, int type)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	cleanup_fd int fd = socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, v6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in, v6 ? sizeof(in6) : sizeof(in)))
		return -errno;
	return take_fd(fd);
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd watched = {fd, POLLIN, 0};

	return poll(&watched, 1, timeout_ms) == 1;
}

bool asking_send(int fd, const struct query *query, const struct wire *wire)
{
	uint8_t prefix[2];

	if (fd < 0)
		return false;
	message_put16(prefix, (uint16_t)wire->length);
	if (query->variant->tcp && send(fd, prefix, 2, MSG_NOSIGNAL | MSG_MORE) != 2)
		return false;
	return send(fd, wire->octets, wire->length, MSG_NOSIGNAL) == (ssize_t)wire->length;
}

/* One message by TCP; 0 when it does not come. */
static size_t tcp_receive(int fd, int timeout_ms, uint8_t *reply)
{
	uint8_t prefix[2];
	size_t length, done = 0;

	if (!readable(fd, timeout_ms) || recv(fd, prefix, 2, MSG_WAITALL) != 2)
		return 0;
	length = message_get16(prefix);
	while (done < length && readable(fd, timeout_ms)) {
		ssize_t got = recv(fd, reply + done, length - done, 0);

		if (got <= 0)
			return 0;
		done += (size_t)got;
	}
	return done == length ? length : 0;
}

void asking_receive(int fd, const struct query *query, int timeout_ms, struct view *view)
{
	ssize_t length = 0;

	if (fd >= 0 && query->variant->tcp)
		length = (ssize_t)tcp_receive(fd, timeout_ms, view->octets);
	else if (fd >= 0 && readable(fd, timeout_ms))
		length = recv(fd, view->octets, sizeof(view->octets), 0);
	view->length = length > 0 ? (size_t)length : 0;
	view_read(view);
}

void asking_exchange(int fd, const struct query *query, const struct wire *wire, int timeout_ms, struct view *view)
{
	asking_receive(asking_send(fd, query, wire) ? fd : -1, query, timeout_ms, view);
}

const struct view *asking_whole(uint16_t port, const struct query *query, const struct view *reply, struct view *storage)
{
	struct variant variant = *query->variant;
	struct query again = *query;
	static struct wire wire;
	cleanup_fd int fd = -1;

	storage->packet = NULL;
	if (!reply->packet || !ldns_pkt_tc(reply->packet))
		return reply;
	variant.tcp = true;
	again.variant = &variant;
	query_write(&again, &wire);
	fd = asking_socket(variant.v6, port, SOCK_STREAM);
	asking_exchange(fd, &again, &wire, WHOLE_WAIT_MS, storage);
	return storage->packet ? storage : reply;
}

const char *asking_type_name(unsigned type, char text[ASKING_TYPE_MAX])
{
	const ldns_rr_descriptor *descriptor = ldns_rr_descript((uint16_t)type);

	if (descriptor && descriptor->_name)
		snprintf(text, ASKING_TYPE_MAX, "%s", descriptor->_name);
	else
		snprintf(text, ASKING_TYPE_MAX, "TYPE%u", type);
	return text;
}
