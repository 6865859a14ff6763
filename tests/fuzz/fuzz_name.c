/* Names from text and from wire: what is accepted is canonical, and survives the way to the other form and back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const struct name *name)
{
	char text[NAME_TEXT_MAX];
	size_t length = name_to_text(name, text);
	const struct name root = {.length = 1};
	struct name again;

	if (length != strlen(text) || length >= NAME_TEXT_MAX || name->length == 0 || name->wire[name->length - 1] != 0)
		abort();
	if (name_from_text(&again, text, length) || !name_equal(name, &again))
		abort();
	if (name_from_wire(&again, name->wire, name->length) || !name_equal(name, &again))
		abort();
	if (!name_is_within(name, name) || !name_is_within(name, &root) || name_label_count(name) > 127)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct name name;

	if (name_from_text(&name, (const char *)data, size) == 0)
		check_name(&name);
	if (name_from_wire(&name, data, size) == 0)
		check_name(&name);
	return 0;
}
