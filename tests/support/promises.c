/* What may differ between a server's reply and ours, and why. */
#include "promises.h"

#include <ctype.h>

#include "base/cleanup.h"

#define COUNT(array)         (sizeof(array) / sizeof((array)[0]))
#define CHAIN_STEPS_PROMISED 16
#define CHAIN_STEPS_MAX      64 /* longer than any chain of the zones */

static bool record_covers(const ldns_rr *record, unsigned type)
{
	return record && ((unsigned)ldns_rr_get_type(record) == type ||
				 (ldns_rr_get_type(record) == LDNS_RR_TYPE_RRSIG &&
					 (unsigned)ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(record)) == type));
}

/* A record and what else goes with it: rcode, the negative answer's SOA. */
static bool is_about_content(const struct difference *difference)
{
	return difference->kind == DIFF_RCODE || difference->kind == DIFF_MISSING || (difference->kind == DIFF_TC && !difference->more);
}

static bool forwarder_flags(const struct exchange *exchange, const struct difference *difference)
{
	(void)exchange;
	return (difference->kind == DIFF_AA && !difference->more) || (difference->kind == DIFF_RA && difference->more);
}

static bool additional_is_not_relayed(const struct exchange *exchange, const struct difference *difference)
{
	(void)exchange;
	return difference->kind == DIFF_MISSING && difference->section == VIEW_ADDITIONAL;
}

/* Records of the answer section that are no step of a chain. */
static unsigned answers_besides_steps(const struct view *view)
{
	unsigned count = 0;

	for (size_t i = 0; i < ldns_rr_list_rr_count(view->sections[VIEW_ANSWER]); i++) {
		const ldns_rr *record = ldns_rr_list_rr(view->sections[VIEW_ANSWER], i);

		count += !record_covers(record, TYPE_CNAME) && !record_covers(record, TYPE_DNAME);
	}
	return count;
}

static bool authority_of_others_is_not_relayed(const struct exchange *exchange, const struct difference *difference)
{
	bool negative = exchange->ours->packet && !answers_besides_steps(exchange->ours);

	return difference->kind == DIFF_MISSING && difference->section == VIEW_AUTHORITY &&
	       (record_covers(difference->record, TYPE_NS) || (negative && record_covers(difference->record, TYPE_DS)));
}

static bool name_is_not_listed(const struct exchange *exchange, const struct difference *difference)
{
	return exchange->query->unlisted && exchange->query->class == MESSAGE_CLASS_IN && exchange->ours->rcode == RCODE_NXDOMAIN &&
	       is_about_content(difference);
}

static bool type_is_refused(const struct exchange *exchange, const struct difference *difference)
{
	unsigned type = exchange->query->type;

	return (type == TYPE_ANY || type == TYPE_NULL || type == TYPE_OPT) && exchange->ours->rcode == RCODE_REFUSED &&
	       is_about_content(difference);
}

static bool class_is_refused(const struct exchange *exchange, const struct difference *difference)
{
	return exchange->query->class != MESSAGE_CLASS_IN && exchange->ours->rcode == RCODE_REFUSED &&
	       (is_about_content(difference) || difference->kind == DIFF_EDNS || difference->kind == DIFF_SILENT);
}

static bool opcode_is_not_implemented(const struct exchange *exchange, const struct difference *difference)
{
	return exchange->query->variant->flags & MESSAGE_OPCODE && exchange->ours->rcode == RCODE_NOTIMP &&
	       (is_about_content(difference) || difference->kind == DIFF_SILENT);
}

static bool message_is_malformed(const struct exchange *exchange, const struct difference *difference)
{
	return exchange->query->shape != SHAPE_PLAIN && exchange->ours->rcode == RCODE_FORMERR &&
	       (is_about_content(difference) || difference->kind == DIFF_SILENT);
}

const char *const promises_inside[] = {"10.1.2.3", "10.0.0.1", "172.16.5.6", "192.168.1.1", "169.254.169.254", "127.0.0.1", "100.64.0.7",
	"0.0.0.0", "224.0.0.1", "fd00::1", "fe80::1", "ff02::1", "::1", "::", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1",
	"2001::1", NULL};

static bool is_of_address(char letter)
{
	return isxdigit((unsigned char)letter) || letter == '.' || letter == ':';
}

/* One of these is in its data, as text. */
static bool record_has_inside_address(const ldns_rr *record)
{
	bool may_have = record && (record_covers(record, TYPE_A) || record_covers(record, TYPE_AAAA) || record_covers(record, TYPE_HTTPS) ||
					  record_covers(record, TYPE_SVCB));
	cleanup_free char *text = may_have && ldns_rr_get_type(record) != LDNS_RR_TYPE_RRSIG ? ldns_rr2str(record) : NULL;

	for (size_t i = 0; text && promises_inside[i]; i++) {
		size_t length = strlen(promises_inside[i]);

		/* the owner stands in front of it, and is no address in the zones of these tests */
		for (const char *at = text; (at = strstr(at, promises_inside[i])); at++)
			if (at > text && !is_of_address(at[-1]) && !is_of_address(at[length]))
				return true;
	}
	return false;
}

static bool answer_has_inside_address(const struct view *view)
{
	for (size_t i = 0; view->packet && i < ldns_rr_list_rr_count(view->sections[VIEW_ANSWER]); i++)
		if (record_has_inside_address(ldns_rr_list_rr(view->sections[VIEW_ANSWER], i)))
			return true;
	return false;
}

/* What is left may fit where all of it did not. */
static bool address_is_inside(const struct exchange *exchange, const struct difference *difference)
{
	if (difference->kind == DIFF_TC && !difference->more)
		return answer_has_inside_address(exchange->whole);
	return difference->kind == DIFF_MISSING && difference->section == VIEW_ANSWER && record_has_inside_address(difference->record);
}

static bool error_is_explained(const struct exchange *exchange, const struct difference *difference)
{
	return difference->kind == DIFF_OPTION && difference->more && difference->option == 15 && exchange->query->variant->edns;
}

static bool options_end_at_the_hop(const struct exchange *exchange, const struct difference *difference)
{
	(void)exchange;
	return difference->kind == DIFF_OPTION && !difference->more;
}

static bool view_has(const struct view *view, enum view_section section, const ldns_rr *record)
{
	for (size_t i = 0; view->packet && i < ldns_rr_list_rr_count(view->sections[section]); i++)
		if (!ldns_rr_compare(ldns_rr_list_rr(view->sections[section], i), record))
			return true;
	return false;
}

/* Each takes what fits of the same records. */
static bool truncated_is_to_be_asked_again(const struct exchange *exchange, const struct difference *difference)
{
	if (!exchange->ours->packet || !ldns_pkt_tc(exchange->ours->packet) || !ldns_pkt_tc(exchange->server->packet))
		return false;
	return difference->kind == DIFF_MISSING ||
	       (difference->kind == DIFF_MORE && view_has(exchange->whole, difference->section, difference->record));
}

/* The alias's target in the server's answer, NULL at the end of the chain. */
static const ldns_rdf *chain_next(const struct view *view, const ldns_rdf *name)
{
	for (size_t i = 0; view->packet && i < ldns_rr_list_rr_count(view->sections[VIEW_ANSWER]); i++) {
		const ldns_rr *record = ldns_rr_list_rr(view->sections[VIEW_ANSWER], i);

		if (ldns_rr_get_type(record) == LDNS_RR_TYPE_CNAME && !ldns_dname_compare(ldns_rr_owner(record), name))
			return ldns_rr_rdf(record, 0);
	}
	return NULL;
}

/* Steps from the question's name on; CHAIN_STEPS_MAX for a loop. */
static unsigned chain_steps(const struct view *view)
{
	const ldns_rdf *name =
		view->packet && ldns_pkt_qdcount(view->packet) ? ldns_rr_owner(ldns_rr_list_rr(ldns_pkt_question(view->packet), 0)) : NULL;
	unsigned steps = 0;

	while (name && (name = chain_next(view, name)) && steps < CHAIN_STEPS_MAX)
		steps++;
	return steps;
}

static bool chain_is_too_long(const struct exchange *exchange, const struct difference *difference)
{
	unsigned steps = exchange->ours->rcode == RCODE_SERVFAIL && is_about_content(difference) ? chain_steps(exchange->whole) : 0;

	return steps > CHAIN_STEPS_PROMISED && steps < CHAIN_STEPS_MAX;
}

static bool chain_is_a_loop(const struct exchange *exchange, const struct difference *difference)
{
	return exchange->ours->rcode == RCODE_SERVFAIL && is_about_content(difference) && chain_steps(exchange->whole) == CHAIN_STEPS_MAX;
}

static bool error_has_no_records(const struct exchange *exchange, const struct difference *difference)
{
	unsigned rcode = exchange->ours->rcode;

	return rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN && rcode == exchange->server->rcode && is_about_content(difference);
}

/* What a strict server calls malformed, and what is passed over here since it goes nowhere. */
static bool what_goes_nowhere_is_not_judged(const struct exchange *exchange, const struct difference *difference)
{
	const struct variant *variant = exchange->query->variant;
	bool judged = exchange->query->shape == SHAPE_ADDITIONAL || variant->flags & MESSAGE_RCODE || !strcmp(variant->what, "option cut");

	return judged && exchange->server->rcode == RCODE_FORMERR && (difference->kind == DIFF_RCODE || difference->more);
}

static bool opt_is_answered_with_opt(const struct exchange *exchange, const struct difference *difference)
{
	return difference->more && exchange->query->variant->edns &&
	       (difference->kind == DIFF_EDNS || (difference->kind == DIFF_DO && exchange->query->variant->edns_flags & FLAG_DO));
}

static bool another_opcode_is_not_read(const struct exchange *exchange, const struct difference *difference)
{
	return exchange->query->variant->flags & MESSAGE_OPCODE && exchange->ours->rcode == RCODE_NOTIMP && difference->kind == DIFF_EDNS &&
	       !difference->more;
}

/* BIND repeats the query's bit in a truncated reply. */
static bool ad_is_no_echo(const struct exchange *exchange, const struct difference *difference)
{
	return difference->kind == DIFF_AD && !difference->more && exchange->query->variant->flags & MESSAGE_AD &&
	       ldns_pkt_tc(exchange->server->packet);
}

/* Each difference of ours needs a line here. */
static struct {
	const char *why;
	bool (*holds)(const struct exchange *exchange, const struct difference *difference);
	unsigned used;
} promises[] = {
	{"RFC 1035 4.1.1: a forwarder is no authority (AA) and offers recursion (RA)", forwarder_flags},
	{"promise 3: only allowlisted names leave", name_is_not_listed},
	{"promise 4: opcode QUERY only, else NOTIMP", opcode_is_not_implemented},
	{"promise 4: class IN only, else REFUSED", class_is_refused},
	{"promise 4: one plain question, else FORMERR", message_is_malformed},
	{"promise 4: rcode, additional records and options of a query go nowhere and are not judged", what_goes_nowhere_is_not_judged},
	{"promise 4: a message of another opcode is not read behind its header", another_opcode_is_not_read},
	{"promise 4, RFC 6891 6.1.1: own EDNS, no options of the server's", options_end_at_the_hop},
	{"promise 5: the additional section is not believed", additional_is_not_relayed},
	{"promise 5: name servers and delegations are not believed", authority_of_others_is_not_relayed},
	{"promise 5: a chain that is a loop is not believed", chain_is_a_loop},
	{"promise 6: no inside addresses from outside", address_is_inside},
	{"promise 7: a chain has at most 16 steps", chain_is_too_long},
	{"promise 8: any type but ANY, NULL and OPT", type_is_refused},
	{"RFC 6891 6.1.1, RFC 3225 3: OPT is answered with OPT, and DO is copied, in errors too", opt_is_answered_with_opt},
	{"RFC 6840 5.8: AD is set for what was validated, and not to repeat the query", ad_is_no_echo},
	{"RFC 8914: an Extended DNS Error says why", error_is_explained},
	{"RFC 2181 9: what comes with TC is not used", truncated_is_to_be_asked_again},
	{"promise 5: an error is relayed (RFC 6672 2.2: YXDOMAIN), and not the records that came with it", error_has_no_records},
};

const char *promise_broken(const struct exchange *exchange)
{
	const struct view *ours = exchange->ours;

	if (exchange->query->unlisted && ours->packet &&
		(ours->rcode == RCODE_NOERROR || ldns_pkt_ancount(ours->packet) || ldns_pkt_nscount(ours->packet)))
		return "no rule allows the name, and it was answered";
	return answer_has_inside_address(ours) ? "an inside address was relayed" : NULL;
}

bool promise_holds(const struct exchange *exchange, const struct difference *difference)
{
	for (size_t i = 0; i < COUNT(promises); i++)
		if (promises[i].holds(exchange, difference)) {
			promises[i].used++;
			return true;
		}
	return false;
}

const char *promise_why(size_t number, unsigned *used)
{
	if (number >= COUNT(promises))
		return NULL;
	*used = promises[number].used;
	return promises[number].why;
}

void promise_miss_print(const struct exchange *exchange, const struct difference *difference)
{
	cleanup_free char *text = difference->record ? ldns_rr2str(difference->record) : NULL;

	printf("     NOT PROMISED: %s%s%s", difference_word(difference), difference->more ? " (more)" : "", text ? ": " : "\n");
	if (text)
		printf("%s", text);
	if (difference->kind == DIFF_RCODE)
		printf("     the server's is %u, ours %u\n", exchange->server->rcode, exchange->ours->rcode);
}
