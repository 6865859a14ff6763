/* Giving up what a process does not need, in named stages, by system calls alone. Each is final; they are entered in this order, since
 * Landlock and seccomp need no_new_privs, and Landlock's own calls need not be in seccomp's list. What is given up stays so in every
 * program executed later. */
#ifndef BASE_ISOLATE_H
#define BASE_ISOLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A sanitizer's runtime looks for leaks at the end: it reads /proc, attaches to its own process, and makes calls that no list here has. */
#if defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer)
#define ISOLATE_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define ISOLATE_SANITIZED 1
#endif
#ifndef ISOLATE_SANITIZED
#define ISOLATE_SANITIZED 0
#endif

/* no_new_privs, not attachable, and of all capabilities only CAP_NET_ADMIN, permitted and effective, not inheritable. No longer
 * holding one is an error of none: what needs it says so. The bounding set is cut down when the process may do that. */
int isolate_capabilities(struct error *error);

#define ISOLATE_READ    (1u << 0) /* read files and folders */
#define ISOLATE_CHANGE  (1u << 1) /* ... write, make, replace and remove files, and read */
#define ISOLATE_EXECUTE (1u << 2) /* ... execute */

struct isolate_folder {
	const char *path; /* one that does not exist is passed over; NULL too */
	unsigned access;
};

/* Landlock: nothing in the file system but that. A kernel without Landlock is no error: the stage is skipped, and *held says so. */
int isolate_files(const struct isolate_folder *folders, size_t count, bool *held, struct error *error);

/* A system call that is allowed with any arguments, or only when the lower half of argument `index` has one value. */
struct isolate_call {
	int number;
	bool conditional;
	uint8_t index;
	uint32_t value;
};

enum isolate_refusal {
	ISOLATE_KILL,   /* any other call ends the process */
	ISOLATE_ENOSYS, /* any other call fails, as on a kernel that does not have it */
};

/* seccomp: these system calls. count: at most 256. Not in builds with sanitizers, whose runtime needs more. */
int isolate_calls(const struct isolate_call *calls, size_t count, enum isolate_refusal refusal, struct error *error);

#endif
