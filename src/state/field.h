/* Private to this folder: strings that others wrote, made fit for a line of JSON that people look at. */
#ifndef STATE_FIELD_H
#define STATE_FIELD_H

#include <stddef.h>

/* At most max octets of value, then "..."; what is not UTF-8, and characters that move a cursor or turn the direction of writing, as
 * text_add_escaped() has them. Caller frees; NULL without memory. */
char *field_clean(const char *value, size_t max);

#endif
