/* Strict reading of small JSON objects, over cJSON, which is lenient: it takes a key twice, octets behind the end and numbers
 * that do not fit. */
#include "state/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"

#define SHOWN(word) text_escaped((char[200]){0}, 200, word)

int json_open(struct json *json, const char *file, const char *data, size_t length, struct error *error)
{
	const char *end = NULL;

	*json = (struct json){.file = file, .error = error};
	/* cJSON would end a string at an encoded NUL. None of our values has one. */
	if (memchr(data, '\0', length) || memmem(data, length, "\\u0000", 6))
		return error_set(error, EINVAL, "%s: it contains a NUL", file);
	json->root = cJSON_ParseWithLengthOpts(data, length, &end, 0);
	if (!json->root)
		return error_set(error, EINVAL, "%s: it is not JSON", file);
	while (end < data + length && strchr(" \t\r\n", *end))
		end++;
	if (end != data + length)
		return error_set(error, EINVAL, "%s: something follows the JSON object", file);
	if (!cJSON_IsObject(json->root))
		return error_set(error, EINVAL, "%s: it is not a JSON object", file);
	return 0;
}

void json_close(struct json *json)
{
	cJSON_Delete(json->root);
	json->root = NULL;
}

int json_bad(const struct json *json, const char *key, const char *value, const char *why)
{
	if (value)
		return error_set(json->error, EINVAL, "%s: key '%s': '%s' %s", json->file, SHOWN(key), SHOWN(value), why);
	return error_set(json->error, EINVAL, "%s: key '%s' %s", json->file, SHOWN(key), why);
}

int json_check_keys(const struct json *json, const char *const *keys, size_t count)
{
	const cJSON *item;

	for (size_t i = 0; i < count; i++) {
		unsigned seen = 0;

		cJSON_ArrayForEach(item, (const cJSON *)json->root) seen += strcmp(item->string, keys[i]) == 0;
		if (seen != 1)
			return json_bad(json, keys[i], NULL, seen ? "is there more than once" : "is missing");
	}
	cJSON_ArrayForEach(item, (const cJSON *)json->root)
	{
		size_t i = 0;

		while (i < count && strcmp(item->string, keys[i]) != 0)
			i++;
		if (i == count)
			return json_bad(json, item->string, NULL, "is not known");
	}
	return 0;
}

int json_string(const struct json *json, const char *key, const char **value)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json->root, key);

	if (!cJSON_IsString(item))
		return json_bad(json, key, NULL, item ? "is not a string" : "is missing");
	*value = item->valuestring;
	return 0;
}

int json_bool(const struct json *json, const char *key, bool *value)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json->root, key);

	if (!cJSON_IsBool(item))
		return json_bad(json, key, NULL, item ? "is neither true nor false" : "is missing");
	*value = cJSON_IsTrue(item);
	return 0;
}

bool json_has(const struct json *json, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(json->root, key);
}

bool json_is_null(const struct json *json, const char *key)
{
	return cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(json->root, key));
}

int json_number(const struct json *json, const char *key, uint64_t max, uint64_t *value)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json->root, key);

	if (!cJSON_IsNumber(item))
		return json_bad(json, key, NULL, item ? "is not a number" : "is missing");
	/* Written so that a NaN is refused too. */
	if (!(item->valuedouble >= 0 && item->valuedouble <= (double)(max < JSON_NUMBER_MAX ? max : JSON_NUMBER_MAX)))
		return json_bad(json, key, NULL, "is out of range");
	if ((double)(uint64_t)item->valuedouble != item->valuedouble)
		return json_bad(json, key, NULL, "is not a whole number");
	*value = (uint64_t)item->valuedouble;
	return 0;
}

int json_strings(const struct json *json, const char *key, size_t max,
	int (*visit)(const struct json *json, const char *value, void *context), void *context)
{
	const cJSON *array = cJSON_GetObjectItemCaseSensitive(json->root, key), *item;
	size_t count = 0;

	if (!cJSON_IsArray(array))
		return json_bad(json, key, NULL, array ? "is not a list" : "is missing");
	cJSON_ArrayForEach(item, array)
	{
		int result;

		if (count++ == max)
			return json_bad(json, key, NULL, "has too many elements");
		if (!cJSON_IsString(item))
			return json_bad(json, key, NULL, "has an element that is not a string");
		result = visit(json, item->valuestring, context);
		if (result)
			return result;
	}
	return 0;
}
