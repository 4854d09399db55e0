/* breaks.h - who owns which breakpoint: one on the target, any number of owners. Pure: nothing is allocated. */
#ifndef PROXY_BREAKS_H
#define PROXY_BREAKS_H

#include "base/buf.h"

enum { BREAKS_MAX = 1024, BREAKS_SLOTS = 256, BREAKS_TYPES = 5 };

/* As Z and z name it. A watchpoint that differs in any of the three is another one; of the others there is one of a type at an address: stubs
 * know them by that, so a second of another kind would be the first, and whoever removed it would remove both. */
struct breakpoint {
	unsigned type; /* 0 software, 1 hardware, 2 write, 3 read, 4 access */
	uint64_t addr, kind;
};

/* All zero: none. The entries stand together at the front, in no order. */
struct breaks {
	size_t count, orphans; /* on the target, or on its way; of these, without an owner */
	struct owned_break {
		struct breakpoint bp;
		uint64_t owners[BREAKS_SLOTS / 64]; /* a bit for each session's slot */
	} at[BREAKS_MAX];
};

/* 1: must be set on the target, and if that fails, breaks_gone; 0: is there already, an orphan is adopted; -ENOSPC;
 * -EINVAL: no such type or slot. */
int breaks_own(struct breaks *b, struct breakpoint bp, unsigned slot) MUST_USE;

/* 1: must be removed from the target, then breaks_gone; until then it is an orphan; 0: others still own it; -ENOENT: not
 * this slot's. */
int breaks_disown(struct breaks *b, struct breakpoint bp, unsigned slot) MUST_USE;

void breaks_leave(struct breaks *b, unsigned slot); /* disowns all of the slot's */
bool breaks_orphan(const struct breaks *b, struct breakpoint *bp); /* one that is on the target for nobody */
void breaks_gone(struct breaks *b, struct breakpoint bp); /* removed, or never set */
void breaks_forget_all(struct breaks *b); /* the target is another one, or a new life of it */
size_t breaks_count(const struct breaks *b); /* orphans included */
size_t breaks_of(const struct breaks *b, unsigned slot); /* how many this slot owns */
bool breaks_owns(const struct breaks *b, struct breakpoint bp, unsigned slot);
struct breakpoint breaks_as_set(const struct breaks *b, struct breakpoint bp); /* of the kind that it was set with; bp, if it is not there */

#endif
