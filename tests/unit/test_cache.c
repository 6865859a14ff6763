/* proxy/cache.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../support/wire.h"
#include "base/clock.h"
#include "proxy/cache.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID 0x1234
#define START_MS 1000000

static struct answer answer;
static struct wire wire;
static struct cache_entry entry;

static struct question question_of(const char *name, unsigned type)
{
	struct question question = {.id = 7, .type = (uint16_t)type, .class = MESSAGE_CLASS_IN, .udp_size = 512, .has_name = true};

	assert_int_equal(name_from_text(&question.name, name, strlen(name)), 0);
	memcpy(question.asked, question.name.wire, question.name.length);
	return question;
}

static void start(const char *name, unsigned type)
{
	wire_start(&wire, ID, MESSAGE_QR | MESSAGE_AD);
	wire_question(&wire, name, type);
}

static void store(struct cache *cache, const struct question *question)
{
	const struct answer_filter filter = {0};

	assert_int_equal(answer_parse(wire.octets, wire.length, ID, question, &filter, &answer), 0);
	cache_store(cache, question, wire.octets, &answer, answer.filtered);
}

/* An answer of one address, whose last octets are number. */
static void store_number(struct cache *cache, const char *name, uint32_t ttl_s, unsigned number)
{
	struct question question = question_of(name, TYPE_A);

	start(name, TYPE_A);
	wire_add(&wire, "\xc0\x0c", 2);
	wire_rest(&wire, WIRE_ANSWER, TYPE_A, ttl_s, (const uint8_t[]){198, 51, (uint8_t)(number >> 8), (uint8_t)number}, 4);
	store(cache, &question);
}

static bool find(struct cache *cache, const char *name, unsigned type)
{
	struct question question = question_of(name, type);

	return cache_find(cache, &question, &entry);
}

/* That the entry which was found is the one that store_number() made. */
static void assert_number(unsigned number)
{
	assert_int_equal(entry.address_count, 1);
	assert_int_equal(entry.addresses[0].octets[2] << 8 | entry.addresses[0].octets[3], number & 0xffff);
	assert_int_equal(entry.source.answer_count, 1);
	assert_int_equal(entry.source.ttl_count, 1);
	assert_memory_equal(entry.source.wire + entry.source.length - 4, entry.addresses[0].octets, 4);
}

static int setup(void **state)
{
	clock_fake(START_MS, 0);
	*state = cache_new();
	return !*state;
}

static int teardown(void **state)
{
	cache_free(*state);
	clock_fake(-1, -1);
	return 0;
}

static void an_empty_cache_has_nothing(void **state)
{
	assert_false(find(*state, "www.example.com", TYPE_A));
	assert_false(find(*state, ".", TYPE_A));
}

static void an_answer_is_found_again_as_it_came(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	struct answer before;

	start("wWw.Example.com.", TYPE_A);
	wire_line(&wire, WIRE_ANSWER, "www.example.com. 300 IN CNAME a.example.net.");
	wire_line(&wire, WIRE_ANSWER, "a.example.net. 60 IN A 192.0.2.1");
	wire_line(&wire, WIRE_ANSWER, "a.example.net. 60 IN A 192.0.2.2");
	wire_line(&wire, WIRE_ADDITIONAL, "a.example.net. 60 IN A 192.0.2.66");
	store(*state, &question);
	before = answer;
	assert_true(find(*state, "WWW.example.COM", TYPE_A));
	assert_int_equal(entry.source.length, before.end);
	assert_int_equal(entry.source.rcode, RCODE_NOERROR);
	assert_int_equal(entry.source.answer_count, 3);
	assert_int_equal(entry.source.authority_count, 0);
	assert_true(entry.source.authentic);
	assert_false(entry.filtered);
	assert_int_equal(entry.source.ttl_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(entry.source.ttls[i], before.records[i].ttl);
	assert_int_equal(entry.address_count, 2);
	assert_memory_equal(entry.addresses, before.addresses, 2 * sizeof(struct addr));
	assert_int_equal(entry.lease_s, 300);
	assert_int_equal(entry.source.age_s, 0);
	assert_memory_equal(entry.source.wire + MESSAGE_HEADER, question.name.wire, question.name.length);
	assert_memory_equal(entry.source.wire + MESSAGE_HEADER + question.name.length, wire.octets + MESSAGE_HEADER + question.name.length,
			    before.end - MESSAGE_HEADER - question.name.length);
}

static void another_question_is_not_answered_by_it(void **state)
{
	struct question question;

	store_number(*state, "www.example.com", 300, 1);
	assert_false(find(*state, "www.example.com", TYPE_AAAA));
	assert_false(find(*state, "ww.example.com", TYPE_A));
	assert_false(find(*state, "www.example.com.x", TYPE_A));
	assert_false(find(*state, ".", TYPE_A));
	for (int bits = 0; bits < 4; bits++) {
		question = question_of("www.example.com", TYPE_A);
		question.dnssec_ok = bits & 1;
		question.checking_disabled = bits & 2;
		assert_int_equal(cache_find(*state, &question, &entry), bits == 0);
	}
}

static void do_and_cd_have_answers_of_their_own(void **state)
{
	for (unsigned bits = 0; bits < 4; bits++) {
		struct question question = question_of("www.example.com", TYPE_A);

		question.dnssec_ok = bits & 1;
		question.checking_disabled = bits & 2;
		start("www.example.com", TYPE_A);
		wire_record(&wire, WIRE_ANSWER, "www.example.com", TYPE_A, 300, (const uint8_t[]){198, 51, 0, (uint8_t)bits}, 4);
		store(*state, &question);
	}
	for (unsigned bits = 0; bits < 4; bits++) {
		struct question question = question_of("www.example.com", TYPE_A);

		question.dnssec_ok = bits & 1;
		question.checking_disabled = bits & 2;
		assert_true(cache_find(*state, &question, &entry));
		assert_number(bits);
	}
}

static void it_ages_and_ends_with_its_least_ttl(void **state)
{
	static const struct {
		int64_t after_ms;
		bool found;
		uint32_t age_s, lease_s;
	} cases[] = {
		{0, true, 0, 300}, {999, true, 0, 300}, {1000, true, 1, 299}, {59999, true, 59, 241}, {60000, false, 0, 0}, {1000000000, false, 0, 0}, {-1, false, 0, 0}, {30000, true, 30, 270},
	};
	struct question question = question_of("www.example.com", TYPE_A);

	start("www.example.com", TYPE_A);
	wire_line(&wire, WIRE_ANSWER, "www.example.com. 300 IN A 192.0.2.1");
	wire_line(&wire, WIRE_ANSWER, "www.example.com. 60 IN A 192.0.2.2");
	store(*state, &question);
	for (size_t i = 0; i < COUNT(cases); i++) {
		clock_fake(START_MS + cases[i].after_ms, 0);
		assert_int_equal(find(*state, "www.example.com", TYPE_A), cases[i].found);
		if (cases[i].found) {
			assert_int_equal(entry.source.age_s, cases[i].age_s);
			assert_int_equal(entry.lease_s, cases[i].lease_s);
		}
	}
}

/* What the client sees of that: the reply made from an entry. */
static void the_ttl_in_the_reply_goes_down(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	uint8_t out[1024];

	store_number(*state, "www.example.com", 300, 1);
	clock_fake(START_MS + 120500, 0);
	assert_true(find(*state, "www.example.com", TYPE_A));
	reply_answer(&question, &entry.source, EDE_NONE, NULL, 512, out);
	assert_int_equal(message_get32(out + entry.source.ttls[0]), 180);
}

static void a_newer_answer_takes_the_place_of_the_older(void **state)
{
	store_number(*state, "www.example.com", 300, 1);
	store_number(*state, "www.example.com", 60, 2);
	assert_true(find(*state, "www.example.com", TYPE_A));
	assert_number(2);
	clock_fake(START_MS + 60000, 0);
	assert_false(find(*state, "www.example.com", TYPE_A));
}

static void negative_answers_are_kept_for_their_negative_ttl(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);

	start("www.example.com", TYPE_A);
	wire.octets[3] |= RCODE_NXDOMAIN;
	wire_line(&wire, WIRE_AUTHORITY, "example.com. 900 IN SOA ns.example.com. admin.example.com. 1 7200 3600 86400 60");
	store(*state, &question);
	assert_true(find(*state, "www.example.com", TYPE_A));
	assert_int_equal(entry.source.rcode, RCODE_NXDOMAIN);
	assert_int_equal(entry.source.authority_count, 1);
	assert_int_equal(entry.source.ttl_count, 1);
	assert_int_equal(entry.address_count, 0);
	clock_fake(START_MS + 60000, 0);
	assert_false(find(*state, "www.example.com", TYPE_A));
}

static void what_must_not_be_kept_is_not(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);

	store_number(*state, "www.example.com", 0, 1);
	assert_false(find(*state, "www.example.com", TYPE_A));
	store_number(*state, "other.example.com", 300, 1);
	store_number(*state, "other.example.com", 0, 2); /* nor does it drive out what is there */
	assert_true(find(*state, "other.example.com", TYPE_A));
	assert_number(1);
	start("www.example.com", TYPE_A); /* negative without an SOA */
	store(*state, &question);
	assert_false(find(*state, "www.example.com", TYPE_A));
	start("www.example.com", TYPE_A); /* not clean */
	wire_line(&wire, WIRE_ANSWER, "www.example.com. 300 IN A 192.0.2.1");
	wire_line(&wire, WIRE_ANSWER, "evil.example. 300 IN A 192.0.2.66");
	store(*state, &question);
	assert_false(find(*state, "www.example.com", TYPE_A));
}

static void an_answer_that_is_too_large_is_passed_over(void **state)
{
	static const uint8_t text[255] = {254};
	struct question question = question_of("www.example.com", 16);

	for (int records = 1; records <= 70; records++) {
		size_t length;

		start("www.example.com", 16);
		for (int i = 0; i < records; i++)
			wire_record(&wire, WIRE_ANSWER, "www.example.com", 16, 300, text, sizeof(text));
		length = wire.length;
		cache_clear(*state);
		store(*state, &question);
		assert_int_equal(find(*state, "www.example.com", 16), length + 200 < CACHE_ENTRY_MAX);
	}
}

static void that_inside_addresses_were_removed_is_remembered(void **state)
{
	struct question question = question_of("www.example.com", TYPE_A);
	const struct answer_filter filter = {0};

	start("www.example.com", TYPE_A);
	wire_line(&wire, WIRE_ANSWER, "www.example.com. 300 IN A 192.0.2.1");
	assert_int_equal(answer_parse(wire.octets, wire.length, ID, &question, &filter, &answer), 0);
	cache_store(*state, &question, wire.octets, &answer, true);
	assert_true(find(*state, "www.example.com", TYPE_A));
	assert_true(entry.filtered);
}

/* The addresses that an answer had are the ones that are seen to before it leaves again: each of them, and no other. */
static void addresses_of_both_families_come_back(void **state)
{
	struct question question = question_of("www.example.com", TYPE_HTTPS);
	const struct addr seventh = {ADDR_V4, {198, 51, 0, 7}};

	start("www.example.com", TYPE_HTTPS); /* the hints of two records, IPv6 first */
	wire_record(&wire, WIRE_ANSWER, "www.example.com", TYPE_HTTPS, 300, "\0\1\0\0\6\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 23);
	wire_record(&wire, WIRE_ANSWER, "www.example.com", TYPE_HTTPS, 300, "\0\2\0\0\4\0\x08\xc0\0\2\1\xc0\0\2\2\0\6\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 35);
	store(*state, &question);
	assert_true(cache_find(*state, &question, &entry));
	assert_int_equal(answer.address_count, 4);
	assert_int_equal(entry.address_count, answer.address_count);
	for (size_t i = 0; i < answer.address_count; i++) {
		size_t found = 0;

		for (size_t j = 0; j < entry.address_count; j++)
			found += addr_equal(&entry.addresses[j], &answer.addresses[i]);
		assert_int_equal(found, 1);
	}
	store_number(*state, "www.example.com", 300, 7); /* nothing of the ones before is left in it */
	assert_true(find(*state, "www.example.com", TYPE_A));
	assert_true(addr_equal(&entry.addresses[0], &seventh));
	assert_int_equal(entry.address_count, 1);
}

static void clearing_forgets_everything_and_only_that(void **state)
{
	char name[64];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 100; i++) {
			snprintf(name, sizeof(name), "n%u.example.com", i);
			assert_false(find(*state, name, TYPE_A));
			store_number(*state, name, 300, i + round);
		}
		for (unsigned i = 0; i < 100; i++) {
			snprintf(name, sizeof(name), "n%u.example.com", i);
			assert_true(find(*state, name, TYPE_A));
			assert_number(i + round);
		}
		cache_clear(*state);
	}
}

/* Entries of many sizes, several rings' worth: what is found is always right, the young are there, the old are not. */
static void the_ring_goes_round_and_the_oldest_make_room(void **state)
{
	const unsigned total = 60000;
	char name[128];

	for (unsigned i = 0; i < total; i++) {
		snprintf(name, sizeof(name), "n%u.%.*s.example.com", i, (int)(1 + i % 57), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
		store_number(*state, name, 300, i);
		assert_true(find(*state, name, TYPE_A));
		assert_number(i);
		if (i % 5000 == 4999) {
			unsigned young = 0;

			for (unsigned j = 0; j <= i; j++) {
				snprintf(name, sizeof(name), "n%u.%.*s.example.com", j, (int)(1 + j % 57), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
				if (!find(*state, name, TYPE_A))
					continue;
				assert_number(j);
				assert_true(j + CACHE_OCTETS / 80 > i); /* no entry is that small */
				young += j + 4000 > i;
			}
			assert_true(young >= 3900); /* all but those that met seven others in their bucket */
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_cache_has_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_is_found_again_as_it_came, setup, teardown),
		cmocka_unit_test_setup_teardown(another_question_is_not_answered_by_it, setup, teardown),
		cmocka_unit_test_setup_teardown(do_and_cd_have_answers_of_their_own, setup, teardown),
		cmocka_unit_test_setup_teardown(it_ages_and_ends_with_its_least_ttl, setup, teardown),
		cmocka_unit_test_setup_teardown(the_ttl_in_the_reply_goes_down, setup, teardown),
		cmocka_unit_test_setup_teardown(a_newer_answer_takes_the_place_of_the_older, setup, teardown),
		cmocka_unit_test_setup_teardown(negative_answers_are_kept_for_their_negative_ttl, setup, teardown),
		cmocka_unit_test_setup_teardown(what_must_not_be_kept_is_not, setup, teardown),
		cmocka_unit_test_setup_teardown(an_answer_that_is_too_large_is_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(that_inside_addresses_were_removed_is_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_of_both_families_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(clearing_forgets_everything_and_only_that, setup, teardown),
		cmocka_unit_test_setup_teardown(the_ring_goes_round_and_the_oldest_make_room, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
