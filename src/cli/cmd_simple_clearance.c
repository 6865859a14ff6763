/* simple-clearance: asks about each destination that was refused, and applies the answer.
 *
 * Theory of operation. Events come in and questions wait in a queue, each once; one is asked at a time. Before it is asked the lists are
 * read: what an earlier answer, or another command, has settled meanwhile is passed over. An answer is the command `allow` or `deny` itself, in a child,
 * so that it says and does what that command does. Answers are lines of standard input, from a terminal or from a program: what comes
 * before there is a question is kept for the next ones. When the input has ended and all of it was taken, the command ends. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/clearance.h"
#include "cli/event_feed.h"

#define INPUT_MAX          4096
#define WAIT_MAX_MS        2000
#define TURN_MAX           2000 /* events before an answer has its turn */
#define VERDICT_OUTPUT_MAX (64u << 10)
#define VERDICT_TIMEOUT_MS 60000

struct asking {
	const struct command_options *options;
	struct container container; /* for its lists */
	struct event_feed feed;
	struct clearance_queue queue;
	struct clearance_question question;
	bool asked; /* question waits for its answer */
	bool terminal;
	bool ended; /* the container has */
	bool busy;  /* there were more events than a turn takes */
	sigset_t signals_before;
	char input[INPUT_MAX]; /* answers that were read and not yet taken */
	size_t length;
	bool input_over;
};

/* ---- verdicts ---- */

/* In the child: the command as it would run in a shell, its output in the pipe. */
static _Noreturn void verdict_main(const struct asking *asking, const struct clearance_answer *answer, int fd)
{
	struct command_options options = *asking->options;
	struct error error = {0};
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	setpgid(0, 0); /* Ctrl-C is not for it: it completes what it has begun */
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_SETMASK, &asking->signals_before, NULL);
	if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(COMMAND_FAILED);
	for (size_t i = 0; i < answer->target_count; i++)
		options.operands[options.operand_count++] = answer->targets[i];
	options.lasting = answer->lasting[0] ? answer->lasting : NULL;
	enum command_exit code = command_find(answer->act == CLEARANCE_ALLOW ? "allow" : "deny")->run(&options, &error);
	if (error.code)
		printf("Error: %s\n", error.text);
	fflush(stdout);
	_exit((int)code);
}

/* What the command says goes to output. Returns its exit code, or a negative errno. */
static int verdict_run(const struct asking *asking, const struct clearance_answer *answer, struct text *output)
{
	int ends[2], status = 0;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	cleanup_fd int read_fd = ends[0];
	fflush(stdout);
	pid_t child = fork();
	if (child == 0)
		verdict_main(asking, answer, ends[1]);
	close(ends[1]);
	if (child < 0)
		return -EAGAIN;
	int rc = file_read_pipe(read_fd, VERDICT_OUTPUT_MAX, VERDICT_TIMEOUT_MS, output);
	if (rc)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return rc ? rc : WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

static void verdict_apply(const struct asking *asking, const struct clearance_answer *answer)
{
	cleanup_text struct text output = {0};
	bool allows = answer->act == CLEARANCE_ALLOW;
	int code = verdict_run(asking, answer, &output);
	for (size_t i = 0; code == 0 && i < answer->target_count; i++)
		printf("  %s %s%s%s\n", allows ? "✓ allowed" : "✗ denied", answer->targets[i], answer->lasting[0] ? " for " : "",
			answer->lasting);
	if (code == 0)
		return;
	if (code < 0)
		fprintf(stderr, "  ! %s could not be %s: %s\n", answer->targets[0], allows ? "allowed" : "denied", strerror(-code));
	else
		fprintf(stderr, "  ! %s\n", output.length > 0 && !text_failed(&output) ? output.data : "it said nothing");
}

/* ---- questions ---- */

/* Takes the next question that is still one. */
static void question_next(struct asking *asking)
{
	cleanup_text struct text prompt = {0};
	cleanup_policy struct policy *policy = NULL;
	struct ruleset ruleset;
	struct error error = {0};
	if (asking->asked || asking->queue.count == 0)
		return;
	/* What cannot be read is said by the command that an answer runs. */
	bool known = container_ruleset(&asking->container, &ruleset, &policy, &error) == 0;
	do {
		if (!clearance_queue_take(&asking->queue, &asking->question))
			return;
	} while (known && clearance_is_settled(&asking->question, policy));
	clearance_prompt(&asking->question, &prompt);
	if (text_failed(&prompt))
		return;
	/* What a person typed before was not meant for what is shown now. */
	if (isatty(STDIN_FILENO)) {
		tcflush(STDIN_FILENO, TCIFLUSH);
		asking->length = 0;
	}
	printf("%s%s", prompt.data, asking->terminal ? "" : "\n"); /* a program reads lines */
	fflush(stdout);
	asking->asked = true;
}

static void question_repeat(struct asking *asking)
{
	cleanup_text struct text prompt = {0};
	clearance_prompt(&asking->question, &prompt);
	printf("%s%s", text_failed(&prompt) ? "" : prompt.data, asking->terminal ? "" : "\n");
	fflush(stdout);
}

/* True when it was the last answer. */
static bool answer_take(struct asking *asking, const char *line)
{
	struct clearance_answer answer;
	struct error error = {0};
	if (clearance_answer_parse(&answer, &asking->question, line, &error)) {
		fprintf(stderr, "  %s\n", error.text);
		question_repeat(asking);
		return false;
	}
	switch (answer.act) {
	case CLEARANCE_QUIT:
		return true;
	case CLEARANCE_HELP: {
		cleanup_text struct text help = {0};
		clearance_help(&asking->question, &help);
		fputs(text_failed(&help) ? "" : help.data, stdout);
		question_repeat(asking);
		return false;
	}
	case CLEARANCE_SKIP:
		break;
	case CLEARANCE_ALLOW:
	case CLEARANCE_DENY:
		verdict_apply(asking, &answer);
		break;
	}
	fflush(stdout);
	asking->asked = false;
	return false;
}

/* ---- what comes in ---- */

static void feed_read(struct asking *asking)
{
	asking->busy = false;
	for (unsigned turn = 0; !asking->ended; turn++) {
		struct event event;
		struct error refused = {0};
		struct clearance_question question;
		const char *line;
		if (turn == TURN_MAX) {
			asking->busy = true;
			return;
		}
		enum event_feed_news news = event_feed_next(&asking->feed, &event, &line, &refused);
		if (news == EVENT_FEED_NOTHING)
			return;
		if (news == EVENT_FEED_FAILED)
			fprintf(stderr, "note: %s\n", refused.text);
		asking->ended = news == EVENT_FEED_ENDED;
		if (news != EVENT_FEED_EVENT || !clearance_question_of(&question, &event))
			continue;
		if (!asking->asked || !clearance_is_same(&asking->question, &question))
			clearance_queue_add(&asking->queue, &question);
	}
}

/* Reads what there is, as far as there is place for it. */
static void input_read(struct asking *asking)
{
	while (!asking->input_over && asking->length < sizeof(asking->input)) {
		struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
		if (poll(&ready, 1, 0) <= 0)
			return;
		ssize_t count = read(STDIN_FILENO, asking->input + asking->length, sizeof(asking->input) - asking->length);
		if (count < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		asking->input_over = count <= 0;
		asking->length += count > 0 ? (size_t)count : 0;
	}
}

/* Takes the first line out of the input. What ends without a newline, or is longer than any answer, is a line too. */
static bool line_take(struct asking *asking, char line[INPUT_MAX + 1])
{
	char *newline = memchr(asking->input, '\n', asking->length);
	size_t length = newline ? (size_t)(newline - asking->input) : asking->length, used = length + (newline != NULL);
	if (!newline && asking->length < sizeof(asking->input) && (!asking->input_over || asking->length == 0))
		return false;
	for (size_t i = 0; i < length; i++)
		line[i] = asking->input[i] ? asking->input[i] : '?';
	line[length] = '\0';
	memmove(asking->input, asking->input + used, asking->length - used);
	asking->length -= used;
	return true;
}

/* Asks and answers until one of the two is missing. True when it is time to end. */
static bool answers_take(struct asking *asking)
{
	char line[INPUT_MAX + 1];
	input_read(asking);
	question_next(asking);
	while (asking->asked && line_take(asking, line)) {
		if (answer_take(asking, line))
			return true;
		input_read(asking);
		question_next(asking);
	}
	return asking->input_over && asking->length == 0;
}

/* ---- the command ---- */

/* True when it is time to end. */
static bool wait_next(const struct asking *asking, int signal_fd)
{
	bool reads = !asking->input_over && asking->length < sizeof(asking->input);
	struct pollfd fds[4] = {{.fd = signal_fd, .events = POLLIN}, {.fd = reads ? STDIN_FILENO : -1, .events = POLLIN}};
	int64_t left_ms = event_feed_poll(&asking->feed, &fds[2]) - clock_now_ms();
	poll(fds, 4, asking->busy || left_ms < 0 ? 0 : left_ms > WAIT_MAX_MS ? WAIT_MAX_MS : (int)left_ms);
	return fds[0].revents != 0;
}

static void ask_all(struct asking *asking, int signal_fd)
{
	uint64_t dropped = 0;
	do {
		feed_read(asking);
		if (asking->feed.failed)
			return;
		if (answers_take(asking))
			break;
		if (asking->queue.dropped > dropped) {
			dropped = asking->queue.dropped;
			fprintf(stderr, "note: more than %d questions wait; what comes now is asked when it is tried again\n",
				CLEARANCE_QUEUE_MAX);
		}
	} while (!(asking->ended && !asking->asked) && !wait_next(asking, signal_fd));
	if (asking->asked && asking->terminal)
		putchar('\n');
	if (asking->ended)
		fprintf(stderr, "note: %s has ended\n", asking->feed.name);
}

static int asking_open(struct asking *asking, struct error *error)
{
	struct container watched = CONTAINER_INIT;
	int rc = container_open(&asking->container, asking->options, error);
	if (!rc)
		rc = container_open(&watched, asking->options, error);
	if (!rc)
		rc = event_feed_open(&asking->feed, &watched, error);
	container_close(&watched);
	return rc;
}

enum command_exit cmd_simple_clearance(const struct command_options *options, struct error *error)
{
	sigset_t signals;
	cleanup_free struct asking *asking = calloc(1, sizeof(*asking));
	if (!asking) {
		error_set(error, ENOMEM, "out of memory");
		return COMMAND_FAILED;
	}
	asking->options = options;
	asking->container = (struct container)CONTAINER_INIT;
	asking->feed = (struct event_feed)EVENT_FEED_INIT;
	asking->terminal = isatty(STDOUT_FILENO);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, &asking->signals_before);
	cleanup_fd int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	int rc = signal_fd < 0 ? error_errno(error, errno, "cannot wait for signals") : asking_open(asking, error);
	if (!rc) {
		puts("Watching for blocked connections... (Ctrl-C to stop)");
		fflush(stdout);
		ask_all(asking, signal_fd);
		if (asking->feed.failed)
			rc = error_set(error, EPROTO, "the forwarder does not tell what it refuses");
	}
	event_feed_close(&asking->feed);
	container_close(&asking->container);
	return rc ? COMMAND_FAILED : COMMAND_DONE;
}
