/* cli/event_feed.h: a container's events over the end of its workers, and to its own */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/event_feed.h"
#include "state/control.h"

#define PATIENCE_MS 10000

static char base[] = "/tmp/shield-test-feed.XXXXXX";
static int listener = -1;
static pid_t init;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status, (void)type, (void)where;
	return remove(path);
}

static struct container opened(void)
{
	struct container container = CONTAINER_INIT;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/web", base);
	assert_int_equal(bundle_open(&container.bundle, path, NULL), 0);
	strcpy(container.identity.container, "web");
	container.runtime.init_pid = init;
	container.running = bundle_process_start(init, &container.runtime.init_start) == 0;
	return container;
}

/* A process stands for the container's init, a socket of ours for the forwarder. */
static int setup(void **state)
{
	struct bundle bundle = BUNDLE_INIT;
	char path[PATH_MAX];
	(void)state;

	strcpy(base + sizeof(base) - 7, "XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(path, sizeof(path), "%s/web", base);
	if (bundle_create(&bundle, path, NULL))
		return -1;
	listener = control_listen(&bundle, NULL);
	bundle_close(&bundle);
	init = fork();
	if (init == 0) {
		alarm(60);
		pause();
		_exit(0);
	}
	return listener < 0 || init < 0;
}

static void init_end(void)
{
	if (init > 0) {
		kill(init, SIGKILL);
		waitpid(init, NULL, 0);
	}
	init = 0;
}

static int teardown(void **state)
{
	(void)state;
	init_end();
	if (listener >= 0)
		close(take_fd(listener));
	return nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void feed_open(struct event_feed *feed)
{
	struct container container = opened();

	assert_int_equal(event_feed_open(feed, &container, NULL), 0);
	assert_int_equal(container.bundle.fd, -1);
}

/* Waits as a caller would until there is news. */
static enum event_feed_news news_of(struct event_feed *feed, struct event *event, struct error *error)
{
	int64_t end_ms = clock_now_ms() + PATIENCE_MS;
	const char *line;

	for (;;) {
		enum event_feed_news news = event_feed_next(feed, event, &line, error);
		struct pollfd fds[2];
		int64_t due_ms;

		if (news != EVENT_FEED_NOTHING || clock_now_ms() >= end_ms)
			return news;
		due_ms = event_feed_poll(feed, fds);
		due_ms = due_ms < end_ms ? due_ms : end_ms;
		poll(fds, 2, due_ms > clock_now_ms() ? (int)(due_ms - clock_now_ms()) : 0);
	}
}

/* The worker's end of the next connection, with its request read. */
static int taken(void)
{
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
	char request[16] = "";
	int connection;

	assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
	connection = accept(listener, NULL, NULL);
	assert_int_equal(read(connection, request, sizeof(request) - 1), 7);
	assert_string_equal(request, "events\n");
	return connection;
}

static void say(int connection, const char *source, const char *action, const char *container)
{
	assert_true(dprintf(connection, "{\"ts\":\"t\",\"source\":\"%s\",\"action\":\"%s\",\"container\":\"%s\"}\n", source, action,
			    container) > 0);
}

static void the_next_worker_is_read_when_one_has_ended(void **state)
{
	struct event_feed feed;
	struct event event;
	struct error error = {0};
	(void)state;

	feed_open(&feed);
	for (int worker = 0; worker < 3; worker++) {
		int connection;

		/* The first call connects, or finds the end of the worker before and connects a little later. */
		for (int64_t end_ms = clock_now_ms() + PATIENCE_MS; feed.stream.fd < 0 && clock_now_ms() < end_ms;) {
			const char *line;

			assert_int_equal(event_feed_next(&feed, &event, &line, &error), EVENT_FEED_NOTHING);
		}
		connection = taken();
		say(connection, "shield", "hello", "web");
		say(connection, "dns", "blocked_query", "web");
		close(connection);
		assert_int_equal(news_of(&feed, &event, &error), EVENT_FEED_EVENT);
		assert_int_equal(event.kind, EVENT_HELLO);
		assert_int_equal(news_of(&feed, &event, &error), EVENT_FEED_EVENT);
		assert_int_equal(event.kind, EVENT_REFUSED);
		while (feed.stream.fd >= 0) {
			const char *line;

			assert_int_equal(event_feed_next(&feed, &event, &line, &error), EVENT_FEED_NOTHING);
		}
	}
	event_feed_close(&feed);
}

static void the_end_of_the_container_is_told_after_its_last_event(void **state)
{
	struct event_feed feed;
	struct event event;
	struct error error = {0};
	const char *line;
	int connection;
	(void)state;

	feed_open(&feed);
	assert_int_equal(event_feed_next(&feed, &event, &line, &error), EVENT_FEED_NOTHING);
	connection = taken();
	init_end();
	say(connection, "dns", "ended", "web");
	close(connection);
	assert_int_equal(news_of(&feed, &event, &error), EVENT_FEED_EVENT);
	assert_int_equal(event.kind, EVENT_EXPIRED);
	assert_int_equal(news_of(&feed, &event, &error), EVENT_FEED_ENDED);
	assert_int_equal(event.kind, EVENT_ENDED);
	assert_string_equal(event.container, "web");
	assert_int_equal(event_feed_next(&feed, &event, &line, &error), EVENT_FEED_ENDED);
	assert_non_null(strstr(line, "\"action\":\"ended\""));
	event_feed_close(&feed);
}

/* Of two under one shield the one ends, and what is told goes on until the other does. */
static void the_end_is_that_of_the_last_who_share_the_shield(void **state)
{
	struct container container = opened();
	struct bundle_runtime runtime = {.init_pid = init, .init_start = container.runtime.init_start};
	struct bundle_members members = {.count = 1, .list = {{.id = "ab", .name = "other"}}};
	struct event_feed feed;
	struct event event;
	struct error error = {0};
	const char *line;
	pid_t other = fork();
	(void)state;

	if (other == 0) {
		alarm(60);
		pause();
		_exit(0);
	}
	members.list[0].pid = other;
	assert_int_equal(bundle_process_start(other, &members.list[0].start), 0);
	assert_int_equal(bundle_members_write(&container.bundle, &members, NULL), 0);
	assert_int_equal(bundle_runtime_write(&container.bundle, &runtime, NULL), 0);
	assert_int_equal(event_feed_open(&feed, &container, NULL), 0);
	init_end();
	assert_int_equal(event_feed_next(&feed, &event, &line, &error), EVENT_FEED_NOTHING);
	assert_true(feed.end_ms == INT64_MAX);
	kill(other, SIGKILL);
	assert_int_equal(news_of(&feed, &event, &error), EVENT_FEED_ENDED);
	waitpid(other, NULL, 0);
	event_feed_close(&feed);
}

/* A worker that does not let go of the connection holds nobody up; nor does one that never was there. */
static void the_end_is_told_whatever_the_forwarder_does(void **state)
{
	(void)state;

	for (int round = 0; round < 2; round++) {
		struct event_feed feed;
		struct event event;
		struct error error = {0};

		if (round == 1) {
			assert_int_equal(teardown(NULL), 0);
			assert_int_equal(setup(NULL), 0);
			close(take_fd(listener));
		}
		feed_open(&feed);
		init_end();
		assert_int_equal(news_of(&feed, &event, &error), EVENT_FEED_ENDED);
		event_feed_close(&feed);
	}
}

static void a_forwarder_that_knows_no_events_is_asked_once_and_the_remedy_told(void **state)
{
	struct event_feed feed;
	struct event event;
	struct error error = {0};
	const char *line;
	int connection;
	(void)state;

	feed_open(&feed);
	assert_int_equal(event_feed_next(&feed, &event, &line, &error), EVENT_FEED_NOTHING);
	connection = taken();
	assert_true(dprintf(connection, "error unknown request\n") > 0);
	close(connection);
	assert_int_equal(news_of(&feed, &event, &error), EVENT_FEED_FAILED);
	assert_true(feed.failed);
	assert_non_null(strstr(error.text, "terok-shield reload web"));
	assert_int_equal(event_feed_next(&feed, &event, &line, &error), EVENT_FEED_NOTHING);
	assert_int_equal(feed.stream.fd, -1);
	init_end();
	assert_int_equal(news_of(&feed, &event, &error), EVENT_FEED_ENDED);
	event_feed_close(&feed);
}

/* Where several are merged one container's forwarder must not put words into another one's mouth, nor end it. */
static void what_is_not_its_own_or_no_event_is_not_believed(void **state)
{
	static const char *const lines[] = {"{\"ts\":\"t\",\"source\":\"dns\",\"action\":\"learned\",\"container\":\"db\"}",
		"{\"ts\":\"t\",\"source\":\"shield\",\"action\":\"ended\",\"container\":\"web\"}", "hello", "\033[2J"};
	(void)state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct event_feed feed;
		struct event event;
		struct error error = {0};
		const char *line;
		int connection;

		feed_open(&feed);
		assert_int_equal(event_feed_next(&feed, &event, &line, &error), EVENT_FEED_NOTHING);
		connection = taken();
		assert_true(dprintf(connection, "%s\n", lines[i]) > 0);
		assert_int_equal(news_of(&feed, &event, &error), EVENT_FEED_FAILED);
		assert_memory_equal(error.text, "web: ", 5);
		close(connection);
		event_feed_close(&feed);
	}
}

static void one_that_does_not_run_has_no_events(void **state)
{
	struct container container;
	struct event_feed feed;
	struct error error = {0};
	(void)state;

	init_end();
	init = 0;
	container = opened();
	assert_int_equal(event_feed_open(&feed, &container, &error), -ESRCH);
	assert_string_equal(error.text, "web does not run");
	event_feed_close(&feed);
	bundle_close(&container.bundle);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(the_next_worker_is_read_when_one_has_ended),
		in_folder(the_end_of_the_container_is_told_after_its_last_event),
		in_folder(the_end_is_that_of_the_last_who_share_the_shield),
		in_folder(the_end_is_told_whatever_the_forwarder_does),
		in_folder(a_forwarder_that_knows_no_events_is_asked_once_and_the_remedy_told),
		in_folder(what_is_not_its_own_or_no_event_is_not_believed),
		in_folder(one_that_does_not_run_has_no_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
