/* Crashes for tests: a piece of work is killed just before its n-th system call that changes a file.
 *
 * The work runs in a child that the test traces; so nothing of the program has to be built in for it, and every call that it makes
 * counts, the libraries' too. */
#ifndef TESTS_SUPPORT_CRASH_H
#define TESTS_SUPPORT_CRASH_H

#define CRASH_NEVER (~0u)

/* Why processes cannot be traced here, or NULL. */
const char *crash_missing(void);

/* Runs work(context) in a child and kills it at its n-th (from 0) write, creation, renaming, removal, synchronisation or the like. Its
 * output is thrown away. Returns -1 when it was killed, otherwise what work returned (0 to 125): it made fewer of these calls. calls: how
 * many it made (may be NULL). */
int crash_run(int (*work)(void *context), void *context, unsigned n, unsigned *calls);

#endif
