/* Time, with a seam for tests. */
#include "base/clock.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* What a test set; negative while the real clocks are asked. */
static int64_t fake_now_ms = -1;
static int64_t fake_wall_s = -1;
static int64_t fake_suspended_ms;

/* By how much the wall clock has been ahead of CLOCK_BOOTTIME at most. */
static int64_t ahead_ms = INT64_MIN;

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_now_ms(void)
{
	return fake_now_ms >= 0 ? fake_now_ms : clock_ms(CLOCK_BOOTTIME);
}

int64_t clock_awake_ms(void)
{
	return fake_now_ms >= 0 ? fake_now_ms - fake_suspended_ms : clock_ms(CLOCK_MONOTONIC);
}

int64_t clock_now_ns(void)
{
	struct timespec now;

	if (fake_now_ms >= 0)
		return fake_now_ms * 1000000;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t wall_ms(void)
{
	return fake_wall_s >= 0 ? fake_wall_s * 1000 : clock_ms(CLOCK_REALTIME);
}

int64_t clock_wall_s(void)
{
	return wall_ms() / 1000;
}

int64_t clock_lasting_s(void)
{
	int64_t now_ms = clock_now_ms(), difference_ms = wall_ms() - now_ms;

	if (difference_ms > ahead_ms)
		ahead_ms = difference_ms;
	return (now_ms + ahead_ms) / 1000;
}

const char *clock_wall_text(char *buffer, size_t size, int64_t wall_s)
{
	time_t seconds = wall_s;
	struct tm parts;

	if (size == 0)
		return buffer;
	if (!gmtime_r(&seconds, &parts) || strftime(buffer, size, "%Y-%m-%dT%H:%M:%S+00:00", &parts) == 0)
		buffer[0] = '\0';
	return buffer;
}

int clock_wall_parse(const char *text, int64_t *wall_s)
{
	struct tm parts = {0};
	char again[CLOCK_TEXT_MAX];
	int64_t seconds;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S+00:00", &parts);

	if (!end || *end)
		return -EINVAL;
	seconds = timegm(&parts);
	/* strptime(3) takes blanks, single digits and the 31st of any month */
	if (strcmp(clock_wall_text(again, sizeof(again), seconds), text) != 0)
		return -EINVAL;
	*wall_s = seconds;
	return 0;
}

void clock_fake(int64_t now_ms, int64_t wall_s)
{
	if (now_ms < 0 || fake_now_ms < 0)
		ahead_ms = INT64_MIN;
	fake_now_ms = now_ms;
	fake_wall_s = wall_s;
}

void clock_fake_suspended(int64_t suspended_ms)
{
	fake_suspended_ms = suspended_ms;
}
