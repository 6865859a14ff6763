/* Two replies to the same query, compared by what they mean. */
#include "compare.h"

#include <string.h>

#include "dns/message.h"

#define RESERVED 0x0040 /* Z: RFC 1035 section 4.1.1 */
#define OPTION_LAST 255

static void options_read(struct view *view)
{
	const ldns_rdf *data = ldns_pkt_edns_data(view->packet);
	const uint8_t *at = data ? ldns_rdf_data(data) : NULL;
	size_t left = data ? ldns_rdf_size(data) : 0;

	while (left >= 4) {
		size_t size = 4u + message_get16(at + 2);
		unsigned code = message_get16(at);

		view->options[code < OPTION_LAST ? code : OPTION_LAST] = true;
		if (size > left)
			return;
		at += size;
		left -= size;
	}
}

void view_read(struct view *view)
{
	view->packet = NULL;
	view->rcode = 0;
	memset(view->options, 0, sizeof(view->options));
	if (!view->length || ldns_wire2pkt(&view->packet, view->octets, view->length) != LDNS_STATUS_OK) {
		view->packet = NULL;
		return;
	}
	view->sections[VIEW_ANSWER] = ldns_rr_list_clone(ldns_pkt_answer(view->packet));
	view->sections[VIEW_AUTHORITY] = ldns_rr_list_clone(ldns_pkt_authority(view->packet));
	view->sections[VIEW_ADDITIONAL] = ldns_rr_list_clone(ldns_pkt_additional(view->packet));
	for (unsigned i = 0; i < VIEW_SECTIONS; i++) {
		ldns_rr_list2canonical(view->sections[i]);
		ldns_rr_list_sort(view->sections[i]);
	}
	view->rcode = (unsigned)ldns_pkt_get_rcode(view->packet);
	if (!ldns_pkt_edns(view->packet))
		return;
	view->rcode |= (unsigned)ldns_pkt_edns_extended_rcode(view->packet) << 4;
	options_read(view);
}

void view_free(struct view *view)
{
	if (!view->packet)
		return;
	for (unsigned i = 0; i < VIEW_SECTIONS; i++)
		ldns_rr_list_deep_free(view->sections[i]);
	ldns_pkt_free(view->packet);
	view->packet = NULL;
}

struct comparison {
	struct difference *differences;
	size_t count;
};

static void differ(struct comparison *comparison, struct difference difference)
{
	if (comparison->count < DIFFERENCES_MAX)
		comparison->differences[comparison->count++] = difference;
}

static void differ_if(struct comparison *comparison, enum difference_kind kind, bool reference, bool found)
{
	if (reference != found)
		differ(comparison, (struct difference){.kind = kind, .more = found});
}

/* Both are sorted. */
static void section_compare(struct comparison *comparison, enum view_section section, const ldns_rr_list *reference, const ldns_rr_list *found)
{
	size_t i = 0, j = 0;

	while (i < ldns_rr_list_rr_count(reference) || j < ldns_rr_list_rr_count(found)) {
		const ldns_rr *wanted = i < ldns_rr_list_rr_count(reference) ? ldns_rr_list_rr(reference, i) : NULL;
		const ldns_rr *seen = j < ldns_rr_list_rr_count(found) ? ldns_rr_list_rr(found, j) : NULL;
		int order = !wanted ? 1 : !seen ? -1 : ldns_rr_compare(wanted, seen);

		if (order < 0)
			differ(comparison, (struct difference){.kind = DIFF_MISSING, .section = section, .record = wanted});
		else if (order > 0)
			differ(comparison, (struct difference){.kind = DIFF_MORE, .section = section, .record = seen, .more = true});
		else if (ldns_rr_ttl(seen) > ldns_rr_ttl(wanted))
			differ(comparison, (struct difference){.kind = DIFF_TTL, .section = section, .record = seen, .more = true});
		i += order <= 0;
		j += order >= 0;
	}
}

/* Id, opcode, RD, CD, and the question as it was spelled; a reply that repeats no question (RFC 1035 asks for none after FORMERR) is held to what it has. */
static bool repeats_question(const struct view *found, const uint8_t *query, size_t query_length)
{
	static const uint16_t repeated = MESSAGE_OPCODE | MESSAGE_RD | MESSAGE_CD;
	size_t end = MESSAGE_HEADER;

	if (memcmp(found->octets, query, 2) || ((message_get16(found->octets + 2) ^ message_get16(query + 2)) & repeated))
		return false;
	if (!message_get16(found->octets + 4))
		return message_get16(query + 4) != 1 || found->rcode == RCODE_FORMERR || found->rcode == RCODE_NOTIMP;
	while (end < query_length && query[end])
		end += 1u + query[end];
	end += 5;
	return end <= query_length && end <= found->length && !memcmp(found->octets + MESSAGE_HEADER, query + MESSAGE_HEADER, end - MESSAGE_HEADER);
}

static void edns_compare(struct comparison *comparison, const struct view *reference, const struct view *found)
{
	differ_if(comparison, DIFF_EDNS, ldns_pkt_edns(reference->packet), ldns_pkt_edns(found->packet));
	if (!ldns_pkt_edns(reference->packet) || !ldns_pkt_edns(found->packet))
		return;
	if (ldns_pkt_edns_version(reference->packet) != ldns_pkt_edns_version(found->packet))
		differ(comparison, (struct difference){.kind = DIFF_EDNS});
	differ_if(comparison, DIFF_DO, ldns_pkt_edns_do(reference->packet), ldns_pkt_edns_do(found->packet));
	for (unsigned i = 0; i <= OPTION_LAST; i++)
		if (reference->options[i] != found->options[i])
			differ(comparison, (struct difference){.kind = DIFF_OPTION, .option = i, .more = found->options[i]});
}

size_t view_compare(const struct view *reference, const struct view *found, const uint8_t *query, size_t query_length, size_t limit,
		    struct difference differences[DIFFERENCES_MAX])
{
	struct comparison comparison = {.differences = differences};

	if (!reference->length || !found->length) {
		differ_if(&comparison, DIFF_SILENT, reference->length, found->length);
		return comparison.count;
	}
	if (!reference->packet || !found->packet) {
		differ(&comparison, (struct difference){.kind = DIFF_UNREADABLE, .more = !found->packet});
		return comparison.count;
	}
	if (reference->rcode != found->rcode)
		differ(&comparison, (struct difference){.kind = DIFF_RCODE});
	if (!repeats_question(found, query, query_length))
		differ(&comparison, (struct difference){.kind = DIFF_QUESTION});
	if (found->length > limit || message_get16(found->octets + 2) & RESERVED)
		differ(&comparison, (struct difference){.kind = DIFF_SIZE});
	differ_if(&comparison, DIFF_AA, ldns_pkt_aa(reference->packet), ldns_pkt_aa(found->packet));
	differ_if(&comparison, DIFF_TC, ldns_pkt_tc(reference->packet), ldns_pkt_tc(found->packet));
	differ_if(&comparison, DIFF_RA, ldns_pkt_ra(reference->packet), ldns_pkt_ra(found->packet));
	differ_if(&comparison, DIFF_AD, ldns_pkt_ad(reference->packet), ldns_pkt_ad(found->packet));
	edns_compare(&comparison, reference, found);
	for (unsigned i = 0; i < VIEW_SECTIONS; i++)
		section_compare(&comparison, (enum view_section)i, reference->sections[i], found->sections[i]);
	return comparison.count;
}

const char *difference_word(const struct difference *difference)
{
	static const char *const words[DIFF_KINDS] = {
		[DIFF_SILENT] = "silent", [DIFF_UNREADABLE] = "garbled", [DIFF_RCODE] = "rcode", [DIFF_TTL] = "ttl",	  [DIFF_AA] = "aa",	   [DIFF_TC] = "tc",
		[DIFF_RA] = "ra",	  [DIFF_AD] = "ad",		 [DIFF_QUESTION] = "quest", [DIFF_EDNS] = "edns", [DIFF_DO] = "do", [DIFF_OPTION] = "option",
		[DIFF_SIZE] = "size",
	};
	static const char *const missing[VIEW_SECTIONS] = {"ans-", "auth-", "add-"}, *const more[VIEW_SECTIONS] = {"ans+", "auth+", "add+"};

	if (difference->kind == DIFF_MISSING)
		return missing[difference->section];
	if (difference->kind == DIFF_MORE)
		return more[difference->section];
	return words[difference->kind];
}
