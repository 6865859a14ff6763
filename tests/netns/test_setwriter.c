/* fw/setwriter.c with the kernel. */
#include "own_netns.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fw/netlink_open.h"
#include "fw/nft.h"
#include "fw/ruleset.h"
#include "fw/setwriter.h"
#include "fw/setwriter_parse.h"
#include "policy/rule.h"

static struct setwriter *writer;
static struct error failure;

static int prepare(void **state)
{
	struct settings settings;
	struct netset nothing = {0};
	struct ruleset ruleset = {SHIELD_UP, &settings, &nothing, &nothing};
	cleanup_text struct text text = {0};

	(void)state;
	settings_init(&settings);
	ruleset_render(&ruleset, &text);
	if (nft_apply(text.data, &failure) || setwriter_open(&writer, &failure)) {
		fprintf(stderr, "%s\n", failure.text);
		return -1;
	}
	return 0;
}

static int tidy(void **state)
{
	(void)state;
	setwriter_close(writer);
	return 0;
}

static struct setwriter_key key_of(const char *address, uint8_t protocol, uint16_t port)
{
	struct setwriter_key key = {.protocol = protocol, .port = port};

	assert_int_equal(addr_parse(&key.addr, address, strlen(address)), 0);
	return key;
}

static void add(const struct setwriter_key *key, uint64_t timeout_ms, const char *comment)
{
	assert_int_equal(setwriter_add(writer, key, timeout_ms, comment, true), 0);
}

static uint64_t lifetime(const struct setwriter_key *key)
{
	uint64_t expires_ms = 0;
	bool found = false;

	assert_int_equal(setwriter_get(writer, key, &found, &expires_ms), 0);
	return found ? expires_ms : 0;
}

static void each_kind_of_key_is_in_its_set_after_commit(void **unused)
{
	static const struct {
		const char *address;
		uint8_t protocol;
		uint16_t port;
		const char *line;
	} cases[] = {
		{"198.51.100.10", 0, 0, "198.51.100.10 counter packets 0 bytes 0 timeout 1m expires "},
		{"2001:db8:1::10", 0, 0, "2001:db8:1::10 counter packets 0 bytes 0 timeout 1m expires "},
		{"198.51.100.10", RULE_TCP, 443, "198.51.100.10 . tcp . 443 counter packets 0 bytes 0 timeout 1m expires "},
		{"2001:db8:1::10", RULE_UDP, 65535, "2001:db8:1::10 . udp . 65535 counter packets 0 bytes 0 timeout 1m expires "},
	};
	cleanup_free char *text = NULL;

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct setwriter_key key = key_of(cases[i].address, cases[i].protocol, cases[i].port);

		assert_int_equal(lifetime(&key), 0);
		add(&key, 60000, "name.test");
		assert_int_equal(setwriter_commit(writer), 0);
		assert_in_range(lifetime(&key), 59000, 60000);
	}
	assert_int_equal(nft_list_text(&text, false, &failure), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (!strstr(text, cases[i].line))
			fail_msg("'%s' is not in:\n%s", cases[i].line, text);
	assert_non_null(strstr(text, "comment \"name.test\""));
}

static void adding_again_with_renew_renews_the_timeout(void **unused)
{
	struct setwriter_key key = key_of("198.51.100.10", 0, 0);

	(void)unused;
	add(&key, 60000, "a.test");
	assert_int_equal(setwriter_commit(writer), 0);
	add(&key, 600000, "a.test");
	assert_int_equal(setwriter_commit(writer), 0);
	assert_in_range(lifetime(&key), 599000, 600000);
	add(&key, 5000, "a.test");
	assert_int_equal(setwriter_commit(writer), 0);
	assert_in_range(lifetime(&key), 4000, 5000);
}

/* As most renewals are. */
static void adding_again_with_the_same_timeout_renews_it_too(void **unused)
{
	struct setwriter_key key = key_of("198.51.100.10", 0, 0);

	(void)unused;
	for (unsigned i = 0; i < 2; i++) {
		add(&key, 60000, "a.test");
		assert_int_equal(setwriter_commit(writer), 0);
		assert_in_range(lifetime(&key), 59800, 60000);
		usleep(400 * 1000);
	}
	add(&key, 30000, "a.test");
	add(&key, 60000, "a.test"); /* the last one counts, though it is what the element has */
	assert_int_equal(setwriter_commit(writer), 0);
	assert_in_range(lifetime(&key), 59800, 60000);
}

static void on_an_old_kernel_renewing_replaces_the_element_in_one_batch(void **unused)
{
	struct setwriter_key key = key_of("198.51.100.10", 0, 0);

	(void)unused;
	setwriter_fake_old_kernel(writer);
	assert_false(setwriter_renews(writer));
	adding_again_with_renew_renews_the_timeout(NULL);
	adding_again_with_the_same_timeout_renews_it_too(NULL);
	/* By what the kernel does and not by ours: an addition without renewal keeps its comment, a replacement brings its own. */
	add(&key, 60000, "second.test");
	assert_int_equal(setwriter_commit(writer), 0);
	assert_int_equal(system("nft list set inet terok_shield learned_v4 | grep -q second.test"), 0);
}

static void an_element_is_gone_after_its_timeout(void **unused)
{
	struct setwriter_key key = key_of("198.51.100.10", 0, 0);

	(void)unused;
	add(&key, 1000, "");
	assert_int_equal(setwriter_commit(writer), 0);
	assert_in_range(lifetime(&key), 1, 1000);
	usleep(1050 * 1000);
	assert_int_equal(lifetime(&key), 0);
}

static void sixty_four_long_names_fit_one_batch_and_a_full_batch_says_so(void **unused)
{
	char comment[SETWRITER_COMMENT_MAX + 20];
	struct setwriter_key key = key_of("2001:db8::", RULE_TCP, 443);
	int result = 0, added = 0;

	(void)unused;
	memset(comment, 'x', sizeof(comment) - 1);
	comment[sizeof(comment) - 1] = '\0';
	for (added = 0; !result; added++) {
		key.addr.octets[14] = (uint8_t)(added >> 8);
		key.addr.octets[15] = (uint8_t)added;
		result = setwriter_add(writer, &key, 60000, comment, true);
	}
	assert_int_equal(result, -ENOBUFS);
	assert_in_range(added, 65, 1000);
	assert_int_equal(setwriter_commit(writer), 0);
	key.addr.octets[14] = 0;
	key.addr.octets[15] = 63;
	assert_in_range(lifetime(&key), 59000, 60000);
}

static void on_an_old_kernel_they_fit_too(void **unused)
{
	setwriter_fake_old_kernel(writer);
	sixty_four_long_names_fit_one_batch_and_a_full_batch_says_so(unused);
}

static void a_batch_that_fails_changes_nothing_and_the_next_is_clean(void **unused)
{
	struct setwriter_key absent = key_of("198.51.100.99", 0, 0), present = key_of("198.51.100.10", 0, 0);

	(void)unused;
	add(&present, 60000, "");
	for (int i = 0; i < 30; i++)
		assert_int_equal(setwriter_delete(writer, &absent), 0);
	add(&present, 60000, "");
	assert_int_equal(setwriter_commit(writer), -ENOENT);
	assert_int_equal(lifetime(&present), 0);
	assert_int_equal(setwriter_commit(writer), 0); /* nothing collected any more */
	assert_int_equal(lifetime(&present), 0);
	add(&present, 60000, "");
	assert_int_equal(setwriter_commit(writer), 0);
	assert_int_equal(setwriter_delete(writer, &present), 0);
	assert_int_equal(setwriter_commit(writer), 0);
	assert_int_equal(lifetime(&present), 0);
}

static void no_commit_succeeds_without_the_table(void **unused)
{
	struct setwriter_key key = key_of("198.51.100.10", 0, 0);

	(void)unused;
	assert_int_equal(nft_apply("delete table inet terok_shield", &failure), 0);
	add(&key, 60000, "");
	assert_int_equal(setwriter_commit(writer), -ENOENT);
	assert_int_equal(lifetime(&key), 0);
}

static void keys_and_timeouts_that_mean_nothing_are_refused(void **unused)
{
	struct setwriter_key key = key_of("198.51.100.10", RULE_TCP, 0);

	(void)unused;
	assert_int_equal(setwriter_add(writer, &key, 60000, "", true), -EINVAL);
	key = key_of("198.51.100.10", 0, 443);
	assert_int_equal(setwriter_add(writer, &key, 60000, "", true), -EINVAL);
	key = key_of("198.51.100.10", 0, 0);
	assert_int_equal(setwriter_add(writer, &key, 999, "", true), -EINVAL);
	key.addr.family = 0;
	assert_int_equal(setwriter_delete(writer, &key), -EINVAL);
}

struct tally {
	int count, stop_after;
	struct setwriter_element last;
};

static int count_element(void *context, const struct setwriter_element *element)
{
	struct tally *tally = context;

	tally->last = *element;
	return ++tally->count == tally->stop_after ? 5 : 0;
}

static void a_listing_has_every_element_once_with_its_name(void **unused)
{
	struct setwriter_key key = key_of("10.0.0.0", 0, 0);
	struct tally tally = {0};

	(void)unused;
	for (int i = 0; i < 3000; i++) {
		key.addr.octets[2] = (uint8_t)(i >> 8);
		key.addr.octets[3] = (uint8_t)i;
		add(&key, 60000, "");
		assert_int_equal(setwriter_commit(writer), 0);
	}
	key = key_of("2001:db8::1", RULE_TCP, 8443);
	add(&key, 60000, "odd\x01name.test");
	assert_int_equal(setwriter_commit(writer), 0);
	assert_int_equal(setwriter_each(writer, count_element, &tally), 0);
	assert_int_equal(tally.count, 3001);
	assert_true(addr_equal(&tally.last.key.addr, &key.addr));
	assert_int_equal(tally.last.key.port, 8443);
	assert_int_equal(tally.last.key.protocol, RULE_TCP);
	assert_int_equal(tally.last.timeout_ms, 60000);
	assert_string_equal(tally.last.comment, "odd?name.test");
	tally = (struct tally){.stop_after = 10};
	assert_int_equal(setwriter_each(writer, count_element, &tally), 5);
	assert_int_equal(tally.count, 10);
	assert_in_range(lifetime(&key), 1, 60000); /* what the stopped listing left does not disturb */
}

static void the_watch_tells_others_changes_from_our_own(void **unused)
{
	struct setwriter_key key = key_of("198.51.100.10", 0, 0);
	cleanup_fd int watch = netlink_open_watch(-1, &failure);

	(void)unused;
	assert_true(watch >= 0);
	assert_int_equal(setwriter_watch_read(watch, writer), 0);
	add(&key, 60000, "");
	assert_int_equal(setwriter_commit(writer), 0);
	assert_int_equal(setwriter_watch_read(watch, writer), 0);
	assert_int_equal(
		nft_apply("add table inet another; add set inet another s { type ipv4_addr; }; add element inet another s { 1.2.3.4 }",
			&failure),
		0);
	assert_int_equal(setwriter_watch_read(watch, writer), 0);
	assert_int_equal(nft_apply("flush set inet terok_shield learned_v4", &failure), 0);
	assert_int_equal(setwriter_watch_read(watch, writer), 1);
	assert_int_equal(setwriter_watch_read(watch, writer), 0);
	assert_int_equal(nft_apply("delete table inet terok_shield", &failure), 0);
	assert_int_equal(setwriter_watch_read(watch, writer), 1);
}

static void the_watch_reports_loss_as_a_change(void **unused)
{
	struct setwriter_key key = key_of("10.0.0.0", 0, 0);
	cleanup_fd int watch = netlink_open_watch(-1, &failure);

	(void)unused;
	for (int i = 0; i < 5000; i++) {
		key.addr.octets[2] = (uint8_t)(i >> 8);
		key.addr.octets[3] = (uint8_t)i;
		add(&key, 60000, "a name that takes some room in the queue of notifications");
		assert_int_equal(setwriter_commit(writer), 0);
	}
	assert_int_equal(setwriter_watch_read(watch, writer), 1);
}

/* A listing of learned_v4 that is asked for and not read, under the numbers that the next user's own first requests will have. */
static void listing_leave(int fd, uint32_t sequence)
{
	struct {
		struct nlmsghdr header;
		struct nfgenmsg family;
		struct nlattr table;
		char table_name[16];
		struct nlattr set;
		char set_name[12];
	} request = {
		.header = {sizeof(request), NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NLM_F_REQUEST | NLM_F_DUMP, sequence, 0},
		.family = {.nfgen_family = NFPROTO_INET},
		.table = {NLA_HDRLEN + sizeof("terok_shield"), NFTA_SET_ELEM_LIST_TABLE},
		.table_name = "terok_shield",
		.set = {NLA_HDRLEN + sizeof("learned_v4"), NFTA_SET_ELEM_LIST_SET},
		.set_name = "learned_v4",
	};

	assert_int_equal(send(fd, &request, sizeof(request), 0), sizeof(request));
}

static void a_socket_is_taken_over_whatever_was_left_in_it(void **unused)
{
	struct setwriter_key key = key_of("10.0.0.0", 0, 0);
	cleanup_fd int fd = netlink_open_writer(&failure);
	struct setwriter *next;
	struct tally tally;
	bool found;

	(void)unused;
	assert_true(fd >= 0);
	for (int i = 0; i < 4000; i++) { /* more than fits the queue at once */
		key.addr.octets[2] = (uint8_t)(i >> 8);
		key.addr.octets[3] = (uint8_t)i;
		add(&key, 60000, "some.test");
		assert_int_equal(setwriter_commit(writer), 0);
	}
	for (uint32_t sequence = 1; sequence < 5; sequence++) {
		listing_leave(fd, sequence);
		assert_int_equal(setwriter_take(&next, dup(fd), &failure), 0);
		key = key_of("198.51.100.10", 0, 0);
		assert_int_equal(setwriter_add(next, &key, 60000, "next.test", true), 0);
		assert_int_equal(setwriter_commit(next), 0);
		assert_int_equal(setwriter_get(next, &key, &found, NULL), 0);
		assert_true(found);
		tally = (struct tally){0};
		assert_int_equal(setwriter_each(next, count_element, &tally), 0);
		assert_int_equal(tally.count, 4001);
		setwriter_close(next);
	}
	assert_int_equal(setwriter_take(&next, open("/dev/null", O_RDONLY), &failure), -ENOTSOCK);
}

static void the_probe_leaves_no_table_behind(void **unused)
{
	(void)unused;
	assert_int_not_equal(system("nft list tables | grep -q probe"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, tidy)
	const struct CMUnitTest tests[] = {
		TEST(each_kind_of_key_is_in_its_set_after_commit),
		TEST(adding_again_with_renew_renews_the_timeout),
		TEST(adding_again_with_the_same_timeout_renews_it_too),
		TEST(on_an_old_kernel_renewing_replaces_the_element_in_one_batch),
		TEST(an_element_is_gone_after_its_timeout),
		TEST(sixty_four_long_names_fit_one_batch_and_a_full_batch_says_so),
		TEST(on_an_old_kernel_they_fit_too),
		TEST(a_batch_that_fails_changes_nothing_and_the_next_is_clean),
		TEST(no_commit_succeeds_without_the_table),
		TEST(keys_and_timeouts_that_mean_nothing_are_refused),
		TEST(a_listing_has_every_element_once_with_its_name),
		TEST(the_watch_tells_others_changes_from_our_own),
		TEST(the_watch_reports_loss_as_a_change),
		TEST(a_socket_is_taken_over_whatever_was_left_in_it),
		TEST(the_probe_leaves_no_table_behind),
	};

	if (!own_netns_enter())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
