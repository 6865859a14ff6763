/* What a forwarder's worker answers to `stats`. */
#include "cli/stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "state/control.h"

int stats_parse(struct stats *stats, const char *answer)
{
	stats->count = 0;
	for (const char *at = answer; *at;) {
		size_t key = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
		size_t digits = at[key] == ' ' ? strspn(at + key + 1, "0123456789") : 0;
		if (key == 0 || key > STATS_KEY_MAX || digits == 0 || at[key + 1 + digits] != '\n' || stats->count == STATS_MAX) {
			stats->count = 0;
			return -EPROTO;
		}
		struct stat_line *line = &stats->lines[stats->count++];
		memcpy(line->key, at, key);
		line->key[key] = '\0';
		line->number = strtoull(at + key + 1, NULL, 10);
		at += key + 1 + digits + 1;
	}
	return 0;
}

int stats_ask(const struct bundle *bundle, unsigned timeout_ms, struct stats *stats, struct error *error)
{
	cleanup_text struct text answer = {0};
	int rc = control_request(bundle, "stats", timeout_ms, &answer, error);
	if (rc)
		return rc;
	return stats_parse(stats, answer.data ? answer.data : "") ? error_set(error, EPROTO, "the forwarder's numbers are not understood")
								  : 0;
}

bool stats_find(const struct stats *stats, const char *key, uint64_t *number)
{
	for (size_t i = 0; i < stats->count; i++) {
		if (strcmp(stats->lines[i].key, key) == 0) {
			*number = stats->lines[i].number;
			return true;
		}
	}
	return false;
}
