/* hw_test.c - debug registers: encodings written by hand, slots that stay apart, what is refused, what stopped it. */
#include "backends/kd/hw.h"

#include "base/hex.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct kd_regs regs;

static void fresh(enum kd_machine machine)
{
	memset(&regs, 0, sizeof regs);
	regs.machine = machine;
	regs.special_n = kd_layout(machine)->special_n;
	regs.context_n = kd_layout(machine)->context_n;
}

static uint64_t at(size_t offset, size_t bytes)
{
	struct cursor c = cursor_of((struct span){ regs.special + offset, bytes });

	return cursor_le(&c, bytes);
}

/* One in a slot of a processor that has none: the address and the control that it gives. */
static const struct {
	enum kd_machine machine;
	unsigned slot;
	struct kd_hw hw;
	size_t value, value_n, control, control_n;
	uint64_t want, want_control;
} given[] = {
	{ KD_AMD64, 0, { KD_HW_EXECUTE, 0xfffff80000587d12, 1 }, 0x20, 8, 0x48, 8, 0xfffff80000587d12, 0x402 },
	{ KD_AMD64, 1, { KD_HW_WRITE, 0xffffa00000001004, 4 }, 0x28, 8, 0x48, 8, 0xffffa00000001004, 0xd00408 },
	{ KD_AMD64, 2, { KD_HW_ACCESS, 0xffffa00000001008, 8 }, 0x30, 8, 0x48, 8, 0xffffa00000001008, 0xb000420 },
	{ KD_AMD64, 3, { KD_HW_WRITE, 0xffffa00000001002, 2 }, 0x38, 8, 0x48, 8, 0xffffa00000001002, 0x50000480 },
	{ KD_AMD64, 3, { KD_HW_ACCESS, 0xffffa00000001003, 1 }, 0x38, 8, 0x48, 8, 0xffffa00000001003, 0x30000480 },
	{ KD_AMD64, 0, { KD_HW_EXECUTE, 0xfffff80000587d13, 7 }, 0x20, 8, 0x48, 8, 0xfffff80000587d13, 0x402 },
	{ KD_I386, 0, { KD_HW_EXECUTE, 0x80587d13, 1 }, 0x10, 4, 0x24, 4, 0x80587d13, 0x402 },
	{ KD_I386, 3, { KD_HW_WRITE, 0x80587d14, 4 }, 0x1c, 4, 0x24, 4, 0x80587d14, 0xd0000480 },
	{ KD_ARM64, 0, { KD_HW_EXECUTE, 0xfffff80000587d10, 4 }, 0x28, 8, 0x68, 4, 0xfffff80000587d10, 0xe1e7 },
	{ KD_ARM64, 7, { KD_HW_EXECUTE, 0xfffff80000587d14, 1 }, 0x60, 8, 0x84, 4, 0xfffff80000587d14, 0xe1e7 },
	{ KD_ARM64, 8, { KD_HW_WRITE, 0xffffa00000001004, 4 }, 0x88, 8, 0x98, 4, 0xffffa00000001000, 0xfe17 },
	{ KD_ARM64, 9, { KD_HW_ACCESS, 0xffffa00000001000, 8 }, 0x90, 8, 0x9c, 4, 0xffffa00000001000, 0xffff },
	{ KD_ARM64, 9, { KD_HW_ACCESS, 0xffffa00000001003, 2 }, 0x90, 8, 0x9c, 4, 0xffffa00000001000, 0xe31f },
};
enum { GIVEN = sizeof given / sizeof *given };

static void encodings(void **state)
{
	(void)state;
	for (size_t i = 0; i < GIVEN; i++) {
		fresh(given[i].machine);
		assert_true(kd_hw_fits(given[i].machine, given[i].slot, given[i].hw.type));
		assert_int_equal(kd_hw_set(&regs, given[i].slot, &given[i].hw), 0);
		if (at(given[i].value, given[i].value_n) != given[i].want || at(given[i].control, given[i].control_n) != given[i].want_control)
			fail_msg("%zu: %llx %llx", i, (unsigned long long)at(given[i].value, given[i].value_n),
				 (unsigned long long)at(given[i].control, given[i].control_n));
		assert_true(kd_hw_used(&regs, given[i].slot));
		assert_int_equal(regs.dirty, KD_NEEDS_SPECIAL);
	}
}

/* Cleared again, nothing is left but DR7's fixed bit. */
static void cleared(void **state)
{
	(void)state;
	for (size_t i = 0; i < GIVEN; i++) {
		fresh(given[i].machine);
		assert_int_equal(kd_hw_set(&regs, given[i].slot, &given[i].hw), 0);
		assert_int_equal(kd_hw_clear(&regs, given[i].slot), 0);
		assert_false(kd_hw_used(&regs, given[i].slot));
		assert_int_equal(at(given[i].value, given[i].value_n), 0);
		assert_int_equal(at(given[i].control, given[i].control_n), given[i].machine == KD_ARM64 ? 0 : 0x400);
	}
}

/* What else is in DR7 stays: other slots, local enables, general detect. */
static void apart(void **state)
{
	static const struct kd_hw w = { KD_HW_WRITE, 0x1000, 4 };

	(void)state;
	fresh(KD_AMD64);
	memcpy(regs.special + 0x48, "\x55\x23\xff\x0f", 4);
	assert_int_equal(kd_hw_set(&regs, 1, &w), 0);
	assert_int_equal(at(0x48, 8), 0x0fdf2759);
	assert_int_equal(kd_hw_clear(&regs, 1), 0);
	assert_int_equal(at(0x48, 8), 0x0f0f2751);
	assert_true(kd_hw_used(&regs, 0) && !kd_hw_used(&regs, 1) && kd_hw_used(&regs, 2) && kd_hw_used(&regs, 3));
	assert_int_equal(at(0x20, 8) | at(0x30, 8) | at(0x38, 8) | at(0x40, 8), 0);
}

static const struct {
	enum kd_machine machine;
	struct kd_hw hw;
} bad[] = {
	{ KD_AMD64, { KD_HW_WRITE, 0x1001, 2 } },
	{ KD_AMD64, { KD_HW_WRITE, 0x1004, 8 } },
	{ KD_AMD64, { KD_HW_ACCESS, 0x1000, 3 } },
	{ KD_AMD64, { KD_HW_ACCESS, 0x1000, 0 } },
	{ KD_AMD64, { KD_HW_WRITE, 0x1000, 16 } },
	{ KD_AMD64, { KD_HW_WRITE, 0x1000, 0xffffffff } },
	{ KD_I386, { KD_HW_WRITE, 0x1000, 8 } },
	{ KD_I386, { KD_HW_EXECUTE, 0x100000000, 1 } },
	{ KD_I386, { KD_HW_WRITE, 0x100000000, 4 } },
	{ KD_ARM64, { KD_HW_EXECUTE, 0x1002, 4 } },
	{ KD_ARM64, { KD_HW_WRITE, 0x1004, 5 } },
	{ KD_ARM64, { KD_HW_WRITE, 0x1000, 9 } },
	{ KD_ARM64, { KD_HW_ACCESS, 0x1000, 0 } },
	{ KD_MACHINE_NONE, { KD_HW_EXECUTE, 0, 1 } },
};

static void refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		fresh(bad[i].machine);
		assert_int_equal(kd_hw_check(bad[i].machine, &bad[i].hw), -EINVAL);
		assert_int_equal(kd_hw_set(&regs, bad[i].machine == KD_ARM64 && bad[i].hw.type != KD_HW_EXECUTE ? 8 : 0, &bad[i].hw), -EINVAL);
		assert_int_equal(regs.dirty, 0);
	}
}

static void slots(void **state)
{
	static const struct kd_hw x = { KD_HW_EXECUTE, 0x1000, 1 }, w = { KD_HW_WRITE, 0x1000, 4 };

	(void)state;
	assert_int_equal(kd_hw_slots(KD_AMD64), 4);
	assert_int_equal(kd_hw_slots(KD_I386), 4);
	assert_int_equal(kd_hw_slots(KD_ARM64), 10);
	assert_int_equal(kd_hw_slots(KD_MACHINE_NONE), 0);
	fresh(KD_AMD64);
	assert_int_equal(kd_hw_set(&regs, 4, &x), -EINVAL);
	assert_int_equal(kd_hw_clear(&regs, 4), -EINVAL);
	assert_false(kd_hw_used(&regs, 4));
	fresh(KD_ARM64);
	assert_int_equal(kd_hw_set(&regs, 8, &x), -EINVAL);
	assert_int_equal(kd_hw_set(&regs, 7, &w), -EINVAL);
	assert_int_equal(kd_hw_set(&regs, 10, &w), -EINVAL);
	assert_int_equal(regs.dirty, 0);
}

/* The debug registers were not read whole. */
static void not_read(void **state)
{
	static const struct kd_hw x = { KD_HW_EXECUTE, 0x1000, 1 };
	static const size_t end[KD_MACHINES] = { [KD_I386] = 0x28, [KD_AMD64] = 0x50, [KD_ARM64] = 0xa0 };

	(void)state;
	for (enum kd_machine m = KD_I386; m < KD_MACHINES; m++) {
		fresh(m);
		regs.special_n = end[m] - 1;
		assert_int_equal(kd_hw_set(&regs, 0, &x), -ENODATA);
		assert_int_equal(kd_hw_clear(&regs, 0), -ENODATA);
		assert_false(kd_hw_used(&regs, 0));
		assert_int_equal(kd_hw_find(&regs, KD_HW_EXECUTE, 0x1000), -1);
		assert_int_equal(regs.dirty, 0);
		regs.special_n++;
		assert_int_equal(kd_hw_set(&regs, 0, &x), 0);
	}
}

static void hits(void **state)
{
	(void)state;
	assert_int_equal(kd_hw_hit(0xffff0ff0, 0x4aa), -1);
	assert_int_equal(kd_hw_hit(0xffff0ff1, 0x402), 0);
	assert_int_equal(kd_hw_hit(0xffff0ff8, 0x480), 3);
	assert_int_equal(kd_hw_hit(0xffff0ff3, 0x408), 1); /* slot 0 matched too, but nobody enabled it */
	assert_int_equal(kd_hw_hit(0xffff0ff1, 0x401), 0);
	assert_int_equal(kd_hw_hit(0xffff4ff1, 0x408), -1);
}

static void forgets(void **state)
{
	(void)state;
	fresh(KD_AMD64);
	memcpy(regs.special + 0x40, "\xf2\x0f\xff\xff", 4);
	kd_hw_forget(&regs);
	assert_int_equal(at(0x40, 4), 0xffff0ff0);
	assert_int_equal(regs.dirty, KD_NEEDS_SPECIAL);
	regs.context[0x68] = 0xf1;
	kd_hw_forget(&regs);
	assert_int_equal(regs.context[0x68], 0xf0);
	assert_int_equal(regs.dirty, KD_NEEDS_SPECIAL | KD_NEEDS_CONTEXT);
	fresh(KD_I386);
	regs.special[0x20] = regs.context[0x14] = 0xff;
	regs.special_n = 0;
	kd_hw_forget(&regs);
	assert_int_equal(regs.context[0x14], 0xf0);
	assert_int_equal(regs.special[0x20], 0xff);
	assert_int_equal(regs.dirty, KD_NEEDS_CONTEXT);
	fresh(KD_ARM64);
	memset(regs.special, 0xff, sizeof regs.special);
	kd_hw_forget(&regs);
	assert_int_equal(regs.dirty, 0);
}

/* Each byte of what was set, and none beside it. */
static void found(void **state)
{
	(void)state;
	for (size_t i = 0; i < GIVEN; i++) {
		const struct kd_hw *hw = &given[i].hw;
		unsigned len = hw->type == KD_HW_EXECUTE ? 1 : hw->len;

		fresh(given[i].machine);
		assert_int_equal(kd_hw_set(&regs, given[i].slot, hw), 0);
		for (uint64_t addr = hw->addr - 16; addr != hw->addr + 16; addr++) {
			int want = addr - hw->addr < len ? (int)given[i].slot : -1;

			assert_int_equal(kd_hw_find(&regs, hw->type, addr), want);
			assert_int_equal(kd_hw_find(&regs, (enum kd_hw_type)((hw->type + 1) % 3), addr), -1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodings), cmocka_unit_test(cleared),  cmocka_unit_test(apart), cmocka_unit_test(refused),
		cmocka_unit_test(slots),     cmocka_unit_test(not_read), cmocka_unit_test(hits),  cmocka_unit_test(forgets),
		cmocka_unit_test(found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
