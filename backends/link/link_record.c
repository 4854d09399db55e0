/* link_record.c - keeps what passes as a TCP conversation of a recording; sits anywhere in a stack. See recording.h. */
#include "backends/link/recording.h"

#include "backends/link/link.h"

#include <errno.h>
#include <stdlib.h>

/* Who says it: the one that dialled, or the one at RECORDING_PORT. */
enum end { NEAR_END, FAR_END };

struct link_record {
	struct link base; /* first: a struct link * of this kind is a struct link_record * */
	struct recording *recording; /* borrowed */
	enum recording_side side;
	uint64_t number;
	enum end peer;    /* which end is at the other side of this link */
	bool begun, over;
	bool finished[2]; /* said FIN */
	uint32_t seq[2];  /* of the next byte */
	uint64_t now;     /* as far as it is known here */
};

static void put(struct link_record *k, enum end who, unsigned flags, struct span bytes)
{
	const struct recording_segment s = {
		.side = k->side, .number = k->number, .from_far = who == FAR_END, .flags = flags, .seq = k->seq[who],
		.ack = flags & RECORDING_ACK ? k->seq[!who] : 0, .bytes = bytes,
	};

	recording_put(k->recording, &s, k->now);
	k->seq[who] += (uint32_t)bytes.len + (flags & (RECORDING_SYN | RECORDING_FIN) ? 1 : 0);
}

static const struct span nothing;

static void begin(struct link_record *k)
{
	k->begun = true;
	put(k, NEAR_END, RECORDING_SYN, nothing);
	put(k, FAR_END, RECORDING_SYN | RECORDING_ACK, nothing);
	put(k, NEAR_END, RECORDING_ACK, nothing);
}

static void keep(struct link_record *k, enum end who, struct span bytes)
{
	if (k->over || k->finished[who] || !bytes.len)
		return;
	if (!k->begun)
		begin(k);
	for (; bytes.len; bytes = span_from(bytes, RECORDING_SEGMENT))
		put(k, who, RECORDING_PSH | RECORDING_ACK,
		    (struct span){ bytes.p, bytes.len < RECORDING_SEGMENT ? bytes.len : RECORDING_SEGMENT });
}

static void finish(struct link_record *k, enum end who)
{
	if (!k->begun || k->over || k->finished[who])
		return;
	k->finished[who] = true;
	put(k, who, RECORDING_FIN | RECORDING_ACK, nothing);
	k->over = k->finished[!who];
	if (k->over)
		put(k, !who, RECORDING_ACK, nothing);
}

/* A goodbye leaves the other direction open; any other error is the end of both. */
static void end(struct link_record *k, int rc)
{
	if (rc == -EPIPE) {
		finish(k, k->peer);
	} else if (k->begun && !k->over) {
		k->over = true;
		put(k, k->peer, RECORDING_RST | RECORDING_ACK, nothing);
	}
}

/* Kept afterwards, when it is known how much was taken: layers below do not change what they are given. */
static int record_send(struct link *lk, struct buf *frame, uint64_t now)
{
	struct link_record *k = (struct link_record *)lk;
	struct span all = buf_span(frame);
	int rc = link_send(lk->below, frame, now);

	k->now = now;
	if (rc < 0 && rc != -EAGAIN) {
		end(k, rc);
		return rc;
	}
	all.len = rc == 0 || frame->len > all.len ? all.len : all.len - frame->len;
	keep(k, !k->peer, all);
	return rc;
}

static int record_recv(struct link *lk, struct buf *in, uint64_t now)
{
	struct link_record *k = (struct link_record *)lk;
	int rc = link_recv(lk->below, in, now);

	k->now = now;
	if (rc == 1)
		keep(k, k->peer, buf_span(in));
	if (rc < 0)
		end(k, rc);
	return rc;
}

static void record_destroy(struct link *lk)
{
	struct link_record *k = (struct link_record *)lk;

	finish(k, !k->peer);
	finish(k, k->peer);
	free(k);
}

static const struct link_ops record_ops = {
	.name = "record", .send = record_send, .recv = record_recv, .destroy = record_destroy,
};

struct link *link_record_new(struct link *below, struct recording *r, enum recording_side side, uint64_t number)
{
	struct link_record *k = calloc(1, sizeof *k);

	if (!k)
		return NULL;
	*k = (struct link_record){
		.base = { .ops = &record_ops, .below = below }, .recording = r, .side = side, .number = number,
		.peer = side == RECORDING_CLIENT ? NEAR_END : FAR_END,
	};
	return &k->base;
}
