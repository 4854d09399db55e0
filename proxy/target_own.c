/* target_own.c - what a target does by itself, before anybody is served: takes out what a client left behind, goes on when
 * nobody leads it, and is left when the program ends. See target.h. */
#include "proxy/target_parts.h"

void target_takes(struct target *t, const struct rsp_cmd *cmd, bool internal, uint64_t now)
{
	t->cmd.op = cmd->op;
	t->cmd.addr = cmd->addr;
	t->cmd.len = cmd->len;
	t->cmd.num[0] = cmd->num[0];
	t->cmd.thread = cmd->thread;
	t->cmd.spec = cmd->spec;
	t->internal = internal;
	target_cache_takes(t, cmd);
	target_event(t, TARGET_TAKES, now);
}

int target_submit(struct target *t, const struct rsp_cmd *cmd, uint64_t now)
{
	if (t->be->ops->submit(t->be, cmd) < 0)
		return -1;
	target_takes(t, cmd, true, now);
	return 0;
}

/* Before anybody's next command: what an owner left behind. */
static int remove_orphan(struct target *t, uint64_t now)
{
	static const char *const names[BREAKS_TYPES] = { "z0,", "z1,", "z2,", "z3,", "z4," };
	struct breakpoint bp;
	struct rsp_cmd clear;

	if (t->state != TARGET_STOPPED || !breaks_orphan(&t->breaks, &bp))
		return 0;
	rsp_cmd_make(&clear, names[bp.type]);
	clear.num[0] = bp.type;
	clear.addr = bp.addr;
	clear.len = bp.kind;
	if (target_submit(t, &clear, now) < 0)
		breaks_gone(&t->breaks, bp);
	return 1;
}

/* Nobody leads the target any more, and it is not to stand until somebody does. */
static int release(struct target *t, uint64_t now)
{
	struct rsp_cmd go;

	if (t->state != TARGET_STOPPED || !t->release || t->closing)
		return 0;
	rsp_cmd_make(&go, "vCont");
	go.actions_n = 1;
	go.actions[0] = (struct rsp_action){ .verb = t->be->ops->info(t->be)->exceptions ? 'C' : 'c', .sig = t->stop.code };
	if (target_submit(t, &go, now) == 0)
		return 1;
	t->release = false;
	return 0;
}

/* Towards TARGET_CLOSED: stop it if there is something to take out, take it out, leave. */
static int close_down(struct target *t, uint64_t now)
{
	bool late = now >= t->deadline, nothing_left = !breaks_count(&t->breaks);

	if (!t->closing || t->state == TARGET_CLOSED)
		return 0;
	if (late || !t->be || (t->state == TARGET_RUNNING && nothing_left)) {
		target_event(t, TARGET_SHUTS, now);
		return 1;
	}
	if (t->state == TARGET_RUNNING)
		t->be->ops->interrupt(t->be);
	if (t->state != TARGET_STOPPED)
		return 0;
	target_event(t, TARGET_LEAVES, now);
	return 1;
}

int target_own_affairs(struct target *t, uint64_t now)
{
	return remove_orphan(t, now) || close_down(t, now) || release(t, now);
}
