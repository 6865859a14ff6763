/* proxy/ledger.h: what is counted, what is told and when, and what goes when there is no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "dns/message.h"
#include "proxy/ledger.h"

static struct ledger *ledger;
static unsigned told;
static struct ledger_repeats last;
static char last_name[NAME_TEXT_MAX];

static void repeats_note(void *context, const struct ledger_repeats *repeats)
{
	(void)context;
	told++;
	last = *repeats;
	if (repeats->name)
		name_to_text(repeats->name, last_name);
}

static int setup(void **state)
{
	(void)state;
	clock_fake(1000000, 1790000000);
	ledger = ledger_new(repeats_note, NULL);
	told = 0;
	return ledger ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	ledger_free(ledger);
	clock_fake(-1, -1);
	return 0;
}

static struct name name_of(const char *text)
{
	struct name name;

	assert_int_equal(name_from_text(&name, text, strlen(text)), 0);
	return name;
}

static struct packet_record record_to(uint32_t dest, uint16_t port, enum packet_fate fate)
{
	uint8_t octets[] = {(uint8_t)(dest >> 24), (uint8_t)(dest >> 16), (uint8_t)(dest >> 8), (uint8_t)dest};

	return (struct packet_record){.fate = fate, .dest = addr_v4(octets), .protocol = 6, .has_ports = true, .port = port};
}

static struct setwriter_key element_of(uint32_t dest, uint16_t port)
{
	struct packet_record record = record_to(dest, port, PACKET_ALLOWED);

	return (struct setwriter_key){record.dest, port ? 6 : 0, port};
}

/* The row whose name is that; fails when there is none. */
static struct activity_row row_of(enum activity_kind kind, const char *name)
{
	static char text[NAME_TEXT_MAX];

	for (size_t i = 0; i < ledger_count(ledger); i++) {
		struct activity_row row;

		ledger_row(ledger, i, &row, text);
		if (row.kind == kind && (name ? row.name && !strcmp(row.name, name) : !row.name))
			return row;
	}
	fail_msg("no row for %s", name ? name : "no name");
	return (struct activity_row){0};
}

static void repeats_are_told_together_and_not_too_often(void **state)
{
	struct fold fold = {0};
	uint64_t count;

	(void)state;
	assert_true(fold_take(&fold, 1, &count));
	assert_int_equal(count, 1);
	for (unsigned i = 0; i < 5; i++)
		assert_false(fold_take(&fold, 1, &count));
	clock_fake(1000000 + LEDGER_FOLD_S * 1000, 1790000030);
	assert_true(fold_take(&fold, 1, &count));
	assert_int_equal(count, 6);
	assert_false(fold_take(&fold, 1, &count));
	assert_true(fold_take(&fold, 2, &count)); /* for somebody who has heard nothing yet */
	assert_int_equal(count, 1);
}

static void repeats_without_a_further_event_are_told_when_their_time_is_up(void **state)
{
	struct name name = name_of("again.test");
	uint64_t count;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		fold_take(ledger_query(ledger, &name, TYPE_AAAA, ACTIVITY_REFUSED), 1, &count);
	fold_take(ledger_query(ledger, &name, TYPE_A, ACTIVITY_REFUSED), 1, &count);
	for (unsigned i = 0; i < 8; i++)
		ledger_sweep(ledger);
	assert_int_equal(told, 0);
	clock_fake(1000000 + (LEDGER_FOLD_S + 1) * 1000, 1790000031);
	for (unsigned i = 0; i < 8; i++)
		ledger_sweep(ledger);
	assert_int_equal(told, 1);
	assert_true(last.is_query);
	assert_string_equal(last_name, "again.test");
	assert_int_equal(last.query_type, TYPE_AAAA);
	assert_int_equal(last.verdict, ACTIVITY_REFUSED);
	assert_int_equal(last.count, 3);
	assert_int_equal(row_of(ACTIVITY_NAME, "again.test").count, 5);
}

static void a_connection_has_the_name_that_brought_its_address(void **state)
{
	struct name all = name_of("all.test"), one = name_of("one.test"), given = name_of("given.test");
	struct setwriter_key any_port = element_of(0xc6336401, 0), port = element_of(0xc6336401, 443);
	struct packet_record https = record_to(0xc6336401, 443, PACKET_ALLOWED), other = record_to(0xc6336401, 80, PACKET_BLOCKED),
			     stranger = record_to(0xc6336402, 80, PACKET_BLOCKED);
	struct ledger_connection connection;

	(void)state;
	ledger_address(ledger, &port, &one);
	assert_true(ledger_connection(ledger, &other, NULL, &connection));
	assert_true(name_equal(connection.name, &one)); /* not for this port, but nobody else's */
	ledger_address(ledger, &any_port, &all);
	assert_true(ledger_connection(ledger, &other, NULL, &connection));
	assert_true(name_equal(connection.name, &all));
	clock_fake(1000000, 1790000001);
	ledger_address(ledger, &port, &one);
	assert_true(ledger_connection(ledger, &https, NULL, &connection));
	assert_true(name_equal(connection.name, &one));
	assert_true(ledger_connection(ledger, &https, &given, &connection));
	assert_true(name_equal(connection.name, &given));
	assert_true(ledger_connection(ledger, &stranger, NULL, &connection));
	assert_null(connection.name);
}

/* As when the log tells of a connection only after the next name was asked for. */
static void each_name_of_an_address_has_a_row_since_when_it_has(void **state)
{
	struct name index = name_of("index.test"), files = name_of("files.test"), third = name_of("third.test"), alone = name_of("alone.test");
	struct setwriter_key any_port = element_of(0xc6336401, 0), port = element_of(0xc6336401, 443), other = element_of(0xc6336402, 0);
	struct activity_row row;
	size_t rows;

	(void)state;
	ledger_address(ledger, &any_port, &index);
	ledger_address(ledger, &other, &alone);
	ledger_address(ledger, &any_port, &index);
	assert_int_equal(ledger_count(ledger), 2); /* nobody shares anything */
	clock_fake(1000000, 1790000001);
	ledger_address(ledger, &any_port, &files);
	clock_fake(1000000, 1790000002);
	ledger_address(ledger, &port, &third);
	row = row_of(ACTIVITY_SHARED, "index.test");
	assert_int_equal(row.first, 1790000000);
	assert_false(row.has_port);
	assert_true(addr_equal(&row.dest, &any_port.addr));
	assert_int_equal(row_of(ACTIVITY_SHARED, "files.test").first, 1790000001);
	row = row_of(ACTIVITY_SHARED, "third.test");
	assert_int_equal(row.first, 1790000002);
	assert_int_equal(row.port, 443);
	rows = ledger_count(ledger);
	assert_int_equal(rows, 3 + 3);
	clock_fake(1000000, 1790000003);
	ledger_address(ledger, &any_port, &index);
	assert_int_equal(ledger_count(ledger), rows);
	assert_int_equal(row_of(ACTIVITY_SHARED, "index.test").first, 1790000000);
}

static void what_is_made_is_counted_only_while_the_row_is_the_same(void **state)
{
	struct packet_record record = record_to(0xc6336401, 443, PACKET_ALLOWED);
	struct ledger_connection connection;
	struct activity_row row;

	(void)state;
	assert_true(ledger_connection(ledger, &record, NULL, &connection));
	ledger_made(ledger, connection.row);
	row = row_of(ACTIVITY_CONNECTION, NULL);
	assert_int_equal(row.made, 1);
	ledger_made(ledger, (struct ledger_ticket){connection.row.number, connection.row.birth + 1});
	row = row_of(ACTIVITY_CONNECTION, NULL);
	assert_int_equal(row.made, 1);
}

/* A number that was a connection's is another kind of row's by the time that it was answered. */
static void what_is_made_is_not_counted_of_another_kind_of_row(void **state)
{
	struct packet_record record = record_to(0xc0000201, 443, PACKET_ALLOWED);
	struct name name = name_of("many.test");
	struct ledger_connection connection;
	char text[NAME_TEXT_MAX];

	(void)state;
	assert_true(ledger_connection(ledger, &record, NULL, &connection));
	for (uint32_t i = 0; i < LEDGER_ROWS + 1; i++) { /* the query is another row */
		struct setwriter_key element = element_of(0xc6330000 + i, 0);

		if (i == 0)
			ledger_query(ledger, &name, TYPE_A, ACTIVITY_ALLOWED);
		ledger_address(ledger, &element, &name);
		ledger_traffic(ledger, &element, 1, connection.row.birth);
	}
	ledger_made(ledger, connection.row);
	for (size_t i = 0; i < ledger_count(ledger); i++) {
		struct activity_row row;

		ledger_row(ledger, i, &row, text);
		assert_int_equal(row.made, 0);
		if (row.kind == ACTIVITY_ADDRESS) {
			assert_int_equal(row.packets, 1);
			assert_int_equal(row.bytes, connection.row.birth);
		}
	}
}

static void what_was_refused_goes_before_what_was_let_through(void **state)
{
	struct name name = name_of("kept.test");
	struct setwriter_key element = element_of(0xc6336401, 0);
	struct ledger_connection connection;

	(void)state;
	ledger_query(ledger, &name, TYPE_A, ACTIVITY_ALLOWED);
	ledger_address(ledger, &element, &name);
	ledger_traffic(ledger, &element, 5, 500);
	for (uint32_t i = 0; i < 3 * LEDGER_ROWS; i++) {
		struct packet_record record = record_to(i, 9, PACKET_BLOCKED);

		assert_true(ledger_connection(ledger, &record, NULL, &connection));
	}
	assert_int_equal(ledger_count(ledger), LEDGER_ROWS);
	assert_int_equal(ledger_full(ledger), 2 * LEDGER_ROWS + 2);
	assert_int_equal(row_of(ACTIVITY_NAME, "kept.test").count, 1);
	assert_int_equal(row_of(ACTIVITY_ADDRESS, "kept.test").bytes, 500);
}

static void the_oldest_goes_and_what_was_not_told_of_it_is_told(void **state)
{
	struct ledger_connection connection;
	struct packet_record first = record_to(1, 9, PACKET_DENIED);
	uint64_t count;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_true(ledger_connection(ledger, &first, NULL, &connection));
		fold_take(connection.events, 1, &count);
	}
	for (uint32_t i = 2; i < LEDGER_ROWS + 2; i++) {
		struct packet_record record = record_to(i, 9, PACKET_BLOCKED);

		assert_true(ledger_connection(ledger, &record, NULL, &connection));
	}
	assert_int_equal(told, 1);
	assert_false(last.is_query);
	assert_false(last.audit);
	assert_int_equal(last.verdict, ACTIVITY_DENIED);
	assert_int_equal(last.count, 2);
}

static void a_ledger_goes_on_from_its_rows(void **state)
{
	struct name name = name_of("www.test"), also = name_of("also.test");
	struct setwriter_key element = element_of(0xc6336401, 443);
	struct packet_record record = record_to(0xc6336401, 443, PACKET_ALLOWED);
	struct ledger_connection connection;
	struct ledger *next = ledger_new(repeats_note, NULL), *before = ledger;

	(void)state;
	ledger_query(ledger, &name, TYPE_A, ACTIVITY_ALLOWED);
	ledger_address(ledger, &element, &name);
	ledger_traffic(ledger, &element, 7, 700);
	ledger_connection(ledger, &record, NULL, &connection);
	ledger_made(ledger, connection.row);
	ledger_address(ledger, &element, &also);
	clock_fake(2000000, 1790001000);
	ledger_begin(next, 1790000000, 3);
	for (size_t i = 0; i < ledger_count(ledger); i++) {
		char text[NAME_TEXT_MAX];
		struct activity_row row;

		ledger_row(ledger, i, &row, text);
		assert_int_equal(ledger_restore(next, &row), 0);
	}
	ledger_restored(next);
	ledger = next;
	assert_false(ledger_take_changed(ledger));
	assert_int_equal(ledger_since(ledger), 1790000000);
	assert_int_equal(ledger_full(ledger), 3);
	assert_int_equal(ledger_count(ledger), 5);
	assert_int_equal(row_of(ACTIVITY_NAME, "www.test").last, 1790000000);
	assert_int_equal(row_of(ACTIVITY_ADDRESS, "also.test").bytes, 700);
	assert_int_equal(row_of(ACTIVITY_ADDRESS, "also.test").port, 443);
	assert_int_equal(row_of(ACTIVITY_SHARED, "www.test").first, 1790000000);
	assert_int_equal(row_of(ACTIVITY_SHARED, "also.test").port, 443);
	assert_int_equal(row_of(ACTIVITY_CONNECTION, "www.test").made, 1);
	assert_true(ledger_connection(ledger, &record, &name, &connection));
	assert_int_equal(ledger_count(ledger), 5);
	ledger_free(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(repeats_are_told_together_and_not_too_often, setup, teardown),
		cmocka_unit_test_setup_teardown(repeats_without_a_further_event_are_told_when_their_time_is_up, setup, teardown),
		cmocka_unit_test_setup_teardown(a_connection_has_the_name_that_brought_its_address, setup, teardown),
		cmocka_unit_test_setup_teardown(each_name_of_an_address_has_a_row_since_when_it_has, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_made_is_counted_only_while_the_row_is_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_made_is_not_counted_of_another_kind_of_row, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_refused_goes_before_what_was_let_through, setup, teardown),
		cmocka_unit_test_setup_teardown(the_oldest_goes_and_what_was_not_told_of_it_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_ledger_goes_on_from_its_rows, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
