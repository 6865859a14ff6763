/* Profiles: NAME.txt files of rules, the user's own before the bundled ones, composed into one list. */
#ifndef CONFIG_PROFILE_H
#define CONFIG_PROFILE_H

#include "base/error.h"
#include "base/text.h"
#include "policy/rule.h"

/* Where profiles are looked for, in this order; the first folder that has NAME.txt wins. Folders that do not exist are passed over. */
struct profile_path {
	const char *folders[4]; /* borrowed */
	size_t count;
};

struct profile_entry {
	struct rule rule;
	uint32_t source; /* index into profile_set.sources */
	uint32_t line;
};

/* Zero-initialise. */
struct profile_set {
	struct profile_entry *entries; /* duplicates removed, order of first mention */
	size_t count, capacity;
	char **sources; /* file paths, owned */
	size_t source_count;
};

/* True for [A-Za-z0-9_][A-Za-z0-9_.-]* without "..", at most 64 octets. */
bool profile_name_is_safe(const char *name);

/* Adds a profile by name. Errors: -ENOENT with the list of names there are (and the nearest one); -EINVAL "FILE:LINE: ..." for a bad line; nothing is added then. */
int profile_load(struct profile_set *set, const struct profile_path *path, const char *name, struct error *error);

/* Adds the lines of a text: source is the name used in messages. For tests, fuzzing and `profiles check`. */
int profile_parse(struct profile_set *set, const char *source, const char *data, size_t length, struct error *error);

/* The names there are, sorted, without duplicates. names: free with profile_names_free(). */
int profile_names(const struct profile_path *path, char ***names, size_t *count, struct error *error);
void profile_names_free(char **names, size_t count);

/* Renders the bundle's lists: networks and names in canonical spelling, each line followed by " # FILE:LINE". */
void profile_render(const struct profile_set *set, struct text *networks, struct text *names);

void profile_set_free(struct profile_set *set);
#define cleanup_profile_set __attribute__((cleanup(profile_set_free)))

/* One rule as the user wrote it, IDN allowed (converted to its ASCII form, IDNA2008 as libidn2 has it): what profiles and `allow` go through.
 * text is a line already stripped (rule_strip()). Errors as rule_parse(); -EINVAL for a name that IDNA refuses. */
int profile_rule_parse(struct rule *rule, const char *text, size_t length, struct error *error);

#endif
