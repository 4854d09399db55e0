/* latch.h - secure mode: what it refuses, whatever the policy says. Pure. There is no function that undoes it.
 *
 * In secure mode nothing passes that can touch a host, in either direction: no files, no programs at the stub's side (of
 * processes, only the target's own end and restart pass), no tracepoints, whose actions are programs that the stub runs,
 * nothing that is not known, no monitor command but by a rule that names it, no names of files that the target chose. Nor
 * is there learning, or a session that is not audited: proxy/config_check.c. */
#ifndef FILTERS_LATCH_H
#define FILTERS_LATCH_H

#include "filters/policy.h"

struct latch {
	bool secure;
};

/* Why a command that policy allowed (by judgement j) does not pass; NULL: it does. Static words, for the client. l NULL: not
 * secure. */
const char *latch_refuses(const struct latch *l, const struct policy *p, const struct rsp_cmd *cmd, struct judgement j);

/* Does a rule name the monitor commands that it allows? It has texts, and each begins with what stands for itself. */
bool latch_names(const struct policy_rule *rule);

/* May names keep their directories? l NULL: not secure. */
bool latch_paths(const struct latch *l, const struct policy *p);

#endif
