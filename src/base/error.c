/* The error record: how its one line is made. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_SIZE sizeof(((struct error *)0)->text)

/* Writes at `used` what still fits; a text that was cut ends in "...". Returns the new end. */
static size_t error_append(char *text, size_t used, const char *format, va_list arguments) __attribute__((format(printf, 3, 0)));

static size_t error_append(char *text, size_t used, const char *format, va_list arguments)
{
	int length = vsnprintf(text + used, ERROR_SIZE - used, format, arguments);

	if (length < 0) {
		text[used] = '\0';
		return used;
	}
	if ((size_t)length < ERROR_SIZE - used)
		return used + (size_t)length;
	memcpy(text + ERROR_SIZE - sizeof("..."), "...", sizeof("..."));
	return ERROR_SIZE - 1;
}

static size_t error_appendf(char *text, size_t used, const char *format, ...) __attribute__((format(printf, 3, 4)));

static size_t error_appendf(char *text, size_t used, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	used = error_append(text, used, format, arguments);
	va_end(arguments);
	return used;
}

/* The line is made beside the record, since an argument may be the old text. */
int error_set(struct error *error, int code, const char *format, ...)
{
	char text[ERROR_SIZE];
	va_list arguments;

	if (!error)
		return -code;
	va_start(arguments, format);
	error_append(text, 0, format, arguments);
	va_end(arguments);
	error->code = code;
	memcpy(error->text, text, sizeof(text));
	return -code;
}

int error_errno(struct error *error, int code, const char *format, ...)
{
	char text[ERROR_SIZE];
	char reason[128];
	va_list arguments;
	size_t used;

	if (!error)
		return -code;
	va_start(arguments, format);
	used = error_append(text, 0, format, arguments);
	va_end(arguments);
	error_appendf(text, used, ": %s", strerror_r(code, reason, sizeof(reason)));
	error->code = code;
	memcpy(error->text, text, sizeof(text));
	return -code;
}

int error_prefix(struct error *error, const char *format, ...)
{
	char text[ERROR_SIZE];
	va_list arguments;
	size_t used;

	if (!error)
		return -EINVAL;
	va_start(arguments, format);
	used = error_append(text, 0, format, arguments);
	va_end(arguments);
	if (error->code == 0) {
		error->code = EINVAL;
		error->text[0] = '\0';
	}
	if (error->text[0] != '\0')
		error_appendf(text, used, ": %s", error->text);
	memcpy(error->text, text, sizeof(text));
	return -error->code;
}
