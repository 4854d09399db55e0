/* latch.c - see latch.h. */
#include "filters/latch.h"

#include <string.h>

/* The target's own end is the target's; every other command of its effect starts, finds or holds what runs beside the stub. */
static bool ends_target(const struct rsp_cmd *cmd)
{
	return cmd->op == RSP_OP_KILL || cmd->op == RSP_OP_VKILL || cmd->op == RSP_OP_RESTART;
}

bool latch_names(const struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->matches_n; i++)
		if (!*rule->matches[i] || strchr("*?[ \t", *rule->matches[i]))
			return false;
	return rule->matches_n != 0;
}

/* A monitor command has no other effect, so that the judgement is about it. */
static bool is_named(const struct policy *p, struct judgement j)
{
	return j.effect == RSP_EFF_MONITOR && j.rule > 0 && (size_t)j.rule <= p->count && latch_names(&p->rules[j.rule - 1]);
}

const char *latch_refuses(const struct latch *l, const struct policy *p, const struct rsp_cmd *cmd, struct judgement j)
{
	if (!l || !l->secure || cmd->op == RSP_OP_OWN)
		return NULL;
	if (!cmd->effects || cmd->effects & RSP_EFF_OPAQUE)
		return "kdgate: secure mode: what is not known does not pass";
	if (cmd->effects & RSP_EFF_FILE)
		return "kdgate: secure mode: no files";
	if (cmd->effects & RSP_EFF_PROCESS && !ends_target(cmd))
		return "kdgate: secure mode: no programs and no processes of the stub's host";
	if (cmd->effects & RSP_EFF_TRACE)
		return "kdgate: secure mode: no tracepoints";
	if (cmd->effects & RSP_EFF_MONITOR && !is_named(p, j))
		return "kdgate: secure mode: no rule names this monitor command";
	return NULL;
}

bool latch_paths(const struct latch *l, const struct policy *p)
{
	return p->paths && !(l && l->secure);
}
