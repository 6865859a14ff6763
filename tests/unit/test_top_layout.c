/* cli/top_layout.h: the screen of `top` as text, for any size */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/top_layout.h"
#include "policy/rule.h"

static struct top_model model;

struct screen {
	struct text text;
	size_t rows, width, height;
	enum top_style styles[64];
};

static void line_keep(void *context, size_t row, enum top_style style, const char *text)
{
	struct screen *screen = context;

	assert_int_equal(row, screen->rows);
	assert_true(row < screen->height && strlen(text) <= screen->width);
	for (const char *at = text; *at; at++)
		assert_true(*at >= ' ' && *at <= '~');
	if (row < 64)
		screen->styles[row] = style;
	screen->rows++;
	text_addf(&screen->text, "%s\n", text);
}

static void draw(struct screen *screen, size_t width, size_t height, int64_t now_ms)
{
	*screen = (struct screen){.width = width, .height = height};
	top_layout(&model, width, height, now_ms, line_keep, screen);
}

static void address_set(struct setwriter_element *element, const char *name, const char *address, uint16_t port, uint64_t bytes)
{
	assert_int_equal(addr_parse(&element->key.addr, address, strlen(address)), 0);
	element->key.port = port;
	element->key.protocol = port ? RULE_TCP : 0;
	strcpy(element->comment, name);
	element->packets = bytes / 100;
	element->bytes = bytes;
	element->timeout_ms = 300000;
	element->expires_ms = 250000;
}

static void refused(enum event_kind kind, const char *domain, const char *dest, uint64_t count, int64_t now_ms)
{
	struct event event = {.kind = kind, .count = count};

	strcpy(event.domain, domain);
	strcpy(event.dest, dest);
	if (kind == EVENT_REFUSED)
		strcpy(event.detail, "not in the profile");
	else
		event.port = 80, strcpy(event.proto, "tcp");
	top_model_event(&model, &event, now_ms);
}

static int setup(void **state)
{
	struct learned learned = {.list = calloc(3, sizeof(struct setwriter_element)), .count = 3};
	(void)state;

	assert_int_equal(top_model_init(&model, "web"), 0);
	strcpy(model.state, "up");
	for (int64_t now_ms = 1000; now_ms <= 2000; now_ms += 1000) {
		address_set(&learned.list[0], "allowed.test", "198.51.100.10", 0, 123456 + 2500 * (uint64_t)(now_ms / 2000));
		address_set(&learned.list[1], "both.test", "2001:db8:1::11", 0, 700);
		address_set(&learned.list[2], "git.test", "198.51.100.22", 443, 500);
		assert_int_equal(top_model_sample(&model, &learned, now_ms), 0);
	}
	learned_free(&learned);
	refused(EVENT_REFUSED, "other.test", "", 12, 1990);
	refused(EVENT_BLOCKED, "", "203.0.113.20", 3, 1000);
	refused(EVENT_PRIVATE, "inside.test", "10.99.0.1", 1, 1000);
	top_model_sort(&model);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	top_model_free(&model);
	return 0;
}

static void the_screen_at_80_by_24(void **state)
{
	static const char expected[] = "web  up  3 names, 3 addresses, 2.5KB/s  16 refused\n"
				       "NAME                     ADDRESS                 EXPIRES PACKETS   BYTES     B/S\n"
				       "allowed.test             198.51.100.10             4m10s    1.3K    126K    2.5K\n"
				       "both.test                2001:db8:1::11            4m10s       7     700       0\n"
				       "git.test                 198.51.100.22:443/tcp     4m10s       5     500       0\n"
				       "REFUSED    AGO  WHAT                                       WHY                  \n"
				       "     12     0s  other.test                                 not in the profile\n"
				       "      3     1s  203.0.113.20:80/tcp                        nothing allows it\n"
				       "      1     1s  10.99.0.1:80/tcp (inside.test)             a private range\n"
				       "\n\n\n\n\n\n\n\n\n\n\n\n\n\n"
				       "arrows, Tab select   a allow   d deny   ? help   q quit\n";
	struct screen screen;
	(void)state;

	draw(&screen, 80, 24, 2000);
	assert_string_equal(screen.text.data, expected);
	assert_int_equal(screen.styles[2], TOP_BUSY);
	assert_int_equal(screen.styles[3], TOP_PLAIN);
	assert_int_equal(screen.styles[6], TOP_REFUSED);
	text_free(&screen.text);
	draw(&screen, 80, 24, 62000); /* what was sampled and counted ages */
	assert_non_null(strstr(screen.text.data, " 3m10s "));
	assert_non_null(strstr(screen.text.data, " 1m00s  other.test"));
	assert_int_equal(screen.styles[6], TOP_PLAIN);
	text_free(&screen.text);
}

static void a_small_screen_shares_its_lines_among_both_lists(void **state)
{
	struct screen screen;
	(void)state;

	draw(&screen, 80, 8, 2000);
	assert_non_null(strstr(screen.text.data, "both.test"));
	assert_null(strstr(screen.text.data, "git.test"));
	assert_non_null(strstr(screen.text.data, "203.0.113.20"));
	assert_null(strstr(screen.text.data, "inside.test"));
	text_free(&screen.text);
	/* The selected line is always among them. */
	for (int i = 0; i < 3; i++)
		top_model_key(&model, TOP_DOWN);
	draw(&screen, 80, 8, 2000);
	assert_null(strstr(screen.text.data, "allowed.test"));
	assert_non_null(strstr(screen.text.data, "git.test"));
	assert_int_equal(screen.styles[3], TOP_SELECTED);
	text_free(&screen.text);
}

/* What it keeps: every line fits, they are as many as the screen has, and the selected one is there wherever a list has a line. */
static void any_size_will_do(void **state)
{
	(void)state;

	for (int round = 0; round < 8; round++) {
		for (size_t width = 1; width < 700; width += width < 60 ? 1 : width < 130 ? 7 : 90) {
			for (size_t height = 1; height < 40; height++) {
				size_t selected = 0;
				struct screen screen;

				draw(&screen, width, height, 2000);
				assert_true(screen.rows == height || model.help);
				for (size_t i = 0; i < screen.rows; i++)
					selected += screen.styles[i] == TOP_SELECTED;
				assert_int_equal(selected,
					model.selection.any && !model.help && height >= (model.selection.pane == TOP_REFUSALS ? 5 : 6));
				text_free(&screen.text);
			}
		}
		top_model_key(&model, round == 6 ? TOP_HELP : TOP_DOWN);
	}
}

static void names_and_addresses_that_are_too_long_keep_their_ends(void **state)
{
	struct learned learned = {.list = calloc(1, sizeof(struct setwriter_element)), .count = 1};
	struct screen screen;
	(void)state;

	address_set(&learned.list[0], "a-long-label-at-the-beginning.and-more-of-it-in-the-middle.example.test",
		"2001:db8:1111:2222:3333:4444:5555:6666", 65535, 1);
	assert_int_equal(top_model_sample(&model, &learned, 9000), 0);
	learned_free(&learned);
	refused(EVENT_REFUSED, "c2VjcmV0LWRhdGEtaW4tYS1sYWJlbA.c2VjcmV0LWRhdGEtaW4tYS1sYWJlbA.c2VjcmV0.exfiltration.test", "", 1, 9000);
	draw(&screen, 80, 24, 9000);
	assert_non_null(strstr(screen.text.data, "\na-long....example.test  [2001:...66]:65535/tcp "));
	assert_non_null(strstr(screen.text.data, ".exfiltration.test  not in the profile\n"));
	text_free(&screen.text);
}

static void what_there_is_nothing_of_is_said(void **state)
{
	struct learned learned = {0};
	struct screen screen;
	(void)state;

	assert_int_equal(top_model_sample(&model, &learned, 9000), 0);
	model.refusal_count = 0;
	model.lost = 3;
	draw(&screen, 80, 24, 9000);
	assert_int_equal(screen.rows, 24);
	assert_non_null(strstr(screen.text.data, "no name has been looked up yet"));
	assert_non_null(strstr(screen.text.data, "nothing has been refused"));
	assert_non_null(strstr(screen.text.data, "  3 events LOST"));
	text_free(&screen.text);
}

static void what_is_told_stands_at_the_bottom_for_a_while(void **state)
{
	struct screen screen;
	(void)state;

	top_model_say(&model, true, "Error: no\033[2J", 2000);
	draw(&screen, 80, 10, 3000);
	assert_int_equal(screen.styles[9], TOP_COMPLAINT);
	assert_non_null(strstr(screen.text.data, "\nError: no\\x1b[2J\n"));
	text_free(&screen.text);
	draw(&screen, 80, 10, 20000);
	assert_non_null(strstr(screen.text.data, "q quit\n"));
	text_free(&screen.text);
	top_model_blind(&model, "web: \033");
	draw(&screen, 80, 10, 20000);
	assert_non_null(strstr(screen.text.data, "\nweb: \\x1b\n"));
	text_free(&screen.text);
}

static void numbers_have_at_most_five_columns(void **state)
{
	static const struct {
		double number;
		const char *expected;
	} cases[] = {{0, "0"}, {0.4, "0"}, {999, "999"}, {999.6, "1.0K"}, {1234, "1.2K"}, {9949, "9.9K"}, {9951, "10K"}, {999499, "999K"},
		{999500, "1.0M"}, {3140000, "3.1M"}, {7.2e10, "72G"}, {1.8446744073709552e19, "18E"}, {1e30, "9999E"}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[TOP_NUMBER_MAX];

		assert_string_equal(top_number(text, cases[i].number), cases[i].expected);
	}
}

#define with_model(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_model(the_screen_at_80_by_24),
		with_model(a_small_screen_shares_its_lines_among_both_lists),
		with_model(any_size_will_do),
		with_model(names_and_addresses_that_are_too_long_keep_their_ends),
		with_model(what_there_is_nothing_of_is_said),
		with_model(what_is_told_stands_at_the_bottom_for_a_while),
		cmocka_unit_test(numbers_have_at_most_five_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
