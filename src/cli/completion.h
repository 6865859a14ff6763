/* The shells' completions, made from the table of commands. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "base/text.h"

/* shell: "bash", "zsh" or "fish"; -EINVAL for another one, -ENOMEM. */
int completion_render(struct text *text, const char *shell);

#endif
