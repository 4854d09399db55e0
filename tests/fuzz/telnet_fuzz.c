/* telnet_fuzz.c - any bytes from the far end, cut anywhere: the same data and the same end, and no more answers than there may be;
 * what is sent through it comes back as it was. */
#include "backends/link/link.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 16384 };

struct outcome {
	int rc;
	size_t n, answers;
	uint8_t data[MOST];
};

static uint8_t room[MOST];

static void collect(struct link *lk, struct outcome *o)
{
	struct buf in = { .base = room, .cap = sizeof room };

	for (int idle = 0; idle < 2 && o->rc >= 0; idle++) {
		o->rc = link_recv(lk, &in, 0);
		if (o->rc != 1)
			continue;
		idle = -1;
		if (in.len > sizeof o->data - o->n)
			abort();
		memcpy(o->data + o->n, buf_data(&in), in.len);
		o->n += in.len;
	}
}

static void drain(struct link *far, struct outcome *o)
{
	struct buf in = { .base = room, .cap = sizeof room };

	while (link_recv(far, &in, 0) == 1)
		o->answers += in.len;
}

static void run(struct span bytes, size_t step, const struct serial_mode *mode, struct outcome *o)
{
	struct link *far, *lk = link_telnet_new(link_pair_new(&far, MOST), mode);
	static uint8_t copy[MOST];

	o->rc = 0;
	o->n = o->answers = 0;
	memcpy(copy, bytes.p, bytes.len);
	for (size_t at = 0; at < bytes.len && o->rc >= 0; at += step) {
		struct buf piece = { .base = copy + at, .cap = step, .len = bytes.len - at < step ? bytes.len - at : step };

		if (link_send(far, &piece, 0) < 0)
			abort();
		collect(lk, o);
		drain(far, o);
	}
	link_destroy_stack(lk);
	link_destroy_stack(far);
}

/* Data before what ends it may be kept back where it came in one piece. */
static void same(const struct outcome *a, const struct outcome *b)
{
	size_t n = a->n < b->n ? a->n : b->n;

	if (a->rc != b->rc || (a->rc >= 0 && (a->n != b->n || a->answers != b->answers)) || (n && memcmp(a->data, b->data, n)))
		abort();
}

static void there_and_back(struct span bytes)
{
	struct link *far, *lk = link_telnet_new(link_pair_new(&far, MOST), NULL), *other = link_telnet_new(far, NULL);
	static uint8_t copy[MOST];
	static struct outcome o;
	struct buf frame = { .base = copy, .cap = sizeof copy, .len = bytes.len };

	memcpy(copy, bytes.p, bytes.len);
	o.rc = 0;
	o.n = 0;
	for (int i = 0; i < 3; i++) {
		collect(lk, &o);
		collect(other, &o);
	}
	if (o.n || link_send(lk, &frame, 0) < 0)
		abort();
	collect(other, &o);
	if (o.n != bytes.len || memcmp(o.data, bytes.p, o.n))
		abort();
	link_destroy_stack(lk);
	link_destroy_stack(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct serial_mode mode = { 115200, 8, 'n', 1, true };
	static struct outcome whole, pieces;

	if (size < 2 || size > 600)
		return 0;
	for (size_t with = 0; with < 2; with++) {
		struct span bytes = { data + 1, size - 1 };

		run(bytes, size, with ? &mode : NULL, &whole);
		run(bytes, 1, with ? &mode : NULL, &pieces);
		same(&whole, &pieces);
		run(bytes, 1 + data[0], with ? &mode : NULL, &pieces);
		same(&whole, &pieces);
		if (whole.answers > 1500)
			abort();
	}
	there_and_back((struct span){ data + 1, size - 1 });
	return 0;
}
