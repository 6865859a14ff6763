/* The events of one container, for as long as it runs: over the end of each worker to the next one.
 *
 * Theory of operation. A feed is connected, or it is not and knows when to try again; connecting costs no waiting, since the socket is the
 * supervisor's and takes connections while no worker is there. A pidfd of the container's init tells the end: what the last worker still says
 * is read, for a moment, and then the feed has ended. A forwarder that refuses, or says what is no event of that container, is not asked
 * again: the feed has failed, and waits for the end alone. */
#ifndef CLI_EVENT_FEED_H
#define CLI_EVENT_FEED_H

#include <poll.h>

#include "cli/container.h"
#include "cli/event.h"
#include "state/control_stream.h"

enum event_feed_news {
	EVENT_FEED_NOTHING, /* for now */
	EVENT_FEED_EVENT,
	EVENT_FEED_FAILED, /* the error says why; told once */
	EVENT_FEED_ENDED,  /* the event is one of kind EVENT_ENDED; told again and again */
};

struct event_feed {
	bool failed;
	char name[129];
	struct bundle bundle; /* owned */
	struct control_stream stream;
	int init_fd;      /* of the container's init */
	int64_t retry_ms; /* while not connected: when to try */
	int64_t end_ms;   /* when to stop reading, INT64_MAX while the container runs */
	char line[256];   /* the one that we make ourselves */
};
#define EVENT_FEED_INIT                                                                                                                    \
	{                                                                                                                                  \
		.bundle = BUNDLE_INIT, .stream = CONTROL_STREAM_INIT, .init_fd = -1                                                        \
	}

/* container: open; its bundle is taken. -ESRCH when it does not run. Close the feed in either case. */
int event_feed_open(struct event_feed *feed, struct container *container, struct error *error);
void event_feed_close(struct event_feed *feed);

/* What is next, without waiting. event and line, which it was read from, are set for EVENT_FEED_EVENT and EVENT_FEED_ENDED; line is borrowed
 * until the next call. Call it until there is nothing. */
enum event_feed_news event_feed_next(struct event_feed *feed, struct event *event, const char **line, struct error *error);

/* What to wait for after that. fds: two; those that are not in use are negative. Returns when to come back in any case, as clock_now_ms(). */
int64_t event_feed_poll(const struct event_feed *feed, struct pollfd fds[2]);

#endif
