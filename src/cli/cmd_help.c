/* help: of one command, or the list. */
#include <errno.h>

#include "base/text.h"
#include "cli/command.h"

enum command_exit cmd_help(const struct command_options *options, struct error *error)
{
	char shown[160];
	if (options->operand_count == 0) {
		command_help_all();
		return COMMAND_DONE;
	}
	const struct command *command = command_find(options->operands[0]);
	if (!command) {
		error_set(error, EINVAL, "unknown command '%s'; see `terok-shield --help`",
			text_escaped(shown, sizeof(shown), options->operands[0]));
		return COMMAND_USAGE;
	}
	command_help(command);
	return COMMAND_DONE;
}
