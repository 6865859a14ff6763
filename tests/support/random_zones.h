/* Zones that are drawn: whatever may stand in one, in no sensible proportion, so that a forwarder meets what nobody thought of. The same seed makes the same zones.
 *
 * r0.test to r3.test refer to each other and to names outside; r2.test is signed. What stands in them is a tree of owners: data, aliases, DNAMEs, delegations,
 * wildcards, names that exist only by what is below them. Rules of a profile are drawn over them, with a small model of what they allow that shares no code with ours.
 *
 * The seed is SHIELD_SEED's, or one of the moment: whoever draws prints it. */
#ifndef TESTS_SUPPORT_RANDOM_ZONES_H
#define TESTS_SUPPORT_RANDOM_ZONES_H

#include <stdbool.h> /* before ldns, which makes bool a signed char where it is not known yet */

#include <ldns/ldns.h>
#include <stdint.h>

#include "support/asking.h"

struct draw {
	uint64_t state;
};

/* From 0 to below - 1. */
unsigned draw_below(struct draw *draw, unsigned below);
bool draw_percent(struct draw *draw, unsigned percent);

#define RANDOM_ZONES      4
#define RANDOM_OWNERS_MAX 600
#define RANDOM_RULES_MAX  64
#define RANDOM_TYPES_MAX  6

enum random_owner_kind {
	RANDOM_DATA,
	RANDOM_ALIAS,
	RANDOM_DNAME,
	RANDOM_CUT, /* a delegation */
};

struct random_owner {
	enum random_owner_kind kind;
	unsigned zone;
	ldns_rdf *name;
	char *text;
	unsigned types[RANDOM_TYPES_MAX], type_count;
};

struct random_rule {
	ldns_rdf *name;
	bool exclude, exact, below;
};

struct random_zones {
	struct draw draw;
	struct random_owner owners[RANDOM_OWNERS_MAX];
	size_t owner_count;
	struct random_rule rules[RANDOM_RULES_MAX];
	size_t rule_count;
	char *profile; /* the rules as a profile's lines */
	unsigned most;
	bool plain;       /* what is drawn has no odd octets */
	char *data;       /* of the record that is being drawn */
	size_t data_size; /* octets in use */
};

extern const char *const random_zones_origins[RANDOM_ZONES + 1];

/* Draws owners and rules; the records are drawn by random_zones_write(). most: addresses of one kind that a name may have. */
struct random_zones *random_zones_new(uint64_t seed, unsigned most);
void random_zones_free(struct random_zones *zones);

/* Writes the zones' files into the folder. Returns NULL, or what went wrong. */
const char *random_zones_write(struct random_zones *zones, const char *folder);

/* A question: for a name that is there, or near one, or anywhere. Its variant is another's to draw. */
void random_zones_ask(struct random_zones *zones, struct query *query);
void random_variant(struct draw *draw, struct variant *variant);

#endif
