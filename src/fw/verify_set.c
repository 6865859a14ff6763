/* A set of nftables' JSON in the words of ruleset_expect(), and its elements where the listing has them. */
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fw/net_range.h"
#include "fw/ruleset.h"
#include "fw/verify_json.h"

/* A word, or several: newer versions of nft leave the list out around a single one. */
static bool add_words(struct text *text, const cJSON *json, const char *separator)
{
	const cJSON *item;

	if (!cJSON_IsArray(json))
		return verify_json_add_word(text, json);
	cJSON_ArrayForEach(item, json)
	{
		text_add(text, item == json->child ? "" : separator);
		if (!verify_json_add_word(text, item))
			return false;
	}
	return true;
}

static bool add_set_head(struct text *text, const cJSON **values)
{
	const cJSON *member;

	text_addf(text, "set ");
	if (!verify_json_in_table(values[0], values[1]) || !verify_json_add_word(text, values[2]))
		return false;
	text_add(text, " type ");
	if (!add_words(text, values[4], " . "))
		return false;
	if (values[5]) {
		text_add(text, " size ");
		if (!verify_json_add_number(text, values[5]))
			return false;
	}
	text_add(text, " flags ");
	if (!add_words(text, values[6], ","))
		return false;
	if (values[7]) {
		text_add(text, " ");
		member = cJSON_IsArray(values[7]) && values[7]->child && !values[7]->child->next ? verify_json_only_member(values[7]->child) : NULL;
		if (!member || strcmp(member->string, "counter") || !verify_counter_add(text, member))
			return false;
	}
	return true;
}

static bool read_addr(const cJSON *json, struct addr *addr)
{
	return cJSON_IsString(json) && !addr_parse(addr, json->valuestring, strlen(json->valuestring));
}

/* An address, a prefix or a range; rule has protocol and port already. */
static bool add_networks(struct netset *set, struct rule *rule, const cJSON *json)
{
	cleanup_text struct text text = {0};
	const cJSON *member = verify_json_only_member(json);
	struct addr first, last;

	if (member && !strcmp(member->string, "range"))
		return cJSON_IsArray(member) && cJSON_GetArraySize(member) == 2 && read_addr(member->child, &first) &&
		       read_addr(member->child->next, &last) && net_range_add(set, rule, &first, &last);
	if (member && !strcmp(member->string, "prefix"))
		return verify_json_add_prefix(&text, member) && !text_failed(&text) && !addr_net_parse(&rule->net, text.data, text.length) &&
		       !netset_add(set, rule);
	return read_addr(json, &first) && net_range_add(set, rule, &first, &first);
}

/* What is around an element with an end: its timeout, and the comment that says until when. value: the element alone. */
static bool take_end(const cJSON *json, const cJSON **value, int64_t *until)
{
	MEMBERS(json, values, "val", "timeout", "comment", "expires");
	long long timeout_s;

	*value = values[0];
	return values_known && *value && verify_json_number(values[1], 1, UINT32_MAX, &timeout_s) && cJSON_IsString(values[2]) &&
	       !strncmp(values[2]->valuestring, RULESET_UNTIL, strlen(RULESET_UNTIL)) &&
	       !clock_wall_parse(values[2]->valuestring + strlen(RULESET_UNTIL), until) && *until > 0;
}

static bool add_set_element(struct netset *set, const cJSON *json)
{
	struct rule rule = {.kind = RULE_NET};
	const cJSON *member = verify_json_only_member(json);
	long long protocol, port;

	if (member && !strcmp(member->string, "elem")) {
		if (!take_end(member, &json, &rule.until))
			return false;
		if (rule.until <= clock_lasting_s()) /* about to go */
			return true;
		member = verify_json_only_member(json);
	}
	if (!member || strcmp(member->string, "concat"))
		return add_networks(set, &rule, json);
	if (!cJSON_IsArray(member) || cJSON_GetArraySize(member) != 3 || !verify_json_number(member->child->next, 1, UINT8_MAX, &protocol) ||
		(protocol != RULE_TCP && protocol != RULE_UDP) || !verify_json_number(member->child->next->next, 1, UINT16_MAX, &port))
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
	known = known && !netset_normalize(&set);
	for (size_t i = 0; known && i < set.count; i++) {
		text_addf(text, "\nelement %s ", name);
		ruleset_element_line(text, &set.entries[i]);
	}
	netset_free(&set);
	return known;
}

bool verify_set_add(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "family", "table", "name", "handle", "type", "size", "flags", "stmt", "elem");

	if (!values_known || !add_set_head(text, values))
		return false;
	/* What was learned comes and goes. */
	if (!values[8] || !strncmp(values[2]->valuestring, "learned_", strlen("learned_")))
		return true;
	return add_elements(text, values[2]->valuestring, values[8]);
}
