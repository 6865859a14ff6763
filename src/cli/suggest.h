/* What a container used, or was refused, turned into lines of a profile. Pure.
 *
 * Theory of operation. The rows of the record are gathered by subject: a name, or an address that was reached without one. A subject
 * becomes a line when it was used: the state let everything pass at some time, and a connection was made, that is, the other side
 * answered. What was only tried becomes a line that is not active. What was refused since then, or by a shield that was never down, is
 * suggested too, less what the container's own lines allow by now, and except where something speaks against it. Lines name no more than
 * what was seen: the exact name, and the port if it was one only. Where several names of one party were used, one line for all below
 * their common parent takes their place; but never where names below that parent may be another party's (policy/name_guess.h), or where
 * the container's own lines take one of them out.
 *
 * The record has each connection under one name: the one that brought its address last. Where several names have brought it another may
 * have been meant, so each that was asked for by then and has nothing of its own is suggested as well, and its line says so.
 *
 * All of it is a suggestion to a person: the workload chooses what it asks for while it is watched. */
#ifndef CLI_SUGGEST_H
#define CLI_SUGGEST_H

#include "base/text.h"
#include "policy/name_guess.h"
#include "policy/policy.h"
#include "state/activity.h"

#define SUGGEST_PORTS_MAX 8
#define SUGGEST_MERGE_MIN 3 /* names of one party that become one line */

enum suggest_kind {
	SUGGEST_TREE, /* several names: one line for all below their parent */
	SUGGEST_NAME,
	SUGGEST_ADDRESS,
};

/* Why there is a line; in the order in which they stand. */
enum suggest_standing {
	SUGGEST_USED,
	SUGGEST_REFUSED, /* since it learned, or it never learned */
	SUGGEST_COMMENT, /* it is not active: nobody answered, or something speaks against it */
};

/* What a reader should know of a line; bits. */
enum suggest_warning {
	SUGGEST_SHARED = 1u << 0,    /* anybody can publish there */
	SUGGEST_GENERATED = 1u << 1, /* it looks computed: another one next time, or data */
	SUGGEST_RESOLVER = 1u << 2,  /* names asked there are not seen */
	SUGGEST_INSIDE = 1u << 3,    /* a private address */
	SUGGEST_TAKEN_OUT = 1u << 4, /* a line with '!' */
	SUGGEST_UNANSWERED = 1u << 5,
};
#define SUGGEST_WARNINGS 6

struct suggest_line {
	enum suggest_kind kind;
	struct rule rule;
	enum suggest_standing standing;
	unsigned warnings;
	const struct name_guess_hosting *hosting; /* with SUGGEST_SHARED */
	uint64_t questions, attempts, made;
	struct policy_port ports[SUGGEST_PORTS_MAX]; /* that were used; port 0: a protocol without ports */
	size_t port_count;
	bool more_ports;
	int64_t first, last;         /* seconds since the epoch */
	bool shares_address;         /* it was counted under another name of the same address */
	size_t member, member_count; /* of SUGGEST_TREE: its names in suggest.members */
	bool dropped;                /* for suggest_make() alone */
};

struct suggest_member {
	struct name name;
	uint64_t count; /* connections made, or questions */
};

/* Zero-initialise. */
struct suggest {
	bool learned;               /* it says what was used; otherwise what was refused */
	struct suggest_line *lines; /* active ones first, the most general first, then by domain */
	size_t count;
	struct suggest_member *members;
	size_t member_count;
	size_t covered, denied, unwritable; /* subjects that were left out, and why */
};

struct suggest_order {
	const struct activity *activity;
	bool learns;                   /* the container does so now */
	const struct policy *own;      /* of the container: what it takes out and denies is heeded, what it allows is no longer refused */
	const struct policy *covering; /* what it allows is left out; NULL: nothing is */
};

/* -ENOMEM. Free suggest in either case. */
int suggest_make(const struct suggest_order *order, struct suggest *suggest);
void suggest_free(struct suggest *suggest);
#define cleanup_suggest __attribute__((cleanup(suggest_free)))

/* "shared-hosting", "generated", ...; i from 0 to SUGGEST_WARNINGS - 1. */
const char *suggest_warning_name(unsigned i);
/* Adds what it means for the line, in words. */
void suggest_warning_add(const struct suggest_line *line, unsigned i, struct text *text);

struct suggest_head {
	const char *container;
	const char *profile; /* "what P allows is left out"; NULL */
	const struct activity *activity;
};

/* The profile. */
void suggest_render(const struct suggest *suggest, const struct suggest_head *head, struct text *text);
/* A unified diff that adds the text to the end of a file; path as it is shown. */
void suggest_diff(const char *path, const char *old, size_t old_length, const char *added, struct text *text);

#endif
