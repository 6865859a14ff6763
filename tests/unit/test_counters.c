/* fw/counters.h: only rules of our own table count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "fw/counters.h"

#define RULE(family, table, chain, packets)                                                                                                \
	"{\"rule\":{\"family\":\"" family "\",\"table\":\"" table "\",\"chain\":\"" chain                                                  \
	"\",\"handle\":1,\"expr\":[{\"counter\":{\"packets\":" packets ",\"bytes\":1}},{\"drop\":null}]}}"

static void rules_of_our_table_are_added_up_by_chain(void **unused)
{
	static const char json[] = "{\"nftables\":[{\"metainfo\":{\"version\":\"1\"}}," RULE("inet", "terok_shield", "blocked",
		"3") "," RULE("inet", "terok_shield", "blocked", "4") "," RULE("inet", "terok_shield", "private", "5") "," RULE("inet",
		"other", "denied", "6") "," RULE("ip", "terok_shield", "denied", "7") "," RULE("inet", "terok_shield", "output", "-1") "]}";
	struct counters counters;

	(void)unused;
	assert_int_equal(counters_parse(&counters, json, NULL), 0);
	assert_int_equal(counters.packets[COUNTERS_BLOCKED], 7);
	assert_int_equal(counters.packets[COUNTERS_PRIVATE], 5);
	assert_int_equal(counters.packets[COUNTERS_DENIED], 0);
	assert_int_equal(counters.packets[COUNTERS_OUTPUT], 0);
}

static void what_is_no_listing_is_an_error(void **unused)
{
	static const char *const texts[] = {"", "{}", "[]", "{\"nftables\":{}}", "{\"nftables\":[]} x"};
	struct counters counters;

	(void)unused;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(counters_parse(&counters, texts[i], NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_of_our_table_are_added_up_by_chain),
		cmocka_unit_test(what_is_no_listing_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
