/* Results: named numbers, and what is made of them. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench.h"

/* Notes a number under a name such as "new1/shield/p50_us"; unit: "us", "ms", "KiB", "/s", "%" or "". A name that was noted before gets the new value. */
void report_set(double value, const char *unit, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* NAN when there is none. */
double report_get(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Each goal with its value, "met" or "not met", or why it has none; on standard output. */
void report_goals(void);
/* All numbers and goals as one JSON object. 0 or a negative errno. */
int report_json(const char *path, const char *machine, bool quick);

#endif
