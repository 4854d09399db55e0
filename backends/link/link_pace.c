/* link_pace.c - gives what is below the speed of a wire, both ways. See link.h.
 *
 * Time is counted in ticks of which a millisecond has baud, and a byte of ten bits takes 10000: so nothing is rounded, and
 * nothing drifts. A byte is passed on when its last bit would have been through. */
#include "backends/link/link.h"

#include <errno.h>
#include <stdlib.h>

enum { BYTE_TICKS = 10000, FIFO = 64, FIFO_MOST = 4096, AHEAD = 1024, HEADROOM_MOST = 64 };

struct way {
	uint8_t room[FIFO_MOST];
	struct buf held; /* on its way; a view of room */
	uint64_t at;     /* when the byte before these was through, in ticks */
};

struct link_pace {
	struct link base; /* first: a struct link * of this kind is a struct link_pace * */
	unsigned baud;
	size_t fifo;      /* so much is taken of a sender */
	struct way out, in;
};

static uint64_t ticks(const struct link_pace *p, uint64_t now)
{
	return now * p->baud;
}

/* Bytes that are through by now. */
static size_t due(const struct link_pace *p, const struct way *w, uint64_t now)
{
	uint64_t t = ticks(p, now), n = t > w->at ? (t - w->at) / BYTE_TICKS : 0;

	return n < w->held.len ? (size_t)n : w->held.len;
}

static int passed(struct way *w, size_t n)
{
	w->at += n * BYTE_TICKS;
	return buf_pull(&w->held, n);
}

/* A wire that was idle begins now. */
static void begin(const struct link_pace *p, struct way *w, uint64_t now)
{
	uint64_t t = ticks(p, now);

	w->at = t > w->at ? t : w->at;
}

/* The first n bytes that are held go below. */
static int push(struct link_pace *p, size_t n, uint64_t now)
{
	uint8_t room[HEADROOM_MOST + FIFO_MOST];
	struct buf b = { .base = room, .cap = sizeof room };
	int rc;

	buf_reset(&b, link_headroom(p->base.below));
	rc = buf_put(&b, buf_data(&p->out.held), n);
	if (rc)
		return rc;
	rc = link_send(p->base.below, &b, now);
	return rc && rc != -EAGAIN ? rc : passed(&p->out, n - b.len) ? -EPROTO : rc;
}

/* What was refused starts again: had the wire's time gone on, it would come all at once later. */
static int push_due(struct link_pace *p, uint64_t now)
{
	size_t n = due(p, &p->out, now);
	int rc = n ? push(p, n, now) : 0;

	if (rc == -EAGAIN)
		begin(p, &p->out, now);
	return rc == -EAGAIN ? 0 : rc;
}

static int pace_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_pace *p = (struct link_pace *)lk;
	struct buf *held = &p->out.held;
	int rc = push_due(p, now);
	size_t n;

	if (rc)
		return rc;
	if (!held->len)
		begin(p, &p->out, now);
	buf_pack(held);
	n = p->fifo - held->len;
	n = n < frame->len ? n : frame->len;
	rc = buf_put(held, buf_data(frame), n);
	if (!rc)
		rc = buf_pull(frame, n);
	return rc || !frame->len ? rc : -EAGAIN;
}

static int fill(struct link_pace *p, uint64_t now)
{
	return p->in.held.len ? 1 : link_recv(p->base.below, &p->in.held, now);
}

static int give(struct link_pace *p, struct buf *in, uint64_t now)
{
	size_t n = due(p, &p->in, now), room = buf_room(in);
	int rc;

	n = n < room ? n : room;
	rc = buf_put(in, buf_data(&p->in.held), n);
	return rc ? rc : passed(&p->in, n);
}

/* Bytes that follow when the last of those before them have just been passed on were there already: the wire goes on. */
static int pace_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_pace *p = (struct link_pace *)lk;
	bool idle = !p->in.held.len;
	int rc = fill(p, now);

	buf_reset(in, 0);
	if (rc == 1 && idle)
		begin(p, &p->in, now);
	for (size_t before = 1; rc == 1 && before != in->len;) {
		before = in->len;
		rc = give(p, in, now);
		if (!rc)
			rc = p->in.held.len || !buf_room(in) ? 1 : fill(p, now);
	}
	if (!in->len && rc < 0)
		return rc;
	rc = push_due(p, now);
	return in->len ? 1 : rc == -EPIPE ? 0 : rc;
}

/* Behind what was sent before it. */
static int pace_attention(struct link *lk, uint64_t now)
{
	struct link_pace *p = (struct link_pace *)lk;
	int rc = push_due(p, now);

	if (rc)
		return rc;
	return p->out.held.len ? -EAGAIN : link_attention(lk->below, now);
}

static void wait_for_byte(const struct link_pace *p, const struct way *way, struct wait *w)
{
	if (way->held.len)
		wait_until(w, (way->at + BYTE_TICKS + p->baud - 1) / p->baud);
}

/* What waits below would wake the program for nothing while there is enough to pass on. */
static void pace_wait(const struct link *lk, struct wait *w)
{
	const struct link_pace *p = (const struct link_pace *)lk;

	wait_for_byte(p, &p->out, w);
	wait_for_byte(p, &p->in, w);
	w->read = w->read && !p->in.held.len;
}

/* Who closes a port waits until what was written is out. */
static void pace_destroy(struct link *lk)
{
	struct link_pace *p = (struct link_pace *)lk;

	if (p->out.held.len)
		(void)!push(p, p->out.held.len, p->out.at / p->baud);
	free(p);
}

static const struct link_ops pace_ops = {
	.name = "pace", .send = pace_send, .recv = pace_recv, .attention = pace_attention, .wait = pace_wait, .destroy = pace_destroy,
};

struct link *link_pace_new(struct link *below, unsigned baud)
{
	struct link_pace *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->base = (struct link){ .ops = &pace_ops, .below = below };
	p->baud = baud ? baud : 1;
	p->fifo = FIFO + 2 * (size_t)p->baud / BYTE_TICKS;
	p->fifo = p->fifo < FIFO_MOST ? p->fifo : FIFO_MOST;
	p->out.held = (struct buf){ .base = p->out.room, .cap = sizeof p->out.room };
	p->in.held = (struct buf){ .base = p->in.room, .cap = AHEAD };
	return &p->base;
}
