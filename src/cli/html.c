/* Text for an HTML page. */
#include "cli/html.h"

#include <string.h>

static void add_octet(struct text *html, unsigned char octet)
{
	switch (octet) {
	case '&':
		text_add(html, "&amp;");
		return;
	case '<':
		text_add(html, "&lt;");
		return;
	case '>':
		text_add(html, "&gt;");
		return;
	case '"':
		text_add(html, "&quot;");
		return;
	case '\'':
		text_add(html, "&#39;");
		return;
	default:
		text_addf(html, octet >= ' ' && octet <= '~' ? "%c" : "\\x%02x", octet);
	}
}

static void add_octets(struct text *html, const char *octets, size_t length)
{
	for (size_t i = 0; i < length; i++)
		add_octet(html, (unsigned char)octets[i]);
}

void html_add(struct text *html, const char *string)
{
	add_octets(html, string, strlen(string));
}

void html_add_short(struct text *html, const char *string, size_t max)
{
	static const char gap[] = "...";
	size_t length = strlen(string), kept = max - (sizeof(gap) - 1), head = kept / 3;
	if (length <= max) {
		html_add(html, string);
		return;
	}
	add_octets(html, string, head);
	text_add(html, gap);
	html_add(html, string + length - (kept - head));
}
