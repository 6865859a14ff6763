/* proxy/budget.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "proxy/budget.h"

#define START_MS 1000000

static bool first;

static struct policy_match rule(enum rule_kind kind, unsigned depth)
{
	return (struct policy_match){.verdict = POLICY_ALLOWED, .kind = kind, .depth = (uint8_t)depth};
}

/* depth: of the rule, a tree. */
static bool take(struct budget *budget, const char *text, unsigned depth)
{
	struct policy_match match = rule(RULE_TREE, depth);
	struct name name;

	assert_int_equal(name_from_text(&name, text, strlen(text)), 0);
	return budget_take(budget, &name, &match, &first);
}

static bool take_number(struct budget *budget, unsigned number)
{
	char text[64];

	snprintf(text, sizeof(text), "n%u.example.com", number);
	return take(budget, text, 2);
}

static void a_rule_lets_out_as_many_new_names_as_its_budget(void **state)
{
	struct budget *budget = budget_new(10, 0);

	(void)state;
	clock_fake(START_MS, 0);
	for (unsigned i = 0; i < 10; i++)
		assert_true(take_number(budget, i));
	assert_false(take_number(budget, 10));
	assert_true(first);
	assert_false(take_number(budget, 11));
	assert_false(first); /* said once a minute */
	assert_true(take(budget, "a.example.org", 2)); /* another rule has its own */
	budget_free(budget);
}

static void what_was_spent_comes_back_over_a_minute(void **state)
{
	struct budget *budget = budget_new(10, 0);
	unsigned number = 0;

	(void)state;
	clock_fake(START_MS, 0);
	while (take_number(budget, number))
		number++;
	clock_fake(START_MS + 5999, 0);
	assert_false(take_number(budget, 100));
	clock_fake(START_MS + 6000, 0);
	assert_true(take_number(budget, 100));
	assert_false(take_number(budget, 101));
	clock_fake(START_MS + 6000 + 3600 * 1000, 0);
	for (unsigned i = 0; i < 10; i++)
		assert_true(take_number(budget, 200 + i));
	assert_false(take_number(budget, 300));
	assert_true(first);
	budget_free(budget);
}

static void a_name_that_was_let_out_is_free_from_then_on(void **state)
{
	struct budget *budget = budget_new(1, 0);

	(void)state;
	clock_fake(START_MS, 0);
	assert_true(take(budget, "a.example.com", 2));
	assert_true(take(budget, "a.example.com", 2));
	assert_false(take(budget, "b.example.com", 2));
	assert_false(take(budget, "b.example.com", 2)); /* one that was refused was not let out */
	budget_free(budget);
}

static void octets_below_the_rules_name_are_counted(void **state)
{
	struct budget *budget = budget_new(0, 12);

	(void)state;
	clock_fake(START_MS, 0);
	assert_true(take(budget, "abcde.example.com", 2)); /* 6 with the length octet */
	assert_false(take(budget, "abcdef.example.com", 2));
	assert_true(take(budget, "fghij.example.com", 2));
	assert_false(take(budget, "a.example.com", 2));
	budget_free(budget);
}

static void the_rules_own_name_and_exact_rules_cost_nothing(void **state)
{
	struct budget *budget = budget_new(1, 1);
	struct policy_match exact = rule(RULE_EXACT, 3);
	struct name name;

	(void)state;
	clock_fake(START_MS, 0);
	for (unsigned i = 0; i < 5; i++)
		assert_true(take(budget, "example.com", 2));
	assert_int_equal(name_from_text(&name, "a.example.com", 13), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_true(budget_take(budget, &name, &exact, &first));
	budget_free(budget);
}

static void without_limits_everything_passes(void **state)
{
	struct budget *budget = budget_new(0, 0);

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		assert_true(take_number(budget, i));
	budget_free(budget);
}

/* More rules than the table has places: each still has its budget, none has more than a minute's twice. */
static void many_rules_have_a_budget_each(void **state)
{
	struct budget *budget = budget_new(2, 0);

	(void)state;
	clock_fake(START_MS, 0);
	for (unsigned i = 0; i < 2000; i++) {
		char text[64];
		unsigned passed = 0;

		for (unsigned j = 0; j < 5; j++) {
			snprintf(text, sizeof(text), "n%u.r%u.test", j, i);
			passed += take(budget, text, 2);
		}
		assert_int_equal(passed, 2);
	}
	budget_free(budget);
}

/* The clock is set back, or a suspended machine wakes: nothing is given away, nothing is lost. */
static void a_clock_that_goes_back_fills_nothing(void **state)
{
	struct budget *budget = budget_new(1, 0);

	(void)state;
	clock_fake(START_MS, 0);
	assert_true(take_number(budget, 0));
	clock_fake(START_MS - 500000, 0);
	assert_false(take_number(budget, 1));
	clock_fake(START_MS - 500000 + 60000, 0);
	assert_true(take_number(budget, 1));
	budget_free(budget);
}

static void the_rules_name_is_the_end_of_the_asked_one(void **state)
{
	struct policy_match match = rule(RULE_BELOW, 2);
	struct name name, found, wanted;

	(void)state;
	assert_int_equal(name_from_text(&name, "a.b.example.com", 15), 0);
	assert_int_equal(name_from_text(&wanted, "example.com", 11), 0);
	budget_rule_name(&name, &match, &found);
	assert_true(name_equal(&found, &wanted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_lets_out_as_many_new_names_as_its_budget),
		cmocka_unit_test(what_was_spent_comes_back_over_a_minute),
		cmocka_unit_test(a_name_that_was_let_out_is_free_from_then_on),
		cmocka_unit_test(octets_below_the_rules_name_are_counted),
		cmocka_unit_test(the_rules_own_name_and_exact_rules_cost_nothing),
		cmocka_unit_test(without_limits_everything_passes),
		cmocka_unit_test(many_rules_have_a_budget_each),
		cmocka_unit_test(a_clock_that_goes_back_fills_nothing),
		cmocka_unit_test(the_rules_name_is_the_end_of_the_asked_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
