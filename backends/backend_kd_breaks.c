/* backend_kd_breaks.c - breakpoints in a KD target: what clients want is put in, and what nobody wants is taken out.
 *
 * The target is told of the difference when it is to run. A new one goes in at once, for the client to hear if it cannot. */
#include "backends/backend_kd_parts.h"

enum { REFUSED = 1 };

static enum kd_machine machine(const struct backend_kd *b)
{
	return b->version.machine;
}

/* ---- what is asked of the target ---- */

static int plant(struct backend_kd *b, const struct kd_site *site)
{
	struct kd_request r = kd_write_breakpoint(backend_kd_here(b), site->addr);

	return backend_kd_ask(b, &r);
}

static int restore(struct backend_kd *b, struct kd_site *site)
{
	struct kd_request r = kd_restore_breakpoint(backend_kd_here(b), site->handle);

	site->handle = 0; /* refused: the report deleted it before */
	return backend_kd_ask(b, &r);
}

int backend_kd_lift(struct backend_kd *b, uint64_t addr, size_t n)
{
	struct kd_site *site = kd_sites_within(&b->breaks.sites, machine(b), addr, n);

	return site ? restore(b, site) : 1;
}

/* A free entry answers with an error, which is as good. What was read before may show what goes. */
int backend_kd_sweep(struct backend_kd *b)
{
	uint32_t handle = kd_sites_sweep(&b->breaks.sites);
	struct kd_request r = kd_restore_breakpoint(backend_kd_here(b), handle);

	if (!handle)
		return 1;
	kd_fetch_forget(&b->fetch);
	return backend_kd_ask(b, &r);
}

/* ---- a new one ---- */

/* Said aloud too: gdb says nothing of a breakpoint in a library that it could not set. */
static int refuse_site(struct backend_kd *b, struct backend_news *news, int rc)
{
	static const struct backend_kd_words lines[] = {
		{ -ENOSPC, "the target has room for 32 breakpoints, and they are in use; use hbreak" },
		{ -EIO, "the target refused the breakpoint (its table of 32 is full, or another debugger's is there)" },
		{ -EFAULT, "there is no memory at that address (paged out, or not mapped)" },
	};
	const char *words = backend_kd_words(lines, sizeof lines / sizeof *lines, rc);

	backend_kd_print(b, "kdgate: no breakpoint is set at 0x%llx: %s\n", (unsigned long long)b->task.cmd.addr, words);
	return backend_kd_say_error(b, news, REFUSED, words);
}

/* The target's table is full of what nobody wants any more: one of those goes. */
static int make_room(struct backend_kd *b)
{
	struct kd_site *idle = kd_sites_idle(&b->breaks.sites);
	int rc;

	if (!idle)
		return 1;
	rc = idle->handle ? restore(b, idle) : 1;
	kd_sites_drop(&b->breaks.sites, idle);
	return rc;
}

/* Before it is there: some targets show their breakpoints in reads. */
static int save_under(struct backend_kd *b)
{
	struct span under;
	int rc = backend_kd_fetch(b, b->task.cmd.addr, kd_trap_size(machine(b)), &under);

	if (rc <= 0)
		return rc;
	if (kd_sites_all_wanted(&b->breaks.sites) || !kd_sites_add(&b->breaks.sites, b->task.cmd.addr, under))
		return -ENOSPC;
	return 1;
}

static int plant_new(struct backend_kd *b)
{
	struct kd_site *site = kd_sites_at(&b->breaks.sites, b->task.cmd.addr);

	if (!backend_kd_answer(b))
		return plant(b, site);
	site->handle = backend_kd_good(b) ? b->req.reply.handle : 0;
	return 1;
}

static int accept_new(struct backend_kd *b)
{
	struct kd_site *site = kd_sites_at(&b->breaks.sites, b->task.cmd.addr);

	if (!site->handle) {
		*site = (struct kd_site){ 0 };
		return -EIO;
	}
	site->wanted = true;
	kd_fetch_forget(&b->fetch);
	return 1;
}

static int new_site(struct backend_kd *b, struct backend_news *news)
{
	static int (*const stages[])(struct backend_kd *b) = {
		backend_kd_sweep, make_room, save_under, plant_new, backend_kd_sweep, accept_new, /* once more: an answer that got lost */
	};
	int rc = backend_kd_stages(b, stages, sizeof stages / sizeof *stages);

	if (rc == 0)
		return 0;
	return rc < 0 ? refuse_site(b, news, rc) : backend_kd_say_ok(b, news);
}

/* ---- what clients ask ---- */

static struct kd_hw hw_of(const struct rsp_cmd *cmd)
{
	static const enum kd_hw_type types[] = { [1] = KD_HW_EXECUTE, [2] = KD_HW_WRITE, [3] = KD_HW_ACCESS, [4] = KD_HW_ACCESS };

	return (struct kd_hw){ types[cmd->num[0]], cmd->addr, cmd->num[0] == 1 ? 1 : (unsigned)cmd->len };
}

static int set_hardware(struct backend_kd *b, struct backend_news *news)
{
	struct kd_hw hw = hw_of(&b->task.cmd);
	unsigned kind = (unsigned)b->task.cmd.num[0];

	if (kd_slots_find(&b->breaks.slots, kind, &hw))
		return backend_kd_say_ok(b, news);
	if (b->task.cmd.len > 8 || kd_hw_check(machine(b), &hw) < 0)
		return backend_kd_say_error(b, news, REFUSED, "a hardware breakpoint holds 1, 2, 4 or 8 bytes, at an address that is a multiple of that");
	if (!kd_slots_want(&b->breaks.slots, machine(b), kind, &hw))
		return backend_kd_say_error(b, news, REFUSED, "the processor's debug registers are all in use");
	return backend_kd_say_ok(b, news);
}

int backend_kd_task_set(struct backend_kd *b, struct backend_news *news)
{
	struct kd_site *site = kd_sites_at(&b->breaks.sites, b->task.cmd.addr);

	if (b->task.cmd.num[0])
		return set_hardware(b, news);
	if (kd_hw_check(machine(b), &(struct kd_hw){ KD_HW_EXECUTE, b->task.cmd.addr, 1 }) < 0)
		return backend_kd_say_error(b, news, REFUSED, "an instruction begins at a multiple of 4");
	if (!site || b->task.step)
		return new_site(b, news);
	if (!site->wanted && kd_sites_all_wanted(&b->breaks.sites))
		return refuse_site(b, news, -ENOSPC);
	site->wanted = true;
	return backend_kd_say_ok(b, news);
}

static void unwant(struct backend_kd *b)
{
	struct kd_hw hw = b->task.cmd.num[0] ? hw_of(&b->task.cmd) : (struct kd_hw){ 0 };
	struct kd_slot *slot = b->task.cmd.num[0] ? kd_slots_find(&b->breaks.slots, (unsigned)b->task.cmd.num[0], &hw) : NULL;
	struct kd_site *site = b->task.cmd.num[0] ? NULL : kd_sites_at(&b->breaks.sites, b->task.cmd.addr);

	if (site)
		site->wanted = false;
	if (slot)
		slot->wanted = false;
}

int backend_kd_task_clear(struct backend_kd *b, struct backend_news *news)
{
	unwant(b);
	return backend_kd_say_ok(b, news);
}

/* ---- what becomes of all ---- */

void backend_kd_breaks_unwant(struct backend_kd_breaks *k)
{
	kd_sites_unwant(&k->sites);
	kd_slots_unwant(&k->slots);
}

void backend_kd_breaks_void(struct backend_kd_breaks *k)
{
	kd_sites_void(&k->sites);
	k->slots = (struct kd_slots){ 0 };
}

void backend_kd_breaks_doubt(struct backend_kd_breaks *k)
{
	kd_sites_doubt(&k->sites);
	kd_slots_doubt(&k->slots);
}

void backend_kd_sites_reported(struct backend_kd *b)
{
	unsigned n = b->st.report.have && b->st.report.stream_n ? b->st.report.stream_n : KD_STREAM_MAX;

	kd_sites_reported(&b->breaks.sites, b->st.pc, n);
}

/* ---- the flush ---- */

/* One that may be there still although the target would not take it out (W 7). */
static int look_under(struct backend_kd *b, struct kd_site *site)
{
	struct kd_request r = kd_write_virtual(backend_kd_here(b), site->addr, (struct span){ site->saved, kd_trap_size(machine(b)) });
	struct span got;
	int rc = backend_kd_fetch(b, site->addr, kd_trap_size(machine(b)), &got);

	if (rc <= 0 || !kd_is_trap(machine(b), got.p) || kd_is_trap(machine(b), site->saved))
		return rc ? 1 : 0;
	guard_note(&b->guard, GUARD_REPLY, "it would not take out the breakpoint at 0x%llx: its byte is put back", (unsigned long long)site->addr);
	site->out = KD_OUT_WRITTEN;
	return backend_kd_ask(b, &r);
}

/* 1: it is out, or nothing more can be done. */
static int take_out(struct backend_kd *b, struct kd_site *site)
{
	enum kd_site_out was = site->out;

	if (was == KD_OUT_NOT) {
		site->out = KD_OUT_ASKED;
		return restore(b, site);
	}
	if (was == KD_OUT_WRITTEN || (was == KD_OUT_ASKED && backend_kd_answer(b) && backend_kd_good(b)))
		return 1;
	if (was == KD_OUT_ASKED)
		kd_fetch_forget(&b->fetch);
	site->out = KD_OUT_LOOK;
	return look_under(b, site);
}

static int take_all_out(struct backend_kd *b)
{
	for (struct kd_site *site = b->breaks.sites.site; site < b->breaks.sites.site + KD_SITES; site++) {
		int rc = site->used && !site->wanted && (site->handle || site->out) ? take_out(b, site) : 1;

		if (rc <= 0)
			return rc;
		if (site->used && !site->wanted)
			kd_sites_drop(&b->breaks.sites, site);
	}
	return 1;
}

static void planted(struct backend_kd *b, struct kd_site *site)
{
	site->handle = backend_kd_good(b) ? b->req.reply.handle : 0;
	site->out = KD_OUT_NOT;
	if (site->handle)
		return;
	backend_kd_print(b, "kdgate: the breakpoint at 0x%llx could not be put back: the target refused it\n", (unsigned long long)site->addr);
	kd_sites_drop(&b->breaks.sites, site);
}

static int put_all_in(struct backend_kd *b)
{
	struct backend_kd_flush *f = &b->breaks.flush;

	for (; f->site < KD_SITES; f->site++) {
		struct kd_site *site = &b->breaks.sites.site[f->site];

		if (!site->used || site->handle)
			continue;
		f->planting = !f->planting;
		if (f->planting)
			return plant(b, site);
		planted(b, site);
	}
	return 1;
}

/* Once a processor. */
static void edit(struct backend_kd *b, unsigned cpu)
{
	unsigned failed;

	if (b->breaks.flush.edited != cpu)
		return;
	b->breaks.flush.edited++;
	backend_kd_drop_answer(b);
	failed = kd_slots_edit(&b->breaks.slots, &b->cpus[cpu].regs);
	for (unsigned i = 0; i < failed; i++)
		backend_kd_print(b, "kdgate: a hardware breakpoint could not be set in a processor's debug registers\n");
}

/* 1: that processor has them, or does not take them; 0. */
static int flush_processor(struct backend_kd *b, unsigned cpu)
{
	int rc = backend_kd_need(b, cpu, KD_NEEDS_SPECIAL);

	if (rc <= 0)
		return rc;
	edit(b, cpu);
	rc = backend_kd_put_back(b, cpu);
	if (rc == 0)
		return 0;
	if (rc < 0 || !b->cpus[cpu].regs.special_n)
		backend_kd_print(b, "kdgate: processor %u did not take the hardware breakpoints\n", cpu);
	return 1;
}

static int flush_hardware(struct backend_kd *b)
{
	struct backend_kd_flush *f = &b->breaks.flush;

	if (!kd_slots_differ(&b->breaks.slots))
		return 1;
	for (; f->cpu < b->processors; f->cpu++) {
		int rc = flush_processor(b, f->cpu);

		if (rc <= 0)
			return rc;
	}
	kd_slots_settle(&b->breaks.slots);
	return 1;
}

int backend_kd_flush(struct backend_kd *b)
{
	int rc = take_all_out(b);

	rc = rc > 0 ? put_all_in(b) : rc;
	return rc > 0 ? flush_hardware(b) : rc;
}
