/* The terminal of `top`: the lines of top_layout.h painted by ncurses, and its keys.
 *
 * All text is printable ASCII before it comes here, so nothing that a workload has chosen can move the cursor or worse. Colour follows
 * NO_COLOR; without it bold, dim and reverse say the same. */
#include "cli/top_screen.h"

#include <curses.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/top_layout.h"

#define ESCAPE          27
#define ESCAPE_DELAY_MS 25 /* after that an Escape is a key and not the beginning of one */

enum pair {
	PAIR_GOOD = 1,
	PAIR_BAD,
};

static SCREEN *screen;
static bool coloured;

static void colours_begin(void)
{
	const char *no_colour = getenv("NO_COLOR");
	coloured = !(no_colour && *no_colour) && has_colors() && start_color() == OK && use_default_colors() == OK;
	if (!coloured)
		return;
	init_pair(PAIR_GOOD, COLOR_GREEN, -1);
	init_pair(PAIR_BAD, COLOR_RED, -1);
}

int top_screen_open(struct error *error)
{
	static const char instead[] = "for a program there are `rules --json` and `watch --json`";
	const char *name = getenv("TERM");
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return error_set(error, ENOTTY, "top needs a terminal; %s", instead);
	screen = name && *name && strcmp(name, "dumb") != 0 ? newterm(NULL, stdout, stdin) : NULL;
	if (!screen)
		return error_set(error, ENODEV, "top needs a terminal that can place the cursor, and TERM to name it; %s", instead);
	set_term(screen);
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_DELAY_MS);
	colours_begin();
	return 0;
}

void top_screen_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

bool top_screen_key(enum top_key *key)
{
	static const struct {
		int code;
		enum top_key key;
	} keys[] = {
		{KEY_UP, TOP_UP},
		{'k', TOP_UP},
		{KEY_DOWN, TOP_DOWN},
		{'j', TOP_DOWN},
		{KEY_PPAGE, TOP_PAGE_UP},
		{KEY_NPAGE, TOP_PAGE_DOWN},
		{'\t', TOP_OTHER_PANE},
		{ESCAPE, TOP_UNSELECT},
		{'a', TOP_ALLOW},
		{'d', TOP_DENY},
		{'?', TOP_HELP},
		{'h', TOP_HELP},
		{'q', TOP_QUIT},
	};
	int code = getch();
	if (code == ERR)
		return false;
	*key = TOP_OTHER_KEY;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (keys[i].code == code)
			*key = keys[i].key;
	}
	return true;
}

static attr_t attributes_of(enum top_style style)
{
	switch (style) {
	case TOP_PLAIN:
		return A_NORMAL;
	case TOP_TITLE:
	case TOP_SAID:
		return A_BOLD;
	case TOP_HEAD:
		return A_BOLD | A_UNDERLINE;
	case TOP_BUSY:
		return coloured ? (attr_t)COLOR_PAIR(PAIR_GOOD) : A_BOLD;
	case TOP_REFUSED:
	case TOP_COMPLAINT:
		return coloured ? (attr_t)COLOR_PAIR(PAIR_BAD) : A_BOLD;
	case TOP_FAINT:
		return A_DIM;
	case TOP_SELECTED:
		return A_REVERSE;
	}
	return A_NORMAL;
}

static void line_paint(void *context, size_t row, enum top_style style, const char *text)
{
	(void)context;
	attrset(attributes_of(style));
	mvaddstr((int)row, 0, text);
}

void top_screen_draw(struct top_model *model, int64_t now_ms)
{
	int height, width;
	getmaxyx(stdscr, height, width);
	erase();
	top_layout(model, (size_t)(width > 0 ? width : 1), (size_t)(height > 0 ? height : 1), now_ms, line_paint, NULL);
	refresh();
}
