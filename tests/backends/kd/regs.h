/* regs.h - where the references say that each register is, in KD's own order: what context_test and describe_test compare with. */
#ifndef TESTS_BACKENDS_KD_REGS_H
#define TESTS_BACKENDS_KD_REGS_H

#include "backends/kd/context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names one after the other, so many bytes apart, each of so many; KD 4.2, 4.3. A dash is a gap. */
static const struct run {
	enum kd_machine machine;
	enum kd_source source;
	unsigned at, step, width;
	const char *names;
} runs[] = {
	{ KD_AMD64, KD_NEEDS_CONTEXT, 0x38, 2, 2, "cs ds es fs gs ss" },
	{ KD_AMD64, KD_NEEDS_CONTEXT, 0x34, 0, 4, "mxcsr" },
	{ KD_AMD64, KD_NEEDS_CONTEXT, 0x44, 0, 4, "eflags" },
	{ KD_AMD64, KD_NEEDS_CONTEXT, 0x78, 8, 8, "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15 rip" },
	{ KD_AMD64, KD_NEEDS_CONTEXT, 0x100, 2, 2, "fctrl fstat" },
	{ KD_AMD64, KD_NEEDS_CONTEXT, 0x108, 8, 4, "fioff fooff" },
	{ KD_AMD64, KD_NEEDS_CONTEXT, 0x10c, 8, 2, "fiseg foseg" },
	{ KD_AMD64, KD_NEEDS_CONTEXT, 0x120, 16, 10, "st0 st1 st2 st3 st4 st5 st6 st7" },
	{ KD_AMD64, KD_NEEDS_CONTEXT, 0x1a0, 16, 16,
	  "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15" },
	{ KD_AMD64, KD_NEEDS_SPECIAL, 0x00, 8, 8, "cr0 cr2 cr3 cr4 dr0 dr1 dr2 dr3 dr6 dr7" },
	{ KD_AMD64, KD_NEEDS_SPECIAL, 0x56, 16, 2, "gdtl idtl" },
	{ KD_AMD64, KD_NEEDS_SPECIAL, 0x58, 16, 8, "gdtr idtr" },
	{ KD_AMD64, KD_NEEDS_SPECIAL, 0x70, 2, 2, "tr ldtr" },
	{ KD_AMD64, KD_NEEDS_SPECIAL, 0xa0, 8, 8, "cr8" },
	{ KD_AMD64, KD_NEEDS_MSR, 0, 1, 8, "fs_base efer" },
	{ KD_I386, KD_NEEDS_CONTEXT, 0x1c, 4, 2, "fctrl fstat ftag" },
	{ KD_I386, KD_NEEDS_CONTEXT, 0x28, 8, 4, "fioff fooff" },
	{ KD_I386, KD_NEEDS_CONTEXT, 0x2c, 8, 2, "fiseg foseg" },
	{ KD_I386, KD_NEEDS_CONTEXT, 0x38, 10, 10, "st0 st1 st2 st3 st4 st5 st6 st7" },
	{ KD_I386, KD_NEEDS_CONTEXT, 0x8c, 4, 2, "gs fs es ds" },
	{ KD_I386, KD_NEEDS_CONTEXT, 0x9c, 4, 4, "edi esi ebx edx ecx eax ebp eip" },
	{ KD_I386, KD_NEEDS_CONTEXT, 0xbc, 12, 2, "cs ss" },
	{ KD_I386, KD_NEEDS_CONTEXT, 0xc0, 4, 4, "eflags esp" },
	{ KD_I386, KD_NEEDS_CONTEXT, 0xe4, 0, 4, "mxcsr" },
	{ KD_I386, KD_NEEDS_CONTEXT, 0x16c, 16, 16, "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7" },
	{ KD_I386, KD_NEEDS_SPECIAL, 0x00, 4, 4, "cr0 cr2 cr3 cr4 dr0 dr1 dr2 dr3 dr6 dr7" },
	{ KD_I386, KD_NEEDS_SPECIAL, 0x2a, 8, 2, "gdtl idtl" },
	{ KD_I386, KD_NEEDS_SPECIAL, 0x2c, 8, 4, "gdtr idtr" },
	{ KD_I386, KD_NEEDS_SPECIAL, 0x38, 2, 2, "tr ldtr" },
	{ KD_ARM64, KD_NEEDS_CONTEXT, 0x04, 0, 4, "cpsr" },
	{ KD_ARM64, KD_NEEDS_CONTEXT, 0x08, 8, 8,
	  "x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x10 x11 x12 x13 x14 x15 x16 x17 x18 x19 x20 x21 x22 x23 x24 x25 x26 x27 x28 x29 x30 sp pc" },
	{ KD_ARM64, KD_NEEDS_CONTEXT, 0x110, 16, 16,
	  "v0 v1 v2 v3 v4 v5 v6 v7 v8 v9 v10 v11 v12 v13 v14 v15 v16 v17 v18 v19 v20 v21 v22 v23 v24 v25 v26 v27 v28 v29 v30 v31" },
	{ KD_ARM64, KD_NEEDS_CONTEXT, 0x310, 4, 4, "fpcr fpsr" },
	{ KD_ARM64, KD_NEEDS_SPECIAL, 0x00, 0, 8, "elr_el1" },
	{ KD_ARM64, KD_NEEDS_SPECIAL, 0x08, 0, 4, "spsr_el1" },
	{ KD_ARM64, KD_NEEDS_SPECIAL, 0x10, 8, 8, "tpidr_el0 tpidrro_el0 tpidr_el1" },
	{ KD_ARM64, KD_NEEDS_MSR, 0, 1, 8, "ttbr0_el1 ttbr1_el1 esr_el1 far_el1" },
};
enum { RUNS = sizeof runs / sizeof *runs };

/* The number of a register; -1: none of that name. */
static inline int num_of(enum kd_machine machine, const char *name)
{
	for (unsigned i = 0; i < kd_reg_count(machine); i++)
		if (!strcmp(kd_reg(machine, i)->name, name))
			return (int)i;
	return -1;
}

#endif
