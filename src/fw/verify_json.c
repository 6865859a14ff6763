/* The members of nftables' JSON, looked at strictly, and put into words. */
#include "fw/verify_json.h"

#include <stdint.h>

#include "fw/ruleset.h"

#define JSON_SHOWN_MAX 160 /* octets of JSON in a line */

bool verify_json_members(const cJSON *object, const char *const *names, size_t count, const cJSON **values)
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

const cJSON *verify_json_only_member(const cJSON *object)
{
	return cJSON_IsObject(object) && object->child && !object->child->next ? object->child : NULL;
}

bool verify_json_is(const cJSON *json, const char *string)
{
	return cJSON_IsString(json) && !strcmp(json->valuestring, string);
}

bool verify_json_number(const cJSON *json, double lowest, double highest, long long *number)
{
	if (!cJSON_IsNumber(json) || !(json->valuedouble >= lowest && json->valuedouble <= highest))
		return false;
	*number = (long long)json->valuedouble;
	return (double)*number == json->valuedouble;
}

bool verify_json_add_word(struct text *text, const cJSON *json)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:@-";

	if (!cJSON_IsString(json) || !*json->valuestring || json->valuestring[strspn(json->valuestring, letters)])
		return false;
	text_add(text, json->valuestring);
	return true;
}

bool verify_json_add_number(struct text *text, const cJSON *json)
{
	long long number;

	if (!verify_json_number(json, 0, UINT32_MAX, &number))
		return false;
	text_addf(text, "%lld", number);
	return true;
}

void verify_json_add_unknown(struct text *text, const cJSON *json)
{
	char *printed = cJSON_PrintUnformatted(json);

	text_add(text, "unknown ");
	if (printed)
		text_add_escaped(text, printed, strlen(printed), JSON_SHOWN_MAX);
	cJSON_free(printed);
}

bool verify_json_in_table(const cJSON *family, const cJSON *table)
{
	return verify_json_is(family, "inet") && verify_json_is(table, RULESET_TABLE);
}

bool verify_json_add_prefix(struct text *text, const cJSON *json)
{
	MEMBERS(json, values, "addr", "len");

	if (!values_known || !verify_json_add_word(text, values[0]))
		return false;
	text_add(text, "/");
	return verify_json_add_number(text, values[1]);
}
