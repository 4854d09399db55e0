/* context.h - the registers of one processor as KD hands them out, as gdb's registers. A value: no I/O.
 *
 * Three sources: CONTEXT (KD 4.2), KSPECIAL_REGISTERS (KD 4.3) and a few model-specific registers, one request each. A machine's
 * registers are numbered from 0 without gaps, in the order of its description (describe.h) and so of a g packet: first what
 * CONTEXT holds, in gdb's own order, then what the special registers hold, last what costs a request of its own. */
#ifndef BACKENDS_KD_CONTEXT_H
#define BACKENDS_KD_CONTEXT_H

#include "backends/kd/machine.h"
#include "base/buf.h"

enum { KD_CONTEXT_MAX = 1232, KD_SPECIAL_MAX = 0xe0, KD_REG_MAX = 16 }; /* in bytes; of all machines, of all registers */

enum kd_source { KD_NEEDS_CONTEXT = 1, KD_NEEDS_SPECIAL = 2, KD_NEEDS_MSR = 4 }; /* bits */

enum { KD_MSRS = 4, KD_EFLAGS_TF = 1 << 8 };

/* Filled by whoever reads it from the target; context_n and special_n are how many bytes came, 0 none: a register that is not
 * wholly within them is unavailable. */
struct kd_regs {
	enum kd_machine machine;
	uint8_t context[KD_CONTEXT_MAX];
	size_t context_n;
	uint8_t special[KD_SPECIAL_MAX];
	size_t special_n;
	uint64_t msr[KD_MSRS]; /* by kd_reg.at */
	unsigned msr_known;    /* bit n: msr[n] is known */
	unsigned msr_dirty;    /* bit n: msr[n] differs from the target's */
	unsigned dirty;        /* of enum kd_source: what differs from the target's. Cleared by whoever writes it there, as much as came */
};

/* What to ask the target for, and how. context_flags, special and special_n are those of the machine. */
struct kd_layout {
	size_t context_n;       /* of a whole CONTEXT */
	uint32_t context_flags; /* all of it, for GetContext */
	size_t special_n;       /* of the special registers to read and write */
	uint64_t special;       /* where in control space (KD 4.4) */
	uint32_t msr[KD_MSRS];  /* their numbers for 0x3152; 0: none */
};

/* How the source keeps it: as it is; as FXSAVE's tags, a bit each; with other bits above; in one of two places of the special
 * registers, the other after a stop in user mode. */
enum kd_reg_kind { KD_REG_PLAIN, KD_REG_TAGS, KD_REG_OPCODE, KD_REG_SWAPPED };
enum kd_reg_set { KD_SET_GENERAL, KD_SET_FLOAT, KD_SET_EXTENDED }; /* which of ContextFlags' bits says that it was captured */

/* One register. Of interest outside: name, bits, source. */
struct kd_reg {
	const char *name;
	unsigned bits;         /* as gdb has it; in KD it may be narrower */
	enum kd_source source;
	unsigned at, width;    /* in the source, in bytes; of an MSR: its place in msr[] */
	unsigned also;         /* where CONTEXT keeps the same value a second time, 0: nowhere; of KD_REG_SWAPPED: the other place */
	enum kd_reg_kind kind;
	enum kd_reg_set set;
	bool fixed;            /* may be read, not changed: no debugger needs to, and the machine would not survive it */
	const char *type;      /* both of the description; NULL: not said */
	const char *group;
};

/* What a register is for. */
enum kd_role {
	KD_ROLE_PC,
	KD_ROLE_SP,
	KD_ROLE_FP,    /* of the frame */
	KD_ROLE_LINK,  /* where the function returns to; of arm64 */
	KD_ROLE_FLAGS, /* eflags, cpsr */
	KD_ROLE_MODE,  /* tells user mode: cs, cpsr */
	KD_ROLE_DR7,   /* of x86 */
	KD_ROLES,
};

const struct kd_layout *kd_layout(enum kd_machine machine); /* all zeros for KD_MACHINE_NONE */
unsigned kd_reg_count(enum kd_machine machine);
unsigned kd_reg_cheap(enum kd_machine machine);             /* how many of them, the first, need no MSR: what a g packet holds */
const struct kd_reg *kd_reg(enum kd_machine machine, unsigned num); /* NULL: none of that number */
unsigned kd_reg_needs(enum kd_machine machine, unsigned num);       /* of enum kd_source; 0: none of that number */
int kd_reg_of(enum kd_machine machine, enum kd_role role) MUST_USE; /* its number; -ENOENT: that machine has none */

/* The register's value, little-endian, as many bytes as gdb expects: their number; -ENODATA unavailable: not read, or the target
 * did not capture it; -ENOENT none of that number. out holds KD_REG_MAX. */
int kd_reg_get(const struct kd_regs *r, unsigned num, uint8_t *out) MUST_USE;

/* The other way round, into r, and marks what became dirty. 0, also when it changes nothing; -EINVAL another size, or bits that
 * the target's register does not have; -EPERM may not be changed; -ENODATA and -ENOENT as above. After an error r is unchanged. */
int kd_reg_put(struct kd_regs *r, unsigned num, const uint8_t *val, size_t n) MUST_USE;

/* 0; as kd_reg_get, and then *value is as it was. */
int kd_role_get(const struct kd_regs *r, enum kd_role role, uint64_t *value) MUST_USE;

/* As the target sees them: of 32 bits on i386. 0 when CONTEXT was not read. */
uint64_t kd_regs_pc(const struct kd_regs *r);
uint64_t kd_regs_sp(const struct kd_regs *r);
int kd_regs_set_pc(struct kd_regs *r, uint64_t pc) MUST_USE; /* 0; -ENODATA: CONTEXT was not read; so below */
int kd_regs_set_sp(struct kd_regs *r, uint64_t sp) MUST_USE;

/* The trap flag: a step after the next instruction. The resume flag: no hardware breakpoint at the next instruction. arm64 has
 * neither, and they change nothing there. */
int kd_regs_set_trap(struct kd_regs *r, bool on) MUST_USE;
int kd_regs_set_resume(struct kd_regs *r, bool on) MUST_USE;
bool kd_regs_trap(const struct kd_regs *r);
bool kd_regs_user(const struct kd_regs *r); /* it stands in user mode */

#endif
