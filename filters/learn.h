/* learn.h - from the commands of a session to the smallest policy that would have allowed it. Pure.
 *
 * Effects that were used; with an address the exact bytes, joined where they touch; of monitor commands the exact texts.
 * What it cannot hold apart any more it joins, ranges over the smallest gap, texts to the longest beginning that two have
 * in common, and says so. What policy can only allow as a whole (a read that names no address) is allowed as a whole,
 * and that is said too; as it is where behind such a beginning there was another command, which policy does not allow. */
#ifndef FILTERS_LEARN_H
#define FILTERS_LEARN_H

#include "rsp/cmd.h"

enum {
	LEARN_RANGES = 1024,   /* of all effects together */
	LEARN_MONITOR = 256,   /* texts, and no more than LEARN_MONITOR_RULES rules of them */
	LEARN_MONITOR_RULES = 72,
	LEARN_SECTION = 1 << 18, /* learn_put needs no more */
};

struct learn;

struct learn *learn_new(void); /* NULL: out of memory */
void learn_destroy(struct learn *l); /* NULL is fine */

/* A command that was allowed: as it was judged, observers' resumes are follows. Does not allocate. */
void learn_note(struct learn *l, const struct rsp_cmd *cmd);

/* Effects that were used without a command of their own: registers that come with a stop, the break-in for a client that
 * has just come. */
void learn_use(struct learn *l, unsigned effects);
bool learn_empty(const struct learn *l);

/* The policy as a section of a configuration file, with comments where it is wider than what was used. Each rule is one
 * that policy_add takes, and one policy has room for all. name: config_name_check's. 0; -ENOBUFS. */
int learn_put(const struct learn *l, const char *name, struct buf *out) MUST_USE;

/* The i-th rule alone, as text; false: there is none, or no room. */
bool learn_rule(const struct learn *l, size_t i, struct buf *out);

#endif
