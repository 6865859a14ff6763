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

/* The same for work that is wanted again and again: the child stays inside until it is closed or the caller ends. work is called at each
 * inside_ask(); what it changes in memory stays in the child, so that context may keep something open there. Of the caller's descriptors
 * it has the standard three. */
struct inside {
	pid_t child; /* 0: none */
	int fd;
};
#define INSIDE_INIT                                                                                                                        \
	{                                                                                                                                  \
		.fd = -1                                                                                                                   \
	}

int inside_open(struct inside *inside, const struct bundle_runtime *runtime,
	int (*work)(void *context, struct text *output, struct error *error), void *context, struct error *error);
/* As inside_run(), within 5 s. After -EPROTO and -ETIMEDOUT there is no child any more: close it. */
int inside_ask(struct inside *inside, struct text *output, struct error *error);
void inside_close(struct inside *inside);

#endif
