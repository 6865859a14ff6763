/* The dossier: two texts of others made one object. */
#include "state/dossier.h"

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "state/field.h"

/* One object and, behind it, nothing but what may stand behind a line. */
static cJSON *object_parse(const struct dossier_source *source)
{
	const char *end = NULL;
	cJSON *object = source->data ? cJSON_ParseWithLengthOpts(source->data, source->length, &end, 0) : NULL;

	for (; object && end < source->data + source->length; end++)
		if (!memchr(" \t\r\n", *end, 4))
			break;
	if (cJSON_IsObject(object) && end == source->data + source->length)
		return object;
	cJSON_Delete(object);
	return NULL;
}

/* False without memory. */
static bool member_put(cJSON *to, const cJSON *member)
{
	cleanup_free char *key = field_clean(member->string, DOSSIER_KEY_MAX); /* may be longer than what it was made from */
	cleanup_free char *value = field_clean(member->valuestring, DOSSIER_VALUE_MAX);
	cJSON *string = key && value ? cJSON_CreateString(value) : NULL;
	bool done;

	if (!string)
		return false;
	if (strlen(key) > DOSSIER_KEY_MAX) {
		cJSON_Delete(string);
		return true;
	}
	if (cJSON_GetObjectItemCaseSensitive(to, key))
		done = cJSON_ReplaceItemInObjectCaseSensitive(to, key, string);
	else if (cJSON_GetArraySize(to) < DOSSIER_MEMBERS_MAX)
		done = cJSON_AddItemToObject(to, key, string);
	else {
		cJSON_Delete(string);
		return true;
	}
	if (!done)
		cJSON_Delete(string);
	return done;
}

static bool source_put(cJSON *to, const struct dossier_source *source)
{
	cJSON *from = object_parse(source);
	const cJSON *member;
	bool done = true;

	cJSON_ArrayForEach(member, from)
	{
		if (done && cJSON_IsString(member) && *member->string)
			done = member_put(to, member);
	}
	cJSON_Delete(from);
	return done;
}

/* The longest text that fits: members go from the end until it does. */
static char *object_print(cJSON *object)
{
	for (;;) {
		char *printed = cJSON_PrintUnformatted(object);

		if (!printed || strlen(printed) < DOSSIER_MAX)
			return printed;
		cJSON_free(printed);
		cJSON_DeleteItemFromArray(object, cJSON_GetArraySize(object) - 1);
	}
}

char *dossier_merge(struct dossier_source annotations, struct dossier_source meta)
{
	cJSON *object = cJSON_CreateObject();
	char *printed = NULL;

	if (object && source_put(object, &annotations) && source_put(object, &meta))
		printed = object_print(object);
	cJSON_Delete(object);
	return printed;
}
