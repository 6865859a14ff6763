/* The commands against what goes wrong around them: killed at any moment, run at once, given hostile words. Lists, kernel and forwarder
 * are real (support/rig.h); podman is not needed. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/command.h"
#include "dns/message.h"
#include "fw/netns.h"
#include "fw/readback.h"
#include "fw/setwriter.h"
#include "support/crash.h"
#include "support/rig.h"

#define KILLS        200
#define AT_ONCE      50
#define HOSTILE      100
#define LEARNED      1000
#define OUTPUT_MAX   (16u << 20)
#define WORDS_MAX    8
#define KILL_SPAN_US 20000u

static struct rig rig;
static char program[4096];

static size_t upstream(void *context, const uint8_t *query, size_t length, bool tcp, uint8_t *out)
{
	static const uint8_t address[4] = {198, 51, 100, 10};
	size_t at = rig_reply(out, query, length, RCODE_NOERROR);

	(void)context;
	(void)tcp;
	return message_get16(out + at - 4) == TYPE_A ? rig_record(out, at, 0, NULL, TYPE_A, 300, address, 4) : at;
}

static int group_setup(void **state)
{
	struct bundle_runtime runtime = {.container_id = "0123456789ab"};
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 64);
	const char *said;

	(void)state;
	assert_in_range(length, 1, sizeof(program) - 64);
	program[length] = '\0';
	strcpy(strrchr(program, '/') + 1, "terok-shield");
	rig_start(&rig, "allowed.test\n", "203.0.113.0/24\n", upstream, NULL);
	said = rig_forwarder(&rig);
	if (strcmp(said, "ready"))
		fail_msg("%s", said);
	runtime.init_pid = rig.init;
	runtime.proxy_pid = rig.proxy;
	assert_int_equal(bundle_process_start(rig.init, &runtime.init_start), 0);
	assert_int_equal(bundle_process_start(rig.proxy, &runtime.proxy_start), 0);
	assert_int_equal(bundle_runtime_write(&rig.bundle, &runtime, NULL), 0);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

/* ---- running the program ---- */

struct run {
	pid_t pid;
	int output_fd; /* what it says, both ways */
};

static void run_start(struct run *run, const char *command, const char *destination)
{
	run->output_fd = memfd_create("output", MFD_CLOEXEC);
	assert_true(run->output_fd >= 0);
	run->pid = fork();
	if (run->pid)
		return;
	if (dup2(run->output_fd, 1) < 0 || dup2(run->output_fd, 2) < 0)
		_exit(126);
	execl(program, program, command, "rig", "--task-state-dir", rig.folder, destination, NULL);
	_exit(127);
}

/* Its exit status, or -1 when it was killed. output: caller frees; may be NULL. */
static int run_end(struct run *run, char **output)
{
	int status;

	assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
	if (output) {
		assert_int_equal(lseek(run->output_fd, 0, SEEK_SET), 0);
		assert_int_equal(file_read_fd(run->output_fd, OUTPUT_MAX, output, NULL), 0);
	}
	close(run->output_fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void run_well(const char *command, const char *destination)
{
	cleanup_free char *output = NULL;
	struct run run;

	run_start(&run, command, destination);
	if (run_end(&run, &output) != 0)
		fail_msg("%s %s: %s", command, destination, output);
}

static int verify_inside(void *context, struct error *error)
{
	return readback_verify(context, error);
}

/* The kernel holds what the lists say. */
static void assert_agreement(const char *after)
{
	cleanup_policy struct policy *policy = NULL;
	struct bundle_identity identity;
	struct settings settings;
	struct ruleset ruleset = {.state = SHIELD_UP, .settings = &rig.settings};
	struct error error = {0};

	assert_int_equal(bundle_settings_read(&rig.bundle, &identity, &settings, &error), 0);
	assert_int_equal(bundle_policy_load(&rig.bundle, &identity.sums, &policy, &error), 0);
	bundle_identity_free(&identity);
	ruleset.allowed = policy_allowed_nets(policy);
	ruleset.denied = policy_denied_nets(policy);
	if (netns_run(rig.inside_fd, verify_inside, &ruleset, &error))
		fail_msg("after %s: %s", after, error.text);
}

static bool list_has(enum bundle_list list, const char *line)
{
	cleanup_free char *data = NULL;
	char whole[128];

	if (bundle_read(&rig.bundle, bundle_list_file(list), BUNDLE_LIST_MAX, &data, NULL, NULL))
		return false;
	snprintf(whole, sizeof(whole), "%s\n", line);
	for (const char *at = data; (at = strstr(at, whole)); at++)
		if (at == data || at[-1] == '\n')
			return true;
	return false;
}

/* The i-th of many different commands: allow and deny, of addresses and of names. */
struct wish {
	const char *command;
	enum bundle_list list;
	char destination[64];
};

static struct wish wish_of(unsigned i, const char *kind)
{
	static const enum bundle_list lists[2][2] = {{BUNDLE_LIVE_ALLOWED, BUNDLE_DENY_LIST}, {BUNDLE_LIVE_DOMAINS, BUNDLE_DENIED_DOMAINS}};
	bool deny = i & 1, named = i & 2;
	struct wish wish = {.command = deny ? "deny" : "allow", .list = lists[named][deny]};

	if (named)
		snprintf(wish.destination, sizeof(wish.destination), "%s%u.test", kind, i);
	else
		snprintf(wish.destination, sizeof(wish.destination), "192.%c.%u.%u", *kind == 'k' ? '5' : '6', i / 100, i % 100 * 2);
	return wish;
}

/* ---- the tests ---- */

static void a_command_that_is_killed_is_completed_by_the_next(void **unused)
{
	static bool done[KILLS];
	unsigned random = 7, killed = 0, reported = 0;

	(void)unused;
	for (unsigned i = 0; i < KILLS; i++) {
		struct wish wish = wish_of(i, "kill");
		cleanup_free char *output = NULL;
		char said[96];
		struct run run;

		run_start(&run, wish.command, wish.destination);
		random = random * 1103515245u + 12345u;
		usleep((random >> 8) % KILL_SPAN_US);
		kill(run.pid, SIGKILL);
		killed += run_end(&run, &output) < 0;
		snprintf(said, sizeof(said), "%s %s", *wish.command == 'a' ? "Allowed" : "Denied", wish.destination);
		done[i] = strstr(output, said);
		reported += done[i];
		if (i % 5 == 4) {
			run_well(i % 2 ? "allow" : "deny", "192.0.2.200");
			assert_agreement(wish.destination);
		}
	}
	for (unsigned i = 0; i < KILLS; i++) {
		struct wish wish = wish_of(i, "kill");

		if (done[i] && !list_has(wish.list, wish.destination))
			fail_msg("%s %s was reported as done, and is lost", wish.command, wish.destination);
	}
	print_message("%u of %u were killed, %u had reported that they were done\n", killed, KILLS, reported);
	assert_in_range(killed, KILLS / 10, KILLS);
}

static int command_call(void *context)
{
	const char *const *words = context;
	char *arguments[] = {program, (char *)words[0], "rig", "--task-state-dir", rig.folder, (char *)words[1], (char *)words[2]};

	return command_main(sizeof(arguments) / sizeof(*arguments), arguments);
}

static void a_command_that_is_killed_at_any_call_is_completed_by_the_next(void **unused)
{
	static const char *const commands[][3] = {{"allow", "192.0.2.201", "crash.test"}, {"deny", "192.0.2.201", "crash.test"}};

	(void)unused;
	for (size_t i = 0; i < 2; i++) {
		unsigned n = 0;

		for (int status = -1; status < 0; n++) {
			assert_int_equal(crash_run(command_call, (void *)commands[!i], CRASH_NEVER, NULL), 0);
			status = crash_run(command_call, (void *)commands[i], n, NULL);
			run_well("allow", n & 1 ? "192.0.2.202" : "192.0.2.203");
			assert_agreement(commands[i][0]);
			if (status == 0)
				assert_true(list_has(i ? BUNDLE_DENY_LIST : BUNDLE_LIVE_ALLOWED, commands[i][1]));
		}
		assert_in_range(n, 10, 200);
	}
}

static void commands_at_once_lose_no_entry(void **unused)
{
	struct run runs[AT_ONCE];

	(void)unused;
	for (unsigned i = 0; i < AT_ONCE; i++) {
		struct wish wish = wish_of(i, "once");

		run_start(&runs[i], wish.command, wish.destination);
	}
	for (unsigned i = 0; i < AT_ONCE; i++) {
		cleanup_free char *output = NULL;

		if (run_end(&runs[i], &output) != 0)
			fail_msg("%s: %s", wish_of(i, "once").destination, output);
	}
	for (unsigned i = 0; i < AT_ONCE; i++) {
		struct wish wish = wish_of(i, "once");

		if (!list_has(wish.list, wish.destination))
			fail_msg("%s %s is lost", wish.command, wish.destination);
	}
	assert_agreement("commands at once");
}

static int learn(void *context, struct error *error)
{
	struct setwriter *writer;
	int result = setwriter_open(&writer, error);

	(void)context;
	for (unsigned i = 0; !result && i < LEARNED; i++) {
		struct setwriter_key key = {.addr = addr_v4((uint8_t[]){198, 18, (uint8_t)(i >> 8), (uint8_t)i})};
		char name[32];

		snprintf(name, sizeof(name), "n%u.allowed.test", i);
		result = setwriter_add(writer, &key, 3600000, name, true);
		if (result == -ENOBUFS) {
			result = setwriter_commit(writer);
			i--;
		}
	}
	if (!result)
		result = setwriter_commit(writer);
	setwriter_close(writer);
	return result;
}

static void rules_shows_every_learned_element_as_nft_does(void **unused)
{
	cleanup_free char *ours = NULL, *nft = NULL;
	struct run run;

	(void)unused;
	assert_int_equal(netns_run(rig.inside_fd, learn, NULL, NULL), 0);
	run_start(&run, "rules", NULL);
	assert_int_equal(run_end(&run, &ours), 0);
	assert_int_equal(strncmp(ours, "State: up\n", strlen("State: up\n")), 0);
	nft = rig_shell(&rig, "nft list set inet terok_shield learned_v4");
	for (unsigned i = 0; i < LEARNED; i++) {
		char element[96];

		snprintf(element, sizeof(element), "198.18.%u.%u counter packets 0 bytes 0 timeout 1h expires ", i >> 8, i & 255);
		assert_non_null(strstr(nft, element));
		assert_non_null(strstr(ours, element));
		snprintf(element, sizeof(element), "comment \"n%u.allowed.test\"", i);
		assert_non_null(strstr(ours, element));
	}
	assert_non_null(strstr(ours, " 203.0.113.0/24"));
}

/* What the command says, and how it ends. */
static void assert_says(const char *command, const char *destination, int code, const char *words)
{
	cleanup_free char *output = NULL;
	struct run run;
	int ended;

	run_start(&run, command, destination);
	ended = run_end(&run, &output);
	if (ended != code || !strstr(output, words))
		fail_msg("%s %s: exit %d, said: %s", command, destination, ended, output);
	assert_agreement(destination);
}

static void a_deny_wins_over_an_allow_and_the_allow_says_so(void **unused)
{
	(void)unused;
	assert_says("deny", "11.88.0.0/16", 0, "Denied 11.88.0.0/16 (11.88.0.0/16) for rig");
	assert_says("allow", "11.88.1.1", 1, "11.88.1.1 is kept, but 11.88.0.0/16 is denied and stands against it");
	assert_says("allow", "11.0.0.0/8", 0, "of 11.0.0.0/8, 11.88.0.0/16 stays denied");
	assert_says("allow", "11.88.0.0/16", 0, "Allowed 11.88.0.0/16 -> 11.88.0.0/16 for rig");
	assert_says("allow", "2001:db8:9::/48", 0, "Allowed 2001:db8:9::/48 -> 2001:db8:9::/48 for rig");
	assert_says("allow", "192.0.2.77:8443", 0, "Allowed 192.0.2.77:8443");
	assert_says("allow", "allowed.test", 0, "Allowed allowed.test -> 198.51.100.10 for rig");
	assert_says("deny", "198.51.100.10", 0, "Denied 198.51.100.10 (198.51.100.10) for rig");
	assert_true(list_has(BUNDLE_DENY_LIST, "198.51.100.10"));
	assert_says("allow", "198.51.100.10", 0, "Allowed 198.51.100.10");
	/* Two names with one address: the first to go leaves it to the other. */
	assert_says("allow", "other.test", 0, "Allowed other.test -> 198.51.100.10 for rig");
	assert_says("deny", "other.test", 0, "Denied other.test for rig");
	assert_says("deny", "allowed.test", 0, "Denied allowed.test (198.51.100.10) for rig");
}

/* ---- hostile words ---- */

static const char *const hostile_words[] = {
	"", " ", "-", "-x", "--", "--all=1", "--profiles", "-rf", "../x", "../../etc/passwd", "/etc/passwd", "a/b", "./a", "a/../b", ".", "..",
	"a\nb", "\n", "a\r", "\033[31mred", "\033]0;title\a", "a\tb", "\x7f", "\x80", "\xff\xfe", "\xc3\x28", "\xed\xa0\x80", "caf\xe9.test\x01",
	"$(id)", "`id`", "; id", "a;b", "a|b", "a&b", "a>b", "<a", "'", "\"", "\\", "a b", "*", "?", "[a]", "{a}", "~root", "#a", "!a b", "%s%n",
	"} ; flush ruleset", "@deny_v4", "{ 0.0.0.0/0 }", "0.0.0.0/0", "::/0", "1.2.3", "1.2.3.4.5.", "256.1.1.1", "1.2.3.4/33", "::1/129",
	"10.0.0.1/8", "[::1", "::1]:53", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:80/icmp", "a.test:", ":80", "..test", "a..test", "com", ".com",
	"*.com", "*", "a.*.test", "=", "!", "a.test/80", "http://a.test/", "a@b.test", "a,b c", "null\\0", "-.test\x02", "a.test\n!b.test",
};
#define HOSTILE_WORDS (sizeof(hostile_words) / sizeof(*hostile_words))

/* The i-th of HOSTILE: those above, then ever longer ones that end in a sign that nothing takes. */
static const char *hostile_word(unsigned i, char buffer[400])
{
	if (i < HOSTILE_WORDS)
		return hostile_words[i];
	memset(buffer, 'a', 399);
	buffer[300 + (i - HOSTILE_WORDS)] = ";\n/ \033\"$"[i % 7];
	buffer[301 + (i - HOSTILE_WORDS)] = '\0';
	return buffer;
}

static char root[RIG_FOLDER_MAX];

static char *snapshot(void)
{
	char command[256];
	char *content = NULL;
	FILE *stream;

	snprintf(command, sizeof(command), "find %s -printf '%%p %%m %%s\\n' | sort; find %s -type f -exec cksum {} + | sort", root, root);
	stream = popen(command, "r");
	assert_non_null(stream);
	assert_int_equal(file_read_fd(fileno(stream), OUTPUT_MAX, &content, NULL), 0);
	pclose(stream);
	return content;
}

/* Where the commands stand, deep enough that "../.." stays below root. */
#define WORK       "work/a/b"
#define WORK_DEPTH 4 /* with root */

static unsigned work_entries;

static int work_count(const char *path, const struct stat *status, int flag, struct FTW *walk)
{
	(void)path, (void)status, (void)flag, (void)walk;
	work_entries++;
	return 0;
}

static bool work_is_empty(void)
{
	work_entries = 0;
	return nftw(root, work_count, 8, FTW_PHYS) == 0 && work_entries == WORK_DEPTH;
}

static void work_empty(void)
{
	if (work_is_empty())
		return;
	if (chdir(root) || system("umask 077; rm -rf work terok && mkdir -p " WORK) || chdir(WORK))
		_exit(3);
}

/* Runs the command in this process, which is a child made for it. Returns the exit code; what was said is in *said. */
static int call(const char *const *words, size_t count, char **said)
{
	char *arguments[WORDS_MAX + 1] = {0};
	int fd = memfd_create("output", MFD_CLOEXEC), code;

	for (size_t i = 0; i < count; i++)
		arguments[i] = strdup(words[i]);
	if (fd < 0 || dup2(fd, 2) < 0)
		_exit(3);
	code = command_main((int)count, arguments);
	fflush(NULL);
	*said = NULL;
	if (lseek(fd, 0, SEEK_SET) || file_read_fd(fd, OUTPUT_MAX, said, NULL))
		_exit(3);
	close(fd);
	for (size_t i = 0; i < count; i++)
		free(arguments[i]);
	return code;
}

static bool is_one_clear_line(const char *said)
{
	size_t length = strlen(said);

	if (length < 10 || length > 1100 || said[length - 1] != '\n' || strchr(said, '\n') != said + length - 1)
		return false;
	/* What the command itself says may have a dash; what it shows of the word may not have anything but ASCII. */
	for (size_t i = 0; i + 1 < length; i++)
		if (said[i] < ' ' || said[i] > '~')
			return false;
	return true;
}

enum place {
	CONTAINER,   /* where words that are names of containers are left out; exit 2 */
	DESTINATION, /* exit 2 */
	ANY,         /* exit 2, or 1 for what could be there and is not */
	FOLDER, /* any word may be a folder's name, and then the command may do its work there; but a control character or an option is none */
};

static bool is_no_folder(const char *word)
{
	for (const char *at = word; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return true;
	return !*word || *word == '-';
}

/* After one command. word: the hostile one */
static bool is_right(enum place place, const char *command, const char *word, int code, const char *said)
{
	/* Only a new container's state is written, where it was asked for. */
	if (!work_is_empty() && (place != FOLDER || code != 0 || strcmp(command, "prepare")))
		return false;
	if (place == FOLDER && code == 0)
		return !is_no_folder(word);
	if (place == FOLDER && is_no_folder(word) && code != 2)
		return false;
	return (code == 2 || (code == 1 && (place == ANY || place == FOLDER))) && is_one_clear_line(said);
}

/* Calls the command with every hostile word in the place marked by NULL, in a child. */
static void attack(const char *const *words, size_t count, enum place place)
{
	pid_t child = fork();
	int status;

	if (!child) {
		int report = dup(2);

		if (chdir(root) || chdir(WORK) || !freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout))
			_exit(3);
		for (unsigned i = 0; i < HOSTILE; i++) {
			const char *filled[WORDS_MAX];
			char buffer[400], *said;
			int code;

			if (place == CONTAINER && bundle_name_is_safe(hostile_word(i, buffer)))
				continue;
			for (size_t j = 0; j < count; j++)
				filled[j] = words[j] ? words[j] : hostile_word(i, buffer);
			code = call(filled, count, &said);
			if (is_right(place, words[1], hostile_word(i, buffer), code, said)) {
				free(said);
				work_empty();
				continue;
			}
			dprintf(report, "%s, word %u: exit %d, said: %s\n", words[1], i, code, said);
			_exit(1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fail_msg("%s with %s", words[1], count > 2 && words[2] ? words[2] : "a hostile word");
}

struct attacked {
	const struct command *command;
};

static void attack_option(void *context, const char *name, char letter, const char *value, const char *help)
{
	const struct attacked *attacked = context;
	char option[64];
	const char *words[WORDS_MAX] = {"terok-shield", attacked->command->name, option, NULL, "rig"};

	(void)help;
	if (!value)
		return;
	if (name)
		snprintf(option, sizeof(option), "--%s", name);
	else
		snprintf(option, sizeof(option), "-%c", letter);
	attack(words, attacked->command->takes_container ? 5 : 4, strcmp(value, "DIR") ? ANY : FOLDER);
}

static void hostile_words_are_refused_in_one_line_and_nothing_is_written(void **unused)
{
	cleanup_free char *before = NULL, *after = NULL;

	(void)unused;
	rig_folder_make(root);
	setenv("HOME", root, 1);
	setenv("XDG_STATE_HOME", root, 1);
	setenv("XDG_CONFIG_HOME", root, 1);
	unsetenv("TEROK_SHIELD_STATE_DIR");
	unsetenv("TEROK_SHIELD_CONFIG_DIR");
	assert_int_equal(chdir(root), 0);
	assert_int_equal(system("umask 077; mkdir -p " WORK), 0);
	before = snapshot();
	for (const struct command *command = command_table; command->name; command++) {
		const char *first[WORDS_MAX] = {"terok-shield", command->name, NULL};
		const char *second[WORDS_MAX] = {"terok-shield", command->name, "rig", NULL};
		struct attacked attacked = {.command = command};

		attack(first, 3, command->takes_container ? CONTAINER : ANY);
		/* What takes no entry, like `why`, may ask about words that allow and deny refuse. */
		if (command->operands_max)
			attack(second, 4, command->run == cmd_allow || command->run == cmd_deny ? DESTINATION : ANY);
		command_each_option(command, attack_option, &attacked);
	}
	after = snapshot();
	assert_string_equal(before, after);
	assert_int_equal(system("rm -rf work"), 0);
	assert_int_equal(chdir("/"), 0);
	rig_folder_remove(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deny_wins_over_an_allow_and_the_allow_says_so), /* first: later names share its address */
		cmocka_unit_test(commands_at_once_lose_no_entry),
		cmocka_unit_test(a_command_that_is_killed_is_completed_by_the_next),
		cmocka_unit_test(a_command_that_is_killed_at_any_call_is_completed_by_the_next),
		cmocka_unit_test(rules_shows_every_learned_element_as_nft_does),
		cmocka_unit_test(hostile_words_are_refused_in_one_line_and_nothing_is_written),
	};
	const char *missing = rig_missing();

	if (missing)
		return rig_skip(missing);
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
