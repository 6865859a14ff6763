/* Writing an answer again without the records that are not believed, through ldns. Only the kept records are read, each where the parser located it, so that
 * nothing in a record that goes can shift or spoil one that stays. */
#include <stdbool.h> /* before ldns, which makes bool a signed char where it is not known yet */

#include <ldns/ldns.h>
#include <string.h>

#include "dns/answer.h"

/* Moves the record at `from` into the packet; it must end at `end`. */
static bool record_copy(ldns_pkt *to, ldns_pkt_section section, const uint8_t *wire, size_t length, size_t from, size_t end)
{
	ldns_rr *record = NULL;

	if (ldns_wire2rr(&record, wire, length, &from, section) != LDNS_STATUS_OK)
		return false;
	if (from == end && ldns_pkt_push_rr(to, section, record))
		return true;
	ldns_rr_free(record);
	return false;
}

static bool packet_fill(ldns_pkt *to, const uint8_t *wire, size_t length, const struct answer *answer)
{
	size_t question_end = message_name_skip(wire, length, MESSAGE_HEADER) + 4;

	ldns_pkt_set_id(to, message_get16(wire));
	ldns_pkt_set_qr(to, true);
	ldns_pkt_set_ad(to, answer->authentic && !answer->filtered); /* what lacks a record is not what was signed */
	ldns_pkt_set_rcode(to, (uint8_t)answer->rcode);
	if (!record_copy(to, LDNS_SECTION_QUESTION, wire, length, MESSAGE_HEADER, question_end))
		return false;
	for (size_t i = 0; i < answer->record_count; i++) {
		const struct message_record *record = &answer->records[i];
		ldns_pkt_section section = i < answer->first_authority ? LDNS_SECTION_ANSWER : LDNS_SECTION_AUTHORITY;

		if (answer->keep[i] && !record_copy(to, section, wire, length, record->owner, (size_t)record->data + record->data_length))
			return false;
	}
	return true;
}

size_t answer_rewrite(const uint8_t *wire, size_t length, const struct answer *answer, uint8_t *out, size_t size)
{
	ldns_pkt *to = ldns_pkt_new();
	uint8_t *written = NULL;
	size_t written_length = 0, result = 0;

	if (to && packet_fill(to, wire, length, answer) && ldns_pkt2wire(&written, to, &written_length) == LDNS_STATUS_OK && written_length <= size) {
		memcpy(out, written, written_length);
		result = written_length;
	}
	LDNS_FREE(written);
	ldns_pkt_free(to);
	return result;
}
