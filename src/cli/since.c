/* A moment: so long ago, or a date with or without a time. */
#include "cli/since.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

/* So many digits, no more and no fewer. */
static bool digits_take(const char **text, unsigned count, int *number)
{
	*number = 0;
	for (unsigned i = 0; i < count; i++, ++*text) {
		if (**text < '0' || **text > '9')
			return false;
		*number = *number * 10 + (**text - '0');
	}
	return true;
}

static bool character_take(const char **text, char character)
{
	if (**text != character)
		return false;
	++*text;
	return true;
}

static bool duration_parse(const char *text, int64_t *seconds)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	int64_t number = 0;
	size_t length = strspn(text, "0123456789");
	if (length == 0 || length > 9 || !text[length] || text[length + 1])
		return false;
	for (size_t i = 0; i < length; i++)
		number = number * 10 + (text[i] - '0');
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (units[i].letter == text[length]) {
			*seconds = number * units[i].seconds;
			return true;
		}
	}
	return false;
}

/* "Z" or "+HH:MM"; nothing means local time. */
static bool zone_take(const char **text, bool *local, int *offset_s)
{
	int hours, minutes, sign = **text == '-' ? -1 : 1;
	*local = false;
	*offset_s = 0;
	if (character_take(text, 'Z'))
		return true;
	if (**text != '+' && **text != '-') {
		*local = true;
		return true;
	}
	++*text;
	if (!digits_take(text, 2, &hours) || !character_take(text, ':') || !digits_take(text, 2, &minutes) || hours > 14 || minutes > 59)
		return false;
	*offset_s = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool date_parse(const char *text, int64_t *moment_s)
{
	struct tm date = {.tm_isdst = -1};
	bool local;
	int offset_s;
	if (!digits_take(&text, 4, &date.tm_year) || !character_take(&text, '-') || !digits_take(&text, 2, &date.tm_mon) ||
		!character_take(&text, '-') || !digits_take(&text, 2, &date.tm_mday))
		return false;
	if (character_take(&text, 'T') || character_take(&text, ' ')) {
		if (!digits_take(&text, 2, &date.tm_hour) || !character_take(&text, ':') || !digits_take(&text, 2, &date.tm_min) ||
			(character_take(&text, ':') && !digits_take(&text, 2, &date.tm_sec)))
			return false;
	}
	if (!zone_take(&text, &local, &offset_s) || *text)
		return false;
	date.tm_year -= 1900;
	date.tm_mon -= 1;
	struct tm wanted = date;
	time_t moment = local ? mktime(&date) : timegm(&date);
	/* mktime(3) makes the 2nd of March of the 30th of February. */
	if (date.tm_mon != wanted.tm_mon || date.tm_mday != wanted.tm_mday || wanted.tm_hour > 23 || wanted.tm_min > 59 || wanted.tm_sec > 60)
		return false;
	*moment_s = (int64_t)moment - offset_s;
	return true;
}

int since_parse(int64_t *moment_s, const char *text, int64_t now_s, struct error *error)
{
	int64_t seconds;
	if (duration_parse(text, &seconds)) {
		*moment_s = now_s - seconds;
		return 0;
	}
	if (date_parse(text, moment_s))
		return 0;
	return error_set(error, EINVAL, "'%s' is no time: write 90s, 15m, 2h or 7d (ago), 2026-01-31 or 2026-01-31T08:00:00",
		text_escaped((char[160]){0}, 160, text));
}

int since_parse_duration(int64_t *seconds, const char *text, int64_t max_s, struct error *error)
{
	if (duration_parse(text, seconds) && *seconds > 0 && *seconds <= max_s)
		return 0;
	return error_set(error, EINVAL, "'%s' is no time that can be given: write 90s, 10m, 2h or 7d, at most %lldd",
		text_escaped((char[160]){0}, 160, text), (long long)(max_s / 86400));
}
