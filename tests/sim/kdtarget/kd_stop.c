/* kd_stop.c - state changes, and the machine standing still until the host lets it go (KD 2 and 7). */
#include "tests/sim/kdtarget/target.h"

#include <string.h>

enum { STREAM = 16, REPORT = 192, EXTRA_BYTES = 4 };

/* --- the report */

/* Unused bytes of a report are memory that had other uses. */
static void put_stale(uint8_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(i % 8 > 5 ? 0xff : i * 37 + 11);
}

static void put_exception(struct target *k, const struct stop *s, uint8_t *to)
{
	put(to + 32, 4, s->code);
	put(to + 36, 4, 0);
	put(to + 40, 8, 0);
	put(to + 48, 8, addr_out(k, s->address));
	put(to + 56, 4, s->params);
	for (unsigned i = 0; i < s->params; i++)
		put(to + 64 + 8 * i, 8, addr_out(k, s->info[i]));
	put(to + 184, 4, s->first_chance);
}

static void put_symbols(struct target *k, const struct stop *s, uint8_t *to)
{
	put(to + 32, 4, s->extra_n);
	put(to + 40, 8, addr_out(k, s->base));
	put(to + 48, 8, addr_out(k, s->process));
	put(to + 56, 4, s->checksum);
	put(to + 60, 4, s->size);
	to[64] = s->unload;
}

static void put_report(struct target *k, const struct kd_cpu *c, const struct guest_regs *r, uint8_t *to)
{
	uint8_t stream[STREAM];
	size_t n = memory_read(k, r->rip, stream, sizeof stream), w = wide(k) ? 8 : 4, at = wide(k) ? 212 : 200;

	memset(to + REPORT, 0, KD_STATE - REPORT);
	put(to + REPORT, w, c->dr6);
	put(to + REPORT + w, w, c->dr7);
	put(to + (wide(k) ? 208 : 228), 4, r->eflags);
	put(to + at, 2, n);
	put(to + at + 2, 2, 3);
	memcpy(to + at + 4, stream, n);
	for (size_t i = 0; i < 4; i++)
		put(to + at + 20 + 2 * i, 2, c->seg[i]);
}

static void put_common(struct target *k, const struct stop *s, const struct guest_regs *r, uint8_t *to)
{
	put(to, 4, s->state | (is(k, QUIRK_ALTERNATE) ? 0x10000u : 0));
	put(to + 4, 2, wide(k) ? 15 : 6);
	put(to + 6, 2, s->cpu);
	put(to + 8, 4, k->setup.processors);
	put(to + 16, 8, addr_out(k, context_thread(k, s->cpu)));
	put(to + 24, 8, addr_out(k, r->rip));
}

static size_t put_state(struct target *k, const struct stop *s, uint8_t *to)
{
	struct guest_regs r = { 0 };

	if (guest_regs(k->guest, s->cpu, &r) < 0)
		note(k, "processor %u has no registers", s->cpu);
	break_remove_near(k, r.rip, STREAM); /* before the stream of bytes is read */
	put_stale(to, KD_STATE + EXTRA_BYTES);
	put_common(k, s, &r, to);
	if (s->state == KD_EXCEPTION)
		put_exception(k, s, to);
	else if (s->state == KD_LOAD_SYMBOLS)
		put_symbols(k, s, to);
	put_report(k, &k->cpu[s->cpu], &r, to);
	memcpy(to + KD_STATE, s->extra, s->extra_n);
	return KD_STATE + (s->state == KD_EXCEPTION && is(k, QUIRK_EXTRA_BYTES) ? EXTRA_BYTES : s->extra_n);
}

/* --- standing still */

static enum outcome serve(struct target *k, enum line *got)
{
	enum outcome o = OUTCOME_NONE;

	while (o == OUTCOME_NONE) {
		*got = line_receive(k, KD_MANIPULATE);
		if (*got == LINE_AGAIN || *got == LINE_OVER)
			return OUTCOME_NONE;
		if (*got == LINE_OK)
			o = request_serve(k, &k->in);
	}
	return o;
}

/* One report of one processor, sent again whenever the host asks for it. */
static enum outcome report(struct target *k, const struct stop *s)
{
	static uint8_t state[KD_STATE + EXTRA_BYTES + sizeof s->extra];
	size_t n = put_state(k, s, state);
	enum outcome o = OUTCOME_NONE;
	enum line got;

	k->serving = s->cpu;
	k->context_given = false;
	do {
		got = line_send(k, KD_STATE_CHANGE, state, n);
		if (got == LINE_GONE)
			return OUTCOME_HANDLED;
		if (got == LINE_OK)
			o = serve(k, &got);
	} while (o == OUTCOME_NONE && got != LINE_OVER);
	return o == OUTCOME_NONE ? OUTCOME_OVER : o;
}

static void wake(struct target *k, struct stop *s)
{
	struct guest_regs r = { 0 };

	if (guest_regs(k->guest, k->switch_to, &r) < 0)
		note(k, "processor %u has no registers", k->switch_to);
	*s = (struct stop){ .state = KD_EXCEPTION, .cpu = k->switch_to, .code = KD_WAKE, .first_chance = 1, .address = r.rip };
}

static bool is_continue(enum outcome o)
{
	return o == OUTCOME_HANDLED || o == OUTCOME_NOT_HANDLED;
}

/* The processor that stopped has the word again when one that was switched to is continued (KD 7.3). */
enum outcome stop_tell(struct target *k, const struct stop *s)
{
	struct stop now = *s;
	enum outcome o;

	k->owner = s->cpu;
	k->stopped = true;
	for (;;) {
		o = report(k, &now);
		if (o == OUTCOME_SWITCH && k->switch_to == k->owner)
			now = *s;
		else if (o == OUTCOME_SWITCH && k->switch_to < k->setup.processors)
			wake(k, &now);
		else if (is_continue(o) && now.cpu != k->owner && !is(k, QUIRK_SWITCH_RUNS))
			now = *s;
		else if (o != OUTCOME_SWITCH)
			break;
	}
	k->stopped = false;
	return o;
}

/* --- exceptions */

static bool hit_by_address(const struct kd_cpu *c, uint64_t dr6)
{
	for (unsigned i = 0; i < 4; i++)
		if (dr6 >> i & 1 && !(c->dr7 >> (16 + 4 * i) & 3))
			return true;
	return false;
}

/* Registers as a kernel finds them: the trap is undone where it left PC behind an int3; a step leaves TF, an address that is executed no RF. */
static void settle(struct target *k, const struct guest_event *e, struct guest_regs *r)
{
	struct kd_cpu *c = &k->cpu[e->cpu];

	if (e->code == KD_BREAKPOINT && !is(k, QUIRK_PC_AFTER))
		r->rip--;
	if (e->code != KD_SINGLE_STEP)
		return;
	c->dr6 = (is(k, QUIRK_STICKY_DR6) ? c->dr6 & 15 : 0) | 0xffff0ff0 | (r->dr[6] & 0x600f);
	if (c->stepping)
		r->eflags |= KD_TF;
	if (c->stepping && !(r->dr[6] & 15))
		c->dr6 |= 0x4000;
	if (hit_by_address(c, r->dr[6]))
		r->eflags &= ~(uint64_t)KD_RF;
	k->stepped = c->stepping;
}

static struct stop stop_of(struct target *k, const struct guest_event *e, const struct guest_regs *r)
{
	struct stop s = { .state = KD_EXCEPTION, .cpu = e->cpu, .code = e->code, .first_chance = 1, .address = r->rip, .params = e->params };

	memcpy(s.info, e->info, sizeof s.info);
	if (e->code == KD_BREAKPOINT)
		s.params = 1; /* information 0: a breakpoint, no service */
	if (e->code == KD_BREAKPOINT && is(k, QUIRK_PC_AFTER))
		s.address = r->rip - 1;
	if (e->code == KD_BREAKPOINT && is(k, QUIRK_ADDRESS_AFTER) && wide(k))
		s.address = r->rip + 1;
	return s;
}

static int go_to(struct target *k, unsigned cpu, uint64_t pc)
{
	struct guest_regs r;

	if (guest_regs(k->guest, cpu, &r) < 0)
		return -1;
	r.rip = pc;
	return guest_set_regs(k->guest, cpu, &r);
}

/* The kernel's own handler, where it says that it has one. */
static bool caught(struct target *k, const struct stop *s)
{
	uint64_t at = guest_symbol(k->guest, "KiExceptionHandler"), handler = at ? memory_pointer(k, at) : 0;

	if (!handler || addr_out(k, handler) == UINT64_MAX || s->code == KD_BREAKPOINT || s->code == KD_SINGLE_STEP)
		return false;
	return go_to(k, s->cpu, handler) == 0;
}

static void put_call_i386(struct target *k, struct guest_regs *r, const struct stop *s)
{
	uint8_t frame[12] = { 0 };

	put(frame + 4, 4, s->code);
	put(frame + 8, 4, s->address);
	r->rsp = (r->rsp & ~UINT64_C(15)) - sizeof frame;
	if (guest_write(k->guest, r->rsp, frame, sizeof frame) != sizeof frame)
		note(k, "no stack to crash on");
}

static void put_call_amd64(struct target *k, struct guest_regs *r, const struct stop *s)
{
	uint8_t nowhere[8] = { 0 };

	r->rcx = s->code;
	r->rdx = s->address;
	r->rsp = (r->rsp & ~UINT64_C(15)) - 0x28;
	if (guest_write(k->guest, r->rsp, nowhere, sizeof nowhere) != sizeof nowhere)
		note(k, "no stack to crash on");
}

static void crash(struct target *k, const struct stop *s)
{
	struct guest_regs r;
	uint64_t to = guest_symbol(k->guest, "KiUnhandledException");

	if (!to || guest_regs(k->guest, s->cpu, &r) < 0) {
		k->reboot = true;
		return;
	}
	(wide(k) ? put_call_amd64 : put_call_i386)(k, &r, s);
	r.rip = to;
	r.eflags &= ~(uint64_t)KD_TF;
	k->reboot |= guest_set_regs(k->guest, s->cpu, &r) < 0;
}

void stop_end(struct target *k, enum outcome o)
{
	if (o == OUTCOME_CRASH) { /* it writes its dump, and hears nothing (KD 3.2) */
		say("writing a dump");
		wait_quietly(k, 1000);
	}
	k->reboot |= o == OUTCOME_REBOOT || o == OUTCOME_CRASH;
}

static void mark_steps(struct target *k)
{
	for (unsigned n = 0; n < k->setup.processors; n++) {
		struct guest_regs r = { 0 };

		k->cpu[n].stepping = guest_regs(k->guest, n, &r) == 0 && r.eflags & KD_TF;
	}
}

/* The debugger, the kernel's own handler, the debugger once more, the end. */
static enum outcome judge(struct target *k, struct stop *s)
{
	enum outcome o = stop_tell(k, s);

	if (o != OUTCOME_NOT_HANDLED || caught(k, s))
		return o;
	s->first_chance = 0;
	o = stop_tell(k, s);
	if (o == OUTCOME_NOT_HANDLED)
		crash(k, s);
	return o;
}

void stop_exception(struct target *k, const struct guest_event *e)
{
	struct guest_regs r = { 0 };
	struct stop s;

	if (guest_regs(k->guest, e->cpu, &r) < 0)
		note(k, "processor %u has no registers", e->cpu);
	settle(k, e, &r);
	if (guest_set_regs(k->guest, e->cpu, &r) < 0)
		note(k, "processor %u does not take its registers", e->cpu);
	s = stop_of(k, e, &r);
	stop_end(k, judge(k, &s));
	if (!over(k))
		mark_steps(k);
}

void stop_in_place(struct target *k, unsigned cpu)
{
	struct guest_event e = { .what = GUEST_EXCEPTION, .cpu = cpu, .code = KD_BREAKPOINT };
	struct guest_regs r = { 0 };
	struct stop s;

	if (guest_regs(k->guest, cpu, &r) < 0)
		note(k, "processor %u has no registers", cpu);
	s = stop_of(k, &e, &r);
	stop_end(k, judge(k, &s));
	if (!over(k))
		mark_steps(k);
}
