/* slots_test.c - hardware breakpoints of a KD target: which slot one gets, and when a processor's registers are to be edited. */
#include "backends/kd/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WATCH = 2, READ_WATCH = 3, ACCESS_WATCH = 4 };

static struct kd_slots slots;
static struct kd_regs regs;

static int fresh(void **state)
{
	(void)state;
	slots = (struct kd_slots){ 0 };
	memset(&regs, 0, sizeof regs);
	regs.machine = KD_AMD64;
	regs.special_n = kd_layout(KD_AMD64)->special_n;
	return 0;
}

static struct kd_hw watch(uint64_t addr)
{
	return (struct kd_hw){ KD_HW_WRITE, addr, 4 };
}

static struct kd_slot *want(uint64_t addr)
{
	struct kd_hw hw = watch(addr);

	return kd_slots_want(&slots, KD_AMD64, WATCH, &hw);
}

static void as_many_as_the_machine_has(void **state)
{
	static const struct {
		enum kd_machine machine;
		enum kd_hw_type type;
		unsigned most;
	} all[] = {
		{ KD_I386, KD_HW_EXECUTE, 4 }, { KD_AMD64, KD_HW_WRITE, 4 }, { KD_ARM64, KD_HW_EXECUTE, 8 }, { KD_ARM64, KD_HW_ACCESS, 2 },
		{ KD_MACHINE_NONE, KD_HW_WRITE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct kd_hw hw = { all[i].type, 0x1000, 4 };
		unsigned n = 0;

		slots = (struct kd_slots){ 0 };
		for (; n <= KD_SLOTS && kd_slots_want(&slots, all[i].machine, n, &hw); n++)
			assert_true(kd_hw_fits(all[i].machine, (unsigned)(kd_slots_find(&slots, n, &hw) - slots.slot), all[i].type));
		assert_int_equal(n, all[i].most);
	}
}

/* gdb's read watch and access watch are one type here. */
static void kinds_are_told_apart(void **state)
{
	struct kd_hw hw = { KD_HW_ACCESS, 0x1000, 4 }, wide = { KD_HW_ACCESS, 0x1000, 8 };
	struct kd_slot *read = kd_slots_want(&slots, KD_AMD64, READ_WATCH, &hw), *access = kd_slots_want(&slots, KD_AMD64, ACCESS_WATCH, &hw);

	(void)state;
	assert_ptr_equal(kd_slots_find(&slots, READ_WATCH, &hw), read);
	assert_ptr_equal(kd_slots_find(&slots, ACCESS_WATCH, &hw), access);
	assert_null(kd_slots_find(&slots, READ_WATCH, &wide));
	read->wanted = false;
	assert_null(kd_slots_find(&slots, READ_WATCH, &hw));
	assert_ptr_equal(kd_slots_hit(&slots, 1), access);
	assert_null(kd_slots_hit(&slots, 0));
	assert_null(kd_slots_hit(&slots, KD_SLOTS));
}

static void edits(void **state)
{
	(void)state;
	assert_false(kd_slots_differ(&slots));
	assert_non_null(want(0x1000));
	assert_true(kd_slots_differ(&slots));
	assert_int_equal(kd_slots_edit(&slots, &regs), 0);
	assert_true(kd_hw_used(&regs, 0) && !kd_hw_used(&regs, 1));
	assert_int_equal(kd_hw_find(&regs, KD_HW_WRITE, 0x1003), 0);
	assert_true(kd_slots_differ(&slots));
	kd_slots_settle(&slots);
	assert_false(kd_slots_differ(&slots));
	kd_slots_unwant(&slots);
	assert_true(kd_slots_differ(&slots));
	assert_int_equal(kd_slots_edit(&slots, &regs), 0);
	assert_false(kd_hw_used(&regs, 0));
	kd_slots_settle(&slots);
	assert_false(kd_slots_differ(&slots));
}

/* A debugger takes its own out at each stop, and puts them in again. */
static void the_same_again_changes_nothing(void **state)
{
	struct kd_slot *first = want(0x1000), *second = want(0x2000);

	(void)state;
	kd_slots_settle(&slots);
	kd_slots_unwant(&slots);
	assert_ptr_equal(want(0x2000), second);
	assert_ptr_equal(want(0x1000), first);
	assert_false(kd_slots_differ(&slots));
	kd_slots_unwant(&slots);
	assert_non_null(want(0x3000));
	assert_non_null(want(0x2000));
	assert_true(kd_slots_differ(&slots));
	regs.dirty = 0;
	assert_int_equal(kd_slots_edit(&slots, &regs), 0);
	assert_int_equal(regs.dirty, KD_NEEDS_SPECIAL);
	assert_false(kd_hw_used(&regs, 1)); /* it is as it was */
	assert_int_equal(kd_hw_find(&regs, KD_HW_WRITE, 0x3000), 0);
}

static void what_fails_is_counted(void **state)
{
	(void)state;
	assert_non_null(want(0x1000));
	assert_non_null(want(0x2000));
	regs.special_n = 0;
	assert_int_equal(kd_slots_edit(&slots, &regs), 2);
	assert_int_equal(regs.dirty, 0);
}

static void in_doubt_what_is_wanted_goes_in_again(void **state)
{
	struct kd_slot *stays = want(0x1000), *goes = want(0x2000);

	(void)state;
	kd_slots_settle(&slots);
	goes->wanted = false;
	kd_slots_doubt(&slots);
	assert_false(stays->live);
	assert_true(goes->live && kd_slots_differ(&slots));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(as_many_as_the_machine_has, fresh),
		cmocka_unit_test_setup(kinds_are_told_apart, fresh),
		cmocka_unit_test_setup(edits, fresh),
		cmocka_unit_test_setup(the_same_again_changes_nothing, fresh),
		cmocka_unit_test_setup(what_fails_is_counted, fresh),
		cmocka_unit_test_setup(in_doubt_what_is_wanted_goes_in_again, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
