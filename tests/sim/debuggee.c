/* debuggee.c - what a debug server in a test machine debugs: it counts, and has bytes that are known. */
#include <stdint.h>
#include <time.h>

enum { PATTERN = 65536, REST_NS = 2000000 };

unsigned char pattern[PATTERN];
volatile unsigned long rounds;

static void fill(void)
{
	for (unsigned i = 0; i < PATTERN; i++)
		pattern[i] = (unsigned char)(i * 7 + (i >> 8));
}

static unsigned long next(unsigned long n)
{
	unsigned long more = n + 1;

	return more;
}

int main(void)
{
	const struct timespec rest = { .tv_nsec = REST_NS };

	fill();
	for (;;) {
		rounds = next(rounds);
		nanosleep(&rest, NULL);
	}
}
