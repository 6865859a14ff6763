/* Does the kernel hold what was generated?
 *
 * Theory of operation. The listing (libnftables-json(5), numeric output) is put into the words of ruleset_expect(), a line for each thing
 * in it. Both sides are sorted by kind and name, rules keep their order within a chain, and the first line that differs is the finding.
 * The decompiler knows exactly what ruleset.c writes: every member of every object is looked at, and what it does not know makes a line
 * "... unknown JSON", which is never expected. Strings become words only when they consist of letters, digits and a few signs, so that no
 * string can spell more than one word. Networks may come back as addresses, prefixes or ranges, joined or not; they go through a netset,
 * like those that were rendered.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/cleanup.h"
#include "fw/verify.h"

#define JSON_SHOWN_MAX 160 /* octets of JSON in a line */
#define LINE_SHOWN_MAX 400 /* octets of a line in a message */

/* ---- JSON ---- */

/* Reads an object whose members are all among names, none twice. values: the members, NULL where one is missing. */
static bool read_members(const cJSON *object, const char *const *names, size_t count, const cJSON **values)
{
	const cJSON *member;
	size_t i;

	memset(values, 0, count * sizeof(*values));
	if (!cJSON_IsObject(object))
		return false;
	cJSON_ArrayForEach(member, object)
	{
		for (i = 0; i < count && strcmp(names[i], member->string); i++)
			;
		if (i == count || values[i])
			return false;
		values[i] = member;
	}
	return true;
}

#define MEMBERS(object, values, ...)                                                                                                       \
	const cJSON *values[sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)];                                                       \
	const bool values##_known = read_members(object, (const char *[]){__VA_ARGS__}, sizeof(values) / sizeof(*values), values)

/* The one member of an object that has just one. NULL otherwise. */
static const cJSON *only_member(const cJSON *object)
{
	return cJSON_IsObject(object) && object->child && !object->child->next ? object->child : NULL;
}

static bool is_string(const cJSON *json, const char *string)
{
	return cJSON_IsString(json) && !strcmp(json->valuestring, string);
}

static bool read_number(const cJSON *json, double lowest, double highest, long long *number)
{
	if (!cJSON_IsNumber(json) || !(json->valuedouble >= lowest && json->valuedouble <= highest))
		return false;
	*number = (long long)json->valuedouble;
	return (double)*number == json->valuedouble;
}

/* A string that is one word. */
static bool add_word(struct text *text, const cJSON *json)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:@-";

	if (!cJSON_IsString(json) || !*json->valuestring || json->valuestring[strspn(json->valuestring, letters)])
		return false;
	text_add(text, json->valuestring);
	return true;
}

static bool add_number(struct text *text, const cJSON *json)
{
	long long number;

	if (!read_number(json, 0, UINT32_MAX, &number))
		return false;
	text_addf(text, "%lld", number);
	return true;
}

static void add_unknown(struct text *text, const cJSON *json)
{
	char *printed = cJSON_PrintUnformatted(json);

	text_add(text, "unknown ");
	if (printed)
		text_add_escaped(text, printed, strlen(printed), JSON_SHOWN_MAX);
	cJSON_free(printed);
}

/* ---- expressions ---- */

/* What the numbers of a field are called. */
static const struct {
	const char *field;
	unsigned number;
	const char *name;
} number_names[] = {
	{"meta l4proto", 6, "tcp"},
	{"meta l4proto", 17, "udp"},
	{"ip protocol", 2, "igmp"},
	{"ct state", 2, "established"},
	{"ct state", 4, "related"},
	{"icmpv6 type", 133, "nd-router-solicit"},
	{"icmpv6 type", 134, "nd-router-advert"},
	{"icmpv6 type", 135, "nd-neighbor-solicit"},
	{"icmpv6 type", 136, "nd-neighbor-advert"},
	{"icmpv6 type", 143, "mld2-listener-report"},
};

static bool add_named_number(struct text *text, const char *field, const cJSON *json)
{
	long long number;

	if (!read_number(json, 0, UINT32_MAX, &number))
		return false;
	for (size_t i = 0; i < sizeof(number_names) / sizeof(*number_names); i++) {
		if (!strcmp(number_names[i].field, field) && number_names[i].number == number) {
			text_add(text, number_names[i].name);
			return true;
		}
	}
	text_addf(text, strcmp(field, "meta mark") ? "%lld" : "0x%08llx", number);
	return true;
}

static bool add_prefix(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "addr", "len");

	if (!values_known || !add_word(text, values[0]))
		return false;
	text_add(text, "/");
	return add_number(text, values[1]);
}

/* "A-B". Only of numbers: ranges of addresses are not rendered in rules. */
static bool add_range(struct text *text, const cJSON *json)
{
	if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) != 2 || !add_number(text, json->child))
		return false;
	text_add(text, "-");
	return add_number(text, json->child->next);
}

static bool add_scalar(struct text *text, const char *field, const cJSON *json)
{
	const cJSON *member = only_member(json);

	if (member && !strcmp(member->string, "prefix"))
		return add_prefix(text, member);
	if (member && !strcmp(member->string, "range"))
		return add_range(text, member);
	/* Everything but addresses and names of sets comes as a number. */
	if (cJSON_IsString(json))
		return (strstr(field, "daddr") || *json->valuestring == '@') && add_word(text, json);
	return add_named_number(text, field, json);
}

static bool add_list(struct text *text, const char *field, const cJSON *json, const char *separator)
{
	const cJSON *item;

	if (!cJSON_IsArray(json) || !json->child)
		return false;
	cJSON_ArrayForEach(item, json)
	{
		if (item != json->child)
			text_add(text, separator);
		if (!add_scalar(text, field, item))
			return false;
	}
	return true;
}

static bool add_field(struct text *text, const cJSON *json)
{
	const cJSON *member = only_member(json);

	if (!member)
		return false;
	if (!strcmp(member->string, "payload")) {
		MEMBERS(member, values, "protocol", "field");

		if (!values_known || !add_word(text, values[0]))
			return false;
		text_add(text, " ");
		return add_word(text, values[1]);
	}
	if (!strcmp(member->string, "meta") || !strcmp(member->string, "ct")) {
		MEMBERS(member, values, "key");

		text_addf(text, "%s ", member->string);
		return values_known && add_word(text, values[0]);
	}
	return false;
}

/* A field, or several joined with " . ". */
static bool add_left(struct text *text, const cJSON *json)
{
	const cJSON *member = only_member(json), *item;

	if (!member || strcmp(member->string, "concat"))
		return add_field(text, json);
	if (!cJSON_IsArray(member) || !member->child)
		return false;
	cJSON_ArrayForEach(item, member)
	{
		if (item != member->child)
			text_add(text, " . ");
		if (!add_field(text, item))
			return false;
	}
	return true;
}

static bool is_interface(const char *field)
{
	return !strcmp(field, "meta oif") || !strcmp(field, "meta iif");
}

static bool add_right(struct text *text, const char *field, const cJSON *json)
{
	const cJSON *member = only_member(json);

	if (is_interface(field)) {
		text_add(text, "\"");
		if (!add_word(text, json))
			return false;
		text_add(text, "\"");
		return true;
	}
	if (member && !strcmp(member->string, "set")) {
		text_add(text, "{ ");
		if (!add_list(text, field, member, ", "))
			return false;
		text_add(text, " }");
		return true;
	}
	return add_scalar(text, field, json);
}

/* "FIELD VALUE". The operator goes without saying: "in" for the bits of a conntrack state, "==" for the rest. nft leaves "meta" out before
 * oif and iif. */
static bool add_match(struct text *text, const cJSON *json)
{
	cleanup_text struct text field = {0};
	MEMBERS(json, values, "op", "left", "right");
	bool by_bits;

	if (!values_known || !add_left(&field, values[1]) || text_failed(&field))
		return false;
	by_bits = !strcmp(field.data, "ct state");
	text_addf(text, "%s ", is_interface(field.data) ? field.data + strlen("meta ") : field.data);
	if (!is_string(values[0], by_bits ? "in" : "=="))
		return false;
	return by_bits ? add_list(text, field.data, values[2], ",") : add_right(text, field.data, values[2]);
}

static bool add_log(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "prefix", "group", "snaplen", "queue-threshold");

	text_add(text, "log prefix \"");
	if (!values_known || !add_word(text, values[0]))
		return false;
	text_add(text, "\" group ");
	if (!add_number(text, values[1]))
		return false;
	text_add(text, " snaplen ");
	if (!add_number(text, values[2]))
		return false;
	text_add(text, " queue-threshold ");
	return add_number(text, values[3]);
}

static bool add_counter(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "packets", "bytes");

	text_add(text, "counter");
	return cJSON_IsNull(json) || values_known;
}

static bool add_reject(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "type", "expr");
	long long code;

	if (!values_known)
		return false;
	if (is_string(values[0], "tcp reset") && !values[1])
		text_add(text, "reject with tcp reset");
	else if (is_string(values[0], "icmpx") && read_number(values[1], 3, 3, &code))
		text_add(text, "reject with icmpx admin-prohibited");
	else
		return false;
	return true;
}

static bool add_goto(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "target");

	text_add(text, "goto ");
	return values_known && add_word(text, values[0]);
}

static bool add_redirect(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "port");

	text_add(text, "redirect to :");
	return values_known && add_number(text, values[0]);
}

static bool add_verdict(struct text *text, const cJSON *json)
{
	text_add(text, json->string);
	return cJSON_IsNull(json);
}

static const struct {
	const char *name;
	bool (*add)(struct text *text, const cJSON *json);
} statements[] = {
	{"match", add_match},
	{"counter", add_counter},
	{"log", add_log},
	{"goto", add_goto},
	{"reject", add_reject},
	{"redirect", add_redirect},
	{"accept", add_verdict},
	{"drop", add_verdict},
	{"return", add_verdict},
};

static bool add_statement(struct text *text, const cJSON *json)
{
	const cJSON *member = only_member(json);

	for (size_t i = 0; member && i < sizeof(statements) / sizeof(*statements); i++)
		if (!strcmp(statements[i].name, member->string))
			return statements[i].add(text, member);
	return false;
}

/* ---- objects: each adds its line without the newline ---- */

static bool in_table(const cJSON *family, const cJSON *table)
{
	return is_string(family, "inet") && is_string(table, RULESET_TABLE);
}

static bool add_table(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "family", "name", "handle");

	text_add(text, "table inet " RULESET_TABLE);
	return values_known && in_table(values[0], values[1]);
}

static bool add_chain(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "family", "table", "name", "handle", "type", "hook", "prio", "policy");
	long long priority;

	text_add(text, "chain ");
	if (!values_known || !in_table(values[0], values[1]) || !add_word(text, values[2]))
		return false;
	if (!values[4] && !values[5] && !values[6] && !values[7])
		return true;
	text_add(text, " type ");
	if (!add_word(text, values[4]))
		return false;
	text_add(text, " hook ");
	if (!add_word(text, values[5]) || !read_number(values[6], INT32_MIN, INT32_MAX, &priority))
		return false;
	text_addf(text, " priority %lld policy ", priority);
	return add_word(text, values[7]);
}

static bool add_rule(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "family", "table", "chain", "handle", "expr");
	const cJSON *statement;

	text_add(text, "rule ");
	if (!values_known || !in_table(values[0], values[1]) || !add_word(text, values[2]) || !cJSON_IsArray(values[4]))
		return false;
	cJSON_ArrayForEach(statement, values[4])
	{
		text_add(text, " ");
		if (add_statement(text, statement))
			continue;
		text_add(text, " ");
		add_unknown(text, statement);
	}
	return true;
}

/* A word, or several: newer versions of nft leave the list out around a single one. */
static bool add_words(struct text *text, const cJSON *json, const char *separator)
{
	const cJSON *item;

	if (!cJSON_IsArray(json))
		return add_word(text, json);
	cJSON_ArrayForEach(item, json)
	{
		text_add(text, item == json->child ? "" : separator);
		if (!add_word(text, item))
			return false;
	}
	return true;
}

static bool add_set_head(struct text *text, const cJSON **values)
{
	const cJSON *member;

	text_addf(text, "set ");
	if (!in_table(values[0], values[1]) || !add_word(text, values[2]))
		return false;
	text_add(text, " type ");
	if (!add_words(text, values[4], " . "))
		return false;
	if (values[5]) {
		text_add(text, " size ");
		if (!add_number(text, values[5]))
			return false;
	}
	text_add(text, " flags ");
	if (!add_words(text, values[6], ","))
		return false;
	if (values[7]) {
		text_add(text, " ");
		member = cJSON_IsArray(values[7]) && values[7]->child && !values[7]->child->next ? only_member(values[7]->child) : NULL;
		if (!member || strcmp(member->string, "counter") || !add_counter(text, member))
			return false;
	}
	return true;
}

/* ---- elements ---- */

static unsigned __int128 addr_number(const struct addr *addr)
{
	unsigned __int128 number = 0;

	for (size_t i = 0; i < (addr->family == ADDR_V4 ? 4u : 16u); i++)
		number = number << 8 | addr->octets[i];
	return number;
}

static void addr_set_number(struct addr *addr, unsigned __int128 number)
{
	for (size_t i = addr->family == ADDR_V4 ? 4 : 16; i-- > 0; number >>= 8)
		addr->octets[i] = (uint8_t)number;
}

/* A range as the networks that make it up: from its beginning on, always the largest that begins there and does not reach beyond its end.
 * */
static bool add_net_range(struct netset *set, struct rule *rule, const struct addr *first, const struct addr *last)
{
	unsigned width = first->family == ADDR_V4 ? 32 : 128;
	unsigned __int128 next = addr_number(first), end = addr_number(last), host_bits;

	if (first->family != last->family || next > end)
		return false;
	for (;;) {
		unsigned bits = 0;

		while (bits < width) {
			host_bits = ((unsigned __int128)2 << bits) -
				    1; /* of a network one bit larger; all ones when the shift leaves nothing */
			if ((next & host_bits) || end - next < host_bits)
				break;
			bits++;
		}
		host_bits = bits == 128 ? ~(unsigned __int128)0 : ((unsigned __int128)1 << bits) - 1;
		rule->net.addr = *first;
		addr_set_number(&rule->net.addr, next);
		rule->net.prefix_length = (uint8_t)(width - bits);
		if (netset_add(set, rule))
			return false;
		if (next + host_bits == end)
			return true;
		next += host_bits + 1;
	}
}

static bool read_addr(const cJSON *json, struct addr *addr)
{
	return cJSON_IsString(json) && !addr_parse(addr, json->valuestring, strlen(json->valuestring));
}

/* An address, a prefix or a range; rule has protocol and port already. */
static bool add_networks(struct netset *set, struct rule *rule, const cJSON *json)
{
	cleanup_text struct text text = {0};
	const cJSON *member = only_member(json);
	struct addr first, last;

	if (member && !strcmp(member->string, "range"))
		return cJSON_IsArray(member) && cJSON_GetArraySize(member) == 2 && read_addr(member->child, &first) &&
		       read_addr(member->child->next, &last) && add_net_range(set, rule, &first, &last);
	if (member && !strcmp(member->string, "prefix"))
		return add_prefix(&text, member) && !text_failed(&text) && !addr_net_parse(&rule->net, text.data, text.length) &&
		       !netset_add(set, rule);
	return read_addr(json, &first) && add_net_range(set, rule, &first, &first);
}

static bool add_set_element(struct netset *set, const cJSON *json)
{
	struct rule rule = {.kind = RULE_NET};
	const cJSON *member = only_member(json);
	long long protocol, port;

	if (!member || strcmp(member->string, "concat"))
		return add_networks(set, &rule, json);
	if (!cJSON_IsArray(member) || cJSON_GetArraySize(member) != 3 || !read_number(member->child->next, 1, UINT8_MAX, &protocol) ||
		(protocol != RULE_TCP && protocol != RULE_UDP) || !read_number(member->child->next->next, 1, UINT16_MAX, &port))
		return false;
	rule.protocol = (uint8_t)protocol;
	rule.port = (uint16_t)port;
	return add_networks(set, &rule, member->child);
}

/* The elements' lines, in one spelling however nft has cut or joined the networks. */
static bool add_elements(struct text *text, const char *name, const cJSON *json)
{
	struct netset set = {0};
	const cJSON *item;
	bool known = cJSON_IsArray(json);

	for (item = known ? json->child : NULL; item && known; item = item->next)
		known = add_set_element(&set, item);
	netset_normalize(&set);
	for (size_t i = 0; known && i < set.count; i++) {
		struct rule rule = {.kind = RULE_NET, .net = set.entries[i].net};
		char net[ADDR_NET_TEXT_MAX];

		text_addf(text, "\nelement %s %s", name, addr_net_format(&rule.net, net));
		if (set.entries[i].port)
			text_addf(text, " . %s . %u", set.entries[i].protocol == RULE_TCP ? "tcp" : "udp", set.entries[i].port);
	}
	netset_free(&set);
	return known;
}

static bool add_set(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "family", "table", "name", "handle", "type", "size", "flags", "stmt", "elem");

	if (!values_known || !add_set_head(text, values))
		return false;
	/* What was learned comes and goes. */
	if (!values[8] || !strncmp(values[2]->valuestring, "learned_", strlen("learned_")))
		return true;
	return add_elements(text, values[2]->valuestring, values[8]);
}

/* ---- the listing ---- */

static const struct {
	const char *name;
	bool (*add)(struct text *text, const cJSON *json);
} objects[] = {
	{"table", add_table},
	{"chain", add_chain},
	{"set", add_set},
	{"rule", add_rule},
};

static void add_object(struct text *text, const cJSON *json)
{
	const cJSON *member = only_member(json);

	if (member && !strcmp(member->string, "metainfo"))
		return;
	for (size_t i = 0; member && i < sizeof(objects) / sizeof(*objects); i++) {
		if (strcmp(objects[i].name, member->string))
			continue;
		if (!objects[i].add(text, member)) {
			text_add(text, " ");
			add_unknown(text, member);
		}
		text_add(text, "\n");
		return;
	}
	add_unknown(text, json);
	text_add(text, "\n");
}

static int decompile(const char *json, struct text *text, struct error *error)
{
	cJSON *document = cJSON_ParseWithOpts(json, NULL, true);
	const cJSON *list = only_member(document), *item;
	int result = 0;

	if (list && !strcmp(list->string, "nftables") && cJSON_IsArray(list)) {
		cJSON_ArrayForEach(item, list) add_object(text, item);
	} else {
		result = error_set(error, EBADMSG, "the listing of table inet " RULESET_TABLE " is not nftables' JSON");
	}
	cJSON_Delete(document);
	if (!result && text_failed(text))
		result = error_errno(error, ENOMEM, "cannot verify the ruleset");
	return result;
}

/* ---- comparing ---- */

struct line {
	const char *text;
	size_t key_length; /* the kind and the name */
	size_t index;
};

struct lines {
	struct line *lines;
	size_t count;
};

static int compare_keys(const struct line *a, const struct line *b)
{
	size_t shorter = a->key_length < b->key_length ? a->key_length : b->key_length;
	int order = memcmp(a->text, b->text, shorter);

	return order ? order : (a->key_length > b->key_length) - (a->key_length < b->key_length);
}

static int compare_lines(const void *left, const void *right)
{
	const struct line *a = left, *b = right;
	int order = compare_keys(a, b);

	if (order)
		return order;
	/* Elements have no order of their own; the rules of a chain have. */
	if (!strncmp(a->text, "element ", strlen("element ")))
		return strcmp(a->text, b->text);
	return (a->index > b->index) - (a->index < b->index);
}

/* Cuts the text into lines, in place, and sorts them. */
static int split_lines(struct text *text, struct lines *lines)
{
	size_t count = 0;
	char *next = text->data, *end;

	for (size_t i = 0; i < text->length; i++)
		count += text->data[i] == '\n';
	lines->lines = calloc(count ? count : 1, sizeof(*lines->lines));
	if (!lines->lines)
		return -ENOMEM;
	while (lines->count < count && (end = strchr(next, '\n'))) {
		struct line *line = &lines->lines[lines->count];
		size_t kind = strcspn(next, " \n");

		*end = '\0';
		line->text = next;
		line->key_length = next[kind] ? kind + 1 + strcspn(next + kind + 1, " ") : kind;
		line->index = lines->count++;
		next = end + 1;
	}
	qsort(lines->lines, lines->count, sizeof(*lines->lines), compare_lines);
	return 0;
}

/* Lines can be shown as they are: what is unknown in them is escaped already, and the rest are words. */
static int report(const struct line *expected, const struct line *found, struct error *error)
{
	int order = !expected ? 1 : !found ? -1 : compare_keys(expected, found);

	if (order < 0)
		return error_set(
			error, EBADMSG, "the kernel's ruleset is not the expected one: it lacks '%.*s'", LINE_SHOWN_MAX, expected->text);
	if (order > 0)
		return error_set(
			error, EBADMSG, "the kernel's ruleset is not the expected one: it has '%.*s'", LINE_SHOWN_MAX, found->text);
	return error_set(error, EBADMSG, "the kernel's ruleset is not the expected one: expected '%.*s', found '%.*s'", LINE_SHOWN_MAX,
		expected->text, LINE_SHOWN_MAX, found->text);
}

/* What is not understood says more than what is missing because of it. */
static const struct line *find_unknown(const struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		if (!strncmp(lines->lines[i].text, "unknown ", strlen("unknown ")) || strstr(lines->lines[i].text, " unknown "))
			return &lines->lines[i];
	return NULL;
}

static int compare(const struct ruleset *ruleset, const struct lines *found, struct error *error)
{
	cleanup_text struct text text = {0};
	struct lines expected = {0};
	int result;
	size_t i;

	text_add(&text, "table inet " RULESET_TABLE "\n");
	ruleset_expect(ruleset, &text);
	result = text_failed(&text) ? -ENOMEM : split_lines(&text, &expected);
	if (result)
		return error_errno(error, ENOMEM, "cannot verify the ruleset");
	for (i = 0; i < expected.count && i < found->count; i++)
		if (strcmp(expected.lines[i].text, found->lines[i].text))
			break;
	if (i < expected.count || i < found->count) {
		const struct line *unknown = find_unknown(found);

		result =
			unknown ? report(NULL, unknown, error)
				: report(i < expected.count ? &expected.lines[i] : NULL, i < found->count ? &found->lines[i] : NULL, error);
	}
	free(expected.lines);
	return result;
}

int verify_ruleset(const struct ruleset *ruleset, const char *json, struct error *error)
{
	cleanup_text struct text text = {0};
	struct lines found = {0};
	int result = decompile(json, &text, error);

	if (result)
		return result;
	if (split_lines(&text, &found))
		return error_errno(error, ENOMEM, "cannot verify the ruleset");
	result = compare(ruleset, &found, error);
	free(found.lines);
	return result;
}

enum shield_state verify_state(const struct ruleset *ruleset, const char *json, struct error *error)
{
	static const enum shield_state states[] = {SHIELD_UP, SHIELD_DOWN, SHIELD_DOWN_ALL, SHIELD_BLOCK};
	cleanup_text struct text text = {0};
	struct ruleset other = *ruleset;
	enum shield_state state = SHIELD_ERROR;
	struct lines found = {0};

	if (decompile(json, &text, error))
		return SHIELD_ERROR;
	if (split_lines(&text, &found)) {
		error_errno(error, ENOMEM, "cannot verify the ruleset");
		return SHIELD_ERROR;
	}
	for (size_t i = 0; state == SHIELD_ERROR && i < sizeof(states) / sizeof(*states); i++) {
		other.state = states[i];
		if (!compare(&other, &found, NULL))
			state = states[i];
	}
	if (state == SHIELD_ERROR)
		compare(ruleset, &found, error);
	free(found.lines);
	return state;
}
