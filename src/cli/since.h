/* A moment as `--since` takes it, and a time as `--for` does. */
#ifndef CLI_SINCE_H
#define CLI_SINCE_H

#include <stdint.h>

#include "base/error.h"

/* "90s", "15m", "2h", "7d" before now_s; or "2026-01-31", "2026-01-31T08:00", "2026-01-31T08:00:00" (also with a blank for the T) in
 * local time, or with "Z" or "+01:00" behind. moment_s: seconds since the epoch. Errors: -EINVAL. */
int since_parse(int64_t *moment_s, const char *text, int64_t now_s, struct error *error);

/* "90s", "10m", "2h", "7d", from 1 second to max_s. Errors: -EINVAL. */
int since_parse_duration(int64_t *seconds, const char *text, int64_t max_s, struct error *error);

#endif
