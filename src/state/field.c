/* Strings that others wrote, made fit for a line of JSON. */
#include "state/field.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* The length of the valid UTF-8 sequence at text (RFC 3629), 0 when there is none; *code: what it says. */
static size_t utf8_sequence(const unsigned char *text, size_t length, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t need = text[0] < 0x80 ? 1 : (text[0] & 0xe0) == 0xc0 ? 2 : (text[0] & 0xf0) == 0xe0 ? 3 : (text[0] & 0xf8) == 0xf0 ? 4 : 0;

	if (need == 0 || need > length)
		return 0;
	*code = need == 1 ? text[0] : text[0] & (0x7fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (text[i] & 0x3fu);
	}
	if (*code < least[need] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return need;
}

/* Characters that move the cursor or turn the direction of writing on a terminal that shows the log. */
static bool is_control(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

char *field_clean(const char *value, size_t max)
{
	const unsigned char *at = (const unsigned char *)value;
	size_t length = strnlen(value, max + 1), left = length > max ? max : length;
	struct text text = {0};

	while (left > 0) {
		uint32_t code;
		size_t step = utf8_sequence(at, left, &code);

		if (step && !is_control(code)) {
			text_add_bytes(&text, at, step);
		} else {
			step = step ? step : 1;
			text_add_escaped(&text, at, step, step);
		}
		at += step;
		left -= step;
	}
	if (length > max)
		text_add(&text, "...");
	return text_take(&text);
}
