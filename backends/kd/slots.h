/* slots.h - the hardware breakpoints of a KD target: what a debugger wants, what its processors have. A value: no I/O.
 *
 * Every processor has debug registers of its own (KD 7.2); all are given the same. */
#ifndef BACKENDS_KD_SLOTS_H
#define BACKENDS_KD_SLOTS_H

#include "backends/kd/hw.h"

enum { KD_SLOTS = 10 }; /* of the machine that has most */

struct kd_slot {
	bool wanted, live;
	unsigned kind;        /* what the debugger calls it: of one type of ours it may have several kinds */
	struct kd_hw hw, was; /* what is wanted, what is live */
};

struct kd_slots { /* all zero: none */
	struct kd_slot slot[KD_SLOTS];
};

/* One that is wanted; one that is wanted from now on. NULL: there is none; all are in use. */
struct kd_slot *kd_slots_find(struct kd_slots *s, unsigned kind, const struct kd_hw *hw);
struct kd_slot *kd_slots_want(struct kd_slots *s, enum kd_machine machine, unsigned kind, const struct kd_hw *hw);

const struct kd_slot *kd_slots_hit(const struct kd_slots *s, unsigned slot); /* what is wanted there; NULL: nothing */
void kd_slots_unwant(struct kd_slots *s);
void kd_slots_doubt(struct kd_slots *s); /* what the processors have is not known: what is wanted goes in again */

/* For each processor an edit, when they differ; then they are settled. */
bool kd_slots_differ(const struct kd_slots *s);
unsigned kd_slots_edit(const struct kd_slots *s, struct kd_regs *r); /* so many could not be set, or cleared */
void kd_slots_settle(struct kd_slots *s);

#endif
