/* The rules' counters, out of the kernel's listing. */
#include "fw/counters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/cleanup.h"
#include "fw/nft.h"
#include "fw/verify_json.h"

const char *counters_chain_name(enum counters_chain chain)
{
	static const char *const names[COUNTERS_CHAINS] = {
		[COUNTERS_DENIED] = "denied", [COUNTERS_PRIVATE] = "private", [COUNTERS_BLOCKED] = "blocked", [COUNTERS_OUTPUT] = "output"};

	return names[chain];
}

static uint64_t rule_packets(const cJSON *rule)
{
	const cJSON *statement;
	uint64_t sum = 0;

	cJSON_ArrayForEach(statement, cJSON_GetObjectItemCaseSensitive(rule, "expr"))
	{
		const cJSON *counter = cJSON_GetObjectItemCaseSensitive(statement, "counter");
		const cJSON *packets = cJSON_GetObjectItemCaseSensitive(counter, "packets");

		if (cJSON_IsNumber(packets) && packets->valuedouble > 0 && packets->valuedouble < 9e15)
			sum += (uint64_t)packets->valuedouble;
	}
	return sum;
}

static void rule_add(struct counters *counters, const cJSON *rule)
{
	const cJSON *chain = cJSON_GetObjectItemCaseSensitive(rule, "chain");

	if (!cJSON_IsString(chain) ||
		!verify_json_in_table(cJSON_GetObjectItemCaseSensitive(rule, "family"), cJSON_GetObjectItemCaseSensitive(rule, "table")))
		return;
	for (unsigned i = 0; i < COUNTERS_CHAINS; i++)
		if (!strcmp(chain->valuestring, counters_chain_name(i)))
			counters->packets[i] += rule_packets(rule);
}

int counters_parse(struct counters *counters, const char *json, struct error *error)
{
	cJSON *document = cJSON_ParseWithOpts(json, NULL, true);
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(document, "nftables"), *item;
	int result = 0;

	*counters = (struct counters){0};
	if (!cJSON_IsArray(list))
		result = error_set(error, EBADMSG, "the listing of the rules' counters is not nftables' JSON");
	cJSON_ArrayForEach(item, list)
	{
		const cJSON *rule = cJSON_GetObjectItemCaseSensitive(item, "rule");

		if (rule)
			rule_add(counters, rule);
	}
	cJSON_Delete(document);
	return result;
}

int counters_read(struct counters *counters, struct error *error)
{
	cleanup_free char *json = NULL;
	int result = nft_list_json_counters(&json, error);

	return result ? result : counters_parse(counters, json, error);
}
