/* A growing piece of text, and the escaping of untrusted bytes. */
#include "base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_CAPACITY_FIRST 128
#define TEXT_ESCAPED_MAX    4 /* octets that one octet may become */

/* Makes room for `more` octets and a NUL. */
static bool text_reserve(struct text *text, size_t more)
{
	size_t capacity = text->capacity ? text->capacity : TEXT_CAPACITY_FIRST;
	char *data;

	if (text->failed)
		return false;
	if (more > SIZE_MAX / 2 - 1 - text->length) {
		text->failed = true;
		return false;
	}
	while (capacity < text->length + more + 1)
		capacity *= 2;
	if (capacity == text->capacity)
		return true;
	data = realloc(text->data, capacity);
	if (!data) {
		text->failed = true;
		return false;
	}
	text->data = data;
	text->capacity = capacity;
	return true;
}

void text_add(struct text *text, const char *string)
{
	text_add_bytes(text, string, strlen(string));
}

void text_add_bytes(struct text *text, const void *bytes, size_t length)
{
	if (!text_reserve(text, length))
		return;
	if (length > 0)
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void text_addf(struct text *text, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0) {
		text->failed = true;
		return;
	}
	if (!text_reserve(text, (size_t)length))
		return;
	va_start(arguments, format);
	vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
	va_end(arguments);
	text->length += (size_t)length;
}

/* Returns how many octets of `out` the octet became. */
static size_t text_escape_octet(char out[TEXT_ESCAPED_MAX], uint8_t octet)
{
	static const char digits[] = "0123456789abcdef";

	if (octet == '\\') {
		memcpy(out, "\\\\", 2);
		return 2;
	}
	if (octet >= ' ' && octet <= '~') {
		out[0] = (char)octet;
		return 1;
	}
	out[0] = '\\';
	out[1] = 'x';
	out[2] = digits[octet >> 4];
	out[3] = digits[octet & 15];
	return 4;
}

void text_add_escaped(struct text *text, const void *bytes, size_t length, size_t max)
{
	const uint8_t *octets = bytes;
	size_t shown = length < max ? length : max;

	for (size_t i = 0; i < shown; i++) {
		char escaped[TEXT_ESCAPED_MAX];

		text_add_bytes(text, escaped, text_escape_octet(escaped, octets[i]));
	}
	text_add(text, shown < length ? "..." : "");
}

const char *text_escaped(char *buffer, size_t size, const char *string)
{
	size_t used = 0;
	size_t whole = 0; /* the last end behind which "..." and the NUL still fit */

	if (size == 0)
		return buffer;
	for (; *string; string++) {
		char escaped[TEXT_ESCAPED_MAX];
		size_t length = text_escape_octet(escaped, (uint8_t)*string);

		if (used + length >= size) {
			size_t room = size - 1 - whole;

			memcpy(buffer + whole, "...", room < 3 ? room : 3);
			buffer[whole + (room < 3 ? room : 3)] = '\0';
			return buffer;
		}
		memcpy(buffer + used, escaped, length);
		used += length;
		if (used + sizeof("...") <= size)
			whole = used;
	}
	buffer[used] = '\0';
	return buffer;
}

bool text_failed(const struct text *text)
{
	return text->failed;
}

char *text_take(struct text *text)
{
	char *data = NULL;

	text_add(text, "");
	if (text->failed)
		free(text->data);
	else
		data = text->data;
	*text = (struct text){0};
	return data;
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){0};
}
