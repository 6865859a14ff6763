/* Text for an HTML page: the one way by which what others wrote gets into one. */
#ifndef CLI_HTML_H
#define CLI_HTML_H

#include "base/text.h"

/* Adds a string as it may stand between tags and in a quoted attribute: printable ASCII, with & < > " ' as references; every other octet
 * becomes \xHH, so nothing in it can turn the direction of writing or look like what it is not. */
void html_add(struct text *html, const char *string);

/* The same, at most max characters of it (16 or more): of a longer one the middle is left out, since a name's end says whose it is. */
void html_add_short(struct text *html, const char *string, size_t max);

#endif
