/* The ledger's file. */
#include "proxy/ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

#define NEW       BUNDLE_ACTIVITY ".new" /* there is one worker, and what one that was killed has left is worth nothing */
#define TURN_ROWS 32

struct ledger_file {
	struct ledger *ledger;
	const struct bundle *bundle;
	const char *container;
	int fd;           /* of the new file; -1: none is being written */
	size_t next;      /* the row that is next */
	bool unsaved;     /* something has happened that is in no file */
	int64_t begun_ms; /* when the last file was begun */
	int failure;
	char buffer[TURN_ROWS * ACTIVITY_LINE_MAX];
};

struct ledger_file *ledger_file_new(struct ledger *ledger, const struct bundle *bundle, const char *container)
{
	struct ledger_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->ledger = ledger;
	file->bundle = bundle;
	file->container = container;
	file->fd = -1;
	return file;
}

void ledger_file_free(struct ledger_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

/* ---- reading ---- */

static int row_load(void *context, const struct activity_row *row)
{
	return ledger_restore(context, row);
}

int ledger_file_load(struct ledger_file *file, struct error *error)
{
	struct activity head;
	struct error missing = {0};
	int result = activity_each(file->bundle, &head, row_load, file->ledger, &missing);

	if (!result)
		ledger_begin(file->ledger, head.since, head.full);
	ledger_restored(file->ledger); /* the rows before a bad one are good */
	return !result || result == -ENOENT
		       ? 0
		       : error_set(error, -result, "%s", *missing.text ? missing.text : "reading " BUNDLE_ACTIVITY " failed");
}

/* ---- writing ---- */

static void file_fail(struct ledger_file *file, int result)
{
	close(take_fd(file->fd));
	unlinkat(file->bundle->fd, NEW, 0);
	file->failure = result;
	file->unsaved = true;
}

static void head_write(struct ledger_file *file)
{
	struct activity head = {.since = ledger_since(file->ledger), .full = ledger_full(file->ledger)};
	cleanup_text struct text text = {0};
	int result;

	snprintf(head.container, sizeof(head.container), "%s", file->container);
	activity_print_head(&text, &head);
	result = text_failed(&text) ? -ENOMEM : file_write_all(file->fd, text.data, text.length);
	if (result)
		file_fail(file, result);
}

static void file_begin(struct ledger_file *file)
{
	file->begun_ms = clock_now_ms();
	file->next = 0;
	file->unsaved = false;
	if (unlinkat(file->bundle->fd, NEW, 0) && errno != ENOENT) {
		file->failure = -errno;
		return;
	}
	file->fd = openat(file->bundle->fd, NEW, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file->fd < 0) {
		file->failure = -errno;
		file->unsaved = true;
		return;
	}
	head_write(file);
}

static void file_end(struct ledger_file *file)
{
	int result = file_write_all(file->fd, ACTIVITY_TAIL, strlen(ACTIVITY_TAIL));

	if (!result && renameat(file->bundle->fd, NEW, file->bundle->fd, BUNDLE_ACTIVITY))
		result = -errno;
	if (result)
		file_fail(file, result);
	else
		close(take_fd(file->fd));
}

/* Writes the next rows. */
static int rows_write(struct ledger_file *file)
{
	size_t last = file->next + TURN_ROWS, count = ledger_count(file->ledger), length = 0;
	char text[NAME_TEXT_MAX];

	for (; file->next < last && file->next < count; file->next++) {
		struct activity_row row;
		struct json_line line;

		ledger_row(file->ledger, file->next, &row, text);
		memcpy(file->buffer + length, ",\n", 2);
		length += file->next ? 2 : 0;
		if (!file->next)
			file->buffer[length++] = '\n';
		if (!activity_print_row(&line, file->buffer + length, ACTIVITY_LINE_MAX - 2, &row))
			return -EMSGSIZE;
		length += line.length;
	}
	return file_write_all(file->fd, file->buffer, length);
}

bool ledger_file_turn(struct ledger_file *file)
{
	int result;

	if (file->fd < 0)
		return false;
	result = rows_write(file);
	if (result)
		file_fail(file, result);
	else if (file->next >= ledger_count(file->ledger))
		file_end(file);
	return file->fd >= 0;
}

int ledger_file_second(struct ledger_file *file)
{
	int failure = file->failure;

	file->failure = 0;
	if (file->fd >= 0 || clock_now_ms() - file->begun_ms < ACTIVITY_SAVE_S * 1000)
		return failure;
	file->unsaved |= ledger_take_changed(file->ledger);
	if (file->unsaved)
		file_begin(file);
	return failure;
}

int ledger_file_finish(struct ledger_file *file)
{
	file->failure = 0;
	file->unsaved |= ledger_take_changed(file->ledger) || file->fd >= 0;
	if (file->fd >= 0)
		close(take_fd(file->fd));
	if (file->unsaved)
		file_begin(file);
	while (ledger_file_turn(file))
		;
	return file->failure;
}
