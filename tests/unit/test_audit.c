/* state/audit.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "state/audit.h"

#define WRITERS    6
#define LINES_EACH 400
#define ROUNDS     40

static char base[] = "/tmp/shield-test-audit.XXXXXX";
static struct bundle bundle = BUNDLE_INIT;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status, (void)type, (void)where;
	return remove(path);
}

static int setup(void **state)
{
	char path[64];
	(void)state;

	clock_fake(1000, 1767323045);
	strcpy(base + sizeof(base) - 7, "XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(path, sizeof(path), "%s/web", base);
	return bundle_create(&bundle, path, NULL);
}

static int teardown(void **state)
{
	(void)state;
	clock_fake(-1, -1);
	bundle_close(&bundle);
	return nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static off_t size_of(const char *name)
{
	struct stat status;

	return fstatat(bundle.fd, name, &status, 0) ? -1 : status.st_size;
}

/* Makes the log as long as it may be, out of whole lines. */
static void fill(off_t size)
{
	cleanup_fd int fd = openat(bundle.fd, BUNDLE_AUDIT, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	cleanup_free char *line = malloc(1024);

	assert_true(fd >= 0);
	memset(line, ' ', 1024);
	line[0] = '{';
	line[1022] = '}';
	line[1023] = '\n';
	for (off_t at = 0; at + 1024 <= size; at += 1024)
		assert_int_equal(write(fd, line, 1024), 1024);
}

static void an_event_is_one_line_of_json(void **state)
{
	const struct audit_event event = {
		.action = "blocked", .dest = "192.0.2.1", .detail = "say \"no\"", .domain = "a.example", .protocol = "tcp", .port = 443,
		.dossier = "{\"task\":\"7\"}"};
	const struct audit_event setup_event = {.action = "setup"};
	cleanup_free char *data = NULL;
	(void)state;

	assert_int_equal(audit_write(&bundle, "web", &setup_event), 0);
	assert_int_equal(audit_write(&bundle, "web", &event), 0);
	assert_int_equal(bundle_read(&bundle, BUNDLE_AUDIT, 10000, &data, NULL, NULL), 0);
	assert_string_equal(data,
		"{\"ts\":\"2026-01-02T03:04:05+00:00\",\"container\":\"web\",\"action\":\"setup\"}\n"
		"{\"ts\":\"2026-01-02T03:04:05+00:00\",\"container\":\"web\",\"action\":\"blocked\",\"dest\":\"192.0.2.1\",\"port\":443,"
		"\"proto\":\"tcp\",\"domain\":\"a.example\",\"detail\":\"say \\\"no\\\"\",\"dossier\":{\"task\":\"7\"}}\n");
}

static void what_could_harm_a_terminal_or_a_reader_is_escaped(void **state)
{
	static const struct {
		const char *detail, *written;
	} cases[] = {
		{"plain", "plain"},
		{"b\xc3\xbc"
		 "cher",
			"b\xc3\xbc"
			"cher"},
		{"\x1b[31m", "\\\\x1b[31m"}, {"a\nb", "a\\\\x0ab"}, {"\xff", "\\\\xff"}, {"\xc3", "\\\\xc3"},
		{"\xc0\x80", "\\\\xc0\\\\x80"},                       /* an overlong NUL */
		{"\xed\xa0\x80", "\\\\xed\\\\xa0\\\\x80"},            /* a surrogate */
		{"\xf4\x90\x80\x80", "\\\\xf4\\\\x90\\\\x80\\\\x80"}, /* beyond Unicode */
		{"\xc2\x9b", "\\\\xc2\\\\x9b"},                       /* the one-octet CSI */
		{"\xe2\x80\xae", "\\\\xe2\\\\x80\\\\xae"},            /* right-to-left override */
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct audit_event event = {.action = "note", .detail = cases[i].detail};
		cleanup_free char *data = NULL;
		cleanup_free char *expected = NULL;

		bundle_remove(&bundle, BUNDLE_AUDIT, NULL);
		assert_int_equal(audit_write(&bundle, "web", &event), 0);
		assert_int_equal(bundle_read(&bundle, BUNDLE_AUDIT, 10000, &data, NULL, NULL), 0);
		assert_true(asprintf(&expected, "\"detail\":\"%s\"}\n", cases[i].written) > 0);
		if (!strstr(data, expected))
			fail_msg("%s: %s", cases[i].written, data);
	}
}

static void a_line_is_cut_so_that_it_fits(void **state)
{
	static const char fillings[] = {'a', '\x01', '"'};
	(void)state;

	for (size_t i = 0; i < sizeof(fillings); i++) {
		char text[9000] = {0};
		struct audit_event event = {.action = "note", .dest = text, .detail = text, .domain = text, .protocol = text, .port = 1};
		size_t count;
		char **lines;

		memset(text, fillings[i], sizeof(text) - 1);
		bundle_remove(&bundle, BUNDLE_AUDIT, NULL);
		assert_int_equal(audit_write(&bundle, text, &event), 0);
		assert_in_range(size_of(BUNDLE_AUDIT), 100, 4096);
		assert_int_equal(audit_tail(&bundle, 10, &lines, &count, NULL, NULL), 0);
		assert_int_equal(count, 1);
		assert_non_null(strstr(lines[0], "..."));
		audit_lines_free(lines, count);
	}
}

static void the_tail_is_the_last_lines_oldest_first_over_both_generations(void **state)
{
	struct audit_event event = {.action = "note"};
	char **lines;
	size_t count, damaged;
	(void)state;

	assert_int_equal(audit_tail(&bundle, 5, &lines, &count, &damaged, NULL), 0);
	assert_int_equal(count, 0);
	audit_lines_free(lines, count);
	for (unsigned i = 0; i < 6; i++) {
		char detail[8];

		snprintf(detail, sizeof(detail), "n%u", i);
		event.detail = detail;
		assert_int_equal(audit_write(&bundle, "web", &event), 0);
		if (i == 2)
			assert_int_equal(renameat(bundle.fd, BUNDLE_AUDIT, bundle.fd, BUNDLE_AUDIT ".1"), 0);
	}
	assert_int_equal(audit_tail(&bundle, 5, &lines, &count, &damaged, NULL), 0);
	assert_int_equal(count, 5);
	assert_int_equal(damaged, 0);
	assert_non_null(strstr(lines[0], "\"n1\""));
	assert_non_null(strstr(lines[4], "\"n5\""));
	audit_lines_free(lines, count);
	assert_int_equal(audit_tail(&bundle, 0, &lines, &count, &damaged, NULL), 0);
	assert_int_equal(count, 0);
	audit_lines_free(lines, count);
}

static void damaged_lines_are_passed_over_and_counted(void **state)
{
	static const char text[] = "{\"a\":1}\nnonsense\n\n[1]\n{\"b\":2} x\n{\"c\":3}\n{\"cut";
	char **lines;
	size_t count, damaged;
	(void)state;

	assert_int_equal(bundle_write(&bundle, BUNDLE_AUDIT, text, sizeof(text) - 1, NULL), 0);
	assert_int_equal(audit_tail(&bundle, 10, &lines, &count, &damaged, NULL), 0);
	assert_int_equal(count, 2);
	assert_string_equal(lines[0], "{\"a\":1}");
	assert_string_equal(lines[1], "{\"c\":3}");
	assert_int_equal(damaged, 4); /* an empty line is none */
	audit_lines_free(lines, count);
}

static void a_line_that_was_cut_off_does_not_spoil_the_next(void **state)
{
	const struct audit_event event = {.action = "note"};
	char **lines;
	size_t count, damaged;
	(void)state;

	assert_int_equal(bundle_write(&bundle, BUNDLE_AUDIT, "{\"cut", 5, NULL), 0);
	assert_int_equal(audit_write(&bundle, "web", &event), 0);
	assert_int_equal(audit_tail(&bundle, 10, &lines, &count, &damaged, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(damaged, 1);
	audit_lines_free(lines, count);
}

static void a_full_log_is_rotated_and_one_generation_kept(void **state)
{
	const struct audit_event event = {.action = "note"};
	(void)state;

	fill(AUDIT_ROTATE_OCTETS);
	assert_int_equal(audit_write(&bundle, "web", &event), 0);
	assert_int_equal(size_of(BUNDLE_AUDIT ".1"), AUDIT_ROTATE_OCTETS);
	assert_in_range(size_of(BUNDLE_AUDIT), 10, 200);
	fill(AUDIT_ROTATE_OCTETS);
	assert_int_equal(audit_write(&bundle, "web", &event), 0);
	assert_in_range(size_of(BUNDLE_AUDIT), 10, 200);
	assert_true(size_of(BUNDLE_AUDIT ".1") > AUDIT_ROTATE_OCTETS);
}

static void a_log_of_any_size_is_read_from_its_end(void **state)
{
	const struct audit_event event = {.action = "note"};
	char **lines;
	size_t count, damaged;
	(void)state;

	fill(3 * (off_t)AUDIT_ROTATE_OCTETS);
	assert_int_equal(audit_write(&bundle, "web", &event), 0);
	assert_int_equal(audit_tail(&bundle, 1000000, &lines, &count, &damaged, NULL), 0);
	assert_in_range(count, 4096, 3 * 4096);
	assert_int_equal(damaged, 0);
	assert_non_null(strstr(lines[count - 1], "note"));
	audit_lines_free(lines, count);
}

/* Six processes write while the log is just about to be rotated; nothing is lost and nothing torn. */
static void writers_at_once_lose_no_line_and_rotate_once(void **state)
{
	size_t count, damaged, found = 0;
	pid_t children[WRITERS];
	struct stat rotated;
	char **lines;
	(void)state;

	fill(AUDIT_ROTATE_OCTETS - 64 * 1024);
	for (unsigned i = 0; i < WRITERS; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			char detail[200];
			struct audit_event event = {.action = "race", .detail = detail};

			memset(detail, 'x', sizeof(detail));
			detail[sizeof(detail) - 1] = '\0';
			for (unsigned line = 0; line < LINES_EACH; line++)
				if (audit_write(&bundle, "web", &event))
					_exit(1);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	/* A second rotation would have thrown the filling away. */
	assert_int_equal(fstatat(bundle.fd, BUNDLE_AUDIT ".1", &rotated, 0), 0);
	assert_true(rotated.st_size > (off_t)AUDIT_ROTATE_OCTETS - 64 * 1024);
	assert_int_equal(audit_tail(&bundle, 1000000, &lines, &count, &damaged, NULL), 0);
	assert_int_equal(damaged, 0);
	for (size_t i = 0; i < count; i++)
		found += strstr(lines[i], "\"race\"") != NULL;
	audit_lines_free(lines, count);
	assert_int_equal(found, WRITERS * LINES_EACH);
}

/* Every writer finds the log full at once. A second rotation would put the few new lines in the place of the full generation. */
static void of_many_that_find_the_log_full_one_rotates(void **state)
{
	const struct audit_event event = {.action = "race"};
	(void)state;

	for (unsigned round = 0; round < ROUNDS; round++) {
		pid_t children[WRITERS];
		int start[2];

		bundle_remove(&bundle, BUNDLE_AUDIT, NULL);
		fill(AUDIT_ROTATE_OCTETS);
		assert_int_equal(pipe(start), 0);
		for (unsigned i = 0; i < WRITERS; i++) {
			children[i] = fork();
			assert_true(children[i] >= 0);
			if (children[i] == 0) {
				char end;

				close(start[1]);
				_exit(read(start[0], &end, 1) != 0 || audit_write(&bundle, "web", &event) != 0);
			}
		}
		close(start[0]);
		close(start[1]); /* all go */
		for (unsigned i = 0; i < WRITERS; i++) {
			int status;

			assert_int_equal(waitpid(children[i], &status, 0), children[i]);
			assert_int_equal(status, 0);
		}
		assert_true(size_of(BUNDLE_AUDIT ".1") >= (off_t)AUDIT_ROTATE_OCTETS);
	}
}

static void a_log_that_is_a_link_or_a_fifo_is_not_written(void **state)
{
	const struct audit_event event = {.action = "note"};
	char **lines;
	size_t count;
	(void)state;

	assert_int_equal(symlinkat("victim", bundle.fd, BUNDLE_AUDIT), 0);
	assert_int_equal(audit_write(&bundle, "web", &event), -EPERM);
	assert_int_equal(size_of("victim"), -1);
	assert_int_equal(audit_tail(&bundle, 1, &lines, &count, NULL, NULL), -EPERM);
	bundle_remove(&bundle, BUNDLE_AUDIT, NULL);
	assert_int_equal(mkfifoat(bundle.fd, BUNDLE_AUDIT, 0600), 0);
	assert_int_equal(audit_write(&bundle, "web", &event), -EPERM);
	assert_int_equal(audit_tail(&bundle, 1, &lines, &count, NULL, NULL), -EPERM);
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(an_event_is_one_line_of_json),
		in_folder(what_could_harm_a_terminal_or_a_reader_is_escaped),
		in_folder(a_line_is_cut_so_that_it_fits),
		in_folder(the_tail_is_the_last_lines_oldest_first_over_both_generations),
		in_folder(damaged_lines_are_passed_over_and_counted),
		in_folder(a_line_that_was_cut_off_does_not_spoil_the_next),
		in_folder(a_full_log_is_rotated_and_one_generation_kept),
		in_folder(a_log_of_any_size_is_read_from_its_end),
		in_folder(writers_at_once_lose_no_line_and_rotate_once),
		in_folder(of_many_that_find_the_log_full_one_rotates),
		in_folder(a_log_that_is_a_link_or_a_fifo_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
