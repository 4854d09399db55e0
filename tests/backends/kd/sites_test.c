/* sites_test.c - breakpoints of a KD target: what is wanted and what is there, room, memory around them, what a report and a boot take away. */
#include "backends/kd/sites.h"

#include "backends/kd/api.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct kd_sites sites;
static const uint8_t under[] = { 0x10, 0x11, 0x12, 0x13 };
enum { BASE = 0x1000 };

static int fresh(void **state)
{
	(void)state;
	sites = (struct kd_sites){ 0 };
	return 0;
}

/* handle 0: it is not in the target. */
static struct kd_site *put(uint64_t addr, uint32_t handle, bool wanted)
{
	struct kd_site *s = kd_sites_add(&sites, addr, (struct span){ under, sizeof under });

	assert_non_null(s);
	s->handle = handle;
	s->wanted = wanted;
	return s;
}

static void traps(void **state)
{
	static const uint8_t int3[] = { 0xcc }, brk[] = { 0x00, 0x00, 0x3e, 0xd4 }, other[] = { 0x00, 0x00, 0x3e, 0xcc };

	(void)state;
	assert_int_equal(kd_trap_size(KD_AMD64), sizeof int3);
	assert_int_equal(kd_trap_size(KD_ARM64), sizeof brk);
	assert_true(kd_is_trap(KD_I386, int3) && !kd_is_trap(KD_I386, brk));
	assert_true(kd_is_trap(KD_ARM64, brk) && !kd_is_trap(KD_ARM64, other));
}

static void comes_and_goes(void **state)
{
	struct kd_site *s = put(BASE, 0, false);

	(void)state;
	assert_ptr_equal(kd_sites_at(&sites, BASE), s);
	assert_memory_equal(s->saved, under, KD_TRAP_MAX);
	assert_false(s->wanted || s->handle);
	assert_null(kd_sites_at(&sites, BASE + 1));
	assert_false(kd_sites_dropped(&sites, BASE));
	kd_sites_drop(&sites, s);
	assert_null(kd_sites_at(&sites, BASE));
	assert_true(kd_sites_dropped(&sites, BASE));
	assert_false(kd_sites_dropped(&sites, 0));
}

static void the_last_ones_are_known(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= KD_SITES_DROPPED; i++)
		kd_sites_drop(&sites, put(BASE + i, 1, true));
	assert_false(kd_sites_dropped(&sites, BASE));
	assert_true(kd_sites_dropped(&sites, BASE + 1) && kd_sites_dropped(&sites, BASE + KD_SITES_DROPPED));
}

static void one_too_many(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KD_SITES; i++) {
		assert_int_equal(kd_sites_all_wanted(&sites), i >= KD_BREAKPOINTS);
		put(BASE + i, 0, i < KD_BREAKPOINTS);
	}
	assert_null(kd_sites_add(&sites, 0, (struct span){ under, 1 }));
	kd_sites_unwant(&sites);
	assert_false(kd_sites_all_wanted(&sites));
}

static void room_in_the_target(void **state)
{
	struct kd_site *idle;

	(void)state;
	idle = put(BASE, 1, false);
	for (unsigned i = 1; i < KD_BREAKPOINTS; i++) {
		assert_null(kd_sites_idle(&sites));
		put(BASE + i, i + 1, true);
	}
	assert_ptr_equal(kd_sites_idle(&sites), idle);
	idle->handle = 0;
	assert_null(kd_sites_idle(&sites));
	idle->handle = 1;
	idle->wanted = true;
	assert_null(kd_sites_idle(&sites));
}

static void room_in_the_list(void **state)
{
	(void)state;
	for (unsigned i = 0; i < KD_SITES; i++)
		put(BASE + i, 0, i != 3);
	assert_ptr_equal(kd_sites_idle(&sites), kd_sites_at(&sites, BASE + 3));
}

/* A read of so many bytes from there, of memory that is all 0xee but for the breakpoints. */
static const struct {
	enum kd_machine machine;
	uint64_t site, addr;
	size_t n;
	const char *got;
} reads[] = {
	{ KD_AMD64, BASE, BASE, 4, "\x10\xee\xee\xee" },
	{ KD_AMD64, BASE + 3, BASE, 4, "\xee\xee\xee\x10" },
	{ KD_AMD64, BASE + 4, BASE, 4, "\xee\xee\xee\xee" },
	{ KD_AMD64, BASE - 1, BASE, 4, "\xee\xee\xee\xee" },
	{ KD_ARM64, BASE, BASE, 4, "\x10\x11\x12\x13" },
	{ KD_ARM64, BASE, BASE + 2, 4, "\x12\x13\xee\xee" },
	{ KD_ARM64, BASE + 4, BASE + 2, 4, "\xee\xee\x10\x11" },
	{ KD_ARM64, UINT64_MAX - 1, UINT64_MAX, 4, "\x11\x12\x13\xee" },
	{ KD_ARM64, BASE, BASE + 4, 4, "\xee\xee\xee\xee" },
};

static void memory_is_shown_without(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
		bool touched = memcmp(reads[i].got, "\xee\xee\xee\xee", 4) != 0;
		uint8_t bytes[4] = { 0xee, 0xee, 0xee, 0xee };
		struct kd_site *s;

		sites = (struct kd_sites){ 0 };
		s = put(reads[i].site, 0, true);
		kd_sites_mask(&sites, reads[i].machine, reads[i].addr, bytes, reads[i].n);
		assert_memory_equal(bytes, "\xee\xee\xee\xee", 4);
		assert_null(kd_sites_within(&sites, reads[i].machine, reads[i].addr, reads[i].n));
		s->handle = 1;
		kd_sites_mask(&sites, reads[i].machine, reads[i].addr, bytes, reads[i].n);
		assert_memory_equal(bytes, reads[i].got, 4);
		assert_ptr_equal(kd_sites_within(&sites, reads[i].machine, reads[i].addr, reads[i].n), touched ? s : NULL);
		assert_null(kd_sites_within(&sites, reads[i].machine, reads[i].addr, 0));
	}
}

static void what_is_written_lies_under(void **state)
{
	static const uint8_t bytes[] = { 0x90, 0x91, 0x92 };
	struct kd_site *in = put(BASE, 1, true), *out = put(BASE + 4, 0, true), *far = put(BASE + 5, 1, true);

	(void)state;
	kd_sites_written(&sites, KD_ARM64, BASE + 2, (struct span){ bytes, sizeof bytes });
	assert_memory_equal(in->saved, "\x10\x11\x90\x91", 4);
	assert_memory_equal(out->saved, "\x92\x11\x12\x13", 4);
	assert_memory_equal(far->saved, under, 4);
}

static void a_report_deletes(void **state)
{
	struct kd_site *before = put(BASE - 1, 1, true), *at = put(BASE, 2, true), *last = put(BASE + 15, 3, true), *behind = put(BASE + 16, 4, true);

	(void)state;
	kd_sites_reported(&sites, BASE, 16);
	assert_int_equal(before->handle, 1);
	assert_int_equal(at->handle, 0);
	assert_int_equal(last->handle, 0);
	assert_int_equal(behind->handle, 4);
	assert_true(at->used && at->wanted);
}

static void sweep(uint32_t handles)
{
	for (uint32_t i = 1; i <= handles; i++)
		assert_int_equal(kd_sites_sweep(&sites), i);
	assert_int_equal(kd_sites_sweep(&sites), 0);
	assert_int_equal(kd_sites_sweep(&sites), 0);
}

static void a_table_is_swept_once(void **state)
{
	(void)state;
	sweep(KD_BREAKPOINTS);
	put(BASE, 1, true);
	kd_sites_doubt(&sites);
	assert_int_equal(kd_sites_at(&sites, BASE)->handle, 0);
	assert_true(kd_sites_at(&sites, BASE)->wanted);
	sweep(KD_BREAKPOINTS);
	kd_sites_drop(&sites, kd_sites_at(&sites, BASE));
	kd_sites_void(&sites);
	assert_false(kd_sites_dropped(&sites, BASE));
	sweep(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(traps, fresh),
		cmocka_unit_test_setup(comes_and_goes, fresh),
		cmocka_unit_test_setup(the_last_ones_are_known, fresh),
		cmocka_unit_test_setup(one_too_many, fresh),
		cmocka_unit_test_setup(room_in_the_target, fresh),
		cmocka_unit_test_setup(room_in_the_list, fresh),
		cmocka_unit_test_setup(memory_is_shown_without, fresh),
		cmocka_unit_test_setup(what_is_written_lies_under, fresh),
		cmocka_unit_test_setup(a_report_deletes, fresh),
		cmocka_unit_test_setup(a_table_is_swept_once, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
