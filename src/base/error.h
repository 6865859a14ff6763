/* The error record: filled once, at the source, by the function that failed.
 *
 * A fallible function returns 0 or a negative errno and takes a `struct error *`
 * as its last parameter. On success the record is untouched. Each layer above
 * may put context in front. The text is one line, without a newline at its end,
 * and says what was being done, to what, why it failed and, where there is
 * one, the remedy.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

struct error {
	int code;	 /* positive errno, 0 while no error was recorded */
	char text[1024]; /* NUL-terminated, cut with "..." when it does not fit */
};

/* Records `code` (a positive errno) and the formatted text.
 * error: may be NULL, then only the code is returned.
 * Untrusted bytes in the arguments must have gone through text_add_escaped().
 * Returns -code, so that a caller can write `return error_set(...)`. */
int error_set(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As error_set(), and appends ": " and strerror(code). */
int error_errno(struct error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts the formatted text and ": " in front of what is recorded.
 * Returns -error->code (or -EINVAL when nothing was recorded). error may be NULL. */
int error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
