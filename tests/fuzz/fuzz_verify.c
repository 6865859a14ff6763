/* fw/verify.c with any text as the listing: it must not crash, and what it verifies must be the listing that nft gives for that ruleset.
 *
 * The second half is judged by other means than verify's own words: each object of a listing that verified is looked for, without its
 * handle and the values of its counters, among the objects of the golden listing. Elements are left out; which networks are equal is the
 * unit test's business. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "fw/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct settings settings;
static const struct netset nothing;

static struct {
	enum shield_state state;
	const char *path; /* beside this file's folder */
	cJSON *objects;
} goldens[] = {
	{SHIELD_UP, "../unit/golden/up.1.0.6.json", NULL},
	{SHIELD_BLOCK, "../unit/golden/block.1.0.6.json", NULL},
};

static void strip(cJSON *object)
{
	cJSON *item, *flags = cJSON_GetObjectItemCaseSensitive(object, "flags");

	cJSON_DeleteItemFromObjectCaseSensitive(object, "handle");
	cJSON_DeleteItemFromObjectCaseSensitive(object, "elem");
	if (cJSON_GetObjectItemCaseSensitive(object, "counter"))
		cJSON_ReplaceItemInObjectCaseSensitive(object, "counter", cJSON_CreateNull());
	if (cJSON_IsString(flags))
		cJSON_ReplaceItemInObjectCaseSensitive(object, "flags", cJSON_CreateStringArray((const char *[]){flags->valuestring}, 1));
	cJSON_ArrayForEach(item, object) strip(item);
}

/* The objects of a listing but for its metainfo, stripped. */
static cJSON *read_objects(const char *json)
{
	cJSON *document = cJSON_Parse(json), *objects = cJSON_CreateArray(), *item;

	while (document && document->child && (item = cJSON_DetachItemFromArray(document->child, 0))) {
		strip(item);
		if (item->child && !strcmp(item->child->string, "metainfo"))
			cJSON_Delete(item);
		else
			cJSON_AddItemToArray(objects, item);
	}
	cJSON_Delete(document);
	return objects;
}

static void read_goldens(void)
{
	for (size_t i = 0; i < sizeof(goldens) / sizeof(*goldens); i++) {
		cleanup_free char *json = NULL;
		char path[512];

		snprintf(path, sizeof(path), "%.*s%s", (int)(strrchr(__FILE__, '/') + 1 - __FILE__), __FILE__, goldens[i].path);
		if (file_read(AT_FDCWD, path, 1u << 20, &json, NULL))
			abort();
		goldens[i].objects = read_objects(json);
	}
	clock_fake(1000, 0); /* nothing has ended: what has is passed over */
	settings_init(&settings);
	settings.via = SETTINGS_VIA_HOST;
}

/* The same objects, in whatever order. */
static bool is_same(const cJSON *golden, const char *json)
{
	cJSON *objects = read_objects(json);
	const cJSON *item;
	bool same = cJSON_GetArraySize(objects) == cJSON_GetArraySize(golden);

	cJSON_ArrayForEach(item, golden)
	{
		cJSON *other = objects->child;

		while (other && !cJSON_Compare(item, other, true))
			other = other->next;
		if (!other)
			same = false;
		else
			cJSON_Delete(cJSON_DetachItemViaPointer(objects, other));
	}
	cJSON_Delete(objects);
	return same;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *json = strndup((const char *)data, size);

	if (!goldens[0].objects)
		read_goldens();
	for (size_t i = 0; i < sizeof(goldens) / sizeof(*goldens); i++) {
		struct ruleset ruleset = {goldens[i].state, &settings, &nothing, &nothing};

		if (!verify_ruleset(&ruleset, json, NULL) && !is_same(goldens[i].objects, json))
			abort();
	}
	return 0;
}
