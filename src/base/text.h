/* A growing piece of text, and the one way by which untrusted bytes get into one. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise (`struct text t = {0}`). `data` is NUL-terminated once something was added.
 * After an allocation failure `failed` is set, later additions do nothing, and
 * the owner finds out with text_failed(): callers may add freely and check once. */
struct text {
	char *data;
	size_t length;
	size_t capacity;
	bool failed;
};

void text_add(struct text *text, const char *string);
void text_add_bytes(struct text *text, const void *bytes, size_t length);
void text_addf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds untrusted bytes so that they are safe in a log, on a terminal and in an
 * error message: printable ASCII stays except '\\', which becomes "\\\\"; every other octet
 * becomes \xHH (valid UTF-8 too: what is displayed must be what was sent). At most `max` octets of
 * the input are shown, then "...". */
void text_add_escaped(struct text *text, const void *bytes, size_t length, size_t max);

/* The same for a NUL-terminated string into a caller's buffer, for error texts:
 * `error_set(e, EINVAL, "unknown word '%s'", text_escaped((char[128]){0}, 128, word))`.
 * Returns buffer, always NUL-terminated. */
const char *text_escaped(char *buffer, size_t size, const char *string);

/* True when an allocation failed; data is then not to be used. */
bool text_failed(const struct text *text);

/* Hands the string over (caller frees; "" rather than NULL when empty, NULL when it
 * failed) and leaves the text empty. */
char *text_take(struct text *text);

void text_free(struct text *text);
#define cleanup_text __attribute__((cleanup(text_free)))

#endif
