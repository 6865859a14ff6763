/* The control socket, seen from a client: the CLI and the hook ask the forwarder of a container.
 *
 * One request a connection. The request is one line of words separated by single spaces, at most CONTROL_LINE_MAX octets with its newline. The answer is
 * lines, the last of which is "ok" or "error TEXT"; then the forwarder closes. What goes on and on instead is in state/control_stream.h.
 *
 *	events			what happens from now on, a JSON object a line, the first of which says hello; has no last line and does not end while the
 *				worker lives and the client keeps its side open (docs/events.md)
 *	ping			ok
 *	reload			read the bundle's lists again; "removed ADDRESS NAME" for each address that the new policy takes away; ok
 *	resolve NAME		look NAME up now as a client's query would be; "address ADDRESS" lines; ok
 *	retire			finish what is under way, take nothing new, and end: the supervisor starts the next worker from what is installed; ok
 *	state WORD		up, down, down_all or block: how names are treated from now on; ok
 *	stats			"KEY NUMBER" lines: counters, sizes, and of each duration D of answer_local, answer_upstream and set "D_us_le_BOUND" (how many took at most so many
 *				microseconds, those of the lower bounds with them), "D_us_sum" and "D_us_count"; ok
 *	told ACTION DEST DETAIL	what the CLI has written to the audit log, for those who read events; DEST may be -, DETAIL may be missing; ok
 *	worker			"version WORD", "serial NUMBER" (workers before this one), "restarts NUMBER" (of these, after a death or a hang), "kept 0" or "kept 1" (what is
 *				installed did not start, this is the one from before); then "fails SERVER REASON" for each server by TLS that has not answered since it
 *				failed; ok
 */
#ifndef STATE_CONTROL_H
#define STATE_CONTROL_H

#include "base/error.h"
#include "base/text.h"
#include "state/bundle.h"

#define CONTROL_LINE_MAX 2048
#define CONTROL_ANSWER_MAX (16u << 20)

/* Connects to control.sock in the bundle (through /proc/self/fd, so the path's length does not matter), sends the request and reads the answer.
 * answer: the lines before "ok", each with its newline (may be NULL). timeout_ms is for the whole exchange.
 * Errors: -ENOENT and -ECONNREFUSED when no forwarder listens; -ETIMEDOUT; -EREMOTEIO with the text of "error TEXT"; -EPROTO for anything else. */
int control_request(const struct bundle *bundle, const char *request, unsigned timeout_ms, struct text *answer, struct error *error);

/* Opens the listening socket in the bundle (0600, an old one replaced). Returns the descriptor, non-blocking and close-on-exec, or a negative errno. For the supervisor. */
int control_listen(const struct bundle *bundle, struct error *error);

#endif
