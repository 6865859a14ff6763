/* state/bundle.h, several files replaced together: what a crash, at whatever moment, leaves of the bundle */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/command.h"
#include "state/bundle.h"
#include "support/crash.h"

#define WORDS_MAX 10

static char folder[64], bundle_path[128];

/* ---- the commands, in a folder of the test's own ---- */

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	assert_int_equal(system(command), 0);
}

static int folder_make(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_bundle_stage.XXXXXX");
	if (!mkdtemp(folder))
		return 1;
	snprintf(bundle_path, sizeof(bundle_path), "%s/state/containers/web", folder);
	shell("mkdir -m 700 '%s/config' '%s/profiles'", folder, folder);
	shell("printf 'old.test\\n192.0.2.0/24\\n' >'%s/profiles/old.txt'; printf 'new.test\\n203.0.113.0/24\\n' >'%s/profiles/new.txt'",
		folder, folder);
	setenv("TEROK_SHIELD_CONFIG_DIR", strcat(strcpy((char[96]){0}, folder), "/config"), 1);
	return 0;
}

static int folder_remove(void **state)
{
	(void)state;
	shell("rm -rf '%s'", folder);
	return 0;
}

/* The words of a command, the state folder in front. */
static int command_run(void *context)
{
	char *const *words = context;
	char *arguments[WORDS_MAX + 4] = {
		(char[]){"terok-shield"}, (char[]){"--state-dir"}, strcat(strcpy((char[96]){0}, folder), "/state")};
	int count = 3;

	for (; *words; words++)
		arguments[count++] = *words;
	return command_main(count, arguments);
}

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})
#define PREPARE(profile)                                                                                                                   \
	WORDS("prepare", "web", "--hooks", "--profiles", profile, "--profiles-dir", strcat(strcpy((char[96]){0}, folder), "/profiles"))

static void run_well(char **words)
{
	if (crash_run(command_run, words, CRASH_NEVER, NULL) != 0)
		fail_msg("%s failed", words[0]);
}

/* The bundle of one run, with verdicts and a bypass, kept aside for state_restore(). */
static void old_state_make(void)
{
	shell("rm -rf '%s/state' '%s/kept'; printf 'reject: icmp\\n' >'%s/config/config.yml'", folder, folder, folder);
	run_well(PREPARE("old"));
	run_well(WORDS("allow", "web", "live.test", "198.51.100.0/24"));
	run_well(WORDS("deny", "web", "denied.test", "198.51.100.9"));
	shell("echo down >'%s/state'; cp -a '%s/state' '%s/kept'", bundle_path, folder, folder);
}

static void old_state_restore(void)
{
	shell("rm -rf '%s/state'; cp -a '%s/kept' '%s/state'", folder, folder, folder);
}

/* ---- what hook and forwarder make of it ---- */

enum found {
	REFUSED,
	OLD,
	NEW,
};

struct view {
	enum found found;
	struct policy *policy; /* owned; NULL when refused */
	enum shield_state wanted;
	char refusal[1024];
};

static void view_free(struct view *view)
{
	policy_free(view->policy);
}

static bool allows(const struct policy *policy, const char *text)
{
	struct policy_match match;
	struct addr addr;
	struct name name;

	if (addr_parse(&addr, text, strlen(text)) == 0) {
		policy_lookup_addr(policy, &addr, &match);
	} else {
		assert_int_equal(name_from_text(&name, text, strlen(text)), 0);
		policy_lookup(policy, name.wire, name.length, &match);
	}
	return match.verdict == POLICY_ALLOWED;
}

/* As hook and forwarder load it. Fails the test for a mixture. */
static void view_take(struct view *view)
{
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	struct bundle_identity identity = {0};
	struct settings settings;
	struct error error = {0};
	unsigned old = 0, new = 0;
	int result;

	*view = (struct view){.found = REFUSED};
	result = bundle_open(&bundle, bundle_path, &error);
	if (!result)
		result = bundle_settings_read(&bundle, &identity, &settings, &error);
	if (!result)
		result = bundle_policy_load(&bundle, &identity.sums, &view->policy, &error);
	if (!result)
		result = bundle_state_read(&bundle, &view->wanted, &error);
	if (result) {
		snprintf(view->refusal, sizeof(view->refusal), "%s", result == -ENOENT && !error.code ? "no folder" : error.text);
	} else {
		old = (settings.reject == SETTINGS_REJECT_ICMP) + (strcmp(identity.profiles[0], "old") == 0) +
		      allows(view->policy, "old.test") + allows(view->policy, "192.0.2.1");
		new = (settings.reject == SETTINGS_REJECT_RESET) + (strcmp(identity.profiles[0], "new") == 0) +
		      allows(view->policy, "new.test") + allows(view->policy, "203.0.113.1");
		if (!(old == 4 && new == 0) && !(old == 0 && new == 4))
			fail_msg("a mixture: %u parts of the old state, %u of the new", old, new);
		view->found = old ? OLD : NEW;
	}
	bundle_identity_free(&identity);
}
#define cleanup_view __attribute__((cleanup(view_free)))

/* ---- the tests ---- */

static bool cannot_trace(void)
{
	const char *missing = crash_missing();

	if (!missing)
		return false;
	if (getenv("SHIELD_NO_SKIP"))
		fail_msg("%s, and SHIELD_NO_SKIP is set", missing);
	print_message("SKIP: %s\n", missing);
	return true;
}

static void verdicts_hold(const struct policy *policy)
{
	assert_true(allows(policy, "live.test") && allows(policy, "198.51.100.1"));
	assert_false(allows(policy, "denied.test") || allows(policy, "198.51.100.9"));
}

static void a_prepare_killed_at_any_call_leaves_the_old_the_new_or_what_is_refused(void **state)
{
	unsigned seen[3] = {0}, n = 0;

	(void)state;
	if (cannot_trace())
		skip();
	old_state_make();
	for (int status = -1; status < 0; n++) {
		cleanup_view struct view view, after;

		old_state_restore();
		shell("printf 'reject: reset\\n' >'%s/config/config.yml'", folder);
		status = crash_run(command_run, PREPARE("new"), n, NULL);
		assert_true(status <= 0);
		view_take(&view);
		seen[view.found]++;
		if (view.found == REFUSED && !strstr(view.refusal, "run the container anew") && !strstr(view.refusal, "run it anew"))
			fail_msg("call %u: refused without a remedy: %s", n, view.refusal);
		if (view.found != REFUSED)
			verdicts_hold(view.policy);
		/* A bypass of the old container may end early; it never goes over to the new one. */
		if (view.found == NEW)
			assert_int_equal(view.wanted, SHIELD_UP);
		if (status == 0)
			assert_int_equal(view.found, NEW);
		run_well(PREPARE("new"));
		view_take(&after);
		assert_int_equal(after.found, NEW);
		verdicts_hold(after.policy);
	}
	print_message("%u crashes: %u times the old state, %u the new, %u refused\n", n - 1, seen[OLD], seen[NEW], seen[REFUSED]);
	assert_true(seen[OLD] && seen[NEW] && seen[REFUSED]);
}

static void the_first_prepare_killed_at_any_call_leaves_nothing_that_starts(void **state)
{
	unsigned n = 0;

	(void)state;
	if (cannot_trace())
		skip();
	for (int status = -1; status < 0; n++) {
		cleanup_view struct view view, after;

		shell("rm -rf '%s/state'; printf 'reject: reset\\n' >'%s/config/config.yml'", folder, folder);
		status = crash_run(command_run, PREPARE("new"), n, NULL);
		assert_true(status <= 0);
		view_take(&view);
		assert_true(view.found == NEW || (view.found == REFUSED && status < 0));
		run_well(PREPARE("new"));
		view_take(&after);
		assert_int_equal(after.found, NEW);
	}
	assert_in_range(n, 10, 200);
}

static void an_rm_killed_at_any_call_leaves_the_bundle_whole_or_refused_and_no_deny_is_lost_before_its_allow(void **state)
{
	unsigned seen[3] = {0}, n = 0;

	(void)state;
	if (cannot_trace())
		skip();
	old_state_make();
	for (int status = -1; status < 0; n++) {
		cleanup_view struct view view, after;

		old_state_restore();
		status = crash_run(command_run, WORDS("rm", "web"), n, NULL);
		assert_true(status <= 0);
		view_take(&view);
		seen[view.found]++;
		assert_true(view.found == REFUSED || (view.found == OLD && status < 0));
		/* The name is used again: what the rm left may refuse more, never less. */
		shell("printf 'reject: reset\\n' >'%s/config/config.yml'", folder);
		run_well(PREPARE("new"));
		view_take(&after);
		assert_int_equal(after.found, NEW);
		assert_false(allows(after.policy, "198.51.100.9") || allows(after.policy, "denied.test"));
		if (view.found == OLD)
			continue;
		old_state_restore();
		crash_run(command_run, WORDS("rm", "web"), n, NULL);
		if (access(bundle_path, F_OK) == 0) /* otherwise it was killed when only its report was left to do */
			run_well(WORDS("rm", "web"));
		assert_int_equal(access(bundle_path, F_OK), -1);
	}
	assert_true(seen[OLD] && seen[REFUSED]);
}

/* Each command, the destinations that it is about, and their verdicts before and after. */
static const struct verdict_case {
	const char *command, *name, *address;
} verdict_cases[] = {
	{"allow", "denied.test", "198.51.100.9"},
	{"allow", "other.test", "198.18.0.1"},
	{"deny", "live.test", "198.51.100.1"},
	{"deny", "other.test", "198.18.0.1"},
};

static void an_allow_or_deny_killed_at_any_call_keeps_each_verdict_old_or_new_and_all_others(void **state)
{
	(void)state;
	if (cannot_trace())
		skip();
	old_state_make();
	for (size_t i = 0; i < sizeof(verdict_cases) / sizeof(verdict_cases[0]); i++) {
		const struct verdict_case *verdict = &verdict_cases[i];
		bool allow = strcmp(verdict->command, "allow") == 0;
		unsigned n = 0;

		for (int status = -1; status < 0; n++) {
			cleanup_view struct view view, after;
			char **words = WORDS((char *)verdict->command, "web", (char *)verdict->name, (char *)verdict->address);

			old_state_restore();
			status = crash_run(command_run, words, n, NULL);
			assert_true(status <= 0);
			view_take(&view);
			assert_int_equal(view.found, OLD);
			assert_int_equal(view.wanted, SHIELD_DOWN);
			if (status == 0)
				assert_true(allows(view.policy, verdict->name) == allow && allows(view.policy, verdict->address) == allow);
			if (strcmp(verdict->name, "live.test"))
				assert_true(allows(view.policy, "live.test") && allows(view.policy, "198.51.100.77"));
			if (strcmp(verdict->name, "denied.test"))
				assert_false(allows(view.policy, "denied.test") || allows(view.policy, "198.51.100.9"));
			run_well(words);
			view_take(&after);
			assert_true(allows(after.policy, verdict->name) == allow && allows(after.policy, verdict->address) == allow);
		}
		assert_in_range(n, 5, 200);
	}
}

static void each_list_and_the_settings_belong_to_each_other(void **state)
{
	static const char *const files[] = {"profile.allowed", "profile.domains", BUNDLE_SETTINGS};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		cleanup_view struct view view;

		old_state_make();
		shell("printf 'reject: reset\\n' >'%s/config/config.yml'", folder);
		run_well(PREPARE("new"));
		shell("cp '%s/kept/containers/web/%s' '%s/%s'", folder, files[i], bundle_path, files[i]);
		view_take(&view);
		assert_int_equal(view.found, REFUSED);
		assert_non_null(strstr(view.refusal, "settings.json"));
		/* The commands say so too, and leave the lists alone. */
		shell("cat '%s'/live.* '%s'/den* >'%s/before'", bundle_path, bundle_path, folder);
		assert_int_equal(crash_run(command_run, WORDS("status", "web"), CRASH_NEVER, NULL), COMMAND_FAILED);
		assert_int_equal(crash_run(command_run, WORDS("why", "web", "new.test"), CRASH_NEVER, NULL), COMMAND_FAILED);
		assert_int_equal(crash_run(command_run, WORDS("allow", "web", "198.18.0.1"), CRASH_NEVER, NULL), COMMAND_FAILED);
		assert_int_equal(crash_run(command_run, WORDS("deny", "web", "live.test"), CRASH_NEVER, NULL), COMMAND_FAILED);
		shell("cat '%s'/live.* '%s'/den* | cmp - '%s/before'", bundle_path, bundle_path, folder);
	}
}

/* What an installation finds in place of its own settings, and what it says. */
static const struct release {
	const char *settings; /* NULL: none */
	const char *says;
} releases[] = {
	{"{\"format\":1,\"version\":\"0.9.0\",\"container\":\"web\",\"profiles\":[]}", "it has format 1, this program reads 3"},
	{"{\"format\":0}", "it has format 0, this program reads 3"},
	{"{\"format\":4,\"version\":\"9.0.0\",\"new\":[]}", "it has format 4, this program reads 3"},
	{"{\"format\":99999}", "it has format 99999, this program reads 3"}, {"{\"version\":\"9.0.0\"}", "'format' is missing"},
	{"", "it is not JSON"}, {NULL, "settings.json is missing"}, /* the older tool had none */
};

static void a_bundle_of_another_release_is_refused_and_the_next_prepare_takes_its_verdicts_over(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(releases) / sizeof(releases[0]); i++) {
		cleanup_view struct view view, after;

		old_state_make();
		shell("rm '%s/settings.json'", bundle_path);
		if (releases[i].settings)
			shell("umask 077; echo '%s' >'%s/settings.json'", releases[i].settings, bundle_path);
		view_take(&view);
		assert_int_equal(view.found, REFUSED);
		if (!strstr(view.refusal, releases[i].says))
			fail_msg("%s: %s", releases[i].says, view.refusal);
		if (!strstr(view.refusal, "run the container anew") && !strstr(view.refusal, "run it anew"))
			fail_msg("refused without a remedy: %s", view.refusal);
		assert_int_equal(crash_run(command_run, WORDS("status", "web"), CRASH_NEVER, NULL), COMMAND_FAILED);
		assert_int_equal(crash_run(command_run, WORDS("allow", "web", "198.18.0.1"), CRASH_NEVER, NULL), COMMAND_FAILED);
		shell("printf 'reject: reset\n' >'%s/config/config.yml'", folder);
		run_well(PREPARE("new"));
		view_take(&after);
		assert_int_equal(after.found, NEW);
		verdicts_hold(after.policy);
		assert_false(allows(after.policy, "198.18.0.1"));
	}
}

static void an_octet_of_the_settings_that_changes_is_found(void **state)
{
	cleanup_free char *text = NULL;
	cleanup_bundle struct bundle bundle = BUNDLE_INIT;
	size_t length;

	(void)state;
	old_state_make();
	assert_int_equal(bundle_open(&bundle, bundle_path, NULL), 0);
	assert_int_equal(bundle_read(&bundle, BUNDLE_SETTINGS, 65536, &text, &length, NULL), 0);
	for (size_t i = 0; i < length; i++) {
		struct bundle_identity identity;
		struct settings settings;
		struct error error = {0};
		int result;

		if (text[i] == '\n' && i + 1 == length)
			continue;
		text[i] ^= 1;
		shell("rm '%s/settings.json'", bundle_path);
		assert_int_equal(bundle_write_volatile(&bundle, BUNDLE_SETTINGS, text, length, NULL), 0);
		result = bundle_settings_read(&bundle, &identity, &settings, &error);
		bundle_identity_free(&identity);
		/* White space in front of the closing brace means nothing. */
		if (result == 0 && !strchr("\n\t\v\b \x08", text[i]))
			fail_msg("octet %zu, now '%c', is not found", i, text[i]);
		text[i] ^= 1;
	}
}

static void without_a_change_no_file_is_written(void **state)
{
	unsigned first, again;

	(void)state;
	if (cannot_trace())
		skip();
	shell("rm -rf '%s/state'; printf 'reject: icmp\\n' >'%s/config/config.yml'", folder, folder);
	assert_int_equal(crash_run(command_run, PREPARE("old"), CRASH_NEVER, &first), 0);
	shell("find '%s' -type f ! -name lock -printf '%%i %%P\\n' | sort >'%s/before'", bundle_path, folder);
	assert_int_equal(crash_run(command_run, PREPARE("old"), CRASH_NEVER, &again), 0);
	shell("find '%s' -type f ! -name lock -printf '%%i %%P\\n' | sort | diff '%s/before' -", bundle_path, folder);
	assert_true(again < first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prepare_killed_at_any_call_leaves_the_old_the_new_or_what_is_refused),
		cmocka_unit_test(the_first_prepare_killed_at_any_call_leaves_nothing_that_starts),
		cmocka_unit_test(an_rm_killed_at_any_call_leaves_the_bundle_whole_or_refused_and_no_deny_is_lost_before_its_allow),
		cmocka_unit_test(an_allow_or_deny_killed_at_any_call_keeps_each_verdict_old_or_new_and_all_others),
		cmocka_unit_test(each_list_and_the_settings_belong_to_each_other),
		cmocka_unit_test(a_bundle_of_another_release_is_refused_and_the_next_prepare_takes_its_verdicts_over),
		cmocka_unit_test(an_octet_of_the_settings_that_changes_is_found),
		cmocka_unit_test(without_a_change_no_file_is_written),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
