/* record.c - see record.h. */
#include "tests/sim/record.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static FILE *to;
static struct timespec start;

int record_open(const char *file)
{
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (!file)
		return 0;
	to = fopen(file, "w");
	if (to)
		setvbuf(to, NULL, _IOLBF, 1 << 16);
	return to ? 0 : -1;
}

bool record_on(void)
{
	return to;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
}

void record(const char *kind, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	if (!to)
		return;
	fprintf(to, "%.6f %s ", seconds(), kind);
	for (size_t i = 0; i < n; i++) {
		if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\')
			putc(p[i], to);
		else
			fprintf(to, "\\x%02x", (unsigned)p[i]);
	}
	putc('\n', to);
}

void record_text(const char *kind, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	record(kind, line, strlen(line));
}
