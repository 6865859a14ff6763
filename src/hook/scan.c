/* The JSON scanner: see scan.h. */
#include "hook/scan.h"

#include <string.h>

void scan_blanks(struct scan *scan)
{
	while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
		scan->at++;
}

static bool scan_take(struct scan *scan, char character)
{
	if (!scan_is(scan, character))
		return false;
	scan->at++;
	return true;
}

static int hex_digit(char character)
{
	if (character >= '0' && character <= '9')
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	if (character >= 'A' && character <= 'F')
		return character - 'A' + 10;
	return -1;
}

static bool scan_escape(struct scan *scan)
{
	if (scan->at == scan->end)
		return false;
	if (*scan->at != 'u')
		return strchr("\"\\/bfnrt", *scan->at) && *scan->at++;
	scan->at++;
	for (int i = 0; i < 4; i++, scan->at++)
		if (scan->at == scan->end || hex_digit(*scan->at) < 0)
			return false;
	return true;
}

bool scan_string(struct scan *scan, const char **text, size_t *length)
{
	if (!scan_take(scan, '"'))
		return false;
	*text = scan->at;
	while (scan->at < scan->end) {
		char character = *scan->at++;

		if (character == '"') {
			*length = (size_t)(scan->at - 1 - *text);
			return true;
		}
		if ((unsigned char)character < 0x20 || (character == '\\' && !scan_escape(scan)))
			return false;
	}
	return false;
}

static bool scan_digits(struct scan *scan)
{
	const char *first = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return scan->at > first;
}

static bool scan_number(struct scan *scan)
{
	scan_take(scan, '-');
	if (!scan_take(scan, '0') && !scan_digits(scan))
		return false;
	if (scan_take(scan, '.') && !scan_digits(scan))
		return false;
	if (scan_take(scan, 'e') || scan_take(scan, 'E')) {
		if (!scan_take(scan, '+'))
			scan_take(scan, '-');
		return scan_digits(scan);
	}
	return true;
}

static bool scan_word(struct scan *scan, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
		return false;
	scan->at += length;
	return true;
}

bool scan_object(struct scan *scan, member_visitor *visit, void *context)
{
	const char *key;
	size_t length;

	if (!scan_take(scan, '{') || ++scan->depth > SCAN_DEPTH_MAX)
		return false;
	scan_blanks(scan);
	if (!scan_is(scan, '}')) {
		do {
			scan_blanks(scan);
			if (!scan_string(scan, &key, &length))
				return false;
			scan_blanks(scan);
			if (!scan_take(scan, ':'))
				return false;
			scan_blanks(scan);
			if (!(visit ? visit(scan, context, key, length) : scan_value(scan)))
				return false;
			scan_blanks(scan);
		} while (scan_take(scan, ','));
	}
	scan->depth--;
	return scan_take(scan, '}');
}

bool scan_array(struct scan *scan, element_visitor *visit, void *context)
{
	if (!scan_take(scan, '[') || ++scan->depth > SCAN_DEPTH_MAX)
		return false;
	scan_blanks(scan);
	if (!scan_is(scan, ']')) {
		do {
			scan_blanks(scan);
			if (!(visit ? visit(scan, context) : scan_value(scan)))
				return false;
			scan_blanks(scan);
		} while (scan_take(scan, ','));
	}
	scan->depth--;
	return scan_take(scan, ']');
}

bool scan_value(struct scan *scan)
{
	const char *text;
	size_t length;

	if (scan->at == scan->end)
		return false;
	switch (*scan->at) {
	case '{':
		return scan_object(scan, NULL, NULL);
	case '[':
		return scan_array(scan, NULL, NULL);
	case '"':
		return scan_string(scan, &text, &length);
	case 't':
		return scan_word(scan, "true");
	case 'f':
		return scan_word(scan, "false");
	case 'n':
		return scan_word(scan, "null");
	default:
		return scan_number(scan);
	}
}

void scan_decode(const char *text, size_t length, char *buffer, size_t size)
{
	static const char escapes[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	const char *end = text + length;
	size_t used = 0;

	while (text < end && used < size - 1) {
		char character = *text++;

		if (character == '\\' && *text != 'u') {
			character = strchr(escapes, *text++)[1];
		} else if (character == '\\') {
			int unit = 0;

			for (int i = 1; i <= 4; i++)
				unit = unit << 4 | hex_digit(text[i]);
			text += 5;
			character = unit > 0 && unit < 0x80 ? (char)unit : '?';
		}
		buffer[used++] = character;
	}
	buffer[used] = '\0';
}
