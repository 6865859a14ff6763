/* proxy/lease_table.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "proxy/lease_table.h"

#define ADDRESSES 700
#define PORTS     3
#define STEPS     60000

static struct lease_table table;

static int setup(void **state)
{
	(void)state;
	return lease_table_init(&table);
}

static int teardown(void **state)
{
	(void)state;
	lease_table_clear(&table);
	return 0;
}

/* Every second address is of IPv6; port 0 is the address alone. */
static struct setwriter_key key_of(unsigned address, uint16_t port)
{
	struct setwriter_key key = {.addr.family = address % 2 ? ADDR_V6 : ADDR_V4, .protocol = port ? 6 : 0, .port = port};

	key.addr.octets[1] = (uint8_t)(address >> 16);
	key.addr.octets[2] = (uint8_t)(address >> 8);
	key.addr.octets[3] = (uint8_t)address;
	return key;
}

static struct lease *get(unsigned address, uint16_t port)
{
	struct setwriter_key key = key_of(address, port);
	int error = 0;
	struct lease *lease = lease_table_get(&table, &key, &error);

	assert_non_null(lease);
	return lease;
}

static struct lease *find(unsigned address, uint16_t port)
{
	struct setwriter_key key = key_of(address, port);

	return lease_table_find(&table, &key);
}

/* That the table has these and nothing else. */
static void assert_table(bool there[ADDRESSES][PORTS])
{
	size_t count = 0;

	for (unsigned i = 0; i < ADDRESSES; i++) {
		struct setwriter_key key = key_of(i, 0);
		unsigned of_address = 0;

		for (uint16_t port = 0; port < PORTS; port++) {
			const struct lease *lease = find(i, port);

			assert_int_equal(lease != NULL, there[i][port]);
			if (lease)
				assert_int_equal(lease->asked, i * PORTS + port);
			of_address += there[i][port];
		}
		for (struct lease *lease = lease_table_first(&table, &key.addr); lease; lease = lease_table_next(&table, lease)) {
			assert_true(addr_equal(&lease->key.addr, &key.addr));
			of_address--;
			count++;
		}
		assert_int_equal(of_address, 0);
	}
	assert_int_equal(count, table.count);
	for (uint32_t i = 0; i < table.end; i++)
		count -= lease_table_at(&table, i)->used;
	assert_int_equal(count, 0);
}

static void it_has_what_was_put_and_not_removed(void **state)
{
	static bool there[ADDRESSES][PORTS];
	size_t count = 0, most = 0;

	(void)state;
	srand(1);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned address = (unsigned)rand() % ADDRESSES;
		uint16_t port = (uint16_t)(rand() % PORTS);

		if (rand() % 100 < (step / 10000 % 2 ? 70 : 30) && there[address][port]) {
			lease_table_remove(&table, find(address, port));
			there[address][port] = false;
			count--;
		} else if (!there[address][port]) {
			get(address, port)->asked = address * PORTS + port;
			there[address][port] = true;
			count++;
		}
		if (count > most)
			most = count;
		if (step % 5000 == 0)
			assert_table(there);
	}
	assert_table(there);
	assert_int_equal(table.end, most); /* what was removed gives its place to others */
}

static void a_lease_does_not_move_and_is_new_when_it_is_made(void **state)
{
	struct lease *first = get(0, 0);

	(void)state;
	first->known = true;
	for (unsigned i = 1; i < 5000; i++)
		get(i, 0);
	assert_ptr_equal(get(0, 0), first);
	assert_true(first->known);
	lease_table_remove(&table, first);
	assert_null(find(0, 0));
	assert_false(get(5000, 443)->known);
}

static void it_is_bounded_and_can_be_filled_again(void **state)
{
	struct setwriter_key more = key_of(LEASES_MAX, 0);

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		int error = 0;

		for (unsigned i = 0; i < LEASES_MAX; i++)
			get(i, 0);
		assert_null(lease_table_get(&table, &more, &error));
		assert_int_equal(error, -ENOSPC);
		assert_non_null(find(LEASES_MAX - 1, 0));
		for (unsigned i = 0; i < LEASES_MAX; i++)
			lease_table_remove(&table, find(i, 0));
		assert_int_equal(table.count, 0);
		assert_int_equal(table.end, LEASES_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_has_what_was_put_and_not_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lease_does_not_move_and_is_new_when_it_is_made, setup, teardown),
		cmocka_unit_test_setup_teardown(it_is_bounded_and_can_be_filled_again, setup, teardown),
	};

	return cmocka_run_group_tests_name("lease_table", tests, NULL, NULL);
}
