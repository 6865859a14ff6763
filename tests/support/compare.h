/* Two replies to the same query, compared by what they mean: sections as sets, names without case or compression, TTLs by "at most". Messages are read by ldns and by
 * fixed offsets, not by the code under test. */
#ifndef TESTS_SUPPORT_COMPARE_H
#define TESTS_SUPPORT_COMPARE_H

#include <stdbool.h> /* before ldns, which makes bool a signed char where it is not known yet */

#include <ldns/ldns.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum view_section {
	VIEW_ANSWER,
	VIEW_AUTHORITY,
	VIEW_ADDITIONAL, /* without OPT */
	VIEW_SECTIONS,
};

struct view {
	size_t length; /* 0: no reply came */
	uint8_t octets[65535];
	ldns_pkt *packet; /* NULL: no reply, or one that ldns cannot read */
	ldns_rr_list *sections[VIEW_SECTIONS]; /* sorted, canonical; entries are the packet's */
	unsigned rcode; /* with the upper bits of the OPT record */
	bool options[256]; /* EDNS options by code; the last one stands for all that are greater */
};

enum difference_kind {
	DIFF_SILENT,	  /* one has replied, the other not */
	DIFF_UNREADABLE,
	DIFF_RCODE,
	DIFF_MISSING,	  /* a record that the reference has; .section */
	DIFF_MORE,	  /* a record that the reference has not */
	DIFF_TTL,	  /* higher than the reference's */
	DIFF_AA,
	DIFF_TC,
	DIFF_RA,
	DIFF_AD,
	DIFF_QUESTION,	  /* not octet by octet what was asked, or the id or opcode or RD, CD */
	DIFF_EDNS,	  /* one has an OPT record, the other not; or another version */
	DIFF_DO,
	DIFF_OPTION,	  /* an EDNS option that the other has not; .option */
	DIFF_SIZE,	  /* longer than the client takes by UDP; reserved bits that are set: RFC 1035 section 4.1.1 */
	DIFF_KINDS,
};

struct difference {
	enum difference_kind kind;
	enum view_section section;
	const ldns_rr *record;
	unsigned option;
	bool more; /* what was found has it, the reference has not */
};

#define DIFFERENCES_MAX 1024

/* Reads what is in octets and length. view_free() gives back what it holds. */
void view_read(struct view *view);
void view_free(struct view *view);

/* What is different in `found` from `reference`, both replies to the query. limit: octets that the client takes. Returns how many. */
size_t view_compare(const struct view *reference, const struct view *found, const uint8_t *query, size_t query_length, size_t limit,
		    struct difference differences[DIFFERENCES_MAX]);

/* A word of at most eight letters for the kind and the section: "ans-" for records of the answer section that are missing. */
const char *difference_word(const struct difference *difference);

#endif
