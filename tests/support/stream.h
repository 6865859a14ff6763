/* A reader of the forwarder's events, for tests. */
#ifndef TESTS_SUPPORT_STREAM_H
#define TESTS_SUPPORT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rig.h"

struct stream {
	int fd; /* -1: closed */
	size_t length, taken;
	char buffer[1 << 16];
};

/* Connects and asks for events; reads nothing yet. Ends the test program when it cannot. */
void stream_open(struct stream *stream, const struct rig *rig);
void stream_close(struct stream *stream);

/* The next line without its newline, good until the next call; NULL after timeout_ms, or when the connection has ended. */
const char *stream_line(struct stream *stream, unsigned timeout_ms);

/* The number behind "KEY": in a line of JSON; 0 without. */
uint64_t stream_number(const char *line, const char *key);

#endif
