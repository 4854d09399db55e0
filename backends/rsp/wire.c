/* wire.c - see wire.h. */
#include "backends/rsp/wire.h"

#include "backends/link/link.h"

#include <errno.h>

int wire_init(struct wire *w)
{
	*w = (struct wire){ .framed = NEVER };
	if (rsp_framer_init(&w->framer, RSP_TOLERANT, WIRE_BODY_MAX) == 0 && buf_init(&w->in, WIRE_IN_MAX) == 0 &&
	    buf_init(&w->tx, WIRE_OUT_MAX) == 0)
		return 0;
	wire_fini(w);
	return -ENOMEM;
}

void wire_fini(struct wire *w)
{
	link_destroy_stack(w->link);
	rsp_framer_fini(&w->framer);
	buf_fini(&w->in);
	buf_fini(&w->tx);
	*w = (struct wire){ 0 };
}

bool wire_idle(const struct wire *w)
{
	return !w->left.len && !w->owed;
}

/* What is owed goes in front: a stub that waits for its + is woken once, not twice. */
struct buf *wire_open(struct wire *w)
{
	buf_reset(&w->tx, link_headroom(w->link));
	if (w->owed && buf_put_u8(&w->tx, (uint8_t)w->owed) == 0)
		w->owed = 0;
	w->mark = rsp_open(&w->tx);
	return &w->tx;
}

int wire_close(struct wire *w)
{
	int rc = rsp_close(&w->tx, w->mark);

	w->left = w->tx;
	w->naks = 0;
	return rc;
}

void wire_byte(struct wire *w, uint8_t c)
{
	buf_reset(&w->tx, link_headroom(w->link));
	if (buf_put_u8(&w->tx, c) == 0)
		w->left = w->tx;
}

static int push_owed(struct wire *w, uint64_t now)
{
	uint8_t room[64];
	struct buf b = { .base = room, .cap = sizeof room };
	int rc;

	buf_reset(&b, link_headroom(w->link));
	rc = buf_put_u8(&b, (uint8_t)w->owed);
	if (!rc)
		rc = link_send(w->link, &b, now);
	if (!rc)
		w->owed = 0;
	return rc;
}

int wire_push(struct wire *w, uint64_t now)
{
	int rc = 0;

	if (wire_idle(w))
		return 0;
	if (w->owed)
		rc = push_owed(w, now);
	if (!rc && w->left.len)
		rc = link_send(w->link, &w->left, now);
	if (rc == -EAGAIN)
		return 0;
	return rc ? rc : 1;
}

static int broken(struct wire *w, const char *why)
{
	w->why = why;
	return -EPROTO;
}

static int on_packet(struct wire *w)
{
	w->naks = w->slow = 0;
	w->owed = w->no_ack ? 0 : '+';
	return 1;
}

/* On a link that loses nothing a resend is asked for by a stub that is confused; it may not ask for ever. */
static int on_nak(struct wire *w)
{
	w->odd |= WIRE_ODD_NAK;
	if (w->no_ack)
		return 0;
	if (++w->naks > WIRE_RETRIES)
		return broken(w, "it asks for the same packet again and again");
	w->left = w->tx;
	return 0;
}

static int on_badsum(struct wire *w)
{
	w->odd |= WIRE_ODD_BADSUM;
	if (w->no_ack || ++w->naks > WIRE_RETRIES)
		return broken(w, "its packets have wrong checksums");
	w->owed = '-';
	return 0;
}

static int on_noise(struct wire *w, unsigned odd)
{
	w->odd |= odd;
	return ++w->noise > WIRE_NOISE_MAX ? broken(w, "it sends what is no packet") : 0;
}

static int on_event(struct wire *w, enum rsp_event ev)
{
	switch (ev) {
	case RSP_PACKET:
		return on_packet(w);
	case RSP_NAK:
		return on_nak(w);
	case RSP_BADSUM:
		return on_badsum(w);
	case RSP_NOISE:
	case RSP_BREAK:
		return on_noise(w, WIRE_ODD_NOISE);
	case RSP_NOTIFY: /* never asked for, never passed on */
		return on_noise(w, WIRE_ODD_NOTIFY);
	case RSP_TOOBIG:
		return broken(w, "its packet has no end");
	case RSP_MALFORMED:
	case RSP_BROKEN:
		return broken(w, "its packet is malformed");
	case RSP_NONE:
	case RSP_ACK:
	case RSP_EVENTS:
		break;
	}
	return 0;
}

static void forget_noise(struct wire *w, uint64_t now)
{
	uint64_t gone = (now - w->noise_at) * WIRE_NOISE_MS;

	w->noise = gone < w->noise ? w->noise - gone : 0;
	w->noise_at = now;
}

static uint64_t frame_by(const struct wire *w)
{
	return w->framed == NEVER ? NEVER : w->framed + WIRE_FRAME_MS + w->framer.body.len * WIRE_BYTE_MS;
}

/* Half a packet may not stand for ever: what follows may be the beginning of another. */
static int watch_frame(struct wire *w, uint64_t now)
{
	if (!rsp_framer_midway(&w->framer))
		w->framed = NEVER;
	else if (w->framed == NEVER)
		w->framed = now;
	if (w->framer.overflow)
		return broken(w, "its packet has no end");
	if (now < frame_by(w) || w->framed == NEVER)
		return 0;
	w->odd |= WIRE_ODD_SLOW;
	w->framed = NEVER;
	rsp_framer_reset(&w->framer);
	return ++w->slow > WIRE_RETRIES ? broken(w, "its packets do not end") : 0;
}

int wire_pull(struct wire *w, struct buf **body, uint64_t now)
{
	int got = w->in.len ? 1 : link_recv(w->link, &w->in, now), rc = 0;
	enum rsp_event ev;

	*body = NULL;
	forget_noise(w, now);
	while (got == 1 && !rc && w->in.len) {
		rc = buf_pull(&w->in, rsp_framer_feed(&w->framer, buf_span(&w->in), &ev));
		if (!rc)
			rc = on_event(w, ev);
	}
	if (rc == 1)
		*body = &w->framer.body;
	if (!rc)
		rc = watch_frame(w, now);
	return rc ? rc : got;
}

void wire_wait(const struct wire *w, struct wait *wt)
{
	wt->read = true;
	wait_until(wt, frame_by(w));
	link_wait(w->link, wt);
}
