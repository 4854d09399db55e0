/* describe_test.c - the descriptions: taken as they are by what reads a target's, in gdb's order, each register at its offset. */
#include "backends/kd/describe.h"
#include "rsp/tdesc.h"
#include "tests/backends/kd/regs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct tdesc t;
static struct buf doc;

static int set_up(void **state)
{
	(void)state;
	return tdesc_init(&t) || buf_init(&doc, KD_DESCRIBE_MAX);
}

static int tear_down(void **state)
{
	(void)state;
	tdesc_fini(&t);
	buf_fini(&doc);
	return 0;
}

static void build(enum kd_machine machine)
{
	buf_reset(&doc, 0);
	tdesc_clear(&t);
	assert_int_equal(kd_describe(machine, &doc), 0);
	if (tdesc_add(&t, "target.xml", buf_span(&doc)) || tdesc_build(&t))
		fail_msg("%s", t.why);
}

/* KD 4.5; the private ones are behind all of these. */
#define X87_AND_ON "st0 st1 st2 st3 st4 st5 st6 st7 fctrl fstat ftag fiseg fioff foseg fooff fop xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 "
#define ARM64_X "x0 x1 x2 x3 x4 x5 x6 x7 x8 x9 x10 x11 x12 x13 x14 x15 x16 x17 x18 x19 x20 x21 x22 x23 x24 x25 x26 x27 x28 x29 x30 "
#define ARM64_V "v0 v1 v2 v3 v4 v5 v6 v7 v8 v9 v10 v11 v12 v13 v14 v15 v16 v17 v18 v19 v20 v21 v22 v23 v24 v25 v26 v27 v28 v29 v30 v31 "

static const struct {
	enum kd_machine machine;
	const char *arch, *order, *pc;
	size_t pc_at, first, g; /* in a g packet: the PC; the end of what gdb itself knows; the end of what needs no MSR */
} machines[] = {
	{ KD_AMD64, "i386:x86-64", "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags cs ss ds es fs gs " X87_AND_ON
	  "xmm8 xmm9 xmm10 xmm11 xmm12 xmm13 xmm14 xmm15 mxcsr ", "rip", 128, 536, 672 },
	{ KD_I386, "i386", "eax ecx edx ebx esp ebp esi edi eip eflags cs ss ds es fs gs " X87_AND_ON "mxcsr ", "eip", 32, 308, 372 },
	{ KD_ARM64, "aarch64", ARM64_X "sp pc cpsr " ARM64_V "fpsr fpcr ", "pc", 256, 788, 824 },
};
enum { MACHINES_N = sizeof machines / sizeof *machines };

static void gdb_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < MACHINES_N; i++) {
		char names[1024] = "";
		size_t n = 0, end = 0;

		build(machines[i].machine);
		for (const struct tdesc_reg *reg = t.regs; strlen(names) < strlen(machines[i].order); reg++) {
			n += (size_t)snprintf(names + n, sizeof names - n, "%s ", reg->name);
			end = reg->at + reg->bits / 8;
		}
		assert_string_equal(names, machines[i].order);
		assert_int_equal(end, machines[i].first);
	}
}

static void same_registers(void **state)
{
	(void)state;
	for (size_t i = 0; i < MACHINES_N; i++) {
		build(machines[i].machine);
		assert_int_equal(t.regs_n, kd_reg_count(machines[i].machine));
		assert_null(t.odd);
		for (unsigned num = 0; num < t.regs_n; num++) {
			const struct kd_reg *reg = kd_reg(machines[i].machine, num);

			assert_int_equal(t.regs[num].num, num);
			assert_string_equal(t.regs[num].name, reg->name);
			assert_int_equal(t.regs[num].bits, reg->bits);
		}
	}
}

/* What a g packet holds costs at most two requests; what is left costs one each. */
static void cheap_first(void **state)
{
	(void)state;
	for (size_t i = 0; i < MACHINES_N; i++) {
		unsigned cheap = kd_reg_cheap(machines[i].machine), all = kd_reg_count(machines[i].machine);

		build(machines[i].machine);
		for (unsigned num = 0; num < all; num++)
			assert_int_equal(kd_reg_needs(machines[i].machine, num) == KD_NEEDS_MSR, num >= cheap);
		assert_int_equal(cheap < all ? t.regs[cheap].at : t.g_bytes, machines[i].g);
	}
}

static void head(void **state)
{
	(void)state;
	for (size_t i = 0; i < MACHINES_N; i++) {
		build(machines[i].machine);
		assert_string_equal(t.arch, machines[i].arch);
		assert_string_equal(t.osabi, "none");
		assert_string_equal(tdesc_pc(&t)->name, machines[i].pc);
		assert_int_equal(tdesc_pc(&t)->at, machines[i].pc_at);
	}
}

static bool says(const char *text)
{
	return memmem(buf_data(&t.xml), t.xml.len, text, strlen(text)) != NULL;
}

/* Every type that a register names is one: where it is not, a plain one takes its place. */
static void types_stay(void **state)
{
	(void)state;
	for (size_t i = 0; i < MACHINES_N; i++) {
		build(machines[i].machine);
		for (unsigned num = 0; num < t.regs_n; num++) {
			const struct kd_reg *reg = kd_reg(machines[i].machine, num);
			char want[128];

			if (!reg->type)
				continue;
			snprintf(want, sizeof want, "<reg name=\"%s\" bitsize=\"%u\" regnum=\"%u\" type=\"%s\"", reg->name, reg->bits, num, reg->type);
			if (!says(want))
				fail_msg("%s", want);
		}
	}
}

static void features(void **state)
{
	(void)state;
	build(KD_AMD64);
	assert_true(says("org.gnu.gdb.i386.core") && says("org.gnu.gdb.i386.sse") && says("org.gnu.gdb.i386.segments"));
	assert_true(says("org.kdgate.kd.system"));
	build(KD_I386);
	assert_true(says("org.gnu.gdb.i386.core") && says("org.gnu.gdb.i386.sse") && !says("org.gnu.gdb.i386.segments"));
	build(KD_ARM64);
	assert_true(says("org.gnu.gdb.aarch64.core") && says("org.gnu.gdb.aarch64.fpu"));
}

/* Too little room, at every length. */
static void room(void **state)
{
	(void)state;
	for (size_t i = 0; i < MACHINES_N; i++) {
		build(machines[i].machine);
		for (size_t n = 0, whole = doc.len; n < whole; n++) {
			struct buf small = { .base = doc.base, .cap = n };

			assert_int_equal(kd_describe(machines[i].machine, &small), -ENOBUFS);
		}
	}
	assert_int_equal(kd_describe(KD_MACHINE_NONE, &doc), -ENOTSUP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gdb_order),  cmocka_unit_test(same_registers), cmocka_unit_test(cheap_first), cmocka_unit_test(head),
		cmocka_unit_test(types_stay), cmocka_unit_test(features),       cmocka_unit_test(room),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
