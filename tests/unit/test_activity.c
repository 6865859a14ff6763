/* state/activity.h: what the forwarder writes about what was asked and reached is read back as it was, and nothing else is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "state/activity.h"

#define FIRST 1790000000 /* 2026-09-21T14:13:20 */
#define HEAD  "{\"format\":1,\"container\":\"web\",\"since\":\"2026-09-21T14:13:20+00:00\",\"full\":7,\"rows\":["

static struct bundle bundle = BUNDLE_INIT;
static char folder[] = "/tmp/shield-activity.XXXXXX";

static int setup(void **state)
{
	struct error error = {0};

	(void)state;
	if (!mkdtemp(folder) || bundle_create(&bundle, folder, &error)) {
		print_error("%s\n", error.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	bundle_close(&bundle);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void file_write(const char *text)
{
	struct error error = {0};

	if (bundle_write_volatile(&bundle, BUNDLE_ACTIVITY, text, strlen(text), &error))
		fail_msg("%s", error.text);
}

static void a_missing_file_is_no_activity(void **state)
{
	cleanup_activity struct activity activity = {0};
	struct error error = {0};

	(void)state;
	bundle_remove(&bundle, BUNDLE_ACTIVITY, NULL);
	assert_int_equal(activity_read(&bundle, &activity, &error), 0);
	assert_int_equal(activity.count, 0);
}

static void what_is_written_is_read_back(void **state)
{
	static struct activity_row rows[] = {
		{.kind = ACTIVITY_NAME, .verdict = ACTIVITY_REFUSED, .name = "a\\034b.test", .first = FIRST, .last = FIRST + 5, .count = 3},
		{.kind = ACTIVITY_CONNECTION,
			.verdict = ACTIVITY_ALLOWED,
			.name = "www.test",
			.dest = {ADDR_V4, {198, 51, 100, 10}},
			.protocol = 6,
			.has_port = true,
			.port = 443,
			.first = FIRST,
			.last = FIRST,
			.count = 9,
			.made = 8},
		{.kind = ACTIVITY_CONNECTION,
			.verdict = ACTIVITY_PRIVATE,
			.dest = {ADDR_V6, {0xfd, 1}},
			.protocol = 58,
			.first = FIRST,
			.last = FIRST,
			.count = 1},
		{.kind = ACTIVITY_CONNECTION,
			.verdict = ACTIVITY_DENIED,
			.dest = {ADDR_V4, {10, 1}},
			.protocol = 132,
			.has_port = true,
			.first = FIRST,
			.last = FIRST,
			.count = 1},
		{.kind = ACTIVITY_ADDRESS,
			.name = "www.test",
			.dest = {ADDR_V4, {198, 51, 100, 10}},
			.first = FIRST,
			.last = FIRST,
			.packets = 12,
			.bytes = UINT64_C(1) << 40},
		{.kind = ACTIVITY_SHARED, .name = "www.test", .dest = {ADDR_V4, {198, 51, 100, 10}}, .first = FIRST, .last = FIRST + 1},
		{.kind = ACTIVITY_SHARED,
			.name = "w3.test",
			.dest = {ADDR_V4, {198, 51, 100, 10}},
			.protocol = 6,
			.has_port = true,
			.port = 443,
			.first = FIRST,
			.last = FIRST},
	};
	cleanup_activity struct activity activity = {0};
	cleanup_text struct text text = {0};
	struct activity head = {.container = "web", .since = FIRST, .full = 7};
	struct error error = {0};

	(void)state;
	activity_print_head(&text, &head);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char buffer[ACTIVITY_LINE_MAX];
		struct json_line line;

		assert_true(activity_print_row(&line, buffer, sizeof(buffer), &rows[i]));
		text_add(&text, i ? ",\n" : "\n");
		text_add_bytes(&text, line.data, line.length);
	}
	text_add(&text, ACTIVITY_TAIL);
	file_write(text.data);
	if (activity_read(&bundle, &activity, &error))
		fail_msg("%s\n%s", error.text, text.data);
	assert_string_equal(activity.container, "web");
	assert_int_equal(activity.since, FIRST);
	assert_int_equal(activity.full, 7);
	assert_int_equal(activity.count, sizeof(rows) / sizeof(*rows));
	for (size_t i = 0; i < activity.count; i++) {
		const struct activity_row *row = &activity.rows[i];

		assert_int_equal(row->kind, rows[i].kind);
		assert_int_equal(row->verdict, rows[i].verdict);
		assert_true(row->name ? rows[i].name && !strcmp(row->name, rows[i].name) : !rows[i].name);
		assert_memory_equal(&row->dest, &rows[i].dest, sizeof(row->dest));
		assert_int_equal(row->protocol, rows[i].protocol);
		assert_int_equal(row->has_port, rows[i].has_port);
		assert_int_equal(row->port, rows[i].port);
		assert_int_equal(row->first, rows[i].first);
		assert_int_equal(row->last, rows[i].last);
		assert_int_equal(row->count, rows[i].count);
		assert_int_equal(row->made, rows[i].made);
		assert_int_equal(row->packets, rows[i].packets);
		assert_int_equal(row->bytes, rows[i].bytes);
	}
}

static void the_longest_name_fits_a_line(void **state)
{
	char name[NAME_TEXT_MAX], buffer[ACTIVITY_LINE_MAX];
	struct activity_row row = {.kind = ACTIVITY_CONNECTION,
		.verdict = ACTIVITY_BYPASSED,
		.name = name,
		.dest = {ADDR_V6, {0x20, 1}},
		.count = UINT64_MAX,
		.made = UINT64_MAX};
	struct json_line line;

	(void)state;
	for (size_t i = 0; i + 4 < sizeof(name); i += 4)
		strcpy(name + i, "\\255");
	assert_true(activity_print_row(&line, buffer, sizeof(buffer), &row));
}

static void every_file_that_is_not_whole_is_refused(void **state)
{
	static const char *const files[] = {
		"",
		"\n",
		HEAD,
		HEAD "\n",
		HEAD "\n]}",
		HEAD
		"\n{\"kind\":\"name\",\"name\":\"a.test\",\"verdict\":\"allowed\",\"first\":\"2026-09-21T14:13:20+00:00\",\"last\":\"2026-09-21T14:13:20+00:00\",\"count\":1}",
		HEAD
		"\n{\"kind\":\"name\",\"name\":null,\"verdict\":\"allowed\",\"first\":\"2026-09-21T14:13:20+00:00\",\"last\":\"2026-09-21T14:13:20+00:00\",\"count\":1}\n]}\n",
		HEAD
		"\n{\"kind\":\"name\",\"name\":\"a..test\",\"verdict\":\"allowed\",\"first\":\"2026-09-21T14:13:20+00:00\",\"last\":\"2026-09-21T14:13:20+00:00\",\"count\":1}\n]}\n",
		HEAD
		"\n{\"kind\":\"name\",\"name\":\"a.test\",\"verdict\":\"wrong\",\"first\":\"2026-09-21T14:13:20+00:00\",\"last\":\"2026-09-21T14:13:20+00:00\",\"count\":1}\n]}\n",
		HEAD
		"\n{\"kind\":\"name\",\"name\":\"a.test\",\"verdict\":\"allowed\",\"first\":\"2026-02-31T14:13:20+00:00\",\"last\":\"2026-09-21T14:13:20+00:00\",\"count\":1}\n]}\n",
		HEAD
		"\n{\"kind\":\"name\",\"name\":\"a.test\",\"verdict\":\"allowed\",\"first\":\"2026-09-21T14:13:20+00:00\",\"last\":\"2026-09-21T14:13:20+00:00\",\"count\":-1}\n]}\n",
		HEAD "\n{\"kind\":\"other\"}\n]}\n",
		HEAD "\n]}\nmore\n",
		"{\"format\":1}\n]}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		struct activity activity = {0};
		struct error error = {0};
		int result;

		file_write(files[i]);
		result = activity_read(&bundle, &activity, &error);
		if (i == 4) { /* only the newline behind the last line is missing */
			assert_int_equal(result, 0);
			continue;
		}
		if (result != -EINVAL)
			fail_msg("%s gives %d", files[i], result);
		assert_non_null(strstr(error.text, BUNDLE_ACTIVITY));
		assert_null(activity.rows);
	}
}

static void another_format_says_what_to_do(void **state)
{
	struct activity activity = {0};
	struct error error = {0};

	(void)state;
	file_write("{\"format\":2,\"container\":\"web\",\"since\":\"2026-09-21T14:13:20+00:00\",\"full\":0,\"rows\":[\n]}\n");
	assert_int_equal(activity_read(&bundle, &activity, &error), -EPROTO);
	assert_non_null(strstr(error.text, "remove it"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_file_is_no_activity),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(the_longest_name_fits_a_line),
		cmocka_unit_test(every_file_that_is_not_whole_is_refused),
		cmocka_unit_test(another_format_says_what_to_do),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
