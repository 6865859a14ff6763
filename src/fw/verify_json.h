/* Private to fw/verify*.c: the members of nftables' JSON, looked at strictly, and put into words. */
#ifndef FW_VERIFY_JSON_H
#define FW_VERIFY_JSON_H

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/text.h"

/* Reads an object whose members are all among names, none twice. values: the members, NULL where one is missing. */
bool verify_json_members(const cJSON *object, const char *const *names, size_t count, const cJSON **values);
#define MEMBERS(object, values, ...)                                                                                                       \
	const cJSON *values[sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)];                                                       \
	const bool values##_known = verify_json_members(object, (const char *[]){__VA_ARGS__}, sizeof(values) / sizeof(*values), values)

/* The one member of an object that has just one. NULL otherwise. */
const cJSON *verify_json_only_member(const cJSON *object);

bool verify_json_is(const cJSON *json, const char *string);

/* A whole number within the bounds. */
bool verify_json_number(const cJSON *json, double lowest, double highest, long long *number);

/* Adds a string that is one word: letters, digits and a few signs, so that no string can spell more than one. */
bool verify_json_add_word(struct text *text, const cJSON *json);

/* Adds a number of 32 bits. */
bool verify_json_add_number(struct text *text, const cJSON *json);

/* Adds "ADDRESS/LENGTH" of a prefix object's value. */
bool verify_json_add_prefix(struct text *text, const cJSON *json);

/* Adds "unknown " and the JSON, escaped and cut. */
void verify_json_add_unknown(struct text *text, const cJSON *json);

/* True for an object's family and table when they are those of the shield. */
bool verify_json_in_table(const cJSON *family, const cJSON *table);

/* A rule's and a set's line. False when something in it is not known; what was added is to be followed by what verify_json_add_unknown() says. A
 * set's line is followed by those of its elements, where the listing has them. */
bool verify_rule_add(struct text *text, const cJSON *json);
bool verify_counter_add(struct text *text, const cJSON *json);
bool verify_set_add(struct text *text, const cJSON *json);

#endif
