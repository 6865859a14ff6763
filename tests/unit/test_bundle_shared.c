/* state/bundle.h: the folder of a container that is under another shield */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "state/bundle_parse.h"

static void a_shared_shield_is_read(void **state)
{
	static const char json[] = "{\"member\":\"web2\",\"shield\":\"web\",\"kind\":\"container\",\"folder\":\"/home/u/containers/web\"}";
	struct bundle_shared shared;

	(void)state;
	assert_int_equal(bundle_shared_parse(json, strlen(json), &shared, NULL), 0);
	assert_string_equal(shared.member, "web2");
	assert_string_equal(shared.shield, "web");
	assert_string_equal(shared.path, "/home/u/containers/web");
	assert_false(shared.pod);
}

static void what_is_missing_unknown_or_unsafe_is_refused_by_name(void **state)
{
	static const struct {
		const char *json, *word;
	} cases[] = {
		{"", "shared.json"},
		{"{}", "member"},
		{"{\"member\":\"../x\",\"shield\":\"web\",\"kind\":\"pod\",\"folder\":\"/s\"}", "member"},
		{"{\"member\":\"a\",\"shield\":\"b/c\",\"kind\":\"pod\",\"folder\":\"/s\"}", "shield"},
		{"{\"member\":\"a\",\"shield\":\"b\",\"kind\":\"host\",\"folder\":\"/s\"}", "kind"},
		{"{\"member\":\"a\",\"shield\":\"b\",\"kind\":\"pod\",\"folder\":\"s\"}", "absolute"},
		{"{\"member\":\"a\",\"shield\":\"b\",\"kind\":\"pod\",\"folder\":\"/s/../etc\"}", ".."},
		{"{\"member\":\"a\",\"shield\":\"b\",\"kind\":\"pod\",\"folder\":\"/etc/s\"}", "/etc"},
		{"{\"member\":\"a\",\"shield\":\"b\",\"kind\":\"pod\",\"folder\":\"/s\",\"more\":1}", "more"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bundle_shared shared;
		struct error error = {0};

		if (!bundle_shared_parse(cases[i].json, strlen(cases[i].json), &shared, &error) || !strstr(error.text, cases[i].word))
			fail_msg("%s: %s", cases[i].json, error.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shared_shield_is_read),
		cmocka_unit_test(what_is_missing_unknown_or_unsafe_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
