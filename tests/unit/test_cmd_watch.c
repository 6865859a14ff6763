/* cmd_watch.c: several containers merged, new ones picked up, the end of each, on a terminal and in a pipe. The forwarders are sockets of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/command.h"
#include "state/bundle.h"
#include "state/control.h"

#define PATIENCE_MS 20000

static char folder[64];

/* A container: a process for its init, a socket for its forwarder. */
struct fake {
	const char *name;
	pid_t init;
	int listener, connection;
};

static void fake_start(struct fake *fake, const char *name)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_identity identity = {.version = "1"};
	struct bundle_runtime runtime = {0};
	struct settings settings;
	struct error error = {0};
	char path[160];

	*fake = (struct fake){.name = name, .connection = -1, .init = fork()};
	if (fake->init == 0) {
		alarm(60);
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "%s/containers/%s", folder, name);
	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	strcpy(identity.container, name);
	runtime.init_pid = fake->init;
	if (bundle_process_start(fake->init, &runtime.init_start) || bundle_create(&bundle, path, &error) ||
		bundle_write(&bundle, "profile.allowed", "", 0, &error) || bundle_write(&bundle, "profile.domains", "", 0, &error) ||
		bundle_settings_write(&bundle, &identity, &settings, &error) || bundle_runtime_write(&bundle, &runtime, &error))
		fail_msg("%s", error.text);
	fake->listener = control_listen(&bundle, &error);
	assert_true(fake->listener >= 0);
}

static void fake_end(struct fake *fake)
{
	kill(fake->init, SIGKILL);
	waitpid(fake->init, NULL, 0);
	close(fake->listener);
	if (fake->connection >= 0)
		close(fake->connection);
}

static void fake_accept(struct fake *fake)
{
	struct pollfd poll_fd = {.fd = fake->listener, .events = POLLIN};
	char request[16] = "";

	assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
	fake->connection = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_int_equal(read(fake->connection, request, sizeof(request) - 1), 7);
	assert_string_equal(request, "events\n");
}

static void fake_say(struct fake *fake, const char *source, const char *action, const char *more)
{
	assert_true(dprintf(fake->connection,
			    "{\"ts\":\"2026-11-28T04:40:01+00:00\",\"source\":\"%s\",\"action\":\"%s\",\"container\":\"%s\"%s}\n", source,
			    action, fake->name, more) > 0);
}

/* The command in a child; what it prints comes out of fd. */
struct run {
	pid_t child;
	int fd;
	char output[8192];
	size_t length;
};

static void run_start(struct run *run, bool terminal, struct command_options options)
{
	struct winsize size = {.ws_row = 24, .ws_col = 60};
	int ends[2];

	memset(run, 0, sizeof(*run));
	if (terminal)
		assert_int_equal(openpty(&ends[0], &ends[1], NULL, NULL, &size), 0);
	else
		assert_int_equal(pipe(ends), 0);
	run->fd = ends[0];
	options.state_dir = folder;
	run->child = fork();
	if (run->child == 0) {
		struct error error = {0};

		alarm(60);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		enum command_exit code = command_find("watch")->run(&options, &error);
		fflush(stdout);
		if (error.code)
			fprintf(stderr, "Error: %s\n", error.text);
		_exit((int)code);
	}
	close(ends[1]);
}

/* Reads until the output has the words. */
static void run_until(struct run *run, const char *words)
{
	int64_t end_ms = clock_now_ms() + PATIENCE_MS;

	while (!strstr(run->output, words)) {
		struct pollfd poll_fd = {.fd = run->fd, .events = POLLIN};
		ssize_t count;

		if (clock_now_ms() >= end_ms || poll(&poll_fd, 1, PATIENCE_MS) < 1)
			fail_msg("'%s' did not come: %s", words, run->output);
		count = read(run->fd, run->output + run->length, sizeof(run->output) - 1 - run->length);
		if (count <= 0)
			fail_msg("'%s' did not come before the end: %s", words, run->output);
		run->length += (size_t)count;
	}
}

static int run_end(struct run *run)
{
	int status;

	assert_int_equal(waitpid(run->child, &status, 0), run->child);
	close(run->fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int folders_make(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_cmd_watch.XXXXXX");
	return mkdtemp(folder) == NULL;
}

static int folders_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf '%s'", folder);
	return system(command);
}

static void several_are_merged_in_a_pipe_until_the_last_has_ended(void **state)
{
	struct fake web, db;
	struct run run;
	(void)state;

	fake_start(&web, "web");
	fake_start(&db, "db");
	run_start(&run, false, (struct command_options){.container = "web", .operands = {"db", "web"}, .operand_count = 2});
	fake_accept(&web);
	fake_accept(&db);
	fake_say(&web, "shield", "hello", "");
	run_until(&run, "\"container\":\"web\"}\n");
	fake_say(&db, "dns", "blocked_query", ",\"domain\":\"a.test\",\"new\":1");
	run_until(&run, "\"container\":\"db\",\"domain\":\"a.test\",\"new\":1}\n");
	fake_say(&web, "audit", "note", "");
	run_until(&run, "note");
	fake_end(&db);
	run_until(&run, "\"source\":\"shield\",\"action\":\"ended\",\"container\":\"db\"}\n");
	fake_end(&web);
	run_until(&run, "\"source\":\"shield\",\"action\":\"ended\",\"container\":\"web\"}\n");
	assert_int_equal(run_end(&run), 0);
	assert_int_equal(run.output[0], '{');
}

static void on_a_terminal_lines_are_for_people_and_fit(void **state)
{
	struct fake web;
	struct run run;
	(void)state;

	fake_start(&web, "web");
	setenv("TERM", "xterm", 1);
	setenv("TZ", "UTC", 1);
	unsetenv("NO_COLOR");
	run_start(&run, true, (struct command_options){.container = "web"});
	fake_accept(&web);
	fake_say(&web, "dns", "blocked_query",
		",\"domain\":\"a-very-long-name-indeed.below-another-long-name.exfiltration.test\",\"query_type\":\"A\",\"detail\":\"x\\u001b[2J\"");
	run_until(&run, "\r\n");
	assert_memory_equal(run.output, "\033[2m04:40:01\033[0m \033[31mrefused  \033[0ma-very-", 42);
	assert_non_null(strstr(run.output, "exfiltration.test A  x\\x1b[2J\r\n"));
	assert_true(strlen(run.output) == 60 + strlen("\033[2m\033[0m\033[31m\033[0m\r\n"));
	kill(run.child, SIGINT);
	assert_int_equal(run_end(&run), 0);
	setenv("NO_COLOR", "1", 1);
	run_start(&run, true, (struct command_options){.container = "web"});
	fake_accept(&web);
	fake_say(&web, "audit", "shield_down", "");
	run_until(&run, "\r\n");
	assert_memory_equal(run.output, "04:40:01 shield_down ", 21);
	kill(run.child, SIGTERM);
	assert_int_equal(run_end(&run), 0);
	run_start(&run, true, (struct command_options){.container = "web", .json = true});
	fake_accept(&web);
	fake_say(&web, "audit", "shield_down", "");
	run_until(&run, "\r\n");
	assert_memory_equal(run.output, "{\"ts\":", 6);
	kill(run.child, SIGINT);
	assert_int_equal(run_end(&run), 0);
	fake_end(&web);
}

static void all_of_them_are_watched_with_those_that_come_later(void **state)
{
	struct fake web, db;
	struct run run;
	(void)state;

	fake_start(&web, "web");
	run_start(&run, false, (struct command_options){.all = true});
	fake_accept(&web);
	fake_say(&web, "shield", "hello", "");
	run_until(&run, "hello");
	fake_start(&db, "db");
	fake_accept(&db);
	fake_say(&db, "shield", "hello", "");
	run_until(&run, "\"container\":\"db\"");
	fake_end(&web);
	fake_end(&db);
	run_until(&run, "\"action\":\"ended\",\"container\":\"db\"");
	run_until(&run, "\"action\":\"ended\",\"container\":\"web\"");
	fake_start(&web, "web"); /* again */
	fake_accept(&web);
	fake_say(&web, "audit", "setup", "");
	run_until(&run, "setup");
	kill(run.child, SIGINT);
	assert_int_equal(run_end(&run), 0);
	fake_end(&web);
}

static void a_flood_is_printed_whole(void **state)
{
	enum { COUNT = 20000 };
	cleanup_free char *line = NULL;
	size_t size = 0, seen = 0;
	struct fake web;
	struct run run;
	FILE *stream;
	pid_t child;
	(void)state;

	fake_start(&web, "web");
	run_start(&run, false, (struct command_options){.container = "web"});
	fake_accept(&web);
	child = fork();
	if (child == 0) {
		char more[64];

		for (unsigned i = 0; i < COUNT; i++) {
			snprintf(more, sizeof(more), ",\"seq\":%u", i);
			fake_say(&web, "dns", "renewed", more);
		}
		_exit(0);
	}
	stream = fdopen(dup(run.fd), "r");
	while (seen < COUNT && getline(&line, &size, stream) > 0) {
		char expected[64];

		snprintf(expected, sizeof(expected), "\"seq\":%zu}\n", seen++);
		assert_non_null(strstr(line, expected));
	}
	assert_int_equal(seen, COUNT);
	fclose(stream);
	waitpid(child, NULL, 0);
	kill(run.child, SIGINT);
	assert_int_equal(run_end(&run), 0);
	fake_end(&web);
}

static void wrong_words_and_containers_are_told_apart(void **state)
{
	struct fake web;
	struct run run;
	(void)state;

	run_start(&run, false, (struct command_options){0});
	assert_int_equal(run_end(&run), COMMAND_USAGE);
	run_start(&run, false, (struct command_options){.all = true, .container = "web"});
	assert_int_equal(run_end(&run), COMMAND_USAGE);
	run_start(&run, false, (struct command_options){.container = "web", .operands = {"../x"}, .operand_count = 1});
	assert_int_equal(run_end(&run), COMMAND_USAGE);
	setenv("PATH", "/nonexistent", 1);
	run_start(&run, false, (struct command_options){.container = "moon"});
	assert_int_equal(run_end(&run), COMMAND_FAILED);
	fake_start(&web, "web");
	run_start(&run, false, (struct command_options){.container = "web"});
	fake_accept(&web);
	assert_true(dprintf(web.connection, "error unknown request\n") > 0);
	assert_int_equal(run_end(&run), COMMAND_FAILED);
	fake_end(&web);
	run_start(&run, false, (struct command_options){.container = "web"});
	assert_int_equal(run_end(&run), COMMAND_FAILED);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, folders_make, folders_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(several_are_merged_in_a_pipe_until_the_last_has_ended),
		in_folder(on_a_terminal_lines_are_for_people_and_fit),
		in_folder(all_of_them_are_watched_with_those_that_come_later),
		in_folder(a_flood_is_printed_whole),
		in_folder(wrong_words_and_containers_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
