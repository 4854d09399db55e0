/* clock.c - see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t ms_of(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t clock_ms(void)
{
	return ms_of(CLOCK_MONOTONIC);
}

int64_t clock_skew(void)
{
	return (int64_t)(ms_of(CLOCK_REALTIME) - ms_of(CLOCK_MONOTONIC));
}

const char *clock_stamp(char out[CLOCK_STAMP])
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(out, CLOCK_STAMP, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, CLOCK_STAMP - n, ".%03dZ", (int)(ts.tv_nsec / 1000000));
	return out;
}
