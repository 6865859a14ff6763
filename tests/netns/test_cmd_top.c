/* cmd_top.c on a terminal of its own: what it shows and does, and how it gives the terminal back. Rules and sets are real; the forwarder is a
 * socket of ours, to say what we like. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fw/netns.h"
#include "fw/setwriter.h"
#include "state/control.h"
#include "support/rig.h"

#define PATIENCE_MS 20000

static struct rig rig;
static char program[4096];
static int listener = -1;

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	(void)context, (void)tcp;
	return rig_reply(out, query, length, 3);
}

static int learn(void *context, struct error *error)
{
	struct setwriter_key key = {.addr = addr_v4((uint8_t[]){198, 51, 100, 7})};
	struct setwriter *writer;
	int result = setwriter_open(&writer, error);

	(void)context;
	if (!result)
		result = setwriter_add(writer, &key, 60000, "allowed.test", true);
	if (!result)
		result = setwriter_commit(writer);
	setwriter_close(writer);
	return result;
}

static int setup(void **state)
{
	struct bundle_runtime runtime = {.container_id = "0123456789ab"};
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 64);

	(void)state;
	assert_in_range(length, 1, sizeof(program) - 64);
	program[length] = '\0';
	strcpy(strrchr(program, '/') + 1, "terok-shield");
	rig_start(&rig, "allowed.test\n", "", upstream, NULL);
	runtime.init_pid = rig.init;
	assert_int_equal(bundle_process_start(rig.init, &runtime.init_start), 0);
	assert_int_equal(bundle_runtime_write(&rig.bundle, &runtime, NULL), 0);
	assert_int_equal(netns_run(rig.inside_fd, learn, NULL, NULL), 0);
	listener = control_listen(&rig.bundle, NULL);
	return listener < 0;
}

static int teardown(void **state)
{
	(void)state;
	close(take_fd(listener));
	rig_stop(&rig);
	return 0;
}

/* ---- the program on its terminal ---- */

struct session {
	pid_t child;
	int master, slave;
	struct termios before;
	int connection; /* the forwarder's end of the stream */
	char output[1 << 18];
	size_t length, from; /* what was looked at already */
};

/* What stands for the forwarder answers what a verdict asks too. */
static void forwarder_serve(struct session *session)
{
	struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
	char request[CONTROL_LINE_MAX] = "";
	int connection;

	if (poll(&poll_fd, 1, 0) < 1)
		return;
	connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(read(connection, request, sizeof(request) - 1) > 0);
	if (strcmp(request, "events\n") == 0) {
		session->connection = connection;
		return;
	}
	assert_true(dprintf(connection, strncmp(request, "resolve ", 8) ? "ok\n" : "address 203.0.113.20\nok\n") > 0);
	close(connection);
}

/* Reads what it draws until that has the words, from where the last look ended; NULL: to the end of the program. */
static void session_until(struct session *session, const char *words)
{
	int64_t end_ms = clock_now_ms() + PATIENCE_MS;
	bool ended = false;

	while (words ? !strstr(session->output + session->from, words) : !ended) {
		struct pollfd poll_fd = {.fd = session->master, .events = POLLIN};
		siginfo_t info = {0};
		ssize_t count;

		if (clock_now_ms() >= end_ms)
			fail_msg("'%s' did not come: %s", words ? words : "the end", session->output + session->from);
		forwarder_serve(session);
		ended = waitid(P_PID, (id_t)session->child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == session->child;
		if (poll(&poll_fd, 1, ended ? 0 : 20) < 1)
			continue;
		count = read(session->master, session->output + session->length, sizeof(session->output) - 1 - session->length);
		assert_true(count > 0);
		session->length += (size_t)count;
	}
	session->from = session->length;
}

static void session_start(struct session *session)
{
	struct winsize size = {.ws_row = 24, .ws_col = 80};

	memset(session, 0, sizeof(*session));
	session->connection = -1;
	assert_int_equal(openpty(&session->master, &session->slave, NULL, NULL, &size), 0);
	assert_int_equal(tcgetattr(session->slave, &session->before), 0);
	session->child = fork();
	if (session->child == 0) {
		setsid();
		ioctl(session->slave, TIOCSCTTY, 0);
		for (int fd = 0; fd < 3; fd++)
			dup2(session->slave, fd);
		setenv("TERM", "xterm", 1);
		execl(program, program, "top", "rig", "--task-state-dir", rig.folder, NULL);
		_exit(127);
	}
	session_until(session, "allowed.test");
}

static void session_type(const struct session *session, const char *keys)
{
	assert_int_equal(write(session->master, keys, strlen(keys)), strlen(keys));
}

/* Waits for its end; the terminal has to be as it was before, with the cursor and the first screen. */
static int session_end(struct session *session)
{
	struct termios after;
	int status;

	session->from = 0;
	session_until(session, NULL);
	assert_int_equal(waitpid(session->child, &status, 0), session->child);
	assert_int_equal(tcgetattr(session->slave, &after), 0);
	assert_int_equal(after.c_lflag, session->before.c_lflag);
	assert_int_equal(after.c_iflag, session->before.c_iflag);
	assert_int_equal(after.c_oflag, session->before.c_oflag);
	assert_memory_equal(after.c_cc, session->before.c_cc, sizeof(after.c_cc));
	assert_non_null(strstr(session->output, "\033[?1049h"));
	assert_non_null(strstr(session->output, "\033[?1049l"));
	assert_non_null(strstr(strstr(session->output, "\033[?25l"), "\033[?25h")); /* xterm's cnorm may have more in front */
	close(session->master);
	close(session->slave);
	if (session->connection >= 0)
		close(session->connection);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void forwarder_say(struct session *session, const char *source, const char *action, const char *more)
{
	while (session->connection < 0)
		forwarder_serve(session);
	assert_true(dprintf(session->connection,
			    "{\"ts\":\"2026-11-28T04:40:01+00:00\",\"source\":\"%s\",\"action\":\"%s\",\"container\":\"rig\"%s}\n", source,
			    action, more) > 0);
}

/* ---- tests ---- */

static struct session session;

static void it_shows_the_sets_and_the_refusals_and_nothing_raw(void **state)
{
	(void)state;

	session_start(&session);
	forwarder_say(&session, "dns", "blocked_query", ",\"domain\":\"other.test\",\"detail\":\"no\\u001b]0;owned\\u0007\"");
	session_until(&session, "other.test");
	session_type(&session, "q");
	assert_int_equal(session_end(&session), 0);
	assert_non_null(strstr(session.output, "198.51.100.7"));
	assert_null(strstr(session.output, "\033]0;"));
	assert_non_null(strstr(session.output, "no\\x1b]0;owned\\x07"));
}

static void it_follows_the_size_of_the_terminal(void **state)
{
	struct winsize size = {.ws_row = 10, .ws_col = 60};
	(void)state;

	session_start(&session);
	assert_int_equal(ioctl(session.master, TIOCSWINSZ, &size), 0);
	session_until(&session, "\033[10;1H"); /* the last line, where the keys are explained */
	usleep(1500000);                       /* another sample */
	session_type(&session, "?");
	session_until(&session, "this page");
	session_type(&session, "qq");
	assert_int_equal(session_end(&session), 0);
	assert_null(strstr(session.output, "died"));
}

static void however_it_ends_the_terminal_is_as_it_was(void **state)
{
	(void)state;

	session_start(&session);
	session_type(&session, "\003"); /* Ctrl-C */
	assert_int_equal(session_end(&session), 0);
	session_start(&session);
	kill(session.child, SIGTERM);
	assert_int_equal(session_end(&session), 0);
	session_start(&session);
	kill(session.child, SIGHUP);
	assert_int_equal(session_end(&session), 0);
}

static void keys_change_what_the_commands_would(void **state)
{
	cleanup_free char *denied = NULL, *allowed = NULL;
	(void)state;

	session_start(&session);
	forwarder_say(&session, "dns", "blocked_query", ",\"domain\":\"other.test\",\"detail\":\"no\"");
	session_until(&session, "other.test");
	session_type(&session, "\ta");
	session_until(&session, "Allowed other.test -> 203.0.113.20 for rig");
	session_type(&session, "\033OA\033OB"); /* Up from nothing, Down: the address alone is left */
	session_type(&session, "d");
	session_until(&session, "Denied allowed.test for rig");
	session_type(&session, "q");
	assert_int_equal(session_end(&session), 0);
	assert_int_equal(bundle_read(&rig.bundle, "live.domains", 4096, &allowed, NULL, NULL), 0);
	assert_int_equal(bundle_read(&rig.bundle, "denied.domains", 4096, &denied, NULL, NULL), 0);
	assert_string_equal(allowed, "other.test\n");
	assert_string_equal(denied, "allowed.test\n");
}

static void the_end_of_the_container_ends_it(void **state)
{
	(void)state;

	session_start(&session);
	kill(rig.init, SIGKILL);
	assert_int_equal(session_end(&session), 0);
	assert_non_null(strstr(strstr(session.output, "\033[?1049l"), "rig has ended"));
}

static void what_is_no_terminal_is_told_what_to_use(void **state)
{
	char command[4400], output[512];
	FILE *stream;
	(void)state;

	snprintf(command, sizeof(command), "%s top rig --task-state-dir %s 2>&1 </dev/null; echo $?", program, rig.folder);
	stream = popen(command, "r");
	output[fread(output, 1, sizeof(output) - 1, stream)] = '\0';
	pclose(stream);
	assert_string_equal(output, "Error: top needs a terminal; for a program there are `rules --json` and `watch --json`\n1\n");
}

#define with_rig(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_rig(it_shows_the_sets_and_the_refusals_and_nothing_raw),
		with_rig(it_follows_the_size_of_the_terminal),
		with_rig(however_it_ends_the_terminal_is_as_it_was),
		with_rig(keys_change_what_the_commands_would),
		with_rig(the_end_of_the_container_ends_it),
		with_rig(what_is_no_terminal_is_told_what_to_use),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
