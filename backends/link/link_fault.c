/* link_fault.c - does something unkind to every n-th frame that passes through it. See link.h. */
#include "backends/link/link.h"

#include <errno.h>
#include <stdlib.h>

enum { HELD_MAX = 65536 };

struct link_fault {
	struct link base; /* first: a struct link * of this kind is a struct link_fault * */
	enum fault kind;
	unsigned long every, count;
	bool refused;    /* since the last receive; as a full socket */
	bool spared;     /* the next send passes: it was refused before */
	bool dead;       /* closed it */
	bool slow;       /* what is held goes up byte by byte */
	struct buf held; /* received, and not passed on yet; only for SPLIT and STALL */
	uint64_t again;  /* when a stalled receive is worth another look; NEVER: nothing is stalled */
};

/* Of one more frame that passes: is it the turn of this kind? */
static bool due(struct link_fault *f, enum fault kind)
{
	return f->kind == kind && f->every && ++f->count % f->every == 0;
}

static int pass(struct link_fault *f, struct buf *frame, uint64_t now)
{
	f->refused = f->spared = false;
	return link_send(f->base.below, frame, now);
}

static int send_drop(struct link_fault *f, struct buf *frame, uint64_t now)
{
	return due(f, FAULT_DROP) ? buf_pull(frame, frame->len) : pass(f, frame, now);
}

static int send_twice(struct link_fault *f, struct buf *frame, uint64_t now)
{
	struct buf again = *frame; /* the same bytes; only the second send may write in front of them */
	int rc = pass(f, frame, now);

	if (rc == 0 && due(f, FAULT_TWICE))
		rc = link_send(f->base.below, &again, now);
	return rc == -EAGAIN && frame->len == 0 ? 0 : rc;
}

/* Flipped back afterwards: the bytes are the sender's, who may send them again. */
static int send_flip(struct link_fault *f, struct buf *frame, uint64_t now)
{
	uint8_t *bit;
	int rc;

	if (!due(f, FAULT_FLIP) || !frame->len)
		return pass(f, frame, now);
	bit = buf_data(frame) + f->count % frame->len;
	*bit ^= 0x10;
	rc = pass(f, frame, now);
	*bit ^= 0x10;
	return rc;
}

/* Never twice the same send: n = 1 refuses everything once. */
static int send_refuse(struct link_fault *f, struct buf *frame, uint64_t now)
{
	if (f->spared || !due(f, FAULT_REFUSE))
		return pass(f, frame, now);
	f->refused = f->spared = true;
	return -EAGAIN;
}

static int send_close(struct link_fault *f, struct buf *frame, uint64_t now)
{
	f->dead = f->dead || due(f, FAULT_CLOSE);
	return f->dead ? -EPIPE : pass(f, frame, now);
}

static int fault_send(struct link *lk, struct buf *frame, uint64_t now)
{
	static int (*const sends[])(struct link_fault *f, struct buf *frame, uint64_t now) = {
		[FAULT_NONE] = pass,          [FAULT_DROP] = send_drop, [FAULT_TWICE] = send_twice, [FAULT_FLIP] = send_flip,
		[FAULT_REFUSE] = send_refuse, [FAULT_SPLIT] = pass,     [FAULT_STALL] = pass,       [FAULT_CLOSE] = send_close,
	};
	struct link_fault *f = (struct link_fault *)lk;

	return sends[f->kind](f, frame, now);
}

/* What is held goes up first: all of it, or a byte. */
static int give(struct link_fault *f, struct buf *in)
{
	size_t n = f->slow ? 1 : f->held.len;

	n = n < in->cap ? n : in->cap;
	if (buf_put(in, buf_data(&f->held), n) < 0 || buf_pull(&f->held, n) < 0)
		return -ENOBUFS;
	return n > 0;
}

static int recv_split(struct link_fault *f, struct buf *in, uint64_t now)
{
	int rc = f->held.len ? 1 : link_recv(f->base.below, &f->held, now);

	if (rc != 1)
		return rc;
	f->slow = f->slow || due(f, FAULT_SPLIT);
	rc = give(f, in);
	f->slow = f->slow && f->held.len;
	return rc;
}

static int recv_stall(struct link_fault *f, struct buf *in, uint64_t now)
{
	int rc;

	f->again = NEVER;
	if (f->held.len)
		return give(f, in);
	rc = link_recv(f->base.below, &f->held, now);
	if (rc != 1 || !due(f, FAULT_STALL))
		return rc == 1 ? give(f, in) : rc;
	f->again = now;
	return 0;
}

static int recv_close(struct link_fault *f, struct buf *in, uint64_t now)
{
	int rc = f->dead ? -ECONNRESET : link_recv(f->base.below, in, now);

	f->dead = f->dead || (rc == 1 && due(f, FAULT_CLOSE));
	return f->dead ? -ECONNRESET : rc;
}

static int recv_plain(struct link_fault *f, struct buf *in, uint64_t now)
{
	return link_recv(f->base.below, in, now);
}

static int fault_recv(struct link *lk, struct buf *in, uint64_t now)
{
	static int (*const recvs[])(struct link_fault *f, struct buf *in, uint64_t now) = {
		[FAULT_NONE] = recv_plain,   [FAULT_DROP] = recv_plain,  [FAULT_TWICE] = recv_plain, [FAULT_FLIP] = recv_plain,
		[FAULT_REFUSE] = recv_plain, [FAULT_SPLIT] = recv_split, [FAULT_STALL] = recv_stall, [FAULT_CLOSE] = recv_close,
	};
	struct link_fault *f = (struct link_fault *)lk;

	f->refused = false;
	buf_reset(in, 0);
	return recvs[f->kind](f, in, now);
}

static void fault_wait(const struct link *lk, struct wait *w)
{
	const struct link_fault *f = (const struct link_fault *)lk;

	w->write |= f->refused;
	wait_until(w, f->again);
}

static void fault_destroy(struct link *lk)
{
	struct link_fault *f = (struct link_fault *)lk;

	buf_fini(&f->held);
	free(f);
}

static const struct link_ops fault_ops = {
	.name = "fault", .send = fault_send, .recv = fault_recv, .wait = fault_wait, .destroy = fault_destroy,
};

struct link *link_fault_new(struct link *below, enum fault kind, unsigned long every)
{
	struct link_fault *f = calloc(1, sizeof *f);

	if (!f)
		return NULL;
	*f = (struct link_fault){ .base = { .ops = &fault_ops, .below = below }, .kind = kind, .every = every, .again = NEVER };
	if ((kind == FAULT_SPLIT || kind == FAULT_STALL) && buf_init(&f->held, HELD_MAX) < 0) {
		fault_destroy(&f->base);
		return NULL;
	}
	return &f->base;
}
