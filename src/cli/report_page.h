/* The report as one HTML file. It needs nothing from anywhere, runs no script, and forbids both by its own policy. */
#ifndef CLI_REPORT_PAGE_H
#define CLI_REPORT_PAGE_H

#include "cli/report.h"

#define REPORT_ROWS_MAX 500 /* of a table */

/* report: built. -ENOMEM. */
int report_page(struct text *html, const struct report *report);

/* Parts that have a file of their own: the style, and the timeline as an SVG inside the page. */
extern const char report_style[];
void report_timeline(struct text *html, const struct report *report);

/* Words: "12,345"; "1.2 MB"; "2026-11-28 04:40:01". Each is added. */
void report_add_number(struct text *html, uint64_t number);
void report_add_bytes(struct text *html, uint64_t bytes);
void report_add_time(struct text *html, int64_t wall_s);
/* A class of the style, and a word for people. */
const char *report_class_style(enum report_class class);
const char *report_event_style(enum report_event_kind kind);
const char *report_event_name(enum report_event_kind kind);

#endif
