/* policy/protocol.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "policy/protocol.h"

static void every_number_is_read_back_as_it_was_written(void **state)
{
	char text[PROTOCOL_TEXT_MAX];
	uint8_t protocol;

	(void)state;
	for (unsigned number = 0; number <= UINT8_MAX; number++) {
		protocol = 0;
		assert_int_equal(protocol_parse(&protocol, number == 58 ? ADDR_V6 : ADDR_V4, protocol_format((uint8_t)number, text)), 0);
		assert_int_equal(protocol, number);
	}
	assert_string_equal(protocol_format(6, text), "tcp");
	assert_string_equal(protocol_format(17, text), "udp");
	assert_string_equal(protocol_format(58, text), "icmp");
}

static void what_is_no_protocol_is_refused(void **state)
{
	static const char *const texts[] = {"", "TCP", "256", "-1", "1000", "6 ", "0x6"};
	uint8_t protocol;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(protocol_parse(&protocol, ADDR_V4, texts[i]), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_is_read_back_as_it_was_written),
		cmocka_unit_test(what_is_no_protocol_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
