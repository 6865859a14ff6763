/* Questions and answers of the probes: see probe_dns.h. */
#include "cli/probe_dns.h"

#include <string.h>

#include "dns/message.h"

#define OPT_LENGTH   11
#define OPTION_EDE   15 /* RFC 8914 section 2 */
#define EXPLANATION  "terok-shield: "

size_t probe_dns_question(uint8_t out[PROBE_DNS_QUESTION_MAX], uint16_t id, const struct name *name, uint16_t type)
{
	uint8_t *at = out + MESSAGE_HEADER;
	memset(out, 0, PROBE_DNS_QUESTION_MAX);
	message_put16(out, id);
	message_put16(out + 2, MESSAGE_RD);
	out[5] = 1;
	out[11] = 1;
	memcpy(at, name->wire, name->length);
	at += name->length;
	message_put16(at, type);
	message_put16(at + 2, MESSAGE_CLASS_IN);
	at += 4;
	message_put16(at + 1, TYPE_OPT); /* the root's name before it */
	message_put16(at + 3, MESSAGE_UDP_EDNS);
	return (size_t)(at + OPT_LENGTH - out);
}

static bool option_explains(const uint8_t *data, size_t length)
{
	static const size_t text = sizeof(EXPLANATION) - 1;
	return length >= 2 + text && message_get16(data) == EDE_BLOCKED && memcmp(data + 2, EXPLANATION, text) == 0;
}

static bool opt_explains(const uint8_t *wire, const struct message_record *record)
{
	const uint8_t *data = wire + record->data;
	for (size_t at = 0; at + 4 <= record->data_length;) {
		size_t length = message_get16(data + at + 2);
		if (length > record->data_length - at - 4)
			return false;
		if (message_get16(data + at) == OPTION_EDE && option_explains(data + at + 4, length))
			return true;
		at += 4 + length;
	}
	return false;
}

bool probe_dns_answer_read(
	struct probe_dns_answer *answer, const uint8_t *wire, size_t length, const uint8_t *question, size_t question_length)
{
	size_t asked = question_length - OPT_LENGTH;
	if (length < asked || message_get16(wire) != message_get16(question) || !(message_get16(wire + 2) & MESSAGE_QR) ||
		message_get16(wire + 4) != 1 || memcmp(wire + MESSAGE_HEADER, question + MESSAGE_HEADER, asked - MESSAGE_HEADER) != 0)
		return false;
	*answer = (struct probe_dns_answer){.rcode = message_get16(wire + 2) & MESSAGE_RCODE};
	unsigned records = (unsigned)message_get16(wire + 6) + message_get16(wire + 8) + message_get16(wire + 10);
	for (size_t at = asked; records > 0 && at; records--) {
		struct message_record record;
		at = message_record_read(wire, length, at, &record);
		if (at && record.type == TYPE_OPT && opt_explains(wire, &record))
			answer->explained = true;
	}
	return true;
}
