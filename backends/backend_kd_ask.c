/* backend_kd_ask.c - requests to a KD target, and what is known from their answers until it runs. */
#include "backends/backend_kd_parts.h"

#include <string.h>

int backend_kd_ask(struct backend_kd *b, const struct kd_request *r)
{
	buf_reset(&b->req.payload, 0);
	if (kd_request_put(&b->req.payload, r) < 0)
		return -EINVAL;
	b->req.asked = *r;
	b->req.asked.data = (struct span){ 0 };
	b->req.unsent = true;
	b->req.answered = b->req.by_report = b->req.going = false;
	b->req.asks = 0;
	return 0;
}

int backend_kd_ask_report(struct backend_kd *b, const struct kd_request *r)
{
	int rc = backend_kd_ask(b, r);

	b->req.by_report = rc == 0;
	return rc;
}

bool backend_kd_answer(struct backend_kd *b)
{
	bool was = b->req.answered;

	b->req.answered = false;
	return was;
}

void backend_kd_settle(struct backend_kd *b, struct kd_reply reply)
{
	b->req.asking = b->req.unreplied = false;
	b->req.answered = true;
	b->req.reply = reply;
}

/* A resume that a RESET had to follow was not heard: a target that runs hears no RESET either. */
void backend_kd_void_request(struct backend_kd *b)
{
	bool again;

	if (!b->req.asking)
		return;
	again = kd_api_info(b->req.asked.api)->idempotent || (b->req.going && !b->restarted);
	if (again && ++b->req.asks < BACKEND_KD_ASKS) {
		b->req.asking = false;
		b->req.unsent = true;
		return;
	}
	backend_kd_settle(b, (struct kd_reply){ .status = KD_UNSUCCESSFUL });
	if (b->req.asked.api == KD_WRITE_BREAKPOINT)
		backend_kd_breaks_doubt(b); /* it may be in, with a handle that nobody knows */
}

/* Of a target that was just met nobody knows which id it expects: it drops one first request in two, and a RESET mends that. */
static unsigned patience(const struct backend_kd *b)
{
	bool may_be_dropped = b->state == BACKEND_KD_LEARN && b->req.asks + 1 < BACKEND_KD_ASKS;

	if (b->req.going)
		return backend_kd_is_net(b) ? BACKEND_KD_GO_NET_MS : BACKEND_KD_GO_MS;
	return may_be_dropped ? BACKEND_KD_KNOCK_MS : BACKEND_KD_ANSWER_MS;
}

static bool send_request(struct backend_kd *b, uint64_t now)
{
	const struct kd_api_info *api = kd_api_info(b->req.asked.api);

	if (!b->req.unsent || kd_wire_send(&b->line.wire, KD_TYPE_MANIPULATE, buf_span(&b->req.payload), (struct span){ 0 }) < 0)
		return false;
	b->req.unsent = false;
	b->req.asking = true;
	b->req.unreplied = !api->has_reply && !b->req.by_report;
	b->req.answer_by = now + patience(b);
	return true;
}

static bool send_promise(struct backend_kd *b)
{
	if (!b->said.promise.len || backend_kd_storms(b) || kd_wire_send(&b->line.wire, b->said.promise_type, buf_span(&b->said.promise), (struct span){ 0 }) < 0)
		return false;
	buf_reset(&b->said.promise, 0);
	return true;
}

static int flush_out(struct backend_kd *b, uint64_t now)
{
	size_t before = b->line.out.len;
	int rc = before ? link_send(b->line.link, &b->line.out, now) : 0;

	if (rc < 0 && rc != -EAGAIN)
		return rc;
	if (rc == 0)
		buf_reset(&b->line.out, 0);
	return b->line.out.len < before;
}

int backend_kd_push_each(struct backend_kd *b, uint64_t now)
{
	int moved = 0, rc = flush_out(b, now);

	while (rc >= 0 && !b->line.out.len && kd_wire_next(&b->line.wire, &b->line.out, now) == 1) {
		moved = 1;
		rc = flush_out(b, now);
	}
	return rc < 0 ? rc : moved | rc;
}

int backend_kd_send(struct backend_kd *b, uint64_t now)
{
	int moved = 0, rc;

	if (backend_kd_is_net(b))
		return backend_kd_push_each(b, now);
	if (b->line.out.off)
		buf_pack(&b->line.out);
	while ((rc = kd_wire_next(&b->line.wire, &b->line.out, now)) == 1)
		moved = 1;
	rc = flush_out(b, now);
	return rc < 0 ? rc : moved | rc;
}

/* What the target waits for goes before what we want of it. */
int backend_kd_push(struct backend_kd *b, uint64_t now)
{
	bool moved = kd_wire_idle(&b->line.wire) && (send_promise(b) || send_request(b, now));
	int rc = backend_kd_send(b, now);

	return rc < 0 ? rc : moved | rc;
}

/* A machine that runs acknowledges nothing, and hears no RESET: it has been let run, and that was lost. If it stands all the same, a
 * break-in makes it say so. */
static bool goes_surely(struct backend_kd *b)
{
	if (!b->req.going || !b->req.asks)
		return false;
	backend_kd_settle(b, (struct kd_reply){ .status = KD_SUCCESS });
	return true;
}

/* The request may have been dropped without a word: then its stream of ids is not ours, and a RESET mends that. */
int backend_kd_late(struct backend_kd *b, uint64_t now)
{
	if (!b->req.asking || now < b->req.answer_by)
		return 0;
	if (kd_wire_rests(&b->line.wire)) {
		b->req.answer_by = now + patience(b);
		return 0;
	}
	if (goes_surely(b))
		return 0;
	if (++b->req.asks >= BACKEND_KD_ASKS) {
		b->why = "it does not answer any more, though it takes what is sent (the machine hangs, or another debugger has the line?)";
		return -ETIMEDOUT;
	}
	guard_note(&b->guard, GUARD_REPLY, "no answer to %s", kd_api_info(b->req.asked.api)->name);
	kd_wire_reset(&b->line.wire);
	b->req.answer_by = now + patience(b);
	return 0;
}

static void keep_context(struct backend_kd *b, struct kd_regs *r)
{
	size_t whole = kd_layout(b->version.machine)->context_n;

	if (b->req.reply.data.len < whole)
		guard_note(&b->guard, GUARD_REPLY, "%zu bytes of registers where %zu are due", b->req.reply.data.len, whole);
	r->context_n = b->req.reply.data.len < whole ? b->req.reply.data.len : whole;
	memcpy(r->context, b->req.reply.data.p, r->context_n);
}

static void keep_special(struct backend_kd *b, struct kd_regs *r)
{
	r->special_n = b->req.reply.data.len < sizeof r->special ? b->req.reply.data.len : sizeof r->special;
	memcpy(r->special, b->req.reply.data.p, r->special_n);
}

static void keep_msr(struct backend_kd *b, struct kd_regs *r)
{
	const struct kd_layout *l = kd_layout(b->version.machine);

	for (unsigned i = 0; i < KD_MSRS; i++)
		if (l->msr[i] == b->req.asked.addr && l->msr[i]) {
			r->msr[i] = b->req.reply.value;
			r->msr_known |= 1U << i;
		}
}

static void keep(struct backend_kd *b)
{
	static const struct {
		enum kd_api api;
		void (*keep)(struct backend_kd *b, struct kd_regs *r);
	} keeps[] = { { KD_GET_CONTEXT, keep_context }, { KD_READ_CONTROL_SPACE, keep_special }, { KD_READ_MSR, keep_msr } };

	for (size_t i = 0; i < sizeof keeps / sizeof *keeps && backend_kd_good(b); i++)
		if (keeps[i].api == b->req.asked.api && b->req.asked.cpu.index < BACKEND_KD_CPUS)
			keeps[i].keep(b, &b->cpus[b->req.asked.cpu.index].regs);
}

/* What comes after that nobody asked for is an answer that came twice, or late. */
int backend_kd_hear_reply(struct backend_kd *b, struct span payload)
{
	struct kd_reply reply;
	int rc = b->req.asking ? kd_reply_parse(payload, &b->req.asked, &reply) : -EBADMSG;

	if (rc == -EBADMSG) {
		guard_note(&b->guard, GUARD_UNASKED, "an answer that nobody waits for");
		return BACKEND_MOVED;
	}
	if (rc < 0) {
		guard_note(&b->guard, GUARD_REPLY, "an answer to %s whose lengths cannot be", kd_api_info(b->req.asked.api)->name);
		reply = (struct kd_reply){ .status = KD_UNSUCCESSFUL };
	}
	buf_reset(&b->req.data, 0);
	if (buf_put_span(&b->req.data, reply.version.len ? reply.version : reply.data) < 0)
		reply.data.len = 0;
	reply.data = reply.version = buf_span(&b->req.data);
	backend_kd_settle(b, reply);
	kd_wire_answered(&b->line.wire);
	keep(b);
	return BACKEND_MOVED;
}

static int ask_msr(struct backend_kd *b, struct backend_kd_cpu *c, struct kd_cpu cpu)
{
	enum { TRIED = 8 }; /* from that bit on: an MSR each */
	const struct kd_layout *l = kd_layout(b->version.machine);
	struct kd_request r;

	for (unsigned i = 0; i < KD_MSRS; i++) {
		if (!l->msr[i] || c->tried & (1U << (TRIED + i)))
			continue;
		c->tried |= 1U << (TRIED + i);
		r = kd_read_msr(cpu, l->msr[i]);
		return backend_kd_ask(b, &r);
	}
	return 1;
}

/* A source that cannot be read is asked for once in a stop; its registers are unavailable then. */
int backend_kd_need(struct backend_kd *b, unsigned cpu, unsigned sources)
{
	const struct kd_layout *l = kd_layout(b->version.machine);
	struct kd_cpu at = { b->version.machine, (uint16_t)cpu };
	struct backend_kd_cpu *c = &b->cpus[cpu];
	unsigned due = sources & ~c->tried & (KD_NEEDS_CONTEXT | KD_NEEDS_SPECIAL);
	struct kd_request r;

	if (!due && sources & KD_NEEDS_MSR)
		return ask_msr(b, c, at);
	if (!due)
		return 1;
	c->regs.machine = b->version.machine;
	due &= ~due + 1; /* one of them */
	c->tried |= due;
	r = due == KD_NEEDS_CONTEXT ? kd_get_context(at, l->context_flags) : kd_read_control(at, l->special, l->special_n);
	return backend_kd_ask(b, &r);
}

/* One source at a time; a refused one counts as clean, or it would be tried for ever. */
int backend_kd_put_back(struct backend_kd *b, unsigned cpu)
{
	const struct kd_layout *l = kd_layout(b->version.machine);
	struct kd_cpu at = { b->version.machine, (uint16_t)cpu };
	struct kd_regs *r = &b->cpus[cpu].regs;
	struct kd_request q;

	if (backend_kd_answer(b) && !backend_kd_good(b))
		return -EIO;
	if (r->dirty & KD_NEEDS_CONTEXT) {
		r->dirty &= ~(unsigned)KD_NEEDS_CONTEXT;
		q = kd_set_context(at, l->context_flags, (struct span){ r->context, r->context_n });
		return backend_kd_ask(b, &q);
	}
	if (r->dirty & KD_NEEDS_SPECIAL) {
		r->dirty &= ~(unsigned)KD_NEEDS_SPECIAL;
		q = kd_write_control(at, l->special, (struct span){ r->special, r->special_n });
		return backend_kd_ask(b, &q);
	}
	for (unsigned i = 0; i < KD_MSRS; i++)
		if (r->msr_dirty & (1U << i)) {
			r->msr_dirty &= ~(1U << i);
			q = kd_write_msr(at, l->msr[i], r->msr[i]);
			return backend_kd_ask(b, &q);
		}
	r->dirty = 0;
	return 1;
}

/* Sizes: a packet's worth where all of it is there; else page by page, so that a hole is what fails and nothing around it. */
static size_t next_size(const struct backend_kd *b)
{
	enum { PAGE = 4096 };
	const struct backend_kd_fetch *f = &b->fetch;
	size_t left = f->want - f->have, page = PAGE - (size_t)((f->addr + f->have) % PAGE);

	if (left > b->offer.info.read_max)
		left = b->offer.info.read_max;
	return f->narrow && left > page ? page : left;
}

static void take_fetched(struct backend_kd *b)
{
	enum { LEAST = 512, PAGE = 4096 };
	struct backend_kd_fetch *f = &b->fetch;
	struct span got = b->req.reply.data;

	if (got.len > f->want - f->have)
		got.len = f->want - f->have;
	if (buf_put_span(&f->bytes, got) < 0)
		f->ended = true;
	f->have = f->bytes.len;
	if (backend_kd_good(b) && got.len) {
		if (got.len < b->req.asked.count && got.len >= LEAST && got.len < b->offer.info.read_max)
			b->offer.info.read_max = got.len; /* what the target's packets hold; a hole is refused, not cut short */
		return;
	}
	if (f->narrow || b->req.asked.addr % PAGE + b->req.asked.count <= PAGE)
		f->ended = true;
	f->narrow = true;
}

int backend_kd_fetch_some(struct backend_kd *b, uint64_t addr, size_t n, bool physical)
{
	struct backend_kd_fetch *f = &b->fetch;
	struct kd_request r;

	if (f->addr != addr || f->want != n || f->physical != physical || !n) {
		buf_reset(&f->bytes, 0);
		*f = (struct backend_kd_fetch){ .addr = addr, .want = n, .physical = physical, .bytes = f->bytes };
		b->req.answered = false;
	}
	if (backend_kd_answer(b))
		take_fetched(b);
	if (f->ended || f->have == f->want || (b->task.cut && b->state == BACKEND_KD_BUSY))
		return 1;
	r = physical ? kd_read_physical(backend_kd_here(b), addr + f->have, next_size(b), KD_CACHING_DEFAULT) :
	               kd_read_virtual(backend_kd_here(b), addr + f->have, next_size(b));
	return backend_kd_ask(b, &r);
}

int backend_kd_fetch(struct backend_kd *b, uint64_t addr, size_t n, struct span *bytes)
{
	int rc = backend_kd_fetch_some(b, addr, n, false);

	*bytes = buf_span(&b->fetch.bytes);
	return rc <= 0 ? rc : b->fetch.have == n ? 1 : -EFAULT;
}

void backend_kd_forget_memory(struct backend_kd *b)
{
	b->fetch.want = b->fetch.have = 0;
}

void backend_kd_forget(struct backend_kd *b)
{
	for (unsigned i = 0; i < b->processors; i++) {
		struct backend_kd_cpu *c = &b->cpus[i];

		c->tried = 0;
		c->regs.context_n = c->regs.special_n = 0;
		c->regs.msr_known = c->regs.msr_dirty = c->regs.dirty = 0;
	}
	backend_kd_forget_memory(b);
}
