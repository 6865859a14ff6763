/* The stream of events. */
#include "proxy/events.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_line.h"
#include "dns/message.h"
#include "policy/protocol.h"

#define LINE_MAX_OCTETS 4096
#define WHEN_MAX        32
#define OUTPUT_MAX      (64u << 10) /* what a connection has on its way at most */
#define OUTPUT_LOW      (16u << 10) /* and below which it is given more */
#define TURN_OCTETS     (32u << 10) /* given to one reader in a turn */

struct reader {
	struct bufferevent *stream; /* NULL: free */
	struct events *events;
	uint64_t at;   /* place in the ring: octets since its beginning */
	uint64_t line; /* the number of the line there */
};

/* Octets and lines are counted from the beginning of time; an octet lies at its count modulo the ring's size. A line is preceded by
 * its length in two octets. */
struct ring {
	uint8_t *octets; /* NULL: there is no reader */
	uint64_t first, end;
	uint64_t first_line, end_line;
};

struct events {
	const char *container;
	uint64_t count, lost;
	uint16_t epoch;
	unsigned readers;
	int64_t wall_s; /* of when */
	char when[WHEN_MAX];
	bool unread; /* some reader has lines to get, and room for them */
	struct ring ring;
	struct reader reader[EVENTS_READERS_MAX];
};

struct events *events_new(const char *container)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return NULL;
	events->container = container;
	for (unsigned i = 0; i < EVENTS_READERS_MAX; i++)
		events->reader[i].events = events;
	return events;
}

bool events_wanted(const struct events *events)
{
	return events->readers;
}

uint16_t events_epoch(const struct events *events)
{
	return events->epoch;
}

void events_count(struct events *events)
{
	events->count++;
}

uint64_t events_total(const struct events *events)
{
	return events->count;
}

uint64_t events_lost(const struct events *events)
{
	return events->lost;
}

unsigned events_readers(const struct events *events)
{
	return events->readers;
}

/* ---- the ring ---- */

static void ring_copy_in(struct ring *ring, uint64_t at, const void *data, size_t length)
{
	size_t offset = at % EVENTS_RING_OCTETS, part = EVENTS_RING_OCTETS - offset;

	part = part < length ? part : length;
	memcpy(ring->octets + offset, data, part);
	memcpy(ring->octets, (const uint8_t *)data + part, length - part);
}

static void ring_copy_out(const struct ring *ring, uint64_t at, void *data, size_t length)
{
	size_t offset = at % EVENTS_RING_OCTETS, part = EVENTS_RING_OCTETS - offset;

	part = part < length ? part : length;
	memcpy(data, ring->octets + offset, part);
	memcpy((uint8_t *)data + part, ring->octets, length - part);
}

static size_t ring_line_length(const struct ring *ring, uint64_t at)
{
	uint16_t length;

	ring_copy_out(ring, at, &length, sizeof(length));
	return length;
}

static void ring_add(struct ring *ring, const char *line, size_t length)
{
	uint16_t prefix = (uint16_t)length;
	uint64_t end = ring->end + sizeof(prefix) + length;

	while (end - ring->first > EVENTS_RING_OCTETS) {
		ring->first += sizeof(prefix) + ring_line_length(ring, ring->first);
		ring->first_line++;
	}
	ring_copy_in(ring, ring->end, &prefix, sizeof(prefix));
	ring_copy_in(ring, ring->end + sizeof(prefix), line, length);
	ring->end = end;
	ring->end_line++;
}

/* ---- lines ---- */

/* The time, put into words once a second. */
static const char *now_text(struct events *events)
{
	int64_t wall_s = clock_wall_s();

	if (wall_s != events->wall_s || !*events->when)
		clock_wall_text(events->when, sizeof(events->when), wall_s);
	events->wall_s = wall_s;
	return events->when;
}

/* Returns its length with the newline; 0 when it does not fit, which no event of ours reaches. */
static size_t line_print(struct events *events, const struct events_entry *entry, char *buffer)
{
	char name[NAME_TEXT_MAX], address[ADDR_TEXT_MAX], type[MESSAGE_TYPE_TEXT_MAX], protocol[PROTOCOL_TEXT_MAX];
	struct json_line line;

	if (entry->domain)
		name_to_text(entry->domain, name);
	json_line_begin(&line, buffer, LINE_MAX_OCTETS - 1);
	json_line_string(&line, "ts", now_text(events));
	json_line_string(&line, "source", entry->source);
	json_line_string(&line, "action", entry->action);
	json_line_string(&line, "container", events->container);
	json_line_string(&line, "domain", entry->domain ? name : NULL);
	json_line_string(&line, "query_type", entry->query_type ? message_type_text(entry->query_type, type) : NULL);
	json_line_string(&line, "dest", entry->dest ? addr_format(entry->dest, address) : entry->dest_text);
	json_line_string(&line, "detail", entry->detail);
	if (entry->has_port)
		json_line_number(&line, "port", entry->port);
	json_line_string(&line, "proto", entry->protocol ? protocol_format(entry->protocol, protocol) : NULL);
	if (entry->count > 1)
		json_line_number(&line, "count", entry->count);
	if (entry->lifetime_s)
		json_line_number(&line, "lifetime_s", entry->lifetime_s);
	json_line_number(&line, "seq", events->count);
	if (!json_line_end(&line))
		return 0;
	buffer[line.length] = '\n';
	return line.length + 1;
}

void events_tell(struct events *events, const struct events_entry *entry)
{
	char line[LINE_MAX_OCTETS];
	size_t length;

	events->count++;
	if (!events->readers)
		return;
	length = line_print(events, entry, line);
	if (!length)
		return;
	ring_add(&events->ring, line, length);
	events->unread = true;
}

/* ---- readers ---- */

static void reader_close(struct reader *reader)
{
	struct events *events = reader->events;

	bufferevent_free(reader->stream);
	reader->stream = NULL;
	if (--events->readers)
		return;
	free(events->ring.octets);
	events->ring = (struct ring){0};
}

static void reader_ended(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	(void)what;
	reader_close(context);
}

static void reader_read(struct bufferevent *stream, void *context)
{
	struct evbuffer *input = bufferevent_get_input(stream);

	(void)context;
	evbuffer_drain(input, evbuffer_get_length(input)); /* it has nothing to say any more */
}

static void reader_written(struct bufferevent *stream, void *context)
{
	struct reader *reader = context;

	(void)stream;
	reader->events->unread |= reader->at < reader->events->ring.end;
}

/* A line for this reader alone. */
static void reader_tell(struct reader *reader, const struct events_entry *entry)
{
	char line[LINE_MAX_OCTETS];

	bufferevent_write(reader->stream, line, line_print(reader->events, entry, line));
}

/* What it has not fetched in time is gone. */
static void reader_catch_up(struct reader *reader)
{
	const struct ring *ring = &reader->events->ring;
	struct events_entry entry = {.source = "shield", .action = "lost", .detail = "reader"};

	if (reader->at >= ring->first)
		return;
	entry.count = ring->first_line - reader->line;
	reader->events->lost += entry.count;
	reader->at = ring->first;
	reader->line = ring->first_line;
	reader_tell(reader, &entry);
}

/* Returns true when it could take more at once. */
static bool reader_feed(struct reader *reader)
{
	const struct ring *ring = &reader->events->ring;
	struct evbuffer *output = bufferevent_get_output(reader->stream);
	size_t given = 0;

	if (reader->at == ring->end || evbuffer_get_length(output) > OUTPUT_LOW)
		return false;
	reader_catch_up(reader);
	while (reader->at < ring->end && given < TURN_OCTETS && evbuffer_get_length(output) < OUTPUT_MAX) {
		size_t length = ring_line_length(ring, reader->at);
		char line[LINE_MAX_OCTETS];

		ring_copy_out(ring, reader->at + sizeof(uint16_t), line, length);
		evbuffer_add(output, line, length);
		reader->at += sizeof(uint16_t) + length;
		reader->line++;
		given += length;
	}
	return reader->at < ring->end && evbuffer_get_length(output) <= OUTPUT_LOW;
}

bool events_turn(struct events *events)
{
	bool more = false;

	if (!events->unread)
		return false;
	for (unsigned i = 0; i < EVENTS_READERS_MAX; i++)
		if (events->reader[i].stream)
			more |= reader_feed(&events->reader[i]);
	events->unread = more;
	return more;
}

int events_join(struct events *events, struct bufferevent *stream)
{
	static const struct events_entry hello = {.source = "shield", .action = "hello", .detail = SHIELD_VERSION};
	struct reader *reader = NULL;

	for (unsigned i = 0; i < EVENTS_READERS_MAX && !reader; i++)
		if (!events->reader[i].stream)
			reader = &events->reader[i];
	if (!reader)
		return -EBUSY;
	if (!events->ring.octets && !(events->ring.octets = malloc(EVENTS_RING_OCTETS)))
		return -ENOMEM;
	events->readers++;
	events->epoch++;
	reader->stream = stream;
	reader->at = events->ring.end;
	reader->line = events->ring.end_line;
	bufferevent_setcb(stream, reader_read, reader_written, reader_ended, reader);
	bufferevent_set_timeouts(stream, NULL, NULL);
	bufferevent_setwatermark(stream, EV_WRITE, OUTPUT_LOW, 0);
	bufferevent_enable(stream, EV_READ | EV_WRITE);
	reader_tell(reader, &hello);
	return 0;
}

/* The process ends: what sockets take without waiting. */
static void reader_part(struct reader *reader)
{
	struct evbuffer *output = bufferevent_get_output(reader->stream);

	do
		reader_feed(reader);
	while (evbuffer_get_length(output) && evbuffer_write(output, bufferevent_getfd(reader->stream)) > 0);
	reader_close(reader);
}

void events_free(struct events *events)
{
	if (!events)
		return;
	for (unsigned i = 0; i < EVENTS_READERS_MAX; i++)
		if (events->reader[i].stream)
			reader_part(&events->reader[i]);
	free(events);
}
