/* backend_kd_known.c - what is known of a KD target until it runs: registers of its processors, memory. */
#include "backends/backend_kd_parts.h"

#include <string.h>

/* ---- registers ---- */

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

void backend_kd_keep(struct backend_kd *b)
{
	static const struct {
		enum kd_api api;
		void (*keep)(struct backend_kd *b, struct kd_regs *r);
	} keeps[] = { { KD_GET_CONTEXT, keep_context }, { KD_READ_CONTROL_SPACE, keep_special }, { KD_READ_MSR, keep_msr } };

	for (size_t i = 0; i < sizeof keeps / sizeof *keeps && backend_kd_good(b); i++)
		if (keeps[i].api == b->req.asked.api && b->req.asked.cpu.index < BACKEND_KD_CPUS)
			keeps[i].keep(b, &b->cpus[b->req.asked.cpu.index].regs);
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
	struct kd_cpu at = backend_kd_cpu(b, cpu);
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

static int put_msr(struct backend_kd *b, struct kd_regs *r, struct kd_cpu at)
{
	struct kd_request q;

	for (unsigned i = 0; i < KD_MSRS; i++)
		if (r->msr_dirty & (1U << i)) {
			r->msr_dirty &= ~(1U << i);
			q = kd_write_msr(at, kd_layout(at.machine)->msr[i], r->msr[i]);
			return backend_kd_ask(b, &q);
		}
	r->dirty = 0;
	return 1;
}

/* One source at a time; a refused one counts as clean, or it would be tried for ever. */
int backend_kd_put_back(struct backend_kd *b, unsigned cpu)
{
	const struct kd_layout *l = kd_layout(b->version.machine);
	struct kd_cpu at = backend_kd_cpu(b, cpu);
	struct kd_regs *r = &b->cpus[cpu].regs;
	unsigned due = r->dirty & KD_NEEDS_CONTEXT ? KD_NEEDS_CONTEXT : r->dirty & KD_NEEDS_SPECIAL;
	struct kd_request q;

	if (backend_kd_answer(b) && !backend_kd_good(b))
		return -EIO;
	if (!due)
		return put_msr(b, r, at);
	r->dirty &= ~due;
	q = due == KD_NEEDS_CONTEXT ? kd_set_context(at, l->context_flags, (struct span){ r->context, r->context_n }) :
	                              kd_write_control(at, l->special, (struct span){ r->special, r->special_n });
	return backend_kd_ask(b, &q);
}

/* ---- memory ---- */

int backend_kd_fetch_some(struct backend_kd *b, uint64_t addr, size_t n, bool physical)
{
	size_t *most = &b->offer.info.read_max, size;
	struct kd_fetch *f = &b->fetch;
	struct kd_request r;

	if (kd_fetch_begin(f, addr, n, physical))
		backend_kd_drop_answer(b);
	if (backend_kd_answer(b))
		kd_fetch_take(f, b->req.reply.data, backend_kd_good(b), (size_t)b->req.asked.count, most);
	if (kd_fetch_over(f) || (b->task.cut && b->state == BACKEND_KD_BUSY))
		return 1;
	size = kd_fetch_size(f, *most);
	r = physical ? kd_read_physical(backend_kd_here(b), kd_fetch_at(f), size, KD_CACHING_DEFAULT) :
	               kd_read_virtual(backend_kd_here(b), kd_fetch_at(f), size);
	return backend_kd_ask(b, &r);
}

int backend_kd_fetch(struct backend_kd *b, uint64_t addr, size_t n, struct span *bytes)
{
	int rc = backend_kd_fetch_some(b, addr, n, false);

	*bytes = buf_span(&b->fetch.bytes);
	return rc <= 0 ? rc : bytes->len == n ? 1 : -EFAULT;
}

void backend_kd_forget(struct backend_kd *b)
{
	for (unsigned i = 0; i < b->processors; i++) {
		struct backend_kd_cpu *c = &b->cpus[i];

		c->tried = 0;
		c->regs.context_n = c->regs.special_n = 0;
		c->regs.msr_known = c->regs.msr_dirty = c->regs.dirty = 0;
	}
	kd_fetch_forget(&b->fetch);
}
