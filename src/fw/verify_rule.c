/* A rule of nftables' JSON in the words of ruleset_expect(): exactly the expressions and statements that ruleset.c writes. */
#include <stdint.h>

#include "base/cleanup.h"
#include "fw/verify_json.h"

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

	if (!verify_json_number(json, 0, UINT32_MAX, &number))
		return false;
	for (size_t i = 0; i < sizeof(number_names) / sizeof(*number_names); i++) {
		if (!strcmp(number_names[i].field, field) && number_names[i].number == number) {
			text_add(text, number_names[i].name);
			return true;
		}
	}
	text_addf(text, strstr(field, " mark") ? "0x%08llx" : "%lld", number);
	return true;
}

/* "A-B". Only of numbers: ranges of addresses are not rendered in rules. */
static bool add_range(struct text *text, const cJSON *json)
{
	if (!cJSON_IsArray(json) || cJSON_GetArraySize(json) != 2 || !verify_json_add_number(text, json->child))
		return false;
	text_add(text, "-");
	return verify_json_add_number(text, json->child->next);
}

static bool add_scalar(struct text *text, const char *field, const cJSON *json)
{
	const cJSON *member = verify_json_only_member(json);

	if (member && !strcmp(member->string, "prefix"))
		return verify_json_add_prefix(text, member);
	if (member && !strcmp(member->string, "range"))
		return add_range(text, member);
	/* Everything but addresses and names of sets comes as a number. */
	if (cJSON_IsString(json))
		return (strstr(field, "daddr") || *json->valuestring == '@') && verify_json_add_word(text, json);
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
	const cJSON *member = verify_json_only_member(json);

	if (!member)
		return false;
	if (!strcmp(member->string, "payload")) {
		MEMBERS(member, values, "protocol", "field");

		if (!values_known || !verify_json_add_word(text, values[0]))
			return false;
		text_add(text, " ");
		return verify_json_add_word(text, values[1]);
	}
	if (!strcmp(member->string, "meta") || !strcmp(member->string, "ct")) {
		MEMBERS(member, values, "key");

		text_addf(text, "%s ", member->string);
		return values_known && verify_json_add_word(text, values[0]);
	}
	return false;
}

/* A field, or several joined with " . ". */
static bool add_left(struct text *text, const cJSON *json)
{
	const cJSON *member = verify_json_only_member(json), *item;

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
	const cJSON *member = verify_json_only_member(json);

	if (is_interface(field)) {
		text_add(text, "\"");
		if (!verify_json_add_word(text, json))
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
	if (!verify_json_is(values[0], by_bits ? "in" : "=="))
		return false;
	return by_bits ? add_list(text, field.data, values[2], ",") : add_right(text, field.data, values[2]);
}

static bool add_log(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "prefix", "group", "snaplen", "queue-threshold");

	text_add(text, "log prefix \"");
	if (!values_known || !verify_json_add_word(text, values[0]))
		return false;
	text_add(text, "\" group ");
	if (!verify_json_add_number(text, values[1]))
		return false;
	text_add(text, " snaplen ");
	if (!verify_json_add_number(text, values[2]))
		return false;
	text_add(text, " queue-threshold ");
	return verify_json_add_number(text, values[3]);
}

/* Only marks of flows are ever set. */
static bool add_mangle(struct text *text, const cJSON *json)
{
	cleanup_text struct text field = {0};
	MEMBERS(json, values, "key", "value");

	if (!values_known || !add_field(&field, values[0]) || text_failed(&field) || strcmp(field.data, "ct mark") != 0)
		return false;
	text_add(text, "ct mark set ");
	return add_named_number(text, field.data, values[1]);
}

bool verify_counter_add(struct text *text, const cJSON *json)
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
	if (verify_json_is(values[0], "tcp reset") && !values[1])
		text_add(text, "reject with tcp reset");
	else if (verify_json_is(values[0], "icmpx") && verify_json_number(values[1], 3, 3, &code))
		text_add(text, "reject with icmpx admin-prohibited");
	else
		return false;
	return true;
}

static bool add_goto(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "target");

	text_add(text, "goto ");
	return values_known && verify_json_add_word(text, values[0]);
}

static bool add_redirect(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "port");

	text_add(text, "redirect to :");
	return values_known && verify_json_add_number(text, values[0]);
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
	{"counter", verify_counter_add},
	{"log", add_log},
	{"mangle", add_mangle},
	{"goto", add_goto},
	{"reject", add_reject},
	{"redirect", add_redirect},
	{"accept", add_verdict},
	{"drop", add_verdict},
	{"return", add_verdict},
};

static bool add_statement(struct text *text, const cJSON *json)
{
	const cJSON *member = verify_json_only_member(json);

	for (size_t i = 0; member && i < sizeof(statements) / sizeof(*statements); i++)
		if (!strcmp(statements[i].name, member->string))
			return statements[i].add(text, member);
	return false;
}

bool verify_rule_add(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "family", "table", "chain", "handle", "expr");
	const cJSON *statement;

	text_add(text, "rule ");
	if (!values_known || !verify_json_in_table(values[0], values[1]) || !verify_json_add_word(text, values[2]) || !cJSON_IsArray(values[4]))
		return false;
	cJSON_ArrayForEach(statement, values[4])
	{
		text_add(text, " ");
		if (add_statement(text, statement))
			continue;
		text_add(text, " ");
		verify_json_add_unknown(text, statement);
	}
	return true;
}
