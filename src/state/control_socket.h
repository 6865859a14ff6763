/* Private to this folder: reaching the control socket, for one exchange and for a stream. */
#ifndef STATE_CONTROL_SOCKET_H
#define STATE_CONTROL_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "state/bundle.h"

/* Whether the words can be a request: printable, not empty, and with their newline not longer than CONTROL_LINE_MAX. */
bool control_is_line(const char *words);

/* Connects to control.sock in the bundle. Returns the descriptor, non-blocking, or a negative errno. deadlines: of clock_now_ms(). */
int control_connect(const struct bundle *bundle, int64_t deadline_ms, struct error *error);

/* Sends the request and a newline. Returns 0 or a negative errno; -EPIPE also when the other side answered and closed without reading. */
int control_send(int fd, const char *request, int64_t deadline_ms);

/* Waits for events of poll(2). Returns 0, -ETIMEDOUT or another negative errno. */
int control_wait(int fd, short events, int64_t deadline_ms);

#endif
