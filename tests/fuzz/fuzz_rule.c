/* What rule_parse() accepts must come back from rule_format() as the same rule, in the one canonical spelling. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	size_t length = rule_strip(&line, size);
	cleanup_text struct text first = {0}, second = {0};
	struct error error = {0};
	struct rule rule, again;

	if (rule_parse(&rule, line, length, &error)) {
		if (error.code == 0 || error.text[0] == '\0')
			abort();
		return 0;
	}
	rule_format(&rule, &first);
	if (text_failed(&first) || rule_parse(&again, first.data, first.length, &error) || !rule_equal(&rule, &again))
		abort();
	rule_format(&again, &second);
	if (text_failed(&second) || strcmp(first.data, second.data) != 0)
		abort();
	return 0;
}
