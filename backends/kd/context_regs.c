/* context_regs.c - see context_regs.h. Where each register is: KD 4.2, 4.3; in which order: KD 4.5. */
#include "backends/kd/context_regs.h"

enum { AMD64_FX = 0x100, I386_FX = 0xcc, I386_FN = 0x1c }; /* in CONTEXT: FXSAVE images; the FSAVE area */
enum { FX_FCW = 0x00, FX_FSW = 0x02, FX_FOP = 0x06, FX_FIP = 0x08, FX_FCS = 0x0c, FX_FDP = 0x10, FX_FDS = 0x14, FX_MXCSR = 0x18,
       FX_ST = 0x20, FX_XMM = 0xa0 };
enum { FN_FCW = 0x00, FN_FSW = 0x04, FN_FTW = 0x08, FN_FIP = 0x0c, FN_FCS = 0x10, FN_FOP = 0x12, FN_FDP = 0x14, FN_FDS = 0x18,
       FN_ST = 0x1c };

#define CTX(id, b, off, w, t) .name = (id), .bits = (b), .source = KD_NEEDS_CONTEXT, .at = (off), .width = (w), .type = (t)
#define GPR(id, off)          { CTX(id, 64, off, 8, "int64") }
#define WORD(id, off)         { CTX(id, 32, off, 4, "int32") }
#define SEG(id, off)          { CTX(id, 32, off, 2, "int32") }
#define POINTER(id, b, off, t) { CTX(id, b, off, (b) / 8, t) }
#define FLAGS(id, off, t)     { CTX(id, 32, off, 4, t) }
#define ST(id, off, twin)     { CTX(id, 80, off, 10, "i387_ext"), .also = (twin), .set = KD_SET_FLOAT }
#define X87(id, off, w, twin) { CTX(id, 32, off, w, "int"), .also = (twin), .group = "float", .set = KD_SET_FLOAT }
#define FTAG(off, k)          { CTX("ftag", 32, off, 2, "int"), .kind = (k), .group = "float", .set = KD_SET_FLOAT }
#define FOP(off, twin)        { CTX("fop", 32, off, 2, "int"), .also = (twin), .kind = KD_REG_OPCODE, .group = "float", \
				.set = KD_SET_FLOAT }
#define XMM(n, fx, s)         { CTX("xmm" #n, 128, (fx) + FX_XMM + 16 * (n), 16, "vec128"), .set = (s) }
#define XMM_0_7(fx, s)        XMM(0, fx, s), XMM(1, fx, s), XMM(2, fx, s), XMM(3, fx, s), \
			      XMM(4, fx, s), XMM(5, fx, s), XMM(6, fx, s), XMM(7, fx, s)
#define XMM_8_15(fx, s)       XMM(8, fx, s), XMM(9, fx, s), XMM(10, fx, s), XMM(11, fx, s), \
			      XMM(12, fx, s), XMM(13, fx, s), XMM(14, fx, s), XMM(15, fx, s)
#define MXCSR(off, twin, s)   { CTX("mxcsr", 32, off, 4, "i386_mxcsr"), .also = (twin), .group = "vector", .set = (s) }
#define X(n)                  GPR("x" #n, 8 + 8 * (n))
#define V(n)                  { CTX("v" #n, 128, 0x110 + 16 * (n), 16, "aarch64v"), .set = KD_SET_FLOAT }
#define FPR(id, off)          { CTX(id, 32, off, 4, "int"), .group = "float", .set = KD_SET_FLOAT }

#define SPECIAL(id, b, off, w) .name = (id), .bits = (b), .source = KD_NEEDS_SPECIAL, .at = (off), .width = (w)
#define SYS(id, off, w)       { SPECIAL(id, 8 * (w), off, w), .group = "system" }
#define FIXED(id, b, off, w)  { SPECIAL(id, b, off, w), .group = "system", .fixed = true }
#define GS(id, kernel, user)  { SPECIAL(id, 64, kernel, 8), .also = (user), .kind = KD_REG_SWAPPED, .type = "int" }
#define MSR(id, place)        .name = (id), .bits = 64, .source = KD_NEEDS_MSR, .at = (place), .width = 8

static const struct kd_reg amd64[] = {
	GPR("rax", 0x78),
	GPR("rbx", 0x90),
	GPR("rcx", 0x80),
	GPR("rdx", 0x88),
	GPR("rsi", 0xa8),
	GPR("rdi", 0xb0),
	POINTER("rbp", 64, 0xa0, "data_ptr"),
	POINTER("rsp", 64, 0x98, "data_ptr"),
	GPR("r8", 0xb8),
	GPR("r9", 0xc0),
	GPR("r10", 0xc8),
	GPR("r11", 0xd0),
	GPR("r12", 0xd8),
	GPR("r13", 0xe0),
	GPR("r14", 0xe8),
	GPR("r15", 0xf0),
	POINTER("rip", 64, 0xf8, "code_ptr"),
	FLAGS("eflags", 0x44, "i386_eflags"),
	SEG("cs", 0x38),
	SEG("ss", 0x42),
	SEG("ds", 0x3a),
	SEG("es", 0x3c),
	SEG("fs", 0x3e),
	SEG("gs", 0x40),
	ST("st0", AMD64_FX + FX_ST, 0),
	ST("st1", AMD64_FX + FX_ST + 0x10, 0),
	ST("st2", AMD64_FX + FX_ST + 0x20, 0),
	ST("st3", AMD64_FX + FX_ST + 0x30, 0),
	ST("st4", AMD64_FX + FX_ST + 0x40, 0),
	ST("st5", AMD64_FX + FX_ST + 0x50, 0),
	ST("st6", AMD64_FX + FX_ST + 0x60, 0),
	ST("st7", AMD64_FX + FX_ST + 0x70, 0),
	X87("fctrl", AMD64_FX + FX_FCW, 2, 0),
	X87("fstat", AMD64_FX + FX_FSW, 2, 0),
	FTAG(AMD64_FX, KD_REG_TAGS),
	X87("fiseg", AMD64_FX + FX_FCS, 2, 0),
	X87("fioff", AMD64_FX + FX_FIP, 4, 0),
	X87("foseg", AMD64_FX + FX_FDS, 2, 0),
	X87("fooff", AMD64_FX + FX_FDP, 4, 0),
	FOP(AMD64_FX + FX_FOP, 0),
	XMM_0_7(AMD64_FX, KD_SET_FLOAT),
	XMM_8_15(AMD64_FX, KD_SET_FLOAT),
	MXCSR(0x34, AMD64_FX + FX_MXCSR, KD_SET_FLOAT),
	GS("k_gs_base", 0xb0, 0xa8),
	SYS("cr0", 0x00, 8),
	SYS("cr2", 0x08, 8),
	SYS("cr3", 0x10, 8),
	SYS("cr4", 0x18, 8),
	SYS("cr8", 0xa0, 8),
	SYS("dr0", 0x20, 8),
	SYS("dr1", 0x28, 8),
	SYS("dr2", 0x30, 8),
	SYS("dr3", 0x38, 8),
	SYS("dr6", 0x40, 8),
	SYS("dr7", 0x48, 8),
	FIXED("gdtr", 64, 0x58, 8),
	FIXED("gdtl", 32, 0x56, 2),
	FIXED("idtr", 64, 0x68, 8),
	FIXED("idtl", 32, 0x66, 2),
	FIXED("tr", 32, 0x70, 2),
	FIXED("ldtr", 32, 0x72, 2),
	GS("gs_base", 0xa8, 0xb0),
	{ MSR("fs_base", 0), .type = "int" },
	{ MSR("efer", 1), .group = "system", .fixed = true },
};

static const struct kd_reg i386[] = {
	WORD("eax", 0xb0),
	WORD("ecx", 0xac),
	WORD("edx", 0xa8),
	WORD("ebx", 0xa4),
	POINTER("esp", 32, 0xc4, "data_ptr"),
	POINTER("ebp", 32, 0xb4, "data_ptr"),
	WORD("esi", 0xa0),
	WORD("edi", 0x9c),
	POINTER("eip", 32, 0xb8, "code_ptr"),
	FLAGS("eflags", 0xc0, "i386_eflags"),
	SEG("cs", 0xbc),
	SEG("ss", 0xc8),
	SEG("ds", 0x98),
	SEG("es", 0x94),
	SEG("fs", 0x90),
	SEG("gs", 0x8c),
	ST("st0", I386_FN + FN_ST, I386_FX + FX_ST),
	ST("st1", I386_FN + FN_ST + 10, I386_FX + FX_ST + 0x10),
	ST("st2", I386_FN + FN_ST + 20, I386_FX + FX_ST + 0x20),
	ST("st3", I386_FN + FN_ST + 30, I386_FX + FX_ST + 0x30),
	ST("st4", I386_FN + FN_ST + 40, I386_FX + FX_ST + 0x40),
	ST("st5", I386_FN + FN_ST + 50, I386_FX + FX_ST + 0x50),
	ST("st6", I386_FN + FN_ST + 60, I386_FX + FX_ST + 0x60),
	ST("st7", I386_FN + FN_ST + 70, I386_FX + FX_ST + 0x70),
	X87("fctrl", I386_FN + FN_FCW, 2, I386_FX + FX_FCW),
	X87("fstat", I386_FN + FN_FSW, 2, I386_FX + FX_FSW),
	FTAG(I386_FN + FN_FTW, KD_REG_PLAIN),
	X87("fiseg", I386_FN + FN_FCS, 2, I386_FX + FX_FCS),
	X87("fioff", I386_FN + FN_FIP, 4, I386_FX + FX_FIP),
	X87("foseg", I386_FN + FN_FDS, 2, I386_FX + FX_FDS),
	X87("fooff", I386_FN + FN_FDP, 4, I386_FX + FX_FDP),
	FOP(I386_FN + FN_FOP, I386_FX + FX_FOP),
	XMM_0_7(I386_FX, KD_SET_EXTENDED),
	MXCSR(I386_FX + FX_MXCSR, 0, KD_SET_EXTENDED),
	SYS("cr0", 0x00, 4),
	SYS("cr2", 0x04, 4),
	SYS("cr3", 0x08, 4),
	SYS("cr4", 0x0c, 4),
	SYS("dr0", 0x10, 4),
	SYS("dr1", 0x14, 4),
	SYS("dr2", 0x18, 4),
	SYS("dr3", 0x1c, 4),
	SYS("dr6", 0x20, 4),
	SYS("dr7", 0x24, 4),
	FIXED("gdtr", 32, 0x2c, 4),
	FIXED("gdtl", 32, 0x2a, 2),
	FIXED("idtr", 32, 0x34, 4),
	FIXED("idtl", 32, 0x32, 2),
	FIXED("tr", 32, 0x38, 2),
	FIXED("ldtr", 32, 0x3a, 2),
};

static const struct kd_reg arm64[] = {
	X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7), X(8), X(9), X(10), X(11), X(12), X(13), X(14), X(15),
	X(16), X(17), X(18), X(19), X(20), X(21), X(22), X(23), X(24), X(25), X(26), X(27), X(28), X(29), X(30),
	POINTER("sp", 64, 0x100, "data_ptr"),
	POINTER("pc", 64, 0x108, "code_ptr"),
	FLAGS("cpsr", 0x04, "cpsr_flags"),
	V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9), V(10), V(11), V(12), V(13), V(14), V(15),
	V(16), V(17), V(18), V(19), V(20), V(21), V(22), V(23), V(24), V(25), V(26), V(27), V(28), V(29), V(30), V(31),
	FPR("fpsr", 0x314),
	FPR("fpcr", 0x310),
	FIXED("elr_el1", 64, 0x00, 8),
	FIXED("spsr_el1", 32, 0x08, 4),
	FIXED("tpidr_el0", 64, 0x10, 8),
	FIXED("tpidrro_el0", 64, 0x18, 8),
	FIXED("tpidr_el1", 64, 0x20, 8),
	{ MSR("ttbr0_el1", 0), .group = "system", .fixed = true },
	{ MSR("ttbr1_el1", 1), .group = "system", .fixed = true },
	{ MSR("esr_el1", 2), .group = "system", .fixed = true },
	{ MSR("far_el1", 3), .group = "system", .fixed = true },
};

enum { AMD64_N = sizeof amd64 / sizeof *amd64, I386_N = sizeof i386 / sizeof *i386, ARM64_N = sizeof arm64 / sizeof *arm64 };

/* The numbers of what CONTEXT holds are gdb's, and never change. */
static const struct kd_registers machines[KD_MACHINES] = {
	[KD_I386] = { .regs = i386, .n = I386_N, .cheap = I386_N, .flags_at = 0,
		      .role = { [KD_ROLE_PC] = 8, [KD_ROLE_SP] = 4, [KD_ROLE_FP] = 5, [KD_ROLE_FLAGS] = 9, [KD_ROLE_MODE] = 10, [KD_ROLE_DR7] = 50 },
		      .captured = { 0, 8, 0x20 }, .mode = { 3, 3 },
		      .layout = { .context_n = 716, .context_flags = 0x1003f, .special_n = 84, .special = 716 } },
	[KD_AMD64] = { .regs = amd64, .n = AMD64_N, .cheap = AMD64_N - 2, .flags_at = 0x30,
		       .role = { [KD_ROLE_PC] = 16, [KD_ROLE_SP] = 7, [KD_ROLE_FP] = 6, [KD_ROLE_FLAGS] = 17, [KD_ROLE_MODE] = 18, [KD_ROLE_DR7] = 68 },
		       .captured = { 0, 8, 8 }, .mode = { 3, 3 },
		       .layout = { .context_n = 1232, .context_flags = 0x10001f, .special_n = 0xe0, .special = 2,
				   .msr = { 0xc0000100, 0xc0000080 } } },
	[KD_ARM64] = { .regs = arm64, .n = ARM64_N, .cheap = ARM64_N - 4, .flags_at = 0,
		       .role = { [KD_ROLE_PC] = 32, [KD_ROLE_SP] = 31, [KD_ROLE_FP] = 29, [KD_ROLE_LINK] = 30, [KD_ROLE_FLAGS] = 33,
				 [KD_ROLE_MODE] = 33 },
		       .captured = { 0, 4, 4 }, .mode = { 0xc, 0 },
		       .layout = { .context_n = 912, .context_flags = 0x40001f, .special_n = 0xa0, .special = 2,
				   .msr = { 0x30200, 0x30201, 0x30520, 0x30600 } } },
};

const struct kd_registers *kd_registers(enum kd_machine machine)
{
	return &machines[machine < KD_MACHINES ? machine : KD_MACHINE_NONE];
}
