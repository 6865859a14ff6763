/* watch: the events of containers as they happen, of several merged in the order in which they come. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/event_feed.h"
#include "cli/event_text.h"
#include "cli/output.h"

#define WATCHED_MAX         256
#define SCAN_MS             2000 /* how often new containers are looked for */
#define TURN_MAX            500  /* events of one container before it is the next one's turn */
#define CONTAINER_WIDTH_MAX 24

struct watch {
	const struct command_options *options;
	struct event_feed feeds[WATCHED_MAX];
	size_t count;
	int64_t scan_ms; /* with --all: when to look for new ones */
	bool busy;       /* there was more than one turn's */
	bool readable;   /* lines for people */
	bool full;       /* it was said that there are more */
	struct event_style style;
};

/* ---- whom ---- */

static bool is_watched(const struct watch *watch, const char *name)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (strcmp(watch->feeds[i].name, name) == 0)
			return true;
	}
	return false;
}

/* word: a name or an id. */
static int container_add(struct watch *watch, const char *word, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	struct command_options one = *watch->options;
	one.container = word;
	int rc = container_open(&container, &one, error);
	if (rc || is_watched(watch, container.identity.container))
		return rc;
	if (watch->count == WATCHED_MAX)
		return error_set(error, E2BIG, "more than %d containers cannot be watched at once", WATCHED_MAX);
	rc = event_feed_open(&watch->feeds[watch->count], &container, error);
	watch->count += rc == 0;
	if (rc)
		event_feed_close(&watch->feeds[watch->count]);
	return rc;
}

/* Those that run and are not yet watched. What is wrong with one of them does not hide the others, and is for `list` to say. */
static void new_add(struct watch *watch)
{
	char **names;
	size_t count;
	if (container_shields(watch->options, &names, &count, NULL))
		count = 0, names = NULL;
	for (size_t i = 0; i < count; i++) {
		if (is_watched(watch, names[i]) || container_add(watch, names[i], NULL) != -E2BIG || watch->full)
			continue;
		fprintf(stderr, "note: more than %d containers run; the others are not watched\n", WATCHED_MAX);
		watch->full = true;
	}
	container_names_free(names, count);
	watch->scan_ms = clock_now_ms() + SCAN_MS;
}

static int named_add(struct watch *watch, struct error *error)
{
	const struct command_options *options = watch->options;
	int rc = container_add(watch, options->container, error);
	for (size_t i = 0; rc == 0 && i < options->operand_count; i++)
		rc = container_add(watch, options->operands[i], error);
	return rc;
}

/* ---- what they say ---- */

/* The width may change at any time, and so may who is watched. */
static void style_look(struct watch *watch)
{
	struct winsize size;
	watch->style.width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
	watch->style.container_width = 0;
	for (size_t i = 0; (watch->options->all || watch->count > 1) && i < watch->count; i++) {
		size_t length = strlen(watch->feeds[i].name);
		if (length > watch->style.container_width)
			watch->style.container_width = length < CONTAINER_WIDTH_MAX ? length : CONTAINER_WIDTH_MAX;
	}
}

static int event_print(const struct watch *watch, const struct event *event, const char *line, struct error *error)
{
	cleanup_text struct text text = {0};
	if (watch->readable)
		event_text_add(&text, event, &watch->style);
	else
		text_add(&text, line);
	text_add(&text, "\n");
	if (text_failed(&text))
		return error_set(error, ENOMEM, "out of memory");
	if (fwrite(text.data, 1, text.length, stdout) != text.length)
		return error_errno(error, errno, "cannot write to standard output");
	return 0;
}

/* Returns 0, or the error of the output. keep: set to false once the container has ended. */
static int feed_read(struct watch *watch, struct event_feed *feed, bool *keep, struct error *error)
{
	*keep = true;
	for (unsigned turn = 0; *keep; turn++) {
		if (turn == TURN_MAX) {
			watch->busy = true;
			return 0;
		}
		struct event event;
		struct error refused = {0};
		const char *line;
		enum event_feed_news news = event_feed_next(feed, &event, &line, &refused);
		if (news == EVENT_FEED_NOTHING)
			return 0;
		if (news == EVENT_FEED_FAILED) {
			fprintf(stderr, "note: %s\n", refused.text);
			continue;
		}
		*keep = news != EVENT_FEED_ENDED;
		int rc = event_print(watch, &event, line, error);
		if (rc)
			return rc;
	}
	return 0;
}

static int feeds_read(struct watch *watch, struct error *error)
{
	style_look(watch);
	watch->busy = false;
	for (size_t i = 0; i < watch->count; i++) {
		bool keep;
		int rc = feed_read(watch, &watch->feeds[i], &keep, error);
		if (rc)
			return rc;
		if (keep)
			continue;
		event_feed_close(&watch->feeds[i]);
		watch->feeds[i--] = watch->feeds[--watch->count];
	}
	return fflush(stdout) ? error_errno(error, errno, "cannot write to standard output") : 0;
}

static bool all_failed(const struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (!watch->feeds[i].failed)
			return false;
	}
	return true;
}

/* ---- the command ---- */

/* Waits for whatever is next. True when it is time to end. */
static bool wait_next(const struct watch *watch, int signal_fd)
{
	struct pollfd fds[1 + 2 * WATCHED_MAX] = {{.fd = signal_fd, .events = POLLIN}};
	int64_t due_ms = watch->options->all ? watch->scan_ms : INT64_MAX, left_ms;
	for (size_t i = 0; i < watch->count; i++) {
		int64_t feed_ms = event_feed_poll(&watch->feeds[i], &fds[1 + 2 * i]);
		due_ms = feed_ms < due_ms ? feed_ms : due_ms;
	}
	left_ms = due_ms - clock_now_ms(); /* the longest is as good as any that is long: a poll too many costs nothing */
	poll(fds, 1 + 2 * watch->count, watch->busy || left_ms < 0 ? 0 : left_ms > SCAN_MS ? SCAN_MS : (int)left_ms);
	return fds[0].revents != 0;
}

static int watch_run(struct watch *watch, int signal_fd, struct error *error)
{
	if (watch->options->all)
		new_add(watch);
	if (watch->count == 0)
		fprintf(stderr, "note: no shielded container runs; waiting for one\n");
	do {
		if (watch->options->all && clock_now_ms() >= watch->scan_ms)
			new_add(watch);
		int rc = feeds_read(watch, error);
		if (rc)
			return rc;
		if (watch->options->all)
			continue;
		if (watch->count == 0)
			return 0;
		if (all_failed(watch))
			return error_set(error, EPROTO, "no container is left whose forwarder tells its events");
	} while (!wait_next(watch, signal_fd));
	return 0;
}

static int words_check(const struct command_options *options, struct error *error)
{
	char shown[160];
	if (options->all == (options->container != NULL))
		return error_set(error, EINVAL, "watch takes names of containers, or --all; see `terok-shield watch --help`");
	for (size_t i = 0; i < options->operand_count; i++) {
		if (!bundle_name_is_safe(options->operands[i]))
			return error_set(
				error, EINVAL, "Unsafe container name: '%s'", text_escaped(shown, sizeof(shown), options->operands[i]));
	}
	return 0;
}

enum command_exit cmd_watch(const struct command_options *options, struct error *error)
{
	sigset_t signals;
	if (words_check(options, error))
		return COMMAND_USAGE;
	cleanup_free struct watch *watch = calloc(1, sizeof(*watch));
	if (!watch) {
		error_set(error, ENOMEM, "out of memory");
		return COMMAND_FAILED;
	}
	*watch = (struct watch){.options = options, .readable = isatty(STDOUT_FILENO) && !options->json};
	watch->style = (struct event_style){.good = output_style(OUTPUT_GOOD),
		.bad = output_style(OUTPUT_BAD),
		.faint = output_style(OUTPUT_FAINT),
		.plain = output_style(OUTPUT_PLAIN)};
	int rc = options->all ? 0 : named_add(watch, error);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	cleanup_fd int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!rc)
		rc = watch_run(watch, signal_fd, error);
	for (size_t i = 0; i < watch->count; i++)
		event_feed_close(&watch->feeds[i]);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
