/* Annotations and the file of a dossier: whatever they are, what comes out is one object of strings on one line, bounded and without controls. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "state/dossier.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first NUL divides the two sources. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *border = memchr(data, '\0', size);
	size_t first = border ? (size_t)(border - data) : size, rest = border ? size - first - 1 : 0;
	char *annotations = malloc(first + 1), *meta = malloc(rest + 1), *merged, *again;

	if (!annotations || !meta)
		abort();
	memcpy(annotations, data, first);
	if (rest)
		memcpy(meta, border + 1, rest);
	merged = dossier_merge((struct dossier_source){annotations, first}, (struct dossier_source){meta, rest});
	if (!merged || strlen(merged) >= DOSSIER_MAX || merged[0] != '{')
		abort();
	for (const char *at = merged; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			abort();
	again = dossier_merge((struct dossier_source){merged, strlen(merged)}, (struct dossier_source){0});
	if (!again || (strcmp(merged, "{}") != 0 && !strcmp(again, "{}")))
		abort();
	free(again);
	free(merged);
	free(meta);
	free(annotations);
	return 0;
}
