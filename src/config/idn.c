/* Internationalized names, over libidn2. */
#include "config/idn.h"

#include <errno.h>
#include <idn2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define NAME_OCTETS_MAX 1024 /* of UTF-8; more cannot become a name of 255 octets */

/* Compatibility mapping turns a full-width colon or slash into a plain one; such a word is not the name it looks like. */
static bool is_name_text(const char *ascii)
{
	return ascii[strspn(ascii, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0';
}

int idn_to_ascii(const char *text, size_t length, char ascii[IDN_ASCII_MAX], struct error *error)
{
	char name[NAME_OCTETS_MAX + 1], shown[256], *converted = NULL;
	bool fits;
	int result;

	if (length > NAME_OCTETS_MAX || memchr(text, '\0', length))
		return error_set(error, EINVAL, "the name is too long or contains a NUL");
	memcpy(name, text, length);
	name[length] = '\0';
	text_escaped(shown, sizeof(shown), name);
	result = idn2_to_ascii_8z(name, &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (result != IDN2_OK)
		return error_set(error, result == IDN2_MALLOC ? ENOMEM : EINVAL, "'%s': not a valid internationalized name: %s", shown,
			idn2_strerror(result));
	fits = is_name_text(converted) && strlen(converted) < IDN_ASCII_MAX;
	if (fits)
		snprintf(ascii, IDN_ASCII_MAX, "%s", converted);
	idn2_free(converted);
	return fits ? 0 : error_set(error, EINVAL, "'%s': not a valid internationalized name: it has characters that no name has", shown);
}
