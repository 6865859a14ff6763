/* Arguments of `podman run`, one a line: what is accepted has an image that podman would take for it too, and ports that can be. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/podman_flags.h"

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct podman_guard guard = {.folders = {"/home/user/.local/state/terok/shield"}};
	char *copy = malloc(size + 1);
	char *words[WORDS_MAX];
	size_t count = 0;
	struct podman_flags flags;
	struct error error = {0};

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	copy[size] = '\0';
	for (char *at = copy; at && count < WORDS_MAX;)
		words[count++] = strsep(&at, "\n");
	if (podman_flags_parse(&flags, count, words, &guard, &error)) {
		if (!error.code || strchr(error.text, '\n'))
			abort();
	} else {
		if (flags.image >= count || !*words[flags.image])
			abort();
		if (words[flags.image][0] == '-' && words[flags.image][1] &&
			(flags.image == 0 || strcmp(words[flags.image - 1], "--") != 0))
			abort();
		for (size_t i = 0; i < flags.published_count; i++) {
			if (!flags.published[i].first || flags.published[i].first > flags.published[i].last)
				abort();
		}
	}
	free(copy);
	return 0;
}
