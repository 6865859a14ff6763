/* /proc/PID/stat (proc(5)): the line, as it was read. */
#ifndef BASE_PROC_STAT_H
#define BASE_PROC_STAT_H

#include <stdbool.h>
#include <stdint.h>

#define PROC_STAT_STATE  3
#define PROC_STAT_PARENT 4
#define PROC_STAT_UTIME  14 /* clock ticks in user mode */
#define PROC_STAT_STIME  15 /* and in the kernel */
#define PROC_STAT_START  22 /* clock ticks after the machine's start */

/* Where a field begins, from PROC_STAT_STATE on. NULL when the line is shorter. Field 2, the name in parentheses, may hold blanks and parentheses itself. */
const char *proc_stat_field(const char *line, unsigned number);

/* A field that is a number of decimal digits. Returns false when it is not, or not there. */
bool proc_stat_number(const char *line, unsigned number, uint64_t *value);

#endif
