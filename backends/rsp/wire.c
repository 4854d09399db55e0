/* wire.c - see wire.h. */
#include "backends/rsp/wire.h"

#include "backends/link/link.h"

#include <errno.h>

int wire_init(struct wire *w)
{
	*w = (struct wire){ .framed = NEVER, .resend_at = NEVER };
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

bool wire_midway(const struct wire *w)
{
	return w->left.len && w->left.len < w->tx.len;
}

bool wire_heard(const struct wire *w)
{
	return wire_idle(w) && w->resend_at == NEVER;
}

/* What is owed goes in front: a stub that waits for its + is woken once, not twice. But not where the packet itself must wait. */
struct buf *wire_open(struct wire *w)
{
	buf_reset(&w->tx, link_headroom(w->link));
	if (w->owed && !w->copies && buf_put_u8(&w->tx, (uint8_t)w->owed) == 0)
		w->owed = 0;
	w->mark = rsp_open(&w->tx);
	return &w->tx;
}

int wire_close(struct wire *w)
{
	int rc = rsp_close(&w->tx, w->mark);

	w->left = w->tx;
	w->naks = w->resends = 0;
	w->resend_at = NEVER;
	w->packet = true;
	w->expects = w->acked = w->once = false;
	return rc;
}

void wire_once(struct wire *w)
{
	w->once = w->expects = true;
}

void wire_byte(struct wire *w, uint8_t c)
{
	buf_reset(&w->tx, link_headroom(w->link));
	if (buf_put_u8(&w->tx, c) == 0)
		w->left = w->tx;
	w->resend_at = NEVER;
	w->packet = false;
	w->expects = true;
}

void wire_nudge(struct wire *w)
{
	w->owed = w->owed ? w->owed : '+';
}

/* GRUB takes nothing but a + while it says a packet again and again; the one in "swbreak+" will do. */
void wire_still_due(struct wire *w, uint64_t now)
{
	if (w->packet && !w->no_ack && !w->acked)
		w->resend_at = now + WIRE_RESEND_MS;
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

/* A slow line is still busy with it when the link has taken it all. */
static int push_left(struct wire *w, uint64_t now)
{
	int rc = link_send(w->link, &w->left, now);

	if (!rc && w->packet && !w->no_ack && !w->once)
		w->resend_at = now + WIRE_RESEND_MS + w->tx.len * WIRE_BYTE_MS;
	return rc;
}

/* What goes out again may be answered twice: the second answer would be taken for that to what goes next. */
static bool settling(const struct wire *w)
{
	return w->copies && w->packet && !w->resends;
}

int wire_push(struct wire *w, uint64_t now)
{
	int rc = 0;

	if (wire_idle(w))
		return 0;
	if (w->copies && now >= w->settle_by)
		w->copies = 0;
	if (w->owed)
		rc = push_owed(w, now);
	if (!rc && w->left.len)
		rc = settling(w) ? -EAGAIN : push_left(w, now);
	if (rc == -EAGAIN)
		return 0;
	if (rc)
		w->why = link_why(w->link);
	return rc ? rc : 1;
}

static int broken(struct wire *w, const char *why)
{
	w->why = why;
	return -EPROTO;
}

static uint64_t hash_of(struct span s)
{
	uint64_t h = 14695981039346656037ULL;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.p[i]) * 1099511628211ULL;
	return h;
}

/* Is it like the last one? It is the last one from now on. */
static bool heard_again(struct wire *w, struct span body)
{
	uint64_t hash = hash_of(body);
	bool same = w->heard.any && w->heard.hash == hash && w->heard.len == body.len;

	w->heard.hash = hash;
	w->heard.len = body.len;
	w->heard.any = true;
	return same;
}

static bool is_text(struct span body)
{
	return span_starts(body, "O") && !span_is(body, "OK");
}

static int on_again(struct wire *w)
{
	w->copies -= w->copies > 0;
	return ++w->noise > WIRE_NOISE_MAX ? broken(w, "it sends the same packet again and again") : 0;
}

/* Of a stub that acknowledges nothing, whatever comes while it is asked is its answer. */
static bool expects(const struct wire *w)
{
	return w->expects || (!w->acks && w->resend_at != NEVER);
}

static int on_acked_packet(struct wire *w, uint64_t now)
{
	struct span body = buf_span(&w->framer.body);
	bool text = is_text(body), again = !text && heard_again(w, body) && !expects(w);

	w->owed = '+';
	if (again)
		return on_again(w);
	if (text)
		return 1;
	w->resend_at = NEVER;
	w->expects = false;
	if (w->resends)
		w->settle_by = now + WIRE_SETTLE_MS;
	w->copies = w->resends;
	w->resends = 0;
	return 1;
}

static int on_packet(struct wire *w, uint64_t now)
{
	w->naks = w->slow = 0;
	return w->no_ack ? 1 : on_acked_packet(w, now);
}

/* One that comes before all of the packet has gone is for something else. */
static int on_ack(struct wire *w)
{
	if (w->left.len || !w->packet)
		return 0;
	w->acks = w->acked = true;
	w->expects = w->expects || w->resend_at != NEVER;
	w->resend_at = NEVER;
	return 0;
}

/* On a link that loses nothing a resend is asked for by a stub that is confused; it may not ask for ever. */
static int on_nak(struct wire *w)
{
	w->odd |= WIRE_ODD_NAK;
	if (w->no_ack || !w->packet)
		return 0;
	if (++w->naks > WIRE_RETRIES)
		return broken(w, "it asks for the same packet again and again");
	w->left = w->tx;
	w->resend_at = NEVER;
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

/* KGDB refuses a question that it finds waiting when it reports that it has stopped: that was the answer. */
static bool is_over(const struct wire *w)
{
	return w->once && !w->expects;
}

static int on_event(struct wire *w, enum rsp_event ev, uint64_t now)
{
	switch (ev) {
	case RSP_PACKET:
		return on_packet(w, now);
	case RSP_ACK:
		return on_ack(w);
	case RSP_NAK:
		return is_over(w) ? 0 : on_nak(w);
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

/* A resume, too, as gdb does: that it was lost is as likely as that its + was. */
static int watch_ack(struct wire *w, uint64_t now)
{
	if (now < w->resend_at || w->resend_at == NEVER)
		return 0;
	w->resend_at = rsp_framer_midway(&w->framer) ? now + WIRE_RESEND_MS : NEVER; /* that may be its answer */
	if (w->resend_at != NEVER)
		return 0;
	w->left = w->tx;
	return ++w->resends > WIRE_RESENDS ? broken(w, "it does not acknowledge what it is sent") : 0;
}

int wire_pull(struct wire *w, struct buf **body, uint64_t now)
{
	int got = w->in.len ? 1 : link_recv(w->link, &w->in, now), rc = 0;
	enum rsp_event ev;

	*body = NULL;
	forget_noise(w, now);
	while (got == 1 && !rc && w->in.len) {
		rc = buf_pull(&w->in, rsp_framer_feed(&w->framer, buf_span(&w->in), &ev));
		w->framed = ev == RSP_NONE ? w->framed : NEVER;
		if (!rc)
			rc = on_event(w, ev, now);
	}
	if (rc == 1)
		*body = &w->framer.body;
	if (!rc)
		rc = watch_frame(w, now);
	if (!rc && got >= 0)
		rc = watch_ack(w, now);
	if (got < 0)
		w->why = link_why(w->link);
	return rc ? rc : got;
}

void wire_wait(const struct wire *w, struct wait *wt)
{
	wt->read = true;
	wait_until(wt, frame_by(w));
	wait_until(wt, w->resend_at);
	if (w->left.len && settling(w))
		wait_until(wt, w->settle_by);
	link_wait(w->link, wt);
}
