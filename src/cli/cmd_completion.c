/* completion: what a shell sources. */
#include <errno.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/completion.h"

enum command_exit cmd_completion(const struct command_options *options, struct error *error)
{
	cleanup_text struct text text = {0};
	int rc = completion_render(&text, options->operands[0]);
	if (rc == -EINVAL) {
		char shown[160];
		error_set(error, EINVAL, "there is a completion for bash, zsh and fish, not for '%s'",
			text_escaped(shown, sizeof(shown), options->operands[0]));
		return COMMAND_USAGE;
	}
	if (rc) {
		error_errno(error, -rc, "cannot make the completion");
		return COMMAND_FAILED;
	}
	fputs(text.data, stdout);
	return COMMAND_DONE;
}
