/* What an upstream answers: the chain is followed and everything else is marked for removal. */
#include "dns/answer.h"

#include <errno.h>
#include <string.h>

#define SVC_PARAM_IPV4HINT 4 /* RFC 9460 section 14.3.2 */
#define SVC_PARAM_IPV6HINT 6

#define RRSIG_LABELS 3	/* RFC 4034 section 3.1: after the type covered and the algorithm */
#define RRSIG_FIXED 18	/* what stands before the signer's name */

struct walk {
	const uint8_t *wire;
	size_t length;
	const struct question *question;
	const struct answer_filter *filter;
	struct answer *answer;
	struct name chain[ANSWER_CHAIN_MAX + 1];
	size_t chain_length; /* names in chain: the qname and each target */
	bool found;	     /* a record of the type asked for */
};

static int header_match(const uint8_t *wire, size_t length, uint16_t id, const struct question *question)
{
	uint16_t flags;
	size_t end;

	if (length < MESSAGE_HEADER || message_get16(wire) != id || message_get16(wire + 4) != 1)
		return -EBADMSG;
	flags = message_get16(wire + 2);
	if (!(flags & MESSAGE_QR) || flags & MESSAGE_OPCODE)
		return -EBADMSG;
	end = MESSAGE_HEADER + question->name.length;
	/* stepping over it to `end` means that it is not compressed: it will be overwritten with the client's spelling */
	if (length < end + 4 || message_name_skip(wire, length, MESSAGE_HEADER) != end || !message_name_is(wire, length, MESSAGE_HEADER, &question->name))
		return -EBADMSG;
	if (message_get16(wire + end) != question->type || message_get16(wire + end + 2) != MESSAGE_CLASS_IN)
		return -EBADMSG;
	return 0;
}

/* Of the additional section only an OPT record counts, and of that the upper bits of the rcode (RFC 6891 section 6.1.3). */
static int additional_read(struct walk *walk, size_t at, size_t count)
{
	bool edns = false;

	if (count > ANSWER_RECORDS_MAX)
		return -EPROTO;
	for (size_t i = 0; i < count; i++) {
		struct message_record record;

		at = message_record_read(walk->wire, walk->length, at, &record);
		if (!at)
			return -EPROTO;
		if (record.type != TYPE_OPT)
			continue;
		if (edns || walk->wire[record.owner])
			return -EPROTO;
		edns = true;
		walk->answer->rcode |= (uint16_t)(walk->wire[record.ttl] << 4);
	}
	return 0;
}

static int records_locate(struct walk *walk)
{
	struct answer *answer = walk->answer;
	size_t answers = message_get16(walk->wire + 6), total = answers + message_get16(walk->wire + 8);
	size_t at = MESSAGE_HEADER + walk->question->name.length + 4u;

	if (total > ANSWER_RECORDS_MAX)
		return -EPROTO;
	answer->end = at;
	for (size_t i = 0; i < total; i++) {
		at = message_record_read(walk->wire, walk->length, at, &answer->records[i]);
		if (!at)
			return -EPROTO;
		answer->keep[i] = false;
		if (i + 1 == answers)
			answer->end = at;
	}
	answer->record_count = total;
	answer->first_authority = answers;
	return additional_read(walk, at, message_get16(walk->wire + 10));
}

/* An error stands for itself: whatever records came with it are nobody's answer. */
static void error_settle(struct walk *walk)
{
	struct answer *answer = walk->answer;

	answer->clean = answer->negative = true;
	answer->ttl_s = answer->lease_s = 0;
	answer->answer_count = answer->authority_count = 0;
	answer->record_count = answer->first_authority = 0;
	answer->end = MESSAGE_HEADER + walk->question->name.length + 4u;
}

static bool address_may_pass(const struct walk *walk, const struct addr *addr)
{
	if (walk->filter->unfiltered || addr_scope(addr) == ADDR_GLOBAL)
		return true;
	return walk->filter->allowed && netset_contains(walk->filter->allowed, addr);
}

/* Learns an address. False when the record that holds it has to go. */
static bool address_learn(struct walk *walk, const struct addr *addr)
{
	struct answer *answer = walk->answer;

	if (!address_may_pass(walk, addr)) {
		answer->filtered = true;
		return false;
	}
	for (size_t i = 0; i < answer->address_count; i++)
		if (addr_equal(&answer->addresses[i], addr))
			return true;
	if (answer->address_count == ANSWER_ADDRESSES_MAX)
		return false;
	answer->addresses[answer->address_count++] = *addr;
	return true;
}

/* The addresses in a list of hints; a list that is not whole addresses makes the record malformed. */
static bool hints_learn(struct walk *walk, const uint8_t *at, size_t length, size_t size)
{
	if (!length || length % size)
		return false;
	for (; length; at += size, length -= size) {
		struct addr addr = size == 4 ? addr_v4(at) : addr_v6(at);

		if (!address_learn(walk, &addr))
			return false;
	}
	return true;
}

/* SVCB and HTTPS: priority, target name (never compressed), parameters (RFC 9460 section 2.2). */
static bool service_keep(struct walk *walk, const struct message_record *record)
{
	size_t end = (size_t)record->data + record->data_length, at;
	const uint8_t *wire = walk->wire;
	struct name target;

	if (record->data_length < 3)
		return false;
	at = message_name_expand(wire, end, record->data + 2u, &target);
	if (!at || at != record->data + 2u + target.length) /* malformed, or compressed: the client might find the parameters elsewhere */
		return false;
	while (at < end) {
		size_t size;

		if (end - at < 4)
			return false;
		size = message_get16(wire + at + 2);
		if (end - at - 4 < size)
			return false;
		if (message_get16(wire + at) == SVC_PARAM_IPV4HINT && !hints_learn(walk, wire + at + 4, size, 4))
			return false;
		if (message_get16(wire + at) == SVC_PARAM_IPV6HINT && !hints_learn(walk, wire + at + 4, size, 16))
			return false;
		at += 4 + size;
	}
	return true;
}

/* A record of the type asked for, owned by the end of the chain. */
static bool record_keep(struct walk *walk, const struct message_record *record)
{
	struct addr addr;
	size_t before;

	switch (record->type) {
	case TYPE_A:
		if (record->data_length != 4)
			return false;
		addr = addr_v4(walk->wire + record->data);
		return address_learn(walk, &addr);
	case TYPE_AAAA:
		if (record->data_length != 16)
			return false;
		addr = addr_v6(walk->wire + record->data);
		return address_learn(walk, &addr);
	case TYPE_SVCB:
	case TYPE_HTTPS:
		before = walk->answer->address_count;
		if (service_keep(walk, record))
			return true;
		walk->answer->address_count = before; /* the hints that came before the bad one are not learned either */
		return false;
	default: /* the types are IANA's, not ours */
		return true;
	}
}

static int chain_push(struct walk *walk, const struct name *target)
{
	if (walk->chain_length > ANSWER_CHAIN_MAX)
		return -EPROTO;
	for (size_t i = 0; i < walk->chain_length; i++)
		if (name_equal(&walk->chain[i], target))
			return -EPROTO;
	walk->chain[walk->chain_length++] = *target;
	return 0;
}

/* RFC 6672 section 2.2: the owner's labels at the end of name are replaced by the target's. -EPROTO when the result is too long. */
static int dname_substitute(const struct name *name, const struct name *owner, const struct name *target, struct name *result)
{
	size_t prefix = (size_t)name->length - owner->length;

	if (prefix + target->length > NAME_WIRE_MAX)
		return -EPROTO;
	memcpy(result->wire, name->wire, prefix);
	memcpy(result->wire + prefix, target->wire, target->length);
	result->length = (uint8_t)(prefix + target->length);
	return 0;
}

/* The target in a record's data, which must be a name and nothing behind it. */
static int target_expand(const struct walk *walk, const struct message_record *record, struct name *target)
{
	size_t end = (size_t)record->data + record->data_length;

	return message_name_expand(walk->wire, end, record->data, target) == end ? 0 : -EPROTO;
}

/* Keeps what belongs to the last name of the chain and extends the chain by one step. Returns 1 when it was extended, 0 at the end, or -EPROTO. */
static int chain_step(struct walk *walk)
{
	struct answer *answer = walk->answer;
	const struct name *current = &walk->chain[walk->chain_length - 1];
	struct name target, owner, redirect, substituted;
	bool have_cname = false, have_dname = false;

	for (size_t i = 0; i < answer->first_authority; i++) {
		const struct message_record *record = &answer->records[i];
		bool own = record->class == MESSAGE_CLASS_IN && message_name_is(walk->wire, walk->length, record->owner, current);

		if (own && record->type == walk->question->type && (answer->rcode != RCODE_NXDOMAIN || record->type == TYPE_CNAME)) {
			answer->keep[i] = record_keep(walk, record);
			walk->found |= answer->keep[i];
		} else if (own && record->type == TYPE_CNAME) {
			struct name seen;

			if (target_expand(walk, record, &seen) || (have_cname && !name_equal(&seen, &target)))
				return -EPROTO;
			answer->keep[i] = !have_cname;
			target = seen;
			have_cname = true;
		} else if (own && record->type == TYPE_RRSIG) {
			answer->keep[i] = walk->question->dnssec_ok;
		} else if (record->type == TYPE_DNAME && record->class == MESSAGE_CLASS_IN && !have_dname) {
			if (!message_name_expand(walk->wire, walk->length, record->owner, &owner))
				return -EPROTO;
			if (name_equal(&owner, current) || !name_is_within(current, &owner))
				continue;
			if (target_expand(walk, record, &redirect) || dname_substitute(current, &owner, &redirect, &substituted))
				return -EPROTO;
			answer->keep[i] = have_dname = true;
		}
	}
	if (walk->question->type == TYPE_CNAME)
		return 0;
	if (have_cname && have_dname && !name_equal(&target, &substituted))
		return -EPROTO;
	if (!have_cname && !have_dname)
		return 0;
	return chain_push(walk, have_cname ? &target : &substituted) ? -EPROTO : 1;
}

/* With DO, the signatures over a DNAME that was followed. */
static void dname_signatures_keep(struct walk *walk)
{
	struct answer *answer = walk->answer;

	for (size_t i = 0; i < answer->first_authority; i++) {
		struct name owner;

		if (!answer->keep[i] || answer->records[i].type != TYPE_DNAME)
			continue;
		if (!message_name_expand(walk->wire, walk->length, answer->records[i].owner, &owner))
			continue;
		for (size_t j = 0; j < answer->first_authority; j++)
			if (answer->records[j].type == TYPE_RRSIG && message_name_is(walk->wire, walk->length, answer->records[j].owner, &owner))
				answer->keep[j] = true;
	}
}

/* True when a record that is kept was made from a wildcard: its signature counts fewer labels than its owner has (RFC 4035 section 5.3.4). */
static bool wildcard_was_expanded(const struct walk *walk)
{
	const struct answer *answer = walk->answer;

	for (size_t i = 0; i < answer->first_authority; i++) {
		const struct message_record *record = &answer->records[i];
		struct name owner;
		unsigned labels;

		if (!answer->keep[i] || record->type != TYPE_RRSIG || record->data_length < RRSIG_FIXED)
			continue;
		if (!message_name_expand(walk->wire, walk->length, record->owner, &owner))
			continue;
		labels = walk->wire[record->data + RRSIG_LABELS];
		if (owner.wire[0] == 1 && owner.wire[1] == '*') /* which is not counted */
			labels++;
		if (labels < name_label_count(&owner))
			return true;
	}
	return false;
}

/* Its type; of a signature the type that it covers. */
static uint16_t type_signed(const struct walk *walk, const struct message_record *record)
{
	if (record->type == TYPE_RRSIG && record->data_length >= RRSIG_FIXED)
		return message_get16(walk->wire + record->data);
	return record->type;
}

/* Keeps what says that no closer name exists than the wildcard (RFC 4035 section 3.1.3.3). Returns true when there is such a proof. */
static bool wildcard_proof_keep(struct walk *walk)
{
	struct answer *answer = walk->answer;
	bool kept = false;

	for (size_t i = answer->first_authority; i < answer->record_count; i++) {
		const struct message_record *record = &answer->records[i];
		uint16_t type = type_signed(walk, record);

		if (record->class != MESSAGE_CLASS_IN || (type != TYPE_NSEC && type != TYPE_NSEC3))
			continue;
		answer->keep[i] = kept = true;
	}
	return kept;
}

/* A negative answer keeps the SOA whose zone the chain ended in, and with DO the proof. Returns the negative TTL (RFC 2308 section 5), 0 without an SOA. */
static uint32_t authority_keep(struct walk *walk)
{
	struct answer *answer = walk->answer;
	uint32_t ttl_s = 0;

	for (size_t i = answer->first_authority; i < answer->record_count; i++) {
		const struct message_record *record = &answer->records[i];
		uint16_t type = type_signed(walk, record);
		struct name owner;

		if (record->class != MESSAGE_CLASS_IN)
			continue;
		if (record->type == TYPE_SOA && !ttl_s && record->data_length >= 22 &&
		    message_name_expand(walk->wire, walk->length, record->owner, &owner) &&
		    name_is_within(&walk->chain[walk->chain_length - 1], &owner)) {
			uint32_t minimum_s = message_get32(walk->wire + record->data + record->data_length - 4);
			uint32_t own_s = message_get32(walk->wire + record->ttl);

			answer->keep[i] = true;
			ttl_s = minimum_s < own_s ? minimum_s : own_s;
			if (ttl_s > ANSWER_NEGATIVE_MAX_S)
				ttl_s = ANSWER_NEGATIVE_MAX_S;
		}
		if (walk->question->dnssec_ok && (type == TYPE_NSEC || type == TYPE_NSEC3 || (type == TYPE_SOA && record->type == TYPE_RRSIG)))
			answer->keep[i] = true;
	}
	return ttl_s;
}

/* True when octets between from and to belong to the type, class, TTL or length of a record. The records stand in the order of their offsets. */
static bool span_is_fixed(const struct answer *answer, size_t from, size_t to)
{
	size_t low = 0, high = answer->record_count;

	while (low < high) { /* the first record whose data begins behind from */
		size_t middle = (low + high) / 2;

		if (answer->records[middle].data > from)
			high = middle;
		else
			low = middle + 1;
	}
	return low < answer->record_count && answer->records[low].ttl - 4u < to;
}

/* A name may point at any octets before it, even at a TTL, which is taken down when the answer is relayed: it would be another name then. */
static bool name_is_stable(const struct walk *walk, size_t at)
{
	const uint8_t *wire = walk->wire;
	bool jumped = false;

	while (wire[at]) {
		bool is_pointer = (wire[at] & 0xc0) == 0xc0;
		size_t next = at + (is_pointer ? 2u : 1u + wire[at]);

		if (jumped && span_is_fixed(walk->answer, at, next))
			return false;
		at = next;
		if (!is_pointer)
			continue;
		at = message_get16(wire + next - 2) & 0x3fff;
		if (at == MESSAGE_HEADER) /* the question's name, as nearly always */
			return true;
		jumped = true;
	}
	return !jumped || !span_is_fixed(walk->answer, at, at + 1);
}

static bool record_is_stable(const struct walk *walk, const struct message_record *record)
{
	size_t names[MESSAGE_RECORD_NAMES];
	unsigned count = message_record_names(walk->wire, record, names);

	for (unsigned i = 0; i < count; i++)
		if (!name_is_stable(walk, names[i]))
			return false;
	return true;
}

/* Counts what is kept; clean when the kept records are all there are up to the cut. -EPROTO when a client that reads one of them would stumble. */
static int answer_settle(struct walk *walk, bool with_authority, uint32_t negative_ttl_s)
{
	struct answer *answer = walk->answer;
	uint32_t ttl_s = answer->negative ? negative_ttl_s : ANSWER_TTL_MAX_S;
	size_t last = with_authority ? answer->record_count : answer->first_authority;

	answer->clean = true;
	answer->lease_s = 0;
	answer->answer_count = answer->authority_count = 0;
	for (size_t i = 0; i < last; i++) {
		uint32_t own_s;

		if (!answer->keep[i]) {
			answer->clean = false;
			continue;
		}
		if (!message_data_is_whole(walk->wire, &answer->records[i]))
			return -EPROTO;
		if (!record_is_stable(walk, &answer->records[i]))
			answer->clean = false;
		if (i < answer->first_authority)
			answer->answer_count++;
		else
			answer->authority_count++;
		own_s = message_get32(walk->wire + answer->records[i].ttl);
		if (own_s & 0x80000000u) /* RFC 2181 section 8 */
			own_s = 0;
		if (own_s > ANSWER_TTL_MAX_S)
			own_s = ANSWER_TTL_MAX_S;
		if (own_s < ttl_s)
			ttl_s = own_s;
		if (own_s > answer->lease_s)
			answer->lease_s = own_s;
	}
	if (last > answer->first_authority) {
		const struct message_record *record = &answer->records[last - 1];

		answer->end = (size_t)record->data + record->data_length;
	}
	answer->ttl_s = ttl_s;
	return 0;
}

int answer_parse(const uint8_t *wire, size_t length, uint16_t id, const struct question *question, const struct answer_filter *filter, struct answer *answer)
{
	struct walk walk = {.wire = wire, .length = length, .question = question, .filter = filter, .answer = answer};
	uint32_t negative_ttl_s = 0;
	bool with_authority;
	uint16_t flags;
	int result;

	result = header_match(wire, length, id, question);
	if (result)
		return result;
	flags = message_get16(wire + 2);
	answer->rcode = flags & MESSAGE_RCODE;
	answer->truncated = flags & MESSAGE_TC;
	answer->authentic = flags & MESSAGE_AD;
	answer->filtered = false;
	answer->address_count = answer->record_count = 0;
	if (answer->truncated)
		return 0;
	result = records_locate(&walk);
	if (result)
		return result;
	if (answer->rcode != RCODE_NOERROR && answer->rcode != RCODE_NXDOMAIN) {
		error_settle(&walk);
		return 0;
	}
	walk.chain[walk.chain_length++] = question->name;
	while ((result = chain_step(&walk)) > 0)
		;
	if (result)
		return result;
	if (question->dnssec_ok)
		dname_signatures_keep(&walk);
	answer->negative = with_authority = !walk.found;
	if (answer->negative)
		negative_ttl_s = authority_keep(&walk);
	else if (question->dnssec_ok && wildcard_was_expanded(&walk))
		with_authority = wildcard_proof_keep(&walk);
	return answer_settle(&walk, with_authority, negative_ttl_s);
}
