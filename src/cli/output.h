/* What commands print: JSON for programs, colour for people. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/types.h>

#include "base/error.h"
#include "base/text.h"

struct cJSON;

/* Prints a value as one line and frees it. NULL, or failed as output_add() set it, is -ENOMEM. */
int output_json(struct cJSON *value, bool failed, struct error *error);

/* Writes what a command has made to standard output, or replaces the file at path whole: who reads it meanwhile has the old one or the new one.
 * path: NULL for standard output; mode: of a file. */
int output_put(const struct text *output, const char *path, mode_t mode, struct error *error);

/* A string for JSON: octets that are not UTF-8 come as text_add_escaped() shows them, since JSON cannot hold them. NULL gives null.
 * Returns NULL when there is no memory. */
struct cJSON *output_string(const char *string);

/* Puts a member into an object, or with name NULL an item into an array; takes the value. A value that is NULL, for lack of memory,
 * marks the whole as failed: *failed is set, and never reset. */
void output_add(struct cJSON *parent, const char *name, struct cJSON *value, bool *failed);

/* "3h07m", "4m10s", "12s". */
#define OUTPUT_LIFETIME_MAX 24
const char *output_lifetime(char text[OUTPUT_LIFETIME_MAX], uint64_t ms);

/* A number in digits: for listings so long that printf is what takes the time. Returns a place in text. */
#define OUTPUT_DECIMAL_MAX 21
const char *output_decimal(char text[OUTPUT_DECIMAL_MAX], uint64_t number);

enum output_style {
	OUTPUT_GOOD,
	OUTPUT_BAD,
	OUTPUT_FAINT,
	OUTPUT_PLAIN, /* ends the others */
};

/* The sequence that begins a style on standard output: "" unless that is a terminal, NO_COLOR is unset or empty, and TERM is not
 * "dumb". */
const char *output_style(enum output_style style);

#endif
