/* One JSON object on one line, in a buffer of fixed size. */
#include "base/json_line.h"

#include <string.h>

static void put(struct json_line *line, const char *octets, size_t length)
{
	if (line->full || length > line->size - line->length) {
		line->full = true;
		return;
	}
	memcpy(line->data + line->length, octets, length);
	line->length += length;
}

void json_line_begin(struct json_line *line, char *buffer, size_t size)
{
	*line = (struct json_line){.data = buffer, .size = size};
	put(line, "{", 1);
}

static void put_key(struct json_line *line, const char *key)
{
	if (line->length > 1)
		put(line, ",", 1);
	put(line, "\"", 1);
	put(line, key, strlen(key));
	put(line, "\":", 2);
}

static void put_escaped(struct json_line *line, unsigned char octet)
{
	static const char digits[] = "0123456789abcdef";
	const char escape[] = {'\\', 'u', '0', '0', digits[octet >> 4], digits[octet & 15]};

	put(line, escape, sizeof(escape));
}

void json_line_string(struct json_line *line, const char *key, const char *value)
{
	if (!value)
		return;
	put_key(line, key);
	put(line, "\"", 1);
	while (*value) {
		const char *from = value;

		while (*value >= ' ' && *value <= '~' && *value != '"' && *value != '\\')
			value++;
		put(line, from, (size_t)(value - from));
		if (*value)
			put_escaped(line, (unsigned char)*value++);
	}
	put(line, "\"", 1);
}

void json_line_null(struct json_line *line, const char *key)
{
	put_key(line, key);
	put(line, "null", 4);
}

void json_line_number(struct json_line *line, const char *key, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put_key(line, key);
	put(line, digits + at, sizeof(digits) - at);
}

void json_line_raw(struct json_line *line, const char *key, const char *json)
{
	put_key(line, key);
	put(line, json, strlen(json));
}

bool json_line_end(struct json_line *line)
{
	put(line, "}", 1);
	return !line->full;
}
