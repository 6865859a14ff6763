/* What goes back to the client. */
#include "dns/reply.h"

#include <string.h>

#define OPTION_EDE 15 /* RFC 8914 section 2 */

static void header_write(const struct question *question, uint16_t flags, int rcode, uint8_t *out)
{
	memset(out, 0, MESSAGE_HEADER);
	message_put16(out, question->id);
	flags |= MESSAGE_QR | MESSAGE_RA | question->opcode;
	flags |= question->recursion ? MESSAGE_RD : 0;
	flags |= question->checking_disabled ? MESSAGE_CD : 0;
	message_put16(out + 2, (uint16_t)(flags | ((unsigned)rcode & MESSAGE_RCODE)));
	out[5] = question->has_name;
}

static size_t question_write(const struct question *question, uint8_t *at)
{
	if (!question->has_name)
		return 0;
	memcpy(at, question->asked, question->name.length);
	message_put16(at + question->name.length, question->type);
	message_put16(at + question->name.length + 2, question->class);
	return question->name.length + 4u;
}

/* Appends our OPT and counts it. Returns its length, 0 for a client without EDNS. */
static size_t opt_write(const struct question *question, int rcode, int ede, const char *text, uint8_t *message, uint8_t *at)
{
	size_t text_length = text ? strnlen(text, REPLY_EDE_TEXT_MAX) : 0;
	size_t data_length = ede == EDE_NONE ? 0 : 6 + text_length;

	if (!question->edns)
		return 0;
	at[0] = 0;
	message_put16(at + 1, TYPE_OPT);
	message_put16(at + 3, MESSAGE_UDP_EDNS);
	at[5] = (uint8_t)((unsigned)rcode >> 4); /* the upper bits of the extended rcode */
	at[6] = 0;				 /* version */
	message_put16(at + 7, question->dnssec_ok ? 0x8000 : 0);
	message_put16(at + 9, (uint16_t)data_length);
	if (data_length) {
		message_put16(at + 11, OPTION_EDE);
		message_put16(at + 13, (uint16_t)(2 + text_length));
		message_put16(at + 15, (uint16_t)ede);
		if (text_length)
			memcpy(at + 17, text, text_length);
	}
	message[11] = 1;
	return 11 + data_length;
}

size_t reply_error(const struct question *question, int rcode, int ede, const char *text, uint8_t *out)
{
	size_t length = MESSAGE_HEADER;

	header_write(question, 0, rcode, out);
	length += question_write(question, out + length);
	return length + opt_write(question, rcode, ede, text, out, out + length);
}

/* What of a source goes out. */
struct extent {
	size_t length;
	uint16_t answer_count, authority_count;
	size_t ttl_count;
};

/* The answers that fit whole, for a client that takes so many octets and has to be told to ask again. RFC 2181 section 9 lets them go along; musl before 1.2.4
 * cannot ask by TCP and takes them. Names are compressed backwards only, so nothing that stays needs what is cut. */
static struct extent extent_cut(const struct reply_source *source, size_t question_end, size_t limit)
{
	struct extent extent = {.length = question_end};

	while (extent.answer_count < source->answer_count) {
		size_t ttl = source->ttls[extent.answer_count], end = ttl + 6 + message_get16(source->wire + ttl + 4);

		if (end > limit)
			break;
		extent.length = end;
		extent.ttl_count = ++extent.answer_count;
	}
	return extent;
}

static uint32_t ttl_left(const struct reply_source *source, size_t at)
{
	uint32_t ttl_s = message_get32(source->wire + at);

	if (ttl_s & 0x80000000u) /* RFC 2181 section 8 */
		ttl_s = 0;
	if (ttl_s > source->ttl_max_s)
		ttl_s = source->ttl_max_s;
	return ttl_s > source->age_s ? ttl_s - source->age_s : 0;
}

size_t reply_answer(const struct question *question, const struct reply_source *source, int ede, const char *text, size_t limit, uint8_t *out)
{
	struct extent extent = {source->length, source->answer_count, source->authority_count, source->ttl_count};
	size_t opt = question->edns ? 11 : 0, explanation = opt && ede != EDE_NONE ? 6 + (text ? strnlen(text, REPLY_EDE_TEXT_MAX) : 0) : 0;
	uint16_t flags = source->authentic && (question->authentic_data || question->dnssec_ok) ? MESSAGE_AD : 0;

	if (source->length + opt + explanation > limit)
		ede = EDE_NONE;
	if (source->length + opt > limit) {
		flags = MESSAGE_TC;
		extent = extent_cut(source, MESSAGE_HEADER + question->name.length + 4u, limit - opt);
	}
	memcpy(out + MESSAGE_HEADER, source->wire + MESSAGE_HEADER, extent.length - MESSAGE_HEADER);
	header_write(question, flags, source->rcode, out);
	message_put16(out + 6, extent.answer_count);
	message_put16(out + 8, extent.authority_count);
	memcpy(out + MESSAGE_HEADER, question->asked, question->name.length);
	for (size_t i = 0; i < extent.ttl_count; i++)
		message_put32(out + source->ttls[i], ttl_left(source, source->ttls[i]));
	return extent.length + opt_write(question, source->rcode, ede, text, out, out + extent.length);
}

size_t reply_udp_limit(const struct question *question)
{
	return question->udp_size < MESSAGE_UDP_EDNS ? question->udp_size : MESSAGE_UDP_EDNS;
}
