/* cli/top_model.h: what the screen of `top` knows */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/top_model.h"
#include "policy/rule.h"

static struct top_model model;

static int setup(void **state)
{
	(void)state;
	return top_model_init(&model, "web");
}

static int teardown(void **state)
{
	(void)state;
	top_model_free(&model);
	return 0;
}

struct row {
	const char *name, *address;
	uint16_t port;
	uint64_t packets, bytes, age_ms;
};

/* A sample of these rows, as if read from the kernel. */
static void sample(const struct row *rows, size_t count, int64_t now_ms)
{
	struct learned learned = {.list = calloc(count + 1, sizeof(struct setwriter_element)), .count = count};

	for (size_t i = 0; i < count; i++) {
		struct setwriter_element *element = &learned.list[i];

		assert_int_equal(addr_parse(&element->key.addr, rows[i].address, strlen(rows[i].address)), 0);
		element->key.port = rows[i].port;
		element->key.protocol = rows[i].port ? RULE_TCP : 0;
		strcpy(element->comment, rows[i].name);
		element->packets = rows[i].packets;
		element->bytes = rows[i].bytes;
		element->timeout_ms = 300000;
		element->expires_ms = 300000 - rows[i].age_ms;
	}
	qsort(learned.list, count, sizeof(*learned.list), learned_compare);
	assert_int_equal(top_model_sample(&model, &learned, now_ms), 0);
	learned_free(&learned);
}
#define SAMPLE(now_ms, ...)                                                                                                                \
	sample((const struct row[]){__VA_ARGS__}, sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row), now_ms)

static void refused(const char *domain, uint64_t count, int64_t now_ms)
{
	struct event event = {.kind = EVENT_REFUSED, .count = count, .detail = "not in the profile"};

	strcpy(event.domain, domain);
	top_model_event(&model, &event, now_ms);
}

static void blocked(const char *dest, uint16_t port, const char *name, int64_t now_ms)
{
	struct event event = {.kind = EVENT_BLOCKED, .count = 1, .port = port, .proto = "tcp"};

	strcpy(event.dest, dest);
	strcpy(event.domain, name);
	top_model_event(&model, &event, now_ms);
}

static void a_rate_is_what_moved_between_two_samples(void **state)
{
	(void)state;

	SAMPLE(1000, {"a.test", "192.0.2.1", 0, 10, 5000, 60000});
	assert_true(model.addresses[0].bytes_rate == 0); /* nothing is known of the time before */
	SAMPLE(3000, {"a.test", "192.0.2.1", 0, 12, 9000, 60000});
	assert_true(model.addresses[0].bytes_rate == 2000);
	SAMPLE(4000, {"a.test", "192.0.2.1", 0, 12, 9000, 60000});
	assert_true(model.addresses[0].bytes_rate == 0);
}

static void a_new_address_has_moved_its_bytes_since_and_an_old_one_that_was_missed_has_not(void **state)
{
	(void)state;

	SAMPLE(1000, {"a.test", "192.0.2.1", 0, 1, 60, 60000});
	SAMPLE(2000, {"a.test", "192.0.2.1", 0, 1, 60, 60000}, {"b.test", "192.0.2.2", 0, 3, 700, 500},
		{"c.test", "192.0.2.3", 0, 3, 900, 5000});
	assert_true(model.addresses[1].bytes_rate == 700);
	assert_true(model.addresses[2].bytes_rate == 0);
	assert_int_equal(model.name_count, 3);
}

static void counters_go_on_where_a_renewal_began_them_anew(void **state)
{
	(void)state;

	SAMPLE(1000, {"a.test", "192.0.2.1", 443, 10, 5000, 60000});
	SAMPLE(2000, {"a.test", "192.0.2.1", 443, 1, 100, 500});
	assert_true(top_address_bytes(&model.addresses[0]) == 5100);
	assert_true(top_address_packets(&model.addresses[0]) == 11);
	assert_true(model.addresses[0].bytes_rate == 100);
	SAMPLE(3000, {"a.test", "192.0.2.1", 443, 2, 250, 500});
	assert_true(top_address_bytes(&model.addresses[0]) == 5250);
	assert_true(model.addresses[0].bytes_rate == 150);
}

static void a_listing_may_have_one_twice(void **state)
{
	(void)state;

	SAMPLE(1000, {"a.test", "192.0.2.1", 0, 1, 60, 0}, {"a.test", "192.0.2.1", 0, 1, 60, 0}, {"a.test", "192.0.2.1", 80, 1, 60, 0});
	assert_int_equal(model.address_count, 2);
	assert_int_equal(model.name_count, 1);
}

static void the_busiest_comes_first_then_what_has_moved_most_then_the_name(void **state)
{
	(void)state;

	SAMPLE(1000, {"a.test", "192.0.2.1", 0, 1, 10, 9000}, {"b.test", "192.0.2.2", 0, 1, 10, 9000},
		{"c.test", "192.0.2.3", 0, 1, 90, 9000}, {"d.test", "192.0.2.4", 0, 1, 5, 9000});
	SAMPLE(2000, {"a.test", "192.0.2.1", 0, 1, 10, 9000}, {"b.test", "192.0.2.2", 0, 1, 10, 9000},
		{"c.test", "192.0.2.3", 0, 1, 90, 9000}, {"d.test", "192.0.2.4", 0, 1, 6, 9000});
	assert_string_equal(model.shown[0]->element.comment, "d.test");
	assert_string_equal(model.shown[1]->element.comment, "c.test");
	assert_string_equal(model.shown[2]->element.comment, "a.test");
	assert_string_equal(model.shown[3]->element.comment, "b.test");
}

static void refusals_are_counted_by_name_and_by_peer_most_often_first(void **state)
{
	struct event other = {.kind = EVENT_LEARNED, .count = 1};
	(void)state;

	refused("a.test", 1, 10);
	refused("b.test", 5, 20);
	refused("a.test", 2, 30); /* of another type, or a repeat that was folded */
	blocked("192.0.2.1", 80, "c.test", 40);
	blocked("192.0.2.1", 81, "c.test", 50);
	blocked("192.0.2.1", 80, "c.test", 60);
	top_model_event(&model, &other, 70);
	top_model_sort(&model);
	assert_int_equal(model.refusal_count, 4);
	assert_string_equal(model.refusals[0].what, "b.test");
	assert_string_equal(model.refusals[1].what, "a.test");
	assert_int_equal(model.refusals[1].count, 3);
	assert_string_equal(model.refusals[2].what, "192.0.2.1:80/tcp");
	assert_string_equal(model.refusals[2].name, "c.test");
	assert_int_equal(model.refusals[2].last_ms, 60);
	assert_string_equal(model.refusals[3].what, "192.0.2.1:81/tcp");
}

static void however_many_are_made_up_the_most_frequent_stay(void **state)
{
	char name[32];
	(void)state;

	refused("often.test", 100, 1);
	for (int i = 0; i < 5 * TOP_REFUSALS_MAX; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		refused(name, 1, 2 + i);
	}
	top_model_sort(&model);
	assert_int_equal(model.refusal_count, TOP_REFUSALS_MAX);
	assert_int_equal(model.forgotten, 4 * TOP_REFUSALS_MAX + 1);
	assert_string_equal(model.refusals[0].what, "often.test");
	snprintf(name, sizeof(name), "n%d.test", 5 * TOP_REFUSALS_MAX - 1);
	assert_string_equal(model.refusals[1].what, name); /* the newest of those that are equal */
}

static void kept(enum activity_kind kind, enum activity_verdict verdict, const char *name, const char *dest, uint64_t count, int64_t last)
{
	struct activity_row row = {.kind = kind,
		.verdict = verdict,
		.name = (char *)name,
		.count = count,
		.last = last,
		.protocol = IPPROTO_TCP,
		.has_port = true,
		.port = 80};

	if (dest)
		assert_int_equal(addr_parse(&row.dest, dest, strlen(dest)), 0);
	top_model_activity(&model, &row, 10000, 10005, 5000);
}

static void repeats_are_counted_by_the_activity_and_never_twice(void **state)
{
	(void)state;

	refused("a.test", 1, 1000);
	kept(ACTIVITY_NAME, ACTIVITY_REFUSED, "a.test", NULL, 40, 10003);
	assert_int_equal(model.refusal_count, 1);
	assert_int_equal(model.refusals[0].count, 40);
	assert_int_equal(model.refusals[0].last_ms, 3000); /* two seconds ago */
	refused("a.test", 39, 6000);                       /* the repeats, told in their time */
	assert_int_equal(model.refusals[0].count, 40);
	refused("a.test", 10, 7000); /* more, and the activity is not written */
	assert_int_equal(model.refusals[0].count, 50);
	kept(ACTIVITY_NAME, ACTIVITY_REFUSED, "a.test", NULL, 2, 10004); /* it had to begin anew */
	assert_int_equal(model.refusals[0].count, 50);
	blocked("192.0.2.1", 80, "b.test", 1000);
	kept(ACTIVITY_CONNECTION, ACTIVITY_BLOCKED, "b.test", "192.0.2.1", 7, 10000);
	assert_int_equal(model.refusal_count, 2);
	assert_int_equal(model.refusals[1].count, 7);
}

static void what_was_refused_lately_is_there_from_the_beginning(void **state)
{
	(void)state;

	kept(ACTIVITY_NAME, ACTIVITY_REFUSED, "lately.test", NULL, 3, 10000 - TOP_LOOK_BACK_S);
	kept(ACTIVITY_NAME, ACTIVITY_REFUSED, "before.test", NULL, 9, 10000 - TOP_LOOK_BACK_S - 1);
	kept(ACTIVITY_NAME, ACTIVITY_ALLOWED, "allowed.test", NULL, 9, 10000);
	kept(ACTIVITY_CONNECTION, ACTIVITY_ALLOWED, NULL, "192.0.2.1", 9, 10000);
	kept(ACTIVITY_ADDRESS, ACTIVITY_ALLOWED, "a.test", "192.0.2.1", 9, 10000);
	kept(ACTIVITY_CONNECTION, ACTIVITY_PRIVATE, NULL, "10.0.0.1", 2, 10000);
	kept(ACTIVITY_NAME, ACTIVITY_DENIED, "denied.test", NULL, 1, 10000);
	top_model_sort(&model);
	assert_int_equal(model.refusal_count, 3);
	assert_string_equal(model.refusals[0].what, "lately.test");
	assert_string_equal(model.refusals[0].why, "not in the profile");
	assert_string_equal(model.refusals[1].what, "10.0.0.1:80/tcp");
	assert_string_equal(model.refusals[1].dest, "10.0.0.1");
	assert_string_equal(model.refusals[1].why, "a private range");
	assert_string_equal(model.refusals[2].why, "denied");
}

static void what_was_settled_does_not_come_back_until_it_is_refused_again(void **state)
{
	(void)state;

	refused("a.test", 1, 1000);
	blocked("192.0.2.1", 80, "", 1000);
	top_model_settled(&model, "a.test", 10004);
	top_model_settled(&model, "192.0.2.1", 10004);
	kept(ACTIVITY_NAME, ACTIVITY_REFUSED, "a.test", NULL, 3, 10004);
	kept(ACTIVITY_CONNECTION, ACTIVITY_BLOCKED, NULL, "192.0.2.1", 3, 10004);
	assert_int_equal(model.refusal_count, 0);
	kept(ACTIVITY_NAME, ACTIVITY_REFUSED, "a.test", NULL, 4, 10005);
	assert_int_equal(model.refusal_count, 1);
}

static void a_full_list_takes_from_the_activity_only_what_is_more_frequent(void **state)
{
	char name[32];
	(void)state;

	for (int i = 0; i < 4 * TOP_REFUSALS_MAX; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		kept(ACTIVITY_NAME, ACTIVITY_REFUSED, name, NULL, i < TOP_REFUSALS_MAX ? 2 : 1, 10000);
	}
	kept(ACTIVITY_NAME, ACTIVITY_REFUSED, "often.test", NULL, 100, 10000);
	top_model_sort(&model);
	assert_int_equal(model.refusal_count, TOP_REFUSALS_MAX);
	assert_string_equal(model.refusals[0].what, "often.test");
	assert_int_equal(model.refusals[TOP_REFUSALS_MAX - 1].count, 2);
}

static void arrows_go_through_both_lists(void **state)
{
	(void)state;

	assert_int_equal(top_model_key(&model, TOP_ALLOW), TOP_WISH_NOTHING);
	top_model_key(&model, TOP_DOWN); /* there is nothing */
	assert_false(model.selection.any);
	SAMPLE(1000, {"a.test", "192.0.2.1", 0, 1, 60, 0}, {"b.test", "192.0.2.2", 0, 1, 50, 0});
	refused("x.test", 2, 10);
	refused("y.test", 1, 20);
	top_model_sort(&model);
	top_model_key(&model, TOP_DOWN);
	assert_int_equal(top_model_selected(&model, TOP_ADDRESSES), 0);
	top_model_key(&model, TOP_DOWN);
	assert_int_equal(top_model_selected(&model, TOP_ADDRESSES), 1);
	top_model_key(&model, TOP_DOWN);
	assert_int_equal(top_model_selected(&model, TOP_ADDRESSES), SIZE_MAX);
	assert_int_equal(top_model_selected(&model, TOP_REFUSALS), 0);
	top_model_key(&model, TOP_PAGE_DOWN);
	top_model_key(&model, TOP_DOWN);
	assert_int_equal(top_model_selected(&model, TOP_REFUSALS), 1);
	top_model_key(&model, TOP_OTHER_PANE);
	assert_int_equal(top_model_selected(&model, TOP_ADDRESSES), 0);
	top_model_key(&model, TOP_UP);
	assert_int_equal(top_model_selected(&model, TOP_ADDRESSES), 0);
	top_model_key(&model, TOP_OTHER_PANE);
	top_model_key(&model, TOP_UP);
	assert_int_equal(top_model_selected(&model, TOP_ADDRESSES), 1);
}

static void lines_keep_their_order_while_one_is_selected(void **state)
{
	(void)state;

	SAMPLE(1000, {"a.test", "192.0.2.1", 0, 1, 60, 9000}, {"b.test", "192.0.2.2", 0, 1, 50, 9000});
	refused("x.test", 2, 10);
	refused("y.test", 1, 20);
	top_model_sort(&model);
	top_model_key(&model, TOP_OTHER_PANE);
	refused("y.test", 10, 30);
	SAMPLE(2000, {"a.test", "192.0.2.1", 0, 1, 60, 9000}, {"aa.test", "192.0.2.3", 0, 1, 5000, 10},
		{"b.test", "192.0.2.2", 0, 1, 900, 9000});
	assert_string_equal(model.refusals[0].what, "x.test");
	assert_string_equal(model.shown[0]->element.comment, "a.test");
	assert_string_equal(model.shown[1]->element.comment, "b.test");
	assert_string_equal(model.shown[2]->element.comment, "aa.test"); /* new ones come last */
	assert_int_equal(top_model_key(&model, TOP_ALLOW), TOP_WISH_ALLOW);
	assert_string_equal(model.target, "x.test");
	top_model_key(&model, TOP_UNSELECT);
	top_model_sort(&model);
	assert_string_equal(model.refusals[0].what, "y.test");
	assert_string_equal(model.shown[0]->element.comment, "aa.test");
	assert_int_equal(top_model_key(&model, TOP_ALLOW), TOP_WISH_NOTHING);
}

static void a_verdict_is_about_the_selected_line_wherever_it_stands(void **state)
{
	(void)state;

	refused("x.test", 2, 10);
	refused("y.test", 1, 20);
	top_model_sort(&model);
	top_model_key(&model, TOP_OTHER_PANE);
	top_model_settled(&model, "y.test", 1000);
	refused("z.test", 9, 30);
	assert_int_equal(top_model_key(&model, TOP_ALLOW), TOP_WISH_ALLOW);
	assert_string_equal(model.target, "x.test");
	top_model_key(&model, TOP_DOWN);
	assert_int_equal(top_model_key(&model, TOP_DENY), TOP_WISH_DENY);
	assert_string_equal(model.target, "z.test");
}

/* The next line must not get the verdict that was meant for one that is gone. */
static void nothing_is_selected_when_the_selected_line_has_gone(void **state)
{
	(void)state;

	SAMPLE(1000, {"a.test", "192.0.2.1", 0, 1, 60, 0}, {"b.test", "192.0.2.2", 0, 1, 50, 0});
	top_model_key(&model, TOP_DOWN);
	SAMPLE(2000, {"b.test", "192.0.2.2", 0, 1, 50, 0});
	assert_int_equal(top_model_key(&model, TOP_DENY), TOP_WISH_NOTHING);
	refused("x.test", 2, 10);
	refused("y.test", 1, 20);
	top_model_sort(&model);
	top_model_key(&model, TOP_OTHER_PANE);
	top_model_settled(&model, "x.test", 1000);
	assert_int_equal(model.refusal_count, 1);
	assert_int_equal(top_model_key(&model, TOP_ALLOW), TOP_WISH_NOTHING);
}

static void a_target_is_what_the_commands_take(void **state)
{
	(void)state;

	SAMPLE(1000, {"a.test", "192.0.2.1", 443, 1, 60, 0}, {"", "2001:db8::1", 0, 1, 50, 0});
	top_model_key(&model, TOP_DOWN);
	assert_int_equal(top_model_key(&model, TOP_DENY), TOP_WISH_DENY);
	assert_string_equal(model.target, "a.test");
	top_model_key(&model, TOP_DOWN);
	assert_int_equal(top_model_key(&model, TOP_DENY), TOP_WISH_DENY);
	assert_string_equal(model.target, "2001:db8::1");
	blocked("2001:db8::9", 80, "c.test", 10);
	top_model_key(&model, TOP_DOWN);
	assert_int_equal(top_model_key(&model, TOP_ALLOW), TOP_WISH_ALLOW);
	assert_string_equal(model.target, "[2001:db8::9]:80/tcp");
	assert_int_equal(top_model_key(&model, TOP_DENY), TOP_WISH_DENY);
	assert_string_equal(model.target, "2001:db8::9");
	blocked("192.0.2.7", 0, "", 10); /* "192.0.2.7 tcp", which no command takes */
	top_model_settled(&model, "2001:db8::9", 1000);
	top_model_key(&model, TOP_OTHER_PANE);
	assert_int_equal(top_model_key(&model, TOP_ALLOW), TOP_WISH_ALLOW);
	assert_string_equal(model.target, "192.0.2.7");
}

static void help_hides_everything_and_any_key_but_q_only_leaves_it(void **state)
{
	(void)state;

	refused("x.test", 2, 10);
	top_model_key(&model, TOP_OTHER_PANE);
	top_model_key(&model, TOP_HELP);
	assert_true(model.help);
	assert_int_equal(top_model_key(&model, TOP_ALLOW), TOP_WISH_NOTHING); /* not of a line that is not seen */
	assert_false(model.help);
	assert_int_equal(top_model_key(&model, TOP_ALLOW), TOP_WISH_ALLOW);
	top_model_key(&model, TOP_HELP);
	assert_int_equal(top_model_key(&model, TOP_QUIT), TOP_WISH_QUIT);
	assert_int_equal(top_model_key(&model, TOP_QUIT), TOP_WISH_QUIT);
}

static void what_is_said_is_escaped(void **state)
{
	(void)state;

	top_model_say(&model, true, "Error: \033[2J", 1000);
	assert_string_equal(model.said, "Error: \\x1b[2J");
	assert_true(model.said_bad && model.said_until_ms > 1000);
}

#define with_model(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_model(a_rate_is_what_moved_between_two_samples),
		with_model(a_new_address_has_moved_its_bytes_since_and_an_old_one_that_was_missed_has_not),
		with_model(counters_go_on_where_a_renewal_began_them_anew),
		with_model(a_listing_may_have_one_twice),
		with_model(the_busiest_comes_first_then_what_has_moved_most_then_the_name),
		with_model(refusals_are_counted_by_name_and_by_peer_most_often_first),
		with_model(however_many_are_made_up_the_most_frequent_stay),
		with_model(repeats_are_counted_by_the_activity_and_never_twice),
		with_model(what_was_refused_lately_is_there_from_the_beginning),
		with_model(what_was_settled_does_not_come_back_until_it_is_refused_again),
		with_model(a_full_list_takes_from_the_activity_only_what_is_more_frequent),
		with_model(arrows_go_through_both_lists),
		with_model(lines_keep_their_order_while_one_is_selected),
		with_model(a_verdict_is_about_the_selected_line_wherever_it_stands),
		with_model(nothing_is_selected_when_the_selected_line_has_gone),
		with_model(a_target_is_what_the_commands_take),
		with_model(help_hides_everything_and_any_key_but_q_only_leaves_it),
		with_model(what_is_said_is_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
