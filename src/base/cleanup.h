/* Release on leaving the scope, for what a function acquires. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_close_stream(FILE **stream)
{
	if (*stream)
		fclose(*stream);
}

static inline void cleanup_close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

#define cleanup_free __attribute__((cleanup(cleanup_free_pointer)))
#define cleanup_fd __attribute__((cleanup(cleanup_close_fd)))	      /* int, -1 when not open */
#define cleanup_stream __attribute__((cleanup(cleanup_close_stream))) /* FILE *, may be NULL */
#define cleanup_dir __attribute__((cleanup(cleanup_close_dir)))	      /* DIR *, may be NULL */

/* Hands the value on and disarms the cleanup of the variable. */
#define take_fd(fd)                     \
	({                              \
		int taken_ = (fd);      \
		(fd) = -1;              \
		taken_;                 \
	})
#define take_pointer(pointer)                    \
	({                                       \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;                \
		taken_;                          \
	})

#endif
