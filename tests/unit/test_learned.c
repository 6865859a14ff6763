/* cli/learned.h: the learned elements of a listing */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "cli/learned.h"
#include "policy/rule.h"

static void elements_come_sorted_by_name_address_and_port(void **state)
{
	static const char json[] =
		"{\"nftables\":[{\"metainfo\":{\"version\":\"1.0.6\"}},"
		"{\"set\":{\"name\":\"allow_v4\",\"elem\":[\"192.0.2.9\"]}},"
		"{\"set\":{\"name\":\"learned_v4\",\"elem\":["
		"{\"elem\":{\"val\":\"198.51.100.10\",\"timeout\":180,\"expires\":170,"
		"\"comment\":\"b.test\",\"counter\":{\"packets\":3,\"bytes\":180}}},"
		"{\"elem\":{\"val\":\"198.51.100.9\",\"timeout\":180,\"expires\":60,\"comment\":\"b.test\"}},"
		"{\"elem\":{\"val\":\"198.51.100.8\",\"comment\":\"a\\u001b[31m.test\"}}]}},"
		"{\"set\":{\"name\":\"learned_port_v6\",\"elem\":["
		"{\"elem\":{\"val\":{\"concat\":[\"2001:db8::1\",\"udp\",53]},\"expires\":5,\"comment\":\"c.test\"}},"
		"{\"elem\":{\"val\":{\"concat\":[\"2001:db8::1\",\"tcp\",0]}}},"
		"{\"elem\":{\"val\":{\"range\":[\"::1\",\"::2\"]}}}]}},"
		"{\"set\":{\"name\":\"learned_v6\"}}]}";
	struct learned learned = {0};
	struct error error = {0};
	size_t unknown;

	(void)state;
	assert_int_equal(learned_parse(&learned, json, &unknown, &error), 0);
	assert_int_equal(learned.count, 4);
	assert_int_equal(unknown, 2);
	assert_string_equal(learned.list[0].comment, "a?[31m.test");
	assert_int_equal(learned.list[1].key.addr.octets[3], 9);
	assert_int_equal(learned.list[1].expires_ms, 60000);
	assert_int_equal(learned.list[2].packets, 3);
	assert_int_equal(learned.list[2].bytes, 180);
	assert_int_equal(learned.list[3].key.port, 53);
	assert_int_equal(learned.list[3].key.protocol, RULE_UDP);
	learned_free(&learned);
}

static void what_is_no_listing_is_an_error(void **state)
{
	static const char *const cases[] = {"", "[]", "{}", "{\"nftables\":1}", "{\"nftables\":["};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct learned learned = {0};
		struct error error = {0};
		size_t unknown;

		assert_int_equal(learned_parse(&learned, cases[i], &unknown, &error), -EPROTO);
		learned_free(&learned);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_come_sorted_by_name_address_and_port),
		cmocka_unit_test(what_is_no_listing_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
