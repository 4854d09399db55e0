/* backend_kd_run.c - a KD target is let run: past what would stop it where it stands, with the breakpoints that are wanted. */
#include "backends/backend_kd_parts.h"

#include <string.h>

static uint64_t pc_now(const struct backend_kd *b)
{
	const struct kd_regs *r = &b->cpus[b->st.processor].regs;

	return r->context_n ? kd_regs_pc(r) : b->st.pc;
}

bool backend_kd_may_be_trap(const struct backend_kd *b)
{
	const struct kd_report *r = &b->st.report;

	if (!kd_state_is(&b->st, KD_BREAKPOINT) || pc_now(b) != b->st.pc)
		return false;
	return !r->have || r->stream_n < kd_trap_size(b->version.machine) || kd_is_trap(b->version.machine, r->stream);
}

/* Its byte is read again, for a wrong "not there" costs another stop and a wrong "there" the kernel (KD 2.2; the table is clean by now).
 * 1: it stands at a trap of its own; 0; -errno: it does not. */
static int find_trap(struct backend_kd *b)
{
	enum kd_machine m = b->version.machine;
	uint8_t bytes[KD_TRAP_MAX];
	struct span got;
	int rc = backend_kd_may_be_trap(b) ? backend_kd_fetch(b, b->st.pc, kd_trap_size(m), &got) : -ENOENT;

	if (rc <= 0)
		return rc;
	memcpy(bytes, got.p, got.len);
	kd_sites_mask(&b->breaks.sites, m, b->st.pc, bytes, got.len);
	return kd_is_trap(m, bytes) ? 1 : -ENOENT;
}

/* A hard-coded int3 is stepped over by whoever debugs: the target would stop there for ever. */
static int pass_trap(struct backend_kd *b)
{
	int rc = find_trap(b);

	if (rc <= 0)
		return rc < 0 ? 1 : 0;
	rc = backend_kd_need(b, b->st.processor, KD_NEEDS_CONTEXT);
	if (rc <= 0)
		return rc;
	if (kd_regs_set_pc(backend_kd_regs(b), b->st.pc + kd_trap_size(b->version.machine)) < 0)
		return 1;
	b->run.aside = b->state == BACKEND_KD_LOOK;
	b->run.over = !b->run.aside && b->run.action.verb == 's' && b->run.stepping == b->st.processor;
	b->st.exception.code = KD_SINGLE_STEP; /* it stands behind it: not to be done twice */
	return 1;
}

/* A debug register's hit stays in DR6 until somebody takes it out; a breakpoint of execution stops again at the same instruction. */
static int pass_hit(struct backend_kd *b)
{
	struct kd_regs *r = backend_kd_regs(b);
	int rc = b->run.hit ? backend_kd_need(b, b->st.processor, KD_NEEDS_SPECIAL | KD_NEEDS_CONTEXT) : 1;

	if (rc > 0 && b->run.hit) {
		kd_hw_forget(r);
		if (pc_now(b) == b->st.pc && b->stop.told.why == RSP_WHY_HWBREAK)
			(void)!kd_regs_set_resume(r, true);
		b->run.hit = false;
	}
	return rc;
}

/* A trap flag that a step left goes with Continue2, but for an exception that is not handled, and on targets that keep it (W 5.2). */
static int pass_flag(struct backend_kd *b)
{
	bool stays = b->run.leaked || !kd_status_ok(b->run.status);
	int rc = stays && b->st.report.eflags & KD_EFLAGS_TF ? backend_kd_need(b, b->st.processor, KD_NEEDS_CONTEXT) : 1;

	if (rc > 0 && stays && kd_regs_trap(backend_kd_regs(b)))
		(void)!kd_regs_set_trap(backend_kd_regs(b), false);
	if (rc > 0)
		b->run.leaked = false;
	backend_kd_drop_answer(b);
	return rc;
}

static int put_registers(struct backend_kd *b)
{
	return backend_kd_put_back(b, b->st.processor);
}

static uint64_t dr7_now(struct backend_kd *b)
{
	uint64_t value;

	return kd_role_get(backend_kd_regs(b), KD_ROLE_DR7, &value) == 0 ? value : b->st.report.dr7;
}

/* Another processor than the one that stopped steps (KD 7.3): it is switched to, and let go with the trap flag, which gives the word back
 * to the first one; when that runs, both do. Each of their reports deletes breakpoints near its PC. */
static int switch_to(struct backend_kd *b)
{
	struct kd_request r = kd_switch_processor(backend_kd_cpu(b, b->run.stepping));

	if (b->run.action.verb != 's' || b->run.over || b->run.stepping == b->st.processor)
		return 1;
	if (backend_kd_answer(b))
		return -EIO; /* another one answered */
	b->run.owner = b->st.processor;
	return backend_kd_ask_report(b, &r);
}

static int give_back(struct backend_kd *b)
{
	struct kd_request r = kd_continue2(backend_kd_here(b), b->run.status, true, b->st.report.dr7);

	if (b->st.processor == b->run.owner)
		return 1;
	if (backend_kd_answer(b))
		return -EIO; /* it does not give the word back */
	backend_kd_sites_reported(b);
	return backend_kd_ask_report(b, &r);
}

static int go(struct backend_kd *b)
{
	bool traces = b->run.action.verb == 's' && b->run.stepping == b->st.processor && !b->run.aside;
	struct kd_request r = kd_continue2(backend_kd_here(b), b->run.status, traces, dr7_now(b));
	int rc;

	if (b->run.over || backend_kd_answer(b))
		return 1;
	b->run.pc = pc_now(b);
	rc = backend_kd_ask(b, &r);
	b->req.going = rc == 0;
	return rc;
}

/* 1: it runs, or has stepped over a trap; 0; -errno: it does not. */
static int resume(struct backend_kd *b)
{
	static int (*const stages[])(struct backend_kd *b) = {
		backend_kd_sweep, pass_trap, pass_hit, pass_flag, put_registers, switch_to, give_back, backend_kd_flush, go,
	};

	return backend_kd_stages(b, stages, sizeof stages / sizeof *stages);
}

static int runs(struct backend_kd *b, enum backend_event ev)
{
	b->req.going = b->run.aside = false;
	b->run.since = b->now;
	b->deadline = b->break_in.wanted ? b->now : NEVER;
	backend_kd_forget(b);
	if (!b->stop.early)
		return backend_kd_done(b, BACKEND_KD_RUN, ev);
	b->stop.early = false;
	backend_kd_begin(b, BACKEND_KD_LOOK, backend_kd_task_look);
	return (int)ev;
}

static bool is_step(const struct rsp_action *a)
{
	return a->verb == 's' || a->verb == 'S';
}

/* One action counts: the step of one processor, or else what is said of all, or of the one that stopped. */
static int choose(struct backend_kd *b)
{
	const struct rsp_action *all = NULL, *one = NULL;

	for (size_t i = 0; i < b->task.cmd.actions_n; i++) {
		const struct rsp_action *a = &b->task.cmd.actions[i];
		bool named = a->has_thread && rsp_thread_names_one(a->thread);

		if (named && (a->thread.tid < 1 || a->thread.tid > b->processors))
			return -EINVAL;
		if (!named)
			all = all ? all : a;
		else if (!one || is_step(a))
			one = a;
	}
	b->run.action = one ? *one : all ? *all : (struct rsp_action){ .verb = 'c' };
	b->run.stepping = one ? (unsigned)(one->thread.tid - 1) : b->stop.front;
	b->run.alone = one && !all && is_step(one);
	if (is_step(&b->run.action) && b->run.stepping != b->st.processor && b->version.machine == KD_ARM64)
		return -EOPNOTSUPP; /* a frozen one never takes the step there */
	return 0;
}

/* What the kernel is to deal with. But for the debugger's own. */
static uint32_t status_left_to_it(const struct kd_state *st)
{
	return st->kind != KD_EXCEPTION || kd_state_is_debuggers(st) ? KD_DBG_CONTINUE : KD_DBG_NOT_HANDLED;
}

/* The client's signal is the exception's. */
static uint32_t status_of(const struct backend_kd *b)
{
	bool signals = (b->run.action.verb == 'C' || b->run.action.verb == 'S') && b->run.action.sig;

	return signals && b->stop.front == b->st.processor ? status_left_to_it(&b->st) : KD_DBG_CONTINUE;
}

static bool was_offered(const struct rsp_cmd *cmd)
{
	for (size_t i = 0; i < cmd->actions_n; i++)
		if (!strchr("cCsS", cmd->actions[i].verb))
			return false;
	return !cmd->has_addr;
}

static int start(struct backend_kd *b)
{
	int rc = was_offered(&b->task.cmd) ? choose(b) : -ENOSYS;

	if (rc < 0)
		return rc;
	b->run.status = status_of(b);
	b->run.action.verb = is_step(&b->run.action) ? 's' : 'c';
	b->run.owner = b->st.processor;
	b->run.over = false;
	b->run.noise = 0;
	b->run.started = true;
	return 0;
}

int backend_kd_task_resume(struct backend_kd *b, struct backend_news *news)
{
	int rc = b->run.started ? 0 : start(b);

	if (rc == -ENOSYS)
		return backend_kd_say_error(b, news, 1, "it goes on from where it stands, by c, C, s or S");
	if (rc == -EINVAL)
		return backend_kd_say_error(b, news, 1, "there is no such processor");
	if (rc < 0)
		return backend_kd_say_error(b, news, 1, "on this machine only the processor that stopped can be stepped");
	rc = resume(b);
	if (rc == 0)
		return 0;
	b->run.started = false;
	if (rc < 0)
		return backend_kd_say_error(b, news, 1, "the target refused what must be done before it runs");
	if (!b->run.over)
		return runs(b, BACKEND_RUNS);
	b->run.over = false;
	b->st.pc += kd_trap_size(b->version.machine);
	b->st.report.stream_n = 0;
	backend_kd_begin(b, BACKEND_KD_LOOK, backend_kd_task_over);
	return (int)BACKEND_RUNS;
}

static int task_run_on(struct backend_kd *b, struct backend_news *news)
{
	int rc = resume(b);

	(void)news;
	if (rc < 0)
		return backend_kd_fails(b, "it stopped where nobody wanted it to, and cannot be made to go on");
	return rc ? runs(b, BACKEND_MOVED) : 0;
}

static int task_calm(struct backend_kd *b, struct backend_news *news)
{
	(void)news;
	if (backend_kd_storms(b))
		return 0;
	backend_kd_begin(b, BACKEND_KD_LOOK, task_run_on);
	return (int)BACKEND_MOVED;
}

int backend_kd_run_on(struct backend_kd *b)
{
	b->run.status = b->run.alone ? status_left_to_it(&b->st) : KD_DBG_CONTINUE;
	b->run.over = false;
	b->run.owner = b->st.processor;
	backend_kd_begin(b, BACKEND_KD_LOOK, task_calm);
	return (int)BACKEND_MOVED;
}

int backend_kd_task_leave(struct backend_kd *b, struct backend_news *news)
{
	int rc;

	(void)news;
	if (!b->run.started) {
		b->run.started = true;
		b->run.action = (struct rsp_action){ .verb = 'c' };
		b->run.status = status_left_to_it(&b->st);
		b->run.owner = b->st.processor;
		b->run.over = false;
		backend_kd_breaks_unwant(&b->breaks);
	}
	rc = resume(b);
	if (rc < 0)
		return backend_kd_fails(b, "it does not take what must be done before it is left");
	return rc ? backend_kd_done(b, BACKEND_KD_GONE, BACKEND_MOVED) : 0;
}

/* A byte that comes while the kernel prints, or just stops, is not seen. */
int backend_kd_breaks_in(struct backend_kd *b, uint64_t now)
{
	unsigned tries;

	if (now < b->deadline)
		return 0;
	if (!b->break_in.wanted)
		return backend_kd_looks_in(b, now);
	tries = kd_break_in_try(&b->break_in, now);
	b->deadline = now + BACKEND_KD_BREAK_MS;
	if (backend_kd_is_net(b) && b->restarted && tries % 2 == 0) {
		kd_wire_reset(&b->line.wire); /* it may stand, and what it said of that was lost */
	} else {
		b->break_in.sent = true;
		kd_wire_break_in(&b->line.wire);
	}
	if (kd_break_in_hopeless(&b->break_in, now))
		backend_kd_print(b, "kdgate: the target does not answer the break-in (its interrupts are off, it writes a dump, or it hangs); "
		                    "kdgate goes on trying\n");
	return 1;
}
