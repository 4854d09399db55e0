/* context.c - see context.h. */
#include "backends/kd/context_regs.h"

#include "backends/kd/le.h"

#include <errno.h>
#include <string.h>

enum { FX_FSW = 0x02, FX_FTW = 0x04, FX_ST = 0x20, FX_ST_END = 0xa0, FOP_BITS = 0x7ff };
enum { EFLAGS_RF = 1 << 16 };
enum tag { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

/* ---- the tables ---- */

const struct kd_layout *kd_layout(enum kd_machine machine)
{
	return &kd_registers(machine)->layout;
}

unsigned kd_reg_count(enum kd_machine machine)
{
	return kd_registers(machine)->n;
}

unsigned kd_reg_cheap(enum kd_machine machine)
{
	return kd_registers(machine)->cheap;
}

const struct kd_reg *kd_reg(enum kd_machine machine, unsigned num)
{
	return num < kd_reg_count(machine) ? &kd_registers(machine)->regs[num] : NULL;
}

unsigned kd_reg_needs(enum kd_machine machine, unsigned num)
{
	const struct kd_reg *reg = kd_reg(machine, num);

	if (!reg)
		return 0;
	return reg->kind == KD_REG_SWAPPED ? KD_NEEDS_CONTEXT | KD_NEEDS_SPECIAL : reg->source;
}

/* ---- is it there? ---- */

static bool holds(const struct kd_regs *r, unsigned at, unsigned width)
{
	return at + width <= r->context_n;
}

static bool captured(const struct kd_regs *r, const struct kd_reg *reg)
{
	const struct kd_registers *m = kd_registers(r->machine);
	uint32_t bits = m->captured[reg->set];

	return !bits || (holds(r, m->flags_at, 4) && le_at(r->context + m->flags_at, 4) & bits);
}

static bool in_context(const struct kd_regs *r, const struct kd_reg *reg)
{
	return holds(r, reg->at, reg->kind == KD_REG_TAGS ? FX_ST_END : reg->width) && captured(r, reg);
}

static bool in_special(const struct kd_regs *r, const struct kd_reg *reg)
{
	bool swapped = reg->kind == KD_REG_SWAPPED;

	return reg->at + reg->width <= r->special_n && (!swapped || (reg->also + reg->width <= r->special_n && r->context_n));
}

static bool available(const struct kd_regs *r, const struct kd_reg *reg)
{
	switch (reg->source) {
	case KD_NEEDS_CONTEXT:
		return in_context(r, reg);
	case KD_NEEDS_SPECIAL:
		return in_special(r, reg);
	case KD_NEEDS_MSR:
	default:
		return r->msr_known >> reg->at & 1;
	}
}

/* ---- the x87's tags: FXSAVE keeps one bit a register, gdb has two, which the contents tell ---- */

static enum tag tag_of(const uint8_t *st)
{
	uint64_t mantissa = le_at(st, 8), exponent = le_at(st + 8, 2) & 0x7fff;

	if (!exponent && !mantissa)
		return TAG_ZERO;
	return exponent && exponent != 0x7fff && mantissa >> 63 ? TAG_VALID : TAG_SPECIAL;
}

/* Tags go by register, contents by their place on the stack. */
static uint64_t get_tags(const uint8_t *fx)
{
	unsigned top = (unsigned)le_at(fx + FX_FSW, 2) >> 11 & 7;
	uint64_t tags = 0;

	for (unsigned i = 0; i < 8; i++)
		tags |= (uint64_t)(fx[FX_FTW] >> i & 1 ? tag_of(fx + FX_ST + 16 * ((i - top) & 7)) : TAG_EMPTY) << 2 * i;
	return tags;
}

static void put_tags(uint8_t *fx, uint64_t tags)
{
	fx[FX_FTW] = 0;
	for (unsigned i = 0; i < 8; i++)
		fx[FX_FTW] |= (uint8_t)(((tags >> 2 * i & 3) != TAG_EMPTY) << i);
}

/* ---- get ---- */

/* A stop in user mode: the kernel's entry has swapped the two bases. */
static unsigned place(const struct kd_regs *r, const struct kd_reg *reg)
{
	return reg->kind == KD_REG_SWAPPED && kd_regs_user(r) ? reg->also : reg->at;
}

static const uint8_t *source(const struct kd_regs *r, const struct kd_reg *reg)
{
	return (reg->source == KD_NEEDS_CONTEXT ? r->context : r->special) + place(r, reg);
}

/* Of at most 64 bits. */
static uint64_t get_number(const struct kd_regs *r, const struct kd_reg *reg)
{
	if (reg->source == KD_NEEDS_MSR)
		return r->msr[reg->at];
	if (reg->kind == KD_REG_TAGS)
		return get_tags(source(r, reg));
	return le_at(source(r, reg), reg->width) & (reg->kind == KD_REG_OPCODE ? (uint64_t)FOP_BITS : UINT64_MAX);
}

int kd_reg_get(const struct kd_regs *r, unsigned num, uint8_t *out)
{
	const struct kd_reg *reg = kd_reg(r->machine, num);

	if (!reg)
		return -ENOENT;
	if (!available(r, reg))
		return -ENODATA;
	if (reg->width > 8)
		memcpy(out, source(r, reg), reg->width);
	else
		le_put(out, reg->bits / 8, get_number(r, reg));
	return (int)(reg->bits / 8);
}

/* ---- put ---- */

/* The target's register may be narrower than gdb's. */
static bool fits(const struct kd_reg *reg, const uint8_t *val, size_t n)
{
	unsigned bits = reg->kind == KD_REG_OPCODE ? 11 : 8 * reg->width;

	return n == reg->bits / 8 && (n > 8 || bits >= 64 || !(le_at(val, n) >> bits));
}

static void put_context(struct kd_regs *r, const struct kd_reg *reg, const uint8_t *val)
{
	if (reg->kind == KD_REG_TAGS)
		put_tags(r->context + reg->at, le_at(val, reg->width));
	else
		memcpy(r->context + reg->at, val, reg->width);
	if (reg->also && holds(r, reg->also, reg->width))
		memcpy(r->context + reg->also, val, reg->width);
}

static void put(struct kd_regs *r, const struct kd_reg *reg, const uint8_t *val)
{
	if (reg->source == KD_NEEDS_CONTEXT)
		put_context(r, reg, val);
	if (reg->source == KD_NEEDS_SPECIAL)
		memcpy(r->special + place(r, reg), val, reg->width);
	if (reg->source == KD_NEEDS_MSR) {
		r->msr[reg->at] = le_at(val, 8);
		r->msr_dirty |= 1U << reg->at;
	}
	r->dirty |= reg->source;
}

int kd_reg_put(struct kd_regs *r, unsigned num, const uint8_t *val, size_t n)
{
	const struct kd_reg *reg = kd_reg(r->machine, num);
	uint8_t now[KD_REG_MAX];
	int size = kd_reg_get(r, num, now);

	if (size < 0)
		return size;
	if (n == (size_t)size && !memcmp(val, now, n))
		return 0;
	if (reg->fixed)
		return -EPERM;
	if (!fits(reg, val, n))
		return -EINVAL;
	put(r, reg, val);
	return 0;
}

/* ---- by what they are for ---- */

int kd_reg_of(enum kd_machine machine, enum kd_role role)
{
	unsigned num = kd_registers(machine)->role[role];

	return num ? (int)num : -ENOENT;
}

int kd_role_get(const struct kd_regs *r, enum kd_role role, uint64_t *value)
{
	uint8_t raw[KD_REG_MAX];
	int num = kd_reg_of(r->machine, role), n = num < 0 ? num : kd_reg_get(r, (unsigned)num, raw);

	if (n < 0)
		return n;
	*value = le_at(raw, (size_t)n);
	return 0;
}

static uint64_t get(const struct kd_regs *r, enum kd_role role)
{
	uint64_t value = 0;

	return kd_role_get(r, role, &value) < 0 ? 0 : value;
}

static int set(struct kd_regs *r, enum kd_role role, uint64_t v)
{
	uint8_t raw[8];
	int num = kd_reg_of(r->machine, role);

	le_put(raw, sizeof raw, v);
	return num < 0 ? -ENODATA : kd_reg_put(r, (unsigned)num, raw, kd_reg(r->machine, (unsigned)num)->bits / 8);
}

uint64_t kd_regs_pc(const struct kd_regs *r)
{
	return get(r, KD_ROLE_PC);
}

uint64_t kd_regs_sp(const struct kd_regs *r)
{
	return get(r, KD_ROLE_SP);
}

int kd_regs_set_pc(struct kd_regs *r, uint64_t pc)
{
	return set(r, KD_ROLE_PC, pc);
}

int kd_regs_set_sp(struct kd_regs *r, uint64_t sp)
{
	return set(r, KD_ROLE_SP, sp);
}

static int set_flag(struct kd_regs *r, uint64_t bit, bool on)
{
	if (r->machine == KD_ARM64)
		return r->context_n ? 0 : -ENODATA;
	return set(r, KD_ROLE_FLAGS, on ? get(r, KD_ROLE_FLAGS) | bit : get(r, KD_ROLE_FLAGS) & ~bit);
}

int kd_regs_set_trap(struct kd_regs *r, bool on)
{
	return set_flag(r, KD_EFLAGS_TF, on);
}

int kd_regs_set_resume(struct kd_regs *r, bool on)
{
	return set_flag(r, EFLAGS_RF, on);
}

bool kd_regs_trap(const struct kd_regs *r)
{
	return r->machine != KD_ARM64 && get(r, KD_ROLE_FLAGS) & KD_EFLAGS_TF;
}

bool kd_regs_user(const struct kd_regs *r)
{
	const struct kd_registers *m = kd_registers(r->machine);

	return m->n && r->context_n && (get(r, KD_ROLE_MODE) & m->mode.mask) == m->mode.user;
}
