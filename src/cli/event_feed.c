/* The events of one container, for as long as it runs. */
#include "cli/event_feed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define CONNECT_TIMEOUT_MS 200
#define RETRY_MS           100
#define LAST_WORDS_MS      500 /* for what the last worker has said before it ended with the container */

int event_feed_open(struct event_feed *feed, struct container *container, struct error *error)
{
	*feed = (struct event_feed)EVENT_FEED_INIT;
	feed->end_ms = INT64_MAX;
	snprintf(feed->name, sizeof(feed->name), "%s", container->identity.container);
	if (container->running)
		feed->init_fd = bundle_process_open(container->runtime.init_pid, container->runtime.init_start);
	if (feed->init_fd < 0)
		return error_set(error, ESRCH, "%s does not run", feed->name);
	feed->bundle = container->bundle;
	container->bundle.fd = -1;
	return 0;
}

void event_feed_close(struct event_feed *feed)
{
	control_stream_close(&feed->stream);
	bundle_close(&feed->bundle);
	if (feed->init_fd >= 0)
		close(feed->init_fd);
	feed->init_fd = -1;
}

static void disconnect(struct event_feed *feed, int64_t retry_ms)
{
	control_stream_close(&feed->stream);
	feed->retry_ms = retry_ms;
}

/* What a forwarder without this verb says is not what helps its user. */
static enum event_feed_news failed(struct event_feed *feed, struct error *error)
{
	disconnect(feed, INT64_MAX);
	feed->failed = true;
	if (error && strstr(error->text, "unknown request"))
		error_set(error, ENOSYS, "its forwarder tells no events; `terok-shield reload %s` moves it to this version", feed->name);
	error_prefix(error, "%s", feed->name);
	return EVENT_FEED_FAILED;
}

/* A line of the stream. One that names another container would put words into that one's mouth where several are merged. */
static enum event_feed_news line_take(struct event_feed *feed, struct event *event, const char *line, struct error *error)
{
	if (event_parse(event, line, error))
		return failed(feed, error);
	if (strcmp(event->container, feed->name) == 0 && event->kind != EVENT_ENDED)
		return EVENT_FEED_EVENT;
	error_set(error, EPROTO, "the forwarder sent an event that is not its own");
	return failed(feed, error);
}

static enum event_feed_news stream_read(struct event_feed *feed, struct event *event, const char **line, struct error *error)
{
	struct error ended = {0};
	if (feed->stream.fd < 0) {
		if (clock_now_ms() < feed->retry_ms)
			return EVENT_FEED_NOTHING;
		if (control_stream_open(&feed->bundle, "events", CONNECT_TIMEOUT_MS, &feed->stream, &ended)) {
			disconnect(feed, clock_now_ms() + RETRY_MS);
			return EVENT_FEED_NOTHING;
		}
	}
	int rc = control_stream_line(&feed->stream, 0, line, &ended);
	if (rc == 1)
		return line_take(feed, event, *line, error);
	if (rc == -EREMOTEIO || rc == -EPROTO) {
		error_set(error, ended.code, "%s", ended.text);
		return failed(feed, error);
	}
	if (rc < 0)
		disconnect(feed, clock_now_ms() + RETRY_MS);
	return EVENT_FEED_NOTHING;
}

/* Of those who share the shield another may live, and is waited for instead. */
static bool init_follow(struct event_feed *feed)
{
	struct bundle_runtime runtime;
	int fd = bundle_runtime_read(&feed->bundle, &runtime, NULL) ? -1 : bundle_process_open(runtime.init_pid, runtime.init_start);
	if (fd < 0)
		return false;
	close(feed->init_fd);
	feed->init_fd = fd;
	return true;
}

static bool has_ended(struct event_feed *feed)
{
	struct pollfd init = {.fd = feed->init_fd, .events = POLLIN};
	if (feed->end_ms == INT64_MAX && poll(&init, 1, 0) > 0 && !init_follow(feed))
		feed->end_ms = clock_now_ms() + LAST_WORDS_MS;
	return feed->end_ms != INT64_MAX && (feed->stream.fd < 0 || clock_now_ms() >= feed->end_ms);
}

enum event_feed_news event_feed_next(struct event_feed *feed, struct event *event, const char **line, struct error *error)
{
	char now[32];
	enum event_feed_news news = stream_read(feed, event, line, error);
	if (news != EVENT_FEED_NOTHING || !has_ended(feed))
		return news;
	disconnect(feed, INT64_MAX);
	snprintf(feed->line, sizeof(feed->line), "{\"ts\":\"%s\",\"source\":\"shield\",\"action\":\"ended\",\"container\":\"%s\"}",
		clock_wall_text(now, sizeof(now), clock_wall_s()), feed->name);
	*line = feed->line;
	event_parse(event, *line, NULL);
	return EVENT_FEED_ENDED;
}

int64_t event_feed_poll(const struct event_feed *feed, struct pollfd fds[2])
{
	bool running = feed->end_ms == INT64_MAX;
	fds[0] = (struct pollfd){.fd = feed->stream.fd, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = running ? feed->init_fd : -1, .events = POLLIN};
	return feed->stream.fd < 0 && running ? feed->retry_ms : feed->end_ms;
}
