/* cli/command.h: the argument parser and the table */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

#define WORDS_MAX 32

static int parse(const char *name, const char *line, struct command_options *options, bool *help, struct error *error)
{
	static char copy[1024];
	static char *words[WORDS_MAX + 1];
	int count = 0;
	char *save = NULL;

	assert_true(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	memset(words, 0, sizeof(words));
	for (char *word = strtok_r(copy, " ", &save); word && count < WORDS_MAX; word = strtok_r(NULL, " ", &save))
		words[count++] = strcmp(word, "_") == 0 ? (char *)"" : word;
	return command_parse(command_find(name), count, words, options, help, error);
}

static void every_accepted_spelling_gives_container_profiles_and_rest(void **state)
{
	static const struct {
		const char *command, *line;
		const char *container; /* NULL: none */
		const char *profiles;  /* joined by ',' */
		const char *rest;      /* first word behind "--", NULL: no "--" */
	} cases[] = {
		{"run", "web -- IMAGE", "web", "", "IMAGE"},
		{"run", "web --profiles a -- IMAGE", "web", "a", "IMAGE"},
		{"run", "web --profiles a b c -- IMAGE --profiles d", "web", "a,b,c", "IMAGE"},
		{"run", "--profiles a web -- IMAGE", "web", "a", "IMAGE"},
		{"run", "--profiles a b web -- IMAGE", "web", "a,b", "IMAGE"},
		{"run", "--profiles a,b web -- IMAGE", "web", "a,b", "IMAGE"},
		{"run", "--profiles=a,b web -- IMAGE", "web", "a,b", "IMAGE"},
		{"run", "--profiles a --profiles b web -- IMAGE", "web", "a,b", "IMAGE"},
		{"run", "--profiles a --no-audit web -- IMAGE", "web", "a", "IMAGE"},
		{"run", "--container-id web --profiles a b -- IMAGE", "web", "a,b", "IMAGE"},
		{"run", "web -- _", "web", "", ""},
		{"prepare", "web --json --profiles a", "web", "a", NULL},
		{"prepare", "--profiles a web --json", "web", "a", NULL},
		{"preview", "--profiles a b --down", NULL, "a,b", NULL},
		{"status", "", NULL, "", NULL},
		{"status", "web", "web", "", NULL},
		{"status", "--container-id=0123456789ab", "0123456789ab", "", NULL},
		{"logs", "--container web -n 10", "web", "", NULL},
		{"logs", "-n10", NULL, "", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct command_options options = {0};
		struct error error = {0};
		char profiles[256] = "";
		bool help;

		if (parse(cases[i].command, cases[i].line, &options, &help, &error))
			fail_msg("%s %s: %s", cases[i].command, cases[i].line, error.text);
		assert_false(help);
		for (size_t j = 0; j < options.profile_count; j++)
			snprintf(profiles + strlen(profiles), sizeof(profiles) - strlen(profiles), "%s%s", j ? "," : "",
				options.profiles[j]);
		if (cases[i].container)
			assert_string_equal(options.container, cases[i].container);
		else
			assert_null(options.container);
		assert_string_equal(profiles, cases[i].profiles);
		if (cases[i].rest)
			assert_string_equal(options.rest[0], cases[i].rest);
		else
			assert_null(options.rest);
		command_options_free(&options);
	}
}

static void values_reach_their_options(void **state)
{
	struct command_options options = {0};
	struct error error = {0};
	bool help;

	(void)state;
	assert_int_equal(
		parse("run",
			"web --state-dir /s --task-state-dir=/t --profiles-dir /p "
				     "--loopback-port 80 --loopback-port=81 --no-audit --hooks -- I",
			&options, &help, &error),
		0);
	assert_string_equal(options.state_dir, "/s");
	assert_string_equal(options.task_state_dir, "/t");
	assert_string_equal(options.profiles_dir, "/p");
	assert_int_equal(options.loopback_port_count, 2);
	assert_int_equal(options.loopback_ports[1], 81);
	assert_true(options.no_audit);
	assert_true(options.hooks);
	command_options_free(&options);
	memset(&options, 0, sizeof(options));
	assert_int_equal(parse("allow", "web a.test 192.0.2.1 b.test:443", &options, &help, &error), 0);
	assert_string_equal(options.container, "web");
	assert_int_equal(options.operand_count, 3);
	assert_string_equal(options.operands[2], "b.test:443");
	memset(&options, 0, sizeof(options));
	assert_int_equal(parse("allow", "--container-id abc a.test", &options, &help, &error), 0);
	assert_string_equal(options.container, "abc");
	assert_int_equal(options.operand_count, 1);
	memset(&options, 0, sizeof(options));
	assert_int_equal(parse("logs", "-n 7", &options, &help, &error), 0);
	assert_int_equal(options.count, 7);
}

static void help_is_asked_for_before_anything_is_checked(void **state)
{
	struct command_options options = {0};
	struct error error = {0};
	bool help = false;

	(void)state;
	assert_int_equal(parse("run", "-h", &options, &help, &error), 0);
	assert_true(help);
	assert_int_equal(parse("allow", "--help", &options, &help, &error), 0);
	assert_true(help);
	assert_int_equal(parse("run", "web -- IMAGE --help", &options, &help, &error), 0);
	assert_false(help);
}

static void wrong_arguments_are_refused_with_one_line(void **state)
{
	static const struct {
		const char *command, *line, *text;
	} cases[] = {
		{"run", "", "arguments are missing"},
		{"run", "-- IMAGE", "arguments are missing"},
		{"run", "web --profiles -- IMAGE", "--profiles needs"},
		{"run", "--profiles web -- IMAGE", "arguments are missing"},
		{"run", "web --profiles a,,b -- IMAGE", "empty profile name"},
		{"run", "web --profiles= -- IMAGE", "empty profile name"},
		{"run", "web other -- IMAGE", "too many"},
		{"run", "web --loopback-port 0 -- IMAGE", "not a port"},
		{"run", "web --loopback-port 65536 -- IMAGE", "not a port"},
		{"run", "web --loopback-port +1 -- IMAGE", "not a port"},
		{"run", "web --loopback-port 1x -- IMAGE", "not a port"},
		{"run", "web --state-dir", "value is missing"},
		{"run", "web --state-dir _ -- IMAGE", "not the path of a folder"},
		{"run", "web --no-audit=1 -- IMAGE", "takes no value"},
		{"run", "web --json -- IMAGE", "unknown option"},
		{"prepare", "web --state-dir --json", "not the path of a folder"},
		{"prepare", "web --task-state-dir=a\nb", "not the path of a folder"},
		{"prepare", "web --profiles-dir=", "not the path of a folder"},
		{"run", "web --profile a -- IMAGE", "unknown option"},
		{"run", "--\x1b[31m", "unknown option '--\\x1b[31m'"},
		{"allow", "web", "arguments are missing"},
		{"allow", "", "arguments are missing"},
		{"allow", "web a.test -- b", "nothing behind"},
		{"allow", "web --all a.test", "unknown option"},
		{"up", "web other", "too many"},
		{"up", "-x", "unknown option"},
		{"logs", "-n", "value is missing"},
		{"logs", "-n 0", "not a number"},
		{"logs", "-n -1", "not a number"},
		{"logs", "-n 99999999999999999999", "not a number"},
		{"profiles", "x", "not 'x'"},
		{"profiles", "show a b", "too many"},
		{"config", "", "arguments are missing"},
		{"config", "sho", "not 'sho'"},
		{"completion", "csh", "not 'csh'"},
		{"why", "web", "arguments are missing"},
		{"why", "web a b", "too many"},
		{"list", "web", "too many"},
		{"rm", "", "arguments are missing"},
		{"setup", "--both", "unknown option"},
		{"logs", "--since _", "empty value"},
		{"logs", "-f5", "takes no value"},
		{"help", "a b", "too many"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct command_options options = {0};
		struct error error = {0};
		bool help;

		if (parse(cases[i].command, cases[i].line, &options, &help, &error) != -EINVAL)
			fail_msg("%s %s: not refused", cases[i].command, cases[i].line);
		if (!strstr(error.text, cases[i].text))
			fail_msg("%s %s: %s", cases[i].command, cases[i].line, error.text);
		assert_null(strpbrk(error.text, "\n\x1b"));
		command_options_free(&options);
	}
}

static void every_command_has_a_summary_an_example_and_a_function(void **state)
{
	(void)state;
	for (const struct command *command = command_table; command->name; command++) {
		assert_non_null(command->run);
		assert_non_null(command->usage);
		assert_true(command->summary[0] >= 'a' && command->summary[0] <= 'z');
		assert_non_null(strstr(command->example, command->name));
		assert_ptr_equal(command_find(command->name), command);
	}
	assert_null(command_find("ru"));
	assert_null(command_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_accepted_spelling_gives_container_profiles_and_rest),
		cmocka_unit_test(values_reach_their_options),
		cmocka_unit_test(help_is_asked_for_before_anything_is_checked),
		cmocka_unit_test(wrong_arguments_are_refused_with_one_line),
		cmocka_unit_test(every_command_has_a_summary_an_example_and_a_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
