/* target_lift.c - a resume from where somebody else's breakpoint is set. See target.h.
 *
 * A debugger takes its own breakpoints out before it goes on from one of them, and puts them back a step later. Of another
 * client's it knows nothing, and a stub that does not look stops there again at once, for ever. So it is done for it: read
 * the pc, take that one out, step, put it back, and only then the resume. Nobody else is served meanwhile. */
#include "proxy/target_parts.h"

#include "rsp/tdesc.h"

enum { LIFT_STEP_MS = 2000 };

/* Might there be one at all? Most targets have one client with breakpoints. */
static bool strangers(const struct target *t, unsigned slot)
{
	return breaks_count(&t->breaks) > breaks_of(&t->breaks, slot);
}

static const struct tdesc_reg *pc_of(const struct target *t)
{
	const struct tdesc *d = t->be->ops->info(t->be)->tdesc;

	return d && t->stop.has_thread ? tdesc_pc(d) : NULL;
}

static bool at_pc(const struct target *t, uint64_t pc, struct breakpoint *bp)
{
	for (size_t i = 0; i < t->breaks.count; i++) {
		*bp = t->breaks.at[i].bp;
		if (bp->type <= 1 && bp->addr == pc)
			return true;
	}
	return false;
}

/* What the client waits for may be no more than the step that was made for it. */
static struct session *waiter(const struct target *t)
{
	struct session *s = t->slots[t->lift_slot];

	return s && s->state == SESSION_QUEUED && s->cmd.op == RSP_OP_RESUME ? s : NULL;
}

static bool wants_step(const struct session *s)
{
	return s->cmd.actions_n && s->cmd.actions[0].verb != 'c' && s->cmd.actions[0].verb != 'C';
}

bool target_lift(struct target *t, unsigned slot, uint64_t now)
{
	const struct tdesc_reg *pc = pc_of(t);
	struct rsp_cmd read;

	if (t->lift == LIFT_DONE) {
		t->lift = LIFT_NONE;
		return false;
	}
	if (!pc || !strangers(t, slot))
		return false;
	rsp_cmd_make(&read, "p");
	read.num[0] = pc->num;
	read.thread = t->stop.thread;
	if (target_submit(t, &read, now) < 0)
		return false;
	t->lift = LIFT_PC;
	t->lift_slot = slot;
	return true;
}

static int submit_break(struct target *t, bool set, uint64_t now)
{
	static const char *const names[2][2] = { { "z0,", "z1," }, { "Z0,", "Z1," } };
	struct rsp_cmd cmd;

	rsp_cmd_make(&cmd, names[set][t->lifted.type]);
	cmd.num[0] = t->lifted.type;
	cmd.addr = t->lifted.addr;
	cmd.len = t->lifted.kind;
	return target_submit(t, &cmd, now);
}

static int submit_step(struct target *t, uint64_t now)
{
	struct rsp_cmd step;

	rsp_cmd_make(&step, "vCont");
	step.actions_n = 1;
	step.actions[0] = (struct rsp_action){ .verb = 's', .has_thread = true, .thread = t->stop.thread };
	return target_submit(t, &step, now);
}

/* What each phase does when the one before it has been answered. 0; < 0: it cannot be done, and the resume is tried as
 * it was asked. */
static int after_pc(struct target *t, uint64_t now)
{
	uint64_t pc;

	if (t->news.reply.kind != RSP_REPLY_REGS || !rsp_reg_value(t->news.reply.bytes, &pc) || !at_pc(t, pc, &t->lifted))
		return -1;
	t->lift = LIFT_OUT;
	return submit_break(t, false, now);
}

static int after_out(struct target *t, uint64_t now)
{
	t->lift = LIFT_STEP;
	t->lift_by = now + LIFT_STEP_MS;
	return submit_step(t, now);
}

static int after_step(struct target *t, uint64_t now)
{
	t->lift = LIFT_BACK;
	return submit_break(t, true, now);
}

/* A step that ended as steps end was ours; whatever else it met, the waiting client has to hear of. */
static int after_back(struct target *t, uint64_t now)
{
	struct session *s = waiter(t);
	bool ours = t->stop.code == 5 && t->stop.why == RSP_WHY_NONE && s && !wants_step(s);

	(void)now;
	if (ours)
		return -1;
	t->lift = LIFT_NONE;
	if (s)
		session_tell(s, SESSION_FOLLOWS, NULL);
	if (!t->release)
		target_tell_stop(t);
	return 0;
}

/* A step may not end by itself: into a wait for an interrupt, say. */
static int end_step(struct target *t, uint64_t now)
{
	if (t->state == TARGET_RUNNING && t->lift == LIFT_STEP && now >= t->lift_by) {
		t->be->ops->interrupt(t->be);
		t->lift_by = NEVER;
	}
	return 0;
}

int target_lift_on(struct target *t, uint64_t now)
{
	static int (*const after[LIFT_PHASES])(struct target *, uint64_t) = {
		[LIFT_PC] = after_pc, [LIFT_OUT] = after_out, [LIFT_STEP] = after_step, [LIFT_BACK] = after_back,
	};

	if (t->state != TARGET_STOPPED || !after[t->lift])
		return end_step(t, now);
	if (after[t->lift](t, now) < 0)
		t->lift = LIFT_DONE;
	return 1;
}
