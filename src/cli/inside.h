/* Work inside a container's network namespace, for a program that itself stays outside. */
#ifndef CLI_INSIDE_H
#define CLI_INSIDE_H

#include "base/error.h"
#include "base/text.h"
#include "state/bundle.h"

/* Runs work(context, output, error) in a child that has entered the namespaces of the process that runtime names, after making sure
 * that it still is that process. What it adds to output and its error come back; what it changes in memory does not. A rootless
 * process cannot come back from there, hence the child. Returns what work returned, -ESRCH when the container has ended, -ETIMEDOUT
 * after 60 s. */
int inside_run(const struct bundle_runtime *runtime, int (*work)(void *context, struct text *output, struct error *error), void *context,
	struct text *output, struct error *error);

#endif
