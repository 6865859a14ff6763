/* Hooks into the text of a config.json: the right place, once, and nothing else touched. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "hook/scan.h"
#include "hook/splice.h"

#define HOOK     "/l/terok-shield-hook"
#define TAIL     "\"env\":[\"PATH=/usr/sbin:/usr/bin:/sbin:/bin\"],\"timeout\":20}"
#define CREATE   "{\"path\":\"" HOOK "\",\"args\":[\"terok-shield-hook\",\"createRuntime\"]," TAIL
#define STOP     "{\"path\":\"" HOOK "\",\"args\":[\"terok-shield-hook\",\"poststop\"]," TAIL
#define SHIELDED "\"annotations\":{\"terok.shield.profiles\":\"a\"}"

static enum splice_outcome splice(const char *json, struct text *out)
{
	enum splice_outcome outcome = SPLICE_NOT_SHIELDED;
	struct error error = {0};

	if (splice_config(json, strlen(json), HOOK, out, &outcome, &error))
		fail_msg("%s: %s", json, error.text);
	return outcome;
}

static void hooks_are_put_where_they_belong(void **context)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{"{" SHIELDED "}", "{\"hooks\":{\"createRuntime\":[" CREATE "],\"poststop\":[" STOP "]}," SHIELDED "}"},
		{" { \"a\":1, " SHIELDED " }\n",
			" {\"hooks\":{\"createRuntime\":[" CREATE "],\"poststop\":[" STOP "]}, \"a\":1, " SHIELDED " }\n"},
		{"{\"hooks\":null," SHIELDED "}", "{\"hooks\":{\"createRuntime\":[" CREATE "],\"poststop\":[" STOP "]}," SHIELDED "}"},
		{"{\"hooks\":{}," SHIELDED "}", "{\"hooks\":{\"createRuntime\":[" CREATE "],\"poststop\":[" STOP "]}," SHIELDED "}"},
		{"{\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}," SHIELDED "}",
			"{\"hooks\":{\"prestart\":[{\"path\":\"/x\"}],\"createRuntime\":[" CREATE "],\"poststop\":[" STOP "]}," SHIELDED
			"}"},
		{"{" SHIELDED ",\"hooks\":{\"createRuntime\":[{\"path\":\"/x\"} ]}}",
			"{" SHIELDED ",\"hooks\":{\"createRuntime\":[{\"path\":\"/x\"} ," CREATE "],\"poststop\":[" STOP "]}}"},
		{"{" SHIELDED ",\"hooks\":{\"poststop\":[],\"createRuntime\":null}}",
			"{" SHIELDED ",\"hooks\":{\"poststop\":[" STOP "],\"createRuntime\":[" CREATE "]}}"},
		{"{" SHIELDED ",\"hooks\":{\"poststop\":[{\"path\":\"/y\"}]}}",
			"{" SHIELDED ",\"hooks\":{\"poststop\":[{\"path\":\"/y\"}," STOP "],\"createRuntime\":[" CREATE "]}}"},
		/* ours for one stage only */
		{"{" SHIELDED ",\"hooks\":{\"createRuntime\":[" CREATE "]}}",
			"{" SHIELDED ",\"hooks\":{\"createRuntime\":[" CREATE "],\"poststop\":[" STOP "]}}"},
		/* the name alone, or the stage alone, is not our hook */
		{"{" SHIELDED ",\"hooks\":{\"createRuntime\":[{\"path\":\"/l/terok-shield-hook\"}],\"poststop\":[" STOP "]}}",
			"{" SHIELDED ",\"hooks\":{\"createRuntime\":[{\"path\":\"/l/terok-shield-hook\"}," CREATE "],\"poststop\":[" STOP
			"]}}"},
		{"{" SHIELDED
		 ",\"hooks\":{\"createRuntime\":[{\"path\":\"/l/xterok-shield-hook\",\"args\":[\"a\",\"createRuntime\"]}],\"poststop\":[" STOP
		 "]}}",
			"{" SHIELDED
			",\"hooks\":{\"createRuntime\":[{\"path\":\"/l/xterok-shield-hook\",\"args\":[\"a\",\"createRuntime\"]}," CREATE
			"],\"poststop\":[" STOP "]}}"},
		/* a key is what it means, not how it is spelled */
		{"{\"annotations\":{\"\\u0074erok.shield.x\":\"\"},\"h\\u006foks\":null}",
			"{\"annotations\":{\"\\u0074erok.shield.x\":\"\"},\"h\\u006foks\":{\"createRuntime\":[" CREATE
			"],\"poststop\":[" STOP "]}}"},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_text struct text out = {0};
		cleanup_text struct text again = {0};

		assert_int_equal(splice(cases[i].before, &out), SPLICE_CHANGED);
		assert_string_equal(out.data, cases[i].after);
		assert_int_equal(splice(out.data, &again), SPLICE_COMPLETE);
	}
}

static void a_document_without_our_annotations_is_left_alone(void **context)
{
	static const char *const cases[] = {
		"{}",
		"{\"annotations\":null}",
		"{\"annotations\":{}}",
		"{\"annotations\":{\"terok.shiel\":\"\",\"terok.shieldx\":\"\",\"Terok.Shield.\":\"\",\"x\":\"terok.shield.\"}}",
		"{\"terok.shield.profiles\":\"\",\"linux\":{\"annotations\":{\"terok.shield.profiles\":\"a\"}}}",
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_text struct text out = {0};

		assert_int_equal(splice(cases[i], &out), SPLICE_NOT_SHIELDED);
		assert_int_equal(out.length, 0);
	}
}

static void numbers_come_through_as_they_were_written(void **context)
{
	static const char numbers[] = "\"r\":[18446744073709551615,9223372036854775807,9007199254740993,-0,1e400,0.1000,-1.5E-3]";
	char json[256];
	cleanup_text struct text out = {0};

	(void)context;
	snprintf(json, sizeof(json), "{" SHIELDED ",%s}", numbers);
	assert_int_equal(splice(json, &out), SPLICE_CHANGED);
	assert_non_null(strstr(out.data, numbers));
}

static void a_path_with_quotes_is_escaped(void **context)
{
	static const char json[] = "{" SHIELDED "}";
	cleanup_text struct text out = {0};
	enum splice_outcome outcome;

	(void)context;
	assert_int_equal(splice_config(json, strlen(json), "/a\"\\\n/terok-shield-hook", &out, &outcome, NULL), 0);
	assert_non_null(strstr(out.data, "\"/a\\\"\\\\\\u000a/terok-shield-hook\""));
}

static void what_is_not_json_is_refused(void **context)
{
	static const char *const cases[] = {
		"",
		" ",
		"[]",
		"{",
		"{}x",
		"{}{}",
		"nul",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,}",
		"{\"a\":01}",
		"{\"a\":+1}",
		"{\"a\":1.}",
		"{\"a\":.5}",
		"{\"a\":1e}",
		"{\"a\":-}",
		"{\"a\":[1,]}",
		"{\"a\":[1 2]}",
		"{\"a\":tru}",
		"{\"a\":\"\\x\"}",
		"{\"a\":\"\\u12g4\"}",
		"{\"a\":\"\n\"}",
		"{\"a\":\"",
		"{\"a\":\"\\",
		"{\"a\":\"\\u00",
		"{'a':1}",
		"\xef\xbb\xbf{}",
		"{\"a\":NaN}",
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_text struct text out = {0};
		enum splice_outcome outcome;

		if (splice_config(cases[i], strlen(cases[i]), HOOK, &out, &outcome, NULL) != -EINVAL)
			fail_msg("taken for JSON: %s", cases[i]);
	}
}

static void a_member_of_the_wrong_type_or_twice_is_refused(void **context)
{
	static const struct {
		const char *json, *word;
	} cases[] = {
		{"{\"annotations\":[]}", "\"annotations\" is not an object"},
		{"{" SHIELDED "," SHIELDED "}", "\"annotations\" is there twice"},
		{"{" SHIELDED ",\"hooks\":{},\"h\\u006foks\":{}}", "\"hooks\" is there twice"},
		{"{" SHIELDED ",\"hooks\":[]}", "\"hooks\" is not an object"},
		{"{" SHIELDED ",\"hooks\":{\"poststop\":[],\"poststop\":[]}}", "a stage of \"hooks\" is there twice"},
		{"{" SHIELDED ",\"hooks\":{\"createRuntime\":{}}}", "a stage of \"hooks\" is not an array"},
		{"{" SHIELDED ",\"hooks\":{\"createRuntime\":[7]}}", "not an object"},
		{"{" SHIELDED ",\"hooks\":{\"createRuntime\":[{\"path\":7}]}}", "path of a hook"},
		{"{" SHIELDED ",\"hooks\":{\"createRuntime\":[{\"args\":[\"a\",7]}]}}", "argument of a hook"},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_text struct text out = {0};
		enum splice_outcome outcome;
		struct error error = {0};

		assert_int_equal(splice_config(cases[i].json, strlen(cases[i].json), HOOK, &out, &outcome, &error), -EINVAL);
		if (!strstr(error.text, cases[i].word))
			fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].json, error.text, cases[i].word);
	}
}

static void nesting_is_bounded(void **context)
{
	char json[3 * SCAN_DEPTH_MAX] = "{\"a\":";
	enum splice_outcome outcome;
	cleanup_text struct text out = {0};
	size_t start = strlen(json), depth = SCAN_DEPTH_MAX - 1; /* the object itself is the first */

	(void)context;
	memset(json + start, '[', depth);
	memset(json + start + depth, ']', depth);
	strcpy(json + start + 2 * depth, "}");
	assert_int_equal(splice_config(json, strlen(json), HOOK, &out, &outcome, NULL), 0);
	depth++;
	memset(json + start, '[', depth);
	memset(json + start + depth, ']', depth);
	strcpy(json + start + 2 * depth, "}");
	assert_int_equal(splice_config(json, strlen(json), HOOK, &out, &outcome, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hooks_are_put_where_they_belong),
		cmocka_unit_test(a_document_without_our_annotations_is_left_alone),
		cmocka_unit_test(numbers_come_through_as_they_were_written),
		cmocka_unit_test(a_path_with_quotes_is_escaped),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(a_member_of_the_wrong_type_or_twice_is_refused),
		cmocka_unit_test(nesting_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
