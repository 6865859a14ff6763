/* Ports that a pod names. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "node/ports.h"

static struct settings settings;
static struct error error;

static int parse(const char *text)
{
	settings_init(&settings);
	error = (struct error){0};
	return ports_parse(&settings, text, &error);
}

static void expect(size_t index, uint16_t first, uint16_t last, uint8_t protocol)
{
	assert_int_equal(settings.published[index].first, first);
	assert_int_equal(settings.published[index].last, last);
	assert_int_equal(settings.published[index].protocol, protocol);
}

static void ports_ranges_and_protocols_are_read(void **unused)
{
	(void)unused;
	assert_int_equal(parse("8080"), 0);
	assert_int_equal(settings.published_count, 1);
	expect(0, 8080, 8080, IPPROTO_TCP);
	assert_int_equal(parse(" 53/udp,: 9000-9010/tcp:65535/sctp\n"), 0);
	assert_int_equal(settings.published_count, 3);
	expect(0, 53, 53, IPPROTO_UDP);
	expect(1, 9000, 9010, IPPROTO_TCP);
	expect(2, 65535, 65535, IPPROTO_SCTP);
	assert_int_equal(parse(""), 0);
	assert_int_equal(settings.published_count, 0);
}

static void anything_else_is_refused(void **unused)
{
	static const char *const cases[] = {"all", "0", "65536", "8080x", "8080/", "8080/TCP", "8080/tcpx", "-80", "80-", "90-80",
		"80-99999", "80 - 90", "+80", "1e3", "080808", "80/tcp/udp", "\x1b[2J"};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (parse(cases[i]) != -EINVAL)
			fail_msg("%s", cases[i]);
	assert_null(strchr(error.text, '\x1b'));
}

static void more_than_the_bound_is_refused(void **unused)
{
	cleanup_text struct text text = {0};

	(void)unused;
	for (unsigned i = 1; i <= SETTINGS_PUBLISHED_MAX; i++)
		text_addf(&text, "%u,", i);
	assert_int_equal(parse(text.data), 0);
	text_add(&text, "9999");
	assert_int_equal(parse(text.data), -EINVAL);
	assert_non_null(strstr(error.text, "more than"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_ranges_and_protocols_are_read),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(more_than_the_bound_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
