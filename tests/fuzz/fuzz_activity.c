/* activity.json with any octets: what is taken from it can be written again, and is read back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "state/activity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visit(void *context, const struct activity_row *row)
{
	char buffer[ACTIVITY_LINE_MAX];
	struct json_line line;

	(void)context;
	if ((row->kind == ACTIVITY_NAME || row->kind == ACTIVITY_SHARED) && !row->name)
		abort();
	if (!activity_print_row(&line, buffer, sizeof(buffer), row))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct activity head = {0};
	struct error error = {0};

	activity_parse((const char *)data, size, &head, visit, NULL, &error);
	if (memchr(head.container, '\0', sizeof(head.container)) == NULL)
		abort();
	return 0;
}
