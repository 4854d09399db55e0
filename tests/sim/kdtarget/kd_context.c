/* kd_context.c - a processor's registers as CONTEXT and KSPECIAL_REGISTERS (KD 4.2 and 4.3).
 *
 * The guest is a user's process: the segments a host sees are a kernel's, and only what the host writes to them is remembered. */
#include "tests/sim/kdtarget/target.h"

#include <string.h>

enum { SEGMENTS = 6, DR_COUNT = 8, FX_XMM = 0xa0, FSAVE = 0x1c, EXTENDED = 0xcc, I386_CONTEXT = 716, I386_SPECIAL = 84 };
enum { CS, DS, ES, FS, GS, SS };

#define AT(member) offsetof(struct guest_regs, member)

/* Where a register is in CONTEXT. */
struct field {
	uint16_t at, bytes;
	size_t reg;
};

static const struct field amd64[] = {
	{ 0x44, 4, AT(eflags) },
	{ 0x78, 8, AT(rax) }, { 0x80, 8, AT(rcx) }, { 0x88, 8, AT(rdx) }, { 0x90, 8, AT(rbx) }, { 0x98, 8, AT(rsp) },
	{ 0xa0, 8, AT(rbp) }, { 0xa8, 8, AT(rsi) }, { 0xb0, 8, AT(rdi) }, { 0xb8, 8, AT(r[0]) }, { 0xc0, 8, AT(r[1]) },
	{ 0xc8, 8, AT(r[2]) }, { 0xd0, 8, AT(r[3]) }, { 0xd8, 8, AT(r[4]) }, { 0xe0, 8, AT(r[5]) }, { 0xe8, 8, AT(r[6]) },
	{ 0xf0, 8, AT(r[7]) }, { 0xf8, 8, AT(rip) }, { 0, 0, 0 },
};

static const struct field i386[] = {
	{ 0x9c, 4, AT(rdi) }, { 0xa0, 4, AT(rsi) }, { 0xa4, 4, AT(rbx) }, { 0xa8, 4, AT(rdx) }, { 0xac, 4, AT(rcx) },
	{ 0xb0, 4, AT(rax) }, { 0xb4, 4, AT(rbp) }, { 0xb8, 4, AT(rip) }, { 0xc0, 4, AT(eflags) }, { 0xc4, 4, AT(rsp) }, { 0, 0, 0 },
};

/* Where cs ds es fs gs ss and the thread's debug registers are; their sizes. */
static const uint16_t amd64_seg[SEGMENTS] = { 0x38, 0x3a, 0x3c, 0x3e, 0x40, 0x42 }, i386_seg[SEGMENTS] = { 0xbc, 0x98, 0x94, 0x90, 0x8c, 0xc8 };
static const uint16_t amd64_dr[DR_COUNT] = { 0x48, 0x50, 0x58, 0x60, 0, 0, 0x68, 0x70 }, i386_dr[DR_COUNT] = { 0x04, 0x08, 0x0c, 0x10, 0, 0, 0x14, 0x18 };
static const uint16_t amd64_special_dr[DR_COUNT] = { 0x20, 0x28, 0x30, 0x38, 0, 0, 0x40, 0x48 };
static const uint16_t i386_special_dr[DR_COUNT] = { 0x10, 0x14, 0x18, 0x1c, 0, 0, 0x20, 0x24 };
static const uint16_t kernel_amd64[SEGMENTS] = { 0x10, 0x2b, 0x2b, 0x53, 0x2b, 0x18 }, kernel_i386[SEGMENTS] = { 0x08, 0x23, 0x23, 0x30, 0, 0x10 };

struct number {
	uint16_t at, bytes;
	uint64_t value;
};

static const struct number amd64_special[] = {
	{ 0x00, 8, 0x80050031 }, { 0x08, 8, 0x10 }, { 0x10, 8, 0x1ad000 }, { 0x18, 8, 0x370678 }, { 0x56, 2, 0x57 }, { 0x58, 8, 0xfffff80000fb0fb0 },
	{ 0x66, 2, 0xfff }, { 0x68, 8, 0xfffff80000fae000 }, { 0x70, 2, 0x40 }, { 0x74, 4, 0x1f80 }, { 0xb8, 8, 0x0023001000000000 }, { 0xd8, 8, 7 }, { 0, 0, 0 },
};
static const struct number i386_special_values[] = {
	{ 0x00, 4, 0x8001003b }, { 0x04, 4, 0x10 }, { 0x08, 4, 0x39000 }, { 0x0c, 4, 0x6d9 }, { 0x2a, 2, 0x3ff }, { 0x2c, 4, 0x8003f000 },
	{ 0x32, 2, 0x7ff }, { 0x34, 4, 0x8003f400 }, { 0x38, 2, 0x28 }, { 0, 0, 0 },
};

static size_t word(const struct target *k)
{
	return wide(k) ? 8 : 4;
}

size_t context_size(const struct target *k)
{
	return wide(k) ? KD_CONTEXT : I386_CONTEXT;
}

size_t special_size(const struct target *k)
{
	return wide(k) ? KD_SPECIAL : I386_SPECIAL;
}

void context_boot(struct target *k)
{
	memset(k->cpu, 0, sizeof k->cpu);
	for (size_t n = 0; n < GUEST_PROCESSORS; n++) {
		struct kd_cpu *c = &k->cpu[n];

		memcpy(c->seg, wide(k) ? kernel_amd64 : kernel_i386, sizeof c->seg);
		for (const struct number *f = wide(k) ? amd64_special : i386_special_values; f->bytes; f++)
			put(c->special + f->at, f->bytes, f->value);
		c->dr6 = 0xffff0ff0;
		c->dr7 = 0x400;
	}
}

/* --- CONTEXT */

/* The full tag word and the ten-byte registers that FSAVE has, from what FXSAVE has. */
static unsigned full_tag(const uint8_t *fx, unsigned physical)
{
	unsigned top = get16(fx + 2) >> 11 & 7, at = (physical - top) & 7;
	const uint8_t *st = fx + 0x20 + 16 * at;
	unsigned exponent = get16(st + 8) & 0x7fff;

	if (!(fx[4] >> physical & 1))
		return 3;
	if (exponent == 0 && get64(st) == 0)
		return 1;
	return exponent == 0 || exponent == 0x7fff || !(st[7] & 0x80) ? 2 : 0;
}

static void fsave_get(const uint8_t *fx, uint8_t *to)
{
	unsigned tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		tags |= full_tag(fx, i) << 2 * i;
		memcpy(to + 0x1c + 10 * i, fx + 0x20 + 16 * i, 10);
	}
	put(to, 4, 0xffff0000 | get16(fx));
	put(to + 4, 4, 0xffff0000 | get16(fx + 2));
	put(to + 8, 4, 0xffff0000 | tags);
	put(to + 12, 4, get32(fx + 8));
	put(to + 16, 4, get16(fx + 12) | (uint32_t)get16(fx + 6) << 16);
	put(to + 20, 4, get32(fx + 16));
	put(to + 24, 4, 0xffff0000 | get16(fx + 20));
}

static void fsave_set(uint8_t *fx, const uint8_t *from)
{
	unsigned tags = get16(from + 8);

	fx[4] = 0;
	for (unsigned i = 0; i < 8; i++) {
		fx[4] |= (uint8_t)((tags >> 2 * i & 3) != 3) << i;
		memcpy(fx + 0x20 + 16 * i, from + 0x1c + 10 * i, 10);
	}
	put(fx, 2, get16(from));
	put(fx + 2, 2, get16(from + 4));
	put(fx + 6, 2, get16(from + 18));
	put(fx + 8, 4, get32(from + 12));
	put(fx + 16, 4, get32(from + 20));
}

static void put_threads(const struct target *k, const struct kd_cpu *c, uint8_t *to)
{
	const uint16_t *seg = wide(k) ? amd64_seg : i386_seg, *dr = wide(k) ? amd64_dr : i386_dr;

	for (size_t i = 0; i < SEGMENTS; i++)
		put(to + seg[i], wide(k) ? 2 : 4, c->seg[i]);
	for (size_t i = 0; i < DR_COUNT; i++)
		if (dr[i])
			put(to + dr[i], word(k), c->thread_dr[i]);
}

static void get_threads(const struct target *k, struct kd_cpu *c, const uint8_t *from)
{
	const uint16_t *seg = wide(k) ? amd64_seg : i386_seg, *dr = wide(k) ? amd64_dr : i386_dr;

	for (size_t i = 0; i < SEGMENTS; i++)
		c->seg[i] = get16(from + seg[i]);
	for (size_t i = 0; i < DR_COUNT; i++)
		if (dr[i])
			c->thread_dr[i] = get(from + dr[i], word(k));
}

void context_get(struct target *k, unsigned cpu, uint8_t *to)
{
	struct guest_regs r = { 0 };

	memset(to, 0, context_size(k));
	if (guest_regs(k->guest, cpu, &r) < 0)
		note(k, "processor %u has no registers", cpu);
	for (const struct field *f = wide(k) ? amd64 : i386; f->bytes; f++)
		put(to + f->at, f->bytes, get64((const uint8_t *)&r + f->reg));
	put_threads(k, &k->cpu[cpu], to);
	put(to + (wide(k) ? 0x30 : 0), 4, wide(k) ? 0x10001f : 0x1003f);
	if (wide(k))
		put(to + 0x34, 4, get32(r.fx + 0x18));
	else
		fsave_get(r.fx, to + FSAVE);
	memcpy(to + (wide(k) ? 0x100 : EXTENDED), r.fx, GUEST_FX);
}

int context_set(struct target *k, unsigned cpu, const uint8_t *from)
{
	struct guest_regs r;

	if (guest_regs(k->guest, cpu, &r) < 0)
		return -1;
	for (const struct field *f = wide(k) ? amd64 : i386; f->bytes; f++) {
		uint64_t value = get(from + f->at, f->bytes);

		memcpy((uint8_t *)&r + f->reg, &value, sizeof value);
	}
	get_threads(k, &k->cpu[cpu], from);
	memcpy(r.fx, from + (wide(k) ? 0x100 : EXTENDED), GUEST_FX);
	if (wide(k))
		put(r.fx + 0x18, 4, get32(from + 0x34));
	else
		fsave_set(r.fx, from + FSAVE);
	return guest_set_regs(k->guest, cpu, &r);
}

/* --- KSPECIAL_REGISTERS */

static uint64_t dr_of(const struct kd_cpu *c, const struct guest_regs *r, size_t i)
{
	return i == 7 ? c->dr7 : i == 6 ? c->dr6 : r->dr[i];
}

void special_get(struct target *k, unsigned cpu, uint8_t *to)
{
	const uint16_t *dr = wide(k) ? amd64_special_dr : i386_special_dr;
	struct kd_cpu *c = &k->cpu[cpu];
	struct guest_regs r = { 0 };

	if (guest_regs(k->guest, cpu, &r) < 0)
		note(k, "processor %u has no registers", cpu);
	memcpy(to, c->special, special_size(k));
	for (size_t i = 0; i < DR_COUNT; i++)
		if (dr[i])
			put(to + dr[i], word(k), dr_of(c, &r, i));
	if (wide(k))
		put(to + 0xa8, 8, r.gs_base);
}

/* Only what the processor has goes to it. */
static int load_dr7(struct target *k, unsigned cpu, struct guest_regs *r)
{
	r->dr[7] = k->cpu[cpu].dr7 & 0xffff00ff;
	r->dr[6] = 0;
	return guest_set_regs(k->guest, cpu, r);
}

int special_set(struct target *k, unsigned cpu, const uint8_t *from)
{
	const uint16_t *dr = wide(k) ? amd64_special_dr : i386_special_dr;
	struct kd_cpu *c = &k->cpu[cpu];
	struct guest_regs r;

	if (guest_regs(k->guest, cpu, &r) < 0)
		return -1;
	memcpy(c->special, from, special_size(k));
	for (size_t i = 0; i < 4; i++)
		r.dr[i] = get(from + dr[i], word(k));
	c->dr6 = get(from + dr[6], word(k));
	c->dr7 = get(from + dr[7], word(k));
	return load_dr7(k, cpu, &r);
}

int context_dr7(struct target *k, unsigned cpu, uint64_t dr7)
{
	struct guest_regs r;

	if (guest_regs(k->guest, cpu, &r) < 0)
		return -1;
	k->cpu[cpu].dr7 = dr7;
	return load_dr7(k, cpu, &r);
}

int context_flags(struct target *k, unsigned cpu, uint64_t clear, uint64_t set)
{
	struct guest_regs r;

	if (guest_regs(k->guest, cpu, &r) < 0)
		return -1;
	r.eflags = (r.eflags & ~clear) | set;
	return guest_set_regs(k->guest, cpu, &r);
}

/* --- what a kernel keeps for a processor */

uint64_t context_pcr(struct target *k, unsigned cpu)
{
	struct guest_regs r;

	if (guest_regs(k->guest, cpu, &r) < 0)
		return 0;
	return wide(k) ? r.gs_base : r.fs_base;
}

uint64_t context_prcb(struct target *k, unsigned cpu)
{
	uint64_t pcr = context_pcr(k, cpu);

	return pcr ? memory_pointer(k, pcr + 0x20) : 0;
}

uint64_t context_thread(struct target *k, unsigned cpu)
{
	uint64_t prcb = context_prcb(k, cpu);

	return prcb ? memory_pointer(k, prcb + (wide(k) ? 8 : 4)) : 0;
}
