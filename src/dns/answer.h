/* What an upstream answers: matched to the question, its chain followed, its addresses found, everything else marked for removal.
 *
 * Theory of operation. A resolver's answer to a plain question holds, in the answer section, a chain of CNAME records (a DNAME with the CNAME made from it)
 * from the qname to the records asked for, or, when there are none, an SOA in the authority section. Only that is believed. An answer whose answer section
 * holds just its chain is `clean`: it is relayed as it came, cut behind the answer section (behind the authority section when it is negative, or was made from
 * a wildcard and its proof stands there for a client that sent DO), with id, flags, the question's case and TTLs patched in place. Any other goes through answer_rewrite(), which removes what is not marked to be kept,
 * and is parsed again: what is relayed has always passed this parser as clean.
 */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "dns/question.h"
#include "policy/netset.h"

#define ANSWER_RECORDS_MAX 512	 /* in the answer and authority sections together */
#define ANSWER_ADDRESSES_MAX 256 /* learned from one answer; records beyond are removed */
#define ANSWER_CHAIN_MAX 16	 /* CNAME and DNAME steps */
#define ANSWER_TTL_MAX_S 86400	 /* handed out at most: RFC 8767 section 4 caps at days, leases here at one */
#define ANSWER_NEGATIVE_MAX_S 3600 /* RFC 2308 section 5 suggests one to three hours */

struct answer {
	uint16_t rcode;		/* with the upper bits of the OPT record; where truncated, of the header alone */
	bool truncated;		/* TC: ask again by TCP */
	bool authentic;		/* AD */
	bool clean;		/* may be relayed as it is, cut at `end` */
	bool filtered;		/* some address was removed since it is an inside one */
	bool negative;		/* no record of the type asked for */
	uint32_t ttl_s;		/* how long it may be cached: the least TTL, or the negative TTL; capped; 0: not at all */
	uint32_t lease_s;	/* the greatest TTL that is handed out: its addresses must stay admitted that long */
	size_t end;		/* where to cut */
	uint16_t answer_count, authority_count; /* the header's counts after the cut */
	struct message_record records[ANSWER_RECORDS_MAX]; /* of the answer, then of the authority section */
	bool keep[ANSWER_RECORDS_MAX];
	size_t record_count;
	size_t first_authority; /* index into records */
	struct addr addresses[ANSWER_ADDRESSES_MAX]; /* of kept records, hints included, without duplicates */
	size_t address_count;
};

/* Whether an inside address may pass all the same: one that a network of the policy covers. NULL: none. `unfiltered` lets all pass (state down_all). */
struct answer_filter {
	const struct netset *allowed;
	bool unfiltered;
};

/* Parses a response. Returns 0, or
 * -EBADMSG	it is not the answer to this question (id, QR, opcode, question section): ignore it and go on waiting
 * -EPROTO	it is, and it is malformed: a record cut short, a kept one with a malformed name in its data, several CNAMEs of one owner, a loop,
 *		a chain longer than ANSWER_CHAIN_MAX, more records than ANSWER_RECORDS_MAX (in the additional section as many again), two OPT records
 * With an rcode other than NOERROR and NXDOMAIN the answer has no records, whatever came with it. NXDOMAIN is said of the last name of
 * the chain (RFC 6604 section 3): the steps that lead to it are kept, and nothing that the name is said to have all the same. */
int answer_parse(const uint8_t *wire, size_t length, uint16_t id, const struct question *question, const struct answer_filter *filter, struct answer *answer);

/* Writes the message again with only the records that are kept. out: size octets. Returns the new length, 0 when it does not fit or
 * does not parse. Uses ldns; for the rare answer that is not clean. */
size_t answer_rewrite(const uint8_t *wire, size_t length, const struct answer *answer, uint8_t *out, size_t size);

#endif
