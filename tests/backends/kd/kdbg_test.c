/* kdbg_test.c - finding KDDEBUGGER_DATA64, through lists that lie; its fields, as far as the block goes. */
#include "backends/kd/kdbg.h"
#include "backends/kd/version.h"
#include "tests/backends/kd/layout.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct kd_version v64 = { .machine = KD_AMD64, .kern_base = 0xfffff80000400000, .data_list = 0xfffff80000001000 };
static const struct kd_version v32 = { .machine = KD_I386, .kern_base = 0x80400000, .data_list = 0x80571000 };

#define HEAD64 "00200000 00f8ffff 00200000 00f8ffff @32"
#define BLOCK64 "00100000 00f8ffff 00100000 00f8ffff 4b444247 18030000 00004000 00f8ffff"
#define BLOCK32 "00105780 00105780 @16 4b444247 18030000 00004080 00000000"

static struct kd_kdbg_walk walk;

static int step(const char *bytes)
{
	return kd_kdbg_step(&walk, layout_span(bytes));
}

static void behind_a_head(void **state)
{
	(void)state;
	assert_true(kd_kdbg_begin(&walk, &v64));
	assert_int_equal(walk.at, 0xfffff80000001000);
	assert_int_equal(step(HEAD64), 0);
	assert_int_equal(walk.at, 0xfffff80000002000);
	assert_int_equal(step(BLOCK64), 1);
	assert_int_equal(walk.at, 0xfffff80000002000);
	assert_int_equal(walk.size, 0x318);
	assert_true(kd_kdbg_begin(&walk, &v64));
	assert_int_equal(step("00200000 00f8ffff"), 0); /* behind the head there is nothing to read */
	assert_int_equal(walk.at, 0xfffff80000002000);
}

static void at_once(void **state)
{
	(void)state;
	assert_true(kd_kdbg_begin(&walk, &v64));
	assert_int_equal(step(BLOCK64), 1);
	assert_int_equal(walk.at, 0xfffff80000001000);
}

static void of_32_bits(void **state)
{
	(void)state;
	assert_true(kd_kdbg_begin(&walk, &v32));
	assert_int_equal(step("00205780 00205780 @32"), 0);
	assert_int_equal(walk.at, 0x80572000);
	assert_int_equal(step(BLOCK32), 1); /* the base is not extended there */
	assert_true(kd_kdbg_begin(&walk, &v32));
	assert_int_equal(step(BLOCK32 "@28 ffffffff"), 1);
}

static void others_are_passed(void **state)
{
	static const char *const others[] = {
		"00300000 00f8ffff @16 4b444248 18030000 00004000 00f8ffff", "00300000 00f8ffff @16 4b444247 1f000000 00004000 00f8ffff",
		"00300000 00f8ffff @16 4b444247 01400000 00004000 00f8ffff", "00300000 00f8ffff @16 4b444247 18030000 00005000 00f8ffff",
		"00300000 00f8ffff @16 4b444247 18030000 00004000 00f8ff",
	};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		assert_true(kd_kdbg_begin(&walk, &v64));
		assert_int_equal(step(others[i]), 0);
		assert_int_equal(walk.at, 0xfffff80000003000);
	}
}

static void ends(void **state)
{
	struct kd_version none = { .machine = KD_AMD64 };
	int rc = 0, steps = 0;

	(void)state;
	assert_false(kd_kdbg_begin(&walk, &none));
	assert_true(kd_kdbg_begin(&walk, &v64));
	assert_int_equal(step("@32"), -ENOENT);
	assert_int_equal(step(""), -ENOENT);
	assert_int_equal(step("00200000 00f8ff"), -ENOENT);
	assert_int_equal(step("00100000 00f8ffff @32"), -ENOENT); /* the head again */
	while (!rc && steps < 1000) {
		rc = step("00300000 00f8ffff @32");
		steps++;
	}
	assert_int_equal(rc, -ELOOP);
	assert_int_equal(steps, KD_KDBG_LINKS + 1);
}

/* As of Windows 8.1. */
static const char block[] = "@0x18 00004000 00f8ffff 20334400 00f8ffff @0x48 d022ee00 00f8ffff @0x88 00112200 00f8ffff @0x138 00100000 00000000 "
			    "@0x208 40302010 00f8ffff @0x218 80275500 00f8ffff @0x2ae 2800 805d 0000 0800 @0x2bc 2001 2400 @0x2e0 005f 1800 2000 8001 "
			    "@0x2f2 4000 @0x33a 2000 0400 @0x368";

static void fields(void **state)
{
	static const struct { enum kd_kdbg_field field; uint64_t value; } all[] = {
		{ KD_KDBG_KERN_BASE, 0xfffff80000400000 },       { KD_KDBG_BREAKPOINT_WITH_STATUS, 0xfffff80000443320 },
		{ KD_KDBG_MODULE_LIST, 0xfffff80000ee22d0 },     { KD_KDBG_BUGCHECK_DATA, 0xfffff80000221100 },
		{ KD_KDBG_PAGE_SIZE, 0x1000 },                   { KD_KDBG_BUILD_LAB, 0xfffff80010203040 },
		{ KD_KDBG_PROCESSOR_BLOCK, 0xfffff80000552780 }, { KD_KDBG_PROCESS_DIRECTORY, 0x28 },
		{ KD_KDBG_PRCB_SIZE, 0x5d80 },                   { KD_KDBG_PRCB_THREAD, 8 },
		{ KD_KDBG_PRCB_CONTEXT, 0x120 },                 { KD_KDBG_PRCB_NUMBER, 0x24 },
		{ KD_KDBG_PRCB_SPECIAL, 0x40 },                  { KD_KDBG_PCR_SIZE, 0x5f00 },
		{ KD_KDBG_PCR_SELF, 0x18 },                      { KD_KDBG_PCR_PRCB, 0x20 },
		{ KD_KDBG_PCR_CONTAINED, 0x180 },                { KD_KDBG_BREAKPOINTS_MAX, 32 },
		{ KD_KDBG_WATCHPOINTS_MAX, 4 },
	};
	uint64_t value;

	(void)state;
	assert_int_equal(sizeof all / sizeof *all, KD_KDBG_FIELDS);
	layout_fill = 0xee;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		assert_true(kd_kdbg_get(layout_span(block), KD_AMD64, all[i].field, &value));
		assert_int_equal(value, all[i].value);
	}
	layout_fill = 0;
	assert_true(kd_kdbg_get(layout_span(block), KD_I386, KD_KDBG_KERN_BASE, &value));
	assert_int_equal(value, 0x400000);
	assert_false(kd_kdbg_get(layout_cut(block, 0x318), KD_AMD64, KD_KDBG_BREAKPOINTS_MAX, &value));
	assert_int_equal(value, 0);
}

/* A longer block has more of them, none is lost; and each field is another. */
static void fields_cut_anywhere(void **state)
{
	uint64_t value;
	unsigned had = 0;

	(void)state;
	for (size_t n = 0; n <= 0x368; n++) {
		unsigned have = 0;

		for (int f = 0; f < KD_KDBG_FIELDS; f++)
			have += kd_kdbg_get(layout_cut(block, n), KD_AMD64, (enum kd_kdbg_field)f, &value);
		assert_true(have == had || have == had + 1);
		had = have;
	}
	assert_int_equal(had, KD_KDBG_FIELDS);
}

static void processors(void **state)
{
	struct span none = { (const uint8_t *)"", 0 };

	(void)state;
	assert_int_equal(kd_prcb_slot(KD_AMD64, 0xfffff80000552780, 3), 0xfffff80000552798);
	assert_int_equal(kd_prcb_slot(KD_I386, 0x80552780, 3), 0x8055278c);
	assert_int_equal(kd_prcb_slot(KD_AMD64, 0, 3), 0);
	assert_int_equal(kd_prcb_slot(KD_AMD64, 0xfffff80000552780, 2048), 0);
	assert_int_equal(kd_prcb_thread(layout_span("@0x2b4 1000"), KD_AMD64), 0x10);
	assert_int_equal(kd_prcb_thread(layout_span("@0x2b6"), KD_AMD64), 8);
	assert_int_equal(kd_prcb_thread(none, KD_AMD64), 8);
	assert_int_equal(kd_prcb_thread(none, KD_I386), 4);
	assert_int_equal(kd_prcb_thread(none, KD_ARM64), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_a_head),
		cmocka_unit_test(at_once),
		cmocka_unit_test(of_32_bits),
		cmocka_unit_test(others_are_passed),
		cmocka_unit_test(ends),
		cmocka_unit_test(fields),
		cmocka_unit_test(fields_cut_anywhere),
		cmocka_unit_test(processors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
