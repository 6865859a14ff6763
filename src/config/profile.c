/* Profiles: found by name, parsed, composed without duplicates, rendered as the bundle's lists. */
#include "config/profile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/hash.h"
#include "config/idn.h"

#define PROFILE_OCTETS_MAX  (16u << 20)
#define PROFILE_ENTRIES_MAX (1u << 20)
#define NAME_OCTETS_MAX     64
#define SUFFIX              ".txt"

#define SHOWN(word) text_escaped((char[300]){0}, 300, word)

bool profile_name_is_safe(const char *name)
{
	size_t length = strnlen(name, NAME_OCTETS_MAX + 1);

	if (length == 0 || length > NAME_OCTETS_MAX || name[0] == '.' || name[0] == '-' || strstr(name, ".."))
		return false;
	return name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")] == '\0';
}

/* ---- one rule ---- */

static bool is_ascii(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

static size_t prefix_length(const char *text, size_t length)
{
	static const char *const prefixes[] = {"!*.", "!=", "!", "*.", "="};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (length >= strlen(prefixes[i]) && memcmp(text, prefixes[i], strlen(prefixes[i])) == 0)
			return strlen(prefixes[i]);
	return 0;
}

int profile_rule_parse(struct rule *rule, const char *text, size_t length, struct error *error)
{
	size_t prefix = prefix_length(text, length);
	const char *name = text + prefix, *port = memchr(name, ':', length - prefix);
	size_t name_length = port ? (size_t)(port - name) : length - prefix;
	char ascii[IDN_ASCII_MAX];
	cleanup_text struct text whole = {0};
	struct rule parsed;
	int result;

	if (is_ascii(text, length))
		return rule_parse(rule, text, length, error);
	result = idn_to_ascii(name, name_length, ascii, error);
	if (result)
		return result;
	text_add_bytes(&whole, text, prefix);
	text_add(&whole, ascii);
	text_add_bytes(&whole, name + name_length, length - prefix - name_length);
	if (text_failed(&whole))
		return error_errno(error, ENOMEM, "rule");
	result = rule_parse(&parsed, whole.data, whole.length, error);
	if (result)
		return result;
	/* Digits of other scripts are mapped to ours, and a name would turn into an address. */
	if (parsed.kind == RULE_NET)
		return error_set(error, EINVAL, "'%s': write an address in plain digits", SHOWN(whole.data));
	*rule = parsed;
	return 0;
}

/* ---- a profile's text ---- */

/* The rules of a set by their content, so that a duplicate is found at once. Open addressing; a slot holds an index + 1. */
struct seen {
	struct hash_key key;
	uint32_t *slots;
	size_t mask;
};

static uint64_t seen_hash(const struct seen *seen, const struct rule *rule)
{
	uint8_t content[32 + NAME_WIRE_MAX] = {
		(uint8_t)rule->kind, rule->exclude, rule->protocol, (uint8_t)(rule->port >> 8), (uint8_t)rule->port};
	size_t length = 5;

	if (rule->kind == RULE_NET) {
		content[length++] = rule->net.addr.family;
		content[length++] = rule->net.prefix_length;
		memcpy(content + length, rule->net.addr.octets, sizeof(rule->net.addr.octets));
		length += sizeof(rule->net.addr.octets);
	} else {
		memcpy(content + length, rule->name.wire, rule->name.length);
		length += rule->name.length;
	}
	return hash_bytes(&seen->key, content, length);
}

/* The slot that holds the rule, or the free one where it belongs. */
static uint32_t *seen_slot(const struct seen *seen, const struct profile_set *set, const struct rule *rule)
{
	for (size_t at = seen_hash(seen, rule) & seen->mask;; at = (at + 1) & seen->mask) {
		uint32_t *slot = &seen->slots[at];

		if (*slot == 0 || rule_equal(&set->entries[*slot - 1].rule, rule))
			return slot;
	}
}

/* room: entries that there may be at most. */
static int seen_init(struct seen *seen, const struct profile_set *set, size_t room)
{
	size_t slots = 64;

	while (slots < 2 * room)
		slots *= 2;
	*seen = (struct seen){.key = hash_key_random(), .slots = calloc(slots, sizeof(*seen->slots)), .mask = slots - 1};
	if (!seen->slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->count; i++)
		*seen_slot(seen, set, &set->entries[i].rule) = (uint32_t)i + 1;
	return 0;
}

static int entry_add(struct profile_set *set, const struct rule *rule, uint32_t line)
{
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? set->capacity * 2 : 64;
		struct profile_entry *grown = reallocarray(set->entries, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		set->entries = grown;
		set->capacity = capacity;
	}
	set->entries[set->count++] = (struct profile_entry){.rule = *rule, .source = (uint32_t)set->source_count - 1, .line = line};
	return 0;
}

static int source_add(struct profile_set *set, const char *source)
{
	char **grown = reallocarray(set->sources, set->source_count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	set->sources = grown;
	grown[set->source_count] = strdup(source);
	if (!grown[set->source_count])
		return -ENOMEM;
	set->source_count++;
	return 0;
}

static size_t count_lines(const char *data, size_t length)
{
	size_t count = 1;

	for (size_t i = 0; i < length; i++)
		count += data[i] == '\n';
	return count;
}

static int line_parse(struct profile_set *set, const struct seen *seen, const char *source, const char *start, size_t length, uint32_t line,
	struct error *error)
{
	const char *text = start;
	size_t rest = rule_strip(&text, length);
	struct rule rule;
	uint32_t *slot;

	if (rest == 0)
		return 0;
	if (profile_rule_parse(&rule, text, rest, error))
		return error_prefix(error, "%s:%u", SHOWN(source), line);
	slot = seen_slot(seen, set, &rule);
	if (*slot)
		return 0;
	if (set->count == PROFILE_ENTRIES_MAX)
		return error_set(
			error, EFBIG, "%s:%u: the profiles have more than %u entries together", SHOWN(source), line, PROFILE_ENTRIES_MAX);
	if (entry_add(set, &rule, line))
		return error_errno(error, ENOMEM, "%s", SHOWN(source));
	*slot = (uint32_t)set->count;
	return 0;
}

int profile_parse(struct profile_set *set, const char *source, const char *data, size_t length, struct error *error)
{
	const size_t count_before = set->count;
	const char *end = data + length;
	struct seen seen = {0};
	uint32_t line = 0;
	int result = source_add(set, source);

	if (result)
		return error_errno(error, -result, "%s", SHOWN(source));
	result = seen_init(&seen, set, set->count + count_lines(data, length));
	if (result)
		error_errno(error, -result, "%s", SHOWN(source));
	while (result == 0 && data < end) {
		const char *newline = memchr(data, '\n', (size_t)(end - data));
		size_t line_length = (size_t)((newline ? newline : end) - data);

		result = line_parse(set, &seen, source, data, line_length, ++line, error);
		data += line_length + (newline != NULL);
	}
	free(seen.slots);
	if (result) { /* all of a profile, or nothing */
		set->count = count_before;
		free(set->sources[--set->source_count]);
	}
	return result;
}

/* ---- folders ---- */

/* The number of single-character changes that make one name of the other (Levenshtein 1966). */
static unsigned name_distance(const char *a, const char *b)
{
	unsigned row[NAME_OCTETS_MAX + 1];
	size_t length = strlen(b);

	for (unsigned j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		unsigned diagonal = row[0]++;

		for (size_t j = 1; j <= length; j++) {
			unsigned above = row[j], best = diagonal + (a[i] != b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[length];
}

static int unknown_profile(const struct profile_path *path, const char *name, struct error *error)
{
	cleanup_text struct text list = {0};
	char **names, *nearest = NULL;
	unsigned best = 4; /* what needs more changes is another word */
	size_t count;
	int result = profile_names(path, &names, &count, error);

	if (result)
		return result;
	for (size_t i = 0; i < count; i++) {
		unsigned distance = name_distance(names[i], name);

		text_addf(&list, "%s%s", i ? ", " : "", names[i]);
		if (distance < best) {
			best = distance;
			nearest = names[i];
		}
	}
	result = error_set(error, ENOENT, "there is no profile '%s'%s%s%s; there are: %s", SHOWN(name), nearest ? ", did you mean '" : "",
		nearest ? nearest : "", nearest ? "'?" : "", list.data && !text_failed(&list) ? list.data : "none");
	profile_names_free(names, count);
	return result;
}

/* Reads a file that the user or the system's administrator put there; a link is as good as a file. */
static int profile_read(const char *file, char **data, size_t *length)
{
	cleanup_fd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status))
		return -errno;
	return S_ISREG(status.st_mode) ? file_read_fd(fd, PROFILE_OCTETS_MAX, data, length) : -EINVAL;
}

int profile_load(struct profile_set *set, const struct profile_path *path, const char *name, struct error *error)
{
	if (!profile_name_is_safe(name))
		return error_set(error, EINVAL, "'%s' is no profile's name: letters, digits, '_', '.' and '-', at most %d", SHOWN(name),
			NAME_OCTETS_MAX);
	for (size_t i = 0; i < path->count; i++) {
		cleanup_free char *file = NULL;
		cleanup_free char *data = NULL;
		size_t length;
		int result;

		if (asprintf(&file, "%s/%s" SUFFIX, path->folders[i], name) < 0) {
			file = NULL;
			return error_errno(error, ENOMEM, "profile '%s'", name);
		}
		result = profile_read(file, &data, &length);
		if (result == -ENOENT)
			continue;
		/* A profile of the user's that cannot be read must not give way to the bundled one in silence. */
		if (result)
			return error_errno(error, -result, "profile '%s': %s", name, SHOWN(file));
		return profile_parse(set, file, data, length, error);
	}
	return unknown_profile(path, name, error);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of one folder, behind those that are there already. */
static int folder_names(const char *path, char ***names, size_t *count)
{
	cleanup_dir DIR *folder = opendir(path);
	struct dirent *entry;

	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	while ((errno = 0, entry = readdir(folder))) {
		size_t length = strlen(entry->d_name), suffix = strlen(SUFFIX);
		char **grown, *name;

		if (length <= suffix || strcmp(entry->d_name + length - suffix, SUFFIX) != 0)
			continue;
		name = strndup(entry->d_name, length - suffix);
		if (name && !profile_name_is_safe(name)) {
			free(name);
			continue;
		}
		grown = name ? reallocarray(*names, *count + 1, sizeof(*grown)) : NULL;
		if (!grown) {
			free(name);
			return -ENOMEM;
		}
		*names = grown;
		grown[(*count)++] = name;
	}
	return -errno;
}

int profile_names(const struct profile_path *path, char ***names, size_t *count, struct error *error)
{
	char **found = NULL;
	size_t found_count = 0, kept = 0;

	for (size_t i = 0; i < path->count; i++) {
		int result = folder_names(path->folders[i], &found, &found_count);

		if (result) {
			profile_names_free(found, found_count);
			return error_errno(error, -result, "profiles in %s", SHOWN(path->folders[i]));
		}
	}
	if (found_count)
		qsort(found, found_count, sizeof(*found), compare_names);
	for (size_t i = 0; i < found_count; i++) {
		if (kept && strcmp(found[kept - 1], found[i]) == 0)
			free(found[i]);
		else
			found[kept++] = found[i];
	}
	*names = found;
	*count = kept;
	return 0;
}

void profile_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

/* ---- out ---- */

void profile_render(const struct profile_set *set, struct text *networks, struct text *names)
{
	for (size_t i = 0; i < set->count; i++) {
		const struct profile_entry *entry = &set->entries[i];
		const char *source = set->sources[entry->source];
		struct text *text = entry->rule.kind == RULE_NET ? networks : names;

		rule_format(&entry->rule, text);
		text_add(text, " # ");
		text_add_escaped(text, source, strlen(source), strlen(source));
		text_addf(text, ":%u\n", entry->line);
	}
}

void profile_set_free(struct profile_set *set)
{
	for (size_t i = 0; i < set->source_count; i++)
		free(set->sources[i]);
	free(set->sources);
	free(set->entries);
	*set = (struct profile_set){0};
}
