/* context_regs.h - the tables behind context.c: a machine's registers and where KD keeps them. */
#ifndef BACKENDS_KD_CONTEXT_REGS_H
#define BACKENDS_KD_CONTEXT_REGS_H

#include "backends/kd/context.h"

struct kd_registers {
	const struct kd_reg *regs;
	unsigned n, cheap;             /* of them; of those that need no MSR */
	unsigned pc, sp, flags;        /* their numbers; flags: eflags, cpsr */
	unsigned flags_at;             /* of ContextFlags */
	uint32_t captured[3];          /* by enum kd_reg_set, the bits of ContextFlags that it needs */
	struct { unsigned num, mask, user; } ring; /* the register that tells user mode, which of its bits, and how they are then */
	struct kd_layout layout;
};

const struct kd_registers *kd_registers(enum kd_machine machine); /* no registers for KD_MACHINE_NONE */

#endif
