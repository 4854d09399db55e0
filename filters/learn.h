/* learn.h - from the commands of a session to the smallest policy that would have allowed it. Pure.
 *
 * Effects that were used; of memory and breakpoints the exact bytes, joined where they touch; of monitor commands the
 * exact texts. What it cannot hold apart any more (LEARN_RANGES of one effect) it joins over the smallest gap, and says so. */
#ifndef FILTERS_LEARN_H
#define FILTERS_LEARN_H

#include "rsp/cmd.h"

enum { LEARN_RANGES = 1024, LEARN_MONITOR = 256 };

struct learn;

struct learn *learn_new(void); /* NULL: out of memory */
void learn_destroy(struct learn *l);

/* A command that was allowed: as it was judged, observers' resumes are follows. Does not allocate. */
void learn_note(struct learn *l, const struct rsp_cmd *cmd);
bool learn_empty(const struct learn *l);

/* The policy as a section of a configuration file, with comments where it is wider than what was used. Each rule is one
 * that policy_add takes. 0; -ENOBUFS. */
int learn_put(const struct learn *l, const char *name, struct buf *out) MUST_USE;

/* The i-th rule alone, as text; false: there is none. */
bool learn_rule(const struct learn *l, size_t i, struct buf *out);

#endif
