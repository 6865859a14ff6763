/* cli/completion.h: what the shells complete */
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

#include "cli/command.h"
#include "cli/completion.h"

static void option_expect(void *context, const char *name, char letter, const char *value, const char *help)
{
	char spelling[64];

	(void)value, (void)help;
	if (name)
		snprintf(spelling, sizeof(spelling), "%s", name);
	else
		snprintf(spelling, sizeof(spelling), "%c", letter);
	if (!strstr(context, spelling))
		fail_msg("%s is not completed", spelling);
}

static void every_shell_knows_every_command_and_option(void **state)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		cleanup_text struct text text = {0};

		assert_int_equal(completion_render(&text, shells[i]), 0);
		for (const struct command *command = command_table; command->name; command++) {
			if (!strstr(text.data, command->name))
				fail_msg("%s: no %s", shells[i], command->name);
			command_each_option(command, option_expect, text.data);
		}
	}
}

static void another_shell_is_refused(void **state)
{
	cleanup_text struct text text = {0};

	(void)state;
	assert_int_equal(completion_render(&text, "csh"), -EINVAL);
	assert_int_equal(completion_render(&text, ""), -EINVAL);
	assert_int_equal(text.length, 0);
}

/* Runs bash over the completion with COMP_WORDS and compares what it offers. */
static void bash_completes(void **state)
{
	static const struct {
		const char *words;
		const char *offers; /* one of them */
		const char *not;    /* none of them; NULL: not looked at */
	} cases[] = {
		{"terok-shield w", "why", "run"},
		{"terok-shield profiles s", "show", "check"},
		{"terok-shield why --j", "--json", "--all"},
		{"terok-shield --state-dir /x setup --", "--root", "--json"},
		{"terok-shield completion f", "fish", "bash"},
		{"terok-shield learn web o", "off", "status"},
		{"terok-shield suggest web --", "--profile", "--profiles-dir=x"},
	};
	cleanup_text struct text text = {0};
	char path[] = "/tmp/test_completion.XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");

	(void)state;
	if (system("bash -c true 2>/dev/null") != 0) {
		unlink(path);
		skip();
	}
	assert_non_null(file);
	assert_int_equal(completion_render(&text, "bash"), 0);
	fputs(text.data, file);
	assert_int_equal(fclose(file), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char command[512], output[4096];
		size_t length;
		FILE *pipe;

		snprintf(command, sizeof(command),
			"bash -c '. %s; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _terok_shield; echo \" ${COMPREPLY[*]} \"'", path,
			cases[i].words);
		pipe = popen(command, "r");
		assert_non_null(pipe);
		length = fread(output, 1, sizeof(output) - 1, pipe);
		output[length] = '\0';
		assert_int_equal(pclose(pipe), 0);
		if (!strstr(output, cases[i].offers) || strstr(output, cases[i].not))
			fail_msg("%s: %s", cases[i].words, output);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shell_knows_every_command_and_option),
		cmocka_unit_test(another_shell_is_refused),
		cmocka_unit_test(bash_completes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
