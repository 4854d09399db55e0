/* note.c - the log: a line a packet; and words on standard output. */
#include "tests/sim/kdtarget/target.h"

#include <stdarg.h>
#include <time.h>

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void stamp(FILE *to)
{
	static struct timespec start;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!start.tv_sec)
		start = now;
	fprintf(to, "%.6f ", (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9);
}

void note(struct target *k, const char *fmt, ...)
{
	va_list ap;

	if (!k->log)
		return;
	stamp(k->log);
	fputs("note ", k->log);
	va_start(ap, fmt);
	vfprintf(k->log, fmt, ap);
	va_end(ap);
	putc('\n', k->log);
}

static const char *type_name(unsigned type)
{
	static const char *const names[] = { "unused", "state32", "manipulate", "debug-io", "ack", "resend", "reset", "state", "poll", "trace-io", "control", "file-io" };

	return type < sizeof names / sizeof *names ? names[type] : "unknown";
}

void note_packet(struct target *k, char way, unsigned type, uint32_t id, const uint8_t *body, size_t n)
{
	if (!k->log)
		return;
	stamp(k->log);
	fprintf(k->log, "%c %s id=%08x n=%zu", way, type_name(type), (unsigned)id, n);
	if (n >= 4)
		fprintf(k->log, " api=%x", (unsigned)get32(body));
	if (type == KD_MANIPULATE && n >= 12)
		fprintf(k->log, " cpu=%u status=%08x", (unsigned)get16(body + 6), (unsigned)get32(body + 8));
	if (k->log_hex && n)
		putc(' ', k->log);
	for (size_t i = 0; k->log_hex && i < n; i++)
		fprintf(k->log, "%02x", (unsigned)body[i]);
	putc('\n', k->log);
}

void say(const char *fmt, ...)
{
	va_list ap;

	fputs("kdtarget: ", stdout);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}
