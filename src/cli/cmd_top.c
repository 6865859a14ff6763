/* top: a live screen of one container.
 *
 * Theory of operation. One loop waits for keys, signals, events and the answer of a verdict, and once a second asks a child that stays in the
 * container's network namespace for the kernel's sets. A verdict (keys a and d) is the command `allow` or `deny` itself, run in a child, since
 * it may wait for a name to be looked up; its last line of output is shown. SIGINT, SIGTERM and SIGHUP come through a descriptor, so that the
 * terminal is given back at one place, whatever it is that ends the screen. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/container.h"
#include "cli/event_feed.h"
#include "cli/inside.h"
#include "cli/top_model.h"
#include "cli/top_screen.h"

#define SAMPLE_MS  1000
#define DRAW_MS    200  /* at most so often for events alone */
#define TURN_MAX   2000 /* events before keys have their turn */
#define OUTPUT_MAX 4096 /* of a verdict */

/* An `allow` or `deny` that is under way. */
struct verdict {
	pid_t child; /* 0: none */
	int fd;      /* what it prints */
	struct text output;
	char target[TOP_TARGET_MAX];
};

struct top {
	const struct command_options *options;
	struct bundle_runtime runtime;
	struct event_feed feed;
	struct inside inside;
	struct setwriter *reader; /* the child's */
	struct top_model model;
	struct verdict verdict;
	int signal_fd;
	sigset_t signals_before;
	int64_t sample_ms, draw_ms; /* when next */
	int64_t opened_wall_s;
	struct timespec activity_time; /* of the file that was read last */
	bool changed;                  /* since it was drawn */
	bool busy;                     /* there were more events than a turn takes */
	bool ended;                    /* the container has */
};

/* ---- the container's activity ---- */

static int activity_take(void *context, const struct activity_row *row)
{
	struct top *top = context;
	top_model_activity(&top->model, row, top->opened_wall_s, clock_wall_s(), clock_now_ms());
	return 0;
}

/* When it is another file than the last time. One that cannot be read now may be so later; events tell the most of it. */
static void activity_look(struct top *top)
{
	struct activity head;
	struct stat status;
	const struct bundle *bundle = &top->feed.bundle;
	if (fstatat(bundle->fd, BUNDLE_ACTIVITY, &status, AT_SYMLINK_NOFOLLOW) ||
		(status.st_mtim.tv_sec == top->activity_time.tv_sec && status.st_mtim.tv_nsec == top->activity_time.tv_nsec))
		return;
	top->activity_time = status.st_mtim;
	activity_each(bundle, &head, activity_take, top, NULL);
}

/* ---- the kernel's sets ---- */

static int sample_work(void *context, struct text *output, struct error *error)
{
	struct top *top = context;
	return learned_pack_kept(&top->reader, output, error);
}

/* Of those who share a shield others may live on, also in another network namespace, when the one that was looked into has ended. */
static void runtime_follow(struct top *top)
{
	struct bundle_runtime now;
	if (bundle_runtime_read(&top->feed.bundle, &now, NULL) ||
		(now.init_pid == top->runtime.init_pid && now.init_start == top->runtime.init_start))
		return;
	inside_close(&top->inside);
	top->runtime = now;
}

static int sample_take(struct top *top, struct error *error)
{
	cleanup_text struct text packed = {0};
	struct learned learned = {0};
	runtime_follow(top);
	int rc = top->inside.child ? 0 : inside_open(&top->inside, &top->runtime, sample_work, top, error);
	if (!rc)
		rc = inside_ask(&top->inside, &packed, error);
	if (!rc)
		rc = learned_unpack(&learned, packed.data ? packed.data : "", packed.length, error);
	if (!rc && top_model_sample(&top->model, &learned, clock_now_ms()))
		rc = error_set(error, ENOMEM, "out of memory");
	learned_free(&learned);
	return rc;
}

/* A sample that failed is told, and the next one is taken by a new child. That the container has ended is the feed's to say. */
static void sample(struct top *top)
{
	enum shield_state state;
	struct error error = {0};
	int64_t now_ms = clock_now_ms();
	if (now_ms < top->sample_ms)
		return;
	top->sample_ms = now_ms + SAMPLE_MS;
	if (sample_take(top, &error) && error.code != ESRCH) {
		inside_close(&top->inside);
		top_model_say(&top->model, true, error.text, now_ms);
	}
	activity_look(top);
	bool read = bundle_state_read(&top->feed.bundle, &state, NULL) == 0;
	snprintf(top->model.state, sizeof(top->model.state), "%s", read ? shield_state_name(state) : "?");
	top->changed = true;
	top->draw_ms = 0;
}

/* ---- verdicts ---- */

/* In the child: the command as it would run in a shell, its output in the pipe. It completes what it has begun when the screen is left
 * meanwhile, by Ctrl-C too. */
static _Noreturn void verdict_main(const struct top *top, const char *command, int fd)
{
	struct command_options options = *top->options;
	struct error error = {0};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	setpgid(0, 0);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_SETMASK, &top->signals_before, NULL);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(COMMAND_FAILED);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	options.operands[0] = top->verdict.target;
	options.operand_count = 1;
	enum command_exit code = command_find(command)->run(&options, &error);
	if (error.code)
		printf("Error: %s\n", error.text);
	fflush(stdout);
	_exit((int)code);
}

static void verdict_begin(struct top *top, const char *command)
{
	struct verdict *verdict = &top->verdict;
	char words[TOP_TARGET_MAX + 32];
	int ends[2];
	if (verdict->child) {
		top_model_say(&top->model, true, "one at a time: the last one is still being applied", clock_now_ms());
		return;
	}
	strcpy(verdict->target, top->model.target);
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK)) {
		top_model_say(&top->model, true, "cannot make a pipe", clock_now_ms());
		return;
	}
	fflush(stdout);
	verdict->child = fork();
	if (verdict->child == 0)
		verdict_main(top, command, ends[1]);
	close(ends[1]);
	verdict->fd = ends[0];
	if (verdict->child < 0) {
		close(take_fd(verdict->fd));
		verdict->child = 0;
		top_model_say(&top->model, true, "cannot fork", clock_now_ms());
		return;
	}
	snprintf(words, sizeof(words), "%s %s ...", command, verdict->target);
	top_model_say(&top->model, false, words, clock_now_ms());
}

static const char *last_line(struct text *output)
{
	while (output->length > 0 && output->data[output->length - 1] == '\n')
		output->data[--output->length] = '\0';
	const char *newline = output->length > 0 ? strrchr(output->data, '\n') : NULL;
	return newline ? newline + 1 : output->length > 0 ? output->data : "it said nothing";
}

static void verdict_end(struct top *top)
{
	struct verdict *verdict = &top->verdict;
	int status = 0;
	while (waitpid(verdict->child, &status, 0) < 0 && errno == EINTR)
		;
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	if (good)
		top_model_settled(&top->model, verdict->target, clock_wall_s());
	top_model_say(&top->model, !good, text_failed(&verdict->output) ? "out of memory" : last_line(&verdict->output), clock_now_ms());
	close(take_fd(verdict->fd));
	text_free(&verdict->output);
	verdict->child = 0;
	top->sample_ms = 0; /* to show what has changed */
}

static void verdict_read(struct top *top)
{
	struct verdict *verdict = &top->verdict;
	char chunk[1024];
	ssize_t count;
	if (!verdict->child)
		return;
	while ((count = read(verdict->fd, chunk, sizeof(chunk))) > 0) {
		if (verdict->output.length < OUTPUT_MAX)
			text_add_bytes(&verdict->output, chunk, (size_t)count);
	}
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	verdict_end(top);
	top->changed = true;
}

/* ---- the loop ---- */

static void events_read(struct top *top)
{
	top->busy = false;
	for (unsigned turn = 0; turn < TURN_MAX && !top->ended; turn++) {
		struct event event;
		struct error error = {0};
		const char *line;
		switch (event_feed_next(&top->feed, &event, &line, &error)) {
		case EVENT_FEED_NOTHING:
			return;
		case EVENT_FEED_EVENT:
			top_model_event(&top->model, &event, clock_now_ms());
			if (event.kind == EVENT_AUDIT && strcmp(event.action, "allowed") == 0)
				top_model_settled(&top->model, event.dest, clock_wall_s());
			break;
		case EVENT_FEED_FAILED:
			top_model_blind(&top->model, error.text);
			break;
		case EVENT_FEED_ENDED:
			top->ended = true;
			break;
		}
		top->changed = true;
	}
	top->busy = true;
}

/* True when one of them ends the screen. */
static bool keys_read(struct top *top)
{
	enum top_key key;
	while (top_screen_key(&key)) {
		top->changed = true;
		top->draw_ms = 0;
		switch (top_model_key(&top->model, key)) {
		case TOP_WISH_NOTHING:
			break;
		case TOP_WISH_QUIT:
			return true;
		case TOP_WISH_ALLOW:
			verdict_begin(top, "allow");
			break;
		case TOP_WISH_DENY:
			verdict_begin(top, "deny");
			break;
		}
	}
	return false;
}

/* Waits for whatever is next. True when a signal came or the terminal has gone. */
static bool wait_next(struct top *top)
{
	struct pollfd fds[5] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = top->signal_fd, .events = POLLIN},
		{.fd = top->verdict.child ? top->verdict.fd : -1, .events = POLLIN}};
	int64_t due_ms = event_feed_poll(&top->feed, &fds[3]), left_ms;
	due_ms = due_ms < top->sample_ms ? due_ms : top->sample_ms;
	if (top->changed && top->draw_ms < due_ms)
		due_ms = top->draw_ms;
	left_ms = due_ms - clock_now_ms();
	poll(fds, 5, left_ms < 0 || top->busy ? 0 : (int)left_ms); /* a change of the terminal's size interrupts it, and is a key then */
	return fds[1].revents != 0 || (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

static void top_run(struct top *top)
{
	do {
		events_read(top);
		verdict_read(top);
		sample(top);
		if (top->ended || keys_read(top))
			return;
		int64_t now_ms = clock_now_ms();
		if (top->changed && now_ms >= top->draw_ms) {
			top_model_sort(&top->model);
			top_screen_draw(&top->model, now_ms);
			top->changed = false;
			top->draw_ms = now_ms + DRAW_MS;
		}
	} while (!wait_next(top));
}

/* ---- the command ---- */

/* Without a name the only one that runs is meant. */
static int container_find(const struct command_options *options, char name[129], struct error *error)
{
	char **names;
	size_t count, running = 0;
	int rc = container_shields(options, &names, &count, error);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		cleanup_container struct container container = CONTAINER_INIT;
		struct command_options one = *options;
		one.container = names[i];
		if (container_open(&container, &one, NULL) || !container.running)
			continue;
		if (running++ == 0)
			snprintf(name, 129, "%s", names[i]);
	}
	container_names_free(names, count);
	if (rc || running == 1)
		return rc;
	return running == 0 ? error_set(error, ENOENT, "no shielded container runs")
			    : error_set(error, EINVAL, "%zu shielded containers run; name one of them (`terok-shield list`)", running);
}

static int top_open(struct top *top, struct error *error)
{
	cleanup_container struct container container = CONTAINER_INIT;
	sigset_t signals;
	int rc = container_open(&container, top->options, error);
	if (rc)
		return rc;
	top->runtime = container.runtime;
	if (top_model_init(&top->model, container.identity.container))
		return error_set(error, ENOMEM, "out of memory");
	rc = event_feed_open(&top->feed, &container, error);
	if (rc)
		return rc;
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &top->signals_before);
	top->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return top->signal_fd < 0 ? error_errno(error, errno, "cannot wait for signals") : top_screen_open(error);
}

static void top_close(struct top *top)
{
	top_screen_close();
	if (top->verdict.child) {
		close(take_fd(top->verdict.fd));
		text_free(&top->verdict.output);
	}
	if (top->signal_fd >= 0)
		close(top->signal_fd);
	inside_close(&top->inside);
	event_feed_close(&top->feed);
	top_model_free(&top->model);
}

enum command_exit cmd_top(const struct command_options *options, struct error *error)
{
	struct command_options one = *options;
	char name[129];
	if (!options->container) {
		if (container_find(options, name, error))
			return COMMAND_FAILED;
		one.container = name;
	}
	cleanup_free struct top *top = calloc(1, sizeof(*top));
	if (!top) {
		error_set(error, ENOMEM, "out of memory");
		return COMMAND_FAILED;
	}
	*top = (struct top){
		.options = &one, .feed = EVENT_FEED_INIT, .inside = INSIDE_INIT, .signal_fd = -1, .opened_wall_s = clock_wall_s()};
	int rc = top_open(top, error);
	if (!rc)
		top_run(top);
	bool ended = top->ended;
	snprintf(name, sizeof(name), "%s", top->model.container);
	top_close(top);
	if (ended)
		printf("%s has ended\n", name);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
