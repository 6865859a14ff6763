/* A stream over the control socket: one request, then lines for as long as either side likes. For the verb `events`.
 *
 * The forwarder faces hostile input, so what it says is believed no further than in a single answer: a line is printable ASCII and of bounded
 * length, or the stream is over. The connection ends whenever a worker ends; the socket itself is its supervisor's, so who wants to go on opens
 * the stream again, and is served by the next worker as soon as there is one.
 */
#ifndef STATE_CONTROL_STREAM_H
#define STATE_CONTROL_STREAM_H

#include "base/error.h"
#include "state/bundle.h"

#define CONTROL_STREAM_LINE_MAX 8192 /* octets of a line, with its newline */

struct control_stream {
	int fd;            /* to poll(2) for POLLIN once control_stream_line() has said 0; -1 when closed */
	char *buffer;      /* owned */
	size_t start, end; /* what was received and not yet handed out */
	size_t searched;   /* up to here there is no newline */
};
#define CONTROL_STREAM_INIT                                                                                                                \
	{                                                                                                                                  \
		.fd = -1                                                                                                                   \
	}

/* Connects and sends the request. timeout_ms: for both; while a worker is being started again the socket accepts all the same.
 * Errors: those of control_request(): -ENOENT and -ECONNREFUSED when no forwarder listens, -ETIMEDOUT. Close it in either case. */
int control_stream_open(
	const struct bundle *bundle, const char *request, unsigned timeout_ms, struct control_stream *stream, struct error *error);
void control_stream_close(struct control_stream *stream);
#define cleanup_control_stream __attribute__((cleanup(control_stream_close)))

/* The next line. timeout_ms: how long to wait for one; 0 takes only what is there.
 * Returns 1 with line set: without its newline, NUL-terminated, borrowed until the next call; 0 when none has come in time.
 * Errors: -EPIPE when the forwarder ended the stream (what it had begun is dropped); -EREMOTEIO with the text of a line "error TEXT", which is
 * how a forwarder refuses, or does not know the verb; -EPROTO for what is not text or too long. The stream is to be closed after each of them. */
int control_stream_line(struct control_stream *stream, unsigned timeout_ms, const char **line, struct error *error);

#endif
