/* One kind of chart: lines over two axes. */
#include "svg.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/cleanup.h"

#define WIDTH       860
#define HEIGHT      470
#define LEFT        76
#define RIGHT       190 /* the names of the lines */
#define TOP         48
#define BOTTOM      62
#define PLOT_WIDTH  (WIDTH - LEFT - RIGHT)
#define PLOT_HEIGHT (HEIGHT - TOP - BOTTOM)

/* Distinct for colour-blind eyes and in print, too (Okabe and Ito's set). */
static const char *const colours[] = {"#d55e00", "#444444", "#999999", "#0072b2", "#009e73", "#cc79a7", "#e69f00"};

struct scale {
	double low, high; /* exponents of ten when logarithmic */
	bool logarithmic;
};

static double scaled(const struct scale *scale, double value)
{
	double at = scale->logarithmic ? log10(value > 0 ? value : 1e-9) : value;

	return (at - scale->low) / (scale->high - scale->low);
}

static double x_at(const struct scale *scale, double value)
{
	return LEFT + PLOT_WIDTH * scaled(scale, value);
}

static double y_at(const struct scale *scale, double value)
{
	return TOP + PLOT_HEIGHT * (1 - scaled(scale, value));
}

/* Whole tens around all values. */
static struct scale scale_log(const struct svg_line *lines, size_t count, bool of_x)
{
	struct scale scale = {.low = 12, .high = -12, .logarithmic = true};

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < lines[i].count; j++) {
			double value = of_x ? lines[i].x[j] : lines[i].y[j];

			if (!(value > 0))
				continue;
			scale.low = fmin(scale.low, floor(log10(value)));
			scale.high = fmax(scale.high, ceil(log10(value)));
		}
	if (scale.high <= scale.low)
		scale.high = scale.low + 1;
	return scale;
}

static void number_write(FILE *out, double value)
{
	if (value >= 1e6)
		fprintf(out, "%gM", value / 1e6);
	else if (value >= 1e3)
		fprintf(out, "%gk", value / 1e3);
	else
		fprintf(out, "%g", value);
}

static void grid_x(FILE *out, const struct svg_chart *chart, const struct scale *scale, double value, const char *word)
{
	double x = x_at(scale, value);

	fprintf(out, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
		x, TOP, x, TOP + PLOT_HEIGHT, x, TOP + PLOT_HEIGHT + 18);
	if (chart->x_words)
		fputs(word, out);
	else
		number_write(out, value);
	fputs("</text>\n", out);
}

static void grid_y(FILE *out, const struct scale *scale, double value)
{
	double y = y_at(scale, value);

	fprintf(out, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">",
		LEFT, y, LEFT + PLOT_WIDTH, y, LEFT - 8, y + 4);
	number_write(out, value);
	fputs("</text>\n", out);
}

static void axes_write(FILE *out, const struct svg_chart *chart, const struct scale *x, const struct scale *y)
{
	if (chart->x_words)
		for (size_t i = 0; i < chart->x_word_count; i++)
			grid_x(out, chart, x, (double)i, chart->x_words[i]);
	else
		for (double at = x->low; at <= x->high; at++)
			grid_x(out, chart, x, pow(10, at), NULL);
	if (y->logarithmic)
		for (double at = y->low; at <= y->high; at++)
			grid_y(out, y, pow(10, at));
	else
		for (unsigned i = 0; i <= 5; i++)
			grid_y(out, y, y->high * i / 5);
	fprintf(out, "<text class=\"title\" x=\"%d\" y=\"26\">%s</text>\n", LEFT, chart->title);
	fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", LEFT + PLOT_WIDTH / 2, HEIGHT - 16, chart->x_title);
	fprintf(out, "<text transform=\"translate(20 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n", TOP + PLOT_HEIGHT / 2,
		chart->y_title);
}

static void line_write(FILE *out, const struct svg_chart *chart, const struct scale *x, const struct scale *y, const struct svg_line *line)
{
	const char *colour = colours[line->colour % (sizeof(colours) / sizeof(*colours))];

	fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%s\" points=\"", colour, line->colour ? "1.8" : "3");
	for (size_t i = 0; i < line->count; i++)
		fprintf(out, "%.1f,%.1f ", x_at(x, line->x[i]), y_at(y, line->y[i]));
	fputs("\"/>\n", out);
	for (size_t i = 0; chart->markers && i < line->count; i++)
		fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", x_at(x, line->x[i]), y_at(y, line->y[i]), colour);
}

static void legend_write(FILE *out, const struct svg_line *lines, size_t count)
{
	int y = TOP + 10, x = LEFT + PLOT_WIDTH + 16;

	for (size_t i = 0; i < count; i++) {
		if (!lines[i].count)
			continue;
		fprintf(out,
			"<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"%s\"/><text x=\"%d\" y=\"%d\">%s</text>\n",
			x, y, x + 20, y, colours[lines[i].colour % (sizeof(colours) / sizeof(*colours))], lines[i].colour ? "1.8" : "3",
			x + 26, y + 4, lines[i].title);
		y += 22;
	}
}

int svg_write(const char *path, const struct svg_chart *chart, const struct svg_line *lines, size_t count)
{
	cleanup_stream FILE *out = fopen(path, "we");
	struct scale x = {.low = -0.2, .high = (double)chart->x_word_count - 0.8}, y = {.low = 0, .high = chart->y_max};

	if (!out)
		return -errno;
	if (!chart->x_words)
		x = scale_log(lines, count, true);
	if (chart->log_y)
		y = scale_log(lines, count, false);
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\" aria-label=\"%s\">\n"
		"<style>.grid{stroke:#ddd}.title{font-size:16px;font-weight:bold}text{fill:#222}</style>\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
		WIDTH, HEIGHT, chart->title, WIDTH, HEIGHT);
	axes_write(out, chart, &x, &y);
	for (size_t i = count; i-- > 0;) /* ours last, on top */
		if (lines[i].count)
			line_write(out, chart, &x, &y, &lines[i]);
	legend_write(out, lines, count);
	fputs("</svg>\n", out);
	return ferror(out) ? -EIO : 0;
}
