/* A profile from a hostile hand: taken whole or refused whole, and what is rendered is read back as the same rules. */
#include <stdlib.h>
#include <string.h>

#include "config/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every rendered line is a rule again, and there are as many as there were. */
static void check_list(const struct text *list, size_t *count)
{
	const char *line = list->data ? list->data : "", *end = line + list->length;

	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line)), *text = line;
		size_t length = rule_strip(&text, (size_t)(newline - line));
		struct rule rule;

		if (rule_parse(&rule, text, length, NULL))
			abort();
		++*count;
		line = newline + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_profile_set struct profile_set set = {0};
	cleanup_text struct text networks = {0}, names = {0};
	struct error error = {0};
	size_t count = 0;

	if (profile_parse(&set, "fuzz", (const char *)data, size, &error)) {
		if (set.count != 0 || set.source_count != 0 || error.code == 0)
			abort();
		return 0;
	}
	profile_render(&set, &networks, &names);
	check_list(&networks, &count);
	check_list(&names, &count);
	if (count != set.count)
		abort();
	return 0;
}
