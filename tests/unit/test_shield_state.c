/* policy/shield_state.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "policy/shield_state.h"

static void every_state_is_read_by_its_name_and_its_later_spelling(void **state)
{
	static const struct {
		const char *word;
		enum shield_state state;
		const char *printed;
	} cases[] = {
		{"up", SHIELD_UP, "up"},
		{"down", SHIELD_DOWN, "down"},
		{"down_all", SHIELD_DOWN_ALL, "down_all"},
		{"block", SHIELD_BLOCK, "block"},
		{"inactive", SHIELD_INACTIVE, "inactive"},
		{"error", SHIELD_ERROR, "error"},
		{"quarantine", SHIELD_BLOCK, "block"},
		{"disengaged", SHIELD_DOWN_ALL, "down_all"},
		{"offline", SHIELD_INACTIVE, "inactive"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum shield_state parsed;

		assert_int_equal(shield_state_parse(&parsed, cases[i].word), 0);
		assert_int_equal(parsed, cases[i].state);
		assert_string_equal(shield_state_name(parsed), cases[i].printed);
	}
}

static void another_word_is_refused(void **state)
{
	static const char *const words[] = {"", "UP", "up ", "down-all", "x"};
	enum shield_state parsed;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_int_equal(shield_state_parse(&parsed, words[i]), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_is_read_by_its_name_and_its_later_spelling),
		cmocka_unit_test(another_word_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
