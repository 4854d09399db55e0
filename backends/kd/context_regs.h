/* context_regs.h - the tables behind context.c: a machine's registers and where KD keeps them. */
#ifndef BACKENDS_KD_CONTEXT_REGS_H
#define BACKENDS_KD_CONTEXT_REGS_H

#include "backends/kd/context.h"

struct kd_registers {
	const struct kd_reg *regs;
	unsigned n, cheap;             /* of them; of those that need no MSR */
	uint8_t role[KD_ROLES];        /* their numbers; 0: none, for the first one is for nothing in particular */
	unsigned flags_at;             /* of ContextFlags */
	uint32_t captured[3];          /* by enum kd_reg_set, the bits of ContextFlags that it needs */
	struct { unsigned mask, user; } mode; /* of KD_ROLE_MODE: which of its bits tell the mode, and how they are in user mode */
	struct kd_layout layout;
};

const struct kd_registers *kd_registers(enum kd_machine machine); /* no registers for KD_MACHINE_NONE */

#endif
