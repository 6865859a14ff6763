/* The screen of `top` as lines of text: pure, for any size. */
#ifndef CLI_TOP_LAYOUT_H
#define CLI_TOP_LAYOUT_H

#include "cli/top_model.h"

enum top_style {
	TOP_PLAIN,
	TOP_TITLE,
	TOP_HEAD,
	TOP_BUSY,    /* an address that is in use now */
	TOP_REFUSED, /* refused within the last seconds */
	TOP_FAINT,
	TOP_SELECTED,
	TOP_SAID,
	TOP_COMPLAINT,
};

/* Calls put for each line from the top down, at most height of them. text: printable ASCII, at most width octets, borrowed. Both at least 1.
 * Sets model->page. Sort the model first. */
void top_layout(struct top_model *model, size_t width, size_t height, int64_t now_ms,
	void (*put)(void *context, size_t row, enum top_style style, const char *text), void *context);

/* At most five columns: "999", "1.2K", "45K", "3.1M"; thousands. */
#define TOP_NUMBER_MAX 8
const char *top_number(char text[TOP_NUMBER_MAX], double number);

#endif
