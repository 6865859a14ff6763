/* The programs of one installation find each other beside themselves, never through PATH. */
#ifndef HOOK_PROGRAM_H
#define HOOK_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

#define PROGRAM_OUTPUT_MAX (1u << 20)

/* The path of the program `name` in the folder of /proc/self/exe; it is there and can be executed. path: PATH_MAX octets.
 * Errors: -ENOENT and the like with the path in the text. */
int program_beside(char path[PATH_MAX], const char *name, struct error *error);

/* Runs a program by its path, its standard output (and error, where both are wanted) into output, at most PROGRAM_OUTPUT_MAX octets; one
 * that takes longer is killed. Returns its exit status, or a negative errno. */
int program_capture(char *const arguments[], bool both, unsigned timeout_ms, struct text *output);

#endif
