/* JSON documents of others: see document.h. */
#include "hook/document.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

void document_free(cJSON **document)
{
	cJSON_Delete(*document);
}

cJSON *document_parse(const char *json, size_t length, const char *what, struct error *error)
{
	cJSON *document = cJSON_ParseWithLengthOpts(json, length + 1, NULL, true);

	if (!document || strlen(json) != length) {
		cJSON_Delete(document);
		error_set(error, EINVAL, "%s is not JSON", what);
		return NULL;
	}
	if (!cJSON_IsObject(document)) {
		cJSON_Delete(document);
		error_set(error, EINVAL, "%s is not a JSON object", what);
		return NULL;
	}
	return document;
}

int document_find(const cJSON *object, const char *name, const cJSON **member, struct error *error)
{
	const cJSON *item;

	*member = NULL;
	cJSON_ArrayForEach(item, object)
	{
		if (!item->string || strcmp(item->string, name) != 0)
			continue;
		if (*member)
			return error_set(error, EINVAL, "\"%s\" is there twice", name);
		*member = item;
	}
	return 0;
}

int document_object(const cJSON *object, const char *name, const cJSON **member, struct error *error)
{
	int rc = document_find(object, name, member, error);

	if (!rc && *member && !cJSON_IsObject(*member))
		return error_set(error, EINVAL, "\"%s\" is not an object", name);
	return rc;
}

int document_array(const cJSON *object, const char *name, const cJSON **member, struct error *error)
{
	int rc = document_find(object, name, member, error);

	if (!rc && *member && !cJSON_IsArray(*member))
		return error_set(error, EINVAL, "\"%s\" is not an array", name);
	return rc;
}

int document_string_copy(const cJSON *item, const char *name, char *buffer, size_t size, struct error *error)
{
	if (!cJSON_IsString(item))
		return error_set(error, EINVAL, "\"%s\" is not a string", name);
	if (strlen(item->valuestring) >= size)
		return error_set(error, EINVAL, "\"%s\" has more than %zu octets", name, size - 1);
	strcpy(buffer, item->valuestring);
	return 0;
}

int document_string(const cJSON *object, const char *name, char *buffer, size_t size, struct error *error)
{
	const cJSON *item;
	int rc = document_find(object, name, &item, error);

	if (rc)
		return rc;
	if (!item)
		return error_set(error, EINVAL, "\"%s\" is missing", name);
	return document_string_copy(item, name, buffer, size, error);
}
