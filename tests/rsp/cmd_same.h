/* cmd_same.h - whether two parsed commands say the same. */
#ifndef TESTS_RSP_CMD_SAME_H
#define TESTS_RSP_CMD_SAME_H

#include "rsp/cmd.h"

#include <string.h>

static inline bool same_span(struct span a, struct span b)
{
	return a.len == b.len && (!a.len || !memcmp(a.p, b.p, a.len));
}

static inline bool same_thread(struct rsp_thread a, struct rsp_thread b)
{
	return a.pid == b.pid && a.tid == b.tid;
}

static inline bool same_action(const struct rsp_action *a, const struct rsp_action *b)
{
	return a->verb == b->verb && a->sig == b->sig && a->from == b->from && a->to == b->to && a->has_thread == b->has_thread &&
	       same_thread(a->thread, b->thread);
}

static inline bool same_lists(const struct rsp_cmd *a, const struct rsp_cmd *b)
{
	for (size_t i = 0; i < a->actions_n; i++)
		if (!same_action(&a->actions[i], &b->actions[i]))
			return false;
	for (size_t i = 0; i < a->ranges_n; i++)
		if (a->ranges[i].addr != b->ranges[i].addr || a->ranges[i].len != b->ranges[i].len)
			return false;
	return true;
}

static inline bool same_cmd(const struct rsp_cmd *a, const struct rsp_cmd *b)
{
	return a->spec == b->spec && a->op == b->op && a->effects == b->effects && a->has_thread == b->has_thread &&
	       a->has_addr == b->has_addr && a->has_len == b->has_len && same_thread(a->thread, b->thread) && a->addr == b->addr &&
	       a->len == b->len && !memcmp(a->num, b->num, sizeof a->num) && a->which == b->which && same_span(a->data, b->data) &&
	       same_span(a->text, b->text) && same_span(a->annex, b->annex) && a->actions_n == b->actions_n &&
	       a->ranges_n == b->ranges_n && same_lists(a, b);
}

#endif
