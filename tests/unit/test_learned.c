/* cli/learned.h: the learned elements on their way out of a container's namespace */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "cli/learned.h"
#include "policy/rule.h"

static void pack(struct text *packed, const char *address, uint16_t port, const char *comment)
{
	struct setwriter_element element = {.timeout_ms = 180000, .expires_ms = 60000, .packets = 3, .bytes = 180};

	assert_int_equal(addr_parse(&element.key.addr, address, strlen(address)), 0);
	element.key.port = port;
	element.key.protocol = port ? RULE_UDP : 0;
	strcpy(element.comment, comment);
	text_add_bytes(packed, &element, offsetof(struct setwriter_element, comment) + strlen(comment) + 1);
}

static void elements_come_sorted_by_name_address_and_port(void **state)
{
	static const char *const sets[] = {"learned_v4", "learned_v4", "learned_v4", "learned_v6", "learned_port_v6"};
	cleanup_text struct text packed = {0};
	struct learned learned = {0};
	struct error error = {0};

	(void)state;
	pack(&packed, "2001:db8::1", 53, "b.test");
	pack(&packed, "198.51.100.10", 0, "b.test");
	pack(&packed, "198.51.100.9", 0, "b.test");
	pack(&packed, "2001:db8::1", 0, "b.test");
	pack(&packed, "198.51.100.8", 0, "a\033[31m \".test");
	assert_int_equal(learned_unpack(&learned, packed.data, packed.length, &error), 0);
	assert_int_equal(learned.count, 5);
	assert_string_equal(learned.list[0].comment, "a?[31m??.test");
	assert_int_equal(learned.list[1].key.addr.octets[3], 9);
	assert_int_equal(learned.list[1].expires_ms, 60000);
	assert_int_equal(learned.list[2].packets, 3);
	assert_int_equal(learned.list[2].bytes, 180);
	assert_int_equal(learned.list[4].key.port, 53);
	assert_int_equal(learned.list[4].key.protocol, RULE_UDP);
	for (size_t i = 0; i < learned.count; i++)
		assert_string_equal(learned_set(&learned.list[i]), sets[i]);
	learned_free(&learned);
}

static void no_elements_are_none(void **state)
{
	struct learned learned = {0};
	struct error error = {0};

	(void)state;
	assert_int_equal(learned_unpack(&learned, "", 0, &error), 0);
	assert_int_equal(learned.count, 0);
	learned_free(&learned);
}

static void what_is_cut_short_is_an_error(void **state)
{
	cleanup_text struct text packed = {0};

	(void)state;
	pack(&packed, "198.51.100.10", 0, "b.test");
	for (size_t length = 1; length < packed.length; length++) {
		struct learned learned = {0};
		struct error error = {0};

		assert_int_equal(learned_unpack(&learned, packed.data, length, &error), -EPROTO);
		learned_free(&learned);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_come_sorted_by_name_address_and_port),
		cmocka_unit_test(no_elements_are_none),
		cmocka_unit_test(what_is_cut_short_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
