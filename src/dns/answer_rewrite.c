/* Writing an answer again without the records that are not believed, through ldns. */
#include <stdbool.h> /* before ldns, which makes bool a signed char where it is not known yet */

#include <ldns/ldns.h>

#include "dns/answer.h"

/* Moves the records of `from` that are kept into a new list. first: index of the section's first record in answer->keep. */
static ldns_rr_list *section_filter(ldns_rr_list *from, const struct answer *answer, size_t first)
{
	ldns_rr_list *kept = ldns_rr_list_new();

	if (!kept)
		return NULL;
	for (size_t i = 0; i < ldns_rr_list_rr_count(from); i++) {
		ldns_rr *copy;

		if (first + i >= answer->record_count || !answer->keep[first + i])
			continue;
		copy = ldns_rr_clone(ldns_rr_list_rr(from, i));
		if (!copy || !ldns_rr_list_push_rr(kept, copy)) {
			ldns_rr_free(copy);
			ldns_rr_list_deep_free(kept);
			return NULL;
		}
	}
	return kept;
}

static ldns_pkt *packet_filter(ldns_pkt *from, const struct answer *answer)
{
	ldns_pkt *to = ldns_pkt_new();
	ldns_rr_list *answers, *authority, *question;

	if (!to)
		return NULL;
	ldns_pkt_set_id(to, ldns_pkt_id(from));
	ldns_pkt_set_qr(to, true);
	ldns_pkt_set_ad(to, ldns_pkt_ad(from));
	ldns_pkt_set_rcode(to, ldns_pkt_get_rcode(from));
	question = ldns_rr_list_clone(ldns_pkt_question(from));
	answers = section_filter(ldns_pkt_answer(from), answer, 0);
	authority = section_filter(ldns_pkt_authority(from), answer, answer->first_authority);
	if (!question || !answers || !authority || !ldns_pkt_push_rr_list(to, LDNS_SECTION_QUESTION, question) ||
	    !ldns_pkt_push_rr_list(to, LDNS_SECTION_ANSWER, answers) || !ldns_pkt_push_rr_list(to, LDNS_SECTION_AUTHORITY, authority)) {
		ldns_rr_list_deep_free(question);
		ldns_rr_list_deep_free(answers);
		ldns_rr_list_deep_free(authority);
		ldns_pkt_free(to);
		return NULL;
	}
	/* the records belong to the packet now, the lists' own memory is still ours */
	ldns_rr_list_free(question);
	ldns_rr_list_free(answers);
	ldns_rr_list_free(authority);
	return to;
}

size_t answer_rewrite(const uint8_t *wire, size_t length, const struct answer *answer, uint8_t *out, size_t size)
{
	ldns_pkt *from = NULL, *to = NULL;
	uint8_t *written = NULL;
	size_t written_length = 0, result = 0;

	if (ldns_wire2pkt(&from, wire, length) == LDNS_STATUS_OK && (to = packet_filter(from, answer)) &&
	    ldns_pkt2wire(&written, to, &written_length) == LDNS_STATUS_OK && written_length <= size) {
		for (size_t i = 0; i < written_length; i++)
			out[i] = written[i];
		result = written_length;
	}
	LDNS_FREE(written);
	ldns_pkt_free(to);
	ldns_pkt_free(from);
	return result;
}
