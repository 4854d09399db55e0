/* link_pair.c - two ends joined in memory; the bottom of every stack in the tests. See link.h. */
#include "backends/link/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RING = 65536, HEAD = 4 }; /* a packet stands in the ring behind its length */

/* Positions only grow; the index is what is left of them. */
struct ring {
	uint64_t put, taken;
	uint8_t at[RING];
};

struct pair_end {
	struct link base; /* first: a struct link * of this kind is a struct pair_end * */
	struct link_pair *pair;
	bool gone;        /* destroyed; what it sent can still be read */
	bool full;        /* a send was refused since the last receive */
};

/* end[i] writes ring[i] and reads the other. Freed with the last end. */
struct link_pair {
	struct pair_end end[2];
	struct ring ring[2];
	size_t step; /* 0: packets */
};

static size_t used(const struct ring *r)
{
	return (size_t)(r->put - r->taken);
}

static void ring_put(struct ring *r, const uint8_t *p, size_t n)
{
	size_t at = (size_t)(r->put % RING), first = n < RING - at ? n : RING - at;

	memcpy(r->at + at, p, first);
	memcpy(r->at, p + first, n - first);
	r->put += n;
}

static void ring_take(struct ring *r, uint8_t *p, size_t n)
{
	size_t at = (size_t)(r->taken % RING), first = n < RING - at ? n : RING - at;

	memcpy(p, r->at + at, first);
	memcpy(p + first, r->at, n - first);
	r->taken += n;
}

static size_t number_of(const struct pair_end *e)
{
	return e == &e->pair->end[1];
}

static int send_packet(struct ring *r, struct buf *frame)
{
	uint32_t len = (uint32_t)frame->len;
	uint8_t head[HEAD];

	if (frame->len > RING - HEAD)
		return -EMSGSIZE;
	if (used(r) + HEAD + len > RING)
		return -EAGAIN;
	memcpy(head, &len, HEAD);
	ring_put(r, head, HEAD);
	ring_put(r, buf_data(frame), len);
	return buf_pull(frame, len);
}

static int send_stream(struct ring *r, struct buf *frame)
{
	size_t room = RING - used(r), n = frame->len < room ? frame->len : room;
	int rc;

	ring_put(r, buf_data(frame), n);
	rc = buf_pull(frame, n);
	return rc || !frame->len ? rc : -EAGAIN;
}

static int pair_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct pair_end *e = (struct pair_end *)lk;
	struct link_pair *p = e->pair;
	size_t me = number_of(e);
	int rc;

	(void)now;
	if (p->end[!me].gone)
		return -EPIPE;
	rc = p->step ? send_stream(&p->ring[me], frame) : send_packet(&p->ring[me], frame);
	e->full = rc == -EAGAIN;
	return rc;
}

static size_t piece_len(const struct ring *r, size_t step, size_t room)
{
	size_t n = used(r) < step ? used(r) : step;

	return n < room ? n : room;
}

static size_t packet_len(struct ring *r)
{
	uint8_t head[HEAD];
	uint32_t len;

	ring_take(r, head, HEAD);
	memcpy(&len, head, HEAD);
	return len;
}

static int pair_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct pair_end *e = (struct pair_end *)lk;
	struct link_pair *p = e->pair;
	size_t other = !number_of(e), n;
	struct ring *r = &p->ring[other];

	(void)now;
	e->full = false;
	buf_reset(in, 0);
	if (!used(r))
		return p->end[other].gone ? -EPIPE : 0;
	n = p->step ? piece_len(r, p->step, in->cap) : packet_len(r);
	if (n > in->cap)
		return -EMSGSIZE;
	ring_take(r, in->base, n);
	in->len = n;
	return n > 0 || !p->step;
}

static void pair_wait(const struct link *lk, struct wait *w)
{
	w->write |= ((const struct pair_end *)lk)->full;
}

static void pair_destroy(struct link *lk)
{
	struct pair_end *e = (struct pair_end *)lk;

	e->gone = true;
	if (e->pair->end[!number_of(e)].gone)
		free(e->pair);
}

static const struct link_ops pair_ops = {
	.name = "pair", .send = pair_send, .recv = pair_recv, .wait = pair_wait, .destroy = pair_destroy,
};

struct link *link_pair_new(struct link **other, size_t step)
{
	struct link_pair *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->step = step;
	for (size_t i = 0; i < 2; i++)
		p->end[i] = (struct pair_end){ .base = { .ops = &pair_ops }, .pair = p };
	*other = &p->end[1].base;
	return &p->end[0].base;
}
