/* wire.c - see wire.h. */
#include "backends/kd/wire.h"

#include "base/wait.h"

#include <errno.h>
#include <string.h>

enum { NET_STEP = 2 };

#define COM_INITIAL 0x80800000U
#define COM_SYNC 0x800U
#define NET_INITIAL 0x80000000U

static uint32_t com_next(uint32_t id)
{
	return id ^ 1;
}

static uint32_t net_next(uint32_t id)
{
	return id + NET_STEP;
}

static enum kd_frame_event com_read(struct kd_wire *w, struct buf *in);
static enum kd_frame_event net_read(struct kd_wire *w, struct buf *in);
static int com_data(struct kd_wire *w, uint64_t now);
static int net_data(struct kd_wire *w, uint64_t now);
static void com_rewind(struct kd_wire *w);
static void net_rewind(struct kd_wire *w);

static const struct rules {
	uint32_t first; /* of our ids */
	uint32_t (*next)(uint32_t id);
	enum kd_frame_event (*read)(struct kd_wire *w, struct buf *in);
	int (*data)(struct kd_wire *w, uint64_t now);
	void (*rewind)(struct kd_wire *w); /* the peer sent w->p, a RESET */
	bool stream;
	uint64_t retry_ms, least_ms; /* least_ms: 0, a round trip that was measured makes no difference */
	unsigned tries, rounds;
} rules[KD_WIRE_DIALECTS] = {
	[KD_WIRE_COM] = { COM_INITIAL, com_next, com_read, com_data, com_rewind, true, 1000, 0, KD_WIRE_TRIES, 5 },
	[KD_WIRE_NET] = { NET_INITIAL, net_next, net_read, net_data, net_rewind, false, 500, KD_WIRE_LEAST_MS, KD_WIRE_NET_TRIES, 24 },
};

int kd_wire_init(struct kd_wire *w, enum kd_dialect d)
{
	*w = (struct kd_wire){ .dialect = d, .retry_ms = rules[d].retry_ms, .tries = rules[d].tries, .rounds = rules[d].rounds };
	if (kd_framer_init(&w->framer) < 0 || buf_init(&w->out, KD_PAYLOAD_MAX) < 0) {
		kd_wire_fini(w);
		return -ENOMEM;
	}
	kd_wire_restart(w);
	return 0;
}

void kd_wire_fini(struct kd_wire *w)
{
	kd_framer_fini(&w->framer);
	buf_fini(&w->out);
	*w = (struct kd_wire){ 0 };
}

void kd_wire_restart(struct kd_wire *w)
{
	kd_framer_reset(&w->framer);
	*w = (struct kd_wire){
		.dialect = w->dialect, .retry_ms = w->retry_ms, .tries = w->tries, .rounds = w->rounds, .bad = w->bad,
		.duplicates = w->duplicates, .resent = w->resent, .asked = w->asked, .strays = w->strays, .restarts = w->restarts,
		.framer = w->framer, .out = w->out, .framed = NEVER, .reset_at = NEVER, .retry_at = NEVER, .tx = rules[w->dialect].first,
	};
}

static void forget(struct kd_wire *w)
{
	w->busy = w->due = w->rests = false;
	w->retry_at = NEVER;
}

/* What is dropped may have been taken: its id is not used again. */
static void drop(struct kd_wire *w)
{
	if (w->busy && w->sent)
		w->tx = rules[w->dialect].next(w->tx);
	forget(w);
}

static int broken(struct kd_wire *w, int rc, const char *why)
{
	drop(w);
	w->why = why;
	return rc;
}

/* It was taken, so the peer has met our stream: a SYNC from now on is a new one. */
static void taken(struct kd_wire *w)
{
	w->tx = rules[w->dialect].next(w->tx);
	w->last.sync = false;
	w->resets = w->bads = 0;
	forget(w);
}

/* A payload that holds packets, behind a header that is none, brings as many answers as copies are asked for. Unasked, its sender waits
 * before it sends the next one. */
static bool may_ask(struct kd_wire *w, uint64_t now)
{
	if (now - w->asks_from >= KD_WIRE_REST_MS) {
		w->asks_from = now;
		w->asks = 0;
	}
	return w->asks++ < KD_WIRE_ASKS;
}

static int on_bad(struct kd_wire *w, uint64_t now)
{
	w->bad++;
	w->ask = may_ask(w, now) || w->ask;
	if (++w->bads <= KD_WIRE_BADS)
		return KD_WIRE_MOVED;
	w->bads = 0;
	return broken(w, -EPROTO, "its packets are damaged");
}

/* An ACK that is due already acknowledges both copies. One that finds no place is asked for by the next copy. */
static void owe_ack(struct kd_wire *w, uint32_t id)
{
	for (size_t i = 0; i < w->acks_n; i++)
		if (w->acks[i] == id)
			return;
	if (w->acks_n < KD_WIRE_ACKS)
		w->acks[w->acks_n++] = id;
}

static int on_duplicate(struct kd_wire *w)
{
	w->duplicates++;
	return KD_WIRE_MOVED;
}

/* Did a RESET of ours go so lately that this is its answer? */
static bool asked_reset(const struct kd_wire *w, uint64_t now)
{
	return w->reset_at != NEVER && now - w->reset_at < KD_WIRE_RESET_MS;
}

static uint64_t hash_of(struct span s)
{
	uint64_t h = 14695981039346656037ULL;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.p[i]) * 1099511628211ULL;
	return h;
}

static bool like_last(const struct kd_wire *w)
{
	return w->last.type == w->p.type && w->last.len == w->p.payload.len && w->last.hash == hash_of(w->p.payload);
}

static int com_accept(struct kd_wire *w)
{
	w->met = true;
	w->resets = 0;
	w->rx = com_next(w->p.id & ~COM_SYNC);
	w->last.hash = hash_of(w->p.payload);
	w->last.len = w->p.payload.len;
	w->last.type = w->p.type;
	w->last.sync = w->p.id & COM_SYNC;
	return KD_WIRE_DATA;
}

/* Both of the peer's counters began anew, and ours with them; the packet that said so comes with the next take. */
static int com_begin(struct kd_wire *w, enum kd_wire_event event)
{
	forget(w);
	w->tx = COM_INITIAL;
	w->resetting = false;
	w->kept = com_accept(w) == KD_WIRE_DATA;
	return (int)event;
}

/* Copies of the first packet have the bit too: it is another beginning only if something was said in between. */
static int com_sync(struct kd_wire *w, uint32_t id)
{
	bool copy = w->met && w->last.sync && like_last(w);

	if (!copy)
		w->acks_n = 0;
	owe_ack(w, id);
	if (copy)
		return on_duplicate(w);
	if (!w->met && !w->busy) {
		w->resetting = false; /* it ran, and heard nothing of a RESET */
		return com_accept(w);
	}
	w->restarts++;
	return com_begin(w, KD_WIRE_RESTARTED);
}

/* Stubs of emulators count as they like: what has the last one's id, but is another packet, is none that came again. */
static bool com_fresh(const struct kd_wire *w, uint32_t id)
{
	return !w->met || id == w->rx || (id == com_next(w->rx) && !like_last(w));
}

/* A target that was reset may send its packet with the first id, and no RESET before it. */
static int com_data(struct kd_wire *w, uint64_t now)
{
	uint32_t id = w->p.id & ~COM_SYNC;

	if (w->p.id & COM_SYNC)
		return com_sync(w, id);
	owe_ack(w, id);
	if (w->resetting && !w->reset && id == COM_INITIAL && asked_reset(w, now))
		return com_begin(w, KD_WIRE_RESET_DONE);
	return com_fresh(w, id) ? com_accept(w) : on_duplicate(w);
}

static void com_rewind(struct kd_wire *w)
{
	w->rx = w->tx = COM_INITIAL;
	w->last.sync = false;
	w->acks_n = 0;
}

static bool net_older(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static int net_data(struct kd_wire *w, uint64_t now)
{
	(void)now;
	owe_ack(w, w->p.id);
	if (w->met && !net_older(w->rx, w->p.id))
		return on_duplicate(w);
	w->met = true;
	w->resets = 0;
	w->rx = w->p.id;
	return KD_WIRE_DATA;
}

/* It says what its next id is, or that of what it sends again: which is wanted, as on COM. It counts ours from what our RESET says. */
static void net_rewind(struct kd_wire *w)
{
	if (w->met && !net_older(w->rx, w->p.id))
		w->rx = w->p.id - NET_STEP;
}

/* Of a packet that went twice nobody knows which one was acknowledged. */
static void measure(struct kd_wire *w, uint64_t now)
{
	uint64_t took = now - w->sent_at;

	if (w->sent > 1)
		return;
	w->trip8 = w->timed ? w->trip8 - w->trip8 / 8 + took : took * 8;
	w->timed = true;
}

static int on_ack(struct kd_wire *w, uint64_t now)
{
	if (!w->busy || !w->sent || w->p.id != w->tx) {
		w->strays++;
		return KD_WIRE_MOVED;
	}
	measure(w, now);
	taken(w);
	return KD_WIRE_ACKED;
}

/* To a packet that comes while they wait for an ACK, targets answer so when they have its header, and take the second copy. What is
 * payload is not skipped: where it looks like packets, each of those is asked for again, in every copy, until the line is silent. */
static int on_resend(struct kd_wire *w, uint64_t now)
{
	w->asked++;
	if (!w->busy || w->due || w->rests)
		return KD_WIRE_MOVED;
	if (++w->asked_now > w->rounds)
		return broken(w, -EPROTO, "it asks for the same packet again and again");
	w->rests = rules[w->dialect].stream && w->asked_now > KD_WIRE_AT_ONCE;
	w->due = !w->rests;
	if (w->rests)
		w->retry_at = now + KD_WIRE_REST_MS;
	return KD_WIRE_MOVED;
}

/* What went after our RESET is of the new stream: the first packet of a target may have crossed that RESET, and been answered. */
static bool is_of_new_stream(const struct kd_wire *w)
{
	return w->dialect == KD_WIRE_COM && w->busy && w->sent && w->tx == COM_INITIAL;
}

/* Never answered when it is an answer itself, or the two would go on for ever. */
static int on_reset(struct kd_wire *w, uint64_t now)
{
	bool answer = asked_reset(w, now), stays = answer && w->owed && is_of_new_stream(w);

	if (!stays)
		drop(w);
	rules[w->dialect].rewind(w);
	w->resetting = w->owed = false;
	w->reset = !answer;
	w->restarts += !answer;
	if (++w->resets > KD_WIRE_RESETS)
		return broken(w, -EPROTO, "it resets the line again and again");
	if (stays)
		return KD_WIRE_MOVED;
	return answer ? KD_WIRE_RESET_DONE : KD_WIRE_RESTARTED;
}

static int on_control(struct kd_wire *w, uint64_t now)
{
	static int (*const on_type[KD_TYPES])(struct kd_wire *, uint64_t) = {
		[KD_TYPE_ACKNOWLEDGE] = on_ack,
		[KD_TYPE_RESEND] = on_resend,
		[KD_TYPE_RESET] = on_reset,
	};

	if (w->p.type < KD_TYPES && on_type[w->p.type])
		return on_type[w->p.type](w, now);
	w->strays++;
	return KD_WIRE_MOVED;
}

static enum kd_frame_event com_read(struct kd_wire *w, struct buf *in)
{
	struct cursor c = cursor_of(buf_span(in));
	enum kd_frame_event ev = kd_framer_next(&w->framer, &c, &w->p);

	return buf_pull(in, (size_t)(c.p - buf_data(in))) < 0 ? KD_FRAME_NONE : ev;
}

static enum kd_frame_event net_read(struct kd_wire *w, struct buf *in)
{
	struct span datagram = buf_span(in);

	return buf_pull(in, datagram.len) < 0 ? KD_FRAME_NONE : kd_packet_parse(datagram, &w->p);
}

/* All of a stream was eaten; or a datagram was no packet, such as a KDNET check of the connection. */
static int on_none(struct kd_wire *w)
{
	w->strays += !rules[w->dialect].stream;
	return rules[w->dialect].stream ? KD_WIRE_NONE : KD_WIRE_MOVED;
}

static int on_event(struct kd_wire *w, enum kd_frame_event ev, uint64_t now)
{
	if (ev == KD_FRAME_NONE)
		return on_none(w);
	if (ev == KD_FRAME_BAD)
		return on_bad(w, now);
	if (w->p.control)
		return on_control(w, now);
	if (w->p.type != KD_TYPE_MANIPULATE) /* an answer to nothing may lie in another's payload; kd_wire_answered knows */
		w->bads = 0;
	return rules[w->dialect].data(w, now);
}

static void watch_begin(struct kd_wire *w, uint64_t now)
{
	if (!kd_framer_midway(&w->framer))
		w->framed = NEVER;
	else if (w->framed == NEVER)
		w->framed = now;
}

int kd_wire_take(struct kd_wire *w, struct buf *in, struct kd_packet *p, uint64_t now)
{
	int rc = w->kept ? KD_WIRE_DATA : KD_WIRE_NONE;

	w->kept = false;
	if (rc == KD_WIRE_NONE && in->len) {
		enum kd_frame_event ev = rules[w->dialect].read(w, in);

		watch_begin(w, now);
		rc = on_event(w, ev, now);
	}
	if (rc == KD_WIRE_DATA)
		*p = w->p;
	return rc;
}

bool kd_wire_keeps(const struct kd_wire *w)
{
	return w->kept;
}

static int put_control(struct buf *frame, enum kd_type type, uint32_t id)
{
	struct kd_packet p = { .control = true, .type = (uint16_t)type, .id = id };
	int rc = kd_packet_put(frame, &p, false);

	return rc ? rc : 1;
}

static int put_ack(struct kd_wire *w, struct buf *frame, uint64_t now)
{
	int rc = w->acks_n ? put_control(frame, KD_TYPE_ACKNOWLEDGE, w->acks[0]) : 0;

	(void)now;
	if (rc == 1)
		memmove(w->acks, w->acks + 1, --w->acks_n * sizeof *w->acks);
	return rc;
}

static int put_ask(struct kd_wire *w, struct buf *frame, uint64_t now)
{
	int rc = w->ask ? put_control(frame, KD_TYPE_RESEND, 0) : 0;

	(void)now;
	w->ask = w->ask && rc != 1;
	return rc;
}

static int put_reset(struct kd_wire *w, struct buf *frame, uint64_t now)
{
	int rc = w->reset ? put_control(frame, KD_TYPE_RESET, w->dialect == KD_WIRE_COM ? 0 : w->tx) : 0;

	if (rc == 1) {
		w->reset = false;
		w->owed = true;
		w->reset_at = now;
	}
	return rc;
}

static int put_break(struct kd_wire *w, struct buf *frame, uint64_t now)
{
	int rc = w->brk ? buf_put_u8(frame, KD_BREAK_IN) : 0;

	(void)now;
	if (!w->brk || rc)
		return rc;
	w->brk = false;
	return 1;
}

/* Four times what a round trip takes, twice as long for each time that nothing came; never longer than where none was measured. */
static uint64_t patience(const struct kd_wire *w)
{
	uint64_t least = rules[w->dialect].least_ms, ms = w->trip8 / 2;

	if (!least || !w->timed)
		return w->retry_ms;
	ms = ms < least ? least : ms;
	for (unsigned i = 0; i < w->waited && ms < w->retry_ms; i++)
		ms *= 2;
	return ms < w->retry_ms ? ms : w->retry_ms;
}

static int put_packet(struct kd_wire *w, struct buf *frame, uint64_t now)
{
	struct kd_packet p = { .type = (uint16_t)w->type, .id = w->tx, .payload = buf_span(&w->out) };
	bool stream = rules[w->dialect].stream;
	int rc = w->due ? kd_packet_put(frame, &p, stream) : 0;

	if (!w->due || rc)
		return rc;
	w->due = w->rests = false;
	w->resent += w->sent > 0;
	w->sent++;
	w->sent_at = now;
	w->retry_at = now + patience(w) + (stream ? p.payload.len * KD_WIRE_BYTE_MS : 0);
	return 1;
}

int kd_wire_next(struct kd_wire *w, struct buf *frame, uint64_t now)
{
	static int (*const in_order[])(struct kd_wire *, struct buf *, uint64_t) = { put_ack, put_ask, put_reset, put_break, put_packet };
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof in_order / sizeof *in_order; i++)
		rc = in_order[i](w, frame, now);
	return rc;
}

int kd_wire_send(struct kd_wire *w, enum kd_type type, struct span head, struct span data)
{
	if (w->busy)
		return -EBUSY;
	buf_reset(&w->out, 0);
	if (buf_put_span(&w->out, head) < 0 || buf_put_span(&w->out, data) < 0)
		return -EMSGSIZE;
	w->type = type;
	w->busy = w->due = true;
	w->sent = w->waited = w->asked_now = 0;
	return 0;
}

bool kd_wire_idle(const struct kd_wire *w)
{
	return !w->busy;
}

bool kd_wire_rests(const struct kd_wire *w)
{
	return w->rests;
}

void kd_wire_answered(struct kd_wire *w)
{
	w->bads = 0;
	if (w->busy && w->sent)
		taken(w);
}

void kd_wire_break_in(struct kd_wire *w)
{
	w->brk = true;
}

void kd_wire_ask(struct kd_wire *w)
{
	w->ask = true;
}

void kd_wire_reset(struct kd_wire *w)
{
	drop(w);
	w->reset = w->resetting = true;
}

static uint64_t frame_by(const struct kd_wire *w)
{
	return w->framed == NEVER ? NEVER : w->framed + KD_WIRE_FRAME_MS + w->framer.body.len * KD_WIRE_BYTE_MS;
}

/* What is just coming may be the ACK, or the answer. */
static uint64_t ack_by(const struct kd_wire *w)
{
	return w->retry_at == NEVER ? NEVER : w->retry_at + (kd_framer_midway(&w->framer) ? KD_WIRE_FRAME_MS : 0);
}

/* Half a packet may not stand for ever: what follows may be the beginning of another. */
static int watch_frame(struct kd_wire *w, uint64_t now)
{
	bool packet = w->framer.state != KD_FRAMER_HEADER;

	if (now < frame_by(w) || w->framed == NEVER)
		return 0;
	w->framed = NEVER;
	kd_framer_reset(&w->framer);
	return packet ? on_bad(w, now) : 0;
}

static int watch_ack(struct kd_wire *w, uint64_t now)
{
	if (now < ack_by(w) || w->retry_at == NEVER)
		return 0;
	w->retry_at = NEVER;
	if (++w->waited >= w->tries)
		return broken(w, -ETIMEDOUT, "it does not acknowledge what it is sent");
	w->due = true;
	return 1;
}

int kd_wire_tick(struct kd_wire *w, uint64_t now)
{
	int rc = watch_frame(w, now);

	return rc ? rc : watch_ack(w, now);
}

uint64_t kd_wire_until(const struct kd_wire *w)
{
	uint64_t frame = frame_by(w), ack = ack_by(w);

	return frame < ack ? frame : ack;
}
