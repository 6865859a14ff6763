/* The health of a container in one word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/health.h"

static void each_state_has_its_health(void **state)
{
	static const struct {
		enum shield_state state;
		bool kept;
		const char *health;
	} cases[] = {
		{SHIELD_UP, false, "ok"},
		{SHIELD_UP, true, "degraded"},
		{SHIELD_BLOCK, false, "ok"},
		{SHIELD_BLOCK, true, "degraded"},
		{SHIELD_DOWN, false, "bypassed"},
		{SHIELD_DOWN_ALL, true, "bypassed"},
		{SHIELD_INACTIVE, false, "inactive"},
		{SHIELD_ERROR, false, "failed"},
		{SHIELD_ERROR, true, "failed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct look look = {.state = cases[i].state, .forwarder.kept = cases[i].kept};

		assert_string_equal(health_name(health_of(&look)), cases[i].health);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_has_its_health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
