/* Capabilities out of a document and annotations into it, with every other octet as it was. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hook/cri.h"

static void a_capability_goes_and_the_rest_stays(void **unused)
{
	static const struct {
		enum cri_document document;
		const char *before, *after;
	} cases[] = {
		{CRI_CONFIG, "{\"process\":{\"capabilities\":{\"bounding\":[\"CAP_NET_RAW\"]}}}",
			"{\"process\":{\"capabilities\":{\"bounding\":[]}}}"},
		{CRI_CONFIG,
			" {\"a\":18446744073709551615,\"process\" : {\"x\":[\"CAP_NET_RAW\"],\"capabilities\": {\"bounding\": [ \"CAP_A\", "
			"\"CAP_NET_RAW\" ,\"CAP_B\"],\"effective\":[\"CAP_C\" , \"CAP_D\"], \"ambient\":[\"net_raw\",\"CAP_A\"]}}} ",
			" {\"a\":18446744073709551615,\"process\" : {\"x\":[\"CAP_NET_RAW\"],\"capabilities\": {\"bounding\": "
			"[\"CAP_A\",\"CAP_B\"],\"effective\":[\"CAP_C\" , \"CAP_D\"], \"ambient\":[\"CAP_A\"]}}} "},
		{CRI_CONFIG, "{\"proc\\u0065ss\":{\"capabilities\":{\"a\":[\"cap_net_r\\u0061w\",\"CAP_NET_RAW\"]}}}",
			"{\"proc\\u0065ss\":{\"capabilities\":{\"a\":[]}}}"},
		{CRI_CONFIG, "{\"process\":{\"capabilities\":{\"a\":null,\"b\":[]}},\"capabilities\":{\"a\":[\"CAP_NET_RAW\"]}}",
			"{\"process\":{\"capabilities\":{\"a\":null,\"b\":[]}},\"capabilities\":{\"a\":[\"CAP_NET_RAW\"]}}"},
		{CRI_CONFIG, "{\"process\":null}", "{\"process\":null}"},
		{CRI_PROCESS, "{\"args\":[\"CAP_NET_RAW\"],\"capabilities\":{\"permitted\":[\"NET_RAW\"]}}",
			"{\"args\":[\"CAP_NET_RAW\"],\"capabilities\":{\"permitted\":[]}}"},
		{CRI_PROCESS, "{\"process\":{\"capabilities\":{\"a\":[\"CAP_NET_RAW\"]}}}",
			"{\"process\":{\"capabilities\":{\"a\":[\"CAP_NET_RAW\"]}}}"},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_text struct text out = {0};
		struct error error = {0};

		assert_int_equal(
			cri_capability_drop(cases[i].document, cases[i].before, strlen(cases[i].before), "CAP_NET_RAW", &out, &error), 0);
		assert_string_equal(out.data, cases[i].after);
	}
}

static void what_is_no_such_document_is_an_error(void **unused)
{
	static const char *const cases[] = {
		"",
		"[]",
		"{",
		"{} x",
		"{\"process\":{\"capabilities\":{\"a\":[1]}}}",
		"{\"process\":{\"capabilities\":{\"a\":[\"CAP_NET_RAW\",]}}}",
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_text struct text out = {0};
		struct error error = {0};

		assert_int_equal(cri_capability_drop(CRI_CONFIG, cases[i], strlen(cases[i]), "CAP_NET_RAW", &out, &error), -EINVAL);
	}
}

static int annotate(const char *json, struct text *out)
{
	static const struct cri_annotation annotations[] = {{"a", "/x\"y"}, {"b", ""}};

	return cri_annotations_add(json, strlen(json), annotations, 2, out, NULL);
}

static void annotations_come_first_among_those_that_are_there(void **unused)
{
	cleanup_text struct text out = {0};

	(void)unused;
	assert_int_equal(annotate("{\"x\":{\"annotations\":{}},\"annotations\": { \"c\":\"d\"}}", &out), 0);
	assert_string_equal(out.data, "{\"x\":{\"annotations\":{}},\"annotations\": {\"a\":\"/x\\\"y\",\"b\":\"\", \"c\":\"d\"}}");
}

static void a_document_without_annotations_or_with_two_of_them_is_an_error(void **unused)
{
	static const char *const cases[] = {"{}", "{\"annotations\":null}", "{\"annotations\":{\"a\":\"\"},\"annotations\":{\"a\":\"\"}}"};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_text struct text out = {0};

		assert_int_equal(annotate(cases[i], &out), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_capability_goes_and_the_rest_stays),
		cmocka_unit_test(what_is_no_such_document_is_an_error),
		cmocka_unit_test(annotations_come_first_among_those_that_are_there),
		cmocka_unit_test(a_document_without_annotations_or_with_two_of_them_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
