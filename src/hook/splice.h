/* Hooks put into the text of a config.json, with every other octet of it left as it is. Pure: no I/O. */
#ifndef HOOK_SPLICE_H
#define HOOK_SPLICE_H

#include "base/error.h"
#include "base/text.h"

#define SPLICE_HOOK_TIMEOUT_S 20 /* for the runtime: longer than the hook's own deadline */

enum splice_outcome {
	SPLICE_NOT_SHIELDED, /* no annotation terok.shield.*: nothing to do */
	SPLICE_COMPLETE,     /* both hooks are there already */
	SPLICE_CHANGED,      /* out has the new document */
};

/* json: length octets. hook_path: of terok-shield-hook, absolute. out: only for SPLICE_CHANGED. A stage counts as there when its list has
 * an entry whose path ends in /terok-shield-hook and whose first argument is the stage. Ours comes last in its list: then hooks that set
 * up the network have run, and what was verified is what the container starts with. Errors: -EINVAL (not JSON, a member of the wrong type,
 * or twice), -ENOMEM. */
int splice_config(
	const char *json, size_t length, const char *hook_path, struct text *out, enum splice_outcome *outcome, struct error *error);

/* Adds a JSON string, quotes included. */
void splice_add_string(struct text *text, const char *string);

#endif
