/* Commands and their arguments: one table of commands, one table of options, one parser. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "policy/settings.h"

#define COMMAND_OPERANDS_MAX 512
#define COMMAND_PROFILES_MAX 64

/* Documented exit codes. */
enum command_exit {
	COMMAND_DONE = 0,
	COMMAND_FAILED = 1,
	COMMAND_USAGE = 2,
};

/* What the arguments said. Strings are borrowed from argv, except the profiles' names. */
struct command_options {
	const char *state_dir;      /* DIR of DIR/containers/NAME, NULL when not given */
	const char *task_state_dir; /* the bundle itself */
	const char *profiles_dir;
	const char *container;                /* the container of every command that takes one; NULL when not given */
	char *profiles[COMMAND_PROFILES_MAX]; /* owned */
	size_t profile_count;
	uint16_t loopback_ports[SETTINGS_PORTS_MAX];
	size_t loopback_port_count;
	size_t count; /* -n */
	const char *since; /* as it was written */
	const char *lasting; /* --for, as it was written */
	const char *profile;
	const char *output; /* the path of a file, instead of standard output */
	bool no_audit, json, all, raw, down, force, hooks, root, user, follow, verify, starting, learn, diff;
	const char *operands[COMMAND_OPERANDS_MAX]; /* without the container */
	size_t operand_count;
	char **rest; /* what stands behind "--", NULL-terminated; NULL when there was no "--" */
	size_t rest_count;
};

struct command {
	const char *name;
	const char *summary; /* one line, small letter first, no full stop */
	const char *usage;   /* what follows the name */
	const char *details; /* more lines for --help, may be NULL */
	const char *example;
	const char *words; /* the only ones that its first operand may be, separated by blanks; NULL: any */
	/* Returns an exit code; COMMAND_FAILED and COMMAND_USAGE with the error filled, except where the command printed the reason
	 * itself. */
	enum command_exit (*run)(const struct command_options *options, struct error *error);
	uint32_t options;     /* OPTION_... that it takes */
	bool takes_container; /* the first operand, or --container-id */
	bool container_optional;
	uint16_t operands_min, operands_max; /* besides the container */
	bool takes_rest;
};

enum command_option {
	OPTION_STATE_DIR = 1u << 0,
	OPTION_TASK_STATE_DIR = 1u << 1,
	OPTION_PROFILES = 1u << 2,
	OPTION_PROFILES_DIR = 1u << 3,
	OPTION_LOOPBACK_PORT = 1u << 4,
	OPTION_NO_AUDIT = 1u << 5,
	OPTION_JSON = 1u << 6,
	OPTION_ALL = 1u << 7,
	OPTION_RAW = 1u << 8,
	OPTION_DOWN = 1u << 9,
	OPTION_FORCE = 1u << 10,
	OPTION_HOOKS = 1u << 11,
	OPTION_CONTAINER_ID = 1u << 12,
	OPTION_CONTAINER = 1u << 13,
	OPTION_COUNT = 1u << 14,
	OPTION_ROOT = 1u << 15,
	OPTION_USER = 1u << 16,
	OPTION_FOLLOW = 1u << 17,
	OPTION_SINCE = 1u << 18,
	OPTION_VERIFY = 1u << 19,
	OPTION_STARTING = 1u << 20,
	OPTION_EVERY = 1u << 21,
	OPTION_LEARN = 1u << 22,
	OPTION_PROFILE = 1u << 23,
	OPTION_DIFF = 1u << 24,
	OPTION_OUTPUT = 1u << 25,
	OPTION_FOR = 1u << 26,
};

/* The commands, ended by one without a name. */
extern const struct command command_table[];
/* NULL when there is none of that name. */
const struct command *command_find(const char *name);

/* Calls visit for each option that a command takes. name: without "--", NULL for one that has a letter only; letter: 0 without one;
 * value: the word for its value, NULL for a switch. For the help and the shells' completions. */
void command_each_option(const struct command *command,
	void (*visit)(void *context, const char *name, char letter, const char *value, const char *help), void *context);

/* Parses the arguments behind the command's name into options (which the caller set to zeros; options given before the command
 * stay). help: set when -h or --help was among them; nothing else is checked then. Errors: -EINVAL with one line. Free the options
 * in either case. */
int command_parse(const struct command *command, int argc, char **argv, struct command_options *options, bool *help, struct error *error);
void command_options_free(struct command_options *options);

/* False for what no option that names a folder takes: nothing, control characters, and what looks like the next option. Whether there is
 * such a folder is for the command to find out. */
bool command_folder_is_fit(const char *word);

/* Prints the help of one command, or the list of all. */
void command_help(const struct command *command);
void command_help_all(void);

/* The whole program: returns the exit code. */
int command_main(int argc, char **argv);

#define COMMAND_DEFINE(name) enum command_exit cmd_##name(const struct command_options *options, struct error *error)
COMMAND_DEFINE(run);
COMMAND_DEFINE(prepare);
COMMAND_DEFINE(allow);
COMMAND_DEFINE(deny);
COMMAND_DEFINE(up);
COMMAND_DEFINE(down);
COMMAND_DEFINE(block);
COMMAND_DEFINE(rules);
COMMAND_DEFINE(status);
COMMAND_DEFINE(profiles);
COMMAND_DEFINE(logs);
COMMAND_DEFINE(preview);
COMMAND_DEFINE(check_environment);
COMMAND_DEFINE(resolve);
COMMAND_DEFINE(reload);
COMMAND_DEFINE(help);
COMMAND_DEFINE(why);
COMMAND_DEFINE(list);
COMMAND_DEFINE(rm);
COMMAND_DEFINE(config);
COMMAND_DEFINE(setup);
COMMAND_DEFINE(completion);
COMMAND_DEFINE(verify);
COMMAND_DEFINE(simple_clearance);
COMMAND_DEFINE(watch);
COMMAND_DEFINE(top);
COMMAND_DEFINE(learn);
COMMAND_DEFINE(suggest);
COMMAND_DEFINE(metrics);
COMMAND_DEFINE(report);

#endif
