/* Leases against the kernel's real sets, with our clock moved by hand. */
#include "own_netns.h"

#include "base/clock.h"
#include "fw/nft.h"
#include "fw/setwriter_parse.h"
#include "policy/rule.h"
#include "proxy/lease.h"

static struct setwriter *writer;
static struct leases *leases;
static int64_t now_ms;
static unsigned failures[8], removals, dues;
static char last_removed[NAME_TEXT_MAX], last_due[NAME_TEXT_MAX];

static const char table[] = "table inet terok_shield {\n"
			    "set learned_v4 { type ipv4_addr; flags timeout; counter; size 131072; }\n"
			    "set learned_v6 { type ipv6_addr; flags timeout; counter; size 131072; }\n"
			    "set learned_port_v4 { type ipv4_addr . inet_proto . inet_service; flags timeout; counter; size 131072; }\n"
			    "set learned_port_v6 { type ipv6_addr . inet_proto . inet_service; flags timeout; counter; size 131072; }\n"
			    "}\n";

static void note_failed(void *context, unsigned owner, int error)
{
	(void)context;
	(void)error;
	failures[owner]++;
}

static void note_removed(void *context, const struct setwriter_key *key, const struct name *name)
{
	(void)context;
	(void)key;
	name_to_text(name, last_removed);
	removals++;
}

static void note_due(void *context, const struct name *name, enum addr_family family)
{
	(void)context;
	(void)family;
	name_to_text(name, last_due);
	dues++;
}

static bool keep_good(void *context, const struct name *name, const struct setwriter_key *key)
{
	char text[NAME_TEXT_MAX];

	(void)context;
	(void)key;
	name_to_text(name, text);
	return !strncmp(text, "good", 4);
}

static struct name name_of(const char *text)
{
	struct name name;

	assert_int_equal(name_from_text(&name, text, strlen(text)), 0);
	return name;
}

static struct setwriter_key key_of(unsigned last)
{
	return (struct setwriter_key){.addr = addr_v4((uint8_t[]){198, 51, (uint8_t)(last >> 8), (uint8_t)last})};
}

static int ensure(unsigned last, const char *text, uint32_t ttl_s, unsigned owner, bool *staged)
{
	struct setwriter_key key = key_of(last);
	struct name name = name_of(text);

	return lease_ensure(leases, &key, &name, ttl_s, owner, staged);
}

static bool kernel_has(unsigned last, uint64_t *expires_ms)
{
	struct setwriter_key key = key_of(last);
	bool found;

	assert_int_equal(setwriter_get(writer, &key, &found, expires_ms), 0);
	return found;
}

static int setup(void **state)
{
	struct error error = {0};

	(void)state;
	if (nft_apply("add table inet terok_shield; delete table inet terok_shield", &error) || nft_apply(table, &error)) {
		print_error("%s\n", error.text);
		return -1;
	}
	if (setwriter_open(&writer, &error))
		return -1;
	leases = leases_new(writer, note_failed, NULL);
	memset(failures, 0, sizeof(failures));
	removals = dues = 0;
	now_ms = 1000000;
	clock_fake(now_ms, 0);
	clock_fake_suspended(0);
	return leases ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	leases_free(leases);
	setwriter_close(writer);
	return 0;
}

static void an_element_outlives_the_ttl_by_the_grace(void **state)
{
	uint64_t expires_ms;
	bool staged = false;

	(void)state;
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_true(staged);
	assert_int_equal(leases_commit(leases), 0);
	assert_true(kernel_has(1, &expires_ms));
	assert_true(expires_ms > (60 + LEASE_GRACE_S) * 1000);
	assert_true(expires_ms <= (60 + LEASE_GRACE_S + LEASE_SLACK_S) * 1000);
}

static void what_is_held_long_enough_is_not_written_again(void **state)
{
	bool staged = false;

	(void)state;
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	staged = false;
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_false(staged);
	clock_fake(now_ms + (LEASE_SLACK_S + 1) * 1000, 0);
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_true(staged);
	assert_int_equal(leases_commit(leases), 0);
}

static void a_longer_ttl_renews_the_timeout(void **state)
{
	uint64_t expires_ms;
	bool staged = false;

	(void)state;
	assert_int_equal(ensure(1, "good.test", 1, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	assert_int_equal(ensure(1, "good.test", 3600, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	assert_true(kernel_has(1, &expires_ms));
	assert_true(expires_ms > 3600 * 1000);
}

static void after_a_doubt_everything_is_written_again(void **state)
{
	bool staged = false;

	(void)state;
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	assert_int_equal(nft_apply("flush set inet terok_shield learned_v4", NULL), 0);
	leases_doubt(leases);
	staged = false;
	assert_int_equal(ensure(1, "good.test", 1, 0, &staged), 0);
	assert_true(staged);
	assert_int_equal(leases_commit(leases), 0);
	assert_true(kernel_has(1, NULL));
}

static void a_commit_that_fails_is_believed_by_nobody(void **state)
{
	bool staged = false;

	(void)state;
	assert_int_equal(ensure(1, "good.test", 60, 3, &staged), 0);
	assert_int_equal(nft_apply("delete table inet terok_shield", NULL), 0);
	assert_int_equal(leases_commit(leases), -ENOENT);
	assert_int_equal(failures[3], 1);
	assert_int_equal(nft_apply(table, NULL), 0);
	staged = false;
	assert_int_equal(ensure(1, "good.test", 60, 3, &staged), 0);
	assert_true(staged);
	assert_int_equal(leases_commit(leases), 0);
	assert_true(kernel_has(1, NULL));
}

static void one_owner_that_fails_does_not_take_the_others_along(void **state)
{
	struct setwriter_key key = {.addr = addr_v6((uint8_t[16]){0x20, 1}), .protocol = RULE_TCP, .port = 443};
	struct name name = name_of("good.test");
	bool staged = false;

	(void)state;
	assert_int_equal(nft_apply("delete set inet terok_shield learned_port_v6", NULL), 0);
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_int_equal(lease_ensure(leases, &key, &name, 60, 1, &staged), 0);
	assert_int_equal(ensure(2, "good.test", 60, 2, &staged), 0);
	assert_int_not_equal(leases_commit(leases), 0);
	assert_int_equal(failures[0], 0);
	assert_int_equal(failures[1], 1);
	assert_int_equal(failures[2], 0);
	assert_true(kernel_has(1, NULL));
	assert_true(kernel_has(2, NULL));
}

static void more_than_a_batch_holds_is_committed_on_the_way(void **state)
{
	bool staged = false;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(ensure(i, "good.a-name-that-is-rather-long-so-that-batches-fill-soon.example.org", 60, i & 7, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	assert_int_equal(leases_count(leases), 5000);
	for (unsigned i = 0; i < 5000; i += 37)
		assert_true(kernel_has(i, NULL));
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(failures[i], 0);
}

static void an_address_goes_with_the_last_name_that_may_keep_it(void **state)
{
	bool staged = false;

	(void)state;
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_int_equal(ensure(1, "bad.test", 60, 0, &staged), 0);
	assert_int_equal(ensure(2, "bad.test", 60, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	assert_int_equal(leases_review(leases, keep_good, note_removed, NULL), 0);
	assert_int_equal(removals, 1);
	assert_string_equal(last_removed, "bad.test");
	assert_true(kernel_has(1, NULL));
	assert_false(kernel_has(2, NULL));
	assert_int_equal(leases_count(leases), 1);
}

static void what_the_kernel_holds_is_taken_over_with_names_and_lifetimes(void **state)
{
	bool staged = false;

	(void)state;
	assert_int_equal(ensure(1, "good.test", 600, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	leases_free(leases);
	leases = leases_new(writer, note_failed, NULL);
	assert_int_equal(leases_adopt(leases), 0);
	assert_int_equal(leases_count(leases), 1);
	staged = false;
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_false(staged);
	assert_int_equal(leases_review(leases, keep_good, note_removed, NULL), 0);
	assert_int_equal(removals, 0);
}

static void adopt_anew(void)
{
	leases_free(leases);
	leases = leases_new(writer, note_failed, NULL);
	assert_int_equal(leases_adopt(leases), 0);
}

static void what_has_no_name_is_taken_over_and_goes_with_the_next_review(void **state)
{
	struct setwriter_key key = key_of(7);
	bool staged = false;

	(void)state;
	assert_int_equal(setwriter_add(writer, &key, 600000, "", true), 0);
	assert_int_equal(setwriter_commit(writer), 0);
	assert_int_equal(ensure(1, "good.test", 600, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	adopt_anew();
	assert_int_equal(leases_count(leases), 2);
	assert_int_equal(leases_review(leases, keep_good, note_removed, NULL), 0);
	assert_int_equal(removals, 1);
	assert_false(kernel_has(7, NULL));
	assert_true(kernel_has(1, NULL));
}

static int count_one(void *context, const struct setwriter_element *element)
{
	(void)element;
	(*(size_t *)context)++;
	return 0;
}

/* More than one worker would have learned, by an earlier one whose elements had not ended yet. */
static void what_is_more_than_can_be_known_is_deleted(void **state)
{
	size_t count = 0;

	(void)state;
	for (unsigned i = 0; i < LEASES_MAX + 34000; i++) { /* in a second or so: a worker has ten to start */
		struct setwriter_key key = {.addr = addr_v4((uint8_t[]){20, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i})};

		if (setwriter_add(writer, &key, 600000, "good.test", false) == -ENOBUFS) {
			assert_int_equal(setwriter_commit(writer), 0);
			i--;
		}
	}
	assert_int_equal(setwriter_commit(writer), 0);
	adopt_anew();
	assert_int_equal(leases_count(leases), LEASES_MAX);
	assert_int_equal(setwriter_each(writer, count_one, &count), 0);
	assert_int_equal(count, LEASES_MAX);
}

static void leases_that_ended_are_forgotten(void **state)
{
	bool staged = false;

	(void)state;
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(ensure(i, "good.test", 60, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	clock_fake(now_ms + (60 + LEASE_GRACE_S + LEASE_SLACK_S + 2) * 1000, 0);
	for (unsigned i = 0; i < 16; i++)
		leases_sweep(leases);
	assert_int_equal(leases_count(leases), 0);
}

static void only_a_lease_through_which_packets_went_is_due(void **state)
{
	bool staged = false;

	(void)state;
	assert_int_equal(nft_apply("add chain inet terok_shield out { type filter hook output priority 0; }; add rule inet terok_shield out ip daddr @learned_v4 drop", NULL), 0);
	assert_int_equal(ensure(1, "good.used.test", 60, 0, &staged), 0);
	assert_int_equal(ensure(2, "good.idle.test", 60, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	assert_int_not_equal(system("ping -c 1 -W 1 198.51.0.1 >/dev/null 2>&1"), 0);
	assert_int_equal(leases_renewable(leases, 10, note_due, NULL), 0);
	assert_int_equal(dues, 0);
	assert_int_equal(leases_renewable(leases, 600, note_due, NULL), 0);
	assert_int_equal(dues, 1);
	assert_string_equal(last_due, "good.used.test");
	/* it is due once for what went through, not at every look */
	assert_int_equal(leases_renewable(leases, 600, note_due, NULL), 0);
	assert_int_equal(dues, 1);
}

static void a_connection_that_became_slow_is_due_after_a_renewal_on_older_kernels(void **state)
{
	bool staged = false;

	(void)state;
	setwriter_fake_old_kernel(writer);
	assert_int_equal(nft_apply("add chain inet terok_shield out { type filter hook output priority 0; }; add rule inet terok_shield out ip daddr @learned_v4 drop", NULL), 0);
	assert_int_equal(ensure(1, "good.used.test", 60, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	assert_int_not_equal(system("ping -c 3 -i 0.2 -W 1 198.51.0.1 >/dev/null 2>&1"), 0);
	assert_int_equal(leases_renewable(leases, 600, note_due, NULL), 0);
	assert_int_equal(dues, 1);
	clock_fake(now_ms += 60000, 0);
	assert_int_equal(ensure(1, "good.used.test", 60, 0, &staged), 0); /* a new element, whose counter starts anew */
	assert_int_equal(leases_commit(leases), 0);
	assert_int_not_equal(system("ping -c 1 -W 1 198.51.0.1 >/dev/null 2>&1"), 0);
	assert_int_equal(leases_renewable(leases, 600, note_due, NULL), 0);
	assert_int_equal(dues, 2);
}

/* A browser asks for several names of one server at once. */
static void of_two_names_in_a_batch_an_address_gets_the_longer_lifetime(void **state)
{
	bool staged = false;
	uint64_t expires_ms;

	(void)state;
	assert_int_equal(ensure(1, "good.long.test", 3600, 0, &staged), 0);
	assert_int_equal(ensure(1, "good.short.test", 20, 1, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	assert_true(kernel_has(1, &expires_ms));
	assert_true(expires_ms > 3600 * 1000);
}

/* The kernel's timeouts stand still, and on older kernels an element that is thought to be gone would keep the one it has. */
static void what_the_kernel_holds_after_a_suspension_is_not_forgotten(void **state)
{
	bool staged = false;

	(void)state;
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	clock_fake(now_ms += 3600 * 1000, 0);
	clock_fake_suspended(3600 * 1000);
	for (unsigned i = 0; i < 16; i++)
		leases_sweep(leases);
	assert_int_equal(leases_count(leases), 1);
	staged = false;
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_false(staged);
}

static void an_address_tells_the_names_that_brought_it_under_any_port(void **state)
{
	struct setwriter_key key = key_of(1);
	struct name name = name_of("port.test"), names[4];
	bool staged = false;
	uint32_t ttl_s;

	(void)state;
	assert_int_equal(ensure(1, "good.test", 60, 0, &staged), 0);
	assert_int_equal(leases_names(leases, &key.addr, names, 4, &ttl_s), 0); /* the kernel was not told yet */
	for (unsigned i = 1; i <= 3; i++) {
		key.protocol = RULE_TCP;
		key.port = (uint16_t)(440 + i);
		assert_int_equal(lease_ensure(leases, &key, &name, 600, 0, &staged), 0);
	}
	for (unsigned i = 2; i < 200; i++) /* neighbours, so that the table grows and slots are shared */
		assert_int_equal(ensure(i, "other.test", 600, 0, &staged), 0);
	assert_int_equal(leases_commit(leases), 0);
	assert_int_equal(leases_names(leases, &key.addr, names, 4, &ttl_s), 2);
	assert_int_equal(ttl_s, 60);
	assert_false(name_equal(&names[0], &names[1]));
	assert_int_equal(leases_names(leases, &key.addr, names, 1, &ttl_s), 1);
	clock_fake(now_ms += (60 + LEASE_GRACE_S + LEASE_SLACK_S + 1) * 1000, 0);
	assert_int_equal(leases_names(leases, &key.addr, names, 4, &ttl_s), 1);
	assert_true(name_equal(&names[0], &name));
	key.addr.octets[3] = 200;
	assert_int_equal(leases_names(leases, &key.addr, names, 4, &ttl_s), 0);
}

static void the_number_of_leases_is_bounded(void **state)
{
	struct name name = name_of("good.test");
	bool staged = false;
	int result = 0;

	(void)state;
	for (unsigned i = 0; i <= LEASES_MAX && !result; i++) {
		struct setwriter_key key = {.addr = addr_v4((uint8_t[]){20, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i})};

		result = lease_ensure(leases, &key, &name, 60, 0, &staged);
	}
	assert_int_equal(result, -ENOSPC);
	assert_int_equal(leases_count(leases), LEASES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_element_outlives_the_ttl_by_the_grace, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_held_long_enough_is_not_written_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_longer_ttl_renews_the_timeout, setup, teardown),
		cmocka_unit_test_setup_teardown(after_a_doubt_everything_is_written_again, setup, teardown),
		cmocka_unit_test_setup_teardown(a_commit_that_fails_is_believed_by_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(one_owner_that_fails_does_not_take_the_others_along, setup, teardown),
		cmocka_unit_test_setup_teardown(more_than_a_batch_holds_is_committed_on_the_way, setup, teardown),
		cmocka_unit_test_setup_teardown(an_address_goes_with_the_last_name_that_may_keep_it, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_kernel_holds_is_taken_over_with_names_and_lifetimes, setup, teardown),
		cmocka_unit_test_setup_teardown(what_has_no_name_is_taken_over_and_goes_with_the_next_review, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_more_than_can_be_known_is_deleted, setup, teardown),
		cmocka_unit_test_setup_teardown(leases_that_ended_are_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(only_a_lease_through_which_packets_went_is_due, setup, teardown),
		cmocka_unit_test_setup_teardown(a_connection_that_became_slow_is_due_after_a_renewal_on_older_kernels, setup, teardown),
		cmocka_unit_test_setup_teardown(of_two_names_in_a_batch_an_address_gets_the_longer_lifetime, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_kernel_holds_after_a_suspension_is_not_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(an_address_tells_the_names_that_brought_it_under_any_port, setup, teardown),
		cmocka_unit_test_setup_teardown(the_number_of_leases_is_bounded, setup, teardown),
	};

	if (!own_netns_enter())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
