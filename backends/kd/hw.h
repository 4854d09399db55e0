/* hw.h - hardware breakpoints and watchpoints in a processor's debug registers (KD 7.2). A value: no I/O.
 *
 * They are in the special registers, of every processor its own: the CONTEXT's belong to the thread. x86: slots 0 to 3 take any
 * type. arm64: slots 0 to 7 execute, 8 and 9 watch. */
#ifndef BACKENDS_KD_HW_H
#define BACKENDS_KD_HW_H

#include "backends/kd/context.h"

enum kd_hw_type { KD_HW_EXECUTE, KD_HW_WRITE, KD_HW_ACCESS }; /* x86 has no watch for reading alone: ACCESS stops on writes too */

struct kd_hw {
	enum kd_hw_type type;
	uint64_t addr; /* as the target sees it */
	unsigned len;  /* in bytes; of KD_HW_EXECUTE: not looked at */
};

unsigned kd_hw_slots(enum kd_machine machine);
bool kd_hw_fits(enum kd_machine machine, unsigned slot, enum kd_hw_type type); /* the slot is one for that type */

/* Can one slot hold it? 0; -EINVAL: its length, or it is not aligned to it (x86), or not within 8 aligned bytes (arm64). */
int kd_hw_check(enum kd_machine machine, const struct kd_hw *hw) MUST_USE;

/* Edits r's special registers and marks them dirty. 0; -EINVAL as above, or not a slot for it; -ENODATA: they were not read. */
int kd_hw_set(struct kd_regs *r, unsigned slot, const struct kd_hw *hw) MUST_USE;
int kd_hw_clear(struct kd_regs *r, unsigned slot) MUST_USE;
bool kd_hw_used(const struct kd_regs *r, unsigned slot); /* enabled, by whomever; false when they were not read */

/* x86: the lowest slot that DR6 names and DR7 enables; -1: none. A slot's bit in DR6 may be set though it is not enabled. */
int kd_hw_hit(uint64_t dr6, uint64_t dr7);

/* Forgets the hits in DR6, which no processor does by itself, in the special registers and CONTEXT as far as they were read. */
void kd_hw_forget(struct kd_regs *r);

/* An enabled slot of that type whose bytes hold addr (arm64: the PC, or FAR_EL1 after a watchpoint); -1: none. */
int kd_hw_find(const struct kd_regs *r, enum kd_hw_type type, uint64_t addr);

#endif
