/* Private to this folder: reading a JSON document of others, of which only some members are our business. Each of them is type-checked. */
#ifndef HOOK_DOCUMENT_H
#define HOOK_DOCUMENT_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "base/error.h"

/* json: length octets and a NUL behind them. what: names the document in messages. NULL and an error for anything but one whole JSON
 * object. */
cJSON *document_parse(const char *json, size_t length, const char *what, struct error *error);
void document_free(cJSON **document);
#define cleanup_document __attribute__((cleanup(document_free)))

/* A member, NULL when it is not there. Two of one name are refused: which of them counts is every reader's own choice. -EINVAL. */
int document_find(const cJSON *object, const char *name, const cJSON **member, struct error *error);
int document_object(const cJSON *object, const char *name, const cJSON **member, struct error *error);
int document_array(const cJSON *object, const char *name, const cJSON **member, struct error *error);

/* Copies a string. -EINVAL for another type, one that does not fit, and for document_string() one that is not there. */
int document_string(const cJSON *object, const char *name, char *buffer, size_t size, struct error *error);
int document_string_copy(const cJSON *item, const char *name, char *buffer, size_t size, struct error *error);

#endif
