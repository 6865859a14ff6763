/* Private to this folder: reading a small JSON object whose keys are all known, strictly. */
#ifndef STATE_JSON_H
#define STATE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Numbers that a double holds exactly; beyond, JSON would round in silence. */
#define JSON_NUMBER_MAX (UINT64_C(1) << 53)

struct json {
	void *root;       /* the parsed object */
	const char *file; /* borrowed, for messages */
	struct error *error;
};

/* Parses one object and nothing behind it. -EINVAL. json_close() in either case. */
int json_open(struct json *json, const char *file, const char *data, size_t length, struct error *error);
void json_close(struct json *json);
#define cleanup_json __attribute__((cleanup(json_close)))

/* -EINVAL unless the object has each of the keys exactly once, and no other. */
int json_check_keys(const struct json *json, const char *const *keys, size_t count);

/* The values of keys. Strings are borrowed from the object. -EINVAL for a missing key or another type, with file and key in the text. */
int json_string(const struct json *json, const char *key, const char **value);
int json_bool(const struct json *json, const char *key, bool *value);
bool json_has(const struct json *json, const char *key);
bool json_is_null(const struct json *json, const char *key); /* false when it is missing */
int json_number(const struct json *json, const char *key, uint64_t max, uint64_t *value);

/* Arrays of strings. max: elements allowed. visit gets each in turn; it returns 0 or a negative errno with the error filled. */
int json_strings(const struct json *json, const char *key, size_t max,
	int (*visit)(const struct json *json, const char *value, void *context), void *context);

/* An error that names file and key; value is untrusted and escaped. Returns -EINVAL. */
int json_bad(const struct json *json, const char *key, const char *value, const char *why);

#endif
