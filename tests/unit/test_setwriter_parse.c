/* fw/setwriter_parse.c: which answers of the kernel count, without a kernel. What elements look like is tested in netns/test_setwriter.c.
 * */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <linux/netfilter/nf_tables.h>

#include "fw/setwriter_parse.h"

#define FIRST 0xfffffffeu /* the batch's numbers wrap: this one, 0xffffffff, 0 and 1 */
#define LAST  1u

struct reply {
	struct nlmsghdr header;
	struct nlmsgerr error;
};

static struct reply reply_of(uint32_t sequence, int status)
{
	return (struct reply){{sizeof(struct reply), NLMSG_ERROR, 0, sequence, 0}, {.error = status}};
}

static void a_batch_succeeds_only_with_the_answer_to_its_last_message_and_no_error(void **unused)
{
	static const struct {
		struct {
			uint32_t sequence;
			int status;
		} replies[3];
		size_t count;
		int status;
		bool acknowledged;
	} cases[] = {
		{{{LAST, 0}}, 1, 0, true},
		{{{0}}, 0, 0, false},
		{{{0, 0}}, 1, 0, false},                        /* another message of the batch */
		{{{FIRST - 1, 0}, {LAST + 1, 0}}, 2, 0, false}, /* other batches' answers */
		{{{FIRST - 1, -ENOENT}, {LAST, 0}}, 2, 0, true},
		{{{0xffffffffu, -ENOENT}, {LAST, 0}}, 2, -ENOENT, true},
		{{{LAST, 0}, {FIRST, -ENOMEM}}, 2, -ENOMEM, true}, /* the commit itself failed: its error bears the batch's first number */
		{{{0, -EEXIST}, {0, -ENOENT}, {LAST, -EINVAL}}, 3, -EEXIST, true},
		{{{LAST, 5}}, 1, -EBADMSG, true},
		{{{LAST, -100000}}, 1, -EBADMSG, true},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct setwriter_replies replies = {.first = FIRST, .last = LAST};

		for (size_t j = 0; j < cases[i].count; j++) {
			struct reply reply = reply_of(cases[i].replies[j].sequence, cases[i].replies[j].status);

			setwriter_parse_replies(&replies, (struct netlink_span){(const uint8_t *)&reply, sizeof(reply)});
		}
		assert_int_equal(replies.status, cases[i].status);
		assert_int_equal(replies.acknowledged, cases[i].acknowledged);
	}
}

static void an_answer_that_is_cut_short_is_an_error_and_never_a_success(void **unused)
{
	struct reply reply = reply_of(LAST, 0);

	(void)unused;
	for (uint32_t length = 0; length < sizeof(struct nlmsghdr) + sizeof(int); length++) {
		struct setwriter_replies replies = {.first = FIRST, .last = LAST};

		reply.header.nlmsg_len = length;
		setwriter_parse_replies(&replies, (struct netlink_span){(const uint8_t *)&reply, sizeof(reply)});
		assert_true(replies.status == -EBADMSG || !replies.acknowledged);
	}
}

static void only_changes_to_this_table_by_others_are_foreign(void **unused)
{
	static const struct {
		uint16_t type;
		uint32_t port_id;
		const char *table;
		bool foreign;
	} cases[] = {
		{NFT_MSG_NEWSETELEM, 7, "terok_shield", true},
		{NFT_MSG_DELSETELEM, 7, "terok_shield", true},
		{NFT_MSG_NEWTABLE, 7, "terok_shield", true},
		{NFT_MSG_DELTABLE, 7, "terok_shield", true},
		{NFT_MSG_NEWSET, 7, "terok_shield", true},
		{NFT_MSG_DELSET, 7, "terok_shield", true},
		{NFT_MSG_DELSETELEM, 6, "terok_shield", false}, /* our own */
		{NFT_MSG_DELSETELEM, 7, "terok_shiel", false},
		{NFT_MSG_DELSETELEM, 7, "terok_shield_probe_6", false},
		{NFT_MSG_NEWGEN, 7, "terok_shield", false},
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct {
			struct nlmsghdr header;
			struct nfgenmsg family;
			struct nlattr attribute;
			char table[32];
		} message = {
			.header = {.nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | cases[i].type, .nlmsg_pid = cases[i].port_id},
			.attribute = {.nla_len = (uint16_t)(sizeof(struct nlattr) + strlen(cases[i].table) + 1), .nla_type = 1},
		};

		strcpy(message.table, cases[i].table);
		message.header.nlmsg_len = sizeof(message);
		assert_int_equal(
			setwriter_parse_foreign((struct netlink_span){(const uint8_t *)&message, sizeof(message)}, 6, "terok_shield"),
			cases[i].foreign);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_batch_succeeds_only_with_the_answer_to_its_last_message_and_no_error),
		cmocka_unit_test(an_answer_that_is_cut_short_is_an_error_and_never_a_success),
		cmocka_unit_test(only_changes_to_this_table_by_others_are_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
