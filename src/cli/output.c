/* JSON and colour on standard output. */
#include "cli/output.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

int output_json(struct cJSON *value, bool failed, struct error *error)
{
	cleanup_free char *printed = value && !failed ? cJSON_PrintUnformatted(value) : NULL;
	cJSON_Delete(value);
	if (!printed)
		return error_set(error, ENOMEM, "out of memory");
	puts(printed);
	return 0;
}

int output_put(const struct text *output, const char *path, mode_t mode, struct error *error)
{
	char shown[200];
	if (text_failed(output))
		return error_set(error, ENOMEM, "out of memory");
	int rc = path ? file_replace(AT_FDCWD, path, mode, output->data, output->length) : 0;
	if (rc)
		return error_errno(error, -rc, "cannot write %s", text_escaped(shown, sizeof(shown), path));
	if (!path && (fwrite(output->data, 1, output->length, stdout) != output->length || fflush(stdout)))
		return error_errno(error, errno, "cannot write to standard output");
	return 0;
}

/* The octets of the UTF-8 character at text, 0 when there is none (RFC 3629 section 4). */
static size_t character_length(const unsigned char *text)
{
	static const struct {
		unsigned char first, last; /* of the first octet */
		unsigned char low, high;   /* of the second */
		size_t length;
	} forms[] = {
		{0x01, 0x7f, 0, 0, 1},
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		if (text[0] < forms[i].first || text[0] > forms[i].last)
			continue;
		if (forms[i].length > 1 && (text[1] < forms[i].low || text[1] > forms[i].high))
			return 0;
		for (size_t j = 2; j < forms[i].length; j++) {
			if (text[j] < 0x80 || text[j] > 0xbf)
				return 0;
		}
		return forms[i].length;
	}
	return 0;
}

static bool is_utf8(const char *string)
{
	for (const unsigned char *at = (const unsigned char *)string; *at;) {
		size_t length = character_length(at);
		if (length == 0)
			return false;
		at += length;
	}
	return true;
}

struct cJSON *output_string(const char *string)
{
	if (!string)
		return cJSON_CreateNull();
	if (is_utf8(string))
		return cJSON_CreateString(string);
	cleanup_text struct text escaped = {0};
	text_add_escaped(&escaped, string, strlen(string), strlen(string));
	return text_failed(&escaped) ? NULL : cJSON_CreateString(escaped.data);
}

void output_add(struct cJSON *parent, const char *name, struct cJSON *value, bool *failed)
{
	bool added = parent && value && (name ? cJSON_AddItemToObject(parent, name, value) : cJSON_AddItemToArray(parent, value));
	if (added)
		return;
	cJSON_Delete(value);
	*failed = true;
}

const char *output_decimal(char text[OUTPUT_DECIMAL_MAX], uint64_t number)
{
	char *digit = text + OUTPUT_DECIMAL_MAX - 1;
	*digit = '\0';
	do
		*--digit = (char)('0' + number % 10);
	while (number /= 10);
	return digit;
}

/* Two digits. */
static char *add_pair(char *at, unsigned number)
{
	*at++ = (char)('0' + number / 10 % 10);
	*at++ = (char)('0' + number % 10);
	return at;
}

/* By hand: a listing has one for each of thousands of elements. */
const char *output_lifetime(char text[OUTPUT_LIFETIME_MAX], uint64_t ms)
{
	uint64_t seconds = ms / 1000, large = seconds >= 3600 ? seconds / 3600 : seconds >= 60 ? seconds / 60 : seconds;
	char number[OUTPUT_DECIMAL_MAX];
	char *at = stpcpy(text, output_decimal(number, large));
	if (seconds >= 60) {
		*at++ = seconds >= 3600 ? 'h' : 'm';
		at = add_pair(at, (unsigned)(seconds >= 3600 ? seconds / 60 % 60 : seconds % 60));
	}
	*at++ = seconds >= 3600 ? 'm' : 's';
	*at = '\0';
	return text;
}

const char *output_style(enum output_style style)
{
	static const char *const sequences[] = {
		[OUTPUT_GOOD] = "\033[32m", [OUTPUT_BAD] = "\033[31m", [OUTPUT_FAINT] = "\033[2m", [OUTPUT_PLAIN] = "\033[0m"};
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
	bool plain = !isatty(STDOUT_FILENO) || (no_colour && *no_colour) || !terminal || strcmp(terminal, "dumb") == 0;
	return plain ? "" : sequences[style];
}
