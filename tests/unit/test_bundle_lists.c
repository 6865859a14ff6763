/* state/bundle.h: the lists of rules */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "state/bundle.h"
#include "state/bundle_parse.h"

static char base[] = "/tmp/shield-test-lists.XXXXXX";
static struct bundle bundle = BUNDLE_INIT;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status, (void)type, (void)where;
	return remove(path);
}

static int setup(void **state)
{
	char path[64];
	(void)state;

	strcpy(base + sizeof(base) - 7, "XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(path, sizeof(path), "%s/web", base);
	return bundle_create(&bundle, path, NULL);
}

static int teardown(void **state)
{
	(void)state;
	bundle_close(&bundle);
	return nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void put(enum bundle_list list, const char *content)
{
	assert_int_equal(bundle_write(&bundle, bundle_list_file(list), content, strlen(content), NULL), 0);
}

static void assert_content(enum bundle_list list, const char *content)
{
	cleanup_free char *data = NULL;

	assert_int_equal(bundle_read(&bundle, bundle_list_file(list), BUNDLE_LIST_MAX, &data, NULL, NULL), 0);
	assert_string_equal(data, content);
}

static struct rule rule_of(const char *text)
{
	struct rule rule;

	assert_int_equal(rule_parse(&rule, text, strlen(text), NULL), 0);
	return rule;
}

static bool change(enum bundle_change what, const char *text)
{
	struct rule rule = rule_of(text);
	struct error error = {0};
	bool changed;

	if (bundle_list_change(&bundle, what, &rule, &changed, &error))
		fail_msg("%s: %s", text, error.text);
	return changed;
}

/* The policy of the profile lists that are there, whatever they are. */
static int policy_load(struct policy **policy, struct error *error)
{
	struct bundle_identity identity = {.container = "c", .version = "1"};
	struct settings settings;

	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
	assert_int_equal(bundle_settings_write(&bundle, &identity, &settings, NULL), 0);
	assert_int_equal(bundle_settings_read(&bundle, &identity, &settings, NULL), 0);
	return bundle_policy_load(&bundle, &identity.sums, policy, error);
}

static struct policy_match look_up(const char *text)
{
	cleanup_policy struct policy *policy = NULL;
	struct policy_match match;
	struct error error = {0};
	struct addr addr;
	struct name name;

	if (policy_load(&policy, &error))
		fail_msg("%s", error.text);
	if (addr_parse(&addr, text, strlen(text)) == 0) {
		policy_lookup_addr(policy, &addr, &match);
	} else {
		assert_int_equal(name_from_text(&name, text, strlen(text)), 0);
		policy_lookup(policy, name.wire, name.length, &match);
	}
	match.source = NULL; /* the policy's */
	return match;
}

static void a_missing_live_list_is_empty_and_a_missing_profile_list_an_error(void **state)
{
	cleanup_policy struct policy *policy = NULL;
	(void)state;

	assert_int_equal(policy_load(&policy, NULL), -ENOENT);
	assert_null(policy);
	put(BUNDLE_PROFILE_ALLOWED, "");
	assert_int_equal(policy_load(&policy, NULL), -ENOENT);
	put(BUNDLE_PROFILE_DOMAINS, "");
	assert_int_equal(policy_load(&policy, NULL), 0);
	assert_int_equal(policy_name_count(policy), 0);
}

static void a_rule_keeps_the_place_in_its_profile(void **state)
{
	static const struct {
		const char *line, *source;
		uint32_t number;
	} cases[] = {
		{"example.com # /a b/x.txt:17", "/a b/x.txt", 17},
		{"example.com # C:x:2", "C:x", 2},
		{"example.com # why # x.txt:3", "why # x.txt", 3},
		{"example.com", "profile.domains", 1},
		{"example.com # for the tests", "profile.domains", 1},
		{"example.com # x.txt:", "profile.domains", 1},
		{"example.com # x.txt:1x", "profile.domains", 1},
		{"example.com # x.txt:99999999999999999999", "profile.domains", 1},
		{"example.com # :5", "profile.domains", 1},
		{"example.com #", "profile.domains", 1},
	};
	struct name name;
	(void)state;

	assert_int_equal(name_from_text(&name, "example.com", 11), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_policy struct policy *policy = policy_new();
		struct policy_match match;

		assert_int_equal(bundle_list_parse(BUNDLE_PROFILE_DOMAINS, cases[i].line, strlen(cases[i].line), 1, policy, NULL), 0);
		assert_int_equal(policy_seal(policy), 0);
		policy_lookup(policy, name.wire, name.length, &match);
		assert_int_equal(match.verdict, POLICY_ALLOWED);
		assert_string_equal(match.source, cases[i].source);
		assert_int_equal(match.line, cases[i].number);
	}
}

static void each_list_goes_into_its_layer(void **state)
{
	(void)state;
	put(BUNDLE_PROFILE_ALLOWED, "192.0.2.0/24\n");
	put(BUNDLE_PROFILE_DOMAINS, "p.example\n!out.p.example\n");
	put(BUNDLE_LIVE_ALLOWED, "198.51.100.1\n");
	put(BUNDLE_LIVE_DOMAINS, "l.example:443\n");
	put(BUNDLE_DENY_LIST, "192.0.2.7\n");
	put(BUNDLE_DENIED_DOMAINS, "d.p.example\n");
	assert_int_equal(look_up("p.example").verdict, POLICY_ALLOWED);
	assert_int_equal(look_up("out.p.example").verdict, POLICY_EXCLUDED);
	assert_int_equal(look_up("l.example").verdict, POLICY_ALLOWED);
	assert_int_equal(look_up("l.example").layer, POLICY_LIVE);
	assert_int_equal(look_up("x.d.p.example").verdict, POLICY_DENIED);
	assert_int_equal(look_up("192.0.2.1").verdict, POLICY_ALLOWED);
	assert_int_equal(look_up("192.0.2.7").verdict, POLICY_DENIED);
	assert_int_equal(look_up("198.51.100.1").verdict, POLICY_ALLOWED);
	assert_int_equal(look_up("198.51.100.2").verdict, POLICY_UNLISTED);
}

static void a_line_that_is_wrong_or_in_the_wrong_list_is_an_error_with_its_place(void **state)
{
	static const struct {
		enum bundle_list list;
		const char *text, *says;
	} cases[] = {
		{BUNDLE_PROFILE_DOMAINS, "a.example\n\ncom\n", "profile.domains:3"},
		{BUNDLE_PROFILE_DOMAINS, "192.0.2.1\n", "for names only"},
		{BUNDLE_PROFILE_ALLOWED, "a.example\n", "for addresses and networks only"},
		{BUNDLE_PROFILE_ALLOWED, "!192.0.2.1\n", "profile.allowed:1"},
		{BUNDLE_LIVE_DOMAINS, "!a.example\n", "denied.domains"},
		{BUNDLE_DENIED_DOMAINS, "!a.example\n", "'!' has no place"},
		{BUNDLE_DENIED_DOMAINS, "a.example:443\n", "no port"},
		{BUNDLE_DENY_LIST, "192.0.2.1:443\n", "no port"},
		{BUNDLE_DENIED_DOMAINS, "a.example\nb\x1b[31m.example\n", "denied.domains:2: 'b\\x1b"},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cleanup_policy struct policy *policy = policy_new();
		struct error error = {0};

		if (bundle_list_parse(cases[i].list, cases[i].text, strlen(cases[i].text), 1, policy, &error) != -EINVAL ||
			!strstr(error.text, cases[i].says))
			fail_msg("%s -> %s", cases[i].text, error.text);
	}
}

static void allow_and_deny_move_a_rule_from_one_list_to_the_other(void **state)
{
	(void)state;
	put(BUNDLE_PROFILE_ALLOWED, "");
	put(BUNDLE_PROFILE_DOMAINS, "x.example\n");
	assert_true(change(BUNDLE_ALLOW, "a.example"));
	assert_content(BUNDLE_LIVE_DOMAINS, "a.example\n");
	assert_false(change(BUNDLE_ALLOW, "a.example"));
	assert_content(BUNDLE_LIVE_DOMAINS, "a.example\n");
	assert_true(change(BUNDLE_DENY, "a.example"));
	assert_content(BUNDLE_LIVE_DOMAINS, "");
	assert_content(BUNDLE_DENIED_DOMAINS, "a.example\n");
	assert_false(change(BUNDLE_DENY, "a.example"));
	assert_true(change(BUNDLE_DENY, "x.example"));
	assert_int_equal(look_up("x.example").verdict, POLICY_DENIED);
	assert_true(change(BUNDLE_ALLOW, "x.example"));
	assert_int_equal(look_up("x.example").verdict, POLICY_ALLOWED);
	assert_true(change(BUNDLE_FORGET, "a.example"));
	assert_false(change(BUNDLE_FORGET, "a.example"));
	assert_content(BUNDLE_DENIED_DOMAINS, "");
	assert_true(change(BUNDLE_DENY, "192.0.2.0/24"));
	assert_content(BUNDLE_DENY_LIST, "192.0.2.0/24\n");
	assert_true(change(BUNDLE_ALLOW, "192.0.2.0/24"));
	assert_content(BUNDLE_DENY_LIST, "");
	assert_content(BUNDLE_LIVE_ALLOWED, "192.0.2.0/24\n");
}

static void the_later_of_allow_and_deny_wins_whatever_the_port(void **state)
{
	(void)state;
	put(BUNDLE_PROFILE_ALLOWED, "");
	put(BUNDLE_PROFILE_DOMAINS, "");
	change(BUNDLE_DENY, "a.example");
	change(BUNDLE_ALLOW, "a.example:443");
	assert_int_equal(look_up("a.example").verdict, POLICY_ALLOWED);
	change(BUNDLE_ALLOW, "a.example:22/tcp");
	change(BUNDLE_DENY, "a.example");
	assert_int_equal(look_up("a.example").verdict, POLICY_DENIED);
	assert_content(BUNDLE_LIVE_DOMAINS, "");
}

static void a_change_keeps_comments_and_order_and_removes_duplicates(void **state)
{
	(void)state;
	put(BUNDLE_LIVE_DOMAINS, "# mine\nb.example\n\na.example # why\nB.example.\n  c.example\n");
	assert_true(change(BUNDLE_ALLOW, "d.example"));
	assert_content(BUNDLE_LIVE_DOMAINS, "# mine\nb.example\n\na.example # why\nB.example.\n  c.example\nd.example\n");
	assert_true(change(BUNDLE_ALLOW, "b.example"));
	assert_content(BUNDLE_LIVE_DOMAINS, "# mine\nb.example\n\na.example # why\n  c.example\nd.example\n");
	assert_true(change(BUNDLE_FORGET, "a.example"));
	assert_content(BUNDLE_LIVE_DOMAINS, "# mine\nb.example\n\n  c.example\nd.example\n");
}

static void a_change_that_cannot_hold_is_refused_and_changes_nothing(void **state)
{
	struct rule with_port = rule_of("a.example:443"), excluding = rule_of("!a.example"), rule = rule_of("b.example");
	bool changed;
	(void)state;

	assert_int_equal(bundle_list_change(&bundle, BUNDLE_DENY, &with_port, &changed, NULL), -EINVAL);
	assert_int_equal(bundle_list_change(&bundle, BUNDLE_ALLOW, &excluding, &changed, NULL), -EINVAL);
	put(BUNDLE_LIVE_DOMAINS, "a.example\ncom\n");
	assert_int_equal(bundle_list_change(&bundle, BUNDLE_ALLOW, &rule, &changed, NULL), -EINVAL);
	assert_false(changed);
	assert_content(BUNDLE_LIVE_DOMAINS, "a.example\ncom\n");
}

/* What is left of an address is another address. */
static void a_list_that_was_cut_short_is_refused_by_who_reads_it_and_who_changes_it(void **state)
{
	struct bundle_sums sums = {.allowed = bundle_sum("", 0), .domains = bundle_sum("", 0)};
	struct rule rule = rule_of("198.51.100.0/24");
	struct policy *policy = NULL;
	struct error error = {0};
	bool changed;

	(void)state;
	put(BUNDLE_PROFILE_ALLOWED, "");
	put(BUNDLE_PROFILE_DOMAINS, "");
	put(BUNDLE_LIVE_ALLOWED, "192.0.2.1\n203.0.113.4");
	assert_int_equal(bundle_policy_load(&bundle, &sums, &policy, &error), -EUCLEAN);
	assert_non_null(strstr(error.text, "live.allowed: its last line does not end"));
	assert_null(policy);
	assert_int_equal(bundle_list_change(&bundle, BUNDLE_ALLOW, &rule, &changed, NULL), -EUCLEAN);
	assert_content(BUNDLE_LIVE_ALLOWED, "192.0.2.1\n203.0.113.4");
	put(BUNDLE_LIVE_ALLOWED, "");
	put(BUNDLE_DENY_LIST, "203.0.113.4");
	assert_int_equal(bundle_policy_load(&bundle, &sums, &policy, NULL), -EUCLEAN);
	put(BUNDLE_DENY_LIST, "203.0.113.44\n");
	assert_int_equal(bundle_policy_load(&bundle, &sums, &policy, NULL), 0);
	policy_free(policy);
}

/* ---- lines with an end ---- */

#define NOW_S 1767323045 /* 2026-01-02T03:04:05+00:00 */

static int allow_until(const char *text, int64_t until_s)
{
	struct rule rule = rule_of(text);
	bool changed;

	rule.until = until_s;
	return bundle_list_change(&bundle, BUNDLE_ALLOW, &rule, &changed, NULL);
}

static void a_line_with_an_end_holds_until_then_and_says_so(void **state)
{
	cleanup_policy struct policy *policy = NULL;
	size_t count;

	(void)state;
	clock_fake(1000, NOW_S);
	put(BUNDLE_PROFILE_ALLOWED, "");
	put(BUNDLE_PROFILE_DOMAINS, "");
	assert_int_equal(allow_until("a.example", NOW_S + 600), 0);
	assert_int_equal(allow_until("192.0.2.0/24", NOW_S + 60), 0);
	assert_content(BUNDLE_LIVE_DOMAINS, "a.example # from 2026-01-02T03:04:05+00:00 until 2026-01-02T03:14:05+00:00\n");
	assert_int_equal(look_up("a.example").verdict, POLICY_ALLOWED);
	assert_int_equal(look_up("a.example").until, NOW_S + 600);
	assert_int_equal(look_up("192.0.2.9").until, NOW_S + 60);
	assert_int_equal(policy_load(&policy, NULL), 0);
	assert_int_equal(policy_next_end(policy, &count), NOW_S + 60);
	assert_int_equal(count, 2);
	assert_int_equal(policy_allowed_nets(policy)->entries[0].until, NOW_S + 60);
	clock_fake(61000, NOW_S + 60);
	assert_int_equal(look_up("192.0.2.9").verdict, POLICY_UNLISTED);
	assert_int_equal(look_up("a.example").verdict, POLICY_ALLOWED);
	clock_fake(601000, NOW_S + 600);
	assert_int_equal(look_up("a.example").verdict, POLICY_UNLISTED);
	policy_free(policy);
	policy = NULL;
	assert_int_equal(policy_load(&policy, NULL), 0);
	assert_int_equal(policy_next_end(policy, NULL), 0);
	assert_int_equal(policy_ended_nets(policy)->count, 1);
	change(BUNDLE_ALLOW, "b.example");
	assert_content(BUNDLE_LIVE_DOMAINS, "b.example\n");
	clock_fake(-1, -1);
}

/* A process that lives follows no clock back; one that starts takes a line for over when the clock stands before its beginning. */
static void a_clock_that_is_set_moves_an_end_forward_only(void **state)
{
	(void)state;
	clock_fake(1000, NOW_S);
	put(BUNDLE_PROFILE_ALLOWED, "");
	put(BUNDLE_PROFILE_DOMAINS, "");
	assert_int_equal(allow_until("a.example", NOW_S + 600), 0);
	clock_fake(601000, NOW_S + 10);
	assert_int_equal(look_up("a.example").verdict, POLICY_UNLISTED);
	clock_fake(-1, -1);
	clock_fake(601000, NOW_S + 10); /* another process */
	assert_int_equal(look_up("a.example").verdict, POLICY_ALLOWED);
	clock_fake(-1, -1);
	clock_fake(601000, NOW_S - 61);
	assert_int_equal(look_up("a.example").verdict, POLICY_UNLISTED);
	clock_fake(-1, -1);
	clock_fake(2000, NOW_S + 86400);
	assert_int_equal(look_up("a.example").verdict, POLICY_UNLISTED);
	clock_fake(-1, -1);
}

static void an_allow_never_shortens_another(void **state)
{
	(void)state;
	clock_fake(1000, NOW_S);
	put(BUNDLE_PROFILE_ALLOWED, "");
	put(BUNDLE_PROFILE_DOMAINS, "");
	assert_int_equal(allow_until("a.example", NOW_S + 600), 0);
	assert_int_equal(allow_until("a.example", NOW_S + 60), 0);
	assert_int_equal(look_up("a.example").until, NOW_S + 600);
	assert_int_equal(allow_until("a.example", NOW_S + 900), 0);
	assert_int_equal(look_up("a.example").until, NOW_S + 900);
	change(BUNDLE_ALLOW, "a.example");
	assert_content(BUNDLE_LIVE_DOMAINS, "a.example\n");
	assert_int_equal(allow_until("a.example", NOW_S + 900), 0);
	assert_content(BUNDLE_LIVE_DOMAINS, "a.example\n");
	assert_int_equal(allow_until("b.example:443", NOW_S + 900), 0);
	change(BUNDLE_DENY, "b.example");
	assert_content(BUNDLE_LIVE_DOMAINS, "a.example\n");
	clock_fake(-1, -1);
}

static void an_allow_with_an_end_takes_no_deny_away(void **state)
{
	(void)state;
	put(BUNDLE_PROFILE_ALLOWED, "192.0.2.0/24\n");
	put(BUNDLE_PROFILE_DOMAINS, "a.example\n");
	change(BUNDLE_DENY, "a.example");
	change(BUNDLE_DENY, "192.0.2.1");
	assert_int_equal(allow_until("a.example", NOW_S + 600), -EPERM);
	assert_int_equal(allow_until("a.example:443", NOW_S + 600), -EPERM);
	assert_int_equal(allow_until("192.0.2.1", NOW_S + 600), -EPERM);
	assert_content(BUNDLE_DENIED_DOMAINS, "a.example\n");
	assert_content(BUNDLE_DENY_LIST, "192.0.2.1\n");
}

static void an_end_that_cannot_be_read_is_an_error(void **state)
{
	static const char *const bad[] = {
		"a.example # until tomorrow\n", "a.example # until 2026-01-02\n", "a.example # until 2026-02-30T03:04:05+00:00\n",
		"a.example # until 2026-01-02T03:04:05+00:00 or so\n", "a.example # from 2026-01-02T03:04:05+00:00\n",
		"a.example # from 2026-01-02T03:04:05+00:00 until 2026-01-02T03:04:05+00:00\n",
		"a.example # from 2026-01-02T03:04:05+00:00 until 2026-03-02T03:04:05+00:00\n", /* longer than any may be */
	};
	static const char *const good[] = {
		"a.example # from the documentation\n",
		"a.example # not until tomorrow\n",
		"a.example # until 2026-01-02T03:04:05+00:00\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cleanup_policy struct policy *policy = policy_new();

		if (bundle_list_parse(BUNDLE_LIVE_DOMAINS, bad[i], strlen(bad[i]), NOW_S, policy, NULL) != -EINVAL)
			fail_msg("%s", bad[i]);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		cleanup_policy struct policy *policy = policy_new();

		if (bundle_list_parse(BUNDLE_LIVE_DOMAINS, good[i], strlen(good[i]), NOW_S, policy, NULL))
			fail_msg("%s", good[i]);
	}
}

static void lines_with_an_end_are_bounded(void **state)
{
	cleanup_text struct text list = {0}, edited = {0};
	struct rule rule = rule_of("a.example");
	bool changed;

	(void)state;
	for (unsigned i = 0; i < BUNDLE_ENDS_MAX; i++)
		text_addf(&list, "n%u.example # until 2026-01-02T03:04:06+00:00\n", i);
	rule.until = NOW_S + 600;
	assert_int_equal(
		bundle_list_edit(BUNDLE_LIVE_DOMAINS, list.data, list.length, BUNDLE_EDIT_ADD, &rule, NOW_S, &edited, &changed, NULL),
		-ENOSPC);
	text_free(&edited);
	assert_int_equal(
		bundle_list_edit(BUNDLE_LIVE_DOMAINS, list.data, list.length, BUNDLE_EDIT_ADD, &rule, NOW_S + 1, &edited, &changed, NULL),
		0);
	assert_string_equal(edited.data, "a.example # from 2026-01-02T03:04:06+00:00 until 2026-01-02T03:14:05+00:00\n");
}

#define in_folder(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_folder(a_missing_live_list_is_empty_and_a_missing_profile_list_an_error),
		cmocka_unit_test(a_rule_keeps_the_place_in_its_profile),
		in_folder(each_list_goes_into_its_layer),
		cmocka_unit_test(a_line_that_is_wrong_or_in_the_wrong_list_is_an_error_with_its_place),
		in_folder(allow_and_deny_move_a_rule_from_one_list_to_the_other),
		in_folder(the_later_of_allow_and_deny_wins_whatever_the_port),
		in_folder(a_change_keeps_comments_and_order_and_removes_duplicates),
		in_folder(a_change_that_cannot_hold_is_refused_and_changes_nothing),
		in_folder(a_list_that_was_cut_short_is_refused_by_who_reads_it_and_who_changes_it),
		in_folder(a_line_with_an_end_holds_until_then_and_says_so),
		in_folder(a_clock_that_is_set_moves_an_end_forward_only),
		in_folder(an_allow_never_shortens_another),
		in_folder(an_allow_with_an_end_takes_no_deny_away),
		cmocka_unit_test(an_end_that_cannot_be_read_is_an_error),
		cmocka_unit_test(lines_with_an_end_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
