/* The programs of one installation find each other beside themselves, never through PATH. */
#ifndef HOOK_PROGRAM_H
#define HOOK_PROGRAM_H

#include <limits.h>

#include "base/error.h"

/* The path of the program `name` in the folder of /proc/self/exe; it is there and can be executed. path: PATH_MAX octets.
 * Errors: -ENOENT and the like with the path in the text. */
int program_beside(char path[PATH_MAX], const char *name, struct error *error);

#endif
