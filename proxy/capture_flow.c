/* capture_flow.c - see capture_flow.h. */
#include "proxy/capture_flow.h"

#include "backends/link/recording.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { CLIENT, STUB };

struct segment {
	struct segment *prev, *next;
	uint32_t seq;
	bool fin;
	double time;
	size_t len;
	uint8_t bytes[];
};

/* What one side says. */
struct half {
	bool known;            /* next is */
	bool acked_known;
	bool finished;
	uint32_t first, next;  /* first: of the SYN, where it was seen */
	uint32_t acked;        /* what the other side said it has */
	struct segment *held;  /* by sequence number */
	size_t held_n;
};

enum flow_state { FLOW_FREE, FLOW_OPEN, FLOW_ENDED };

struct flow {
	enum flow_state state;
	bool begun;            /* that was told */
	bool closing;          /* ends when what is held was told */
	bool forgotten;        /* and then leaves nothing behind */
	bool midway;
	struct capture_end end[2];
	struct half half[2];
	uint64_t number, touched;
	double time;           /* of its last segment */
};

enum { WORK = 4 };

struct capture_flows {
	struct flow flows[CAPTURE_FLOWS];
	struct flow *work[WORK];  /* those that may have something to tell, in order */
	size_t work_n, open_n, held_bytes;
	size_t used;              /* flows behind these were never */
	size_t finishing;         /* the next flow to be finished, and one more; 0: not yet */
	uint64_t seen, clock;
	struct segment *last;     /* lent with the last piece */
};

struct capture_flows *capture_flows_new(void)
{
	return calloc(1, sizeof(struct capture_flows));
}

static void drop(struct capture_flows *t, struct half *h, struct segment *s)
{
	DL_DELETE(h->held, s);
	h->held_n--;
	t->held_bytes -= s->len;
}

static void drop_all(struct capture_flows *t, struct flow *f)
{
	for (int who = CLIENT; who <= STUB; who++)
		while (f->half[who].held) {
			struct segment *s = f->half[who].held;

			drop(t, &f->half[who], s);
			free(s);
		}
}

void capture_flows_destroy(struct capture_flows *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->used; i++)
		drop_all(t, &t->flows[i]);
	free(t->last);
	free(t);
}

uint64_t capture_flows_seen(const struct capture_flows *t)
{
	return t->seen;
}

/* By how much a is behind b, around the end of the numbers. */
static int32_t ahead(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static bool same(const struct capture_end *a, const struct capture_end *b)
{
	return !memcmp(a, b, sizeof *a);
}

/* The flow of a segment, and who says it. One that has ended is found too: what comes late is no new conversation. */
static struct flow *find(struct capture_flows *t, const struct capture_packet *p, int *who)
{
	struct flow *ended = NULL;
	int ended_who = CLIENT;

	for (size_t i = 0; i < t->used; i++) {
		struct flow *f = &t->flows[i];

		if (f->state == FLOW_FREE || f->closing)
			continue;
		*who = same(&f->end[CLIENT], &p->from) && same(&f->end[STUB], &p->to) ? CLIENT : STUB;
		if (*who == STUB && !(same(&f->end[STUB], &p->from) && same(&f->end[CLIENT], &p->to)))
			continue;
		if (f->state == FLOW_OPEN)
			return f;
		ended = f;
		ended_who = *who;
	}
	*who = ended_who;
	return ended;
}

/* Lower is better: free before ended before open, and among them the one that was silent for longest. */
static bool is_better(const struct flow *a, const struct flow *b)
{
	static const int rank[] = { [FLOW_FREE] = 0, [FLOW_ENDED] = 1, [FLOW_OPEN] = 2 };

	if (rank[a->state] != rank[b->state])
		return rank[a->state] < rank[b->state];
	return a->state != FLOW_FREE && a->touched < b->touched;
}

static void work_on(struct capture_flows *t, struct flow *f)
{
	for (size_t i = 0; i < t->work_n; i++)
		if (t->work[i] == f)
			return;
	if (t->work_n < WORK)
		t->work[t->work_n++] = f;
}

/* One place is always kept free for the next, so a flow that must go has time to tell its end. */
static void make_room(struct capture_flows *t, const struct flow *newest)
{
	struct flow *oldest = NULL;

	if (t->open_n < CAPTURE_FLOWS)
		return;
	for (size_t i = 0; i < CAPTURE_FLOWS; i++)
		if (&t->flows[i] != newest && (!oldest || t->flows[i].touched < oldest->touched))
			oldest = &t->flows[i];
	oldest->closing = oldest->forgotten = true;
	work_on(t, oldest);
}

static struct flow *place(struct capture_flows *t)
{
	struct flow *best = &t->flows[0];

	for (size_t i = 1; i < t->used; i++)
		if (is_better(&t->flows[i], best))
			best = &t->flows[i];
	return t->used < CAPTURE_FLOWS && (!t->used || best->state != FLOW_FREE) ? &t->flows[t->used++] : best;
}

static struct flow *make(struct capture_flows *t, const struct capture_end *client, const struct capture_end *stub, bool midway)
{
	struct flow *f = place(t);

	*f = (struct flow){ .state = FLOW_OPEN, .midway = midway, .number = ++t->seen, .end = { *client, *stub } };
	t->open_n++;
	work_on(t, f);
	make_room(t, f);
	return f;
}

/* Where neither side was seen to call: stubs have well-known ports, or at least the lower one. */
static bool is_stub(const struct capture_end *a, const struct capture_end *b)
{
	static const uint16_t ports[] = { RECORDING_PORT, 1234, 3333, 2345 };

	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
		if ((a->port == ports[i]) != (b->port == ports[i]))
			return a->port == ports[i];
	return a->port < b->port;
}

static struct flow *make_midway(struct capture_flows *t, const struct capture_packet *p, int *who)
{
	*who = is_stub(&p->from, &p->to) ? STUB : CLIENT;
	return *who == CLIENT ? make(t, &p->from, &p->to, true) : make(t, &p->to, &p->from, true);
}

static void start_half(struct half *h, uint32_t seq)
{
	*h = (struct half){ .known = true, .first = seq, .next = seq + 1 };
}

/* A caller that uses the same port again, and is not just repeating itself, begins a new conversation. */
static struct flow *on_syn(struct capture_flows *t, const struct capture_packet *p, struct flow *f, int who)
{
	if (f && f->state == FLOW_OPEN && who == CLIENT && f->half[CLIENT].known && f->half[CLIENT].first == p->seq && !f->midway)
		return f;
	if (f && f->state == FLOW_OPEN) {
		f->closing = f->forgotten = true;
		work_on(t, f);
	} else if (f) {
		f->state = FLOW_FREE;
	}
	f = make(t, &p->from, &p->to, false);
	start_half(&f->half[CLIENT], p->seq);
	return f;
}

static struct flow *on_syn_ack(struct capture_flows *t, const struct capture_packet *p, struct flow *f)
{
	if (!f || f->state == FLOW_ENDED) {
		f = make(t, &p->to, &p->from, false);
		start_half(&f->half[CLIENT], p->ack - 1);
	}
	if (!f->half[STUB].known)
		start_half(&f->half[STUB], p->seq);
	return f;
}

/* In its order; of two that begin alike, the longer one is first. */
static int hold(struct capture_flows *t, struct half *h, const struct capture_packet *p, double time)
{
	struct segment *s, *at;

	if (!h->known)
		*h = (struct half){ .known = true, .first = p->seq - 1, .next = p->seq, .acked = h->acked, .acked_known = h->acked_known };
	if (h->finished || ahead(p->seq + (uint32_t)p->bytes.len, h->next) < 0)
		return 0;
	s = malloc(sizeof *s + p->bytes.len);
	if (!s)
		return -ENOMEM;
	*s = (struct segment){ .seq = p->seq, .fin = p->flags & CAPTURE_FIN, .time = time, .len = p->bytes.len };
	if (s->len)
		memcpy(s->bytes, p->bytes.p, s->len);
	at = h->held;
	while (at && (ahead(at->seq, s->seq) < 0 || (at->seq == s->seq && at->len >= s->len)))
		at = at->next;
	if (at)
		DL_PREPEND_ELEM(h->held, at, s);
	else
		DL_APPEND(h->held, s);
	h->held_n++;
	t->held_bytes += s->len;
	return 0;
}

static void note_ack(struct half *h, uint32_t ack)
{
	if (h->acked_known && ahead(ack, h->acked) < 0)
		return;
	h->acked_known = true;
	h->acked = ack;
}

static struct flow *flow_of(struct capture_flows *t, const struct capture_packet *p, int *who)
{
	struct flow *f = find(t, p, who);
	int was = *who;

	if (p->flags & CAPTURE_SYN) {
		*who = p->flags & CAPTURE_ACK ? STUB : CLIENT;
		return *who == STUB ? on_syn_ack(t, p, f) : on_syn(t, p, f, was);
	}
	if (f)
		return f->state == FLOW_OPEN ? f : NULL;
	return p->bytes.len && !(p->flags & CAPTURE_RST) ? make_midway(t, p, who) : NULL;
}

int capture_flows_put(struct capture_flows *t, const struct capture_packet *p, double time)
{
	int who = CLIENT, rc = 0;
	struct flow *f = flow_of(t, p, &who);

	if (!f)
		return 0;
	f->time = time;
	f->touched = ++t->clock;
	work_on(t, f);
	if (p->flags & CAPTURE_ACK)
		note_ack(&f->half[!who], p->ack);
	if (p->flags & CAPTURE_RST)
		f->closing = true;
	else if (!(p->flags & CAPTURE_SYN) && (p->bytes.len || p->flags & CAPTURE_FIN))
		rc = hold(t, &f->half[who], p, time);
	return rc;
}

void capture_end_show(char out[CAPTURE_NAME], const struct capture_end *e)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(e->v6 ? AF_INET6 : AF_INET, e->addr, text, sizeof text);
	snprintf(out, CAPTURE_NAME, e->v6 ? "[%s]:%u" : "%s:%u", text, e->port);
}

static uint32_t addr_of(const struct capture_end *e)
{
	return e->v6 ? 0 : (uint32_t)e->addr[0] << 24 | (uint32_t)e->addr[1] << 16 | (uint32_t)e->addr[2] << 8 | e->addr[3];
}

static bool is_recorded(const struct flow *f, enum recording_side side)
{
	return f->end[STUB].port == RECORDING_PORT && addr_of(&f->end[STUB]) == RECORDING_NET(side) &&
	       (addr_of(&f->end[CLIENT]) & 0xffff0000) == RECORDING_NET(side);
}

static uint64_t id_of(const struct flow *f)
{
	unsigned port = f->end[CLIENT].port;

	return port < RECORDING_NEAR_PORT ? 0 : (uint64_t)(port - RECORDING_NEAR_PORT) << 16 | (addr_of(&f->end[CLIENT]) & 0xffff);
}

static void describe(const struct capture_flows *t, const struct flow *f, int who, struct capture_piece *piece)
{
	*piece = (struct capture_piece){
		.flow = (unsigned)(f - t->flows), .number = f->number, .from_client = who == CLIENT, .time = f->time,
		.of_client = is_recorded(f, RECORDING_CLIENT), .of_target = is_recorded(f, RECORDING_TARGET),
	};
	piece->id = piece->of_client || piece->of_target ? id_of(f) : 0;
	capture_end_show(piece->from, &f->end[who]);
	capture_end_show(piece->to, &f->end[!who]);
}

/* May bytes be given up that are missing before the first of these? */
static bool may_skip(const struct capture_flows *t, const struct flow *f, const struct half *h)
{
	return f->closing || t->finishing || h->held_n > CAPTURE_HELD || t->held_bytes > CAPTURE_HELD_BYTES ||
	       (h->acked_known && ahead(h->acked, h->held->seq) >= 0);
}

static bool is_due(const struct capture_flows *t, const struct flow *f, const struct half *h)
{
	return h->held && (ahead(h->held->seq, h->next) <= 0 || may_skip(t, f, h));
}

/* Where both sides have something, the older comes first. */
static int next_side(const struct capture_flows *t, const struct flow *f)
{
	bool client = is_due(t, f, &f->half[CLIENT]), stub = is_due(t, f, &f->half[STUB]);

	if (client && stub)
		return f->half[STUB].held->time < f->half[CLIENT].held->time ? STUB : CLIENT;
	return client ? CLIENT : stub ? STUB : -1;
}

/* The first of what is held: lent until the next call. true: there was something new in it. */
static bool give(struct capture_flows *t, struct flow *f, int who, struct capture_piece *piece)
{
	struct half *h = &f->half[who];
	struct segment *s = h->held;
	bool gap = ahead(s->seq, h->next) > 0;
	size_t old = gap ? 0 : h->next - s->seq;

	drop(t, h, s);
	free(t->last);
	t->last = s;
	if (old > s->len)
		return false;
	describe(t, f, who, piece);
	piece->time = s->time;
	piece->gap = gap;
	piece->bytes = span_from((struct span){ s->bytes, s->len }, old);
	h->next = s->seq + (uint32_t)s->len;
	h->finished = s->fin;
	if (h->finished)
		for (; h->held; free(s))
			drop(t, h, s = h->held);
	return piece->bytes.len;
}

static void end_flow(struct capture_flows *t, struct flow *f, struct capture_piece *piece)
{
	describe(t, f, CLIENT, piece);
	piece->ends = true;
	drop_all(t, f);
	f->state = f->forgotten ? FLOW_FREE : FLOW_ENDED;
	f->closing = false;
	t->open_n--;
}

static bool begin_flow(struct capture_flows *t, struct flow *f, struct capture_piece *piece)
{
	if (f->begun)
		return false;
	f->begun = true;
	describe(t, f, CLIENT, piece);
	piece->begins = true;
	piece->midway = f->midway;
	return true;
}

static bool take_of(struct capture_flows *t, struct flow *f, struct capture_piece *piece)
{
	int who;

	if (f->state != FLOW_OPEN)
		return false;
	if (begin_flow(t, f, piece))
		return true;
	while ((who = next_side(t, f)) >= 0)
		if (give(t, f, who, piece))
			return true;
	if (!f->closing && !(f->half[CLIENT].finished && f->half[STUB].finished))
		return false;
	end_flow(t, f, piece);
	return true;
}

static void work_done(struct capture_flows *t)
{
	t->work_n--;
	for (size_t i = 0; i < t->work_n; i++)
		t->work[i] = t->work[i + 1];
}

bool capture_flows_take(struct capture_flows *t, struct capture_piece *piece)
{
	for (;;) {
		while (t->work_n) {
			if (take_of(t, t->work[0], piece))
				return true;
			work_done(t);
		}
		if (!t->finishing || t->finishing > t->used)
			return false;
		work_on(t, &t->flows[t->finishing++ - 1]);
	}
}

void capture_flows_finish(struct capture_flows *t)
{
	if (!t->finishing)
		t->finishing = 1;
}
