/* Internationalized names: from what a user writes to the ASCII form that DNS and the policy know. */
#ifndef CONFIG_IDN_H
#define CONFIG_IDN_H

#include <stddef.h>

#include "base/error.h"

#define IDN_ASCII_MAX 256 /* octets, NUL included */

/* Converts a domain name in UTF-8 as IDNA2008 has it (mapped and normalized as UTS 46, not transitional). The result has
 * letters, digits, '-', '_' and dots only. Errors: -EINVAL with a text. */
int idn_to_ascii(const char *text, size_t length, char ascii[IDN_ASCII_MAX], struct error *error);

#endif
