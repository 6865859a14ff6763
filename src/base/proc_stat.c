/* /proc/PID/stat. */
#include "base/proc_stat.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char *proc_stat_field(const char *line, unsigned number)
{
	const char *at = strrchr(line, ')');

	for (unsigned i = PROC_STAT_STATE; at && i <= number; i++) {
		at = strchr(at, ' ');
		if (at)
			at++;
	}
	return at;
}

bool proc_stat_number(const char *line, unsigned number, uint64_t *value)
{
	const char *field = proc_stat_field(line, number);
	char *end;

	if (!field || *field < '0' || *field > '9')
		return false;
	*value = strtoull(field, &end, 10);
	return *end == ' ' || *end == '\n' || *end == '\0';
}
