/* backend_kd_breaks.c - breakpoints in a KD target: what clients want, and what is there.
 *
 * A debugger takes its breakpoints out at each stop and puts them in again; the target is told of the difference when it is to run. A new
 * one goes in at once, for the client to hear if it cannot. At each report the target deletes those in the 16 bytes from its PC (KD 2.5). */
#include "backends/backend_kd_parts.h"

#include <string.h>

enum { REFUSED = 1 };

unsigned backend_kd_trap_size(const struct backend_kd *b)
{
	return b->version.machine == KD_ARM64 ? 4 : 1;
}

bool backend_kd_is_trap(const struct backend_kd *b, const uint8_t *bytes)
{
	static const uint8_t brk[] = { 0x00, 0x00, 0x3e, 0xd4 };

	return b->version.machine == KD_ARM64 ? memcmp(bytes, brk, sizeof brk) == 0 : *bytes == 0xcc;
}

struct backend_kd_site *backend_kd_site_at(struct backend_kd *b, uint64_t addr)
{
	for (size_t i = 0; i < BACKEND_KD_SITES; i++)
		if (b->sites[i].used && b->sites[i].addr == addr)
			return &b->sites[i];
	return NULL;
}

static struct backend_kd_site *free_site(struct backend_kd *b)
{
	for (size_t i = 0; i < BACKEND_KD_SITES; i++)
		if (!b->sites[i].used)
			return &b->sites[i];
	return NULL;
}

static unsigned wanted_sites(const struct backend_kd *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < BACKEND_KD_SITES; i++)
		n += b->sites[i].used && b->sites[i].wanted;
	return n;
}

bool backend_kd_was_removed(const struct backend_kd *b, uint64_t pc)
{
	for (unsigned i = 0; i < b->removed_n && i < sizeof b->removed / sizeof *b->removed; i++)
		if (b->removed[i] == pc)
			return true;
	return false;
}

static void drop_site(struct backend_kd *b, struct backend_kd_site *s)
{
	b->removed[b->removed_n++ % (sizeof b->removed / sizeof *b->removed)] = s->addr;
	*s = (struct backend_kd_site){ 0 };
}

void backend_kd_mask(const struct backend_kd *b, uint64_t addr, uint8_t *bytes, size_t n)
{
	unsigned size = backend_kd_trap_size(b);

	for (size_t i = 0; i < BACKEND_KD_SITES; i++) {
		const struct backend_kd_site *s = &b->sites[i];

		for (unsigned k = 0; s->used && s->handle && k < size; k++)
			if (s->addr + k - addr < n)
				bytes[s->addr + k - addr] = s->saved[k];
	}
}

static bool overlaps(const struct backend_kd *b, const struct backend_kd_site *s, uint64_t addr, size_t n)
{
	return s->used && s->handle && n && (s->addr - addr < n || addr - s->addr < backend_kd_trap_size(b));
}

static int restore(struct backend_kd *b, struct backend_kd_site *s)
{
	struct kd_request r = kd_restore_breakpoint(backend_kd_here(b), s->handle);

	s->handle = 0; /* refused: the report deleted it before */
	return backend_kd_ask(b, &r);
}

int backend_kd_lift(struct backend_kd *b, uint64_t addr, size_t n)
{
	for (size_t i = 0; i < BACKEND_KD_SITES; i++)
		if (overlaps(b, &b->sites[i], addr, n))
			return restore(b, &b->sites[i]);
	return 1;
}

void backend_kd_written(struct backend_kd *b, uint64_t addr, struct span bytes)
{
	for (size_t i = 0; i < BACKEND_KD_SITES; i++) {
		struct backend_kd_site *s = &b->sites[i];

		for (unsigned k = 0; s->used && k < backend_kd_trap_size(b); k++)
			if (s->addr + k - addr < bytes.len)
				s->saved[k] = bytes.p[s->addr + k - addr];
	}
}

/* A free entry answers with an error, which is as good. */
int backend_kd_clean(struct backend_kd *b)
{
	struct kd_request r;

	if (b->table_clean)
		return 1;
	if (b->cleaned == KD_BREAKPOINTS) {
		b->table_clean = true;
		b->answered = false;
		return 1;
	}
	r = kd_restore_breakpoint(backend_kd_here(b), ++b->cleaned);
	return backend_kd_ask(b, &r);
}

static int plant(struct backend_kd *b, const struct backend_kd_site *s)
{
	struct kd_request r = kd_write_breakpoint(backend_kd_here(b), s->addr);

	return backend_kd_ask(b, &r);
}

/* Its table is full of what nobody wants any more: one of those goes. */
static int make_room(struct backend_kd *b)
{
	struct backend_kd_site *idle = NULL;
	unsigned planted = 0;
	int rc;

	for (size_t i = 0; i < BACKEND_KD_SITES; i++) {
		planted += b->sites[i].used && b->sites[i].handle;
		if (b->sites[i].used && !b->sites[i].wanted)
			idle = &b->sites[i];
	}
	if (!idle || (planted < KD_BREAKPOINTS && free_site(b)))
		return 1;
	rc = idle->handle ? restore(b, idle) : 1;
	drop_site(b, idle);
	return rc;
}

/* Said aloud too: gdb says nothing of a breakpoint in a library that it could not set. */
static int refuse_site(struct backend_kd *b, struct backend_news *news, struct backend_kd_site *s, const char *words)
{
	backend_kd_print(b, "kdgate: no breakpoint is set at 0x%llx: %s\n", (unsigned long long)b->cmd.addr, words);
	if (s)
		*s = (struct backend_kd_site){ 0 };
	return backend_kd_say_error(b, news, REFUSED, words);
}

/* The saved bytes first: some targets show their breakpoints in reads. */
static int new_site(struct backend_kd *b, struct backend_news *news)
{
	struct backend_kd_site *s;
	struct span under;
	int rc = backend_kd_clean(b);

	if (rc > 0 && !b->at) {
		rc = make_room(b);
		b->at = rc > 0;
		b->answered = false;
	}
	if (rc > 0 && !b->step)
		rc = backend_kd_fetch(b, b->cmd.addr, backend_kd_trap_size(b), &under);
	if (rc == 0)
		return 0;
	if (rc < 0)
		return refuse_site(b, news, NULL, "there is no memory at that address (paged out, or not mapped)");
	s = backend_kd_site_at(b, b->cmd.addr);
	if (!b->step++) {
		s = free_site(b);
		if (!s || wanted_sites(b) == KD_BREAKPOINTS)
			return refuse_site(b, news, NULL, "the target has room for 32 breakpoints, and they are in use; use hbreak");
		*s = (struct backend_kd_site){ .used = true, .addr = b->cmd.addr };
		memcpy(s->saved, under.p, under.len);
		return plant(b, s);
	}
	if (!backend_kd_answer(b) || !kd_status_ok(b->reply.status) || !s)
		return refuse_site(b, news, s, "the target refused the breakpoint (its table of 32 is full, or another debugger's is there)");
	s->handle = b->reply.handle;
	s->wanted = true;
	backend_kd_forget_memory(b);
	return backend_kd_say_ok(b, news);
}

static struct backend_kd_slot *slot_of(struct backend_kd *b, unsigned type, uint64_t addr, unsigned len)
{
	for (size_t i = 0; i < BACKEND_KD_HW; i++) {
		struct backend_kd_slot *s = &b->slots[i];

		if (s->wanted && s->type == type && s->hw.addr == addr && s->hw.len == len)
			return s;
	}
	return NULL;
}

static bool same_hw(const struct kd_hw *a, const struct kd_hw *b)
{
	return a->addr == b->addr && a->len == b->len && a->type == b->type;
}

static struct kd_hw hw_of(const struct rsp_cmd *cmd)
{
	static const enum kd_hw_type types[] = { [1] = KD_HW_EXECUTE, [2] = KD_HW_WRITE, [3] = KD_HW_ACCESS, [4] = KD_HW_ACCESS };

	return (struct kd_hw){ types[cmd->num[0]], cmd->addr, cmd->num[0] == 1 ? 1 : (unsigned)cmd->len };
}

/* One that was there before, first: then nothing need be written. */
static struct backend_kd_slot *free_slot(struct backend_kd *b, const struct kd_hw *hw)
{
	struct backend_kd_slot *found = NULL;

	for (unsigned i = 0; i < kd_hw_slots(b->version.machine) && i < BACKEND_KD_HW; i++) {
		struct backend_kd_slot *s = &b->slots[i];
		bool same = s->live && same_hw(&s->was, hw);

		if (!s->wanted && kd_hw_fits(b->version.machine, i, hw->type) && (!found || same))
			found = s;
	}
	return found;
}

static int set_hardware(struct backend_kd *b, struct backend_news *news)
{
	struct kd_hw hw = hw_of(&b->cmd);
	struct backend_kd_slot *s = slot_of(b, (unsigned)b->cmd.num[0], hw.addr, hw.len);

	if (s)
		return backend_kd_say_ok(b, news);
	if (b->cmd.len > 8 || kd_hw_check(b->version.machine, &hw) < 0)
		return backend_kd_say_error(b, news, REFUSED, "a hardware breakpoint holds 1, 2, 4 or 8 bytes, at an address that is a multiple of that");
	s = free_slot(b, &hw);
	if (!s)
		return backend_kd_say_error(b, news, REFUSED, "the processor's debug registers are all in use");
	s->hw = hw;
	s->type = (unsigned)b->cmd.num[0];
	s->wanted = true;
	return backend_kd_say_ok(b, news);
}

int backend_kd_task_set(struct backend_kd *b, struct backend_news *news)
{
	struct backend_kd_site *s = backend_kd_site_at(b, b->cmd.addr);

	if (b->cmd.num[0])
		return set_hardware(b, news);
	if (!s || b->step)
		return new_site(b, news);
	if (!s->wanted && wanted_sites(b) == KD_BREAKPOINTS)
		return refuse_site(b, news, NULL, "the target has room for 32 breakpoints, and they are in use; use hbreak");
	s->wanted = true;
	return backend_kd_say_ok(b, news);
}

int backend_kd_task_clear(struct backend_kd *b, struct backend_news *news)
{
	struct kd_hw hw = b->cmd.num[0] ? hw_of(&b->cmd) : (struct kd_hw){ 0 };
	struct backend_kd_slot *slot = slot_of(b, (unsigned)b->cmd.num[0], hw.addr, hw.len);
	struct backend_kd_site *s = b->cmd.num[0] ? NULL : backend_kd_site_at(b, b->cmd.addr);

	if (s)
		s->wanted = false;
	if (slot && b->cmd.num[0])
		slot->wanted = false;
	return backend_kd_say_ok(b, news);
}

void backend_kd_unwant_all(struct backend_kd *b)
{
	for (size_t i = 0; i < BACKEND_KD_SITES; i++)
		b->sites[i].wanted = false;
	for (size_t i = 0; i < BACKEND_KD_HW; i++)
		b->slots[i].wanted = false;
}

void backend_kd_sites_void(struct backend_kd *b)
{
	memset(b->sites, 0, sizeof b->sites);
	memset(b->slots, 0, sizeof b->slots);
	b->removed_n = 0;
	b->table_clean = true;
}

void backend_kd_sites_doubt(struct backend_kd *b)
{
	for (size_t i = 0; i < BACKEND_KD_SITES; i++)
		b->sites[i].handle = 0;
	for (size_t i = 0; i < BACKEND_KD_HW; i++)
		b->slots[i].live = b->slots[i].live && !b->slots[i].wanted;
	b->table_clean = false;
	b->cleaned = 0;
}

void backend_kd_sites_reported(struct backend_kd *b)
{
	unsigned n = b->st.report.have && b->st.report.stream_n ? b->st.report.stream_n : KD_STREAM_MAX;

	for (size_t i = 0; i < BACKEND_KD_SITES; i++)
		if (b->sites[i].used && b->sites[i].addr - b->st.pc < n)
			b->sites[i].handle = 0;
}

enum { OUT_NOT, OUT_ASKED, OUT_LOOK, OUT_WRITTEN };

/* One that may be there still although the target would not take it out (W 7). */
static int look_under(struct backend_kd *b, struct backend_kd_site *s)
{
	struct kd_request r = kd_write_virtual(backend_kd_here(b), s->addr, (struct span){ s->saved, backend_kd_trap_size(b) });
	struct span got;
	int rc = backend_kd_fetch(b, s->addr, backend_kd_trap_size(b), &got);

	if (rc <= 0 || !backend_kd_is_trap(b, got.p) || backend_kd_is_trap(b, s->saved))
		return rc ? 1 : 0;
	guard_note(&b->guard, GUARD_REPLY, "it would not take out the breakpoint at 0x%llx: its byte is put back", (unsigned long long)s->addr);
	s->out = OUT_WRITTEN;
	return backend_kd_ask(b, &r);
}

/* 1: it is out, or nothing more can be done. */
static int take_out(struct backend_kd *b, struct backend_kd_site *s)
{
	unsigned was = s->out;

	if (was == OUT_NOT) {
		s->out = OUT_ASKED;
		return restore(b, s);
	}
	if (was == OUT_WRITTEN || (was == OUT_ASKED && backend_kd_answer(b) && kd_status_ok(b->reply.status)))
		return 1;
	if (was == OUT_ASKED)
		backend_kd_forget_memory(b);
	s->out = OUT_LOOK;
	return look_under(b, s);
}

/* 1: none is left to do; 0; -EIO: one could not be put in. */
static int flush_sites(struct backend_kd *b)
{
	int rc;

	for (size_t i = 0; i < BACKEND_KD_SITES; i++) {
		struct backend_kd_site *s = &b->sites[i];

		if (s->used && !s->wanted && (s->handle || s->out) && (rc = take_out(b, s)) <= 0)
			return rc;
		if (s->used && !s->wanted)
			drop_site(b, s);
	}
	for (size_t i = b->at; i < BACKEND_KD_SITES; i++) {
		struct backend_kd_site *s = &b->sites[i];

		b->at = i;
		if (!s->used || s->handle)
			continue;
		if (b->planting != s) {
			b->planting = s;
			return plant(b, s);
		}
		b->planting = NULL;
		s->handle = kd_status_ok(b->reply.status) ? b->reply.handle : 0;
		s->out = OUT_NOT;
		if (!s->handle) {
			backend_kd_print(b, "kdgate: the breakpoint at 0x%llx could not be put back: the target refused it\n", (unsigned long long)s->addr);
			drop_site(b, s);
		}
	}
	return 1;
}

static bool slot_differs(const struct backend_kd_slot *s)
{
	return s->wanted != s->live || (s->wanted && !same_hw(&s->hw, &s->was));
}

static bool hardware_differs(const struct backend_kd *b)
{
	for (size_t i = 0; i < BACKEND_KD_HW; i++)
		if (slot_differs(&b->slots[i]))
			return true;
	return false;
}

static void edit_slots(struct backend_kd *b, struct kd_regs *r)
{
	for (unsigned i = 0; i < BACKEND_KD_HW; i++) {
		int rc = 0;

		if (slot_differs(&b->slots[i]))
			rc = b->slots[i].wanted ? kd_hw_set(r, i, &b->slots[i].hw) : kd_hw_clear(r, i);
		if (rc < 0)
			backend_kd_print(b, "kdgate: a hardware breakpoint could not be set in a processor's debug registers\n");
	}
}

/* Every processor has debug registers of its own. */
static int flush_hardware(struct backend_kd *b)
{
	if (!hardware_differs(b))
		return 1;
	for (; b->hw_cpu < b->processors; b->hw_cpu++) {
		struct kd_regs *r = &b->cpus[b->hw_cpu].regs;
		int rc = backend_kd_need(b, b->hw_cpu, KD_NEEDS_SPECIAL);

		if (rc <= 0)
			return rc;
		if (b->hw_edited == b->hw_cpu) {
			b->hw_edited++;
			b->answered = false;
			edit_slots(b, r);
		}
		rc = backend_kd_put_back(b, b->hw_cpu);
		if (rc == 0)
			return 0;
		if (rc < 0 || !r->special_n)
			backend_kd_print(b, "kdgate: processor %u did not take the hardware breakpoints\n", b->hw_cpu);
	}
	for (size_t i = 0; i < BACKEND_KD_HW; i++) {
		b->slots[i].was = b->slots[i].hw;
		b->slots[i].live = b->slots[i].wanted;
	}
	return 1;
}

int backend_kd_flush(struct backend_kd *b)
{
	int rc = flush_sites(b);

	return rc <= 0 ? rc : flush_hardware(b);
}
