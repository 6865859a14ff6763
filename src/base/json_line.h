/* One JSON object on one line, written into a buffer of fixed size: for what is written often and must not allocate.
 *
 * Members follow each other in the order in which they are added. Once one does not fit, `full` is set and nothing is added any more:
 * the owner checks once, at the end. */
#ifndef BASE_JSON_LINE_H
#define BASE_JSON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_line {
	char *data; /* borrowed; never NUL-terminated */
	size_t size, length;
	bool full;
};

/* Begins the object in buffer. */
void json_line_begin(struct json_line *line, char *buffer, size_t size);

/* Keys are the program's own and need no escape. A value may be any octets up to its NUL: controls, quotes, backslashes and what is not
 * ASCII become \u00XX, octet by octet, so that nothing in it can end the string or speak to a terminal. A NULL value leaves the member
 * out. */
void json_line_string(struct json_line *line, const char *key, const char *value);
void json_line_null(struct json_line *line, const char *key);
void json_line_number(struct json_line *line, const char *key, uint64_t value);
/* A value that is JSON already. */
void json_line_raw(struct json_line *line, const char *key, const char *json);

/* Ends the object, without a newline. False when it did not fit. */
bool json_line_end(struct json_line *line);

#endif
