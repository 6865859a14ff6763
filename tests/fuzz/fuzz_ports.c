/* The annotation terok.shield.ports. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/ports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct settings settings;
	struct error error = {0};
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	settings_init(&settings);
	if (ports_parse(&settings, text, &error) != 0 && !error.code)
		abort();
	for (size_t i = 0; i < settings.published_count; i++)
		if (settings.published[i].first == 0 || settings.published[i].last < settings.published[i].first)
			abort();
	free(text);
	return 0;
}
