/* Time, with a seam for tests. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Milliseconds of CLOCK_BOOTTIME. It counts time spent suspended, as the TTLs of others do. */
int64_t clock_now_ms(void);

/* Milliseconds of CLOCK_MONOTONIC, which stands still while the machine is suspended, as the jiffies behind the kernel's set timeouts do. For what is believed of these. */
int64_t clock_awake_ms(void);

/* Nanoseconds of CLOCK_MONOTONIC, for durations that are short and decide nothing. It has nothing to do with clock_now_ms(): time spent suspended is left out. */
int64_t clock_now_ns(void);

/* Seconds since the epoch (CLOCK_REALTIME), for records only; nothing is decided by it. */
int64_t clock_wall_s(void);

/* The same for what ends at a moment that others know of too. It never goes back while the process lives: a clock that is set forward is
 * followed; when one is set back, time passes on as CLOCK_BOOTTIME says. */
int64_t clock_lasting_s(void);

/* "2026-01-02T03:04:05+00:00" (seconds, UTC). size >= CLOCK_TEXT_MAX. Returns buffer. */
#define CLOCK_TEXT_MAX 26
const char *clock_wall_text(char *buffer, size_t size, int64_t wall_s);
/* The reverse: that form exactly. Errors: -EINVAL. */
int clock_wall_parse(const char *text, int64_t *wall_s);

/* Tests: from now on all clocks return what was set; a negative value ends the pretence. */
void clock_fake(int64_t now_ms, int64_t wall_s);
/* So much of the faked time was spent suspended. */
void clock_fake_suspended(int64_t suspended_ms);

#endif
