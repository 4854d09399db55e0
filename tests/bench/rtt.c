/* rtt.c - how long a debugger waits for one small read: round trips of m, timed one by one.
 *
 *	rtt --to tcp:127.0.0.1:PORT [--count N] [--sizes 4,64,2048] [--ack]
 *
 * Prints a line of JSON for each size. In no-ack mode unless told otherwise. */
#include "tests/sim/wire.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

static struct wire w;
static bool no_ack;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int fill(void)
{
	struct pollfd fd = { .fd = w.fd, .events = POLLIN };

	return poll(&fd, 1, PATIENCE_MS) == 1 ? wire_fill(&w) : -1;
}

/* The length of the next answer; -1: there is none. */
static long hear(void)
{
	enum wire_item item;

	for (;;) {
		item = wire_next(&w);
		if (item == WIRE_NOTHING && fill() < 0)
			return -1;
		if (item == WIRE_PACKET)
			return no_ack || wire_send_bytes(&w, "+", 1) == 0 ? (long)w.n : -1;
	}
}

static long ask(const char *body)
{
	return wire_send(&w, body, strlen(body), false) == 0 ? hear() : -1;
}

static int shake_hands(bool acks)
{
	if (wire_send_bytes(&w, "+", 1) < 0 || ask("qSupported:vContSupported+;swbreak+") < 0)
		return -1;
	if (!acks && ask("QStartNoAckMode") != 2)
		return -1;
	no_ack = !acks;
	return ask("?") > 0 ? 0 : -1;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int measure(unsigned long size, unsigned long count, uint64_t *took)
{
	char body[64];
	uint64_t start, all;

	for (unsigned long i = 0; i < count + count / 10; i++) { /* the first tenth only warms up */
		uint64_t *slot = &took[i < count / 10 ? 0 : i - count / 10];

		snprintf(body, sizeof body, "m%lx,%lx", 0x1000 + i % 64 * 64, size);
		start = now_ns();
		if (ask(body) != (long)size * 2)
			return -1;
		*slot = now_ns() - start;
	}
	all = 0;
	for (unsigned long i = 0; i < count; i++)
		all += took[i];
	qsort(took, count, sizeof *took, by_value);
	printf("{\"size\": %lu, \"count\": %lu, \"p50_us\": %.2f, \"p99_us\": %.2f, \"mb_s\": %.3f}\n", size, count, (double)took[count / 2] / 1e3,
	       (double)took[count * 99 / 100] / 1e3, (double)(size * count) * 1e3 / (double)all);
	return 0;
}

static int measure_all(const char *sizes, unsigned long count)
{
	uint64_t *took = calloc(count, sizeof *took);
	int rc = took ? 0 : -1;

	for (char *next = NULL; !rc && *sizes; sizes = *next ? next + 1 : next) {
		unsigned long size = strtoul(sizes, &next, 10);

		rc = measure(size, count, took);
	}
	free(took);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct option all[] = { { "to", required_argument, NULL, 't' }, { "count", required_argument, NULL, 'c' },
					     { "sizes", required_argument, NULL, 's' }, { "ack", no_argument, NULL, 'a' }, { NULL, 0, NULL, 0 } };
	const char *to = NULL, *sizes = "4,64,2048";
	unsigned long count = 1000;
	bool acks = false;
	int c, fd;

	while ((c = getopt_long(argc, argv, "", all, NULL)) != -1) {
		if (c == 't')
			to = optarg;
		else if (c == 's')
			sizes = optarg;
		else if (c == 'c')
			count = strtoul(optarg, NULL, 0);
		else
			acks = true;
	}
	if (!to || !count) {
		fprintf(stderr, "usage: rtt --to tcp:127.0.0.1:PORT [--count N] [--sizes 4,64,2048] [--ack]\n");
		return 2;
	}
	fd = wire_dial(to);
	if (fd < 0) {
		perror("rtt");
		return 1;
	}
	wire_open(&w, fd);
	if (shake_hands(acks) < 0 || measure_all(sizes, count) < 0) {
		fprintf(stderr, "rtt: %s does not answer as it should\n", to);
		return 1;
	}
	return 0;
}
