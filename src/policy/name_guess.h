/* What a name looks like: whose it is, whether anybody can publish below it, whether a machine made it up. Guesses, for warnings and
 * suggestions that a person reads; nothing is decided by them. */
#ifndef POLICY_NAME_GUESS_H
#define POLICY_NAME_GUESS_H

#include "policy/name.h"

/* A suffix below which names are given to whoever asks. */
struct name_guess_hosting {
	const char *suffix;
	bool whole; /* one host serves all customers by path: not even the exact name is one party's */
	bool pages; /* pages of text only: that much a profile may open on purpose */
	const char *who;
};

/* The one that the name is, or lies below; NULL. */
const struct name_guess_hosting *name_guess_hosting_over(const struct name *name);
/* The first one that is the name, or lies below it; NULL. */
const struct name_guess_hosting *name_guess_hosting_under(const struct name *name);

/* The domain that one party has registered, as far as the name's looks tell: "example.com" of "a.b.example.com", "example.co.uk".
 * False when there is none: a single label, a public suffix, a reverse name, or below a hosting suffix, where customers' names stand at
 * any depth. It errs to the narrow side: what it gives may be less than what was registered, and is likely to be where a country gives
 * out names at several depths. */
bool name_guess_owner(const struct name *name, struct name *owner);

/* True when a label looks as if it was computed and not thought of: a hash, an identifier, data. */
bool name_guess_generated(const struct name *name);

/* True for a well-known resolver that answers over HTTPS, past this program. */
bool name_guess_resolver(const struct name *name);

#endif
