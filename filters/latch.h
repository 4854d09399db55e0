/* latch.h - secure mode: what it refuses, whatever the policy says. Pure. There is no function that undoes it.
 *
 * In secure mode nothing passes that can touch a host, in either direction: no files, no programs at the stub's side, no
 * names of files that the target chose, no monitor command but by a rule that names it, no learning, no session that is
 * not audited. */
#ifndef FILTERS_LATCH_H
#define FILTERS_LATCH_H

#include "filters/policy.h"

struct latch {
	bool secure;
};

/* Why a command that policy allowed (by judgement j) does not pass; NULL: it does. Static words. */
const char *latch_refuses(const struct latch *l, const struct policy *p, const struct rsp_cmd *cmd, struct judgement j);

/* May names keep their directories? */
bool latch_paths(const struct latch *l, const struct policy *p);

#endif
