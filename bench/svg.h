/* Pictures, written without another tool. */
#ifndef BENCH_SVG_H
#define BENCH_SVG_H

#include <stdbool.h>
#include <stddef.h>

#define SVG_POINTS_MAX 256

/* A line of a chart. */
struct svg_line {
	const char *title;
	unsigned colour; /* a number from 0: the same candidate has the same one in all charts */
	size_t count;
	double x[SVG_POINTS_MAX], y[SVG_POINTS_MAX];
};

struct svg_chart {
	const char *title, *x_title, *y_title;
	bool log_x, log_y; /* logarithmic, by tens; otherwise from 0 to y_max */
	double y_max;
	bool markers;               /* a dot at each point */
	const char *const *x_words; /* labels for x = 0, 1, 2, ... in place of numbers; NULL */
	size_t x_word_count;
};

/* 0 or a negative errno. */
int svg_write(const char *path, const struct svg_chart *chart, const struct svg_line *lines, size_t count);

#endif
