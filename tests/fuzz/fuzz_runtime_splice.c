/* Hooks into config.json: a changed document is the old one with more in it, is JSON where the old one was, and needs no second change. */
#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hook/splice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool parses(const char *json, size_t length)
{
	cJSON *document = cJSON_ParseWithLength(json, length);

	cJSON_Delete(document);
	return document != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *json = (const char *)data;
	enum splice_outcome outcome;
	struct text out = {0}, again = {0};

	if (splice_config(json, size, "/l/terok-shield-hook", &out, &outcome, NULL) == 0 && outcome == SPLICE_CHANGED) {
		if (parses(json, size) && !parses(out.data, out.length))
			abort();
		if (splice_config(out.data, out.length, "/l/terok-shield-hook", &again, &outcome, NULL) != 0 || outcome != SPLICE_COMPLETE)
			abort();
	}
	text_free(&out);
	text_free(&again);
	return 0;
}
