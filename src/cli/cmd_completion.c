/* completion: what a shell sources. */
#include <errno.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/completion.h"

enum command_exit cmd_completion(const struct command_options *options, struct error *error)
{
	cleanup_text struct text text = {0};
	int rc = completion_render(&text, options->operands[0]);
	if (rc) {
		error_errno(error, -rc, "cannot make the completion");
		return COMMAND_FAILED;
	}
	fputs(text.data, stdout);
	return COMMAND_DONE;
}
