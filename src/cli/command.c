/* The argument parser: long options with "=value" or a value behind, short ones alone, words in between, "--" before podman's own.
 *
 * `--profiles` takes several words. It would swallow the container in `run --profiles a NAME -- IMAGE`; so when operands are missing at
 * the end, the last words that it took are given back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/command.h"

enum option_kind {
	KIND_SWITCH, /* bool at offset */
	KIND_STRING, /* const char * at offset */
	KIND_FOLDER, /* the same, of a path */
	KIND_PROFILES,
	KIND_PORT,
	KIND_COUNT,
};

struct option {
	const char *name;
	char letter; /* 0: none */
	enum command_option bit;
	enum option_kind kind;
	size_t offset;
	const char *value; /* word for the help */
	const char *help;
};

#define AT(member) offsetof(struct command_options, member)

static const struct option options_table[] = {
	{"profiles", 0, OPTION_PROFILES, KIND_PROFILES, 0, "P...", "profiles to use, by name; also P,P (default: of the configuration)"},
	{"all", 0, OPTION_ALL, KIND_SWITCH, AT(all), NULL, "private ranges too"},
	{"all", 0, OPTION_EVERY, KIND_SWITCH, AT(all), NULL, "every container"},
	{"down", 0, OPTION_DOWN, KIND_SWITCH, AT(down), NULL, "the ruleset of `down`"},
	{"raw", 0, OPTION_RAW, KIND_SWITCH, AT(raw), NULL, "only what nft prints"},
	{"json", 0, OPTION_JSON, KIND_SWITCH, AT(json), NULL, "as JSON (docs/json.md)"},
	{"force", 0, OPTION_FORCE, KIND_SWITCH, AT(force), NULL, "accepted for older scripts"},
	{"container", 0, OPTION_CONTAINER, KIND_STRING, AT(container), "C", "only this container"},
	{NULL, 'n', OPTION_COUNT, KIND_COUNT, AT(count), "N", "how many lines (default 50)"},
	{"follow", 'f', OPTION_FOLLOW, KIND_SWITCH, AT(follow), NULL, "go on with what is added, until Ctrl-C"},
	{"since", 0, OPTION_SINCE, KIND_STRING, AT(since), "WHEN",
		"only from then on: 2026-01-31T08:00:00, 2026-01-31, or 90s, 15m, 2h, 7d ago"},
	{"output", 'o', OPTION_OUTPUT, KIND_STRING, AT(output), "FILE", "write to FILE, which is replaced whole"},
	{"for", 0, OPTION_FOR, KIND_STRING, AT(lasting), "TIME", "only so long: 90s, 10m, 2h, 7d; at most 30d"},
	{"root", 0, OPTION_ROOT, KIND_SWITCH, AT(root), NULL, "for all users of this machine (as root)"},
	{"user", 0, OPTION_USER, KIND_SWITCH, AT(user), NULL, "for this user"},
	{"hooks", 0, OPTION_HOOKS, KIND_SWITCH, AT(hooks), NULL, "use podman's hooks folder, which `podman start` forgets"},
	{"verify", 0, OPTION_VERIFY, KIND_SWITCH, AT(verify), NULL, "at each start verify the shield, before the workload runs"},
	{"starting", 0, OPTION_STARTING, KIND_SWITCH, AT(starting), NULL, "for the runtime, before a start: podman is not asked"},
	{"learn", 0, OPTION_LEARN, KIND_SWITCH, AT(learn), NULL, "let everything outside pass, to find out what is used"},
	{"profile", 0, OPTION_PROFILE, KIND_STRING, AT(profile), "P", "only what this profile does not allow yet"},
	{"diff", 0, OPTION_DIFF, KIND_SWITCH, AT(diff), NULL, "as a change of that profile's file"},
	{"loopback-port", 0, OPTION_LOOPBACK_PORT, KIND_PORT, 0, "N", "open a port of the host's loopback; may be repeated"},
	{"profiles-dir", 0, OPTION_PROFILES_DIR, KIND_FOLDER, AT(profiles_dir), "DIR", "look for profiles here first"},
	{"no-audit", 0, OPTION_NO_AUDIT, KIND_SWITCH, AT(no_audit), NULL, "write no audit log"},
	{"state-dir", 0, OPTION_STATE_DIR, KIND_FOLDER, AT(state_dir), "DIR", "state in DIR/containers/NAME"},
	{"task-state-dir", 0, OPTION_TASK_STATE_DIR, KIND_FOLDER, AT(task_state_dir), "DIR", "state of this container in DIR itself"},
	{"container-id", 0, OPTION_CONTAINER_ID, KIND_STRING, AT(container), "ID", "the container, instead of NAME"},
};
#define OPTION_TABLE_COUNT (sizeof(options_table) / sizeof(*options_table))

struct parser {
	const struct command *command;
	struct command_options *options;
	struct error *error;
	char **argv;
	int argc, next;
	const char *words[COMMAND_OPERANDS_MAX]; /* operands, the container among them */
	size_t word_count;
	const char *greedy[COMMAND_PROFILES_MAX]; /* the words behind a --profiles, in order */
	size_t greedy_count;
};

static int usage_error(struct error *error, const struct command *command, const char *text, const char *word)
{
	char shown[160];
	return error_set(error, EINVAL, "%s '%s'; see `terok-shield%s%s --help`", text, text_escaped(shown, sizeof(shown), word),
		command ? " " : "", command ? command->name : "");
}

static int profiles_add(struct parser *parser, const char *list)
{
	struct command_options *options = parser->options;
	for (const char *at = list;;) {
		size_t length = strcspn(at, ",");
		if (length == 0)
			return usage_error(parser->error, parser->command, "empty profile name in", list);
		if (options->profile_count == COMMAND_PROFILES_MAX)
			return error_set(parser->error, EINVAL, "more than %d profiles", COMMAND_PROFILES_MAX);
		char *name = strndup(at, length);
		if (!name)
			return error_set(parser->error, ENOMEM, "out of memory");
		options->profiles[options->profile_count++] = name;
		if (at[length] == '\0')
			return 0;
		at += length + 1;
	}
}

bool command_folder_is_fit(const char *word)
{
	if (!*word || *word == '-')
		return false;
	for (const char *at = word; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			return false;
	}
	return true;
}

static int number_parse(const char *word, unsigned long max, unsigned long *number)
{
	if (*word < '0' || *word > '9')
		return -EINVAL;
	char *end;
	errno = 0;
	*number = strtoul(word, &end, 10);
	return errno || *end || *number == 0 || *number > max ? -EINVAL : 0;
}

static int option_store(struct parser *parser, const struct option *option, const char *value)
{
	struct command_options *options = parser->options;
	char *base = (char *)options;
	unsigned long number;
	switch (option->kind) {
	case KIND_SWITCH:
		*(bool *)(base + option->offset) = true;
		return 0;
	case KIND_STRING:
		if (!*value)
			return usage_error(parser->error, parser->command, "empty value of option", option->name);
		*(const char **)(base + option->offset) = value;
		return 0;
	case KIND_FOLDER:
		if (!command_folder_is_fit(value))
			return usage_error(parser->error, parser->command,
				"not the path of a folder (one that begins with '-' is written ./-...):", value);
		*(const char **)(base + option->offset) = value;
		return 0;
	case KIND_PROFILES:
		return profiles_add(parser, value);
	case KIND_PORT:
		if (number_parse(value, UINT16_MAX, &number))
			return usage_error(parser->error, parser->command, "not a port number:", value);
		if (options->loopback_port_count == SETTINGS_PORTS_MAX)
			return error_set(parser->error, EINVAL, "more than %d loopback ports", SETTINGS_PORTS_MAX);
		options->loopback_ports[options->loopback_port_count++] = (uint16_t)number;
		return 0;
	case KIND_COUNT:
		if (number_parse(value, 1000000, &number))
			return usage_error(parser->error, parser->command, "not a number of lines from 1 to 1000000:", value);
		*(size_t *)(base + option->offset) = number;
		return 0;
	}
	return -EINVAL;
}

/* The option that a word spells, or NULL. value: what stands behind "=", or behind the letter in "-n5"; otherwise NULL. */
static const struct option *option_find(uint32_t accepted, const char *word, const char **value)
{
	*value = NULL;
	for (size_t i = 0; i < OPTION_TABLE_COUNT; i++) {
		const struct option *option = &options_table[i];
		if (!(accepted & option->bit))
			continue;
		if (option->letter && word[1] == option->letter) {
			*value = word[2] ? word + 2 : NULL;
			return option;
		}
		if (!option->name || strncmp(word, "--", 2) != 0)
			continue;
		size_t length = strlen(option->name);
		if (strncmp(word + 2, option->name, length) != 0)
			continue;
		if (word[2 + length] == '\0')
			return option;
		if (word[2 + length] == '=') {
			*value = word + 3 + length;
			return option;
		}
	}
	return NULL;
}

/* Takes the words behind a bare --profiles; at least one. */
static int profiles_take(struct parser *parser)
{
	parser->greedy_count = 0;
	while (parser->next < parser->argc && parser->argv[parser->next][0] != '-') {
		if (parser->greedy_count == COMMAND_PROFILES_MAX)
			return error_set(parser->error, EINVAL, "more than %d words behind --profiles", COMMAND_PROFILES_MAX);
		parser->greedy[parser->greedy_count++] = parser->argv[parser->next++];
	}
	return parser->greedy_count > 0 ? 0 : error_set(parser->error, EINVAL, "--profiles needs the name of a profile");
}

/* What --profiles took becomes profiles, except the last `back` words, which become operands. */
static int profiles_settle(struct parser *parser, size_t back)
{
	for (size_t i = 0; i < parser->greedy_count; i++) {
		if (i < parser->greedy_count - back) {
			int rc = profiles_add(parser, parser->greedy[i]);
			if (rc)
				return rc;
		} else {
			parser->words[parser->word_count++] = parser->greedy[i];
		}
	}
	parser->greedy_count = 0;
	return 0;
}

static int option_take(struct parser *parser, const char *word)
{
	const char *value;
	const struct option *option = option_find(parser->command->options, word, &value);
	if (!option)
		return usage_error(parser->error, parser->command, "unknown option", word);
	if (option->kind == KIND_SWITCH)
		return value ? usage_error(parser->error, parser->command, "option takes no value:", word)
			     : option_store(parser, option, NULL);
	if (option->kind == KIND_PROFILES && !value) {
		int rc = profiles_settle(parser, 0); /* of an earlier one */
		return rc ? rc : profiles_take(parser);
	}
	if (!value && parser->next < parser->argc)
		value = parser->argv[parser->next++];
	return value ? option_store(parser, option, value) : usage_error(parser->error, parser->command, "a value is missing behind", word);
}

/* True when word is one of words, which are separated by blanks. */
static bool is_among(const char *words, const char *word)
{
	size_t length = strlen(word);
	for (const char *at = words; *at; at += strcspn(at, " "), at += *at == ' ') {
		if (strcspn(at, " ") == length && strncmp(at, word, length) == 0)
			return true;
	}
	return false;
}

/* Distributes the words: the container first, unless an option named it. */
static int operands_settle(struct parser *parser)
{
	const struct command *command = parser->command;
	struct command_options *options = parser->options;
	bool container_wanted = command->takes_container && !options->container;
	size_t required = command->operands_min + (container_wanted && !command->container_optional ? 1 : 0);
	size_t missing = parser->word_count < required ? required - parser->word_count : 0;
	if (missing > 0 && missing < parser->greedy_count) {
		int rc = profiles_settle(parser, missing);
		if (rc)
			return rc;
		missing = 0;
	}
	int rc = profiles_settle(parser, 0);
	if (rc)
		return rc;
	if (missing > 0)
		return error_set(parser->error, EINVAL, "arguments are missing. Usage: terok-shield %s %s", command->name, command->usage);
	size_t first = 0;
	if (container_wanted && parser->word_count > 0)
		options->container = parser->words[first++];
	if (parser->word_count - first > command->operands_max)
		return usage_error(parser->error, command, "one argument too many:", parser->words[first + command->operands_max]);
	for (; first < parser->word_count; first++)
		options->operands[options->operand_count++] = parser->words[first];
	if (command->words && options->operand_count > 0 && !is_among(command->words, options->operands[0]))
		return usage_error(parser->error, command, "this command takes one of its own words, not", options->operands[0]);
	return 0;
}

int command_parse(const struct command *command, int argc, char **argv, struct command_options *options, bool *help, struct error *error)
{
	struct parser parser = {.command = command, .options = options, .error = error, .argv = argv, .argc = argc};
	*help = false;
	while (parser.next < argc) {
		const char *word = argv[parser.next++];
		if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
			*help = true;
			return 0;
		}
		if (strcmp(word, "--") == 0) {
			if (!command->takes_rest)
				return usage_error(error, command, "this command takes nothing behind", word);
			options->rest = argv + parser.next;
			options->rest_count = (size_t)(argc - parser.next);
			break;
		}
		int rc = 0;
		if (word[0] == '-' && word[1])
			rc = option_take(&parser, word);
		else if (parser.word_count == COMMAND_OPERANDS_MAX - COMMAND_PROFILES_MAX)
			rc = error_set(error, EINVAL, "too many arguments");
		else
			parser.words[parser.word_count++] = word;
		if (rc)
			return rc;
	}
	return operands_settle(&parser);
}

void command_options_free(struct command_options *options)
{
	for (size_t i = 0; i < options->profile_count; i++)
		free(options->profiles[i]);
	options->profile_count = 0;
}

void command_each_option(const struct command *command,
	void (*visit)(void *context, const char *name, char letter, const char *value, const char *help), void *context)
{
	for (size_t i = 0; i < OPTION_TABLE_COUNT; i++) {
		const struct option *option = &options_table[i];
		if (command->options & option->bit)
			visit(context, option->name, option->letter, option->value, option->help);
	}
}

static void option_print(void *context, const char *name, char letter, const char *value, const char *help)
{
	char spelling[48], short_form[8] = "";
	(void)context;
	if (letter)
		snprintf(short_form, sizeof(short_form), "-%c%s", letter, name ? ", " : "");
	snprintf(spelling, sizeof(spelling), "%s%s%s%s%s", short_form, name ? "--" : "", name ? name : "", value ? " " : "",
		value ? value : "");
	printf("  %-24s %s\n", spelling, help);
}

void command_help(const struct command *command)
{
	printf("usage: terok-shield %s%s%s\n\n%c%s.\n", command->name, *command->usage ? " " : "", command->usage,
		command->summary[0] - 'a' + 'A', command->summary + 1);
	if (command->details)
		printf("%s\n", command->details);
	printf("\noptions:\n");
	command_each_option(command, option_print, NULL);
	printf("  %-24s %s\n\nexample:\n  %s\n", "-h, --help", "this text", command->example);
}

void command_help_all(void)
{
	printf("usage: terok-shield [-h] [--version] [--state-dir DIR] COMMAND ...\n\n"
	       "A default-deny outgoing firewall around one container.\n\ncommands:\n");
	for (const struct command *command = command_table; command->name; command++)
		printf("  %-18s %s\n", command->name, command->summary);
	printf("\n`terok-shield help COMMAND` explains one. Exit codes: 0 done, 1 failed, 2 wrong usage.\n\n"
	       "example:\n  terok-shield run web -- --rm -it alpine:latest sh\n");
}
