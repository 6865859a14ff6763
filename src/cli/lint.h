/* Profiles looked over: lines that are errors, and rules that are probably not what was meant. Pure. */
#ifndef CLI_LINT_H
#define CLI_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lint_kind {
	LINT_ERROR,	/* the line is no rule: the profile is refused as a whole */
	LINT_SHARED,	/* anybody can publish below the name */
	LINT_DUPLICATE, /* the same rule stands further up */
	LINT_COVERED,	/* a wider rule says it already */
};

/* "error", "shared-hosting", "duplicate", "covered". */
const char *lint_kind_name(enum lint_kind kind);

struct lint_finding {
	uint32_t line;
	enum lint_kind kind;
	char text[1024];
};

/* Zero-initialise. */
struct lint {
	struct lint_finding *findings; /* by line */
	size_t count, capacity;
};

/* Looks a profile's text over. -ENOMEM. Free lint in either case. */
int lint_profile(struct lint *lint, const char *data, size_t length);
void lint_free(struct lint *lint);
#define cleanup_lint __attribute__((cleanup(lint_free)))

#endif
